# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command, and writes what it and all that it has started have used: measured.py FILE COMMAND...

That counts ssh's masters too, which leave their parents and outlive the command: they come to this process as Linux's
"child subreaper" and are ended after the command. Memory is the sum of the proportional set sizes of all these
processes, so that what workers share with the process that has forked them is counted once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_SECONDS_BETWEEN_LOOKS = 2.0


@dataclass(frozen=True)
class Used:
    """What a command has used."""

    cpu_seconds: float
    memory_bytes: int
    """The most at a time, of looks with some seconds between them."""

    @classmethod
    def read(cls, path: Path) -> Used:
        """What the program wrote."""
        return cls(**json.loads(path.read_text()))


def wrapped(path: Path, command: list[str]) -> list[str]:
    """The command that runs a command and writes what it has used to that file."""
    return [sys.executable, __file__, str(path), *command]


def _descendants(pid: int) -> Iterator[int]:
    for file in Path("/proc/%d/task" % pid).glob("*/children"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            for child in map(int, file.read_text().split()):
                yield child
                yield from _descendants(child)


def _memory_bytes(pid: int) -> int:
    try:
        lines = Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class _Memory(threading.Thread):
    """Looks at the memory of all that this process has started until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.stop = threading.Event()

    def run(self) -> None:
        """See threading.Thread."""
        while not self.stop.wait(_SECONDS_BETWEEN_LOOKS):
            self.most = max(self.most, sum(map(_memory_bytes, _descendants(os.getpid()))))


def _end_the_rest() -> None:
    """End what the command has left behind, and wait for it, so that its use is counted."""
    for pid in list(_descendants(os.getpid())):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def main(path: Path, command: list[str]) -> int:
    """Run it, and give its exit code."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    memory = _Memory()
    memory.start()
    code = subprocess.call(command)
    memory.stop.set()
    memory.join()
    _end_the_rest()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    path.write_text(json.dumps(asdict(Used(usage.ru_utime + usage.ru_stime, memory.most))))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
