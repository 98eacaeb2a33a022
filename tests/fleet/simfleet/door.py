# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's TCP port: with an SSH server behind it, or as it looks while the host is down."""

from __future__ import annotations

import contextlib
import socket

import asyncssh

from .spec import Look


class Door:
    """The port of one address."""

    def __init__(self, address: str, port: int) -> None:
        self._where = (address, port)
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._dead: list[socket.socket] = []

    async def open(self, options: asyncssh.SSHServerConnectionOptions) -> None:
        """Let an SSH server answer; raises OSError where the port is taken."""
        self.shut("refuses")
        self._acceptor = await asyncssh.listen(*self._where, options=options, backlog=128, reuse_address=True)

    def shut(self, look: Look) -> None:
        """Let it look as it does in front of a host that is down."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        for one in self._dead:
            one.close()
        self._dead = []
        if look != "refuses":
            self._listen_only(backlog=128 if look == "accepts" else 0)
        if look == "silent":
            # The queue of connections that nobody accepts is full, so Linux drops every further SYN
            # (net/ipv4/tcp_input.c, tcp_conn_request).
            for _one in range(2):
                self._fill()

    def _listen_only(self, backlog: int) -> None:
        listener = socket.socket()
        self._dead.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self._where)
        listener.listen(backlog)

    def _fill(self) -> None:
        filler = socket.socket()
        self._dead.append(filler)
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect(self._where)
