# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from ansible_collections.fleetops.kexec.plugins.module_utils import _cmdline
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  root=/dev/sda1   ro\n", ["root=/dev/sda1", "ro"]),
        ('dyndbg="file a.c +p" quiet', ['dyndbg="file a.c +p"', "quiet"]),
        ('"mem=1G quiet" ro', ['"mem=1G quiet"', "ro"]),
        ('a="never closed ro', ['a="never closed ro']),
    ],
)
def test_words_are_separated_as_the_kernel_does(line, words):
    assert _cmdline.split(line) == words


@given(st.text(alphabet='ab= "\t\n-\udc80ä'))
def test_joining_gives_the_same_words_again(line):
    words = _cmdline.split(line)
    assert _cmdline.split(" ".join(words)) == words


@pytest.mark.parametrize(
    ("line", "staged"),
    [
        ("BOOT_IMAGE=/vmlinuz root=LABEL=root quiet", "root=LABEL=root quiet panic=30 fleetops.boot=T"),
        ('root=/dev/sda1 dyndbg="file a.c +p"', 'root=/dev/sda1 dyndbg="file a.c +p" panic=30 fleetops.boot=T'),
        ("root=/dev/sda1 panic=30 fleetops.boot=OLD", "root=/dev/sda1 panic=30 fleetops.boot=T"),
        ("root=/dev/sda1 panic=60", "root=/dev/sda1 panic=60 panic=30 fleetops.boot=T"),
        ("panic=60 ro panic=30 fleetops.boot=OLD", "panic=60 ro panic=30 fleetops.boot=T"),
        (r"initrd=\debian\initrd.img ro", "ro panic=30 fleetops.boot=T"),
        ("initrd=0x1000,4096 ro", "initrd=0x1000,4096 ro panic=30 fleetops.boot=T"),
        ("ro elfcorehdr=0x7000 disable_cpu_apicid=0", "ro panic=30 fleetops.boot=T"),
        ("crashkernel=256M rd.luks.uuid=x console=ttyS0", None),
        ("ro -- single", "ro panic=30 fleetops.boot=T -- single"),
    ],
)
def test_staged_cmdline_keeps_what_the_system_needs(line, staged):
    expected = staged or line + " panic=30 fleetops.boot=T"
    assert _cmdline.staged(_cmdline.clean(line), token="T", panic_seconds=30) == expected


@pytest.mark.parametrize("line", ["root=/dev/sda1 ro", "BOOT_IMAGE=/v ro -- single", "panic=5 ro", ""])
@pytest.mark.parametrize("panic_seconds", [0, 30])
def test_the_command_line_does_not_grow_from_kexec_to_kexec(line, panic_seconds):
    first = _cmdline.staged(_cmdline.clean(line), "A", panic_seconds)
    tenth = first
    for _round in range(9):
        tenth = _cmdline.staged(_cmdline.clean(tenth), "A", panic_seconds)
    assert tenth == first


@pytest.mark.parametrize(
    ("append", "remove", "edited"),
    [
        ([], [], "ro quiet console=tty0 console=ttyS0,115200 -- 3"),
        (["mitigations=off"], [], "ro quiet console=tty0 console=ttyS0,115200 mitigations=off -- 3"),
        (["quiet"], [], "ro quiet console=tty0 console=ttyS0,115200 -- 3"),
        ([], ["quiet"], "ro console=tty0 console=ttyS0,115200 -- 3"),
        ([], ["console="], "ro quiet -- 3"),
        ([], ["console=*"], "ro quiet -- 3"),
        ([], ["console=tty0"], "ro quiet console=ttyS0,115200 -- 3"),
        ([], ["qui"], "ro quiet console=tty0 console=ttyS0,115200 -- 3"),
    ],
)
def test_edit(append, remove, edited):
    words = "ro quiet console=tty0 console=ttyS0,115200 -- 3".split()
    assert " ".join(_cmdline.edit(words, append, remove)) == edited


@pytest.mark.parametrize(
    ("line", "staged"),
    [
        ("root=x panic=60", "root=x fleetops.boot=T panic=60"),
        ("root=x panic=60 -- single", "root=x fleetops.boot=T panic=60 -- single"),
        ("root=x panic=5 panic=60", "root=x fleetops.boot=T panic=5 panic=60"),
        ("panic=60", "fleetops.boot=T panic=60"),
        ("root=x", "root=x fleetops.boot=T"),
    ],
)
def test_an_administrators_panic_outlives_a_staging_without_ours(line, staged):
    assert _cmdline.staged(_cmdline.clean(line), "T", 0) == staged
    assert " ".join(_cmdline.clean(staged)) == line


def test_token_of():
    assert _cmdline.token_of("ro panic=30 fleetops.boot=abc") == "abc"
    assert _cmdline.token_of("ro quiet") is None
