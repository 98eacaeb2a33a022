# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd-boot: its entries by bootctl, or by the entry files where bootctl cannot tell, and which one it starts.

What bootctl marks as the default is the one-shot entry where there is one, and version 252 marks none. So the choice
is made here as in src/boot/boot.c: EFI variables, then loader.conf, then the order of the menu.
"""

import json
import os
import re
from functools import cmp_to_key
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import bls, efi
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import (
    MAX_ENTRIES,
    BootConfig,
    BootEntry,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import (
    Mount,
    boot_is_unmounted,
    covering,
    leads_out,
    read_mounts,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.version_order import compare_like_systemd
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

_FOLDERS = ("/efi", "/boot/efi", "/boot")
"""Where systemd looks for the EFI system partition; /boot may also be the extended boot partition beside it."""
_TRACES = ("loader/loader.conf", "EFI/systemd")

# foo+3-1.conf: three tries left, one done. The last plus counts.
_TRIES = re.compile(
    r"(?P<name>.*)\+(?P<left>[0-9]{1,9})(?:-(?P<done>[0-9]{1,9}))?(?P<suffix>\.(?:conf|efi))\Z", re.DOTALL
)


class Item(NamedTuple):
    """An entry of the menu, Linux or not."""

    id: str
    """The file's name without its counters, as bootctl shows it."""
    file: str
    title: str
    sort_key: str
    machine_id: str
    version: str
    tries_left: Optional[int]
    tries_done: int
    entry: Optional[BootEntry]
    """None where it starts no Linux kernel."""
    shown: bool = True
    """Whether systemd-boot has it in its menu: not where the kernel is missing."""
    generated: bool = False
    """Whether systemd-boot makes it by itself, such as for Windows or for the firmware's setup."""
    marked: bool = False
    """Whether bootctl says that it is the default, which may be the one-shot entry."""
    misplaced: bool = False
    """Whether its place in the menu is not known."""


def find(machine: Machine) -> Optional[str]:
    """A file or folder of systemd-boot's on the EFI system partition; None where it is not, or cannot be in use.

    systemd-boot always leaves its name in LoaderInfo: where there are EFI variables without that, they are left over.
    """
    if not machine.is_directory("/sys/firmware/efi"):
        return None
    if machine.names(efi.FOLDER) and efi.loader_variable(machine, "LoaderInfo") is None:
        return None
    return next((path for path in candidates(machine) if machine.exists(path)), None)


def candidates(machine: Machine) -> Tuple[str, ...]:
    """Where its files may be."""
    return tuple("%s/%s" % (folder, trace) for folder in _FOLDERS for trace in _TRACES)


def read(machine: Machine) -> BootConfig:
    """The entries and what is started; raises KexecError where that cannot be told."""
    mounts = read_mounts(machine)
    esp = _system_partition(machine, mounts)
    items = _from_bootctl(machine, mounts)
    if items is None:
        items = _from_files(machine, mounts, esp)
    one_shot = efi.loader_variable(machine, "LoaderEntryOneShot")
    wanted, problem = choose(items, _patterns(machine, _loader_conf(machine, esp)))
    marked = next((item for item in items if item.marked), None)
    if problem is None and marked is not None and marked != wanted and one_shot is None:
        problem = "systemd-boot would start '%s', but bootctl says '%s'" % (wanted.id if wanted else None, marked.id)
    return BootConfig(
        loader="systemd-boot",
        path=esp + "/loader",
        entries=tuple(item.entry for item in items if item.entry is not None),
        default=None if problem is not None or wanted is None else wanted.entry,
        default_problem=problem,
        one_shot=one_shot,
        warnings=tuple(warning for folder in _folders(mounts, esp) for warning in bls.warnings(machine, folder)),
    )


def _system_partition(machine: Machine, mounts: Sequence[Mount]) -> str:
    found = [folder for folder in _FOLDERS if any(machine.exists("%s/%s" % (folder, trace)) for trace in _TRACES)]
    if not found:
        hint = "; /boot is not mounted" if boot_is_unmounted(machine) else "; is the EFI system partition mounted?"
        raise KexecError("found nothing of systemd-boot's: looked for %s%s" % (", ".join(candidates(machine)), hint))
    places = {
        (mount.device, mount.root): folder
        for folder in reversed(found)
        for mount in [covering(mounts, folder)]
        if mount
    }
    if len(places) > 1:
        raise KexecError(
            "several places have systemd-boot's files, and it cannot be told which one it starts from: %s"
            % ", ".join(sorted(places.values()))
        )
    return found[0]


# The entries


def _from_bootctl(machine: Machine, mounts: Sequence[Mount]) -> Optional[Tuple[Item, ...]]:
    """None where there is no bootctl that can list entries: before 251 it has no JSON."""
    program = machine.find_program("bootctl")
    if program is None:
        return None
    result = machine.run(program, "list", "--json=short", "--no-pager")
    if result.rc != 0:
        return None
    try:
        listed = json.loads(result.stdout)
        json.dumps(listed, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except (ValueError, RecursionError):  # no JSON, or with halves of characters
        return None
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        return None
    if len(listed) > MAX_ENTRIES:
        raise KexecError("bootctl lists %d boot entries; more than %d are no menu" % (len(listed), MAX_ENTRIES))
    return tuple(_from_json(machine, mounts, item) for item in listed)


def _from_json(machine: Machine, mounts: Sequence[Mount], values: Dict[str, Any]) -> Item:
    def text(key: str) -> str:
        value = values.get(key)
        return value if isinstance(value, str) else ""

    file = os.path.basename(text("path")) or text("id")
    title, kind = text("showTitle") or text("title") or text("id"), text("type")
    initrds = values.get("initrd")
    entry = None
    if text("linux") and kind != "auto":
        names = [name for name in initrds if isinstance(name, str)] if isinstance(initrds, list) else []
        entry = _entry(
            machine, mounts, text("id"), title, text("root"), text("linux"), names, text("options"), kind == "type2"
        )
    return _item(file, entry, title, text("sortKey"), text("machineId"), text("version"))._replace(
        id=text("id"),
        generated=kind in ("auto", "loader"),
        marked=values.get("isDefault") is True,
        shown=entry is None or machine.exists(entry.kernel),
    )


def _from_files(machine: Machine, mounts: Sequence[Mount], esp: str) -> Tuple[Item, ...]:
    """The entry files in the order of the menu."""
    items: List[Item] = []
    for folder in _folders(mounts, esp):
        root = folder[: -len("/loader/entries")]
        for name in machine.names(root + "/EFI/Linux"):
            if name.lower().endswith(".efi"):
                items.append(_unified(root, name))
        if machine.is_directory(folder):
            items.extend(_from_file(machine, mounts, root, file) for file in bls.read_folder(machine, folder))
    return tuple(sorted(items, key=cmp_to_key(compare)))


def _folders(mounts: Sequence[Mount], esp: str) -> Tuple[str, ...]:
    """The folders with entry files: that of the system partition, and of an extended boot partition beside it."""
    folders = [esp + "/loader/entries"]
    here, boot = covering(mounts, esp), covering(mounts, "/boot")
    if (
        esp != "/boot"
        and here is not None
        and boot is not None
        and boot.point == "/boot"
        and boot.device != here.device
    ):
        folders.append("/boot/loader/entries")
    return tuple(folders)


def _from_file(machine: Machine, mounts: Sequence[Mount], root: str, file: bls.EntryFile) -> Item:
    name = os.path.basename(file.path)
    linux, title = file.last("linux"), file.last("title") or name
    entry = None
    if linux is not None and not file.values("efi"):
        options = " ".join(file.values("options"))
        identity = _without_tries(name)[0]
        entry = _entry(machine, mounts, identity, title, root, linux, file.values("initrd"), options, False)
    item = _item(
        name, entry, title, file.last("sort-key") or "", file.last("machine-id") or "", file.last("version") or ""
    )
    return item._replace(shown=linux is None or machine.exists(_place(root, linux)))


def _item(file: str, entry: Optional[BootEntry], title: str, sort_key: str, machine_id: str, version: str) -> Item:
    identity, left, done = _without_tries(file)
    return Item(identity, file, title, sort_key, machine_id, version, left, done, entry)


def _unified(root: str, name: str) -> Item:
    """A unified kernel image, whose place in the menu depends on what is inside."""
    identity = _without_tries(name)[0]
    entry = BootEntry(identity, name, "%s/EFI/Linux/%s" % (root, name), (), "", "systemd-boot", _UNIFIED)
    return _item(name, entry, name, "", "", "")._replace(misplaced=True)


_UNIFIED = "it is a unified kernel image, which the kexec system calls do not take; name its kernel and initrd instead"


def _entry(
    machine: Machine,
    mounts: Sequence[Mount],
    identity: str,
    title: str,
    root: str,
    linux: str,
    initrds: Sequence[str],
    options: str,
    unified: bool,
) -> BootEntry:
    places = [_place(root, path) for path in (linux,) + tuple(initrds)]
    problem = _UNIFIED if unified else None
    for purpose, place in zip(["kernel"] + ["initrd"] * len(initrds), places):
        out = leads_out(machine, mounts, place)
        if problem is None and not machine.exists(place):
            problem = "the %s %s was removed: the entry names it, but it does not exist on the host" % (purpose, place)
        elif problem is None and out is not None:
            problem = "the %s %s %s" % (purpose, place, out)
    return BootEntry(identity, title, places[0], tuple(places[1:]), options, "systemd-boot", problem)


def _place(root: str, path: str) -> str:
    """Paths count from the partition's root; systemd-boot takes both kinds of slashes."""
    return os.path.normpath(root + "/" + path.replace("\\", "/"))


def _without_tries(file: str) -> Tuple[str, Optional[int], int]:
    match = _TRIES.match(file)
    if match is None:
        return file, None, 0
    return match.group("name") + match.group("suffix"), int(match.group("left")), int(match.group("done") or 0)


def compare(first: Item, second: Item) -> int:
    """The order of the menu: config_entry_compare in boot.c, and boot_entry_compare in bootspec.c."""
    order = int(first.tries_left == 0) - int(second.tries_left == 0) or int(not first.sort_key) - int(
        not second.sort_key
    )
    if not order and first.sort_key and second.sort_key:
        order = _plain(first.sort_key, second.sort_key) or _plain(first.machine_id, second.machine_id)
        order = order or -compare_like_systemd(first.version, second.version)
    order = order or -compare_like_systemd(first.id.lower(), second.id.lower())
    if order or first.tries_left is None or second.tries_left is None:
        return order
    return second.tries_left - first.tries_left or first.tries_done - second.tries_done


def _plain(first: str, second: str) -> int:
    return int(first > second) - int(first < second)


# The choice


def _loader_conf(machine: Machine, esp: str) -> Dict[str, str]:
    path = esp + "/loader/loader.conf"
    if not machine.exists(path):
        return {}
    file = bls.parse(machine.read_text(path), path)
    return {line.key: line.value for line in file.lines}


class Pattern(NamedTuple):
    """What names the default."""

    pattern: str
    source: str
    needs_tries: bool = False
    """Whether an entry with no tries left is passed over."""


def _patterns(machine: Machine, settings: Dict[str, str]) -> Tuple[Pattern, ...]:
    """What names the default, the strongest first. "preferred" came with version 260."""
    found: List[Tuple[Optional[str], str, bool]] = []
    for name, needs_tries in (("Preferred", True), ("Default", False)):
        variable = "LoaderEntry" + name
        found.append((efi.loader_variable(machine, variable), "the EFI variable " + variable, needs_tries))
    for key, needs_tries in (("preferred", True), ("default", False)):
        found.append((settings.get(key), "loader.conf", needs_tries))
    resolved = [(_resolved(machine, pattern or ""), source, needs_tries) for pattern, source, needs_tries in found]
    return tuple(Pattern(*values) for values in resolved if values[0])


def _resolved(machine: Machine, pattern: str) -> str:
    saved = pattern.lower() == "@saved"
    return (efi.loader_variable(machine, "LoaderEntryLastBooted") or "") if saved else pattern


def choose(items: Sequence[Item], patterns: Sequence[Pattern]) -> Tuple[Optional[Item], Optional[str]]:
    """The menu's default; or why it is none that could be staged, or cannot be told."""
    shown = sorted((item for item in items if item.shown), key=lambda item: item.generated)
    for pattern in patterns:
        for item in shown:
            if _matches(item, pattern.pattern) and not (pattern.needs_tries and item.tries_left == 0):
                return _judged(item)
        if pattern.pattern.lower().startswith("auto-"):
            return None, "the default, by %s, is %s, which systemd-boot makes by itself" % (
                pattern.source,
                pattern.pattern,
            )
    if any(item.misplaced for item in shown):
        return (
            None,
            "the default is the first of the menu, and without bootctl the place of unified kernel images is unknown",
        )
    first = next((item for item in shown if not item.generated), None)
    return (None, "systemd-boot has no entry to start") if first is None else _judged(first)


def _judged(item: Item) -> Tuple[Item, Optional[str]]:
    return item, None if item.entry is not None else "the default entry '%s' starts no Linux kernel" % item.title


def _matches(item: Item, pattern: str) -> bool:
    """Old versions compare the file's name with its counters, newer ones without."""
    return any(glob_matches(pattern.lower(), name.lower()) for name in (item.id, item.file))


_GLOB = re.compile(r"\*+|\?|\[(!?)(\]?[^\]]+)\]|\\?(.)", re.DOTALL)


def glob_matches(pattern: str, text: str) -> bool:
    """As efi_fnmatch: ``*``, ``?``, sets in brackets, and backslashes before what is meant as it stands.

    Unlike fnmatch of Python before 3.9, its time grows with the product of the lengths only.
    """
    parts = list(_GLOB.finditer(pattern))
    here = position = 0
    star: Optional[Tuple[int, int]] = None  # The part after the last star, and where the rest of the text began.
    while position < len(text):
        if here < len(parts) and parts[here].group()[0] == "*":
            here += 1
            star = (here, position)
        elif here < len(parts) and _takes(parts[here], text[position]):
            here, position = here + 1, position + 1
        elif star is not None:
            star = (star[0], star[1] + 1)
            here, position = star
        else:
            return False
    return all(part.group()[0] == "*" for part in parts[here:])


def _takes(part: "re.Match[str]", character: str) -> bool:
    if part.group() == "?":
        return True
    if part.group(2) is None:
        return part.group(3) == character
    members = re.findall(r"(.)-(.)|(.)", part.group(2), re.DOTALL)
    found = any(one == character if one else low <= character <= high for low, high, one in members)
    return found != bool(part.group(1))
