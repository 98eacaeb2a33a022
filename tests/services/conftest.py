# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready-made hooks, run by ansible-playbook against the services that they are for."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from ansible_run import run_playbook

AS_IN_A_ROLL = {"gather_facts": False, "ignore_unreachable": True}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


class Hooks:
    """Runs hooks for hosts of an inventory of its own."""

    def __init__(self, folder):
        self._folder = folder
        self._hosts = {}

    def add_host(self, name, **variables):
        self._hosts[name] = {**LOCAL, **variables}

    def run(self, *hooks, hosts="web1", between=None, arguments=(), environment=None, **variables):
        """Run hooks one after the other in one play.

        :param between: a task that runs after the first hook.
        :param variables: the role's inputs, without their prefix.
        """
        tasks = [
            {
                "name": "Run a hook",
                "ansible.builtin.include_role": {"name": "fleetops.kexec.fast_reboot", "tasks_from": "hooks/" + hook},
            }
            for hook in hooks
        ]
        if between is not None:
            tasks.insert(1, {"name": "Reboot", **between})
        inventory = self._folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": self._hosts}}))
        playbook = self._folder / "playbook.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": hosts, **AS_IN_A_ROLL, "tasks": tasks}]))
        return run_playbook(
            inventory,
            str(playbook),
            arguments,
            {"fast_reboot_" + name: value for name, value in variables.items()},
            self._folder / "tasks.jsonl",
            environment,
        )


@pytest.fixture
def hooks(tmp_path):
    return Hooks(tmp_path)


@pytest.fixture(scope="module")
def folder():
    """Of short name, because the path of a socket is at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="fleetops-"))
    yield path
    shutil.rmtree(path)


@contextlib.contextmanager
def _program(command, log):
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def free_port():
    return _free_port


@pytest.fixture(scope="module")
def service(folder):
    """Starts a program, waits until it listens, and ends it with the module's tests."""
    with contextlib.ExitStack() as stack:

        def start(command, port):
            log = folder / "log"
            process = stack.enter_context(_program(command, log))
            deadline = time.monotonic() + 60
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("%s did not start:\n%s" % (command[0], log.read_text()))
                time.sleep(0.05)
            return process

        yield start
