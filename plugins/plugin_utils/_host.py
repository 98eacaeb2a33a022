# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam to a host: run a command there, is it answering, begin anew with the connection."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ansible.errors import AnsibleError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._watch import Knocker

# Seconds for a login where the connection itself is used to ask, and for closing a connection.
_MOST_LOGIN_SECONDS = 30.0
_MOST_RESET_SECONDS = 5.0


class HostError(Exception):
    """The host did something else than what was asked, as a sentence for an operator."""


class HostUnreachable(HostError):
    """Nothing could be asked, or no answer came."""


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    rc: int
    stdout: str
    stderr: str


class Pending(Protocol):
    """A command that was started and may never end, because the host goes down under it."""

    def wait(self, seconds: float) -> Answer | None:
        """Its answer, or None while there is none. Raises HostUnreachable where the connection has broken."""


class Host(Protocol):
    """A host, as far as a reboot has to do with it."""

    def start(self, command: str) -> Pending:
        """Start a shell command."""

    def prepare_watch(self) -> None:
        """Find out, while it is up, how it is best watched."""

    def answers(self, seconds: float) -> bool:
        """Whether its SSH server answers within *seconds*; returns as soon as that is known."""

    def glance(self) -> bool | None:
        """Whether its SSH server answers beside other work: True, False if it refuses, None while it is silent."""

    def reset(self) -> None:
        """Forget the present connection, which a reboot leaves half open."""

    def jump(self) -> Pending:
        """Let the host start the staged image at once, with no service stopped."""

    def unload_image(self) -> None:
        """Remove the staged image; raises HostError."""


class _Call(threading.Thread):
    """A blocking call in a thread of its own, so that a connection that hangs cannot hang the task.

    The thread is left to itself when nobody waits any more; a daemon thread does not hold up the end of the process.
    """

    def __init__(self, call: Callable[[], Answer]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._answer: Answer | None = None
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        """The thread's work."""
        try:
            self._answer = self._call()
        except Exception as error:
            self._error = error

    def wait(self, seconds: float) -> Answer | None:
        """See Pending."""
        self.join(max(seconds, 0.0))
        if isinstance(self._error, AnsibleError):
            raise HostUnreachable("the host is unreachable: %s" % str(self._error).strip())
        if self._error is not None:
            raise self._error
        return self._answer


class AnsibleHost:
    """A host over the connection of an Ansible action.

    :param action: the action plugin, whose connection and become settings are used.
    """

    def __init__(self, action: Any, task_vars: dict[str, Any]) -> None:
        self._action = action
        self._task_vars = task_vars
        self._knocker: Knocker | None = None
        self._attempt: Pending | None = None
        self._attempted = 0.0

    def start(self, command: str) -> Pending:
        """See Host."""
        return _Call(lambda: self._execute(command))

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
        wanted = {"timeout": connect_timeout, "reconnection_retries": 0}
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

    def prepare_watch(self) -> None:
        """See Host. The address itself is asked from now on, if it answers now.

        It does not where the host is behind a jump host or is named by an alias of ssh_config: the connection
        itself is then used to ask.
        """
        address, port = self._option("host"), self._option("port")
        if not isinstance(address, str):
            return
        try:
            knocker = Knocker(address, int(port or 22))
        except OSError:
            return
        if knocker.answers(3.0):
            self._knocker = knocker

    def answers(self, seconds: float) -> bool:
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
            return False
        if answer is not None:
            self._attempt = None
        elif time.monotonic() - self._attempted > _MOST_LOGIN_SECONDS:
            self._attempt = None
            self.reset()
        return answer is not None

    def glance(self) -> bool | None:
        """See Host. Where the connection itself is used to ask, the work that is under way is the best answer."""
        return True if self._knocker is None else self._knocker.glance()

    def reset(self) -> None:
        """See Host."""
        # Not every connection plugin can, and one that cannot has nothing to forget. One that hangs, such as ssh with
        # a master process that does not react, must not hold up the watch.
        with contextlib.suppress(HostUnreachable, AttributeError):
            _Call(self._reset).wait(_MOST_RESET_SECONDS)

    def _reset(self) -> Answer:
        self._action._connection.reset()
        return Answer(0, "", "")

    def jump(self) -> Pending:
        """See Host."""
        return _Call(self._jump)

    def _jump(self) -> Answer:
        # The module of this name is the part of the work that the host does itself.
        result = self._action._execute_module(
            module_name="fleetops.kexec.kexec_reboot", module_args={"method": "kexec_now"}, task_vars=self._task_vars
        )
        return Answer(1 if result.get("failed") else 0, "", str(result.get("msg", "")))

    def unload_image(self) -> None:
        """See Host."""
        result = self._action._execute_module(
            module_name="fleetops.kexec.kexec_load", module_args={"state": "unloaded"}, task_vars=self._task_vars
        )
        if result.get("failed") or result.get("unreachable"):
            raise HostError("cannot unload the staged image: %s" % result.get("msg", "no reason given"))
