# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature in a kernel that is a PE file: whether there is one, and whether it is of this very content.

Who has signed, and whether the running kernel trusts them, only the running kernel can tell. But whether a file is
unsigned or altered shows in the file itself, long before it is loaded.
"""

import hashlib
import struct
from typing import BinaryIO, List, NamedTuple, Tuple

UNSIGNED = "unsigned"
ALTERED = "altered"
SIGNED = "signed"

# Offsets of the PE format; the names are those of include/linux/pe.h.
_MZ_PEADDR = 0x3C
_COFF_SIZE = 24
_OPT_CSUM = 64
_OPT_HEADER_SIZE = 60
_CERTIFICATE_ENTRY = {0x10B: 128, 0x20B: 144}  # PE32, PE32+
_SECTION_SIZE = 40

# The digests that signers of kernels use.
_DIGESTS = ("sha256", "sha1", "sha384", "sha512")


class _Layout(NamedTuple):
    checksum: int
    entry: int
    """Of the certificate table, in the data directory."""
    header_size: int
    sections: Tuple[Tuple[int, int], ...]
    """Offset and size of each in the file."""
    certificates: Tuple[int, int]
    """Offset and size."""


def signature_of(stream: BinaryIO) -> str:
    """UNSIGNED, ALTERED or SIGNED; a file that is no PE file is unsigned."""
    stream.seek(0)
    content = stream.read()
    try:
        layout = _layout(content)
    except (struct.error, KeyError):
        return UNSIGNED
    offset, size = layout.certificates
    if size == 0:
        return UNSIGNED
    if layout.header_size + sum(length for _start, length in layout.sections) > len(content):
        return ALTERED  # sections over each other: no compiler makes them so
    certificates = content[offset : offset + size]
    covered = _covered(content, layout)
    # The digest stands in the signature as it is (Windows Authenticode PE Signature Format, SpcIndirectDataContent).
    if any(_digest(name, covered) in certificates for name in _DIGESTS):
        return SIGNED
    return ALTERED


def _layout(content: bytes) -> _Layout:
    (address,) = struct.unpack_from("<I", content, _MZ_PEADDR)
    if content[:2] != b"MZ" or content[address : address + 4] != b"PE\0\0":
        raise KeyError("no PE file")
    count, optional_size = struct.unpack_from("<6xH12xH", content, address)
    optional = address + _COFF_SIZE
    (magic,) = struct.unpack_from("<H", content, optional)
    (header_size,) = struct.unpack_from("<I", content, optional + _OPT_HEADER_SIZE)
    entry = optional + _CERTIFICATE_ENTRY[magic]
    sections = []
    for index in range(count):
        size, offset = struct.unpack_from("<16xII", content, optional + optional_size + index * _SECTION_SIZE)
        if size:
            sections.append((offset, size))
    certificates = struct.unpack_from("<II", content, entry)
    return _Layout(
        optional + _OPT_CSUM, entry, header_size, tuple(sorted(sections)), (certificates[0], certificates[1])
    )


def _covered(content: bytes, layout: _Layout) -> List[bytes]:
    """What the signature covers, in the order of crypto/asymmetric_keys/verify_pefile.c (pefile_digest_pe_contents)."""
    view = memoryview(content)
    parts = [
        view[: layout.checksum],
        view[layout.checksum + 4 : layout.entry],
        view[layout.entry + 8 : layout.header_size],
    ]
    parts += [view[offset : offset + size] for offset, size in layout.sections]
    hashed = layout.header_size + sum(size for _offset, size in layout.sections)
    rest = len(content) - layout.certificates[1] - hashed
    if rest > 0:
        parts.append(view[hashed : hashed + rest])
    return [bytes(part) for part in parts]


def _digest(name: str, parts: List[bytes]) -> bytes:
    digest = hashlib.new(name)
    for part in parts:
        digest.update(part)
    return digest.digest()
