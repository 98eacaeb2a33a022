# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs of the machine it runs on, and how to say so when it is not there."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .errors import LabError

# Program or file -> the Debian package that brings it. tests/lab/packages.txt has the same packages, for
# set-up scripts; a unit test holds the two together.
TO_BUILD: Mapping[str, str] = {
    "apt-get": "apt",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "mmdebstrap": "mmdebstrap",
    "grub-mkstandalone": "grub-common",
    "/usr/lib/grub/x86_64-efi/moddep.lst": "grub-efi-amd64-bin",
    "mke2fs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "sfdisk": "fdisk",
}
TO_RUN: Mapping[str, str] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "/usr/share/OVMF/OVMF_CODE_4M.fd": "ovmf",
    "ssh": "openssh-client",
}

# Debian keeps some of these out of an ordinary user's PATH.
_SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def program(name: str) -> str:
    """The program's full path, or its bare name where it is not installed."""
    return shutil.which(name, path=_SEARCH) or name


def is_there(name: str) -> bool:
    return Path(name).exists() if name.startswith("/") else shutil.which(name, path=_SEARCH) is not None


def missing_sentence(missing: Mapping[str, str]) -> str:
    """Names what is missing and the one command that installs it (pure)."""
    packages = " ".join(sorted(set(missing.values())))
    return f"The lab needs {', '.join(missing)}, not found here. Install: apt-get install {packages}"


def require(needed: Mapping[str, str]) -> None:
    """:raises LabError: naming all that is missing at once."""
    missing = {name: package for name, package in needed.items() if not is_there(name)}
    if missing:
        raise LabError(missing_sentence(missing))


def space_refusal(folder: Path, free: int, needed: int, purpose: str) -> str | None:
    """The sentence that refuses for want of disk space in bytes, or None where there is enough (pure)."""
    if free >= needed:
        return None
    return (
        f"{purpose} needs {needed / 1e9:.1f} GB of disk space in {folder}, and {free / 1e9:.1f} GB are free. "
        f"Make room there, or set FLEETOPS_LAB_CACHE to a folder on a larger disk."
    )


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """:raises LabError: where the folder's file system has fewer than ``needed`` bytes free."""
    refusal = space_refusal(folder, shutil.disk_usage(folder).free, needed, purpose)
    if refusal:
        raise LabError(refusal)
