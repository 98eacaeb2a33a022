# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import bz2
import gzip
import io
import lzma
import tracemalloc

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils._kernel_image import check_initrd, read_kernel
from ansible_collections.fleetops.kexec.plugins.module_utils._machine import KexecError
from parserfuzz.images import LZ4, ZSTD


def judge_kernel(content, arch="x86_64"):
    return read_kernel(io.BytesIO(content), "/boot/vmlinuz", arch)


def judge_initrd(content):
    check_initrd(io.BytesIO(content), "/boot/initrd")


def test_a_kernel_tells_its_release_and_build(make):
    image = judge_kernel(make.bzimage(release="6.1.0-56", build="#1 SMP Debian 6.1.9-1"))
    assert (image.release, image.build) == ("6.1.0-56", "#1 SMP Debian 6.1.9-1")
    assert image.cmdline_limit == 2016


def test_other_architectures_are_left_to_the_kernel(make):
    assert judge_kernel(b"anything", arch="aarch64").cmdline_limit == 2047


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (slice(0, -1), r"the kernel /boot/vmlinuz is truncated: it has 6655 of 6656 bytes"),
        (slice(0, 700), r"truncated"),
        (slice(0, 100), r"not a bootable kernel image"),
        (slice(512, None), r"not a bootable kernel image"),
    ],
)
def test_a_kernel_that_is_not_whole_is_refused(make, cut, message):
    with pytest.raises(KexecError, match=message):
        judge_kernel(make.bzimage()[cut])


def initrds(make):
    plain = make.cpio(("init", b"x" * 999), ("etc/fstab", b"y"))
    early = make.cpio(("kernel/x86/microcode/GenuineIntel.bin", b"\x01" * 64))
    return {
        "plain": plain,
        "gzip": gzip.compress(plain),
        "xz": lzma.compress(plain, check=lzma.CHECK_CRC32),
        "lzma": lzma.compress(plain, format=lzma.FORMAT_ALONE),
        "bzip2": bz2.compress(plain),
        "zstd": ZSTD,
        "lz4": LZ4,
        "early and zstd": early + b"\0" * 512 + ZSTD,
        "two early and gzip": early + early + gzip.compress(plain),
    }


KINDS = ("plain", "gzip", "xz", "lzma", "bzip2", "zstd", "lz4", "early and zstd", "two early and gzip")


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_initrd_is_accepted(make, kind):
    judge_initrd(initrds(make)[kind])
    if kind != "lz4":  # its blocks need not end the file in a way that shows
        judge_initrd(initrds(make)[kind] + b"\0" * 100)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lost", [1, 3, 5])
def test_a_truncated_initrd_is_refused(make, kind, lost):
    if kind == "plain":
        lost += 8  # the padding behind the last name may be missing
    with pytest.raises(KexecError, match="the initrd /boot/initrd is truncated or damaged"):
        judge_initrd(initrds(make)[kind][:-lost])


def test_a_size_that_leads_backwards_is_refused_and_not_followed(make):
    damaged = bytearray(make.cpio(("init", b"x")))
    damaged[54:62] = b"-0000070"
    with pytest.raises(KexecError, match="truncated or damaged"):
        judge_initrd(bytes(damaged))


def test_a_file_that_is_no_initrd_is_refused():
    with pytest.raises(KexecError, match="/boot/initrd is not an initrd: at byte 0"):
        judge_initrd(b"#!/bin/sh\nexit 0\n")


@pytest.mark.parametrize(
    ("release", "build", "told"), [("", "#1 SMP", None), ("6.1.0-56", "once upon a time", "6.1.0-56")]
)
def test_what_a_kernel_does_not_tell_is_none(make, release, build, told):
    image = judge_kernel(make.bzimage(release=release, build=build))
    assert (image.release, image.build) == (told, None)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_an_initrd_is_unpacked_in_pieces(pack):
    packed = pack(bytes(40 << 20))
    tracemalloc.start()
    judge_initrd(packed)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20
