# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jump into the staged image with no service stopped: disks written and made read-only, then the system call."""

import os
import time
from typing import Callable, List

from ansible_collections.fleetops.kexec.plugins.module_utils import _kexec
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

# So that the answer reaches the control node before the network dies.
_DELAY_SECONDS = 1.0
# For the kernel to make every file system read-only after sysrq-u, which it does in the background.
_READ_ONLY_SECONDS = 10.0


def writable_disks(mounts: str) -> List[str]:
    """The block devices that are mounted writable, from the text of /proc/self/mounts (pure)."""
    found = []
    for line in mounts.splitlines():
        device, _point, _kind, options = (line.split(" ") + ["", "", ""])[:4]
        if device.startswith("/dev/") and "rw" in options.split(","):
            found.append(device)
    return found


def jump(machine: Machine, sleep: Callable[[float], None] = time.sleep) -> None:
    """Write all to disk, make every file system read-only, and start the staged image. Returns only on an error.

    This order is safer than ``umount -a; kexec -e``: nothing that is still running can write after the disks were
    made read-only, and no file system is left half unmounted (Documentation/admin-guide/sysrq.rst, s and u).
    Processes are not told; what they had not written is lost. From the moment the disks are read-only there is no
    way back, so whatever fails after it ends in a reset of the machine.
    """
    os.sync()
    machine.append("/proc/sysrq-trigger", "s")
    machine.append("/proc/sysrq-trigger", "u")
    waited = 0.0
    while writable_disks(machine.read_word("/proc/self/mounts") or "") and waited < _READ_ONLY_SECONDS:
        sleep(0.1)
        waited += 0.1
    try:
        machine.calls.kexec_reboot()
    except OSError:
        machine.calls.firmware_reboot()


def jump_soon(machine: Machine) -> None:
    """Let a process of its own jump in a moment. Raises KexecError, with nothing done, where no image is staged."""
    if machine.euid != 0:
        raise KexecError("this needs root; use become: true")
    if not _kexec.is_loaded(machine):
        raise KexecError("no image is loaded any more")
    if os.fork() != 0:
        return
    # The child: away from the connection's session, and from the pipes that Ansible waits for.
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    try:
        time.sleep(_DELAY_SECONDS)
        jump(machine)
    finally:
        os._exit(1)
