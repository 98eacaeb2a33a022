# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot Loader Spec entry files (type 1): the small files below ``loader/entries`` that name one kernel each.

The format is that of the UAPI group's specification 1; GRUB and systemd-boot differ in what they make of it,
so this keeps the lines and leaves that to grub_bls.py and systemd_boot.py.
"""

import os
import re
import stat
from typing import List, NamedTuple, Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import MAX_ENTRIES
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

SUFFIX = ".conf"
MAX_ENTRY_BYTES = 64 * 1024
MAX_FOLDER_BYTES = 512 * 1024
"""Of all entry files together."""


class Line(NamedTuple):
    """A line that has a key; the value may be empty."""

    number: int
    key: str
    value: str
    tab: bool
    """Whether it is a tab that follows the key."""


class EntryFile(NamedTuple):
    """An entry file, read."""

    path: str
    """Where it is on the machine."""
    lines: Tuple[Line, ...]
    end_for_grub: Optional[int]
    """The number of the line at which GRUB stops to read; None where it reads all."""

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return os.path.basename(self.path)[: -len(SUFFIX)]

    def values(self, key: str) -> Tuple[str, ...]:
        """All values of a key, which may stand on several lines, in their order."""
        return tuple(line.value for line in self.lines if line.key == key and line.value)

    def last(self, key: str) -> Optional[str]:
        """The value that holds for a key that ought to stand there once, as systemd sees it."""
        found = self.values(key)
        return found[-1] if found else None

    def first_line(self, key: str) -> Optional[Line]:
        """The line that holds for a key as GRUB sees it."""
        return next((line for line in self.lines if line.key == key), None)

    def as_grub_reads(self) -> "EntryFile":
        """The file up to where GRUB stops."""
        end = self.end_for_grub
        return self if end is None else self._replace(lines=tuple(line for line in self.lines if line.number < end))


def parse(text: str, path: str) -> EntryFile:
    """An entry file's lines; raises KexecError naming the file and the line where it is damaged."""
    lines: List[Line] = []
    end_for_grub: Optional[int] = None
    last = text.count("\n")
    for number, raw in enumerate(text.split("\n"), 1):
        if "\0" in raw:
            raise KexecError("%s line %d: the file contains zero bytes, so it is damaged" % (path, number))
        content = raw.strip(" \t\r")
        if content.startswith("#"):
            continue
        key, value = _split(content)
        # read_entry in Red Hat's blscfg.c and bls_parse_keyvals in GRUB 2.14 both leave their loop at the first
        # empty line, and at the first key without a value. The end of the last line is no line.
        if not value and end_for_grub is None and number <= last:
            end_for_grub = number
        if key:
            lines.append(Line(number, key, value, content.startswith(key + "\t")))
    return EntryFile(path, tuple(lines), end_for_grub)


_KEY = re.compile(r"[^ \t]*")


def _split(content: str) -> Tuple[str, str]:
    key = _KEY.match(content)
    end = 0 if key is None else key.end()
    return content[:end], content[end:].strip(" \t")


def read_folder(machine: Machine, folder: str) -> Tuple[EntryFile, ...]:
    """The entry files of a folder, by name; raises KexecError where one cannot be read."""
    try:
        names = sorted(os.listdir(machine.path(folder)))
    except OSError as error:
        raise KexecError("cannot look into %s for boot entries: %s" % (folder, error.strerror))
    names = [name for name in names if name.endswith(SUFFIX) and name != SUFFIX and not name.startswith(".")]
    if len(names) > MAX_ENTRIES:
        raise KexecError("%s has %d boot entries; more than %d are no menu" % (folder, len(names), MAX_ENTRIES))
    files: List[EntryFile] = []
    size = 0
    for path in (os.path.join(folder, name) for name in names):
        text = _text(machine, path)
        size += len(text)
        if size > MAX_FOLDER_BYTES:
            raise KexecError(
                "the boot entries in %s are larger than %d bytes in all, so they are no menu"
                % (folder, MAX_FOLDER_BYTES)
            )
        files.append(parse(text, path))
    return tuple(files)


def _text(machine: Machine, path: str) -> str:
    if machine.stat(path).st_size == 0:
        return ""  # A crash may leave such a file, and a boot loader skips it.
    with os.fdopen(machine.open_regular(path, "boot entry"), "rb") as stream:
        content = stream.read(MAX_ENTRY_BYTES + 1)
    if len(content) > MAX_ENTRY_BYTES:
        raise KexecError("the boot entry %s is larger than %d bytes, so it is none" % (path, MAX_ENTRY_BYTES))
    return content.decode("utf-8", "surrogateescape")


def warnings(machine: Machine, folder: str) -> Tuple[str, ...]:
    """Which of a folder's entry files, and whether the folder itself, is somebody else's than root's to write."""
    names = [name for name in machine.names(folder) if name.endswith(SUFFIX)]
    paths = [path for path in [folder] + [os.path.join(folder, name) for name in names] if machine.exists(path)]
    found = [_distrust(machine, path) for path in paths]
    return tuple(warning for warning in found if warning is not None)


def _distrust(machine: Machine, path: str) -> Optional[str]:
    """As a sentence; the owner of ``/`` stands for root."""
    status = machine.stat(path)
    if status.st_uid != machine.stat("/").st_uid:
        return "%s belongs to the user with the number %d, who decides by it what this host boots" % (
            path,
            status.st_uid,
        )
    if status.st_mode & stat.S_IWOTH:
        return "%s may be written by every user, who decides by it what this host boots" % path
    return None
