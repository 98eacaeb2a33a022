# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.files import FileError, place, writing


def write(path, text):
    planned = writing(place("html", str(path)), text)
    if planned.changed:
        planned.apply()
    return planned


def test_a_file_is_written_once(tmp_path):
    path = tmp_path / "report.html"
    assert write(path, "über").changed
    assert path.read_text(encoding="utf-8") == "über"
    assert not write(path, "über").changed
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_new_file_follows_the_umask_and_an_old_one_keeps_its_mode(tmp_path):
    path = tmp_path / "report.html"
    before = os.umask(0o027)
    try:
        write(path, "one")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o604)
    write(path, "two")
    assert path.stat().st_mode & 0o777 == 0o604


@pytest.mark.parametrize(
    ("path", "why"), [("nowhere/report.html", "there is no folder"), ("", "is a folder; name a file")]
)
def test_a_place_where_no_file_can_be_is_told_before(tmp_path, path, why):
    with pytest.raises(FileError, match="html is .*%s" % why):
        place("html", str(tmp_path / path))


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    planned = writing(place("json", str(tmp_path / "report.json")), "{}")
    (tmp_path / "report.json").mkdir()
    (tmp_path / "report.json" / "full").touch()
    with pytest.raises(FileError, match=r"cannot write .*report\.json"):
        planned.apply()
    assert os.listdir(tmp_path) == ["report.json"]


def test_the_diff_of_a_short_file_has_its_text_and_of_a_long_one_its_size(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("old")
    assert writing(place("markdown", str(path)), "new").diff() == {
        "before_header": str(path),
        "after_header": str(path),
        "before": "old",
        "after": "new",
    }
    assert writing(place("markdown", str(path)), "x" * 200_000).diff()["after"] == "200000 bytes\n"
