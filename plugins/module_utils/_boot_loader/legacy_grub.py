# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Legacy GRUB (0.97): grub.conf and menu.lst of RHEL and Oracle Linux 5 and 6."""

import os
import re
import struct
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import (
    MAX_ENTRIES,
    BootConfig,
    BootEntry,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.links import real_path
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import HOME, FileSystems
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

MAX_CONFIG_BYTES = 1024 * 1024

_EFI_PATHS = ("/boot/efi/EFI/redhat/grub.conf",)
_PATHS = ("/boot/grub/grub.conf", "/boot/grub/menu.lst", "/etc/grub.conf")

_GRUB2_FOLDERS = ("/boot/grub", "/boot/grub2")
_STAGE2 = "/boot/grub/stage2"
# stage2/shared.h: STAGE2_SAVED_ENTRYNO in the second sector; the flag is that of the patch for savedefault --once.
_SAVED_ENTRY_OFFSET = 0x200 + 0xC
_ONCE = 0x10000

_COMMAND = re.compile(r"([A-Za-z]+)(?:[ \t=]+(.*))?\Z", re.DOTALL)
_DEVICE = re.compile(r"\((hd[0-9]{1,6})(?:,([0-9]{1,6}))?\)")


class Item(NamedTuple):
    """What stands below a title."""

    line: int
    title: str
    commands: Tuple[Tuple[int, str, str], ...]
    """Line, command in lower case, arguments."""

    def last(self, name: str) -> Optional[str]:
        """The arguments of the command where it was last given."""
        found = [arguments for _line, command, arguments in self.commands if command == name]
        return found[-1] if found else None


class Menu(NamedTuple):
    """A configuration file, parsed."""

    default: Optional[str]
    items: Tuple[Item, ...]


def find(machine: Machine) -> Optional[str]:
    """The path of the configuration; None where there is none, or where it cannot be in use.

    Cloud images have a menu.lst for Xen's pv-grub beside GRUB 2, without legacy GRUB's own file stage2.
    """
    if not machine.exists(_STAGE2) and any(machine.exists(folder + "/grub.cfg") for folder in _GRUB2_FOLDERS):
        return None
    return next((path for path in candidates(machine) if machine.exists(path)), None)


def candidates(machine: Machine) -> Tuple[str, ...]:
    """Where it may be, in the order in which it is looked for."""
    return (_EFI_PATHS if machine.is_directory("/sys/firmware/efi") else ()) + _PATHS


def parse(text: str, path: str) -> Menu:
    """The menu of a grub.conf; raises KexecError naming the file and the line where it is damaged."""
    default: Optional[str] = None
    titles: List[Tuple[int, str, List[Tuple[int, str, str]]]] = []
    for number, raw in enumerate(text.split("\n"), 1):
        if "\0" in raw:
            raise KexecError("%s line %d: the file contains zero bytes, so it is damaged" % (path, number))
        match = _COMMAND.match(raw.strip(" \t\r"))
        if match is None:
            continue  # a comment, or what legacy GRUB does not know either
        command, arguments = match.group(1).lower(), (match.group(2) or "").strip()
        if command == "title":
            if len(titles) == MAX_ENTRIES:
                raise KexecError("%s line %d: more than %d entries are no menu" % (path, number, MAX_ENTRIES))
            titles.append((number, arguments, []))
        elif titles:
            titles[-1][2].append((number, command, arguments))
        elif command == "default":
            default = arguments
    return Menu(default, tuple(Item(line, title, tuple(commands)) for line, title, commands in titles))


def read(machine: Machine) -> BootConfig:
    """The menu as legacy GRUB would show it; raises KexecError where that cannot be told."""
    path = find(machine)
    if path is None:
        raise KexecError("no grub.conf: looked for %s" % ", ".join(candidates(machine)))
    with os.fdopen(machine.open_regular(path, "boot loader configuration"), "rb") as stream:
        content = stream.read(MAX_CONFIG_BYTES + 1)
    if len(content) > MAX_CONFIG_BYTES:
        raise KexecError("%s is larger than %d bytes, so it is no boot menu" % (path, MAX_CONFIG_BYTES))
    menu = parse(content.decode("utf-8", "surrogateescape"), path)
    files = _Files(machine, path, menu.items)
    entries = {index: _entry(files, index, item) for index, item in enumerate(menu.items) if _is_linux(item)}
    default, problem = _default(machine, path, menu, entries)
    return BootConfig("grub-legacy", path, tuple(entries.values()), default, problem, _one_shot(machine))


def _is_linux(item: Item) -> bool:
    return item.last("kernel") is not None


def _default(
    machine: Machine, path: str, menu: Menu, entries: Dict[int, BootEntry]
) -> Tuple[Optional[BootEntry], Optional[str]]:
    wanted = "0" if menu.default is None else menu.default
    source = path
    if wanted == "saved":
        source = os.path.dirname(path) + "/default"
        wanted = (machine.read_word(source) or "").partition("\n")[0].strip()
    if re.match(r"[0-9]{1,6}\Z", wanted) is None:
        return None, "the default in %s is %r, which is no number of an entry" % (source, wanted[:80])
    index = int(wanted)
    if index >= len(menu.items):
        return None, "the default in %s is entry %d, and there are %d, counted from 0" % (
            source,
            index,
            len(menu.items),
        )
    if index not in entries:
        return None, "the default entry '%s' starts no Linux kernel" % menu.items[index].title
    return entries[index], None


def _one_shot(machine: Machine) -> Optional[str]:
    """What ``savedefault --default=N --once`` has written into GRUB's own file."""
    try:
        content = machine.read_bytes(_STAGE2, _SAVED_ENTRY_OFFSET + 4)
    except KexecError:
        return None
    if len(content) < _SAVED_ENTRY_OFFSET + 4:
        return None
    saved: int = struct.unpack_from("<I", content, _SAVED_ENTRY_OFFSET)[0]
    return str(saved & (_ONCE - 1)) if saved & _ONCE and saved < 2 * _ONCE else None


def _entry(files: "_Files", index: int, item: Item) -> BootEntry:
    image, cmdline = _kernel_and_cmdline(item.last("kernel") or "")
    root = item.last("root") or item.last("rootnoverify") or ""
    kernel, problem = files.locate("kernel", image, root)
    initrds = []
    for path in (item.last("initrd") or "").split()[:1]:
        place, initrd_problem = files.locate("initrd", path, root)
        initrds.append(place)
        problem = problem or initrd_problem
    if item.last("module") is not None:
        problem = "it starts a hypervisor or another multiboot kernel, with Linux as a module"
    elif item.last("configfile") is not None or item.last("chainloader") is not None:
        problem = "it hands over to another boot loader"
    return BootEntry(str(index), item.title, kernel, tuple(initrds), cmdline, "grub-legacy", problem)


def _kernel_and_cmdline(arguments: str) -> Tuple[str, str]:
    """The kernel's path, and what follows it, as it stands there."""
    match = re.match(r"(?:--\S+\s+)*(\S*)\s*(.*)\Z", arguments, re.DOTALL)
    return (match.group(1), match.group(2)) if match is not None else ("", "")


class _Files:
    """Finds what the entries name.

    Which disk is hd0 is the firmware's choice, and /boot may lie on RAID or multipath. But where all entries have their
    kernels on one device, that is the one of the configuration.
    """

    def __init__(self, machine: Machine, path: str, items: Sequence[Item]) -> None:
        self._file_systems = FileSystems(machine, os.path.dirname(real_path(machine, path)))
        self._is_only_device = len({_device_of(item) for item in items if _is_linux(item)}) == 1

    def locate(self, purpose: str, path: str, root: str) -> Tuple[str, Optional[str]]:
        """Where the file is in the running system, or what the entry says and why that is of no use."""
        device = _DEVICE.match(path)
        if device is not None:
            root, path = device.group(), path[device.end() :]
        if not path.startswith("/"):
            return path, "the %s %r has no path from a file system's root" % (purpose, path)
        location = self._file_systems.locate(path, _device(root) or HOME)
        if location.path is None and self._is_only_device:
            location = self._file_systems.locate(path, HOME)
        if location.obstacle is not None:
            return path, "the %s %s %s" % (purpose, path, location.obstacle)
        if location.path is None:
            return path, "the %s %s was removed: the entry names it, but it does not exist on the host" % (
                purpose,
                path,
            )
        return location.path, None


def _device_of(item: Item) -> str:
    """Where an entry has its kernel."""
    return _device(_kernel_and_cmdline(item.last("kernel") or "")[0]) or _device(
        item.last("root") or item.last("rootnoverify") or ""
    )


def _device(root: str) -> str:
    """A device in the notation of GRUB 2, which counts partitions from 1; empty where there is none."""
    match = _DEVICE.match(root.strip())
    if match is None:
        return ""
    return match.group(1) if match.group(2) is None else "%s,%d" % (match.group(1), int(match.group(2)) + 1)
