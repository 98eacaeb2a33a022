# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader import detect
from ansible_collections.fleetops.kexec.plugins.module_utils._boot_loader.detect import read_boot_loader
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError, Machine

TYPE = "proc/sys/kernel/bootloader_type"
INFO = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
GRUB = {"boot/grub/grub.cfg": "menuentry a { linux /boot/k; }\n"}
EXTLINUX = {"boot/extlinux/extlinux.conf": "label a\n linux /boot/k\n"}
LEGACY = {"boot/grub/menu.lst": "title a\nkernel /boot/k\n"}
STAGE2 = {"boot/grub/stage2": "boot sector"}
SYSTEMD_BOOT = {"efi/loader/loader.conf": "timeout 3\n", "sys/firmware/efi/fw_platform_size": "64\n"}


def info(text):
    return {INFO: b"\6\0\0\0" + (text + "\0").encode("utf-16-le")}


def joined(*parts):
    return {path: content for part in parts for path, content in part.items()}


@pytest.fixture
def machine(tmp_path):
    def build(files):
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        return Machine(str(tmp_path), lambda argv: (1, "", ""), arch="x86_64")

    return build


@pytest.mark.parametrize(
    ("files", "loader"),
    [
        (GRUB, "grub"),
        (EXTLINUX, "extlinux"),
        (joined(LEGACY, STAGE2), "grub-legacy"),
        (SYSTEMD_BOOT, "systemd-boot"),
        # A menu.lst for Xen's pv-grub beside GRUB.
        (joined(GRUB, LEGACY), "grub"),
        # The proof decides between several.
        (joined(GRUB, LEGACY, STAGE2, {TYPE: "113\n"}), "grub-legacy"),
        (joined(GRUB, LEGACY, STAGE2, {TYPE: "114\n"}), "grub"),
        (joined(GRUB, EXTLINUX, {TYPE: "52\n"}), "extlinux"),
        (joined(GRUB, SYSTEMD_BOOT, info("systemd-boot 252.30")), "systemd-boot"),
        (joined(GRUB, SYSTEMD_BOOT, info("GRUB 2.12")), "grub"),
        (joined(GRUB, SYSTEMD_BOOT, {TYPE: "114\n"}), "grub"),
        # After a kexec the number is gone, and the EFI variable is not.
        (joined(GRUB, SYSTEMD_BOOT, {TYPE: "208\n"}, info("systemd-boot 257")), "systemd-boot"),
        # systemd-boot cannot have started a machine without EFI, or with EFI variables but not its own.
        (joined(GRUB, {"efi/loader/loader.conf": ""}), "grub"),
        (joined(GRUB, SYSTEMD_BOOT, {"sys/firmware/efi/efivars/BootOrder-x": b"\7\0\0\0\1\0"}), "grub"),
        # The number is of a loader that has no configuration here.
        (joined(GRUB, {TYPE: "52\n"}), "grub"),
    ],
)
def test_the_boot_loader_that_started_the_machine_counts(machine, files, loader):
    assert read_boot_loader(machine(files)).loader == loader


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (joined(GRUB, EXTLINUX, {TYPE: "208\n"}), ["GRUB (/boot/grub/grub.cfg)", "extlinux (/boot/extlinux/"]),
        (joined(GRUB, LEGACY, STAGE2), ["GRUB (/boot/grub/grub.cfg)", "legacy GRUB (/boot/grub/menu.lst)"]),
        (joined(GRUB, SYSTEMD_BOOT), ["systemd-boot (/efi/loader/loader.conf)", "GRUB (/boot/grub/grub.cfg)"]),
        # 33 is left by the kernel's EFI stub, whoever called it.
        (joined(GRUB, SYSTEMD_BOOT, {TYPE: "33\n"}), ["systemd-boot", "GRUB"]),
    ],
)
def test_several_boot_loaders_without_a_proof_are_refused(machine, files, names):
    with pytest.raises(KexecError) as error:
        read_boot_loader(machine(files))
    assert all(name in str(error.value) for name in names)
    assert "cannot be told which one" in str(error.value)


BOTH = {
    "boot/grub/grub.cfg": "menuentry a { linux /boot/k; }\n",
    "boot/grub2/grub.cfg": "menuentry b { linux /boot/k; }\n",
}


@pytest.mark.parametrize(
    ("files", "link", "path"),
    [
        (BOTH, "../boot/grub2/grub.cfg", "/boot/grub2/grub.cfg"),
        (joined(BOTH, {"boot/grub2/i386-pc/normal.mod": ""}), None, "/boot/grub2/grub.cfg"),
        (joined(BOTH, {"boot/grub/x86_64-efi/normal.mod": ""}), None, "/boot/grub/grub.cfg"),
        (BOTH, None, None),
        (joined(BOTH, {"boot/grub/a/normal.mod": "", "boot/grub2/a/normal.mod": ""}), None, None),
    ],
)
def test_of_two_folders_of_grub_the_installed_one_counts(machine, tmp_path, files, link, path):
    host = machine(files)
    if link is not None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/grub2.cfg").symlink_to(link)
    if path is None:
        with pytest.raises(KexecError, match=r"there are /boot/grub/grub\.cfg and /boot/grub2/grub\.cfg; remove"):
            read_boot_loader(host)
    else:
        assert read_boot_loader(host).path == path


def test_one_folder_of_grub_by_two_names_is_one(machine, tmp_path):
    host = machine(GRUB)
    (tmp_path / "boot/grub2").symlink_to("grub")
    assert read_boot_loader(host).path == "/boot/grub/grub.cfg"


def test_systemd_boot_without_its_files_asks_for_the_system_partition(machine):
    with pytest.raises(KexecError, match="is the EFI system partition mounted"):
        read_boot_loader(machine(joined(GRUB, info("systemd-boot 252"), {"sys/firmware/efi/fw_platform_size": "64"})))


def test_every_reader_says_where_it_looks(machine):
    with pytest.raises(KexecError) as error:
        read_boot_loader(machine({}))
    for reader in detect.READERS:
        assert "%s (/" % reader.name in str(error.value)
