# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel that runs now, and how it was started."""

import re
from typing import NamedTuple, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._cmdline import token_of
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

BOOT_ID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# /proc/sys/kernel/bootloader_type on x86 after a kexec: (loader 0xD << 4) | version 0, "kexec" in
# Documentation/arch/x86/boot.rst, which the kernel's own kexec code writes into the boot parameters.
X86_KEXEC = "208"


class Running(NamedTuple):
    """The running kernel."""

    release: str
    """As ``uname -r``."""
    version: str
    """As ``uname -v``: tells two builds of one release apart."""
    cmdline: str
    boot_id: str
    """A random UUID of the kernel, new at every boot of a kernel."""
    booted_by: str
    """kexec, firmware, or unknown where the architecture leaves no trace."""


def read_running(machine: Machine) -> Running:
    """Raises KexecError where /proc is not what Linux gives."""
    cmdline = machine.read_text("/proc/cmdline").rstrip("\n")
    return Running(
        release=machine.read_text("/proc/sys/kernel/osrelease").strip(),
        version=machine.read_text("/proc/sys/kernel/version").strip(),
        cmdline=cmdline,
        boot_id=read_boot_id(machine),
        booted_by=_booted_by(machine, cmdline),
    )


def read_boot_id(machine: Machine) -> str:
    """Raises KexecError where the kernel gives no UUID."""
    path = "/proc/sys/kernel/random/boot_id"
    boot_id = machine.read_text(path).strip()
    if BOOT_ID_PATTERN.fullmatch(boot_id) is None:
        raise KexecError("%s does not hold a boot id, but %r" % (path, boot_id[:80]))
    return boot_id


def _booted_by(machine: Machine, cmdline: str) -> str:
    loader_type = machine.read_word("/proc/sys/kernel/bootloader_type")
    if loader_type is not None:
        return "kexec" if loader_type == X86_KEXEC else "firmware"
    if machine.exists("/proc/device-tree/chosen/linux,booted-from-kexec") or token_of(cmdline) is not None:
        return "kexec"
    return "unknown"


def release_in_initrd_name(initrd: str) -> Optional[str]:
    """The release that the name of an initial RAM disk states; None where it states none."""
    matched = re.search(r"/(?:initrd\.img|initramfs|initrd)-([0-9]+\.[0-9]+[^/]*?)(?:\.img)?$", initrd)
    return matched.group(1) if matched else None


def release_in_name(kernel: str) -> Optional[str]:
    """The release that a kernel's file name states: ``/boot/vmlinuz-6.1.0-55-cloud-amd64``."""
    matched = re.search(r"/(?:vmlinuz|vmlinux|Image|kernel)-([^/]+)$", kernel)
    return matched.group(1) if matched else None
