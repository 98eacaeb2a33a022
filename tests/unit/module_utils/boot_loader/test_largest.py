# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a boot loader's files may be at their largest, and that reading them has an end."""

import time

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

CFG, CONF, LINUX = "boot/grub/grub.cfg", "boot/grub/grub.conf", "boot/extlinux/extlinux.conf"
ENTRIES = "boot/loader/entries/m-6.%d.conf"
LOOP = "while true; do\n%s\ndone\n"
ENVIRONMENT = "# GRUB Environment Block\n"


def entry_files(count, content):
    return {ENTRIES % number: content for number in range(count)}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({CFG: "#" * 50000000}, "the GRUB configuration /boot/grub/grub.cfg is larger than 4194304 bytes"),
        ({CFG: "#" * 4000000}, None),
        ({CFG: "#\n" * 2000000}, "/boot/grub/grub.cfg line "),
        (
            {
                CFG: "".join("source /boot/grub/%sx\n" % ("./" * number) for number in range(400)),
                "boot/grub/x": "#" * 4000000,
            },
            "x: gave up here",
        ),
        (
            {CFG: LOOP % "load_env", "boot/grub/grubenv": ENVIRONMENT + "#\n" * 32000},
            "/boot/grub/grub.cfg line 2: gave",
        ),
        (
            {CFG: LOOP % "load_env", "boot/grub/grubenv": ENVIRONMENT + "a=\n" * 21000},
            "/boot/grub/grub.cfg line 2: gave",
        ),
        (dict(entry_files(450, "title x\n"), **{CFG: LOOP % "blscfg"}), "/boot/grub/grub.cfg line "),
        (dict(entry_files(450, "linux /boot/k\n"), **{CFG: "blscfg\n"}), None),
        (
            dict(entry_files(501, "linux /boot/k\n"), **{CFG: "blscfg\n"}),
            "has 501 boot entries; more than 500 are no",
        ),
        (dict(entry_files(40, "a\n" * 30000), **{CFG: "blscfg\n"}), "are larger than 524288 bytes in all"),
        (
            dict(
                entry_files(5, "linux /boot/k\noptions %s\n" % ("$a" * 30000)),
                **{CFG: "a=%s\nblscfg\n" % ("x" * 16000)},
            ),
            "/boot/loader/entries/m-6.4.conf line 2: gets longer than 65536 characters by GRUB's variables",
        ),
        (
            dict(
                entry_files(5, "linux /%s/k\n" % ("x" * 60000)),
                **{CFG: "load_env\nblscfg\n", "boot/grub/grubenv": ENVIRONMENT + "early_initrd=%s\n" % ("a " * 30000)},
            ),
            "/boot/loader/entries/m-6.4.conf line 1: gets longer than 65536 characters by GRUB's variables",
        ),
        (
            {CFG: "menuentry x {\nlinux /boot/k\ninitrd %s\n}\n" % ("/boot/k " * 40000)},
            "/boot/grub/grub.cfg line 3: gave",
        ),
        ({CFG: "menuentry x {\nlinux /k\n}\n" * 2000}, "/boot/grub/grub.cfg makes more than 500 entries"),
        ({CFG: None, CONF: "title x\n" + "a b\n" * 250000}, None),
        ({CFG: None, CONF: "title\nkernel /k\n" * 60000}, "grub.conf line 1001: more than 500 entries are no menu"),
        ({CFG: None, CONF: "title x\nkernel /boot/k\nroot (hd0,%s)\n" % ("9" * 5000)}, None),
        ({CFG: None, LINUX: "label x\n" + "a b\n" * 250000}, None),
        (
            {CFG: None, LINUX: "label x\nlinux /k\n" * 60000},
            "extlinux.conf line 1001: more than 500 labels are no menu",
        ),
        (
            {CFG: None, LINUX: "label x\nlinux /k\ninitrd %s\n" % ("a," * 500000)},
            "extlinux.conf line 1: more than 5000 files",
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value)[:40],
)
def test_no_configuration_is_read_for_long(host, files, sentence):
    host.write("boot/k", "kernel")
    for path, content in files.items():
        if content is None:
            (host.root / path).unlink()
        else:
            host.write(path, content)
    began = time.process_time()
    refusal = None
    try:
        read_boot_loader(host.machine())
    except KexecError as error:
        refusal = str(error)
    seconds = time.process_time() - began
    assert (refusal is None) == (sentence is None)
    assert sentence is None or sentence in refusal
    # A third of this at most is usual; a busy machine gets three times that.
    assert seconds < 3


def test_a_host_of_containers_is_read_as_fast(host):
    """Each container has some mounts, many of them folders of the file system that has /boot."""
    lines = ["22 1 254:2 / / rw shared:1 - ext4 /dev/vda2 rw"]
    for number in range(3000):
        lines.append("%d 22 254:2 /var/lib/%d /var/lib/pods/%d rw - ext4 /dev/vda2 rw" % (number + 100, number, number))
    host.write("proc/self/mountinfo", "\n".join(lines) + "\n")
    began = time.process_time()
    assert read_boot_loader(host.machine()).default.problem is None
    assert time.process_time() - began < 3
