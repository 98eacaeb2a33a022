# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of a test's own: in a temporary folder, reached by a socket there, and gone with the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MISSING = "PostgreSQL's server is not installed (Debian: apt-get install postgresql)"
PASSWORD = "p@ss:w/rd%"  # characters that have to be encoded in a URL

_START_SECONDS = 30.0


def programs() -> Path | None:
    """The folder of the newest server here; Debian keeps one for each version."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not folders:
        found = shutil.which("initdb")
        return Path(found).parent if found else None
    return max(folders, key=lambda folder: [int(number) for number in re.findall(r"\d+", folder.parent.name)])


class Server:
    """A server that can be stopped and started again."""

    def __init__(self, folder: Path, binaries: Path, durable: bool) -> None:
        self._data = folder / "data"
        self._folder = folder
        self._binaries = binaries
        self._durable = durable
        # It refuses to run as root, and wants to own its files.
        self._user = _unprivileged() if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-U", "fleet", "-A", "scram-sha-256", "--pwfile", str(secret), "-N", "-D", str(self._data))

    def url(self) -> str:
        """Of its database, for the store."""
        return "postgresql+psycopg://fleet:p%%40ss%%3Aw%%2Frd%%25@/postgres?host=%s" % self._folder

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._binaries / program), *arguments]

    def _run(self, program: str, *arguments: str) -> None:
        process = subprocess.run(
            self._command(program, *arguments),
            cwd=self._folder,
            user=self._user,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if process.returncode != 0:
            raise RuntimeError("%s failed:\n%s" % (program, process.stdout))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self._folder / "log").open("ab")
        settings = ["-k", str(self._folder), "-c", "listen_addresses=", "-c", "max_connections=200"]
        if not self._durable:
            settings += ["-c", "fsync=off"]
        self._process = subprocess.Popen(
            self._command("postgres", "-D", str(self._data), *settings),
            cwd=self._folder,
            user=self._user,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        deadline = time.monotonic() + _START_SECONDS
        ready = self._command("pg_isready", "-q", "-h", str(self._folder), "-U", "fleet")
        while subprocess.run(ready, check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start:\n" + (self._folder / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, breaking its connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_START_SECONDS)
            self._process = None


def _unprivileged() -> str:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("there is neither a user postgres nor a user nobody to run PostgreSQL as")


@contextlib.contextmanager
def server(binaries: Path, durable: bool = False) -> Iterator[Server]:
    """A server that runs. :param durable: whether it waits for the disk at every commit, as one in earnest does."""
    # Not below pytest's folder: the path of a socket is at most 107 bytes, and root's folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="fleetops-pg-"))
    try:
        started = Server(folder, binaries, durable)
        try:
            started.start()
            yield started
        finally:
            started.stop()
    finally:
        shutil.rmtree(folder)
