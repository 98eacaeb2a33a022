# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import socket
from pathlib import Path

import pytest
import yaml
from vmlab.access import ADDRESS, Access, inventory, is_free, known_hosts, ssh_command

ACCESS = Access(Path("/lab/id_ed25519"), Path("/lab/known_hosts"))


def test_the_inventory_is_yaml_that_says_how_to_reach_each_machine():
    lab = yaml.safe_load(inventory({"lab1": 2201, "lab2": 2205}, ACCESS))["lab"]
    assert lab["hosts"] == {"lab1": {"ansible_port": 2201}, "lab2": {"ansible_port": 2205}}
    assert lab["vars"] == {
        "ansible_host": "127.0.0.1",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": "/lab/id_ed25519",
        "ansible_ssh_common_args": "-F none -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes "
        "-o UserKnownHostsFile=/lab/known_hosts -o GlobalKnownHostsFile=/dev/null",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def test_the_inventory_of_no_machines_is_valid():
    assert yaml.safe_load(inventory({}, ACCESS))["lab"]["hosts"] == {}


def test_known_hosts_has_each_port_with_its_key_and_no_comment():
    assert known_hosts({2202: "ssh-ed25519 BBBB lab2\n", 2201: "ssh-ed25519 AAAA lab1\n"}) == (
        "[127.0.0.1]:2201 ssh-ed25519 AAAA\n[127.0.0.1]:2202 ssh-ed25519 BBBB\n"
    )


@pytest.mark.parametrize(
    ("path", "option"),
    [("/a/known_hosts", "UserKnownHostsFile=/a/known_hosts"), ("/a b/kh", 'UserKnownHostsFile="/a b/kh"')],
)
def test_ssh_checks_host_keys_against_the_labs_file(path, option):
    argv = ssh_command(Access(Path("/k"), Path(path)), 2201, ["uname", "-r"])
    assert option in argv
    assert "StrictHostKeyChecking=yes" in argv
    assert argv[-7:] == ["-i", "/k", "-p", "2201", "root@127.0.0.1", "uname", "-r"]


def test_a_port_that_is_listened_on_is_not_free():
    with socket.create_server((ADDRESS, 0)) as listener:
        port = listener.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)
