# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible over the lab's machines, run as a user runs it, and what it did."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any

from ansible_run import Run, kill_with_all, run_playbook, start_playbook
from vmlab import Lab
from vmlab.access import banner
from vmlab.errors import LabError
from vmlab.machine import Machine


class Fleet:
    """The lab, and Ansible over it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self._runs = 0

    def machine(self, name: str) -> Machine:
        return self.lab.machine(name)

    def ssh(self, host: str, command: str) -> str:
        """What a command prints there; it must succeed."""
        done = self.machine(host).ssh(command)
        assert done.returncode == 0, done
        return done.stdout.strip()

    def kernels(self, host: str) -> tuple[str, str]:
        """The older and the newer kernel release of the image."""
        older, newer = self.ssh(host, "ls /boot/vmlinuz-* | sed s,.*vmlinuz-,, | sort -V").split("\n")
        return older, newer

    def boot(self, host: str) -> dict[str, str]:
        """What tells one boot from another."""
        values = self.ssh(
            host,
            "uname -r; cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/bootloader_type /sys/kernel/kexec_loaded",
        ).split("\n")
        return dict(zip(("release", "boot_id", "loader_type", "kexec_loaded"), values, strict=True))

    def playbook(self, *arguments: str, playbook: str = "playbooks/fast_reboot.yml", **variables: Any) -> Run:
        """Run a playbook of the checkout on all machines."""
        return run_playbook(self.lab.inventory_path, playbook, arguments, variables, self._record())

    def _record(self) -> Path:
        self._runs += 1
        return self._folder / ("tasks%d.jsonl" % self._runs)

    def killed(self, host: str, name: str, moment: str, **arguments: Any) -> None:
        """Run one module on one host, and kill Ansible with all its processes as soon as it has said *moment*."""
        file = self._folder / "killed.yml"
        task = {"name": "Run", "fleetops.kexec." + name: arguments}
        file.write_text(json.dumps([{"hosts": host, "gather_facts": False, "tasks": [task]}]))
        with start_playbook(self.lab.inventory_path, str(file), ["-vv"], {}, self._record()) as process:
            assert process.stdout is not None
            said = any(moment in line for line in process.stdout)
            kill_with_all(process.pid)
        assert said

    def module(self, host: str, name: str, **arguments: Any) -> dict[str, Any]:
        """Run one module on one host; returns its result."""
        (result,) = self.modules(host, name, [arguments])
        return result

    def modules(self, host: str, name: str, runs: list[dict[str, Any]], **variables: Any) -> list[dict[str, Any]]:
        """Run one module on one host with one set of arguments after the other; returns the results."""
        tasks = [{"name": "Run", "fleetops.kexec." + name: arguments, "ignore_errors": True} for arguments in runs]
        file = self._folder / "play.yml"
        file.write_text(json.dumps([{"hosts": host, "gather_facts": False, "tasks": tasks}]))
        done = self.playbook(playbook=str(file), **variables).tasks
        return [{**task.result, "failed": task.status in ("failed", "ignored")} for task in done]

    def role(self, host: str, name: str, *arguments: str, **variables: Any) -> Run:
        """Run one role of the collection on one host."""
        file = self._folder / "role.yml"
        roles = [{"role": "fleetops.kexec." + name, **variables}]
        file.write_text(json.dumps([{"hosts": host, "gather_facts": False, "roles": roles}]))
        return self.playbook(*arguments, playbook=str(file))

    def type(self, host: str, command: str) -> dict[str, str]:
        """Run a command that reboots, as an administrator types it, and wait for the boot that comes of it."""
        before = self.boot(host)["boot_id"]
        self.machine(host).ssh(command)
        deadline = time.monotonic() + _RETURN_SECONDS
        while time.monotonic() < deadline:
            time.sleep(2)
            try:
                done = self.machine(host).ssh(_BOOT_ID)
            except LabError:
                continue
            if done.returncode == 0 and done.stdout.strip() != before:
                return self.boot(host)
        raise AssertionError("%s has not come back within %d s" % (host, _RETURN_SECONDS))


_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_RETURN_SECONDS = 1200


class Observer(threading.Thread):
    """Watches a host from outside, and notes when it went down, and when the first login of another boot has succeeded.

    Every login costs an emulated machine a second of its processor, so none is tried before the host has been down.

    :param interval: seconds between two looks at a host that has not gone down.
    """

    def __init__(self, fleet: Fleet, host: str, interval: float = 2.0) -> None:
        super().__init__(daemon=True)
        self._machine = fleet.machine(host)
        self._before = fleet.boot(host)["boot_id"]
        self._ended = threading.Event()
        self._interval = interval
        self.down: float | None = None
        self.ready: float | None = None
        self.start()

    def run(self) -> None:
        while banner(self._machine.port) and not self._ended.wait(self._interval):
            pass
        self.down = time.time()
        while self.ready is None and not self._ended.wait(0.2):
            with contextlib.suppress(LabError):  # no answer in time
                if banner(self._machine.port, 1.0) and self._is_new_boot():
                    self.ready = time.time()

    def _is_new_boot(self) -> bool:
        return self._machine.ssh(_BOOT_ID, seconds=10).stdout.strip() not in ("", self._before)

    def end(self) -> None:
        self._ended.set()
        self.join(30)
