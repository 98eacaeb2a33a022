# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
import io
import struct

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._pe_signature import (
    ALTERED,
    SIGNED,
    UNSIGNED,
    signature_of,
)

CERTIFICATE = b"\x30\x82 signed by a test, digest: "


def pe_file(magic=0x20B, digest="sha256", signed=True, trailing=b""):
    """A PE file of two sections, the second one first in the table, put together by the PE format."""
    directory = {0x10B: 96, 0x20B: 112}[magic]
    optional_size = directory + 16 * 8
    headers = bytearray(1024)
    headers[:2] = b"MZ"
    struct.pack_into("<I", headers, 0x3C, 0x80)
    headers[0x80:0x84] = b"PE\0\0"
    struct.pack_into("<HH", headers, 0x84, 0x8664, 2)
    struct.pack_into("<H", headers, 0x94, optional_size)
    optional = 0x98
    struct.pack_into("<H", headers, optional, magic)
    struct.pack_into("<I", headers, optional + 60, len(headers))
    table = optional + optional_size
    struct.pack_into("<II", headers, table + 16, 512, 2048)
    struct.pack_into("<II", headers, table + 40 + 16, 1024, 1024)
    body = b"\x11" * 1024 + b"\x22" * 512 + trailing
    checksum, entry = optional + 64, optional + directory + 4 * 8
    headers[checksum : checksum + 4] = b"SUM!"
    certificate = b""
    if signed:
        covered = bytes(headers[:checksum] + headers[checksum + 4 : entry] + headers[entry + 8 :]) + body
        certificate = CERTIFICATE + hashlib.new(digest, covered).digest()
        struct.pack_into("<II", headers, entry, len(headers) + len(body), len(certificate))
    return bytes(headers) + body + certificate


def altered(content, offset):
    return content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :]


@pytest.mark.parametrize("magic", [0x10B, 0x20B])
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_a_signed_file(magic, digest):
    assert signature_of(io.BytesIO(pe_file(magic, digest))) == SIGNED


def test_what_lies_behind_the_sections_is_covered_too():
    content = pe_file(trailing=b"more" * 4)
    assert signature_of(io.BytesIO(content)) == SIGNED
    assert signature_of(io.BytesIO(altered(content, content.index(b"more")))) == ALTERED


@pytest.mark.parametrize("offset", [2, 0x84, 1000, 1024, 2047, 2048, 2559])
def test_one_bit_anywhere_makes_it_altered(offset):
    assert signature_of(io.BytesIO(altered(pe_file(), offset))) == ALTERED


def test_the_checksum_is_not_covered():
    content = pe_file()
    assert signature_of(io.BytesIO(altered(content, content.index(b"SUM!")))) == SIGNED


@pytest.mark.parametrize(
    "content",
    [pe_file(signed=False), pe_file()[:300], b"MZ", b"", b"\x7fELF" + bytes(2000), b"MZ" + b"\xff" * 100, bytes(4096)],
    ids=["no certificate", "cut short", "two bytes", "empty", "ELF", "nonsense", "zeros"],
)
def test_a_file_without_a_signature(content):
    assert signature_of(io.BytesIO(content)) == UNSIGNED


def test_sections_over_each_other_are_no_good():
    content = bytearray(pe_file(trailing=b"\x33" * 4096))
    struct.pack_into("<II", content, 0x98 + 112 + 16 * 8 + 16, 6144, 512)
    assert signature_of(io.BytesIO(bytes(content))) == ALTERED


def test_a_certificate_table_that_is_cut_off_is_no_good():
    assert signature_of(io.BytesIO(pe_file()[:-10])) == ALTERED
