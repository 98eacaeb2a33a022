# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a host's SSH server answering? Asked over plain TCP, which costs the control node next to nothing."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from dataclasses import dataclass
from typing import Any

# Seconds between two questions that are asked at leisure.
_LEISURE = 2.0
# Seconds that a busy SSH server is given for its banner.
_BUSY_PATIENCE = 30.0


@dataclass
class _Question:
    """One connection that waits for its banner."""

    connection: socket.socket
    asked: float
    heard: bytes = b""


class Knocker:
    """Asks one address for an SSH banner, again and again.

    A port that accepts is not enough: forwarders and load balancers accept for hosts that are down. A question that
    went out while the host was down may hang in the network's retransmissions, so a new one is asked every
    *interval* without giving up the older ones, and the first banner counts.

    An SSH server forks for every question. One that is up but too busy to answer, right after the boot, must not get
    two more every second: a host that refused and is silent now has its server up, and is asked ever more slowly.

    :param interval: seconds between two questions. OpenSSH 9.8 and later shut out a client for a while that leaves
        without authenticating more than about once a second for long (sshd_config(5), PerSourcePenalties), so
        whoever expects the host to be *up* asks once a second at most; a host that boots has forgotten penalties.
    :param patience: seconds after which a question is given up.
    """

    def __init__(self, address: str, port: int, interval: float = 0.5, patience: float = 3.0) -> None:
        # Resolved once, while all is well: name servers may be among the hosts that reboot.
        family, kind, protocol, _name, target = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        self._target: Any = target
        self._kind = (family, kind, protocol)
        self._interval = interval
        self._patience = patience
        self._selector = selectors.DefaultSelector()
        self._last_asked = float("-inf")
        self._has_refused = False

    def answers(self, seconds: float) -> bool | None:
        """Wait for a banner: True as soon as one has come, False as soon as all is refused, None after *seconds*."""
        deadline = time.monotonic() + seconds
        asked = False
        while True:
            now = time.monotonic()
            if now >= self._next_question():
                self._ask(now)
                asked = True
            self._give_up_before(now - (_BUSY_PATIENCE if self._has_refused else self._patience))
            wait = min(deadline, self._next_question()) - now
            for key, _events in self._wait(max(wait, 0.0)):
                if self._has_banner(key.data):
                    self.close()
                    self._has_refused = False
                    return True
            if asked and not self._selector.get_map():
                return False
            if time.monotonic() >= deadline:
                return None

    def _next_question(self) -> float:
        waiting = len(self._selector.get_map()) if self._has_refused else 0
        return self._last_asked + self._interval * float(2**waiting)

    def glance(self, seconds: float = 0.0) -> bool | None:
        """Whether it answers, asked at leisure: True, False if it refuses, None where it is silent for those seconds.

        For a server that is at work on something else for us already.
        """
        now = time.monotonic()
        self._give_up_before(now - _BUSY_PATIENCE)
        if not self._selector.get_map() and now - self._last_asked >= _LEISURE:
            self._ask(now)
        for key, _events in self._wait(seconds):
            if self._has_banner(key.data):
                self.close()
                return True
            if key.fd not in self._selector.get_map():
                return False
        return None

    def connect(self, seconds: float) -> socket.socket:
        """A connection of the caller's own to the same address. Raises OSError."""
        connection = socket.socket(*self._kind)
        try:
            connection.settimeout(seconds)
            connection.connect(self._target)
        except OSError:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Give up every question."""
        self._give_up_before(float("inf"))

    def _ask(self, now: float) -> None:
        self._last_asked = now
        connection = socket.socket(*self._kind)
        connection.setblocking(False)
        # A refusal shows when the answer is read, except where the network says no at once.
        code = connection.connect_ex(self._target)
        if code in (0, errno.EINPROGRESS):
            self._selector.register(connection, selectors.EVENT_READ, _Question(connection, now))
        else:
            self._has_refused = code == errno.ECONNREFUSED
            connection.close()

    def _wait(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        if self._selector.get_map():
            return self._selector.select(seconds)
        time.sleep(seconds)
        return []

    def _has_banner(self, question: _Question) -> bool:
        data = b""
        with contextlib.suppress(OSError):
            data = question.connection.recv(1024)
        question.heard += data
        # RFC 4253, 4.2: the server may send other lines before its identification.
        if question.heard.startswith(b"SSH-") or b"\nSSH-" in question.heard:
            return True
        if not data or len(question.heard) > 65536:
            self._has_refused = True
            self._drop(question)
        return False

    def _give_up_before(self, moment: float) -> None:
        for key in list(self._selector.get_map().values()):
            if key.data.asked < moment:
                self._drop(key.data)

    def _drop(self, question: _Question) -> None:
        self._selector.unregister(question.connection)
        question.connection.close()
