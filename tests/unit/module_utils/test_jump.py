# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._jump import jump, jump_soon, writable_disks
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, SystemCalls

READ_WRITE = (
    "/dev/vda2 / ext4 rw,relatime 0 0\n/dev/vdb /srv xfs rw 0 0\ntmpfs /run tmpfs rw 0 0\nproc /proc proc rw 0 0\n"
)
READ_ONLY = READ_WRITE.replace("ext4 rw", "ext4 ro").replace("xfs rw", "xfs ro")


class Calls(SystemCalls):
    """Notes the jump, and what the machine was at that moment."""

    def __init__(self, host, refuse=False):
        self.host, self.refuse, self.made = host, refuse, []

    def kexec_reboot(self):
        self.made.append(("kexec", (self.host.root / "proc/sysrq-trigger").read_text()))
        if self.refuse:
            raise OSError(errno.EINVAL, "Invalid argument")

    def firmware_reboot(self):
        self.made.append(("firmware", ""))


@pytest.fixture
def ready(host):
    host.write("proc/sysrq-trigger", "")
    host.write("proc/self/mounts", READ_WRITE)
    host.calls = Calls(host)
    return host


def test_only_disks_that_are_mounted_writable_count():
    assert writable_disks(READ_WRITE) == ["/dev/vda2", "/dev/vdb"]
    assert writable_disks(READ_ONLY) == []
    assert writable_disks("damaged\n\n") == []


def test_disks_are_written_and_read_only_before_the_jump(ready):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            ready.write("proc/self/mounts", READ_ONLY)

    jump(ready.machine(), sleep)
    assert ready.calls.made == [("kexec", "su")]
    assert len(slept) == 3


def test_a_disk_that_stays_writable_does_not_hold_up_the_jump_for_ever(ready):
    slept = []
    jump(ready.machine(), slept.append)
    assert [name for name, _at in ready.calls.made] == ["kexec"]
    assert sum(slept) == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize("lose", ["", "proc/self/mounts"])
def test_a_jump_that_fails_ends_in_a_reset_and_not_in_a_machine_that_cannot_write(ready, lose):
    ready.calls.refuse = True
    if lose:
        (ready.root / lose).unlink()
    jump(ready.machine(), lambda seconds: None)
    assert [name for name, _at in ready.calls.made] == ["kexec", "firmware"]


@pytest.mark.parametrize(("loaded", "euid", "message"), [("0\n", 0, "no image is loaded"), ("1\n", 1000, "needs root")])
def test_without_an_image_or_root_nothing_is_begun(ready, loaded, euid, message):
    ready.write("sys/kernel/kexec_loaded", loaded)
    with pytest.raises(KexecError, match=message):
        jump_soon(ready.machine(euid=euid))
    assert (ready.root / "proc/sysrq-trigger").read_text() == ""
