# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.mounts import (
    HOME,
    RUNNING,
    FileSystems,
    Location,
    boot_is_unmounted,
    covering,
    parse_mountinfo,
    places,
)

ONE_PARTITION = "24 1 254:1 / / rw shared:1 - ext4 /dev/vda1 rw\n25 24 0:22 / /proc rw - proc proc rw\n"
BOOT_PARTITION = (
    "24 1 253:0 / / rw shared:1 - xfs /dev/mapper/vg-root rw\n"
    "30 24 8:2 / /boot rw shared:2 - ext4 /dev/sda2 rw\n"
    "31 30 8:1 / /boot/efi rw shared:3 - vfat /dev/sda1 rw\n"
)
SUBVOLUMES = (
    "24 1 0:31 /@ / rw - btrfs /dev/vda2 rw,subvol=/@\n25 24 0:31 /@home /home rw - btrfs /dev/vda2 rw,subvol=/@home\n"
)
SUSE = (
    "62 1 0:31 /@/.snapshots/1/snapshot / rw - btrfs /dev/vda2 rw\n"
    "70 62 0:31 /@/.snapshots /.snapshots rw - btrfs /dev/vda2 rw\n"
    "71 62 0:31 /@/boot/grub2/x86_64-efi /boot/grub2/x86_64-efi rw - btrfs /dev/vda2 rw\n"
)
BOOT_SUBVOLUME = (
    "24 1 0:31 /@ / rw - btrfs /dev/vda2 rw,subvol=/@\n25 24 0:31 /@boot /boot rw - btrfs /dev/vda2 rw,subvol=/@boot\n"
)
BOUND = "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n25 24 8:1 / /srv/jail rw - ext4 /dev/sda1 rw\n"


def test_mountinfo_is_read_with_its_escapes_and_optional_fields_and_nothing_else():
    text = (
        "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 propagate_from:2 - ext3 /dev/root\\134x rw\n"
        "37 35 0:5 / /dev rw - devtmpfs udev rw\n"
        "no line of mountinfo\n"
        "39 35 8:1 / /boo\0t rw - ext4 /dev/sda1 rw\n"
        "40 35 8:1 / /boo\\000t rw - ext4 /dev/sda1 rw\n"
        "38 35 0:6 / /cut rw -\n"
    )
    assert [tuple(mount) for mount in parse_mountinfo(text)] == [
        ("98:0", "/mnt1", "/mnt 2", "ext3", "/dev/root\\x"),
        ("0:5", "/", "/dev", "devtmpfs", "udev"),
        ("8:1", "/", "/boo\\000t", "ext4", "/dev/sda1"),
    ]


@pytest.mark.parametrize(
    ("path", "point"),
    [("/boot/vmlinuz", "/boot"), ("/boot/efi/EFI", "/boot/efi"), ("/bootstrap", "/"), ("/boot", "/boot")],
)
def test_a_path_lies_on_the_deepest_mount(path, point):
    assert covering(parse_mountinfo(BOOT_PARTITION), path).point == point


def test_of_two_mounts_on_each_other_the_later_one_is_seen():
    text = "24 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n25 24 8:2 / /boot rw - ext4 /dev/sda2 rw\n"
    assert covering(parse_mountinfo(text), "/boot/x").device == "8:2"


@pytest.mark.parametrize(
    ("mountinfo", "device", "path", "expected"),
    [
        (ONE_PARTITION, "254:1", "/boot/vmlinuz", ("/boot/vmlinuz",)),
        (BOOT_PARTITION, "8:2", "/vmlinuz", ("/boot/vmlinuz",)),
        (BOOT_PARTITION, "8:1", "/EFI/debian/grub.cfg", ("/boot/efi/EFI/debian/grub.cfg",)),
        # What lies below /boot on the root file system is hidden by the partition mounted there.
        (BOOT_PARTITION, "253:0", "/boot/vmlinuz", ()),
        # On btrfs, the last place is for a GRUB that counts from the default subvolume.
        (SUBVOLUMES, "0:31", "/@/boot/vmlinuz", ("/boot/vmlinuz", "/@/boot/vmlinuz")),
        (SUBVOLUMES, "0:31", "/@home/vmlinuz", ("/home/vmlinuz", "/@home/vmlinuz")),
        (SUSE, "0:31", "/boot/vmlinuz", ("/boot/vmlinuz",)),
        (SUSE, "0:31", "/@/boot/grub2/x86_64-efi/k", ("/boot/grub2/x86_64-efi/k", "/@/boot/grub2/x86_64-efi/k")),
        (BOOT_SUBVOLUME, "0:31", "/@boot/vmlinuz", ("/boot/vmlinuz", "/@boot/vmlinuz")),
        (BOOT_SUBVOLUME, "0:31", "/@/boot/vmlinuz", ("/@/boot/vmlinuz",)),
        (BOUND, "8:1", "/boot/vmlinuz", ("/boot/vmlinuz", "/srv/jail/boot/vmlinuz")),
    ],
)
def test_a_boot_loaders_path_has_its_places_in_the_running_system(mountinfo, device, path, expected):
    mounts = parse_mountinfo(mountinfo)
    assert places(mounts, [mount for mount in mounts if mount.device == device], path) == expected


@pytest.fixture
def files(host):
    """File systems of a host with these mounts and files."""

    def build(mountinfo, *paths, home="/boot/grub", udev=()):
        host.write("proc/self/mountinfo", mountinfo)
        for path in paths:
            host.write(path, "content")
        for link, block_device in udev:
            place = host.write("dev/disk/" + link, "")
            place.unlink()
            place.symlink_to("../../" + block_device)
        return FileSystems(host.machine(), home)

    return build


UDEV = [
    ("by-uuid/0aa0-UUID", "sda2"),
    ("by-uuid/1bb1", "dm-0"),
    ("by-uuid/2cc2", "sdb1"),
    ("by-label/my\\x20boot", "sda2"),
]


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/k", "fs-uuid/0aa0-UUID", "/boot/k"),
        ("/k", "fs-uuid/0aa0-uuid", "/boot/k"),
        ("/k", "label/my boot", "/boot/k"),
        ("//k", HOME, "/boot/k"),
        ("/k", "hd0,gpt2", "/boot/k"),
        ("/k", "hd0,2", "/boot/k"),
        ("(hd0,msdos2)/k", "fs-uuid/1bb1", "/boot/k"),
        ("(fs-uuid/0aa0-UUID)/k", "hd1,gpt2", "/boot/k"),
        ("/srv/k", "lvm/vg-root", "/srv/k"),
        ("(%s)/srv/k" % RUNNING, HOME, "/srv/k"),
    ],
)
def test_a_file_is_found_on_the_file_system_that_grub_names(files, path, root, expected):
    systems = files(BOOT_PARTITION, "boot/k", "srv/k", udev=UDEV)
    assert systems.locate(path, root) == Location(expected)


@pytest.mark.parametrize(
    ("path", "root", "obstacle"),
    [
        ("/removed", "fs-uuid/0aa0-UUID", None),
        ("/k", "fs-uuid/2cc2", "is on the file system 2cc2 (sdb1), which is not mounted"),
        ("/k", "fs-uuid/3dd3", "is on the file system 3dd3, which this host does not have"),
        ("/k", "hd1,gpt2", "is on GRUB's device (hd1,gpt2), which is not known"),
        ("(hd0,gpt7)/k", HOME, "is on GRUB's device (hd0,gpt7), which is not known"),
        ("(cd)/k", HOME, "is on GRUB's device (cd), which is not known"),
        ("/k", "file//boot/marker", "is on whichever file system has /boot/marker"),
    ],
)
def test_a_file_elsewhere_is_not_mistaken_for_one_of_the_same_name(files, path, root, obstacle):
    location = files(BOOT_PARTITION, "boot/k", "k", udev=UDEV).locate(path, root)
    assert location.path is None
    assert location.obstacle is None if obstacle is None else location.obstacle.startswith(obstacle)


def test_a_volume_is_known_by_its_device_mapper_link(files, host):
    systems = files(BOOT_PARTITION, "srv/k", udev=UDEV)
    host.write("dev/mapper/x", "")
    (host.root / "dev/mapper/vg-root").symlink_to("../dm-0")
    assert systems.locate("/srv/k", "fs-uuid/1bb1") == Location("/srv/k")


def test_a_device_is_known_by_its_number_where_mountinfo_says_dev_root(files, host):
    systems = files("24 1 8:2 / / rw - ext4 /dev/root rw\n", "boot/k", udev=UDEV)
    host.write("sys/class/block/sda2/dev", "8:2\n")
    assert systems.locate("/boot/k", "fs-uuid/0aa0-UUID") == Location("/boot/k")


def test_a_btrfs_of_several_devices_is_known_by_each_of_them(files, host):
    systems = files("24 1 0:31 / / rw - btrfs /dev/sdc1 rw\n", "boot/k", udev=UDEV)
    host.write("sys/fs/btrfs/2cc2/devices/sdc1", "")
    assert systems.locate("/boot/k", "fs-uuid/2cc2") == Location("/boot/k")


@pytest.mark.parametrize("mountinfo", [BOOT_PARTITION, "", "unreadable\n"])
def test_without_udev_the_boot_partition_is_looked_at_first(files, mountinfo):
    assert files(mountinfo, "boot/only").locate("/only", "fs-uuid/0aa0-UUID") == Location("/boot/only")


@pytest.mark.parametrize(
    ("mountinfo", "fstab", "unmounted"),
    [
        (ONE_PARTITION, "UUID=1 / ext4 defaults 0 1\nUUID=2 /boot ext4 defaults 0 2\n", True),
        (ONE_PARTITION, "UUID=2\t/boot/\text4\n", True),
        (BOOT_PARTITION, "UUID=2 /boot ext4 defaults 0 2\n", False),
        (ONE_PARTITION, "# UUID=2 /boot ext4 defaults 0 2\n#UUID=2 /boot ext4\n\n/boot\n", False),
        ("", "UUID=2 /boot ext4 defaults 0 2\n", False),
    ],
)
def test_fstab_tells_that_boot_should_be_mounted(files, host, mountinfo, fstab, unmounted):
    host.write("etc/fstab", fstab)
    systems = files(mountinfo)
    assert boot_is_unmounted(host.machine()) is unmounted
    assert ("/boot is not mounted" in str(systems.locate("/k", HOME).obstacle)) is unmounted
