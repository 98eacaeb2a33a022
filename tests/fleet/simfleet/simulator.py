# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that is the fleet: its hosts, and the socket by which a test tells them what to do."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import resource
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .host import SimulatedHost, log_normal
from .sandbox import COMPILED, EVENTS, Folders
from .spec import FleetSpec

SPEC, SOCKET = "fleet.json", "control"
_NOBODY = "127.76.0.1"
_PORTS = range(22022, 22122)


class Simulator:
    """A fleet."""

    def __init__(self, folder: Path) -> None:
        self._claim = _claimed_port()
        port = self._claim.getsockname()[1]
        spec = FleetSpec.read(folder / SPEC)
        draw = log_normal(spec.median_seconds, spec.sigma)
        self._folder = folder
        self._shared = folder / "shared"
        self._hosts: dict[str, SimulatedHost] = {}
        for host in spec.hosts:
            own = folder / "hosts" / host.name
            folders = Folders(own / "root", own / "state", self._shared)
            seed = "%d %s" % (spec.seed, host.name)
            self._hosts[host.name] = SimulatedHost(host, port, folders, draw, seed, spec.user_key)
        self._calls: Mapping[str, Callable[..., Any]] = {
            "behave": self._behave,
            "history": self._history,
            "port": lambda: port,
            "keys": lambda: {name: host.public_key() for name, host in self._hosts.items()},
            "quick": self._quick,
            "reset": lambda host: self._hosts[host].reset(),
            "update": lambda host, default: self._hosts[host].update(default),
            "cpu_seconds": _cpu_seconds,
        }

    async def run(self) -> None:
        """Until the process is ended. Raises OSError where the port is taken."""
        (self._shared / COMPILED).mkdir(parents=True)
        events = self._shared / EVENTS
        os.mkfifo(events)
        # Open for writing too, so that it never comes to its end.
        stream = os.open(events, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(stream, self._read_events, stream)
        for host in self._hosts.values():
            host.install()
            await host.start()
        server = await asyncio.start_unix_server(self._control, self._folder / SOCKET)
        await server.serve_forever()

    def _read_events(self, stream: int) -> None:
        """Lines of the stand-ins: the host's name, kexec or firmware, and "now" where no service is stopped first."""
        for line in os.read(stream, 65536).decode().splitlines():
            name, way, *now = line.split(" ")
            self._hosts[name].asked(way, at_once=bool(now))

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Each line is a call, and its answer a line."""
        while line := await reader.readline():
            request = json.loads(line)
            try:
                answer = {"value": self._calls[request["call"]](**request["arguments"])}
            except (KeyError, TypeError) as error:
                answer = {"error": "%s: %s" % (type(error).__name__, error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    def _behave(self, host: str, values: dict[str, Any]) -> None:
        self._hosts[host].behave(self._hosts[host].behaviour.changed(values))

    def _history(self) -> list[dict[str, Any]]:
        events = [event for host in self._hosts.values() for event in host.history]
        return [dataclasses.asdict(event) for event in sorted(events, key=lambda event: event.time)]

    def _quick(self, allowed: bool) -> None:
        for host in self._hosts.values():
            host.quick = allowed


def _claimed_port() -> socket.socket:
    """Holds a port that no other simulator has, below those that Linux gives to connections.

    It is held on an address that no host has, because the hosts' own are free while they are down.
    """
    for port in _PORTS:
        claim = socket.socket()
        try:
            claim.bind((_NOBODY, port))
            claim.listen()
        except OSError:
            claim.close()
        else:
            return claim
    raise OSError("the ports %d to %d of %s are all in use" % (_PORTS[0], _PORTS[-1], _NOBODY))


def _cpu_seconds() -> float:
    """Of the simulator and of the commands that it has run for its hosts."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
