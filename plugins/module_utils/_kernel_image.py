# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel and initrd files, judged before the kernel is asked: what they are, and whether they are whole.

The kernel does not notice every damage: it loads a bzImage that lacks its end, and any initrd at all, and the
machine then dies after the jump. What can be seen in a file's own structure is therefore looked at here.
"""

import re
import struct
import zlib
from typing import Any, BinaryIO, Callable, FrozenSet, NamedTuple, Optional, Set, Tuple, Type

from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError

# Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
_X86_SETUP_SECTORS = 0x1F1
_X86_SYSTEM_SIZE = 0x1F4
_X86_MAGIC = 0x202
_X86_VERSION_POINTER = 0x20E
_X86_CMDLINE_SIZE = 0x238
_X86_HEADER_END = 0x23C
_SECTOR = 512

# Room that kexec_file_load on x86 keeps for "elfcorehdr=0x..." beside the command line
# (arch/x86/kernel/kexec-bzimage64.c, MAX_ELFCOREHDR_STR_LEN).
_X86_RESERVED = 30

# COMMAND_LINE_SIZE of arm64, ppc64 and riscv, its NUL included.
_OTHER_CMDLINE_SIZE = 2048


class KernelImage(NamedTuple):
    """What a kernel file says of itself."""

    release: Optional[str]
    """As ``uname -r`` will say; None where the format has none, which is so but for x86."""
    build: Optional[str]
    """As ``uname -v`` will say: tells two builds of one release apart. None likewise."""
    cmdline_limit: int
    """The longest command line in bytes that can be staged with it, its NUL not counted."""


def read_kernel(stream: BinaryIO, path: str, arch: str) -> KernelImage:
    """Judge an opened kernel file. Raises KexecError where it is no kernel or not whole.

    Formats other than x86's bzImage are left to the kernel's own check.
    """
    if arch not in ("x86_64", "i686"):
        return KernelImage(None, None, _OTHER_CMDLINE_SIZE - 1)
    stream.seek(0)
    header = stream.read(_X86_HEADER_END)
    if len(header) < _X86_HEADER_END or header[_X86_MAGIC : _X86_MAGIC + 4] != b"HdrS":
        raise KexecError("%s is not a bootable kernel image for %s (it has no bzImage header)" % (path, arch))
    setup_size = ((header[_X86_SETUP_SECTORS] or 4) + 1) * _SECTOR
    (paragraphs,) = struct.unpack_from("<I", header, _X86_SYSTEM_SIZE)
    size = stream.seek(0, 2)
    if size < setup_size + paragraphs * 16:
        raise KexecError(
            "the kernel %s is truncated: it has %d of %d bytes; install its package again"
            % (path, size, setup_size + paragraphs * 16)
        )
    (limit,) = struct.unpack_from("<I", header, _X86_CMDLINE_SIZE)
    release, build = _x86_version(stream, header, setup_size)
    return KernelImage(release, build, limit - _X86_RESERVED - 1)


def _x86_version(stream: BinaryIO, header: bytes, setup_size: int) -> Tuple[Optional[str], Optional[str]]:
    """Release and build; the builder, which stands between them in brackets, is not shown by ``uname``."""
    (pointer,) = struct.unpack_from("<H", header, _X86_VERSION_POINTER)
    if pointer == 0 or pointer + _SECTOR >= setup_size:
        return None, None
    stream.seek(pointer + _SECTOR)
    text = stream.read(512).split(b"\0")[0].decode("ascii", "replace")
    release, _unused, rest = text.partition(" ")
    _unused, mark, build = rest.partition("#")
    return release or None, mark + build if release and mark else None


_CPIO_HEADER = 110
_CPIO_MAGICS = (b"070701", b"070702")
# int() would take signs and blanks too, and an offset that goes backwards never comes to an end.
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{104}")


# What stands in an archive where it has modules: the names of its members.
_MODULES = re.compile(rb"lib/modules/([0-9]+\.[0-9]+[!-.0-~]{0,200})[/\0]")
_LONGEST_NAME = 256


class _Releases:
    """The kernel releases for which an archive has modules, found while it goes by in pieces."""

    def __init__(self) -> None:
        self.found: Set[str] = set()
        self._end = b""

    def see(self, piece: bytes) -> None:
        """Take the next piece."""
        text = self._end + piece
        self.found.update(release.decode("ascii") for release in _MODULES.findall(text))
        self._end = text[-_LONGEST_NAME:]


def check_initrd(stream: BinaryIO, path: str) -> FrozenSet[str]:
    """Follow the parts of an opened initrd to its end. Raises KexecError where it is none, or is truncated.

    Returns the kernel releases for which it has modules, as far as Python can unpack it, which it cannot with zstd,
    lz4 and lzo.

    An initramfs is a row of cpio archives, plain or compressed (Documentation/driver-api/early-userspace/
    buffer-format.rst); Debian and Red Hat put plain archives with microcode before the compressed main one.
    """
    size = stream.seek(0, 2)
    releases = _Releases()
    offset = 0
    while offset < size:
        stream.seek(offset)
        magic = stream.read(6)
        if not magic.strip(b"\0"):
            offset = _skip_padding(stream, offset)
        elif magic in _CPIO_MAGICS:
            offset = _cpio_end(stream, offset, size, path, releases)
        else:
            _check_compressed(stream, offset, size, path, magic, releases)
            break
    return frozenset(releases.found)


def _skip_padding(stream: BinaryIO, offset: int) -> int:
    """The offset of the first byte that is not NUL, or the end."""
    stream.seek(offset)
    while True:
        block = stream.read(65536)
        rest = block.lstrip(b"\0")
        if rest or not block:
            return offset + len(block) - len(rest)
        offset += len(block)


def _truncated(path: str) -> KexecError:
    return KexecError(
        "the initrd %s is truncated or damaged; make it again (update-initramfs -u, dracut --force or mkinitrd)" % path
    )


def _cpio_end(stream: BinaryIO, offset: int, size: int, path: str, releases: _Releases) -> int:
    """Where the plain cpio archive that begins at *offset* ends: after its member TRAILER!!!."""
    while True:
        stream.seek(offset)
        header = stream.read(_CPIO_HEADER)
        if len(header) < _CPIO_HEADER or header[:6] not in _CPIO_MAGICS:
            raise _truncated(path)
        if _HEXADECIMAL.fullmatch(header[6:]) is None:
            raise _truncated(path)
        file_size, name_size = int(header[54:62], 16), int(header[94:102], 16)
        name = stream.read(name_size)
        offset += _pad4(_CPIO_HEADER + name_size) + _pad4(file_size)
        if len(name) < name_size or offset > size + 3:
            raise _truncated(path)
        releases.see(name)
        if name.rstrip(b"\0") == b"TRAILER!!!":
            return offset


def _pad4(length: int) -> int:
    return (length + 3) & ~3


def _check_compressed(stream: BinaryIO, offset: int, size: int, path: str, magic: bytes, releases: _Releases) -> None:
    for start, is_whole in _COMPRESSIONS:
        if magic.startswith(start):
            stream.seek(offset)
            if not is_whole(stream, size, releases):
                raise _truncated(path)
            return
    raise KexecError(
        "%s is not an initrd: at byte %d there is neither a cpio archive nor a compression that Linux knows"
        % (path, offset)
    )


def _zstd_is_whole(stream: BinaryIO, size: int, _releases: _Releases) -> bool:
    """Follow the block headers of a zstd frame to its last block (RFC 8878, 3.1.1); nothing is unpacked."""
    descriptor_byte = stream.read(5)[4:]
    if not descriptor_byte:
        return False
    descriptor = descriptor_byte[0]
    single_segment = bool(descriptor & 0x20)
    content_size_length = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    dictionary_length = (0, 1, 2, 4)[descriptor & 3]
    stream.seek((0 if single_segment else 1) + dictionary_length + content_size_length, 1)
    while True:
        header = stream.read(3)
        if len(header) < 3:
            return False
        word = int.from_bytes(header, "little")
        last, kind, length = word & 1, (word >> 1) & 3, word >> 3
        if kind == 3:
            return False
        end = stream.seek(1 if kind == 1 else length, 1) + (4 if last and descriptor & 4 else 0)
        if end > size or last:
            return end <= size


def _lz4_is_whole(stream: BinaryIO, size: int, _releases: _Releases) -> bool:
    """Follow the block lengths of the legacy lz4 format, the one that Linux reads (lib/decompress_unlz4.c)."""
    offset = stream.seek(4, 1)
    while offset < size:
        header = stream.read(4)
        if len(header) < 4:
            return False
        (length,) = struct.unpack("<I", header)
        offset = stream.seek(0 if header == _LZ4_MAGIC else length, 1)
    return offset == size


_BLOCK = 1 << 20
# Of a file that unpacks to more, nothing is said beyond.
_MOST_UNPACKED = 1 << 30


def _gzip_is_whole(stream: BinaryIO, _size: int, releases: _Releases) -> bool:
    decompressor = zlib.decompressobj(wbits=31)
    unpacked = 0
    while not decompressor.eof and unpacked < _MOST_UNPACKED:
        block = decompressor.unconsumed_tail or stream.read(_BLOCK)
        try:
            piece = decompressor.decompress(block, _BLOCK)
        except zlib.error:
            return False
        if not block and not piece:
            return False
        releases.see(piece)
        unpacked += len(piece)
    return True


def _bzip2_is_whole(stream: BinaryIO, _size: int, releases: _Releases) -> bool:
    try:
        import bz2
    except ImportError:  # a minimal Python, such as Debian's python3-minimal: nothing can be said
        return True
    return _unpacks(stream, bz2.BZ2Decompressor(), (OSError,), releases)


def _xz_is_whole(stream: BinaryIO, _size: int, releases: _Releases) -> bool:
    try:
        import lzma
    except ImportError:  # as above
        return True
    return _unpacks(stream, lzma.LZMADecompressor(), (lzma.LZMAError,), releases)


def _unpacks(stream: BinaryIO, decompressor: Any, errors: Tuple[Type[Exception], ...], releases: _Releases) -> bool:
    """Unpack to the end mark, piece by piece, for formats whose blocks cannot be followed otherwise."""
    unpacked = 0
    while not decompressor.eof and unpacked < _MOST_UNPACKED:
        block = stream.read(_BLOCK) if decompressor.needs_input else b""
        if decompressor.needs_input and not block:
            return False
        try:
            piece = decompressor.decompress(block, _BLOCK)
        except errors:
            return False
        releases.see(piece)
        unpacked += len(piece)
    return True


_LZ4_MAGIC = b"\x02\x21\x4c\x18"

# The compressions of init/Kconfig; lzo is the one that is not followed.
_COMPRESSIONS: Tuple[Tuple[bytes, Callable[[BinaryIO, int, _Releases], bool]], ...] = (
    (b"\x28\xb5\x2f\xfd", _zstd_is_whole),
    (b"\x1f\x8b", _gzip_is_whole),
    (b"\xfd7zXZ", _xz_is_whole),
    (b"\x5d\x00\x00", _xz_is_whole),
    (b"BZh", _bzip2_is_whole),
    (_LZ4_MAGIC, _lz4_is_whole),
    (b"\x89LZO", lambda _stream, _size, _releases: True),
)
