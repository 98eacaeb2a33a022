# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules as ansible-playbook runs them for us: pipelined where they can be, and on a host that goes away."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.release import __version__

CHECKOUT = Path(__file__).parents[3]
MODULES = ("kexec_info", "kexec_load", "kexec_commit")

tells_its_default = pytest.mark.skipif(
    __version__.startswith("2.16."), reason="ansible-core 2.16 shows its default as if somebody had given it"
)

DOCUMENTATION = """
DOCUMENTATION = '''
name: %s
description: of a test
version_added: 1.0.0
author: nobody
short_description: of a test
extends_documentation_fragment: [connection_pipelining]
'''

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local
"""

# Runs commands here, until one is to run a module.
DYING = (
    DOCUMENTATION % "dying"
    + """

class Connection(Local):
    transport = "dying"
    has_pipelining = False
    is_gone = False

    def exec_command(self, cmd, *arguments, **named):
        Connection.is_gone = self.is_gone or "AnsiballZ" in cmd
        if self.is_gone:
            raise AnsibleConnectionFailure("the host has gone away")
        return super().exec_command(cmd, *arguments, **named)
"""
)

# Runs commands here and notes which of them had something to read, as a pipelined module has. Where there is a file
# "requiretty", sudo refuses those.
NOTING = (
    DOCUMENTATION % "noting"
    + """

class Connection(Local):
    transport = "noting"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        with open("commands", "a") as file:
            file.write("pipelined\\n" if in_data else "plain\\n")
        try:
            wants_terminal = open("requiretty").close() is None
        except FileNotFoundError:
            wants_terminal = False
        if wants_terminal and in_data:
            return 1, b"", b"sudo: sorry, you must have a tty to run sudo"
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
"""
)

# Called as sudo -H -S -n -u root COMMAND.
SUDO = """#!/bin/sh
shift 5
exec "$@"
"""


def play(
    folder: Path, connection: str, module: str, arguments: Mapping[str, Any] | None = None, **variables: Any
) -> str:
    """What a play of that one module printed, which changes nothing, should it run."""
    tasks = [
        {
            "fleetops.kexec." + module: dict(arguments or {}),
            "register": "done",
            "ignore_unreachable": True,
            "ignore_errors": True,
        },
        {"ansible.builtin.debug": {"msg": "unreachable={{ done is unreachable }} parsed={{ 'rc' not in done }}"}},
    ]
    whole = {"hosts": "all", "gather_facts": False, "connection": connection, "vars": variables, "tasks": tasks}
    (folder / "play.yml").write_text(json.dumps([whole]))
    for name, text in (("dying", DYING), ("noting", NOTING)):
        (folder / (name + ".py")).write_text(text)
    (folder / "sudo").write_text(SUDO)
    (folder / "sudo").chmod(0o755)
    done = subprocess.run(
        ["ansible-playbook", "-i", connection + ",", "play.yml"],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_CONNECTION_PLUGINS": str(folder),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def commands(folder: Path) -> list[str]:
    return (folder / "commands").read_text().split()


@pytest.mark.parametrize("module", MODULES)
def test_a_host_that_dies_during_a_module_is_unreachable(tmp_path, module):
    assert "unreachable=True" in (output := play(tmp_path, "dying", module)), output


@tells_its_default
@pytest.mark.parametrize("module", MODULES)
def test_a_module_goes_to_the_host_in_one_round(tmp_path, module):
    output = play(tmp_path, "noting", module, ansible_python_interpreter="/usr/bin/python3")
    assert "unreachable=False parsed=True" in output, output
    assert commands(tmp_path) == ["pipelined"]


def test_who_has_said_not_to_pipeline_is_obeyed(tmp_path):
    output = play(
        tmp_path, "noting", "kexec_info", ansible_python_interpreter="/usr/bin/python3", ansible_pipelining=False
    )
    assert "parsed=True" in output, output
    assert set(commands(tmp_path)) == {"plain"}


@tells_its_default
@pytest.mark.parametrize("module", MODULES)
def test_where_sudo_wants_a_terminal_a_module_goes_the_ordinary_way(tmp_path, module):
    (tmp_path / "requiretty").touch()
    output = play(
        tmp_path,
        "noting",
        module,
        ansible_python_interpreter="/usr/bin/python3",
        ansible_become=True,
        ansible_become_exe=str(tmp_path / "sudo"),
    )
    assert "unreachable=False parsed=True" in output, output
    assert commands(tmp_path)[0] == "pipelined"
    assert set(commands(tmp_path)[1:]) == {"plain"}


@tells_its_default
def test_what_the_host_says_without_sudo_is_not_tried_again(tmp_path):
    (tmp_path / "requiretty").touch()
    output = play(tmp_path, "noting", "kexec_info", ansible_python_interpreter="/usr/bin/python3")
    assert "parsed=False" in output, output
    assert commands(tmp_path) == ["pipelined"]


ANSWERED_BY_THE_HOST = {
    "checks": [{"url": "http://127.0.0.1:1/", "from": "host"}],
    "timeout": 6,
    "interval": 0.3,
}


@tells_its_default
def test_each_request_from_the_host_goes_there_in_one_round(tmp_path):
    output = play(
        tmp_path, "noting", "await_health", ANSWERED_BY_THE_HOST, ansible_python_interpreter="/usr/bin/python3"
    )
    assert "not healthy within 6 s" in output, output
    assert "refused" in output, output
    assert set(commands(tmp_path)) == {"pipelined"}, "the second one too"
    assert len(commands(tmp_path)) > 1


@tells_its_default
def test_where_sudo_wants_a_terminal_a_request_from_the_host_goes_the_ordinary_way(tmp_path):
    (tmp_path / "requiretty").touch()
    output = play(
        tmp_path,
        "noting",
        "await_health",
        ANSWERED_BY_THE_HOST,
        ansible_python_interpreter="/usr/bin/python3",
        ansible_become=True,
        ansible_become_exe=str(tmp_path / "sudo"),
    )
    assert "not healthy within 6 s" in output, output
    assert "refused" in output, output
    assert commands(tmp_path)[0] == "pipelined"
    assert set(commands(tmp_path)[1:]) == {"plain"}, "sudo is asked without a terminal once"
