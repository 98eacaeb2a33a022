# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB 2: which entries its menu has, and which of them it starts."""

import os
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import bls, grubenv
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import (
    MAX_ENTRIES,
    BootConfig,
    BootEntry,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.grub_shell import (
    Loaded,
    MenuItem,
    Shell,
    Surroundings,
    leading_number,
    one_shot,
    start,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.links import real_path
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import HOME, RUNNING, FileSystems
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

MAX_CONFIG_BYTES = 4 * 1024 * 1024
MAX_ENVIRONMENT_BYTES = 64 * 1024
MAX_SUBMENUS = 6
"""Submenus inside each other that are looked into; one that contains itself has no end."""

# /etc/grub2-efi.cfg and /etc/grub2.cfg are links of the Red Hat family: until RHEL 8 the former leads to the
# EFI system partition, where the menu is on EFI machines, while /boot/grub2 may hold a forgotten one.
_EFI_PATHS = ("/etc/grub2-efi.cfg",)
_BOOT_PATHS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_LINK = "/etc/grub2.cfg"
_PATHS = _BOOT_PATHS + (_LINK,)
_EFI_VENDORS = ("/boot/efi/EFI", "/efi/EFI", "/boot/EFI")

# uname -m to $grub_cpu; x86 depends on the platform.
_CPU = {"aarch64": "arm64", "armv7l": "arm", "ppc64le": "powerpc", "riscv64": "riscv64", "s390x": "s390x"}


def find(machine: Machine) -> Optional[str]:
    """The path of GRUB's configuration file; None where there is none."""
    found = next((path for path in candidates(machine) if machine.exists(path)), None)
    rivals = _rivals(machine)
    return (_installed(machine, rivals) or found) if found in rivals else found


def _rivals(machine: Machine) -> Tuple[str, ...]:
    """The configuration files below /boot, if there are several: a grub-mkconfig for the wrong folder leaves one."""
    present = {real_path(machine, path): path for path in reversed(_BOOT_PATHS) if machine.exists(path)}
    return tuple(path for path in _BOOT_PATHS if path in present.values()) if len(present) > 1 else ()


def _installed(machine: Machine, rivals: Sequence[str]) -> Optional[str]:
    """The one that the distribution's link leads to, else the only one beside which GRUB has its modules."""
    leads_to = real_path(machine, _LINK)
    for path in rivals:
        if machine.exists(_LINK) and real_path(machine, path) == leads_to:
            return path
    modules = [path for path in rivals if _has_modules(machine, os.path.dirname(path))]
    return modules[0] if len(modules) == 1 else None


def _has_modules(machine: Machine, folder: str) -> bool:
    """grub-install fills a folder such as i386-pc; with a signed GRUB, the modules are all inside of it."""
    return any(machine.exists("%s/%s/normal.mod" % (folder, name)) for name in machine.names(folder))


def candidates(machine: Machine) -> Tuple[str, ...]:
    """Where GRUB's configuration may be, in the order in which it is looked for."""
    vendors = ["%s/%s/grub.cfg" % (folder, name) for folder in _EFI_VENDORS for name in machine.names(folder)]
    return (_EFI_PATHS if _is_efi(machine) else ()) + _PATHS + tuple(vendors)


def read(machine: Machine) -> BootConfig:
    """GRUB's menu as the machine would find it at its next start; raises KexecError where that cannot be told."""
    path = find(machine)
    if path is None:
        raise KexecError("no GRUB configuration: looked for %s" % ", ".join(candidates(machine)))
    rivals = _rivals(machine)
    if path in rivals and _installed(machine, rivals) is None:
        raise KexecError(
            "it cannot be told which configuration GRUB reads: there are %s; remove the one that is left over, or name "
            "the kernel and its initrd" % " and ".join(rivals)
        )
    run = start_at(machine, path)
    walk = _Walk(run.file_systems, path)
    walk.menu(run.shell, (), (), True)
    return BootConfig(
        loader="grub",
        path=path,
        entries=tuple(walk.entries),
        default=walk.default,
        default_problem=walk.default_problem,
        one_shot=one_shot(run.shell.saved),
        warnings=tuple(warning for folder in run.entry_folders for warning in bls.warnings(machine, folder)),
    )


class Run(NamedTuple):
    """GRUB at the moment when it shows its menu."""

    shell: Shell
    file_systems: FileSystems
    entry_folders: Tuple[str, ...]
    """Where blscfg has read entry files."""


def start_at(machine: Machine, path: str) -> Run:
    """Run a configuration file as GRUB does; raises KexecError."""
    surroundings = _MachineSurroundings(machine, path)
    shell = start(surroundings, "(%s)%s" % (RUNNING, path))
    return Run(shell, surroundings.file_systems, tuple(surroundings.folders))


def _is_efi(machine: Machine) -> bool:
    return machine.is_directory("/sys/firmware/efi")


class _MachineSurroundings(Surroundings):
    """The machine's disks and environment block, as GRUB's shell sees them."""

    def __init__(self, machine: Machine, path: str) -> None:
        self._machine = machine
        self.folders: List[str] = []
        """Where Boot Loader Spec files were read."""
        self._entry_files: Dict[str, Sequence[bls.EntryFile]] = {}
        self._environments: Dict[str, Optional[Dict[str, str]]] = {}
        folder = os.path.dirname(real_path(machine, path))
        self.file_systems = FileSystems(machine, folder)
        self.prefix = "(%s)%s" % (RUNNING, folder)
        self.root = HOME
        efi = _is_efi(machine)
        self.platform = "efi" if efi else {"ppc64le": "ieee1275"}.get(machine.arch, "pc")
        self.cpu = _CPU.get(machine.arch, "x86_64" if efi else "i386")

    def kind(self, path: str, root: str) -> Optional[str]:
        if path[:1] not in ("/", "("):
            return ""
        location = self.file_systems.locate(path, root)
        if location.path is None:
            return "" if location.obstacle is None else None
        if self._machine.is_directory(location.path):
            return "directory"
        return "file" if self._machine.stat(location.path).st_size else "empty"

    def read(self, path: str, root: str) -> Tuple[str, str]:
        place = self.file_systems.locate(path, root).path or path
        return _read_limited(self._machine, place, "GRUB configuration", MAX_CONFIG_BYTES), place

    def environment(self, path: str, root: str) -> Optional[Dict[str, str]]:
        if re.match(r"(\([^)]*\))?[0-9]+\+[0-9]+\Z", path):
            if "" not in self._environments:
                self._environments[""] = self._environment_outside_files()
            return self._environments[""]
        kind = self.kind(path, root)
        if kind != "file":
            return None if kind is None else {}
        place = real_path(self._machine, self.file_systems.locate(path, root).path or path)
        if place not in self._environments:
            text = _read_limited(self._machine, place, "GRUB environment block", MAX_ENVIRONMENT_BYTES)
            self._environments[place] = grubenv.parse(text, place)
        return self._environments[place]

    def entry_files(self, folder: str, root: str) -> Optional[Sequence[bls.EntryFile]]:
        location = self.file_systems.locate(folder, root)
        if location.obstacle is not None:
            raise KexecError("the folder %s with the boot entries %s" % (folder, location.obstacle))
        if location.path is None or not self._machine.is_directory(location.path):
            return None
        place = real_path(self._machine, location.path)
        if place not in self._entry_files:
            self.folders.append(location.path)
            self._entry_files[place] = bls.read_folder(self._machine, location.path)
        return self._entry_files[place]

    def search(self, kind: str, name: str) -> Optional[str]:
        if kind == "file" and self.file_systems.locate(name, HOME).path is not None:
            return HOME
        return "%s/%s" % (kind, name)

    def _environment_outside_files(self) -> Optional[Dict[str, str]]:
        """On btrfs, GRUB cannot write to files: SUSE keeps variables in unused blocks, which grub-editenv reads."""
        for name in ("grub2-editenv", "grub-editenv"):
            program = self._machine.find_program(name)
            if program is not None:
                result = self._machine.run(program, "list")
                if result.rc != 0:
                    return None
                lines = [line.partition("=") for line in result.stdout.splitlines() if "=" in line]
                return {variable: value for variable, _sign, value in lines}
        return None


_OWN_DEVICE = re.compile(r"\A\((?:%s|%s|(?:fs-uuid|label|file)/[^)]*)\)" % (HOME, RUNNING))
"""A device in front of a path, by a name of this program's own making."""


class _Walk:
    """Goes through the menu and its submenus as somebody who opens each of them once."""

    def __init__(self, file_systems: FileSystems, path: str) -> None:
        self._file_systems = file_systems
        self._path = path
        self.entries: List[BootEntry] = []
        self.default: Optional[BootEntry] = None
        self.default_problem: Optional[str] = None

    def menu(self, shell: Shell, ids: Tuple[str, ...], titles: Tuple[str, ...], is_default: bool) -> None:
        """Collect a menu's entries.

        :param ids: of the submenus that lead here.
        :param is_default: whether GRUB comes here when nobody presses a key.
        """
        index, rest, doubt = default_item(shell.menu, shell.environment.values.get("default"))
        if is_default:
            self._note(shell.uncertain or doubt)
            if index is None:
                self._note("GRUB has no entry to start: %s is empty" % _menu_name(titles))
        for position, item in enumerate(shell.menu):
            chosen = is_default and position == index
            inner = shell.choose(item, rest if chosen else "")
            item_ids, item_titles = ids + (escaped(item.id),), titles + (escaped(item.title),)
            if not item.submenu:
                self._entry(item, inner, ">".join(item_ids), ">".join(item_titles), chosen)
            elif len(item_ids) <= MAX_SUBMENUS:
                self.menu(inner, item_ids, item_titles, chosen)
            elif chosen:
                self._note("GRUB's default is in more than %d submenus inside each other" % MAX_SUBMENUS)

    def _entry(self, item: MenuItem, shell: Shell, identity: str, title: str, chosen: bool) -> None:
        loaded = shell.loaded
        if loaded is None and item.doubt is not None:
            loaded = Loaded("linux", "", "", ())  # An entry file that GRUB's shell cannot read.
        if loaded is None or loaded.command != "linux":
            if chosen:
                how = "starts no operating system" if loaded is None else "uses the command %s" % loaded.command
                self._note("GRUB's default entry '%s' starts no Linux kernel: it %s" % (title, how))
            return
        if len(self.entries) == MAX_ENTRIES:
            raise KexecError("%s makes more than %d entries, so it is no menu" % (self._path, MAX_ENTRIES))
        kernel, problem = self._file("kernel", loaded.path, loaded.root)
        initrds = []
        for initrd in shell.initrds:
            place, initrd_problem = self._file("initrd", initrd.path, initrd.root)
            initrds.append(place)
            problem = problem or initrd_problem
        cmdline = loader_cmdline(loaded.arguments)
        problem = shell.uncertain or problem
        source = "bls" if item.entry_file else "grub"
        entry = BootEntry(identity, title, kernel, tuple(initrds), cmdline, source, problem)
        self.entries.append(entry)
        if chosen and self.default_problem is None:
            self.default = entry

    def _file(self, purpose: str, path: str, root: str) -> Tuple[str, Optional[str]]:
        """Where the file is in the running system, or what the entry says and why that is of no use."""
        location = self._file_systems.locate(path, root)
        path = _OWN_DEVICE.sub("", path)
        if location.path is not None:
            return location.path, None
        if location.obstacle is not None:
            return path, "the %s %s %s" % (purpose, path, location.obstacle)
        return path, "the %s %s was removed: GRUB's entry names it, but it does not exist on the host" % (purpose, path)

    def _note(self, problem: Optional[str]) -> None:
        if self.default_problem is None:
            self.default_problem = problem


def _menu_name(titles: Sequence[str]) -> str:
    return "the submenu '%s'" % ">".join(titles) if titles else "its menu"


def default_item(menu: Sequence[MenuItem], default: Optional[str]) -> Tuple[Optional[int], str, Optional[str]]:
    """What $default means in a menu: the item's index, what $default is in the submenu there, and a doubt if any.

    As get_entry_number and run_menu in grub-core/normal/menu.c have it: a number counts all items from 0; anything
    else is an id or a title; what is no item, or not in the menu, is the first item.
    """
    if not menu:
        return None, "", None
    if default is None:
        return 0, "", None
    name, rest = split_default(default)
    named = next((index for index, item in enumerate(menu) if name in (item.title, item.id)), None)
    number, tail = leading_number(default)
    doubt = None
    if any(item.entry_file for item in menu) and (named is not None or tail):
        number = None  # It is Red Hat's GRUB, which looks for the name first, and takes only a whole number for one.
    if number is None:
        index = 0 if named is None else named
    else:
        index = number if number < len(menu) else 0
        # GRUB takes "6.1.0-9" for the number 6. Red Hat's GRUB looks for the name first, and then takes it for
        # no number at all.
        if tail.strip() and not tail.startswith(">") and index != (named or 0):
            doubt = "GRUB's default '%s' begins with a number, and versions of GRUB differ in what that means" % default
    return index, rest, doubt


def split_default(default: str) -> Tuple[str, str]:
    """The name before the first ``>``, and what follows it; ``>>`` is a ``>`` of the name (menuentry_eq in menu.c)."""
    match = re.match(r"((?:[^>]|>>)*)(?:>(.*))?", default, re.DOTALL)
    if match is None:
        return default, ""
    return match.group(1).replace(">>", ">"), match.group(2) or ""


def escaped(name: str) -> str:
    """A name as $chosen and $default have it."""
    return name.replace(">", ">>")


def loader_cmdline(arguments: Sequence[str]) -> str:
    """The kernel's command line (grub_create_loader_cmdline in grub-core/lib/cmdline.c).

    Red Hat's GRUB puts no quotation marks and no backslashes there; it matters to arguments with blanks or quotes.
    """
    quoted = []
    for argument in arguments:
        escaped = re.sub(r"([\\'\"])", r"\\\1", argument)
        quoted.append('"%s"' % escaped if " " in argument else escaped)
    return " ".join(quoted)


def _read_limited(machine: Machine, path: str, purpose: str, limit: int) -> str:
    with os.fdopen(machine.open_regular(path, purpose), "rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise KexecError("the %s %s is larger than %d bytes, so it is none" % (purpose, path, limit))
    return content.decode("utf-8", "surrogateescape")
