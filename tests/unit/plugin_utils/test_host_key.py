# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host keys of real SSH servers on loopback."""

from __future__ import annotations

import socket
import subprocess
import threading
import time

import paramiko
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host_key import (
    IS_AVAILABLE,
    HostKey,
    HostKeyError,
    parse_host_key,
    read_host_key,
)
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.ssh_servers import (
    make_key,
    program,
    start_dropbear,
    start_sshd,
)


@pytest.fixture
def started():
    """Servers, stopped at the end."""
    servers = []
    yield lambda server: servers.append(server) or server
    for server in servers:
        server.stop()


@pytest.fixture
def listening():
    """A port that accepts, and does with each connection what it is told."""
    listeners, held = [], []

    def start(behave):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve():
            try:
                while True:
                    connection, _address = listener.accept()
                    held.append(connection)
                    behave(connection)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for end in (*listeners, *held):
        end.close()


def read(port, kind=None, seconds=10.0):
    return read_host_key(lambda: socket.create_connection(("127.0.0.1", port), seconds), kind, seconds)


@pytest.mark.parametrize(
    ("kind", "name"), [("ed25519", "ssh-ed25519"), ("rsa", "ssh-rsa"), ("ecdsa", "ecdsa-sha2-nistp256")]
)
def test_the_key_is_the_one_that_openssh_shows(tmp_path, started, kind, name):
    key, fingerprint = make_key(tmp_path, "key", kind)
    server = started(start_sshd(tmp_path, [key]))
    assert read(server.port) == HostKey(name, fingerprint)
    assert read(server.port, kind=name) == HostKey(name, fingerprint)


def test_the_same_kind_is_asked_for_again(tmp_path, started):
    """A server with several keys shows the one of before, whichever it would rather show."""
    ed25519, _fingerprint = make_key(tmp_path, "ed25519")
    rsa, fingerprint = make_key(tmp_path, "rsa", "rsa")
    server = started(start_sshd(tmp_path, [ed25519, rsa]))
    assert read(server.port).kind == "ssh-ed25519"
    assert read(server.port, kind="ssh-rsa") == HostKey("ssh-rsa", fingerprint)


def test_a_server_that_has_no_key_of_that_kind_shows_another(tmp_path, started):
    ecdsa, fingerprint = make_key(tmp_path, "ecdsa", "ecdsa")
    server = started(start_sshd(tmp_path, [ecdsa]))
    assert read(server.port, kind="ssh-ed25519") == HostKey("ecdsa-sha2-nistp256", fingerprint)


def test_a_new_key_is_another_one(tmp_path, started):
    first, second = (started(start_sshd(tmp_path, [make_key(tmp_path, name)[0]])) for name in ("first", "second"))
    before, after = read(first.port), read(second.port)
    assert (before.kind, after.kind) == ("ssh-ed25519", "ssh-ed25519")
    assert before != after


def test_the_plain_key_behind_a_certificate_is_compared(tmp_path, started):
    authority, _fingerprint = make_key(tmp_path, "authority")
    key, fingerprint = make_key(tmp_path, "key")
    words = [program("ssh-keygen"), "-q", "-s", str(authority), "-I", "web1", "-h", "-n", "web1", str(key) + ".pub"]
    subprocess.run(words, check=True)
    server = started(start_sshd(tmp_path, [key], options={"HostCertificate": str(key) + "-cert.pub"}.items()))
    assert read(server.port) == HostKey("ssh-ed25519", fingerprint)


def test_the_dropbear_of_an_initramfs_has_a_key_of_its_own(tmp_path, started):
    key, fingerprint = make_key(tmp_path, "key")
    dropbear, sshd = started(start_dropbear(tmp_path)), started(start_sshd(tmp_path, [key]))
    strange = read(dropbear.port, kind=read(sshd.port).kind)
    assert strange.kind == "ssh-ed25519"
    assert strange.fingerprint != fingerprint


def test_a_server_that_shuts_out_clients_without_a_login_is_read_as_often_as_the_watch_does(tmp_path, started):
    """OpenSSH 9.8 and later: once every few seconds is no offence."""
    key, fingerprint = make_key(tmp_path, "key")
    known = subprocess.run(
        [program("sshd"), "-T", "-f", "/dev/null", "-h", str(key)], check=False, capture_output=True, text=True
    )
    if "persourcepenalties" not in known.stdout.lower():
        pytest.skip("this sshd has no PerSourcePenalties: it is older than 9.8")
    server = started(start_sshd(tmp_path, [key], options={"PerSourcePenalties": "yes"}.items()))
    for _again in range(3):
        assert read(server.port).fingerprint == fingerprint
        time.sleep(5.0)


def silent(connection):
    """Accepts and says nothing, as a forwarder does for a host that is down."""


def banner_only(connection):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")


def hang_up(connection):
    connection.shutdown(socket.SHUT_RDWR)


def web_server(connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("behave", [silent, banner_only, hang_up, web_server])
def test_what_is_no_whole_ssh_server_is_an_error_in_time(listening, behave, capfd):
    port = listening(behave)
    start = time.monotonic()
    with pytest.raises(HostKeyError, match="its SSH server did not"):
        read(port, seconds=1.0)
    assert time.monotonic() - start < 4
    assert capfd.readouterr() == ("", "")


def test_a_closed_port_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(HostKeyError, match="refused"):
        read(port)


def test_nothing_is_left_behind(tmp_path, started, listening):
    key, _fingerprint = make_key(tmp_path, "key")
    read(started(start_sshd(tmp_path, [key])).port)
    with pytest.raises(HostKeyError):
        read(listening(banner_only), seconds=0.5)
    clients = [
        thread for thread in threading.enumerate() if isinstance(thread, paramiko.Transport) and not thread.server_mode
    ]
    assert clients == []


@pytest.mark.parametrize(
    ("shown", "key"),
    [
        ("ssh-ed25519 SHA256:abc", HostKey("ssh-ed25519", "SHA256:abc")),
        ("ssh-ed25519", None),
        ("", None),
        ("ssh-ed25519 MD5:00:11", None),
    ],
)
def test_a_key_is_read_as_it_is_shown(shown, key):
    assert parse_host_key(shown) == key
    assert key is None or str(key) == shown


def test_paramiko_is_here():
    assert IS_AVAILABLE
