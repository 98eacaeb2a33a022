# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import struct

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import legacy_grub
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from hypothesis import given, settings
from hypothesis import strategies as st

PLAIN = "title A\nroot (hd0,0)\nkernel /a root=/dev/sda2\ninitrd /i\n"


@pytest.fixture
def read(host):
    """The menu of a host with this grub.conf, /boot on sda1 and files there."""

    def build(text, saved=None, stage2=None):
        (host.root / "boot/grub/grub.cfg").unlink()
        mounts = "1 0 8:2 / / rw - ext3 /dev/sda2 rw\n2 1 8:1 / /boot rw - ext3 /dev/sda1 rw\n"
        host.write("proc/self/mountinfo", mounts)
        for name in ("a", "b", "i"):
            host.write("boot/" + name, name)
        host.write("boot/grub/grub.conf", text.encode("utf-8", "surrogateescape"))
        if saved is not None:
            host.write("boot/grub/default", saved)
        if stage2 is not None:
            host.write("boot/grub/stage2", b"\0" * 0x20C + struct.pack("<I", stage2))
        return legacy_grub.read(host.machine())

    return build


@pytest.mark.parametrize(
    ("entry", "kernel", "initrds", "cmdline"),
    [
        ("root (hd0,0)\nkernel /a root=/dev/sda2 ro\ninitrd /i\n", "/boot/a", ("/boot/i",), "root=/dev/sda2 ro"),
        ("kernel (hd0,0)/a ro\n", "/boot/a", (), "ro"),
        ("kernel=/a ro\ninitrd=/i\n", "/boot/a", ("/boot/i",), "ro"),
        ("kernel --no-mem-option /a ro\n", "/boot/a", (), "ro"),
        ('kernel /a x="b  c" d\n', "/boot/a", (), 'x="b  c" d'),
        ("kernel /a\n", "/boot/a", (), ""),
        # Another disk's name for it, because it is the only one.
        ("root (hd1)\nkernel /a ro\n", "/boot/a", (), "ro"),
        ("KERNEL /a x=\udcff\n", "/boot/a", (), "x=\udcff"),
    ],
)
def test_an_entry_is_read(read, entry, kernel, initrds, cmdline):
    found = read("default=0\ntitle A\n" + entry).default
    assert (found.kernel, found.initrds, found.cmdline, found.problem) == (kernel, initrds, cmdline, None)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("root (hd0,0)\nkernel /gone ro\n", "the kernel /gone was removed"),
        ("root (hd0,0)\nkernel /a ro\ninitrd /gone\n", "the initrd /gone was removed"),
        ("root (hd0,4)\nkernel /a ro\n", "is on GRUB's device (hd0,5), which is not known to be a mounted"),
        ("kernel /xen.gz\nmodule /a ro\nmodule /i\n", "it starts a hypervisor"),
        ("kernel ro\n", "the kernel 'ro' has no path"),
        ("kernel\n", "the kernel '' has no path"),
    ],
)
def test_an_entry_that_cannot_be_staged_says_why(read, entry, problem):
    config = read("default=1\n" + PLAIN + "title B\n" + entry)
    assert problem in config.entries[1].problem
    assert config.default == config.entries[1]


@pytest.mark.parametrize(
    ("default", "saved", "index", "problem"),
    [
        ("default=1", None, "1", None),
        ("default 1", None, "1", None),
        ("", None, "0", None),
        ("default=saved", "1\n#\n#\n", "1", None),
        ("default=saved", None, None, "the default in /boot/grub/default is '', which is no number of an entry"),
        ("default=3", None, None, "the default in /boot/grub/grub.conf is entry 3, and there are 3, counted from 0"),
        ("default=x", None, None, "the default in /boot/grub/grub.conf is 'x', which is no number"),
        ("default=2", None, None, "the default entry 'W' starts no Linux kernel"),
    ],
)
def test_the_default_is_a_number(read, default, saved, index, problem):
    config = read(default + "\n" + PLAIN + PLAIN + "title W\nrootnoverify (hd0,1)\nchainloader +1\n", saved)
    assert (config.default.id if config.default else None) == index
    assert (problem or "") in (config.default_problem or "")
    assert [entry.id for entry in config.entries] == ["0", "1"]


@pytest.mark.parametrize(("number", "one_shot"), [(0x10001, "1"), (0x10000, "0"), (1, None), (0xFFFFFFFF, None)])
def test_an_entry_for_one_start_is_in_stage2(read, number, one_shot):
    assert read(PLAIN, stage2=number).one_shot == one_shot


def test_on_efi_machines_the_system_partition_counts(host):
    host.write("sys/firmware/efi/x", "")
    host.write("boot/grub/stage2", "")
    host.write("boot/grub/menu.lst", PLAIN)
    assert legacy_grub.find(host.machine()) == "/boot/grub/menu.lst"
    host.write("boot/efi/EFI/redhat/grub.conf", PLAIN)
    assert legacy_grub.find(host.machine()) == "/boot/efi/EFI/redhat/grub.conf"


@settings(max_examples=300, deadline=1000)
@given(st.text(alphabet=st.sampled_from("titlekernldfau 01=()hd,/\n\t#\0\udcff-")))
def test_any_text_is_a_menu_or_refused(text):
    refusal = None
    try:
        legacy_grub.parse(text, "/grub.conf")
    except KexecError as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith("/grub.conf line ")
