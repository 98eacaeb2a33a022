# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of simulated hosts from the outside: starts it, tells hosts how to behave, and asks what was done to them."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import asyncssh
from ansible_run import CHECKOUT, Run, ended, interrupt_with_all, kill_with_all, start_playbook

from .simulator import SOCKET, SPEC
from .spec import Behaviour, Event, FleetSpec, HostSpec

_NETWORK = 127 << 24 | 77 << 16
_MOST_SECONDS_TO_START = 120.0
_MOST_BYTES_SAID = 1 << 20


class SimulatorError(Exception):
    """Why the fleet could not be had."""


def host_specs(count: int, behaviours: Mapping[str, Behaviour] | None = None, **values: Any) -> tuple[HostSpec, ...]:
    """Hosts sim001, sim002, ..., each on an address of its own in 127.77.0.0/16.

    :param behaviours: by name; the others behave well. :param values: further values of each HostSpec.
    """
    names = ["sim%03d" % number for number in range(1, count + 1)]
    return tuple(
        HostSpec(
            name=name,
            address=socket.inet_ntoa((_NETWORK + number).to_bytes(4, "big")),
            behaviour=(behaviours or {}).get(name, Behaviour()),
            **values,
        )
        for number, name in enumerate(names, 1)
    )


class RunningPlaybook:
    """An ansible-playbook that was started."""

    def __init__(self, process: subprocess.Popen[str], record: Path) -> None:
        self._process = process
        self._record = record
        # Nobody reads before its end what it says.
        fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, _MOST_BYTES_SAID)

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def wait(self) -> Run:
        """Its end, and what it has done."""
        return ended(self._process, self._record)

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends by itself so soon."""
        deadline = time.monotonic() + seconds
        # Not reaped, because wait() has to.
        while os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def kill(self, with_all: bool = False) -> None:
        """As kill -9 does, without waiting for anything but its end: what it has started goes on, or notices.

        :param with_all: whether all that it has started is killed too, as when a container ends.
        """
        if with_all:
            kill_with_all(self._process.pid)
        else:
            self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Let nobody hear what is still said by processes that it has left behind."""
        self._output.close()

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        interrupt_with_all(self._process.pid)


class SimulatedFleet:
    """A running fleet. Its address space is this machine's, its CPU time a process's of its own.

    :param folder: an empty folder with a short path, for a socket lies in it.
    :param median_seconds: of a reboot, from down to up. :param sigma: how far reboot times spread.
    """

    def __init__(
        self,
        hosts: tuple[HostSpec, ...],
        folder: Path,
        seed: int = 1,
        median_seconds: float = 1.0,
        sigma: float = 0.3,
    ) -> None:
        self.hosts = [host.name for host in hosts]
        self.inventory = folder / "inventory.yml"
        self._folder = folder
        self._specs = hosts
        self._runs = 0
        self._playbooks: list[RunningPlaybook] = []
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(folder / "id")
        (folder / "id").chmod(0o600)
        public = key.export_public_key().decode()
        FleetSpec(hosts, seed, median_seconds, sigma, public).write(folder / SPEC)
        _require_sandbox()
        self._process = self._start()
        self._control: IO[str] | None = None
        self._connect()
        self.port = int(self._call("port"))
        self.write_known_hosts()
        self._write_inventory()

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(CHECKOUT / "tests/fleet"), str(CHECKOUT / "playbooks/collections"), *sys.path])
        with (self._folder / "simulator.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "simfleet", str(self._folder)],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _connect(self) -> None:
        """To the control socket, which is there when every host is."""
        deadline = time.monotonic() + _MOST_SECONDS_TO_START
        while self._control is None:
            with socket.socket(socket.AF_UNIX) as control:
                if control.connect_ex(str(self._folder / SOCKET)) == 0:
                    self._control = control.makefile("rw", encoding="utf-8")
                elif self._process.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise SimulatorError("the simulator did not start:\n" + self.log())
                else:
                    time.sleep(0.05)

    def log(self) -> str:
        """What the simulator complained of; empty where all is well."""
        return (self._folder / "simulator.log").read_text()

    def _call(self, call: str, **arguments: Any) -> Any:
        assert self._control is not None
        self._control.write(json.dumps({"call": call, "arguments": arguments}) + "\n")
        self._control.flush()
        answer = json.loads(self._control.readline())
        if "error" in answer:
            raise SimulatorError(answer["error"])
        return answer["value"]

    def close(self) -> None:
        """End it, and wait for that. Once more does no harm."""
        for playbook in self._playbooks:
            playbook.close()
        self._process.terminate()
        # From Python 3.12 on, a server that ends waits for its connections to be closed.
        if self._control is not None:
            self._control.close()
        self._process.wait(30)

    # The hosts

    def root(self, host: str) -> Path:
        """Where the files of a host lie, to be looked at or altered."""
        return self._folder / "hosts" / host / "root"

    def read(self, host: str, path: str) -> str:
        """The text of a host's file, without blanks around it."""
        return (self.root(host) / path.lstrip("/")).read_text().strip()

    def behave(self, host: str, **values: Any) -> None:
        """Let a host behave otherwise from now on: the fields of Behaviour."""
        self._call("behave", host=host, values=values)

    def update(self, host: str, default: str) -> None:
        """Make another kernel of a host its boot loader's default, as a package update does."""
        self._call("update", host=host, default=default)

    def reset(self, host: str) -> None:
        """Press a host's reset button, and wait until it is up."""
        ups = len(self.history(host, "up"))
        self._call("reset", host=host)
        self.wait_for(host, "up", ups + 1)

    def wait_for(self, host: str, what: str, count: int = 1, seconds: float = 30.0) -> None:
        """Until that has happened to a host so often; raises SimulatorError where it does not."""
        deadline = time.monotonic() + seconds
        while len(self.history(host, what)) < count:
            if time.monotonic() > deadline:
                raise SimulatorError("%s was not %s %d times within %g s" % (host, what, count, seconds))
            time.sleep(0.02)

    def wait_for_any(self, what: str, count: int = 1, seconds: float = 120.0) -> None:
        """Until that has happened so often in the fleet; raises SimulatorError where it does not."""
        deadline = time.monotonic() + seconds
        while len(self.history(what=what)) < count:
            if time.monotonic() > deadline:
                raise SimulatorError("%s did not happen %d times within %g s" % (what, count, seconds))
            time.sleep(0.02)

    def answer_by_processes(self, always: bool) -> None:
        """Whether to run also those commands that the simulator could answer by itself."""
        self._call("quick", allowed=not always)

    def history(self, host: str | None = None, what: str | None = None) -> list[Event]:
        """What has happened, in its order."""
        events = [Event(**values) for values in self._call("history")]
        return [event for event in events if host in (None, event.host) and what in (None, event.what)]

    def reboots(self) -> dict[str, int]:
        """How often each host was asked for a reboot; hosts that never were are left out."""
        asked: dict[str, int] = {}
        for event in self.history(what="asked"):
            asked[event.host] = asked.get(event.host, 0) + 1
        return asked

    def most_down(self) -> int:
        """The most hosts that were not in service at one time. A host is not from the request for its reboot on."""
        out: set[str] = set()
        most = 0
        for event in self.history():
            if event.what in ("asked", "down"):
                out.add(event.host)
            elif event.what == "up":
                out.discard(event.host)
            most = max(most, len(out))
        return most

    def cpu_seconds(self) -> float:
        """What the simulation itself has cost, the hosts' commands included."""
        return float(self._call("cpu_seconds"))

    # Ansible

    def write_known_hosts(self) -> None:
        """With the host keys of this moment."""
        keys = self._call("keys")
        lines = ["[%s]:%d %s\n" % (spec.address, self.port, keys[spec.name]) for spec in self._specs]
        (self._folder / "known_hosts").write_text("".join(lines))

    def ssh_options(self) -> list[str]:
        """Nothing of the user's own configuration, and host keys that are known from the start."""
        return [
            *("-F", "none", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"),
            *("-o", "UserKnownHostsFile=%s" % (self._folder / "known_hosts"), "-o", "GlobalKnownHostsFile=/dev/null"),
        ]

    def _write_inventory(self) -> None:
        shared = {
            "ansible_port": self.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self._folder / "id"),
            "ansible_ssh_common_args": shlex.join(self.ssh_options()),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        hosts = {spec.name: {"ansible_host": spec.address} for spec in self._specs}
        # JSON is YAML too.
        self.inventory.write_text(json.dumps({"fleet": {"hosts": hosts, "vars": shared}}, indent=1))

    def playbook(
        self,
        *arguments: str,
        playbook: str = "playbooks/fast_reboot.yml",
        environment: Mapping[str, str] | None = None,
        used: Path | None = None,
        **variables: Any,
    ) -> Run:
        """Run a playbook of the checkout on the fleet. :param used: as ansible_run.start_playbook has it."""
        run = self.start_playbook(*arguments, playbook=playbook, environment=environment, used=used, **variables)
        return run.wait()

    def start_playbook(
        self,
        *arguments: str,
        playbook: str = "playbooks/fast_reboot.yml",
        environment: Mapping[str, str] | None = None,
        used: Path | None = None,
        **variables: Any,
    ) -> RunningPlaybook:
        """The same without waiting for its end."""
        self._runs += 1
        record = self._folder / ("tasks%d.jsonl" % self._runs)
        own = {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._folder / "cp"), **(environment or {})}
        process = start_playbook(self.inventory, playbook, arguments, variables, record, own, used)
        self._playbooks.append(RunningPlaybook(process, record))
        return self._playbooks[-1]

    def module(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        at_a_time: int = 5,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run one module on every host.

        :param at_a_time: batches of so many. Were they more than there are workers, Ansible would not look at the
            results of those that have ended while it waits for a worker, and Task.ended would tell nothing.
        """
        self._runs += 1
        path = self._folder / ("play%d.yml" % self._runs)
        task = {"name": "Run", name: dict(arguments or {}), "ignore_errors": True}
        play = {"hosts": "fleet", "gather_facts": False, "serial": at_a_time, "tasks": [task]}
        path.write_text(json.dumps([play]))
        return self.playbook("--forks", str(at_a_time), playbook=str(path), environment=environment)


def _require_sandbox() -> None:
    """Raises SimulatorError where bubblewrap is missing, or may not do its work."""
    try:
        done = subprocess.run(
            ["bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise SimulatorError("a simulated host needs bubblewrap, not found here. Install: apt-get install bubblewrap")
    if done.returncode != 0:
        raise SimulatorError("a simulated host needs user namespaces, and has none here: " + done.stderr.strip())
