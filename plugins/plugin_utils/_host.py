# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam to a host: run a command there, is it answering, begin anew with the connection."""

from __future__ import annotations

import contextlib
import copy
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import Call, HostError, HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host_key import HostKey, HostKeyError, read_host_key
from ansible_collections.fleetops.kexec.plugins.plugin_utils._pipelining import Pipelining
from ansible_collections.fleetops.kexec.plugins.plugin_utils._watch import Knocker

# Seconds for the first banner, at least.
_LEAST_BANNER_SECONDS = 3.0

# Seconds for a login where the connection itself is used to ask, for closing a connection, and for a key exchange.
_MOST_LOGIN_SECONDS = 30.0
_MOST_RESET_SECONDS = 5.0
_MOST_KEY_SECONDS = 10.0

# What OpenSSH's client says itself: at the end (clientloop.c, and mux.c for a shared connection), and of a host key
# that it keeps nowhere (sshconnect.c, with StrictHostKeyChecking=no).
_SSH_ITSELF = re.compile(
    r"^(?:(?:Connection|Shared connection) to \S+ closed\."
    r"|Warning: Permanently added .* to the list of known hosts\.)\r?$",
    re.MULTILINE,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    rc: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """Why it failed, in its own words.

        Where ssh has asked for a terminal, all that the command said is in ``stdout``, and ``stderr`` has only what ssh
        says itself.
        """
        return _SSH_ITSELF.sub("", self.stderr).strip() or self.stdout.strip() or "it said nothing"


class Pending(Protocol[T_co]):
    """Something that was asked of a host and may never be answered, because it goes down meanwhile."""

    def wait(self, seconds: float) -> T_co | None:
        """The answer, or None while there is none. Raises HostUnreachable where the connection has broken."""


class Host(Protocol):
    """A host, as far as a reboot has to do with it."""

    def start(self, command: str) -> Pending[Answer]:
        """Start a shell command."""

    def prepare_watch(
        self, interval: float, is_known: bool = False, beside: Pending[Answer] | None = None, most: float = 0.0
    ) -> None:
        """Find out how it is best watched.

        :param interval: seconds between two questions at least. :param is_known: whether the address is known to be
            asked itself, because the host may be down by now. :param beside: a command that the host is at work on, and
            that it is given for its first banner too, *most* seconds at most.
        """

    def answers(self, seconds: float) -> bool | None:
        """Whether its SSH server answers: True, False if it refuses, both at once, None if it was silent so long."""

    def glance(self) -> bool | None:
        """Whether its SSH server answers beside other work: True, False if it refuses, None while it is silent."""

    def read_key(self, kind: str | None) -> Pending[HostKey] | None:
        """Ask for the SSH host key, of that kind if there is one; None where the address is not asked itself."""

    def reset(self) -> None:
        """Forget the present connection, which a reboot leaves half open."""

    def jump(self) -> Pending[Answer]:
        """Let the host start the staged image at once, with no service stopped."""

    def unload_image(self, seconds: float) -> None:
        """Remove the staged image; raises HostError, also where that takes longer."""

    def end(self) -> None:
        """Leave no thread, process or socket behind."""


class AnsibleHost:
    """A host over the connection of an Ansible action.

    :param action: the action plugin, whose connection and become settings are used.
    """

    def __init__(self, action: Any, task_vars: dict[str, Any]) -> None:
        self._action = action
        self._task_vars = task_vars
        self._knocker: Knocker | None = None
        self._attempt: Pending[Answer] | None = None
        self._attempted = 0.0
        self._calls: list[Call[Any]] = []
        self._pipelining: Pipelining | None = None

    def start(self, command: str) -> Pending[Answer]:
        """See Host."""
        return self._call(lambda: self._execute(command))

    def _call(self, call: Callable[[], T], interrupt: Callable[[], None] | None = None) -> Call[T]:
        started = Call(call, interrupt)
        self._calls = [earlier for earlier in self._calls if earlier.is_alive()] + [started]
        return started

    def _execute(self, command: str) -> Answer:
        result = self._action._low_level_execute_command(command)
        return Answer(result["rc"], result["stdout"], result["stderr"])

    def is_control_node(self) -> bool:
        """Whether the connection leads nowhere else."""
        return str(self._action._connection.transport).endswith("local")

    def answer_timeout(self, connect_timeout: int | None) -> float:
        """Seconds that a command may take: to connect, and then for a busy machine to log in and run it."""
        return float(connect_timeout or self._option("timeout") or 10) + 20.0

    @contextlib.contextmanager
    def connecting_within(self, connect_timeout: int | None) -> Iterator[None]:
        """Use that timeout for new connections, None for the present one, and put back what was there afterwards.

        Nor does the connection try again by itself meanwhile: the watch does.
        """
        # The option's name is up to the plugin.
        wanted = {"timeout": connect_timeout, "connection_timeout": connect_timeout, "reconnection_retries": 0}
        before = {name: self._option(name) for name, value in wanted.items() if value is not None}
        known = {name: value for name, value in before.items() if value is not None}
        for name in known:
            self._action._connection.set_option(name, wanted[name])
        try:
            yield
        finally:
            for name, value in known.items():
                self._action._connection.set_option(name, value)

    def _option(self, name: str) -> Any:
        """An option of the connection plugin; None where it has none of that name."""
        try:
            return self._action._connection.get_option(name)
        except (KeyError, AnsibleError):
            return None

    def prepare_watch(
        self, interval: float, is_known: bool = False, beside: Pending[Answer] | None = None, most: float = 0.0
    ) -> None:
        """See Host. The address itself is asked from now on, if it answers now; otherwise the connection is."""
        address = self._address()
        if address is None:
            return
        try:
            knocker = Knocker(*address, interval=interval)
        except (OSError, UnicodeError):  # a name that does not resolve; one that is none by the rules of the DNS
            return
        if is_known or _greets(knocker, beside, most):
            self._knocker = knocker
        else:
            knocker.close()

    def _address(self) -> tuple[str, int] | None:
        """Where OpenSSH would connect to, which ssh_config may decide; None behind a jump host, or without OpenSSH."""
        if self._action._connection.transport != "ssh":
            return None
        # In the order in which the plugin itself gives them: the first value of an option counts.
        words = [self._option("ssh_executable") or "ssh", "-G", *shlex.split(self._option("ssh_args") or "")]
        for flag, name in (("-p", "port"), ("-l", "remote_user")):
            value = self._option(name)
            words += [flag, str(value)] if value else []
        for name in ("ssh_common_args", "ssh_extra_args"):
            words += shlex.split(self._option(name) or "")
        words += ["--", str(self._option("host"))]
        try:
            shown = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return direct_address(shown.stdout)

    def answers(self, seconds: float) -> bool | None:
        """See Host."""
        if self._knocker is not None:
            return self._knocker.answers(seconds)
        # One login at a time, which may take longer than these seconds, and is waited for again at the next call.
        if self._attempt is None:
            self._attempt, self._attempted = self.start("true"), time.monotonic()
        try:
            answer = self._attempt.wait(seconds)
        except HostUnreachable:
            self._attempt = None
            # Other plugins than ssh keep their broken connection, and use it again.
            with contextlib.suppress(HostUnreachable):
                self._call(self._action._connection.close).wait(_MOST_RESET_SECONDS)
            return False
        if answer is not None:
            self._attempt = None
        elif time.monotonic() - self._attempted > _MOST_LOGIN_SECONDS:
            self._attempt = None
            self.reset()
        # 255 is ssh's own, which is not always taken for one: its proxy program may have said something.
        return None if answer is None else answer.rc != 255

    def glance(self) -> bool | None:
        """See Host. Where the connection itself is used to ask, the work that is under way is the best answer."""
        return True if self._knocker is None else self._knocker.glance()

    def reset(self) -> None:
        """See Host."""
        # Not every connection plugin can, and one that cannot has nothing to forget. One that hangs, such as ssh with
        # a master process that does not react, must not hold up the watch.
        with contextlib.suppress(HostUnreachable):
            self._call(self._reset).wait(_MOST_RESET_SECONDS)

    def _reset(self) -> None:
        with contextlib.suppress(AttributeError):
            self._action._connection.reset()

    def read_key(self, kind: str | None) -> Pending[HostKey] | None:
        """See Host."""
        knocker = self._knocker
        if knocker is None:
            return None
        opened: list[socket.socket] = []

        def connect() -> socket.socket:
            opened.append(knocker.connect(_MOST_KEY_SECONDS))
            return opened[-1]

        def read() -> HostKey:
            try:
                return read_host_key(connect, kind, _MOST_KEY_SECONDS)
            except HostKeyError as error:
                raise HostUnreachable(str(error))

        def interrupt() -> None:
            for connection in opened:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

        return self._call(read, interrupt)

    def jump(self) -> Pending[Answer]:
        """See Host."""
        return self._call(self._jump)

    def _jump(self) -> Answer:
        try:
            self._prepare_folder()
            # The module of this name is the part of the work that the host does itself.
            result = self._action._execute_module(
                module_name="fleetops.kexec.kexec_reboot",
                module_args={"method": "kexec_now"},
                task_vars=self._task_vars,
            )
        except AnsibleConnectionFailure:
            raise  # the host has gone down under it
        except (AnsibleError, OSError) as error:
            # Such as a full disk, here or there: the module has not begun.
            return Answer(1, "", str(error))
        return Answer(1 if result.get("failed") else 0, "", str(result.get("msg", "")))

    def _prepare_folder(self) -> None:
        """Make the host's temporary folder that a module needs; raises AnsibleError.

        A module's run would make it too, and raise what it raises when the connection breaks.
        """
        if self._action._is_pipelining_enabled("new", False):
            return
        try:
            self._action._make_tmp_path()
        except AnsibleConnectionFailure as error:
            raise AnsibleError(str(error))

    def unload_image(self, seconds: float) -> None:
        """See Host."""
        try:
            result = self._call(self._unload).wait(seconds)
        except HostUnreachable as error:
            raise HostError("cannot unload the staged image: %s" % error)
        if result is None:
            raise HostError("cannot unload the staged image: that did not end within %g s" % seconds)
        if result.get("failed") or result.get("unreachable"):
            raise HostError("cannot unload the staged image: %s" % result.get("msg", "no reason given"))

    def _unload(self) -> dict[str, Any]:
        unloaded: dict[str, Any] = self._action._execute_module(
            module_name="fleetops.kexec.kexec_load", module_args={"state": "unloaded"}, task_vars=self._task_vars
        )
        return unloaded

    def address(self) -> str:
        """Where the control node reaches it, as far as that is known."""
        direct = self._address()
        if direct is not None:
            return direct[0]
        # The option's name is up to the plugin.
        return str(self._option("host") or self._option("remote_addr") or "localhost")

    def request(self, arguments: dict[str, Any]) -> Pending[dict[str, Any]]:
        """Let the host send a request itself: the arguments and the result of ansible.builtin.uri."""
        pipelining = self._pipelined()
        return self._call(lambda: self._request(arguments, pipelining))

    def _pipelined(self) -> Pipelining:
        if self._pipelining is None:
            self._pipelining = Pipelining(self._action._connection, self._task_vars)
        return self._pipelining

    def _request(self, arguments: dict[str, Any], pipelining: Pipelining) -> dict[str, Any]:
        # Otherwise the module would write its arguments, and what is secret in them, into the log of the host.
        quiet = copy.copy(self._action)
        quiet._task = self._action._task.copy()
        quiet._task.no_log = True
        result = pipelining.run(
            lambda: quiet._execute_module(
                module_name="ansible.builtin.uri", module_args=arguments, task_vars=self._task_vars
            )
        )
        if result.get("unreachable"):
            raise HostUnreachable("the host is unreachable: %s" % result.get("msg", "no reason given"))
        return result

    def accept_kernel(self) -> dict[str, Any]:
        """The result of kexec_commit, which has failed where it could not be run, too."""
        try:
            result: dict[str, Any] = self._pipelined().run(
                lambda: self._action._execute_module(
                    module_name="fleetops.kexec.kexec_commit", module_args={}, task_vars=self._task_vars
                )
            )
        except AnsibleConnectionFailure as error:
            return {"failed": True, "msg": "the host is unreachable: %s" % error}
        except (AnsibleError, OSError) as error:
            # Such as a module that cannot be transferred, or a full disk here. What is known of the reboot outlives it.
            return {"failed": True, "msg": str(error)}
        return {**result, "failed": bool(result.get("failed") or result.get("unreachable"))}

    def end(self) -> None:
        """See Host."""
        if self._knocker is not None:
            self._knocker.close()
        for call in self._calls:
            call.end()


def _greets(knocker: Knocker, beside: Pending[Answer] | None, most: float) -> bool:
    """Whether there is a banner. A busy host has as long for it as it takes for the command, which needs one too."""
    began = time.monotonic()
    while True:
        sign = knocker.glance(0.2)
        if sign is not None:
            return sign
        took = time.monotonic() - began
        if took >= _LEAST_BANNER_SECONDS and (took >= most or not _is_under_way(beside)):
            return False


def _is_under_way(pending: Pending[Answer] | None) -> bool:
    try:
        return pending is not None and pending.wait(0.0) is None
    except HostUnreachable:
        return False


def own_boot_id() -> str | None:
    """The boot id of the control node, which connections such as chroot lead to; None where that is no Linux."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def direct_address(settings: str) -> tuple[str, int] | None:
    """The address and port in what ``ssh -G`` prints; None where the way leads through another host or a program."""
    values: dict[str, str] = dict(line.split(" ", 1) for line in settings.splitlines() if " " in line)
    if any(values.get(name, "none") != "none" for name in ("proxycommand", "proxyjump")):
        return None
    address, port = values.get("hostname"), values.get("port", "")
    return (address, int(port)) if address and port.isdigit() else None
