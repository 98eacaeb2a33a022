# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's files on the control node, as a plan: what would change, and then the change."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Longer texts are told by their size in a diff: nobody reads a page with a thousand hosts there.
_MOST_DIFF = 100_000


class FileError(Exception):
    """Which file cannot be written and why, as a sentence for an operator."""


@dataclass(frozen=True)
class Place:
    """Where a file is to be written."""

    option: str
    path: Path


def place(option: str, path: str) -> Place:
    """A path as it is given, where ``~`` is the user's home. Raises FileError where no file can be written."""
    found = Path(path).expanduser().absolute()
    folder = found.parent
    if found.is_dir():
        raise FileError("%s is %s, which is a folder; name a file in it" % (option, found))
    if not folder.is_dir():
        raise FileError("%s is %s, and there is no folder %s on the control node; make it" % (option, found, folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError("%s is %s, and this user may not write into %s" % (option, found, folder))
    return Place(option, found)


@dataclass(frozen=True)
class Writing:
    """A file with its content, before and after."""

    path: Path
    before: bytes | None
    after: bytes

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.before != self.after

    def diff(self) -> dict[str, Any]:
        """For Ansible."""
        headers = {"before_header": str(self.path), "after_header": str(self.path)}
        if max(len(self.before or b""), len(self.after)) > _MOST_DIFF:
            return {**headers, "before": _size(self.before), "after": _size(self.after)}
        return {**headers, "before": (self.before or b"").decode(errors="replace"), "after": self.after.decode()}

    def apply(self) -> None:
        """Write it, at once or not at all. Raises FileError."""
        try:
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".%s." % self.path.name)
            try:
                with open(handle, "wb") as stream:
                    stream.write(self.after)
                    os.fchmod(handle, _mode(self.path))
                os.replace(name, self.path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
                raise
        except OSError as error:
            raise FileError("cannot write %s: %s" % (self.path, error.strerror or error))


def writing(where: Place, text: str) -> Writing:
    """What is to be done so that a file has this content. Raises FileError."""
    try:
        before = where.path.read_bytes() if where.path.exists() else None
    except OSError as error:
        raise FileError("cannot read %s, which is to be replaced: %s" % (where.path, error.strerror or error))
    return Writing(where.path, before, text.encode())


def _mode(path: Path) -> int:
    """An existing file's, or a new one's by the umask."""
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def _size(content: bytes | None) -> str:
    return "" if content is None else "%d bytes\n" % len(content)
