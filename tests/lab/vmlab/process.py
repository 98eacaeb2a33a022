# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and ending the one process that the lab started, and no other.

A process id alone proves nothing: ids are used again. Each machine has a random UUID that stands on its
QEMU's command line, so a process is ours if, and only if, its arguments contain that UUID.
"""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def carries(arguments: bytes, mark: str) -> bool:
    """Is the mark one of the arguments, as /proc/<pid>/cmdline has them? (pure)

    A process that has ended and was not waited for has none.
    """
    return mark.encode() in arguments.split(b"\0")


def find(pid_file: Path, mark: str, proc: Path = Path("/proc")) -> int | None:
    """The process that the file names, if it lives and carries the mark."""
    try:
        pid = int(pid_file.read_text())
        arguments = (proc / str(pid) / "cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if carries(arguments, mark) else None


@contextmanager
def _handle(pid_file: Path, mark: str) -> Iterator[int | None]:
    """A file descriptor of the process (pidfd_open(2)): what it stands for cannot change under us."""
    pid = find(pid_file, mark)
    if pid is None:
        yield None
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        # Looked at again, because another process may have got the id before the descriptor was open.
        yield descriptor if find(pid_file, mark) == pid else None
    finally:
        os.close(descriptor)


def end(pid_file: Path, mark: str, seconds: float = 5.0) -> None:
    """Ends the process: waits for it to go by itself, then asks, then insists; each for ``seconds``."""
    with _handle(pid_file, mark) as descriptor:
        if descriptor is None or _ended(descriptor, seconds):
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                signal.pidfd_send_signal(descriptor, number)
            except ProcessLookupError:
                return
            if _ended(descriptor, seconds):
                return


def _ended(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(int(seconds * 1000)))
