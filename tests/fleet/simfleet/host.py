# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated host: what it is, and what becomes of it when it is rebooted."""

from __future__ import annotations

import asyncio
import json
import math
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from random import Random

import asyncssh

from . import world
from .door import Door
from .sandbox import Folders
from .session import Files, Process, Session
from .spec import OTHER, Behaviour, Event, HostSpec, What

# A flapping SSH server answers for so long, which is too short for a login and a command, and is then away, in seconds.
_FLAP_UP, _FLAP_AWAY = 0.1, 0.7


class SimulatedHost:
    """A host that is not real.

    :param folders: where its files are to be.
    :param draw: seconds for a reboot.
    """

    def __init__(
        self, spec: HostSpec, port: int, folders: Folders, draw: Callable[[Random], float], seed: str, user_key: str
    ) -> None:
        self.name = spec.name
        self.behaviour = spec.behaviour
        self.history: list[Event] = []
        self.quick = True
        """Whether the commands that quick.py knows are answered without a process."""
        self._spec = spec
        self._folders = folders
        self._random = Random(seed)
        self._draw = draw
        self._user_key = asyncssh.import_authorized_keys(user_key)
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self._door = Door(spec.address, port)
        self._release = spec.running
        self._default = spec.default
        self._boot_id = ""
        """Of the present boot; empty while it is down."""
        self._connections: dict[asyncssh.SSHServerConnection, str] = {}
        """With the boot that each was made in."""
        self._sessions: set[Session] = set()
        self._reboot_under_way: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Make its files."""
        world.install(self._folders.root, self.name)
        self.update(self._default)
        for name in ("shared", "python"):
            (self._folders.state / name).mkdir(parents=True)
        self.behave(self.behaviour)

    def update(self, default: str) -> None:
        """Make that the boot loader's default kernel, beside the one that runs."""
        self._default = default
        world.write_boot_folder(self._folders.root, tuple(sorted({self._release, default})), default)

    def behave(self, behaviour: Behaviour) -> None:
        """Behave so from now on."""
        self.behaviour = behaviour
        (self._folders.state / "failed_units").write_text("".join(unit + "\n" for unit in behaviour.failed_units))
        for name, text in (("refuses", behaviour.refuses_reboot), ("hangs", "x" if behaviour.firing_hangs else "")):
            path = self._folders.state / name
            if text:
                path.write_text(text + "\n")
            else:
                path.unlink(missing_ok=True)

    @property
    def _stopping(self) -> Path:
        """Is there while it goes down, for its systemctl."""
        return self._folders.state / "stopping"

    def public_key(self) -> str:
        """Of its SSH server, as in known_hosts."""
        return self._key.export_public_key().decode().strip()

    async def start(self) -> None:
        """The boot before the first one that anybody asks for."""
        if self.behaviour.reachable:
            await self._boot(self._spec.running, "BOOT_IMAGE=/boot/vmlinuz " + world.ENTRY_CMDLINE, world.BY_GRUB)
        else:
            self._go_down()

    def _happens(self, what: What, detail: str = "") -> None:
        self.history.append(Event(time.time(), self.name, what, detail))

    # Reboots

    def asked(self, way: str, at_once: bool) -> None:
        """Somebody has asked it for a reboot. :param way: kexec or firmware."""
        self._happens("asked", way)
        self._stopping.touch()
        if self._reboot_under_way is None or self._reboot_under_way.done():
            self._reboot_under_way = asyncio.create_task(self._reboot(way, at_once))

    def reset(self) -> None:
        """The reset button: through the firmware at once, whatever state it is in."""
        self._die()
        self._reboot_under_way = asyncio.create_task(self._return("firmware"))

    def _die(self) -> None:
        if self._reboot_under_way is not None:
            self._reboot_under_way.cancel()
        self._go_down()

    async def _reboot(self, way: str, at_once: bool) -> None:
        if not at_once:
            await asyncio.sleep(self.behaviour.stop_seconds)
        self._go_down()
        if self.behaviour.comes_back != "never":
            drawn = self._draw(self._random)
            fixed = self.behaviour.reboot_seconds
            await asyncio.sleep(drawn if fixed is None else fixed)
            await self._return(way)

    def _go_down(self) -> None:
        if self._boot_id or not self.history:
            self._happens("down")
        self._boot_id = ""
        look = self.behaviour.down_looks
        self._door.shut(look)
        for session in self._sessions:
            session.cut()
        # Where packets vanish, the client does not hear that its connections are dead.
        if look != "silent":
            self._abort_connections()

    def _abort_connections(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    async def _return(self, way: str) -> None:
        release, cmdline, loader = self._what_boots(way)
        if self.behaviour.new_host_key:
            self._key = asyncssh.generate_private_key("ssh-ed25519")
        await self._boot(release, cmdline, loader)
        for _time in range(self.behaviour.flaps):
            await asyncio.sleep(_FLAP_UP)
            self._door.shut("refuses")
            self._abort_connections()
            await asyncio.sleep(_FLAP_AWAY)
            await self._door.open(self._options())

    def _what_boots(self, way: str) -> tuple[str, str, str]:
        """Release, command line and boot loader's type of the next boot."""
        comes_back = self.behaviour.comes_back
        if way == "firmware" or comes_back in ("firmware", "rolled_back"):
            release = self._release if comes_back == "rolled_back" else self._default
            return release, "BOOT_IMAGE=/boot/vmlinuz " + world.ENTRY_CMDLINE, world.BY_GRUB
        if comes_back == "old_kernel":
            return self._release, world.ENTRY_CMDLINE, world.BY_KEXEC
        image = json.loads((self._folders.state / "image.json").read_text())
        release = OTHER if comes_back == "other_kernel" else image["release"]
        return release, image["cmdline"], world.BY_KEXEC

    async def _boot(self, release: str, cmdline: str, loader_type: str) -> None:
        self._release = release
        boot_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        world.boot(self._folders.root, release, cmdline, loader_type, boot_id)
        self._boot_id = boot_id
        self._stopping.unlink(missing_ok=True)
        await self._door.open(self._options())
        self._happens("up", boot_id)

    # SSH

    def _options(self) -> asyncssh.SSHServerConnectionOptions:
        return asyncssh.SSHServerConnectionOptions(
            server_factory=lambda: _Server(self),
            server_host_keys=[self._key],
            authorized_client_keys=self._user_key,
            process_factory=self._serve,
            sftp_factory=lambda channel: Files(channel, self._folders.root, self._hears),
            encoding=None,
            line_editor=False,
            # Cheap ones, and what paramiko and OpenSSH both have.
            kex_algs=["curve25519-sha256", "curve25519-sha256@libssh.org"],
            encryption_algs=["aes128-gcm@openssh.com", "aes128-ctr"],
            mac_algs=["hmac-sha2-256-etm@openssh.com", "hmac-sha2-256"],
            compression_algs=None,
        )

    def connected(self, connection: asyncssh.SSHServerConnection) -> None:
        """Somebody has connected."""
        self._connections[connection] = self._boot_id

    def disconnected(self, connection: asyncssh.SSHServerConnection) -> None:
        """A connection has ended."""
        self._connections.pop(connection, None)

    def logged_in(self) -> None:
        """Somebody is who they say."""
        self._happens("login")

    def _hears(self, connection: asyncssh.SSHServerConnection) -> bool:
        """Whether what a client sends over that connection is heard: it is up, and the connection is of this boot."""
        if self._boot_id and self._connections.get(connection) != self._boot_id:
            connection.abort()  # and the client finds out that a reboot has killed it
            return False
        return bool(self._boot_id)

    async def _serve(self, process: Process) -> None:
        """What its SSH server does with a command."""
        if not self._hears(process.get_extra_info("connection")):
            await process.wait_closed()
            return
        heard = bytearray()

        def listen(data: bytes) -> None:
            if self.behaviour.dies_at and self._boot_id:
                heard.extend(data)
                if self.behaviour.dies_at.encode() in heard:
                    self._die()

        session = Session(process, self._folders, listen)
        self._sessions.add(session)
        try:
            await asyncio.sleep(self.behaviour.answer_seconds)
            listen(session.command.encode())
            await session.run(self.quick)
        finally:
            self._sessions.discard(session)


class _Server(asyncssh.SSHServer):
    """Tells the host of a connection."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """See asyncssh.SSHServer."""
        self._connection = conn
        self._host.connected(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncssh.SSHServer."""
        self._host.disconnected(self._connection)

    def auth_completed(self) -> None:
        """See asyncssh.SSHServer."""
        self._host.logged_in()


def log_normal(median: float, sigma: float) -> Callable[[Random], float]:
    """Draws from that distribution."""
    return lambda random: random.lognormvariate(math.log(median), sigma)
