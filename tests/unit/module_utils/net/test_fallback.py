# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entry brings the running kernel back, over the trees in fixtures/boot_loader."""

import os
import shutil

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import grub, systemd_boot
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._net.fallback import find_fallback
from ansible_collections.fleetops.kexec.plugins.module_utils._net.state import OneShot
from ansible_collections.fleetops.kexec.plugins.module_utils._running import Running

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "boot_loader")
BUILD = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-30)"
ONE_SHOT = "sys/firmware/efi/efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

DEBIAN = "e6a9a1b4-3c5f-4d0e-9a5b-0d6f4a1c2b3d"
UBUNTU = "4f0c6a5e-70a2-4d6b-8b0f-3f8e5d2c1b90"
SUSE = "3d1f5c0e-6b0f-4a51-9d3c-2c1f8e7a6b55"
RHEL8, RHEL9 = "c1f0d8e2b8a04f3d9a6e5b7c2d1e0f34-", "3c1f0d8e2b8a4f3d9a6e5b7c2d1e0f34-"
FEDORA, OL8 = "e9f0d8e2b8a04f3d9a6e5b7c2d1e0f34-", "b7f0d8e2b8a04f3d9a6e5b7c2d1e0f34-"
DEBIAN_SYSTEMD = "6a9857a393724b7a981ebb5b8495b9ea-"


class Distribution:
    """A fixture's tree with real kernels in it, of which one runs."""

    def __init__(self, root, make, name, kernel, release, cmdline):
        shutil.copytree(os.path.join(FIXTURES, name), str(root), symlinks=True)
        if (root / ONE_SHOT).exists():
            (root / ONE_SHOT).unlink()
        for path in [*root.glob("boot/vmlinuz-*"), *root.glob("efi/*/*/linux")]:
            own = path == root / kernel.lstrip("/")
            path.write_bytes(make.bzimage(release if own else "0.0.0-" + path.name, build=BUILD))
        for tool in ("grub2-editenv", "bootctl"):
            file = root / "usr/bin" / tool
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")
            file.chmod(0o755)
        self.kernel = kernel
        self.machine = Machine(str(root), lambda argv: (0 if "editenv" in argv[0] else 1, "", ""), arch="x86_64")
        self.running = Running(release, BUILD, cmdline, "0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5", "firmware")
        self.config = read_boot_loader(self.machine)

    def fallback(self):
        return find_fallback(self.machine, self.config, self.running)


@pytest.mark.parametrize(
    ("name", "kernel", "release", "place", "value"),
    [
        (
            "debian12",
            "/boot/vmlinuz-6.1.0-49-amd64",
            "6.1.0-49-amd64",
            "/boot/grub/grubenv",
            "gnulinux-advanced-%s>gnulinux-6.1.0-49-amd64-advanced-%s" % (DEBIAN, DEBIAN),
        ),
        (
            "ubuntu2404",
            "/boot/vmlinuz-6.8.0-31-generic",
            "6.8.0-31-generic",
            "/boot/grub/grubenv",
            "gnulinux-advanced-%s>gnulinux-6.8.0-31-generic-advanced-%s" % (UBUNTU, UBUNTU),
        ),
        (
            "rhel8",
            "/boot/vmlinuz-4.18.0-553.16.1.el8_10.x86_64",
            "4.18.0-553.16.1.el8_10.x86_64",
            "/boot/grub2/grubenv",
            RHEL8 + "4.18.0-553.16.1.el8_10.x86_64",
        ),
        (
            "rhel9",
            "/boot/vmlinuz-5.14.0-427.13.1.el9_4.x86_64",
            "5.14.0-427.13.1.el9_4.x86_64",
            "/boot/grub2/grubenv",
            RHEL9 + "5.14.0-427.13.1.el9_4.x86_64",
        ),
        (
            "fedora42",
            "/boot/vmlinuz-6.14.0-63.fc42.x86_64",
            "6.14.0-63.fc42.x86_64",
            "/boot/grub2/grubenv",
            FEDORA + "6.14.0-63.fc42.x86_64",
        ),
        (
            "ol8-uek",
            "/boot/vmlinuz-4.18.0-553.16.1.el8_10.x86_64",
            "4.18.0-553.16.1.el8_10.x86_64",
            "/boot/grub2/grubenv",
            OL8 + "4.18.0-553.16.1.el8_10.x86_64",
        ),
        (
            "suse-leap",
            "/boot/vmlinuz-6.4.0-150600.23.25-default",
            "6.4.0-150600.23.25-default",
            "/boot/grub2/grubenv",
            "gnulinux-advanced-%s>gnulinux-6.4.0-150600.23.25-default-advanced-%s" % (SUSE, SUSE),
        ),
        (
            "debian12-systemd-boot",
            "/efi/%s/6.1.0-55-amd64/linux" % DEBIAN_SYSTEMD.rstrip("-"),
            "6.1.0-55-amd64",
            "LoaderEntryOneShot",
            DEBIAN_SYSTEMD + "6.1.0-55-amd64.conf",
        ),
    ],
)
def test_the_older_kernel_of_a_distribution(tmp_path, make, name, kernel, release, place, value):
    host = Distribution(tmp_path / "host", make, name, kernel, release, "BOOT_IMAGE=%s ro" % kernel)
    assert host.config.one_shot is None
    found = host.fallback()
    assert found == OneShot(host.config.loader, place, value)
    if found.loader == "grub":
        started = grub.would_start(host.machine, host.config.path, value).entry
    else:
        started = systemd_boot.would_start(host.machine, value)
    assert started.kernel == kernel
    assert started != host.config.default


def test_of_several_entries_the_one_that_was_started_is_taken(tmp_path, make):
    kernel, release = "/boot/vmlinuz-6.1.0-55-amd64", "6.1.0-55-amd64"
    host = Distribution(tmp_path / "host", make, "debian12", kernel, release, "ro")
    assert host.fallback().value == "gnulinux-simple-" + DEBIAN
    menu = tmp_path / "host/boot/grub/grub.cfg"
    simple, rest = menu.read_text().split("submenu ", 1)
    menu.write_text(simple.replace(" ro ", " ro debug ") + "submenu " + rest)
    host = Distribution(tmp_path / "again", make, "debian12", kernel, release, "ro")
    shutil.copy(str(menu), str(tmp_path / "again/boot/grub/grub.cfg"))
    config = read_boot_loader(host.machine)
    (cmdline,) = {entry.cmdline for entry in config.entries if "%s-advanced" % release in entry.id}
    host.running = host.running._replace(cmdline="BOOT_IMAGE=%s %s" % (kernel, cmdline))
    assert find_fallback(host.machine, config, host.running).value == "gnulinux-advanced-%s>gnulinux-%s-advanced-%s" % (
        DEBIAN,
        release,
        DEBIAN,
    )


def test_an_id_that_several_entries_share_is_no_name_for_one_of_them(tmp_path, make):
    """Oracle Linux 7: all have one id, so only the title tells them apart."""
    kernel, release = "/boot/vmlinuz-3.10.0-1160.119.1.el7.x86_64", "3.10.0-1160.119.1.el7.x86_64"
    host = Distribution(tmp_path / "host", make, "ol7", kernel, release, "ro")
    (entry,) = [entry for entry in host.config.entries if entry.kernel == kernel]
    assert entry != host.config.default
    assert host.fallback().value == entry.title


@pytest.mark.parametrize("name", ["ol6", "alpine-extlinux"])
def test_boot_loaders_without_an_entry_for_one_start(tmp_path, make, name):
    host = Distribution(tmp_path / "host", make, name, "/boot/vmlinuz-virt", "6.12.0-virt", "ro")
    with pytest.raises(KexecError, match=r"this version cannot tell the boot loader .* to start an entry once"):
        host.fallback()
