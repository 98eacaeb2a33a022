# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels and initial RAM disks, as small as they can be. Pure."""

import hashlib
import struct
from typing import Tuple

OLD, NEW = "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64"
BUILD = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-30)"

# A zstd frame of two raw blocks and a checksum, put together by RFC 8878; two blocks of the legacy lz4 format.
ZSTD = b"\x28\xb5\x2f\xfd\x04\x58" + b"\x10\x00\x00ab" + b"\x11\x00\x00cd" + b"CKSM"
LZ4 = b"\x02\x21\x4c\x18" + b"\x03\x00\x00\x00abc" + b"\x02\x00\x00\x00de"


def bzimage(release: str = NEW, build: str = BUILD, cmdline_size: int = 2047, payload: int = 4096) -> bytes:
    """A file that an x86 boot loader would take for a kernel: Documentation/arch/x86/boot.rst."""
    setup_sectors = 4
    image = bytearray((setup_sectors + 1) * 512)
    image[0x1F1] = setup_sectors
    struct.pack_into("<I", image, 0x1F4, payload // 16)
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, 0x300 - 0x200)
    struct.pack_into("<I", image, 0x238, cmdline_size)
    version = ("%s (builder@example.org) %s" % (release, build)).encode() + b"\0"
    image[0x300 : 0x300 + len(version)] = version
    return bytes(image) + b"\xcc" * payload


def signed(unsigned: bytes) -> bytes:
    """The kernel as a PE file with a signature: its headers in the boot sector, all the rest one section."""
    image = bytearray(unsigned)
    pe, optional, entry, table = 0x40, 0x58, 0x58 + 112 + 4 * 8, 0x58 + 240
    image[:2] = b"MZ"
    struct.pack_into("<I", image, 0x3C, pe)
    struct.pack_into("<4sHH12xH", image, pe, b"PE", 0x8664, 1, 240)
    struct.pack_into("<H", image, optional, 0x20B)
    struct.pack_into("<I", image, optional + 60, 512)
    struct.pack_into("<II", image, table + 16, len(image) - 512, 512)
    covered = image[: optional + 64] + image[optional + 68 : entry] + image[entry + 8 :]
    certificate = b"signed: " + hashlib.sha256(covered).digest()
    struct.pack_into("<II", image, entry, len(image), len(certificate))
    return bytes(image) + certificate


def cpio(*members: Tuple[str, bytes]) -> bytes:
    """A newc archive, as the kernel unpacks it into its root file system."""
    archive = b""
    for name, content in members + (("TRAILER!!!", b""),):
        encoded = name.encode() + b"\0"
        numbers = [0, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0]
        header = b"070701" + b"".join(b"%08X" % number for number in numbers)
        for part in (header + encoded, content):
            archive += part + b"\0" * (-len(part) % 4)
    return archive
