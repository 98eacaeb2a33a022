# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import AnsibleHost, Answer, direct_address
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.ssh_servers import program


class Connection:
    """A connection plugin, as far as its options go."""

    def __init__(self, transport="ssh", **options):
        self.transport = transport
        self.options = options
        self.history = []

    def get_option(self, name):
        return self.options[name]

    def set_option(self, name, value):
        self.history.append((name, value))
        self.options[name] = value


class Action:
    def __init__(self, connection):
        self._connection = connection


def settings(*words):
    """What OpenSSH itself says it would do."""
    command = [program("ssh"), "-G", "-F", "none", *words, "web1"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ([], ("web1", 22)),
        (["-p", "2222"], ("web1", 2222)),
        (["-o", "HostName=192.0.2.1", "-o", "Port=33"], ("192.0.2.1", 33)),
        (["-J", "bastion"], None),
        (["-o", "ProxyCommand=nc %h %p"], None),
        (["-o", "ProxyJump=none"], ("web1", 22)),
        (["-o", "ProxyCommand=none"], ("web1", 22)),
    ],
)
def test_the_address_is_asked_itself_where_no_other_host_is_on_the_way(words, address):
    assert direct_address(settings(*words)) == address


@pytest.mark.parametrize("said", ["", "Bad configuration option: x\n", "hostname web1\n", "hostname web1\nport x\n"])
def test_what_ssh_does_not_tell_is_not_guessed(said):
    assert direct_address(said) is None


@pytest.mark.parametrize("fails", [False, True])
def test_the_connections_options_are_put_back(fails):
    connection = Connection(timeout=10, reconnection_retries=3, host="web1")
    host = AnsibleHost(Action(connection), {})
    try:
        with host.connecting_within(4):
            assert connection.options == {"timeout": 4, "reconnection_retries": 0, "host": "web1"}
            if fails:
                raise RuntimeError
    except RuntimeError:
        pass
    assert connection.options == {"timeout": 10, "reconnection_retries": 3, "host": "web1"}


def test_a_plugin_with_another_name_for_its_timeout_is_served_too():
    connection = Connection(transport="other", connection_timeout=10)
    with AnsibleHost(Action(connection), {}).connecting_within(4):
        assert connection.options == {"connection_timeout": 4}
    assert connection.options == {"connection_timeout": 10}


def test_without_a_timeout_the_connections_own_stays():
    connection = Connection(timeout=10)
    with AnsibleHost(Action(connection), {}).connecting_within(None):
        assert connection.options == {"timeout": 10}
    assert connection.history == []


@pytest.mark.parametrize(("transport", "itself"), [("local", True), ("ansible.builtin.local", True), ("ssh", False)])
def test_the_control_node_is_recognised(transport, itself):
    assert AnsibleHost(Action(Connection(transport)), {}).is_control_node() is itself


def test_another_connection_plugin_is_used_itself():
    """It has no address of which anything is known: no key is read, and nothing is asked over TCP."""
    host = AnsibleHost(Action(Connection("paramiko", host="127.0.0.1", port=22)), {})
    host.prepare_watch(0.5)
    assert host.read_key(None) is None
    host.end()


@pytest.mark.parametrize(
    ("stdout", "stderr", "said"),
    [
        ("", "Access denied\n", "Access denied"),
        ("Access denied\r\n", "Shared connection to 10.0.0.7 closed.\r\n", "Access denied"),
        ("Access denied\r\n", "Connection to web7 closed.\r\n", "Access denied"),
        ("more\n", "Connection to the bus closed.\n", "Connection to the bus closed."),
        ("", "Shared connection to web7 closed.\n", "it said nothing"),
    ],
)
def test_what_a_command_said_is_not_what_ssh_says_at_its_end(stdout, stderr, said):
    assert Answer(1, stdout, stderr).said == said
