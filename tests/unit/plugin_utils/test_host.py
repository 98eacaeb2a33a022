# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import subprocess
import threading
import time

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostError, HostUnreachable
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


class Beside:
    """A command that takes so many seconds from the first question on, or breaks its connection then."""

    def __init__(self, seconds, error=None):
        self.seconds, self.error, self.began = seconds, error, None

    def wait(self, seconds):
        self.began = self.began or time.monotonic()
        if time.monotonic() < self.began + self.seconds:
            return None
        if self.error is not None:
            raise self.error
        return Answer(0, "", "")


@pytest.fixture
def greeting():
    """A server on loopback that sends its banner so late."""
    listener = socket.create_server(("127.0.0.1", 0))
    timers = []

    def start(late):
        def serve():
            connection, _address = listener.accept()
            timers.append(threading.Timer(late, connection.sendall, [b"SSH-2.0-busy\r\n"]))
            timers[0].connection = connection
            timers[0].start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        return listener.getsockname()[1]

    yield start
    listener.close()
    for timer in timers:
        timer.cancel()
        timer.join()
        timer.connection.close()


@pytest.mark.parametrize(
    ("late", "beside", "most", "itself"),
    [
        (0.0, Beside(60), 60.0, True),
        (4.5, Beside(60), 60.0, True),
        (60.0, Beside(0), 60.0, False),
        (60.0, Beside(0, HostUnreachable("no")), 60.0, False),
        (60.0, Beside(60), 3.5, False),
    ],
    ids=["at once", "busy", "the command was quicker", "the command has failed", "never"],
)
def test_a_host_has_the_time_of_its_first_command_for_its_first_banner(greeting, late, beside, most, itself):
    """Otherwise a busy host would be watched by logins, and nobody would compare its host key."""
    options = {"host": "127.0.0.1", "port": greeting(late), "ssh_args": "-F none"}
    host = AnsibleHost(Action(Connection(**options)), {})
    host.prepare_watch(0.5, beside=beside, most=most)
    assert (host.read_key(None) is not None) is itself
    host.end()


@pytest.mark.parametrize(
    ("stdout", "stderr", "said"),
    [
        ("", "Access denied\n", "Access denied"),
        ("Access denied\r\n", "Shared connection to 10.0.0.7 closed.\r\n", "Access denied"),
        ("Access denied\r\n", "Connection to web7 closed.\r\n", "Access denied"),
        ("more\n", "Connection to the bus closed.\n", "Connection to the bus closed."),
        ("", "Shared connection to web7 closed.\n", "it said nothing"),
        ("no\n", "Warning: Permanently added '[web7]:22' (ED25519) to the list of known hosts.\r\n", "no"),
        ("", "Warning: Permanently added 'web7' (RSA) to the list of known hosts.\r\nno\n", "no"),
    ],
)
def test_what_a_command_said_is_not_what_ssh_says_itself(stdout, stderr, said):
    assert Answer(1, stdout, stderr).said == said


class ModuleAction(Action):
    """An action whose modules do what a test says."""

    def __init__(self, run, folder=lambda: None, pipelining=False):
        super().__init__(Connection(timeout=10))
        self._run, self._make_tmp_path, self._pipelining = run, folder, pipelining

    def _is_pipelining_enabled(self, module_style, wrap_async):
        return self._pipelining

    def _execute_module(self, **arguments):
        return self._run()


def raising(error):
    def run():
        raise error

    return run


NO_SPACE = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (lambda: {"failed": True, "msg": "device or resource busy"}, "device or resource busy"),
        (lambda: {"unreachable": True}, "no reason given"),
        (raising(AnsibleConnectionFailure("Failed to create temporary directory.")), "Failed to create temporary"),
        (raising(AnsibleError("failed to transfer file")), "failed to transfer file"),
        (raising(NO_SPACE), "No space left on device"),
        (lambda: time.sleep(1.0) or {}, "that did not end within 0.1 s"),
    ],
    ids=["refused", "unreachable", "no folder", "no transfer", "no space here", "too long"],
)
def test_an_image_that_cannot_be_unloaded_is_told(run, sentence):
    host = AnsibleHost(ModuleAction(run), {})
    with pytest.raises(HostError, match="cannot unload the staged image: .*" + sentence):
        host.unload_image(0.1 if "0.1" in sentence else 30.0)
    host.end()


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (ModuleAction(lambda: {"changed": True}), None),
        (ModuleAction(lambda: {"failed": True, "msg": "no image"}), "no image"),
        (ModuleAction(dict, folder=raising(AnsibleConnectionFailure("No space left"))), "No space left"),
        (ModuleAction(raising(AnsibleError("failed to transfer file"))), "failed to transfer file"),
        (ModuleAction(raising(NO_SPACE)), "No space left on device"),
        (ModuleAction(dict, folder=raising(AnsibleConnectionFailure("not needed")), pipelining=True), None),
    ],
    ids=["jumps", "refused", "no folder", "no transfer", "no space here", "no folder needed"],
)
def test_a_jump_that_cannot_begin_is_a_refusal(action, said):
    answer = AnsibleHost(action, {}).jump().wait(30.0)
    assert answer.rc == (0 if said is None else 1)
    assert said is None or said in answer.said


def test_a_connection_that_breaks_under_a_jump_is_none():
    host = AnsibleHost(ModuleAction(raising(AnsibleConnectionFailure("closed by remote host"))), {})
    with pytest.raises(HostUnreachable, match="closed by remote host"):
        host.jump().wait(30.0)


@pytest.mark.parametrize("name", ["no-host.invalid", "web..1", "w" * 300])
def test_a_name_that_is_no_address_is_left_to_the_connection_to_complain_of(name):
    host = AnsibleHost(Action(Connection(host=name, ssh_args="-F none")), {})
    host.prepare_watch(0.5)
    assert host.read_key(None) is None
    host.end()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AnsibleConnectionFailure("no route to host"), "the host is unreachable: no route to host"),
        (AnsibleError("failed to transfer file"), "failed to transfer file"),
        (NO_SPACE, "[Errno 28] No space left on device"),
    ],
)
def test_an_acceptance_that_cannot_be_run_has_failed(error, said):
    connection = Connection()
    connection.has_pipelining = False
    action = ModuleAction(raising(error))
    action._connection = connection
    assert AnsibleHost(action, {}).accept_kernel() == {"failed": True, "msg": said}
