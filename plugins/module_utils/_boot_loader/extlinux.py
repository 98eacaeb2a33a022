# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""extlinux and syslinux: extlinux.conf as Alpine and Debian write it, and as U-Boot reads it."""

import os
import re
from collections import OrderedDict
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import (
    MAX_ENTRIES,
    BootConfig,
    BootEntry,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import (
    HOME,
    RUNNING,
    FileSystems,
    Location,
    leads_out,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._cmdline import split
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

MAX_CONFIG_BYTES = 1024 * 1024
MAX_INCLUDES = 8
"""Files that include each other; syslinux itself stops at a depth of 16."""
MAX_FILES = 5000
"""Which the configuration names, and which are looked for."""

_PATHS = (
    "/boot/extlinux/extlinux.conf",
    "/boot/extlinux.conf",
    "/extlinux.conf",
    "/boot/syslinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
)
_MENU_PROGRAM = re.compile(r"(?:.*/)?v?(?:menu|vesamenu|gfxboot)\.c32\Z", re.IGNORECASE)
_OTHER_KERNELS = "boot bss pxe fdimage comboot com32 localboot config".split()
_OTHER_PROGRAMS = (".c32", ".com", ".bin", ".0", ".bs", ".bss", ".img")


class Label(NamedTuple):
    """A label, with what the lines below it say."""

    name: str
    where: str
    values: Tuple[Tuple[str, str], ...]
    """Directive in lower case and its argument, in the order of the file."""

    def last(self, *names: str) -> Optional[str]:
        """The argument of the last of these directives."""
        found = [value for name, value in self.values if name in names]
        return found[-1] if found else None


class Settings(NamedTuple):
    """A configuration file with all that it includes, parsed."""

    values: Tuple[Tuple[str, str], ...]
    """Directives outside labels; those that hold for the whole menu stand here wherever they were written."""
    labels: Tuple[Label, ...]

    def last(self, *names: str) -> Optional[str]:
        """The argument of the last of these directives."""
        found = [value for name, value in self.values if name in names]
        return found[-1] if found else None


# Directives that mean the whole menu even below a label.
_GLOBAL = frozenset("default ontimeout timeout totaltimeout prompt ui onerror serial".split())


def find(machine: Machine) -> Optional[str]:
    """The path of the configuration; None where there is none."""
    return next((path for path in _PATHS if machine.exists(path)), None)


def candidates(machine: Machine) -> Tuple[str, ...]:
    """Where it may be."""
    return _PATHS


def parse(text: str, path: str) -> List[Tuple[str, str, str]]:
    """Each directive: the file and line, its name in lower case (``menu default`` is one), its argument.

    Raises KexecError naming the file and the line where the file is damaged.
    """
    directives = []
    for number, raw in enumerate(text.split("\n"), 1):
        where = "%s line %d" % (path, number)
        if "\0" in raw:
            raise KexecError("%s: the file contains zero bytes, so it is damaged" % where)
        content = raw.strip()
        if not content or content.startswith("#"):
            continue
        name, argument = _directive(content)
        if name == "menu":
            second, argument = _directive(argument)
            name = "include" if second == "include" else "menu " + second
        directives.append((where, name, argument))
    return directives


def _directive(content: str) -> Tuple[str, str]:
    words = content.split(None, 1)
    return (words[0].lower() if words else ""), (words[1].strip() if len(words) > 1 else "")


class _Reader:
    """Follows include directives."""

    def __init__(self, machine: Machine, path: str) -> None:
        self._machine = machine
        self.file_systems = FileSystems(machine, os.path.dirname(path))
        self._folder = os.path.dirname(path)
        self._values: List[Tuple[str, str]] = []
        self._labels: List[Tuple[str, str, List[Tuple[str, str]]]] = []
        self._read: Set[str] = set()
        self._named = 0
        self._file(path, ())

    def settings(self) -> Settings:
        labels = tuple(Label(name, where, tuple(values)) for name, where, values in self._labels)
        return Settings(tuple(self._values), labels)

    def _file(self, path: str, including: Tuple[str, ...]) -> None:
        with os.fdopen(self._machine.open_regular(path, "boot loader configuration"), "rb") as stream:
            content = stream.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise KexecError("%s is larger than %d bytes, so it is no boot menu" % (path, MAX_CONFIG_BYTES))
        for where, name, argument in parse(content.decode("utf-8", "surrogateescape"), path):
            if name == "include":
                self._include(where, argument, including + (path,))
            elif name == "label":
                if len(self._labels) == MAX_ENTRIES:
                    raise KexecError("%s: more than %d labels are no menu" % (where, MAX_ENTRIES))
                self._labels.append((argument, where, []))
            elif self._labels and name not in _GLOBAL:
                self._labels[-1][2].append((name, argument))
            else:
                self._values.append((name, argument))

    def _include(self, where: str, argument: str, including: Tuple[str, ...]) -> None:
        name = argument.split(None, 1)[0] if argument else ""
        path, problem = self.locate("included file", name, where)
        if problem is not None:
            raise KexecError("%s: %s" % (where, problem))
        if path in including or len(including) > MAX_INCLUDES:
            raise KexecError("%s: the files that are included here have no end" % where)
        if path in self._read:
            raise KexecError("%s: %s is included for the second time" % (where, path))
        self._read.add(path)
        self._file(path, including)

    def locate(self, purpose: str, path: str, where: str) -> Tuple[str, Optional[str]]:
        """Where the file is in the running system, or what the entry says and why that is of no use.

        A path that does not begin with a slash counts from the configuration's folder.
        """
        self._named += 1
        if self._named > MAX_FILES:
            raise KexecError("%s: more than %d files are named up to here, so it is no menu" % (where, MAX_FILES))
        if not path or "::" in path:
            return path, "the %s %r is not a path on the boot loader's file system" % (purpose, path)
        if not path.startswith("/"):
            place = os.path.normpath(os.path.join(self._folder, path))
            found = self.file_systems.locate(place, RUNNING)
            out = None if found.path is None else leads_out(self._machine, self.file_systems.mounts, place)
            found = found if out is None else Location(None, out)
        else:
            found = self.file_systems.locate(os.path.normpath(path), HOME)
        if found.obstacle is not None:
            return path, "the %s %s %s" % (purpose, path, found.obstacle)
        if found.path is None:
            return path, "the %s %s was removed: the entry names it, but it does not exist on the host" % (
                purpose,
                path,
            )
        return found.path, None


def read(machine: Machine) -> BootConfig:
    """The labels, and which of them is started; raises KexecError where that cannot be told."""
    path = find(machine)
    if path is None:
        raise KexecError("no extlinux.conf: looked for %s" % ", ".join(_PATHS))
    reader = _Reader(machine, path)
    settings = reader.settings()
    entries: Dict[str, BootEntry] = OrderedDict()
    for label in settings.labels:
        if _is_linux(label) and label.name not in entries:
            entries[label.name] = _entry(reader, settings, label)
    name, problem = default_label(settings)
    if problem is None and name not in entries:
        problem = "the default '%s' in %s is no label that starts a Linux kernel" % (name, path)
    return BootConfig("extlinux", path, tuple(entries.values()), None if problem else entries[name], problem, None)


def _is_linux(label: Label) -> bool:
    kernel = label.last("kernel", "linux")
    if kernel is None or any(label.last(name) is not None for name in _OTHER_KERNELS):
        return False
    return not _first_word(kernel).lower().endswith(_OTHER_PROGRAMS)


def default_label(settings: Settings) -> Tuple[str, Optional[str]]:
    """The label that is started when nobody presses a key, or why that cannot be told.

    As com32/menu/readconfig.c has it: under a menu program DEFAULT may name that program, and then it is the label
    marked MENU DEFAULT, else the first; the directive UI leaves DEFAULT free to name a label, which then wins. Without
    a menu program, DEFAULT alone counts. ONTIMEOUT replaces each of them where there is a timeout.
    """
    names = [label.name for label in settings.labels]
    if not names:
        return "", "there is no label"
    if any(name == "menu save" for name, _value in settings.values) or any(
        label.last("menu save") is not None for label in settings.labels
    ):
        return "", "MENU SAVE starts the entry that was started last, which only the boot loader knows"
    default = settings.last("default") or ""
    has_menu = settings.last("ui") is not None or _MENU_PROGRAM.match(_first_word(default)) is not None
    marked = [label.name for label in settings.labels if label.last("menu default") is not None]
    chosen = default
    if not default or (has_menu and default not in names):
        chosen = marked[-1] if marked else names[0]
    on_timeout = settings.last("ontimeout")
    waits = has_menu or _number(settings.last("prompt"))
    if on_timeout and waits and _number(settings.last("timeout")) + _number(settings.last("totaltimeout")):
        chosen = on_timeout
    if len(chosen.split()) > 1 and chosen not in names:
        return "", "the default '%s' is a command line, not a label" % chosen
    return chosen, None


def _first_word(text: str) -> str:
    return text.split(None, 1)[0] if text.split() else ""


def _number(text: Optional[str]) -> int:
    match = re.match(r"[0-9]{1,9}", text or "")
    return int(match.group()) if match else 0


def _entry(reader: _Reader, settings: Settings, label: Label) -> BootEntry:
    kernel_words = split(label.last("kernel", "linux") or "")
    append = label.last("append")
    if append is None:
        append = settings.last("append") or ""
    elif append == "-":
        append = ""
    words = kernel_words[1:] + split(append)
    files = [name for value in (label.last("initrd") or "").split() for name in value.split(",")]
    # initrd= among the options is how older configurations name it; the last one counts, and is no kernel parameter.
    inline = [word[len("initrd=") :] for word in words if word.startswith("initrd=")]
    files = files or [name for value in inline[-1:] for name in value.split(",")]
    kernel, problem = reader.locate("kernel", kernel_words[0] if kernel_words else "", label.where)
    initrds = []
    for name in files:
        place, initrd_problem = reader.locate("initrd", name, label.where)
        initrds.append(place)
        problem = problem or initrd_problem
    title = (label.last("menu label") or label.name).replace("^", "")
    cmdline = " ".join(word for word in words if not word.startswith("initrd="))
    return BootEntry(label.name, title, kernel, tuple(initrds), cmdline, "extlinux", problem)
