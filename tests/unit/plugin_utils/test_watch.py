# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The knocker against real sockets on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._watch import Knocker


class Server:
    """Accepts connections and does with each what *behave* says."""

    def __init__(self, behave):
        self.behave = behave
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.held = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self.listener.accept()
                self.accepted += 1
                self.held.append(connection)
                self.behave(connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        for connection in self.held:
            connection.close()


@pytest.fixture
def serve():
    servers = []

    def start(behave):
        servers.append(Server(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def banner(connection):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")


def measured(knocker, seconds):
    start = time.monotonic()
    answered = knocker.answers(seconds)
    knocker.close()
    return answered, time.monotonic() - start


def test_a_banner_is_an_answer_at_once(serve):
    answered, took = measured(Knocker("127.0.0.1", serve(banner).port), 5)
    assert answered
    assert took < 1


def test_lines_before_the_banner_are_passed_over(serve):
    def chatty(connection):
        connection.sendall(b"Authorised use only\r\n")
        time.sleep(0.1)
        banner(connection)

    assert measured(Knocker("127.0.0.1", serve(chatty).port), 5)[0]


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"xSSH-2.0\r\n", b""])
def test_another_service_is_no_answer(serve, greeting):
    def other(connection):
        connection.sendall(greeting)
        connection.shutdown(socket.SHUT_RDWR)

    assert not measured(Knocker("127.0.0.1", serve(other).port), 0.3)[0]


def test_a_closed_port_is_known_at_once():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answered, took = measured(Knocker("127.0.0.1", port), 5)
    assert answered is False
    assert took < 1


def test_a_port_that_accepts_and_says_nothing_is_no_answer(serve):
    server = serve(lambda connection: None)
    answered, took = measured(Knocker("127.0.0.1", server.port, interval=0.2), 0.9)
    assert answered is None
    assert 0.85 < took < 2
    assert server.accepted <= 5


def test_an_early_question_may_be_answered_late(serve):
    """A forwarder accepts for a host that boots, and passes the banner on when there is one."""
    first = threading.Event()

    def late_for_the_first(connection):
        if not first.is_set():
            first.set()
            threading.Timer(0.6, banner, [connection]).start()

    answered, took = measured(Knocker("127.0.0.1", serve(late_for_the_first).port, interval=0.2), 5)
    assert answered
    assert 0.5 < took < 2


def test_a_server_that_has_come_up_and_is_busy_is_not_pestered(serve):
    """It refuses, then accepts and takes its time."""
    refusals = []

    def busy(connection):
        if not refusals:
            refusals.append(connection)
            connection.close()
        elif server.accepted == 2:
            threading.Timer(2.0, banner, [connection]).start()

    server = serve(busy)
    knocker = Knocker("127.0.0.1", server.port, interval=0.1, patience=0.5)
    start = time.monotonic()
    while not knocker.answers(0.5) and time.monotonic() - start < 10:
        pass
    assert 1.9 < time.monotonic() - start < 5
    assert server.accepted <= 7


def glances(knocker, seconds):
    """All that is seen in some seconds of glancing, silence left out."""
    seen = []
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        sign = knocker.glance()
        if sign is not None:
            seen.append(sign)
        time.sleep(0.02)
    knocker.close()
    return seen


def test_a_glance_sees_a_banner_and_does_not_ask_again_soon(serve):
    server = serve(banner)
    assert glances(Knocker("127.0.0.1", server.port), 1.0) == [True]
    assert server.accepted == 1


def test_a_glance_sees_a_refusal():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert glances(Knocker("127.0.0.1", port), 0.5) == [False]


def test_a_glance_at_a_silent_server_says_nothing_and_asks_once(serve):
    server = serve(lambda connection: None)
    assert glances(Knocker("127.0.0.1", server.port), 2.5) == []
    assert server.accepted == 1


def test_a_name_that_does_not_resolve_is_an_error():
    with pytest.raises(OSError, match=r"not known|resolution|Name"):
        Knocker("no-such-host.invalid", 22)
