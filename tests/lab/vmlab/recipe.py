# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a base image is made of, as data, and the digests that name it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Raise it when image.py puts the same ingredients together differently.
BUILD_VERSION = 2

GUEST = Path(__file__).resolve().parent.parent / "guest"


class Kernels(NamedTuple):
    """Which kernels: the newest ``number`` releases of a series, as the archive has them that day."""

    series: str
    flavour: str
    number: int


class Firmware(NamedTuple):
    """UEFI code (read-only, shared) and the template of a machine's own variables."""

    code: Path
    variables: Path

    @property
    def secure(self) -> bool:
        """Whether it is OVMF's build for Secure Boot, which guards its variables by System Management Mode."""
        return ".secboot." in self.code.name


class Recipe(NamedTuple):
    """One variant of the lab's machines.

    :param boot_modules: of the GRUB that is made into one file; none where a part of the guest brings a boot loader.
    :param parts: the folders of the guest's own files and scripts, in the order in which they are applied.
    """

    name: str
    release: str
    kernels: Kernels
    packages: tuple[str, ...]
    boot_modules: tuple[str, ...]
    parts: tuple[str, ...]
    firmware: Firmware


_SYSTEM = (
    "e2fsprogs",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "openssh-server",
    "procps",
    "python3",
    "udev",
    "zstd",
)
_SYSTEMD = ("dbus", "libpam-systemd", "systemd-sysv")
# Its shutdown scripts call kexec, which systemd does not need.
_SYSVINIT = ("ifupdown", "kexec-tools", "sysvinit-core")
_GRUB = ("grub-common", "grub2-common")

# Everything that a grub.cfg of Debian's grub-mkconfig asks for: the modules are in GRUB's one file, because
# the disk has none, and GRUB stops at its prompt where one is missing.
_GRUB_MODULES = (
    "all_video boot cat configfile disk echo efi_gop ext2 fat font gettext gfxmenu gfxterm gzio halt help keystatus "
    "linux loadenv loopback ls lsefi lzopio minicmd normal part_gpt part_msdos probe reboot regexp search "
    "search_fs_file search_fs_uuid search_label serial sleep terminal test true tpm video xzio zstd"
)

_OVMF = Path("/usr/share/OVMF")

_PLAIN = Recipe(
    name="grub",
    release="bookworm",
    kernels=Kernels(series="6.1", flavour="cloud-amd64", number=2),
    packages=(*_SYSTEM, *_SYSTEMD, *_GRUB),
    boot_modules=tuple(_GRUB_MODULES.split()),
    parts=("common", "systemd", "grub"),
    firmware=Firmware(_OVMF / "OVMF_CODE_4M.fd", _OVMF / "OVMF_VARS_4M.fd"),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        _PLAIN,
        _PLAIN._replace(
            name="systemd-boot",
            packages=(*_SYSTEM, *_SYSTEMD, "systemd-boot"),
            boot_modules=(),
            parts=("common", "systemd", "systemd-boot"),
        ),
        _PLAIN._replace(
            name="sysvinit",
            packages=(*_SYSTEM, *_SYSVINIT, *_GRUB),
            parts=("common", "sysvinit", "grub"),
        ),
        _PLAIN._replace(
            name="secure-boot",
            packages=(*_SYSTEM, *_SYSTEMD, *_GRUB, "grub-efi-amd64-signed", "shim-signed"),
            boot_modules=(),
            parts=("common", "systemd", "grub", "secure-boot"),
            # The variables have Microsoft's keys, and with them Secure Boot is on.
            firmware=Firmware(_OVMF / "OVMF_CODE_4M.secboot.fd", _OVMF / "OVMF_VARS_4M.ms.fd"),
        ),
        # Debian's kernels for clouds have no driver for a watchdog.
        _PLAIN._replace(name="watchdog", kernels=Kernels(series="6.1", flavour="amd64", number=2)),
    )
}


def guest_files(folder: Path, parts: Sequence[str]) -> list[tuple[str, bool, str]]:
    """What is put into the guest: path, whether it can be executed, digest of its content.

    :param parts: the folders below *folder* that count; files right in it always do.
    """
    files = [*folder.iterdir(), *(path for part in parts for path in (folder / part).rglob("*"))]
    return [
        (
            str(path.relative_to(folder)),
            bool(path.stat().st_mode & 0o100),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(files)
        if path.is_file()
    ]


def recipe_digest(recipe: Recipe, guest: Path = GUEST) -> str:
    """Names the recipe without its kernel releases: these are chosen only when an image is built.

    So an image that is there stays usable when the archive has moved on, or cannot be asked.
    """
    ingredients = [BUILD_VERSION, recipe._replace(firmware=Firmware(Path(), Path())), guest_files(guest, recipe.parts)]
    return hashlib.sha256(json.dumps(ingredients, default=str).encode()).hexdigest()[:16]


def image_digest(recipe: str, kernels: Sequence[str]) -> str:
    """Names an image: the recipe's digest and the kernel releases that are in it."""
    return hashlib.sha256(json.dumps([recipe, list(kernels)]).encode()).hexdigest()[:16]
