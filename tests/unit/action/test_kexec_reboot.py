# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from a playbook's task to its result, over OpenSSH's client, with simulated hosts."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.fleetops.kexec.tests.unit.action.simulated_host import NEW, OLD, SimulatedHost

CHECKOUT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH's client (Debian: openssh-client)")


@pytest.fixture
def simulate():
    hosts = []

    def start(**facts):
        hosts.append(SimulatedHost(**facts))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


def run(folder, host, arguments, connection="ssh"):
    """One task against that host: its result, and when ansible had come to its end."""
    play = {
        "hosts": "simulated",
        "gather_facts": False,
        "tasks": [
            {"fleetops.kexec.kexec_reboot": arguments, "register": "reboot", "ignore_errors": True},
            {"ansible.builtin.debug": {"msg": "RESULT={{ reboot | to_json | b64encode }}="}},
        ],
    }
    (folder / "play.yml").write_text(json.dumps([play]))
    variables = {
        "ansible_host": "127.0.0.1",
        "ansible_port": host.port,
        "ansible_user": "root",
        "ansible_connection": connection,
        "ansible_ssh_args": "-F none -o ControlMaster=no",
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
    }
    inventory = {"all": {"hosts": {"simulated": variables}}}
    (folder / "inventory.json").write_text(json.dumps(inventory))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
    }
    command = ["ansible-playbook", "-vv", "-i", str(folder / "inventory.json"), str(folder / "play.yml")]
    ended = subprocess.run(
        command, check=False, env=environment, cwd=folder, capture_output=True, text=True, timeout=180
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (encoded,) = re.findall(r"RESULT=([^=\"]+)", ended.stdout)
    return json.loads(base64.b64decode(encoded + "==")), ended.stdout


def ssh_processes(port):
    listed = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if line.startswith("ssh ") and str(port) in line]


def test_a_reboot_is_proven_and_leaves_nothing_behind(simulate, tmp_path):
    host = simulate(hang=True)
    result, output = run(tmp_path, host, {"connect_timeout": 5, "msg": "it's $(time)"})
    assert not result["failed"], result["msg"]
    assert (result["rebooted"], result["changed"], result["method"]) == (True, True, "kexec")
    assert result["release"] == {"before": OLD, "after": NEW}
    assert isinstance(result["elapsed"], int)
    assert host.fired == 1
    assert result["host_key"]["before"].startswith("ssh-rsa SHA256:")
    assert result["host_key"]["before"] == result["host_key"]["after"]
    moments = list(result["timeline"].values())
    assert None not in moments
    assert moments == sorted(moments)
    assert ssh_processes(host.port) == [], "the ssh of the command that never ends"
    assert "down after" in output


def test_another_ssh_server_is_waited_out(simulate, tmp_path):
    host = simulate(stranger=3.0)
    result, output = run(tmp_path, host, {"reboot_timeout": 120})
    assert not result["failed"], result["msg"]
    assert "another SSH server answers: its host key is ssh-rsa SHA256:" in output
    assert result["down_seconds"] >= 5.0


def test_a_host_that_stays_away_is_lost(simulate, tmp_path):
    host = simulate(off=3600.0, hang=True)
    start = time.monotonic()
    result, _output = run(tmp_path, host, {"reboot_timeout": 8})
    assert (result["failed"], result["lost"], result["phase"]) == (True, True, "return")
    assert "did not come back within 8 s" in result["msg"]
    assert time.monotonic() - start < 60
    assert ssh_processes(host.port) == []
