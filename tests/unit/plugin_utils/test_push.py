# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils import _push

MIB = 1 << 20


def shell(command):
    return subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout


def file(name, size=MIB):
    return _push.LocalFile("/" + name, name, size)


def answer(here=100, temporary=100, shared=False):
    return _push.Answer(
        {}, {"/srv": ("/dev/a", here * MIB), "/tmp": ("/dev/a" if shared else "/dev/b", temporary * MIB)}
    )


def test_a_host_says_what_it_has(tmp_path):
    here = tmp_path / "kernel"
    here.write_bytes(b"a kernel")
    kernel, absent = _push.local_file(str(here), "kernel"), file("absent.initrd")
    directory = tmp_path / "pushed"
    directory.mkdir()
    ask = _push.question(str(directory), [kernel.name, absent.name], str(tmp_path))
    assert _push.missing([kernel, absent], _push.parse(shell(ask))) == [kernel, absent]
    (directory / kernel.name).write_bytes(b"a kern")
    assert _push.missing([kernel, absent], _push.parse(shell(ask))) == [kernel, absent]
    (directory / kernel.name).write_bytes(b"a kernel")
    assert _push.missing([kernel, absent], _push.parse(shell(ask))) == [absent]


def test_room_is_asked_for_where_a_folder_is_still_to_be_made(tmp_path):
    told = _push.parse(shell(_push.question(str(tmp_path / "not/yet/there"), ["x.kernel"], str(tmp_path))))
    assert set(told.room) == {str(tmp_path / "not/yet/there"), str(tmp_path)}
    assert all(free > 0 for _system, free in told.room.values())


def test_a_terminals_line_ends_do_no_harm():
    told = _push.parse(
        "%s  /srv/x.kernel\r\nroom /srv none 20480 0 20480 0%% /srv\r\nroom /tmp /dev/vda2 9 1 2 1%% /\r\n" % ("a" * 64)
    )
    assert told == _push.Answer({"x.kernel": "a" * 64}, {"/srv": ("none", 20480 << 10), "/tmp": ("/dev/vda2", 2 << 10)})


def test_a_host_that_does_not_tell_its_room_is_an_error():
    with pytest.raises(_push.PushError, match="df: not found"):
        _push.parse("df: not found\n")


@pytest.mark.parametrize(
    ("sizes", "room"),
    [([60, 24], answer(100, 76)), ([], answer(0, 0)), ([40, 40], answer(136, 136, shared=True))],
)
def test_what_fits_is_pushed(sizes, room):
    _push.check_room([file(str(size), size * MIB) for size in sizes], room)


@pytest.mark.parametrize(
    ("sizes", "room", "message"),
    [
        ([60, 24], answer(99, 76), "/srv on the host has 99 MiB free, and pushing 2 files needs 100 MiB"),
        ([60, 24], answer(100, 75), "/tmp on the host has 75 MiB free, and pushing 2 files needs 76 MiB"),
        (
            [40, 40],
            answer(135, 135, shared=True),
            "/srv on the host has 135 MiB free, and pushing 2 files needs 136 MiB",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(sizes, room, message):
    with pytest.raises(_push.PushError, match=message):
        _push.check_room([file(str(size), size * MIB) for size in sizes], room)


@pytest.mark.parametrize(("content", "message"), [(None, "No such file or directory"), (b"", "is empty")])
def test_a_file_of_the_controller_that_cannot_be_pushed_is_named(tmp_path, content, message):
    path = tmp_path / "kernel"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(_push.PushError, match=message):
        _push.local_file(str(path), "kernel")


def test_only_what_was_pushed_before_is_tidied_away(tmp_path):
    old, new = "a" * 64 + ".kernel", "b" * 64 + ".kernel"
    for name in (old, new, "my.kernel", "c" * 64, "abc.initrd", "Z" * 64 + ".initrd"):
        (tmp_path / name).write_bytes(b"x")
    shell(_push.tidy(str(tmp_path), [new]))
    assert {path.name for path in tmp_path.iterdir()} == {
        new,
        "my.kernel",
        "c" * 64,
        "abc.initrd",
        "Z" * 64 + ".initrd",
    }
    shell(_push.tidy(str(tmp_path), [new]))
