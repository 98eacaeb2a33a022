# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command of a simulated host: what sshd does with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh

from . import quick, sandbox

# How an SSH server tells of a command that a signal has ended, in a shell's way.
_BY_SIGNAL = 128
_BLOCK = 65536

Process = asyncssh.SSHServerProcess[bytes]


class Files(asyncssh.SFTPServer):
    """Takes and gives files of a host, as the sftp-server of OpenSSH does.

    :param hears: whether the host hears what comes over a connection.
    """

    def __init__(
        self,
        channel: asyncssh.SSHServerChannel[bytes],
        root: Path,
        hears: Callable[[asyncssh.SSHServerConnection], bool],
    ) -> None:
        super().__init__(channel, chroot=str(root).encode())
        self._hears = hears

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """See asyncssh.SFTPServer."""
        if not self._hears(self.connection):
            await self.channel.wait_closed()
        return super().open(path, pflags, attrs)

    def exit(self) -> None:
        """Tell the client that all went well, which scp wants to hear."""
        self.channel.exit(0)


class Session:
    """A command that was asked for over SSH.

    :param listen: is told what the command is given to read, before that reads it.
    """

    def __init__(self, process: Process, folders: sandbox.Folders, listen: Callable[[bytes], None]) -> None:
        self._process = process
        self._folders = folders
        self._listen = listen
        self._child: asyncio.subprocess.Process | None = None
        self._cut = False

    @property
    def command(self) -> str:
        """As it was sent; empty for a login shell."""
        return self._process.command or ""

    def cut(self) -> None:
        """End it as a host that goes down does: nothing is said to the client any more."""
        self._cut = True
        if self._child is not None and self._child.returncode is None:
            # The process leads a group of its own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

    async def run(self, may_be_quick: bool) -> None:
        """Until the command has ended and the client knows it."""
        known = quick.answer(self.command, self._folders.root) if may_be_quick else None
        if self._cut:  # before it began
            code = 0
        elif known is not None:
            code, printed = known
            text = printed if self._process.term_type is None else printed.replace("\n", "\r\n")
            self._process.stdout.write(text.encode())
        elif self._process.term_type is None:
            code = await self._with_pipes()
        else:
            code = await self._with_terminal()
        if self._cut:
            await self._process.wait_closed()  # whoever asked never hears of it
        else:
            self._process.exit(code)

    async def _start(self, stdin: int, stdout: int, stderr: int) -> asyncio.subprocess.Process:
        self._child = await asyncio.create_subprocess_exec(
            *sandbox.argv(self._folders, self.command or "exec /bin/sh"),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=sandbox.ENVIRONMENT,
            start_new_session=True,
        )
        if self._cut:  # meanwhile
            self.cut()
        return self._child

    async def _with_pipes(self) -> int:
        pipe = asyncio.subprocess.PIPE
        child = await self._start(pipe, pipe, pipe)
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        feeding = asyncio.create_task(self._feed(child.stdin))
        await asyncio.gather(
            _copy(child.stdout.read, self._process.stdout), _copy(child.stderr.read, self._process.stderr)
        )
        code = await child.wait()
        feeding.cancel()
        child.stdin.close()
        # That it was ended before it had read all is an error, which somebody has to retrieve.
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(child.stdin.wait_closed(), 1.0)
        return _shell_code(code)

    async def _feed(self, stdin: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):  # the command did not read all of it, or the client left
            while data := await self._process.stdin.read(_BLOCK):
                self._listen(data)
                # Not drained: who is cut off while he waits for that leaves an error that nobody retrieves.
                stdin.write(data)
        stdin.close()

    async def _with_terminal(self) -> int:
        """On a terminal of its own, which Ansible's ssh plugin asks for where it sends nothing to the command."""
        here, there = pty.openpty()
        try:
            child = await self._start(there, there, there)
        finally:
            os.close(there)
        reader = asyncio.StreamReader()
        transport, _protocol = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(here, "rb", buffering=0)
        )
        try:
            await _copy(reader.read, self._process.stdout)
            return _shell_code(await child.wait())
        finally:
            transport.close()


async def _copy(read: Callable[[int], Awaitable[bytes]], to: asyncssh.SSHWriter[bytes]) -> None:
    """Until the end. Reading a terminal whose last process is gone is an error in Linux."""
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await read(_BLOCK):
            to.write(data)
            await to.drain()


def _shell_code(code: int) -> int:
    return code if code >= 0 else _BY_SIGNAL - code
