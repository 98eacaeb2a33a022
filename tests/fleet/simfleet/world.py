# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a simulated host: what a module may look at. The kernel's own are files like all others here."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

_ROOT_DEVICE = "UUID=e6a9a1b4-3c5f-4d0e-9a5b-0d6f4a1c2b3d"
ENTRY_CMDLINE = "root=%s ro console=ttyS0,115200 quiet" % _ROOT_DEVICE

# /proc/sys/kernel/bootloader_type after GRUB and after a kexec.
BY_GRUB, BY_KEXEC = "114", "208"

_STILL = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\nPRETTY_NAME="a simulated host"\n',
    "etc/fstab": "%s / ext4 errors=remount-ro 0 1\n" % _ROOT_DEVICE,
    "proc/1/comm": "systemd\n",
    "proc/1/environ": "",
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Simulated Processor\n",
    "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\n",
    "proc/modules": "",
    "proc/self/mountinfo": "24 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n",
    "sys/class/dmi/id/sys_vendor": "fleetops\n",
    "sys/class/dmi/id/product_name": "Simulated Server\n",
    "sys/class/dmi/id/bios_version": "1.0\n",
}
_FOLDERS = ("root", "tmp", "var/tmp", "dev", "run", "simulator", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64")
_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


def build_of(release: str) -> str:
    """What ``uname -v`` says of a kernel."""
    return "#1 SMP PREEMPT_DYNAMIC Debian %s (2026-10-30)" % release


def kernel_image(release: str) -> bytes:
    """The smallest file that is a whole bzImage: Documentation/arch/x86/boot.rst."""
    setup_sectors, payload = 4, 4096
    image = bytearray((setup_sectors + 1) * 512 + payload)
    image[0x1F1] = setup_sectors
    struct.pack_into("<I", image, 0x1F4, payload // 16)
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, 0x300 - 0x200)
    struct.pack_into("<I", image, 0x238, 2047)
    version = ("%s (builder@simulated) %s" % (release, build_of(release))).encode() + b"\0"
    image[0x300 : 0x300 + len(version)] = version
    return bytes(image)


def initrd_image() -> bytes:
    """An empty cpio archive."""
    name = b"TRAILER!!!\0"
    numbers = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(name), 0]
    archive = b"070701" + b"".join(b"%08X" % number for number in numbers) + name
    return archive + b"\0" * (-len(archive) % 512)


def _grub_config(default: str, releases: tuple[str, ...]) -> str:
    lines = ['set default="gnulinux-%s"' % default]
    for release in releases:
        lines += [
            "menuentry 'Debian GNU/Linux, with Linux %s' --class debian --id 'gnulinux-%s' {" % (release, release),
            "\tsearch --no-floppy --fs-uuid --set=root %s" % _ROOT_DEVICE.partition("=")[2],
            "\tlinux\t/boot/vmlinuz-%s %s" % (release, ENTRY_CMDLINE),
            "\tinitrd\t/boot/initrd.img-%s" % release,
            "}",
        ]
    return "\n".join(lines) + "\n"


def install(root: Path, name: str) -> None:
    """The files of the system, which outlive a reboot."""
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True)
    for link, target in _LINKS.items():
        (root / link).symlink_to(target)
    for path, text in {**_STILL, "etc/hostname": name + "\n"}.items():
        _write(root / path, text)


def write_boot_folder(root: Path, releases: tuple[str, ...], default: str) -> None:
    """Kernels, and the boot loader's menu."""
    for release in releases:
        _write(root / ("boot/config-%s" % release), "CONFIG_KEXEC=y\nCONFIG_KEXEC_FILE=y\n")
        (root / ("boot/vmlinuz-%s" % release)).write_bytes(kernel_image(release))
        (root / ("boot/initrd.img-%s" % release)).write_bytes(initrd_image())
    _write(root / "boot/grub/grubenv", "# GRUB Environment Block\n".ljust(1024, "#"))
    _write(root / "boot/grub/grub.cfg", _grub_config(default, releases))


def boot(root: Path, release: str, cmdline: str, loader_type: str, boot_id: str) -> None:
    """What a start of a kernel makes: its own files anew, and empty folders in memory."""
    for folder in ("run", "tmp"):
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
    (root / "run/systemd/system").mkdir(parents=True)
    kernel = root / "proc/sys/kernel"
    _write(kernel / "osrelease", release + "\n")
    _write(kernel / "version", build_of(release) + "\n")
    _write(kernel / "bootloader_type", loader_type + "\n")
    _write(kernel / "kexec_load_disabled", "0\n")
    _write(kernel / "random/boot_id", boot_id + "\n")
    _write(root / "proc/cmdline", cmdline + "\n")
    _write(root / "sys/kernel/kexec_loaded", "0\n")
    _write(root / "sys/kernel/kexec_crash_loaded", "0\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
