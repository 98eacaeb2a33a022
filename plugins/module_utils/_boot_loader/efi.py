# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EFI variables by which boot loaders and systemd talk to each other: systemd's Boot Loader Interface."""

from typing import Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

FOLDER = "/sys/firmware/efi/efivars"
_VENDOR = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_MAX_BYTES = 4096
_ATTRIBUTES = 4
"""Bytes before a variable's value: Documentation/filesystems/efivarfs.rst."""


def loader_variable(machine: Machine, name: str) -> Optional[str]:
    """The text of a variable; None where it is not set, or empty."""
    try:
        content = machine.read_bytes("%s/%s-%s" % (FOLDER, name, _VENDOR), _MAX_BYTES)
    except KexecError:
        return None
    text = content[_ATTRIBUTES:].decode("utf-16-le", "replace").partition("\0")[0]
    return text or None
