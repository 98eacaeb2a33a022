# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry for one start only: read, set and removed by the boot loaders' own tools.

GRUB's environment block has a size of its own and is rewritten in place, because GRUB itself only ever overwrites the
file's blocks; and the kernel guards EFI variables by a flag. grub-editenv and bootctl know, so where they are missing
nothing is set.
"""

from typing import Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import efi, grub
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import OneShot
from ansible_collections.fleetops.kexec.plugins.module_utils._systemd import run

GRUB = "grub"
SYSTEMD_BOOT = "systemd-boot"


def find_tool(machine: Machine, loader: str) -> str:
    """The program that sets and removes the entry; raises KexecError where it is missing."""
    found = grub.find_editor(machine) if loader == GRUB else machine.find_program("bootctl")
    if found is None:
        name = "grub-editenv" if loader == GRUB else "bootctl"
        raise KexecError("the program %s is missing, by which an entry is set for one start" % name)
    return found


def is_set(machine: Machine, one_shot: OneShot) -> bool:
    """Whether the boot loader is to start that very entry once. Raises KexecError where that cannot be told."""
    return _current(machine, one_shot) == one_shot.value


def _current(machine: Machine, one_shot: OneShot) -> Optional[str]:
    if one_shot.loader != GRUB:
        return efi.loader_variable(machine, one_shot.place)
    variables = grub.saved_variables(machine, find_tool(machine, GRUB), one_shot.place)
    if variables is None:
        raise KexecError("grub-editenv cannot read %s" % one_shot.place)
    # After use GRUB leaves an empty one.
    return variables.get("next_entry") or None


def set_once(machine: Machine, one_shot: OneShot) -> None:
    """Set the entry, and see that it is; raises KexecError."""
    tool = find_tool(machine, one_shot.loader)
    if one_shot.loader == GRUB:
        run(machine, tool, one_shot.place, "set", "next_entry=" + one_shot.value)
    else:
        run(machine, tool, "set-oneshot", one_shot.value)
    if not is_set(machine, one_shot):
        raise KexecError("%s ended well, but %s does not name the entry %s" % (tool, one_shot.place, one_shot.value))


def remove_if_set(machine: Machine, one_shot: OneShot) -> None:
    """Remove the entry, unless it is used up already or somebody has set another since. Raises KexecError."""
    if not is_set(machine, one_shot):
        return
    tool = find_tool(machine, one_shot.loader)
    if one_shot.loader == GRUB:
        run(machine, tool, one_shot.place, "unset", "next_entry")
    else:
        run(machine, tool, "set-oneshot", "")
    if is_set(machine, one_shot):
        raise KexecError("%s ended well, but %s still names the entry %s" % (tool, one_shot.place, one_shot.value))
