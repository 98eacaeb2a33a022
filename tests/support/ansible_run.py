# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook as a user runs it, and what it did: for tests and measurements on any kind of host."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measured

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]


@dataclass
class Task:
    """A finished task of a playbook's run."""

    ended: float
    status: str
    host: str
    task: str
    action: str
    result: dict[str, Any]


@dataclass
class Run:
    """A finished ansible-playbook."""

    rc: int
    output: str
    tasks: list[Task]
    cpu_seconds: float
    """Of ansible-playbook, its workers and their ssh clients, but not of ssh's masters, which live on."""

    def of(self, action: str, host: str | None = None) -> list[Task]:
        """Its tasks of one action."""
        return [task for task in self.tasks if task.action.endswith(action) and host in (None, task.host)]

    def outcomes(self) -> dict[str, str]:
        """The outcome of each host, by the report."""
        (report,) = self.of("rollout_report")
        return {host: outcome["name"] for host, outcome in report.result["hosts"].items()}


def start_playbook(
    inventory: Path,
    playbook: str,
    arguments: Sequence[str],
    variables: Mapping[str, Any],
    record: Path,
    environment: Mapping[str, str] | None = None,
    used: Path | None = None,
) -> subprocess.Popen[str]:
    """Start a playbook with the checkout's collection; what it says is in the process's stdout.

    :param playbook: its path, as seen from the checkout.
    :param record: a file for the finished tasks; what is in it is lost.
    :param used: a file for what it uses, as measured.Used; the processes that it leaves behind are ended then.
    """
    record.write_text("")
    command = ["ansible-playbook", "-i", str(inventory), playbook, *arguments]
    if variables:
        command += ["-e", json.dumps(variables)]
    if used is not None:
        command = measured.wrapped(used, command)
    return subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env={
            **os.environ,
            "FLEETOPS_TASKS": str(record),
            "FLEETOPS_KEXEC_STORE": str(record.parent / "rollouts.db"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "tasks",
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections"),
            "ANSIBLE_NOCOLOR": "1",
            **(environment or {}),
        },
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run_playbook(
    inventory: Path,
    playbook: str,
    arguments: Sequence[str],
    variables: Mapping[str, Any],
    record: Path,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """As start_playbook, and wait for its end."""
    return ended(start_playbook(inventory, playbook, arguments, variables, record, environment), record)


def ended(process: subprocess.Popen[str], record: Path) -> Run:
    """Wait for the end of a playbook that was started with this record."""
    assert process.stdout is not None
    with process.stdout as stream:
        output = stream.read()
    # Not Popen.wait, which does not tell what the process and all that it has waited for have used.
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    print(output)
    tasks = [Task(**json.loads(line)) for line in record.read_text().splitlines()]
    return Run(process.returncode, output, tasks, usage.ru_utime + usage.ru_stime)


def kill_with_all(pid: int) -> None:
    """End a process and all that it has started, at once and without a chance to tidy up."""
    _signal_all(pid, signal.SIGKILL)


def interrupt_with_all(pid: int) -> None:
    """As Ctrl-C at a terminal: all that a command has started there hear of it."""
    _signal_all(pid, signal.SIGINT)


def _signal_all(pid: int, number: signal.Signals) -> None:
    threads = Path("/proc/%d/task" % pid)
    children = [int(child) for file in threads.glob("*/children") for child in file.read_text().split()]
    os.kill(pid, number)
    for child in children:
        with contextlib.suppress(ProcessLookupError):  # it has ended with its parent
            _signal_all(child, number)
