# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each distribution's boot loader has in its menu, over the trees in fixtures/boot_loader."""

import os

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine
from ansible_collections.fleetops.kexec.plugins.module_utils._target import target_of_newest

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "..", "fixtures", "boot_loader")

RHEL8, RHEL9 = "c1f0d8e2b8a04f3d9a6e5b7c2d1e0f34-", "3c1f0d8e2b8a4f3d9a6e5b7c2d1e0f34-"
FEDORA, OL8 = "e9f0d8e2b8a04f3d9a6e5b7c2d1e0f34-", "b7f0d8e2b8a04f3d9a6e5b7c2d1e0f34-"
OL9, DEBIAN = "f3a0d8e2b8a04f3d9a6e5b7c2d1e0f34-", "6a9857a393724b7a981ebb5b8495b9ea-"
OL7 = "gnulinux-3.10.0-1160.119.1.el7.x86_64-advanced-1a2b3c4d"


def no_program(argv):
    raise FileNotFoundError(2, "No such file or directory")


def machine(name):
    return Machine(os.path.join(FIXTURES, name), no_program, arch="x86_64")


@pytest.mark.parametrize(
    ("name", "loader", "path", "ids", "default", "one_shot"),
    [
        (
            "rhel8",
            "grub",
            "/boot/grub2/grub.cfg",
            [RHEL8 + "4.18.0-553.16.1.el8_10.x86_64", RHEL8 + "4.18.0-553.8.1.el8_10.x86_64", RHEL8 + "0-rescue"],
            1,
            None,
        ),
        (
            "rhel9",
            "grub",
            "/etc/grub2-efi.cfg",
            [
                RHEL9 + "5.14.0-503.11.1.el9_5.x86_64+debug",
                RHEL9 + "5.14.0-503.11.1.el9_5.x86_64",
                RHEL9 + "5.14.0-427.13.1.el9_4.x86_64",
                RHEL9 + "0-rescue",
            ],
            1,
            None,
        ),
        (
            "fedora42",
            "grub",
            "/etc/grub2-efi.cfg",
            [FEDORA + "6.15.4-200.fc42.x86_64", FEDORA + "6.14.0-63.fc42.x86_64", FEDORA + "0-rescue"],
            0,
            None,
        ),
        (
            "ol8-uek",
            "grub",
            "/boot/grub2/grub.cfg",
            [
                OL8 + "5.15.0-300.163.18.1.el8uek.x86_64",
                OL8 + "5.15.0-206.153.7.el8uek.x86_64",
                OL8 + "4.18.0-553.16.1.el8_10.x86_64",
                OL8 + "0-rescue",
            ],
            1,
            None,
        ),
        (
            "ol9",
            "grub",
            "/boot/grub2/grub.cfg",
            [
                OL9 + "5.15.0-300.163.18.1.el9uek.x86_64",
                OL9 + "5.14.0-503.11.1.el9_5.x86_64",
                OL9 + "5.14.0-427.13.1.el9_4.x86_64",
            ],
            1,
            None,
        ),
        ("ol7", "grub", "/boot/grub2/grub.cfg", [OL7, OL7, OL7], 0, None),
        ("ol6", "grub-legacy", "/boot/grub/grub.conf", ["0", "1"], 0, None),
        ("ol5", "grub-legacy", "/boot/grub/grub.conf", ["0", "1"], 1, "0"),
        (
            "arch-systemd-boot",
            "systemd-boot",
            "/boot/loader",
            ["arch.conf", "arch-lts.conf", "arch-gone.conf"],
            0,
            None,
        ),
        (
            "debian12-systemd-boot",
            "systemd-boot",
            "/efi/loader",
            [DEBIAN + "6.1.0-56-amd64.conf", DEBIAN + "6.1.0-55-amd64.conf"],
            0,
            DEBIAN + "6.1.0-55-amd64.conf",
        ),
        ("alpine-extlinux", "extlinux", "/boot/extlinux.conf", ["virt", "lts"], 1, None),
    ],
)
def test_the_menu_of_a_distribution(name, loader, path, ids, default, one_shot):
    config = read_boot_loader(machine(name))
    assert (config.loader, config.path, config.one_shot) == (loader, path, one_shot)
    assert [entry.id for entry in config.entries] == ids
    assert config.default_problem is None
    assert config.default == config.entries[default]
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("name", "kernel", "initrds", "cmdline"),
    [
        (
            "rhel8",
            "/boot/vmlinuz-4.18.0-553.8.1.el8_10.x86_64",
            ("/boot/initramfs-4.18.0-553.8.1.el8_10.x86_64.img",),
            (
                "root=/dev/mapper/rhel-root ro crashkernel=auto resume=/dev/mapper/rhel-swap rd.lvm.lv=rhel/root "
                "rd.lvm.lv=rhel/swap console=ttyS0,115200n8 quiet"
            ),
        ),
        (
            "rhel9",
            "/boot/vmlinuz-5.14.0-503.11.1.el9_5.x86_64",
            ("/boot/initramfs-5.14.0-503.11.1.el9_5.x86_64.img",),
            (
                "root=/dev/mapper/rhel-root ro crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M "
                "resume=/dev/mapper/rhel-swap rd.lvm.lv=rhel/root rd.lvm.lv=rhel/swap skew_tick=1 nohz=on"
            ),
        ),
        (
            "fedora42",
            "/boot/vmlinuz-6.15.4-200.fc42.x86_64",
            ("/boot/initramfs-6.15.4-200.fc42.x86_64.img",),
            "root=UUID=9c4c2d3e-4444-4a5b-8c9d-0123456789ab ro rootflags=subvol=root rhgb quiet",
        ),
        (
            "ol8-uek",
            "/boot/vmlinuz-5.15.0-206.153.7.el8uek.x86_64",
            ("/boot/initramfs-5.15.0-206.153.7.el8uek.x86_64.img",),
            (
                "root=/dev/mapper/ol-root ro crashkernel=auto resume=/dev/mapper/ol-swap rd.lvm.lv=ol/root "
                "rd.lvm.lv=ol/swap rhgb quiet"
            ),
        ),
        (
            "ol9",
            "/boot/vmlinuz-5.14.0-503.11.1.el9_5.x86_64",
            ("/boot/initramfs-5.14.0-503.11.1.el9_5.x86_64.img",),
            "root=/dev/mapper/ol-root ro crashkernel=1G-64G:448M,64G-:512M rd.lvm.lv=ol/root",
        ),
        (
            "ol7",
            "/boot/vmlinuz-5.4.17-2136.330.7.1.el7uek.x86_64",
            ("/boot/initramfs-5.4.17-2136.330.7.1.el7uek.x86_64.img",),
            "root=/dev/mapper/ol-root ro crashkernel=auto rd.lvm.lv=ol/root rd.lvm.lv=ol/swap rhgb quiet",
        ),
        (
            "ol6",
            "/boot/vmlinuz-4.1.12-124.48.6.el6uek.x86_64",
            ("/boot/initramfs-4.1.12-124.48.6.el6uek.x86_64.img",),
            (
                "ro root=/dev/mapper/vg_ol6-lv_root rd_NO_LUKS LANG=en_US.UTF-8 rd_NO_MD rd_LVM_LV=vg_ol6/lv_swap "
                "SYSFONT=latarcyrheb-sun16 crashkernel=auto rd_LVM_LV=vg_ol6/lv_root  KEYBOARDTYPE=pc KEYTABLE=us "
                "rd_NO_DM rhgb quiet numa=off transparent_hugepage=never"
            ),
        ),
        (
            "ol5",
            "/boot/vmlinuz-2.6.39-400.297.3.el5uek",
            ("/boot/initrd-2.6.39-400.297.3.el5uek.img",),
            "ro root=/dev/VolGroup00/LogVol00 rhgb quiet crashkernel=128M@16M numa=off",
        ),
        (
            "arch-systemd-boot",
            "/boot/vmlinuz-linux",
            ("/boot/intel-ucode.img", "/boot/initramfs-linux.img"),
            "root=PARTUUID=14420948-2cea-4de7-b042-40f67c618660 rw rd.luks.name=0f1e=cryptroot",
        ),
        (
            "debian12-systemd-boot",
            "/efi/6a9857a393724b7a981ebb5b8495b9ea/6.1.0-56-amd64/linux",
            ("/efi/6a9857a393724b7a981ebb5b8495b9ea/6.1.0-56-amd64/initrd.img-6.1.0-56-amd64",),
            (
                "root=UUID=5e0c1d2f-8888-4a5b-8c9d-0123456789ab ro quiet "
                "systemd.machine_id=6a9857a393724b7a981ebb5b8495b9ea"
            ),
        ),
        (
            "alpine-extlinux",
            "/boot/vmlinuz-lts",
            ("/boot/initramfs-lts",),
            "root=UUID=aa8c2d3e-9999-4a5b-8c9d-0123456789ab modules=sd-mod,usb-storage,ext4 quiet rootfstype=ext4",
        ),
    ],
)
def test_the_default_of_a_distribution(name, kernel, initrds, cmdline):
    default = read_boot_loader(machine(name)).default
    assert (default.kernel, default.initrds, default.cmdline, default.problem) == (kernel, initrds, cmdline, None)


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("debian12", "/boot/vmlinuz-6.1.0-55-amd64"),
        ("rhel8", "/boot/vmlinuz-4.18.0-553.16.1.el8_10.x86_64"),
        ("rhel9", "/boot/vmlinuz-5.14.0-503.11.1.el9_5.x86_64"),
        ("ol8-uek", "/boot/vmlinuz-5.15.0-300.163.18.1.el8uek.x86_64"),
        ("ol9", "/boot/vmlinuz-5.14.0-503.11.1.el9_5.x86_64"),
        ("ol7", "/boot/vmlinuz-5.4.17-2136.330.7.1.el7uek.x86_64"),
        ("ol6", "/boot/vmlinuz-4.1.12-124.48.6.el6uek.x86_64"),
        ("ol5", "/boot/vmlinuz-2.6.39-400.297.3.el5uek"),
    ],
)
def test_the_newest_keeps_the_flavour_of_the_default(name, kernel):
    assert target_of_newest(machine(name), read_boot_loader(machine(name))).kernel == kernel


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "several-candidates",
            (
                "several boot loaders have a configuration here, and it cannot be told which one the firmware starts: "
                "GRUB (/boot/grub/grub.cfg), extlinux (/boot/extlinux/extlinux.conf)"
            ),
        ),
        ("boot-not-mounted", "/etc/fstab has a file system for /boot, but /boot is not mounted"),
    ],
)
def test_what_cannot_be_told_is_refused(name, sentence):
    with pytest.raises(KexecError) as error:
        read_boot_loader(machine(name))
    assert sentence in str(error.value)
