# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of host this is: init system, virtualisation, hardware, and how long its firmware takes."""

import hashlib
import re
from typing import Any, Dict, List, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._running import Running

# Machines are known that report nonsense as their firmware's time; nothing real takes longer than this.
_MOST_FIRMWARE_SECONDS = 3600.0

# PCI base classes (the PCI Code and ID Assignment Specification) whose drivers a kexec puts to the test.
_PCI_CLASSES = ("0x01", "0x02", "0x03")  # storage, network, display


def init_system(machine: Machine) -> str:
    """systemd, or the name of process 1."""
    if machine.is_directory("/run/systemd/system"):
        return "systemd"
    return machine.read_word("/proc/1/comm") or "unknown"


def container_of(machine: Machine) -> Optional[str]:
    """The kind of container that this is; None on a machine of its own."""
    for marker, kind in (("/run/.containerenv", "podman"), ("/.dockerenv", "docker")):
        if machine.exists(marker):
            return kind
    # Written by systemd when it runs as the first process of a container.
    word = machine.read_word("/run/systemd/container")
    if word:
        return word
    try:
        environment = machine.read_text("/proc/1/environ").split("\0")
    except KexecError:
        environment = []
    for variable in environment:
        if variable.startswith("container="):
            return variable[len("container=") :] or "unknown"
    program = machine.find_program("systemd-detect-virt")
    if program is not None:
        result = machine.run(program, "--container")
        if result.rc == 0:
            return result.stdout.strip()
    return None


def virtualization_of(machine: Machine) -> str:
    """The container's kind, or the hypervisor's as systemd-detect-virt names it, or none, or unknown."""
    container = container_of(machine)
    if container is not None:
        return container
    program = machine.find_program("systemd-detect-virt")
    if program is None:
        return "unknown"
    # It prints "none" and returns 1 on real hardware.
    return machine.run(program, "--vm").stdout.strip() or "unknown"


def hardware(machine: Machine) -> Dict[str, Any]:
    """Vendor, product, firmware and drivers, and the class that hosts alike in all of these share."""
    vendor = machine.read_word("/sys/class/dmi/id/sys_vendor") or ""
    product = machine.read_word("/sys/class/dmi/id/product_name") or _device_tree_model(machine)
    firmware = machine.read_word("/sys/class/dmi/id/bios_version") or ""
    drivers = _pci_drivers(machine)
    digest = hashlib.sha256("\0".join([vendor, product, firmware] + drivers).encode("utf-8", "surrogateescape"))
    name = re.sub(r"[^a-z0-9]+", "-", ("%s %s" % (vendor, product)).lower()).strip("-")[:40].strip("-")
    return {
        "class": "%s-%s" % (name or "unknown", digest.hexdigest()[:8]),
        "vendor": vendor,
        "product": product,
        "firmware_version": firmware,
        "drivers": drivers,
    }


def _device_tree_model(machine: Machine) -> str:
    return (machine.read_word("/proc/device-tree/model") or "").rstrip("\0")


def _pci_drivers(machine: Machine) -> List[str]:
    """The drivers bound to storage, network and display devices, sorted, each once."""
    drivers = set()
    for device in machine.names("/sys/bus/pci/devices"):
        folder = "/sys/bus/pci/devices/" + device
        if (machine.read_word(folder + "/class") or "").startswith(_PCI_CLASSES):
            driver = machine.link_name(folder + "/driver")
            if driver is not None:
                drivers.add(driver)
    return sorted(drivers)


def firmware_times(machine: Machine, running: Running) -> Dict[str, Any]:
    """Seconds that the firmware and the boot loader took, an estimate by systemd; None where it does not know.

    After a kexec systemd shows those of the last boot through the firmware.
    """
    firmware: Optional[float] = None
    loader: Optional[float] = None
    program = machine.find_program("systemctl") if init_system(machine) == "systemd" else None
    if program is not None:
        result = machine.run(
            program, "show", "--property=FirmwareTimestampMonotonic", "--property=LoaderTimestampMonotonic"
        )
        values = dict(re.findall(r"^(\w+)=(\d+)$", result.stdout, re.MULTILINE))
        # Microseconds before the kernel's start; 0 stands for unknown (org.freedesktop.systemd1(5)).
        before_firmware = int(values.get("FirmwareTimestampMonotonic", 0))
        before_loader = int(values.get("LoaderTimestampMonotonic", 0))
        if before_firmware > before_loader > 0:
            firmware = _plausible((before_firmware - before_loader) / 1e6)
        if before_loader > 0:
            loader = _plausible(before_loader / 1e6)
    return {
        "firmware_seconds": firmware,
        "loader_seconds": loader,
        "firmware_times_stale": running.booted_by == "kexec",
    }


def _plausible(seconds: float) -> Optional[float]:
    return round(seconds, 3) if seconds <= _MOST_FIRMWARE_SECONDS else None
