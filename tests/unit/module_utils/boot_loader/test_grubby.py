# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import grubby
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from hypothesis import given, settings
from hypothesis import strategies as st

# The script grubby of RHEL 8 and later quotes values and shows variables as they are.
RHEL9 = """\
index=0
kernel="/boot/vmlinuz-5.14.0-503.el9.x86_64"
args="ro crashkernel=1G-4G:192M dyndbg="file a.c +p" rhgb quiet $tuned_params"
root="/dev/mapper/rhel-root"
initrd="/boot/initramfs-5.14.0-503.el9.x86_64.img $tuned_initrd"
title="Red Hat Enterprise Linux (5.14.0-503.el9.x86_64) 9.5 (Plow)"
id="3c1f0d8e2b8a4f3d9a6e5b7c2d1e0f34-5.14.0-503.el9.x86_64"
index=1
kernel="/boot/vmlinuz-0-rescue-3c1f"
args="ro"
root="/dev/mapper/rhel-root"
initrd="/boot/initramfs-0-rescue-3c1f.img"
title="Red Hat Enterprise Linux (0-rescue-3c1f) 9.5 (Plow)"
id="3c1f-0-rescue"
"""
# The program grubby of RHEL 5 to 7; 5 prints no index.
RHEL7 = """\
index=0
kernel=/boot/vmlinuz-3.10.0-1160.el7.x86_64
args="ro crashkernel=auto rhgb quiet LANG=en_US.UTF-8"
root=/dev/mapper/ol-root
initrd=/boot/initramfs-3.10.0-1160.el7.x86_64.img
title=Oracle Linux Server (3.10.0-1160.el7.x86_64) 7.9
index=1
non linux entry
"""
RHEL5 = """\
kernel=/boot/vmlinuz-2.6.18-419.el5
args="ro rhgb quiet"
root=/dev/VolGroup00/LogVol00
initrd=/boot/initrd-2.6.18-419.el5.img
kernel=/boot/vmlinuz-2.6.18-398.el5
args="ro"
root=/dev/VolGroup00/LogVol00
"""
NEW, OLD = "/boot/vmlinuz-6.1.0-56-cloud-amd64", "/boot/vmlinuz-6.1.0-55-cloud-amd64"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            RHEL9,
            [
                ("3c1f0d8e2b8a4f3d9a6e5b7c2d1e0f34-5.14.0-503.el9.x86_64", "/boot/vmlinuz-5.14.0-503.el9.x86_64"),
                ("3c1f-0-rescue", "/boot/vmlinuz-0-rescue-3c1f"),
            ],
        ),
        (RHEL7, [("", "/boot/vmlinuz-3.10.0-1160.el7.x86_64")]),
        (RHEL5, [("", "/boot/vmlinuz-2.6.18-419.el5"), ("", "/boot/vmlinuz-2.6.18-398.el5")]),
        ("", []),
        ("grubby fatal error: unable to find a suitable template\n", []),
    ],
)
def test_what_grubby_says_is_read(text, found):
    assert [(block.get("id"), block.get("kernel")) for block in grubby.parse_info(text)] == found


def test_quotes_inside_a_value_stay():
    block = grubby.parse_info(RHEL9)[0]
    assert block.get("args") == 'ro crashkernel=1G-4G:192M dyndbg="file a.c +p" rhgb quiet $tuned_params'


@settings(max_examples=300, deadline=1000)
@given(st.text(alphabet=st.sampled_from('indexkrlags=01"\n $\udcff')))
def test_any_answer_is_read(text):
    assert all(block.get("kernel") for block in grubby.parse_info(text))


@pytest.fixture
def installed(host):
    """Installs a grubby that answers like this, question by question."""

    def install(**answers):
        def answer(arguments):
            found = answers.get(arguments[0].strip("-").replace("-", "_").replace("=", "_"), (1, "", "grubby: no"))
            return found if isinstance(found, tuple) else (0, found, "")

        host.program("/usr/sbin/grubby", answer)
        return host.machine()

    return install


@pytest.mark.parametrize(
    ("answer", "default", "problem"),
    [
        (NEW + "\n", NEW, None),
        (OLD + "\n", None, "it would start the kernel %s (entry debian-6.1.0-56-cloud-amd64), but grubby" % NEW),
        # No opinion.
        ("", NEW, None),
        ((1, "", "grubby: fatal"), NEW, None),
        ("two\nlines\n", NEW, None),
    ],
)
def test_grubby_is_a_second_opinion_on_grub(installed, answer, default, problem):
    config = read_boot_loader(installed(default_kernel=answer))
    assert (config.default.kernel if config.default else None) == default
    assert (config.default_problem or "").startswith(problem or "")
    assert len(config.entries) == 2


def test_the_same_kernel_by_another_path_is_no_disagreement(installed, host):
    (host.root / "link").symlink_to("boot")
    assert read_boot_loader(installed(default_kernel="/link/vmlinuz-6.1.0-56-cloud-amd64\n")).default.kernel == NEW


def test_grubbys_opinion_is_told_where_the_default_cannot_be(installed, host):
    host.write("boot/grub/grub.cfg", "set default=0\nmenuentry a { chainloader +1; }\n")
    config = read_boot_loader(installed(default_kernel=OLD))
    assert config.default is None
    assert config.default_problem.endswith("; grubby names " + OLD)


def test_where_nobody_else_knows_the_loader_grubby_does(installed, host):
    os.unlink(str(host.root / "boot/grub/grub.cfg"))
    for path in ("vmlinuz-5.14.0-503.el9.x86_64", "vmlinuz-0-rescue-3c1f", "initramfs-0-rescue-3c1f.img"):
        host.write("boot/" + path, "content")
    blocks = RHEL9.split("index=1")
    config = read_boot_loader(installed(info_ALL=RHEL9, info_DEFAULT="index=1" + blocks[1]))
    unresolved, rescue = config.entries
    assert (config.loader, config.default) == ("grubby", rescue)
    assert (rescue.cmdline, rescue.initrds) == ("root=/dev/mapper/rhel-root ro", ("/boot/initramfs-0-rescue-3c1f.img",))
    assert unresolved.problem == "grubby shows the variable $tuned_params, whose value only GRUB knows"


def test_a_grubby_that_fails_says_why(installed, host):
    os.unlink(str(host.root / "boot/grub/grub.cfg"))
    with pytest.raises(KexecError, match="grubby --info=ALL failed with code 1: grubby: no"):
        read_boot_loader(installed())


def test_a_kernel_that_grubby_names_may_be_gone(installed, host):
    os.unlink(str(host.root / "boot/grub/grub.cfg"))
    config = read_boot_loader(installed(info_ALL=RHEL7, info_DEFAULT=RHEL7))
    assert "grubby names /boot/vmlinuz-3.10.0-1160.el7.x86_64, which does not exist" in config.default.problem
