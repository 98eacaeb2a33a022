# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands against a kexec, as the survey of a whole host tells it."""

import struct

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._blockers.blocker import (
    INSURMOUNTABLE,
    SURMOUNTABLE,
    Rules,
)
from ansible_collections.fleetops.kexec.plugins.module_utils._survey import survey
from ansible_collections.fleetops.kexec.plugins.module_utils._target import Selection

OLD, NEW = "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64"
KERNEL = "boot/vmlinuz-" + NEW
EFI = "sys/firmware/efi/efivars/"
FWUPD = EFI + "fwupd-4a3ca9a9-1d6f-4e5b-8c5c-1a2b3c4d5e6f-0-0abba7dc-e516-4167-bbf5-4d9d1c739416"
OS_INDICATIONS = EFI + "OsIndications-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def blockers(host, rules=None, selection=None):
    found = survey(host.machine(), selection or Selection(None, None, ()), rules or Rules())["blockers"]
    assert {blocker["id"] for blocker in found} <= set(INSURMOUNTABLE + SURMOUNTABLE) | {
        row.id for row in Rules().known_trouble
    }
    return found


def ids(host, **arguments):
    return [(blocker["id"], blocker["severity"]) for blocker in blockers(host, **arguments)]


def test_nothing_stands_against_an_ordinary_host(host):
    assert ids(host) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sys/hypervisor/type": "xen\n", "sys/hypervisor/guest_type": "PV\n"}, [("xen", "refuse")]),
        ({"sys/hypervisor/type": "xen\n", "proc/xen/capabilities": "control_d\n"}, [("xen", "refuse")]),
        ({"sys/hypervisor/type": "xen\n", "sys/hypervisor/guest_type": "HVM\n"}, []),
        ({"sys/hypervisor/type": "kvm\n", "sys/hypervisor/guest_type": "PV\n"}, []),
        ({"dev/sev-guest": ""}, [("confidential_guest", "refuse")]),
        ({"proc/modules": "hpwdt 1 0 - Live 0x0\n"}, [("hpwdt", "warn")]),
    ],
)
def test_the_machine(host, files, expected):
    for path, content in files.items():
        host.write(path, content)
    assert ids(host) == expected


def update_info(status):
    """EfiUpdateInfo of fwupd behind efivarfs's attributes."""
    return struct.pack("<II16sIQ16sI", 7, 7, b"g" * 16, 0, 0, b"t" * 16, status) + b"device path"


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        (FWUPD, update_info(1), [("firmware_update", "warn")]),
        (FWUPD, update_info(2), []),
        (FWUPD, b"short", []),
        (EFI + "fwupd-ux-capsule-12345678-e516-4167-bbf5-4d9d1c739416", update_info(1), []),
        (OS_INDICATIONS, struct.pack("<IQ", 7, 4), [("firmware_update", "warn")]),
        (OS_INDICATIONS, struct.pack("<IQ", 7, 1), []),
        (EFI + "OsIndicationsSupported-8be4df61-93ca-11d2-aa0d-00e098032b8c", struct.pack("<IQ", 7, 4), []),
    ],
)
def test_a_firmware_update_that_waits(host, path, content, expected):
    host.write(path, content)
    assert ids(host) == expected


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ((40 << 20, 10 << 30), [("root_full", "warn")]),
        ((0, 1 << 30), [("root_full", "warn")]),
        ((60 << 20, 10 << 30), []),
        ((40 << 20, 1 << 30), []),
        ((0, 1 << 30, "ro"), []),
    ],
)
def test_a_root_that_is_nearly_full(host, space, expected):
    host.calls.spaces["/"] = space
    assert ids(host) == expected


def test_room_in_memory(host, make):
    host.write(KERNEL, make.bzimage(payload=8 << 20))
    host.write("boot/initrd.img-" + NEW, make.cpio(("big", bytes(24 << 20))))
    for available, expected in (((32 + 63) << 10, [("no_room", "refuse")]), ((32 + 66) << 10, [])):
        host.write("proc/meminfo", "MemTotal: 9999999 kB\nMemAvailable: %d kB\n" % available)
        assert ids(host) == expected
    host.write("proc/meminfo", "MemAvailable: 1024 kB\n")
    assert blockers(host)[0]["message"].startswith("1 MiB of memory are available, and loading the kernel and its")


@pytest.mark.parametrize(("count", "expected"), [(1, []), (2, [("no_room", "refuse")])])
def test_room_for_joining_several_initrds(host, make, count, expected):
    host.calls.spaces["/run"] = (1 << 20, 10 << 20)
    initrds = tuple("/opt/initrd%d" % number for number in range(count))
    for initrd in initrds:
        host.write(initrd, make.cpio(("big", bytes(2 << 20))))
    assert ids(host, selection=Selection(None, "/" + KERNEL, initrds)) == expected


@pytest.mark.parametrize(
    ("loaded", "cmdline", "expected"),
    [
        ("1", "root=LABEL=root ro", [("crash_kernel", "warn")]),
        ("1", "root=LABEL=root ro crashkernel=256M", []),
        ("0", "root=LABEL=root ro", []),
    ],
)
def test_a_crash_kernel_that_would_have_no_memory(host, loaded, cmdline, expected):
    host.write("sys/kernel/kexec_crash_loaded", loaded + "\n")
    host.write("proc/cmdline", cmdline + "\n")
    assert ids(host, selection=Selection("running", None, ())) == expected


@pytest.mark.parametrize(
    ("lockdown", "config", "tools", "limit", "expected"),
    [
        ("[none] integrity", "CONFIG_KEXEC=y\n", True, "-1", []),
        ("[none] integrity", "CONFIG_KEXEC=y\n", False, "-1", [("no_call", "refuse")]),
        ("[none] integrity", "CONFIG_KEXEC_FILE=y\n", False, "0", [("load_limit", "refuse")]),
        ("[none] integrity", "CONFIG_KEXEC_FILE=y\n", False, "1", []),
    ],
)
def test_whether_any_call_is_left(host, lockdown, config, tools, limit, expected):
    host.write("sys/kernel/security/lockdown", lockdown + "\n")
    host.write("boot/config-" + OLD, config)
    host.write("proc/sys/kernel/kexec_load_limit_reboot", limit + "\n")
    if tools:
        host.program("/usr/sbin/kexec", lambda argv: (0, "", ""))
    assert ids(host) == expected


def test_lockdown_leaves_only_the_file_call(host):
    host.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    host.write("boot/config-" + OLD, "CONFIG_KEXEC=y\n")
    host.program("/usr/sbin/kexec", lambda argv: (0, "", ""))
    first = blockers(host)[0]
    assert (first["id"], first["severity"]) == ("no_call", "refuse")
    assert first["message"].startswith("kernel lockdown (integrity) permits the kexec_file_load call only")


@pytest.mark.parametrize(
    ("signature", "expected", "sentence"),
    [
        ("signed", None, None),
        ("unsigned", "unsigned_kernel", "is not signed, and this kernel accepts signed ones only"),
        ("altered", "altered_kernel", "the signature does not match: the image is damaged or altered"),
    ],
)
@pytest.mark.parametrize("enforced", ["lockdown", "config", "nothing"])
def test_signatures_are_judged_before_anything_is_drained(host, make, signature, expected, sentence, enforced):
    if enforced == "lockdown":
        host.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    if enforced == "config":
        host.write("boot/config-" + OLD, "CONFIG_KEXEC_FILE=y\nCONFIG_KEXEC_SIG_FORCE=y\n")
    kernel = make.signed(make.bzimage()) if signature != "unsigned" else make.bzimage()
    host.write(KERNEL, kernel if signature != "altered" else kernel.replace(b"\xcc" * 9, b"\xcd" * 9, 1))
    found = blockers(host)
    if enforced == "nothing" or expected is None:
        assert found == []
    else:
        assert [(blocker["id"], blocker["severity"]) for blocker in found] == [(expected, "refuse")]
        assert found[0]["message"].startswith("the kernel /%s: " % KERNEL)
        assert sentence in found[0]["message"]


def test_the_operators_rules_hold(host):
    host.write("proc/modules", "hpwdt 1 0 - Live 0x0\nodd 1 0 - Live 0x0\n")
    own = {"id": "odd", "severity": "refuse", "reason": "the module odd", "driver": "odd"}
    rules = Rules.of({"known_trouble": [own], "ignore_blockers": ["hpwdt"]})
    assert blockers_of(host, rules) == [("odd", "refuse", "the module odd")]


def blockers_of(host, rules):
    found = survey(host.machine(), Selection(None, None, ()), rules)["blockers"]
    return [(blocker["id"], blocker["severity"], blocker["message"]) for blocker in found]


def test_nothing_is_said_of_a_containers_host(host):
    host.write("run/systemd/container", "lxc\n")
    host.write("proc/modules", "hpwdt 1 0 - Live 0x0\n")
    assert ids(host) == [("container", "refuse")]
