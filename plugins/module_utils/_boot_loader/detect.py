# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which boot loader a machine has, and what it would start."""

from typing import Callable, NamedTuple, Optional, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import grub
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.entry import BootConfig
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import boot_is_unmounted
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine


class Reader(NamedTuple):
    """A kind of boot loader."""

    name: str
    find: Callable[[Machine], Optional[str]]
    """The path of its configuration; None where it is not there."""
    candidates: Callable[[Machine], Tuple[str, ...]]
    """Where find looks."""
    read: Callable[[Machine], BootConfig]


# Still to come, each before GRUB, whose configuration files outlive it: Boot Loader Spec files, systemd-boot,
# grubby, extlinux, legacy GRUB.
READERS: Tuple[Reader, ...] = (Reader("GRUB", grub.find, grub.candidates, grub.read),)


def read_boot_loader(machine: Machine) -> BootConfig:
    """What the machine's boot loader has in its menu; raises KexecError."""
    for reader in READERS:
        if reader.find(machine) is not None:
            return reader.read(machine)
    looked = ["%s (%s)" % (reader.name, ", ".join(reader.candidates(machine))) for reader in READERS]
    hint = "; /etc/fstab has a file system for /boot, but /boot is not mounted" if boot_is_unmounted(machine) else ""
    raise KexecError("found no boot loader that this version reads: looked for %s%s" % ("; ".join(looked), hint))
