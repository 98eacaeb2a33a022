# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the firmware and the boot loader took, which is what a kexec saves."""

from typing import Any, Dict, NamedTuple, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import HostKind
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import Machine

# Machines are known that report nonsense; nothing real takes longer than this.
_MOST_SECONDS = 3600.0

# The firmware's own record in ACPI's table FPDT, in nanoseconds since the reset of the machine
# (drivers/acpi/acpi_fpdt.c; ACPI specification, "Firmware Basic Boot Performance Data Record").
_FPDT = "/sys/firmware/acpi/fpdt/boot/"


class Times(NamedTuple):
    """Seconds, each None where it is not known or absurd."""

    firmware: Optional[float]
    loader: Optional[float]


def firmware_times(machine: Machine, kind: HostKind, booted_by: str) -> Dict[str, Any]:
    """For kexec_info. After a kexec both sources still have the times of the last boot through the firmware."""
    times = from_systemd(kind.before_firmware, kind.before_loader)
    if times.firmware is None:
        fpdt = from_fpdt(_nanoseconds(machine, "bootloader_launch"), _nanoseconds(machine, "exitbootservice_end"))
        times = fpdt if fpdt.firmware is not None else times
    return {
        "firmware_seconds": times.firmware,
        "loader_seconds": times.loader,
        "firmware_times_stale": booted_by == "kexec",
    }


def from_systemd(before_firmware: int, before_loader: int) -> Times:
    """From systemd's timestamps, microseconds before the kernel's start; 0 stands for unknown. Pure."""
    if before_loader <= 0:
        return Times(None, None)
    return Times(_plausible((before_firmware - before_loader) / 1e6), _plausible(before_loader / 1e6))


def from_fpdt(launch: int, end: int) -> Times:
    """From the firmware's record: the boot loader was launched, and ended by leaving the boot services. Pure."""
    if not 0 < launch <= end or end / 1e9 > _MOST_SECONDS:
        return Times(None, None)
    return Times(_plausible(launch / 1e9), _plausible((end - launch) / 1e9))


def _plausible(seconds: float) -> Optional[float]:
    return round(seconds, 3) if 0 < seconds <= _MOST_SECONDS else None


def _nanoseconds(machine: Machine, name: str) -> int:
    word = machine.read_word(_FPDT + name + "_ns") or ""
    return int(word) if word.isdigit() else 0
