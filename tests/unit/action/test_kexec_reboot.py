# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from a playbook's task to its result, over OpenSSH's client, with simulated hosts."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.fleetops.kexec.tests.unit.action.simulated_host import NEW, OLD, SimulatedHost

CHECKOUT = Path(__file__).parents[3]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ssh") is None, reason="needs OpenSSH's client (Debian: openssh-client)"),
]


@pytest.fixture
def simulate():
    hosts = []

    def start(**facts):
        hosts.append(SimulatedHost(**facts))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


def run(folder, host, arguments, then=(), module="fleetops.kexec.kexec_reboot", **more):
    """One task against that host, and others after it: the last result of a reboot, and all that Ansible said."""
    show = {"ansible.builtin.debug": {"msg": "RESULT={{ fast_reboot_result | to_json | b64encode }}="}}
    reboot = {module: arguments, "register": "fast_reboot_result", "ignore_errors": True}
    play = {"hosts": "simulated", "gather_facts": False, "tasks": [reboot, *then, show]}
    (folder / "play.yml").write_text(json.dumps([play]))
    variables = {
        "ansible_host": "127.0.0.1",
        "ansible_port": host.port,
        "ansible_user": "root",
        "ansible_ssh_args": "-F none -o ControlMaster=no",
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        **more,
    }
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": {"simulated": variables}}}))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_HOST_KEY_CHECKING": "0",
        "ANSIBLE_ACTION_PLUGINS": str(Path(__file__).parent / "action_plugins"),
    }
    command = ["ansible-playbook", "-vv", "-i", str(folder / "inventory.json"), str(folder / "play.yml")]
    ended = subprocess.run(
        command, check=False, env=environment, cwd=folder, capture_output=True, text=True, timeout=300
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


def test_the_clock_of_the_control_node_may_jump_meanwhile(simulate, tmp_path):
    host = simulate(off=4.0)
    result, _output = run(tmp_path, host, {"reboot_timeout": 60, "post_reboot_delay": 1}, module="jumping_reboot")
    assert not result["failed"], result["msg"]
    assert (result["rebooted"], host.fired) == (True, 1)
    moments = list(result["timeline"].values())
    assert None not in moments
    assert moments == sorted(moments)
    assert 3.0 < result["down_seconds"] < 60
    assert 3 < result["elapsed"] < 60


def test_another_ssh_server_is_waited_out(simulate, tmp_path):
    host = simulate(stranger=4.0)
    result, output = run(tmp_path, host, {"reboot_timeout": 120})
    assert not result["failed"], result["msg"]
    assert "another SSH server answers: its host key is ssh-rsa SHA256:" in output
    assert result["down_seconds"] >= 6.0


@pytest.mark.skipif(
    importlib.util.find_spec("ansible.plugins.connection.paramiko_ssh") is None,
    reason="ansible-core 2.21 and later have no paramiko_ssh",
)
def test_another_connection_plugin_is_watched_by_its_own_logins(simulate, tmp_path):
    host = simulate()
    plugin = {"ansible_connection": "paramiko_ssh", "ansible_password": "any"}
    result, _output = run(tmp_path, host, {"connect_timeout": 5}, **plugin)
    assert not result["failed"], result["msg"]
    assert (result["rebooted"], result["method"]) == (True, "kexec")
    assert result["host_key"] == {"before": None, "after": None}
    assert result["down_seconds"] is not None


def rescue(folder, task):
    """The role's rescue with this task of the user's."""
    (folder / "user.yml").write_text(json.dumps([task]))
    role = {"name": "fleetops.kexec.fast_reboot", "tasks_from": "rescue"}
    inputs = {
        "fast_reboot_rescue_host": str(folder / "user.yml"),
        "fast_reboot_rescue_timeout": 120,
        # What was asked for comes from the first result. So there is nothing to accept: this host runs no modules.
        "fast_reboot_method": "firmware",
    }
    return [{"ansible.builtin.include_role": role, "vars": inputs}]


def test_a_lost_host_is_rescued_and_waited_for_again(simulate, tmp_path):
    power = tmp_path / "power"
    host = simulate(power=power)
    cycle = {"ansible.builtin.command": "touch %s" % power, "delegate_to": "localhost"}
    result, _output = run(tmp_path, host, {"reboot_timeout": 8}, rescue(tmp_path, cycle))
    assert not result["failed"], result["msg"]
    assert (result["rebooted"], result["lost"], result["method"], host.fired) == (True, False, "kexec", 1)
    assert result["release"] == {"before": OLD, "after": NEW}
    assert result["host_key"]["before"] is not None
    assert result["host_key"]["before"] == result["host_key"]["after"]
    moments = list(result["timeline"].values())
    assert None not in moments
    assert moments == sorted(moments)
    assert result["down_seconds"] > 7


def test_a_host_whose_rescue_fails_stays_lost(simulate, tmp_path):
    host = simulate(off=3600.0, hang=True)
    no_power = {"ansible.builtin.fail": {"msg": "no BMC"}}
    result, output = run(tmp_path, host, {"reboot_timeout": 8}, rescue(tmp_path, no_power))
    assert (result["failed"], result["lost"], result["phase"]) == (True, True, "return")
    assert "did not come back within 8 s" in result["msg"]
    assert "no BMC" in output
    assert ssh_processes(host.port) == []


def test_behind_a_jump_host_the_connection_itself_is_asked(simulate, tmp_path):
    host = simulate()
    proxy = "-o ProxyCommand='%s %d'" % (forwarder(tmp_path), host.port)
    result, _output = run(tmp_path, host, {}, ansible_host="192.0.2.1", ansible_ssh_extra_args=proxy)
    assert not result["failed"], result["msg"]
    assert (result["rebooted"], result["host_key"]["before"]) == (True, None)
    assert result["down_seconds"] is not None


def forwarder(folder):
    """A program that connects its input and output with a port, as nc does."""
    program = folder / "forward"
    program.write_text(
        "#!%s\nimport os, socket, sys, threading\n"
        "link = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
        "def out():\n"
        "    while data := link.recv(65536):\n"
        "        os.write(1, data)\n"
        "    os._exit(0)\n"
        "threading.Thread(target=out, daemon=True).start()\n"
        "while data := os.read(0, 65536):\n"
        "    link.sendall(data)\n" % sys.executable
    )
    program.chmod(0o755)
    return program
