# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a kernel and its initrds to a host: what is missing there, and is there room for it. Pure."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Left free beside what is pushed.
_SPARE = 16 << 20


class PushError(Exception):
    """Why the files cannot be pushed, as a sentence for an operator."""


@dataclass(frozen=True)
class LocalFile:
    """A file on the controller that is to be on the host."""

    path: str
    name: str
    """On the host: the digest of its content, so that one name always is one content, and what it is."""
    size: int

    @property
    def digest(self) -> str:
        """SHA-256 of its content."""
        return self.name.partition(".")[0]


def local_file(path: str, kind: str) -> LocalFile:
    """Look at a file of the controller; raises PushError.

    :param kind: kernel or initrd.
    """
    try:
        digest = hashlib.sha256()
        with Path(path).open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
            size = stream.tell()
    except OSError as error:
        raise PushError("cannot read the %s %s on the controller: %s" % (kind, path, error.strerror))
    if size == 0:
        raise PushError("the %s %s on the controller is empty" % (kind, path))
    # Not kernel-DIGEST: that would look like a release.
    return LocalFile(path, "%s.%s" % (digest.hexdigest(), kind), size)


@dataclass(frozen=True)
class Answer:
    """What the host has."""

    digests: dict[str, str]
    """By name, of the files that are there."""
    room: dict[str, tuple[str, int]]
    """The file system of each folder that was asked for, and its free bytes."""


def question(directory: str, names: Sequence[str], temporary: str) -> str:
    """The shell command that asks for the files in *directory* and for room there and in *temporary*."""
    paths = " ".join(shlex.quote("%s/%s" % (directory, name)) for name in names)
    return (
        "export LC_ALL=C; for file in %s; do if [ -f $file ]; then sha256sum $file; fi; done; "
        "for folder in %s %s; do existing=$folder; "
        'while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done; '
        'echo "room $folder $(df -Pk "$existing" | tail -n 1)"; done'
    ) % (paths, shlex.quote(directory), shlex.quote(temporary))


def parse(output: str) -> Answer:
    """What :func:`question` printed; raises PushError where something is missing."""
    output = output.replace("\r\n", "\n")  # a terminal's line ends, where ssh asks for one to become root
    digests = {name: digest for digest, name in re.findall(r"^([0-9a-f]{64}) [ *]\S*/([^/\s]+)$", output, re.MULTILINE)}
    # df -P: file system, size, used, free in KiB, percentage, mount point.
    rows = re.findall(r"^room (\S+) (\S+) +\d+ +\d+ +(-?\d+) +\S+ +\S+$", output, re.MULTILINE)
    if len(rows) != 2:
        raise PushError("the host did not tell how much room it has: %s" % (output.strip()[:200] or "it said nothing"))
    return Answer(digests, {folder: (system, int(free) << 10) for folder, system, free in rows})


def missing(files: Sequence[LocalFile], answer: Answer) -> list[LocalFile]:
    """Those that are not on the host, or not whole."""
    return [file for file in files if answer.digests.get(file.name) != file.digest]


def check_room(files: Sequence[LocalFile], answer: Answer) -> None:
    """Raises PushError where *files* do not fit. Each is first sent to the temporary folder, and then put in place."""
    needed: dict[str, int] = {}
    for folder, (system, _free) in answer.room.items():
        most = sum(file.size for file in files)
        if folder != next(iter(answer.room)):
            most = max((file.size for file in files), default=0)  # one after the other
        needed[system] = needed.get(system, 0) + most
    for folder, (system, free) in answer.room.items():
        if files and free < needed[system] + _SPARE:
            raise PushError(
                "%s on the host has %d MiB free, and pushing %d files needs %d MiB on its file system; make room there"
                % (folder, free >> 20, len(files), (needed[system] + _SPARE) >> 20)
            )


def tidy(directory: str, names: Sequence[str]) -> str:
    """The shell command that removes what was pushed earlier and is not among *names*."""
    keep = "|".join(names)
    return (
        "cd %s || exit 1; for file in *.kernel *.initrd; do case $file in %s) ;; *) "
        "case ${file%%.*} in *[!0-9a-f]*) ;; *) if [ ${#file} -gt 64 ]; then rm -f $file; fi ;; esac ;; esac; done"
    ) % (shlex.quote(directory), keep)
