# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine and its drivers, and the class of hosts that are alike in them."""

import hashlib
import re
from typing import Any, Dict, List, NamedTuple, Set, Tuple

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

_DMI = "/sys/class/dmi/id/"
_PCI = "/sys/bus/pci/devices/"

# PCI base classes (the PCI Code and ID Assignment Specification) whose drivers a kexec puts to the test.
_TESTED_CLASSES = ("01", "02", "03")  # storage, network, display

# The same kinds of drivers on the buses of virtual machines.
_GUEST_BUSES = ("virtio", "vmbus", "xen")
_GUEST_DRIVERS = frozenset(
    ("virtio_blk virtio_scsi virtio_net virtio_gpu hv_storvsc hv_netvsc hyperv_drm hyperv_fb vbd vif").split()
)

# Enough of /proc/cpuinfo for its first processor; a large machine takes long to write the whole file.
_CPUINFO_BYTES = 8192


class PciDevice(NamedTuple):
    """A device on the PCI bus."""

    ids: str
    """vendor:device:subsystem vendor:subsystem device, in small hexadecimal digits."""
    base_class: str
    """Two hexadecimal digits."""
    driver: str
    """Empty where none is bound."""
    virtual: bool
    """Whether it is a virtual function, which comes and goes while the machine runs."""


class Hardware(NamedTuple):
    """The machine and its drivers."""

    vendor: str
    product: str
    firmware_version: str
    asset_tag: str
    """The chassis's, by which some clouds mark their machines."""
    processor: str
    """The first processor's model name."""
    pci: Tuple[PciDevice, ...]
    guest_drivers: Tuple[str, ...]
    """Bound to storage, network and display devices of a hypervisor."""
    modules: Tuple[str, ...]
    """Loaded modules."""

    def drivers(self) -> List[str]:
        """The drivers of storage, network and display, sorted, each once."""
        bound = {
            device.driver
            for device in self.pci
            if device.driver and not device.virtual and device.base_class in _TESTED_CLASSES
        }
        return sorted(bound.union(self.guest_drivers))

    def host_class(self) -> str:
        """A name that hosts share whose vendor, product, firmware version and drivers are the same."""
        identity = "\0".join([self.vendor, self.product, self.firmware_version] + self.drivers())
        digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
        name = re.sub(r"[^a-z0-9]+", "-", ("%s %s" % (self.vendor, self.product)).lower()).strip("-")
        return "%s-%s" % (name[:40].strip("-") or "unknown", digest[:8])

    def as_result(self) -> Dict[str, Any]:
        """For kexec_info."""
        return {
            "class": self.host_class(),
            "vendor": self.vendor,
            "product": self.product,
            "firmware_version": self.firmware_version,
            "drivers": self.drivers(),
        }


def read_hardware(machine: Machine) -> Hardware:
    """Look at the machine, without any command."""
    return Hardware(
        vendor=machine.read_word(_DMI + "sys_vendor") or "",
        product=machine.read_word(_DMI + "product_name") or _device_tree_model(machine),
        firmware_version=machine.read_word(_DMI + "bios_version") or "",
        asset_tag=machine.read_word(_DMI + "chassis_asset_tag") or "",
        processor=_processor(machine),
        pci=tuple(_pci_device(machine, name) for name in machine.names(_PCI)),
        guest_drivers=tuple(sorted(_guest_drivers(machine))),
        modules=tuple(line.split(" ")[0] for line in (machine.read_word("/proc/modules") or "").splitlines()),
    )


def _device_tree_model(machine: Machine) -> str:
    return (machine.read_word("/proc/device-tree/model") or "").rstrip("\0")


def _processor(machine: Machine) -> str:
    try:
        text = machine.read_bytes("/proc/cpuinfo", _CPUINFO_BYTES).decode("utf-8", "replace")
    except KexecError:
        return ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else ""


def _pci_device(machine: Machine, name: str) -> PciDevice:
    """From the one file that has it all (drivers/pci/pci-driver.c, pci_uevent)."""
    values = dict(re.findall(r"^(\w+)=(.*)$", machine.read_word(_PCI + name + "/uevent") or "", re.MULTILINE))
    ids = "%s:%s" % (values.get("PCI_ID", ""), values.get("PCI_SUBSYS_ID", ""))
    return PciDevice(
        ids=ids.lower(),
        base_class=values.get("PCI_CLASS", "").zfill(6)[:2],
        driver=values.get("DRIVER", ""),
        virtual=machine.link_name(_PCI + name + "/physfn") is not None,
    )


def _guest_drivers(machine: Machine) -> Set[str]:
    found: Set[str] = set()
    for bus in _GUEST_BUSES:
        folder = "/sys/bus/%s/devices/" % bus
        found.update(machine.link_name(folder + name + "/driver") or "" for name in machine.names(folder))
    return found & _GUEST_DRIVERS
