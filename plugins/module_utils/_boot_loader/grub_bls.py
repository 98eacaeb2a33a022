# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's command blscfg: the menu items that it makes of Boot Loader Spec files. Pure.

It follows grub-core/commands/blscfg.c of the Red Hat family (RHEL, Oracle Linux, Fedora), which turns each file into
a small script for GRUB's shell; so does this, and grub_shell.py runs it.
"""

import re
from functools import cmp_to_key
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.bls import EntryFile
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.version_order import compare_blscfg
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

DEFAULT_FOLDERS = ("/loader/entries", "/boot/loader/entries")
"""Where blscfg looks in $root unless $blsdir says otherwise: the first folder that is there."""

MAX_EXPANDED = 64 * 1024
"""Characters of a line of an entry file with its variables expanded."""

# Red Hat's kernel packages write these into every entry, and tuned sets them only where it has something to say;
# GRUB takes an unset variable for an empty one.
_MAY_BE_UNSET = frozenset(["tuned_params", "tuned_initrd"])

_VARIABLE = re.compile(r"\$([A-Za-z0-9_]*)( ?)")
_SHELL_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")

Lookup = Callable[[str], Optional[str]]
"""The value of a variable of GRUB's; None where it is not set."""


class Imported(NamedTuple):
    """A menu item made of an entry file."""

    id: str
    title: str
    arguments: Tuple[str, ...]
    """Of the menuentry, after the title: such as --unrestricted."""
    script: str
    """For GRUB's shell; the command that loads the kernel stands on the line on which the file has the options."""
    path: str
    """The entry file's."""
    doubt: Optional[str]
    """Why it cannot be told what GRUB would make of the file, as a sentence."""


def menu_items(files: Sequence[EntryFile], lookup: Lookup) -> Tuple[Imported, ...]:
    """The menu items in GRUB's order, the newest first. Files without a kernel make none."""
    ordered = sorted(files, key=cmp_to_key(_compare), reverse=True)
    items: List[Imported] = []
    for index, file in enumerate(ordered):
        item = _item(file.as_grub_reads(), lookup)
        if item is not None:
            neighbours = ordered[max(0, index - 1) : index] + ordered[index + 1 : index + 2]
            twins = [other for other in neighbours if _compare(file, other) == 0]
            items.append(item._replace(doubt=_twin(file, twins[0])) if twins else item)
    return tuple(items)


def _compare(first: EntryFile, second: EntryFile) -> int:
    return compare_blscfg(first.name, second.name)


def _twin(file: EntryFile, other: EntryFile) -> str:
    return "GRUB takes %s and %s for one version, and reads only one of them" % (file.path, other.path)


def _item(file: EntryFile, lookup: Lookup) -> Optional[Imported]:
    linux = file.first_line("linux")
    if linux is None:
        return None
    cmdline, unset = _cmdline(file, lookup)
    doubts = [_odd_line(file)] + unset
    where = "%s line %d" % (file.path, linux.number)
    initrds = _initrds(where, lookup("early_initrd") or "", file.values("initrd"), linux.value)
    for text in (linux.value,) + initrds:
        doubts.extend(
            _unset(file.path, name, lookup) for pair in _SHELL_VARIABLE.findall(text) for name in pair if name
        )
    place = file.first_line("options") or linux
    script = "\n" * (place.number - 1) + "linux ($root)%s %s\n" % (linux.value, cmdline)
    if initrds:
        script += "initrd %s\n" % " ".join("($root)" + initrd for initrd in initrds)
    title = file.first_line("title")
    return Imported(
        id=file.name,
        title=linux.value if title is None else title.value,
        arguments=file.values("grub_arg"),
        script=script,
        path=file.path,
        doubt=next((doubt for doubt in doubts if doubt is not None), None),
    )


def _odd_line(file: EntryFile) -> Optional[str]:
    """What other readers of the file, and other versions of GRUB, read in another way."""
    options = [line for line in file.lines if line.key == "options"]
    if len(options) > 1:
        return "%s line %d: GRUB reads only the first options line, and this is another" % (
            file.path,
            options[1].number,
        )
    for line in file.lines:
        # Red Hat's read_entry looks for a tab only where there is no blank in the line.
        if line.tab and " " in line.value and line.key in ("title", "linux", "initrd", "options"):
            return "%s line %d: Red Hat's GRUB takes a blank for the end of the key, not the tab" % (
                file.path,
                line.number,
            )
    return None


def _cmdline(file: EntryFile, lookup: Lookup) -> Tuple[str, List[Optional[str]]]:
    """The command line for GRUB's shell, and which variables in it are not set."""
    options = file.first_line("options")
    own: Tuple[str, List[Optional[str]]] = ("", [])
    if options is not None:
        own = _expand(file.path, options.number, options.value, lookup)
    fallback = lookup("default_kernelopts")
    number = 1 if options is None else options.number
    return own if own[0] or fallback is None else _expand(file.path, number, fallback, lookup)


def _expand(path: str, line: int, value: str, lookup: Lookup) -> Tuple[str, List[Optional[str]]]:
    """expand_val in blscfg.c: a variable's value, and a blank after it instead of the one that may stand there."""
    names = [name for name, _blank in _VARIABLE.findall(value)]
    values = {name: lookup(name) for name in names}
    _limit("%s line %d" % (path, line), len(value) + sum(len(values[name] or "") for name in names))

    def replace(match: "re.Match[str]") -> str:
        found = values[match.group(1)]
        return "" if found is None else found + " "

    return _VARIABLE.sub(replace, value), [_unset(path, name, lookup) for name in names]


def _limit(where: str, length: int) -> None:
    """Raises KexecError where variables would make too much of an entry file."""
    if length > MAX_EXPANDED:
        raise KexecError("%s: gets longer than %d characters by GRUB's variables" % (where, MAX_EXPANDED))


def _unset(path: str, name: str, lookup: Lookup) -> Optional[str]:
    if name in _MAY_BE_UNSET or lookup(name) is not None:
        return None
    return "%s uses the variable $%s, which neither GRUB's configuration nor its environment block sets" % (path, name)


def _initrds(where: str, early: str, own: Tuple[str, ...], linux: str) -> Tuple[str, ...]:
    """GRUB looks for the files of $early_initrd (microcode) where the entry's own first file is."""
    folder = (own[0] if own else linux).rpartition("/")[0] + "/"
    names = [name for name in early.split(" ") if name]
    _limit(where, len(early) + len(folder) * len(names))
    return tuple(folder + name for name in names) + own
