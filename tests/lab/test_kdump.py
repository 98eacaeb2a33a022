# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A crash kernel beside the staged one, in a real kernel's two slots. The tests build on each other."""

from __future__ import annotations

import pytest
from driver import Fleet

pytestmark = pytest.mark.soak

HOST = "lab1"
CRASHKERNEL = "crashkernel=128M"

# What kdump's service does at boot: the running kernel into the slot for a crash (KEXEC_FILE_ON_CRASH, 2).
LOAD_CRASH_KERNEL = """
import ctypes, os
release = os.uname().release
files = [os.open(path + release, os.O_RDONLY) for path in ("/boot/vmlinuz-", "/boot/initrd.img-")]
line = b"root=LABEL=root ro\\0"
arguments = [320, *files, len(line), ctypes.c_char_p(line), 2]
wrapped = [one if isinstance(one, ctypes.c_char_p) else ctypes.c_long(one) for one in arguments]
call = ctypes.CDLL(None, use_errno=True).syscall
assert call(*wrapped) == 0, os.strerror(ctypes.get_errno())
"""

UNIT = "/etc/systemd/system/crash.service"
SERVICE = """
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /root/crash.py
[Install]
WantedBy=multi-user.target
"""


def crash_loaded(fleet: Fleet) -> str:
    return fleet.ssh(HOST, "cat /sys/kernel/kexec_crash_loaded")


def load_crash_kernel(fleet: Fleet) -> None:
    fleet.ssh(HOST, "python3 -c '%s'" % LOAD_CRASH_KERNEL)
    assert crash_loaded(fleet) == "1"


def test_memory_for_it_is_reserved_again_by_each_kexec(fleet: Fleet) -> None:
    fleet.module(HOST, "kexec_load", append=[CRASHKERNEL])
    assert fleet.module(HOST, "kexec_reboot")["failed"] is False
    assert fleet.ssh(HOST, "cat /sys/kernel/kexec_crash_size") == str(128 * 1024 * 1024)
    staged = fleet.module(HOST, "kexec_load", entry="running")
    assert CRASHKERNEL in staged["staged"]["cmdline"].split()


def test_staging_and_unloading_leave_it_alone(fleet: Fleet) -> None:
    load_crash_kernel(fleet)
    for arguments in ({"state": "unloaded"}, {"entry": "newest"}, {"entry": "running"}):
        result = fleet.module(HOST, "kexec_load", **arguments)
        assert (result["failed"], result["changed"]) == (False, True)
        assert crash_loaded(fleet) == "1"


def test_one_that_is_lost_is_told_of(fleet: Fleet) -> None:
    # No service loads it again on this machine.
    result = fleet.module(HOST, "kexec_reboot")
    assert (result["failed"], result["method"]) == (False, "kexec")
    assert crash_loaded(fleet) == "0"
    (warning,) = result["warnings"]
    assert "crash kernel" in warning


def test_one_that_its_service_loads_again_is_not(fleet: Fleet) -> None:
    load_crash_kernel(fleet)
    fleet.ssh(HOST, "printf %%s '%s' >/root/crash.py && printf %%s '%s' >%s" % (LOAD_CRASH_KERNEL, SERVICE, UNIT))
    fleet.ssh(HOST, "systemctl enable crash")
    fleet.module(HOST, "kexec_load", entry="running")
    result = fleet.module(HOST, "kexec_reboot")
    assert (result["failed"], result.get("warnings", [])) == (False, [])
    assert crash_loaded(fleet) == "1"
    fleet.ssh(HOST, "systemctl disable crash && rm %s /root/crash.py" % UNIT)
