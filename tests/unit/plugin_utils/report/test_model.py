# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import Spread, spread, steps
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.text import last_lines, legible, line


def test_a_spread_has_values_that_occurred():
    assert spread([float(number) for number in range(1, 101)]) == Spread(100, 1.0, 50.0, 95.0, 100.0, 5050.0)
    assert spread([7.5]) == Spread(1, 7.5, 7.5, 7.5, 7.5, 7.5)
    assert spread([]) is None


def test_spans_are_counted_at_each_change():
    assert steps([(1, 3), (2, None), (3, 4)], before=1) == ((0.0, 1), (1, 2), (2, 3), (4, 2))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web1", "web1"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\0b", "a\\x00b"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("caf\u00e9 \u2603", "caf\u00e9 \u2603"),
        ("\udcff", "\\udcff"),
        ("one\r\ntwo", "one\ntwo"),
    ],
)
def test_what_cannot_be_seen_is_written_as_its_code(text, shown):
    assert legible(text) == shown
    legible(text).encode()


def test_a_line_is_one_line():
    assert line(" one\n\ttwo ") == "one two"


def test_of_a_long_text_its_end_is_kept():
    assert last_lines("\n".join(map(str, range(100)))).splitlines() == ["…", *map(str, range(70, 100))]
    assert last_lines("one\ntwo\n") == "one\ntwo"
    assert len(last_lines("x" * 10000)) <= 3002
