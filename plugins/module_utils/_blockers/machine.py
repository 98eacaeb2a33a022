# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a kexec of this machine, whatever kernel is to run."""

import struct
from typing import List, Optional

from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import REFUSE, WARN, Blocker
from ansible_collections.fleetops.kexec.plugins.module_utils._host_kind import HostKind
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

_EFI_VARIABLES = "/sys/firmware/efi/efivars/"

# fwupd's variables for capsules to be applied by its EFI program (plugins/uefi-capsule of fwupd, EfiUpdateInfo):
# the status stands behind efivarfs's 4 bytes of attributes and 48 more, and 1 is "attempt the update".
_FWUPD = "fwupd-"
_FWUPD_GUID = "-0abba7dc-e516-4167-bbf5-4d9d1c739416"
_FWUPD_STATUS = 4 + 48
_FWUPD_WAITS = 1

# UEFI specification 8.5.4: the operating system asks the firmware to apply the capsules on the EFI partition.
_OS_INDICATIONS = "OsIndications-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_FILE_CAPSULE = 0x4

# A root file system with less room is taken for nearly full, if it is also less than a hundredth of it.
_LITTLE_ROOM = 50 << 20


def guest_blockers(machine: Machine, kind: HostKind) -> List[Blocker]:
    """Guests whose hypervisor takes part in a kexec."""
    blockers = []
    xen = _xen_role(machine)
    if xen is not None:
        blockers.append(
            Blocker("xen", REFUSE, "this is %s, in which a kexec would need the hypervisor's help; reboot it" % xen)
        )
    if kind.confidential is not None:
        blockers.append(
            Blocker(
                "confidential_guest",
                REFUSE,
                "this is a confidential guest (%s), in which few kernels can do a kexec; try one such guest by hand, "
                "and ignore this blocker where it comes back" % kind.confidential,
            )
        )
    return blockers


def _xen_role(machine: Machine) -> Optional[str]:
    if machine.read_word("/sys/hypervisor/type") != "xen":
        return None
    # Documentation/ABI/stable/sysfs-hypervisor-xen
    if "control_d" in (machine.read_word("/proc/xen/capabilities") or ""):
        return "the control domain of a Xen host"
    return "a Xen PV guest" if machine.read_word("/sys/hypervisor/guest_type") == "PV" else None


def firmware_blockers(machine: Machine) -> List[Blocker]:
    """A firmware update that waits for the next start through the firmware."""
    waits = [name for name in machine.names(_EFI_VARIABLES) if _is_waiting_update(machine, name)]
    if not waits:
        return []
    return [
        Blocker(
            "firmware_update",
            WARN,
            "a firmware update waits for the next reboot through the firmware (%s), and a kexec does not apply it; "
            "reboot this host through the firmware" % ", ".join(waits),
        )
    ]


def _is_waiting_update(machine: Machine, name: str) -> bool:
    if name.startswith(_FWUPD) and name.endswith(_FWUPD_GUID):
        return _number(machine, name, _FWUPD_STATUS) == _FWUPD_WAITS
    return name == _OS_INDICATIONS and bool(_number(machine, name, 4) & _FILE_CAPSULE)


def _number(machine: Machine, variable: str, offset: int) -> int:
    try:
        content = machine.read_bytes(_EFI_VARIABLES + variable, offset + 4)
        (number,) = struct.unpack_from("<I", content, offset)
    except (KexecError, struct.error):
        return 0
    return int(number)


def space_blockers(machine: Machine) -> List[Blocker]:
    """A root file system that leaves services no room to start."""
    space = machine.space("/")
    if space is None or space.free >= _LITTLE_ROOM or space.free * 100 >= space.total:
        return []
    return [
        Blocker(
            "root_full",
            WARN,
            "the root file system is nearly full (%d MiB are free), so services may not start after the reboot; "
            "make room first" % (space.free >> 20),
        )
    ]
