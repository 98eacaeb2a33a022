# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which boot loader a machine has, and what it would start.

Configuration files outlive their boot loaders: a machine that was moved to another one, or whose image serves several,
has the traces of both. So the loader that has started this machine decides, where it has left a proof: its name in an
EFI variable, or its number in the kernel's boot parameters. Without a proof, as after a kexec on a BIOS machine, the
traces decide if they are of one loader only. Otherwise nobody can tell which one the firmware would start.
"""

from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import (
    efi,
    extlinux,
    grub,
    grubby,
    legacy_grub,
    systemd_boot,
)
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
    efi_name: Optional[str]
    """How its name begins in the EFI variable LoaderInfo, which GRUB sets since 2.12."""
    kernel_numbers: Sequence[int]
    """What /proc/sys/kernel/bootloader_type says after it; see Documentation/arch/x86/boot.rst, type_of_loader."""
    checked: Callable[[Machine, BootConfig], BootConfig]
    """Asks the distribution's tool for a second opinion."""


def _unchecked(machine: Machine, config: BootConfig) -> BootConfig:
    return config


# 33 says nothing: the kernel's EFI stub leaves it behind systemd-boot, and Debian's signed GRUB does so too.
READERS: Tuple[Reader, ...] = (
    Reader(
        "systemd-boot",
        systemd_boot.find,
        systemd_boot.candidates,
        systemd_boot.read,
        efi_name="systemd-boot",
        kernel_numbers=(),
        checked=_unchecked,
    ),
    Reader(
        "GRUB",
        grub.find,
        grub.candidates,
        grub.read,
        efi_name="GRUB",
        kernel_numbers=(0x72,),
        checked=grubby.checked,
    ),
    Reader(
        "legacy GRUB",
        legacy_grub.find,
        legacy_grub.candidates,
        legacy_grub.read,
        efi_name=None,
        kernel_numbers=(0x71,),
        checked=grubby.checked,
    ),
    Reader(
        "extlinux",
        extlinux.find,
        extlinux.candidates,
        extlinux.read,
        efi_name=None,
        kernel_numbers=(0x31, 0x32, 0x33, 0x34),
        checked=_unchecked,
    ),
)


def read_boot_loader(machine: Machine) -> BootConfig:
    """What the machine's boot loader has in its menu; raises KexecError."""
    reader = _proven(machine) or _traced(machine)
    if reader is not None:
        return reader.checked(machine, reader.read(machine))
    if grubby.find(machine) is not None:
        return grubby.read(machine)  # zipl on s390x, for one
    looked = ["%s (%s)" % (reader.name, ", ".join(reader.candidates(machine))) for reader in READERS]
    hint = "; /etc/fstab has a file system for /boot, but /boot is not mounted" if boot_is_unmounted(machine) else ""
    raise KexecError("found no boot loader that this version reads: looked for %s%s" % ("; ".join(looked), hint))


def _proven(machine: Machine) -> Optional[Reader]:
    """The boot loader that has started this machine, where it says so itself."""
    info = efi.loader_variable(machine, "LoaderInfo") or ""
    number = machine.read_word("/proc/sys/kernel/bootloader_type") or ""
    for reader in READERS:
        if reader.efi_name is not None and info.startswith(reader.efi_name):
            return reader
    for reader in READERS:
        if number in [str(known) for known in reader.kernel_numbers] and reader.find(machine) is not None:
            return reader
    return None


def _traced(machine: Machine) -> Optional[Reader]:
    """The only boot loader with a configuration here; raises KexecError where there are several."""
    found: List[Tuple[Reader, str]] = []
    for reader in READERS:
        path = reader.find(machine)
        if path is not None:
            found.append((reader, path))
    if len(found) > 1:
        raise KexecError(
            "several boot loaders have a configuration here, and it cannot be told which one the firmware starts: %s; "
            "remove what is left of the others, or name the kernel and its initrd"
            % ", ".join("%s (%s)" % (reader.name, path) for reader, path in found)
        )
    return found[0][0] if found else None
