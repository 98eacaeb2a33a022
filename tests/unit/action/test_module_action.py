# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's task on a host that goes away in the middle of it, as ansible-playbook reports it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]

# Runs commands here, until one is to run a module.
CONNECTION = """
DOCUMENTATION = '''
name: dying
description: dies
version_added: 1.0.0
author: nobody
short_description: dies
'''

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local


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


@pytest.mark.parametrize("module", ["kexec_info", "kexec_load", "kexec_commit"])
def test_a_host_that_dies_during_a_module_is_unreachable(tmp_path, module):
    (tmp_path / "dying.py").write_text(CONNECTION)
    tasks = [
        {"fleetops.kexec." + module: {}, "register": "done", "ignore_unreachable": True, "ignore_errors": True},
        {"ansible.builtin.debug": {"msg": "unreachable={{ done is unreachable }}"}},
    ]
    play = {"hosts": "all", "gather_facts": False, "connection": "dying", "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        # Checked only, should a module run.
        ["ansible-playbook", "-i", "dying,", "--check", "play.yml"],
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_CONNECTION_PLUGINS": str(tmp_path),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "unreachable=True" in done.stdout, done.stdout + done.stderr
