# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's small dealings with the machine it runs on: commands, locks, files, progress."""

import contextlib
import fcntl
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from .errors import LabError

Say = Callable[[str], None]


class Progress:
    """Prints what is being done, with the seconds since the start, so that nobody thinks it hangs."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"[{time.monotonic() - self._start:6.1f} s] {text}", file=sys.stderr, flush=True)


def run(argv: Sequence[str | Path], *, log: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Runs a command to its end and returns its standard output.

    :param log: a file that gets all output as it comes (nothing is returned then).
    :param env: variables on top of this process's own.
    :raises LabError: with the command's own last words.
    """
    words = [str(word) for word in argv]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    with contextlib.ExitStack() as files:
        stream: IO[bytes] | int = files.enter_context(log.open("ab")) if log else subprocess.PIPE
        if not isinstance(stream, int):
            stream.write(f"\n$ {shlex.join(words)}\n".encode())
            stream.flush()
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment, text=True, check=False
            )
        except OSError as error:
            raise LabError(f"{words[0]} could not be run: {error.strerror}.") from error
    if done.returncode != 0:
        said = log.read_text(errors="replace") if log else done.stderr or done.stdout
        last = "\n  ".join(said.strip().splitlines()[-6:])
        where = f"\nAll of its output is in {log}." if log else ""
        raise LabError(f"{words[0]} failed with exit code {done.returncode}:\n  {last}{where}")
    return done.stdout or ""


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Holds a lock on a file; the kernel frees it should we die.

    :param waiting: called where another process, or another thread of ours, has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def write(path: Path, text: str) -> None:
    """Replaces a file as a whole: readers see the old text or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def remove_tree(path: Path) -> None:
    """Removes a folder, but nothing that happens to be mounted below it."""
    for attempt in range(5):
        try:
            run(["rm", "-rf", "--one-file-system", "--", path])
            return
        except LabError:
            # What wrote there was killed a moment ago, and may not have noticed.
            if attempt == 4:
                raise
            time.sleep(1)
