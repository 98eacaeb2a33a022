# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of host this is: init system, container or virtual machine. It is asked by one command."""

import re
from typing import Dict, NamedTuple, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

# The containers among the names that systemd has for virtualisation (src/basic/virt.c); the others are machines.
_CONTAINERS = (
    "systemd-nspawn",
    "lxc-libvirt",
    "lxc",
    "openvz",
    "docker",
    "podman",
    "rkt",
    "wsl",
    "proot",
    "pouch",
    "container-other",
)

# Properties of systemd's manager (org.freedesktop.systemd1(5)). An older systemd leaves out what it does not know.
_PROPERTIES = (
    "Virtualization",
    "ConfidentialVirtualization",
    "FirmwareTimestampMonotonic",
    "LoaderTimestampMonotonic",
)

# What shows in the guest that its memory is hidden from its host, where systemd does not tell.
_CONFIDENTIAL_DEVICES = (("/dev/sev-guest", "sev-snp"), ("/dev/tdx_guest", "tdx"))
_PROTECTED_S390 = "/sys/firmware/uv/prot_virt_guest"


class HostKind(NamedTuple):
    """What kind of host this is."""

    init: str
    """systemd, openrc, sysvinit, or the name of process 1."""
    container: Optional[str]
    """The kind of container; None on a machine of its own."""
    virtualization: str
    """The container's kind, or the hypervisor's as systemd names it, or none, or unknown."""
    confidential: Optional[str]
    """The technique that hides the guest's memory from its host, as systemd names it; None where there is none."""
    before_firmware: int
    """Microseconds from the start of the firmware to that of the kernel, says systemd; 0 where it does not know."""
    before_loader: int
    """Microseconds from the start of the boot loader to that of the kernel."""


def read_host_kind(machine: Machine) -> HostKind:
    """Ask once for all of it."""
    init = init_system(machine)
    manager = _manager(machine) if init == "systemd" else {}
    # systemd has an empty word for none.
    detected = manager["Virtualization"] or "none" if "Virtualization" in manager else _detected(machine)
    container = _marked_container(machine)
    if container is None and detected in _CONTAINERS:
        container = detected
    return HostKind(
        init=init,
        container=container,
        virtualization=container or detected or "unknown",
        confidential=manager.get("ConfidentialVirtualization") or _confidential(machine),
        before_firmware=int(manager.get("FirmwareTimestampMonotonic", 0)),
        before_loader=int(manager.get("LoaderTimestampMonotonic", 0)),
    )


def init_system(machine: Machine) -> str:
    """systemd, openrc, sysvinit, or the name of process 1."""
    if machine.is_directory("/run/systemd/system"):
        return "systemd"
    if machine.exists("/run/openrc/softlevel"):
        return "openrc"
    # SysV init and upstart, which Red Hat's and Oracle's release 6 has, run the same scripts under the same name.
    first = machine.read_word("/proc/1/comm") or "unknown"
    return "sysvinit" if first == "init" else first


def _manager(machine: Machine) -> Dict[str, str]:
    """What systemd answers; empty where it gives none."""
    program = machine.find_program("systemctl")
    if program is None:
        return {}
    result = machine.run(program, "show", *["--property=" + name for name in _PROPERTIES])
    values = dict(re.findall(r"^(\w+)=(.*)$", result.stdout, re.MULTILINE))
    return {
        name: value
        for name, value in values.items()
        if name in _PROPERTIES and (value.isdigit() or not name.endswith("Monotonic"))
    }


def _detected(machine: Machine) -> Optional[str]:
    """What systemd-detect-virt says, a container before the machine that it runs on; None where it is missing."""
    program = machine.find_program("systemd-detect-virt")
    # It prints "none" and returns 1 where there is neither.
    return None if program is None else machine.run(program).stdout.strip()


def _marked_container(machine: Machine) -> Optional[str]:
    """The container that leaves a mark in its file system or in the environment of its first process."""
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
    return None


def _confidential(machine: Machine) -> Optional[str]:
    for device, kind in _CONFIDENTIAL_DEVICES:
        if machine.exists(device):
            return kind
    return "protvirt" if machine.read_word(_PROTECTED_S390) == "1" else None
