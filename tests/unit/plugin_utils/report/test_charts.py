# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.charts import (
    area,
    bars,
    clock_marks,
    count_marks,
    phase_path,
    second_marks,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.model import HostReport, Phase

START = datetime(2026, 11, 8, 1, 58, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (45, ["01:58:20", "01:58:30", "01:58:40", "01:58:50"]),
        (700, ["02:00", "02:02", "02:04", "02:06", "02:08"]),
        (8 * 3600, ["02:00", "04:00", "06:00", "08:00"]),
        (3 * 86400, ["Sun 12:00", "Mon 00:00", "Mon 12:00", "Tue 00:00", "Tue 12:00", "Wed 00:00"]),
    ],
)
def test_an_axis_of_time_has_round_times(seconds, labels):
    marks = clock_marks(START, seconds)
    assert [mark.label for mark in marks] == labels
    assert all(0 <= mark.percent <= 100 for mark in marks)


@pytest.mark.parametrize("seconds", [0.5, 1, 7, 59, 600, 86400, 40 * 86400])
def test_an_axis_of_any_length_has_few_marks(seconds):
    assert 1 <= len(second_marks(seconds)) <= 8
    assert len(clock_marks(START, seconds)) <= 8


@pytest.mark.parametrize(
    ("most", "labels"), [(0, ["0", "1"]), (1, ["0", "1"]), (5, ["0", "2", "4", "6"]), (999, ["0", "500", "1000"])]
)
def test_an_axis_of_hosts_ends_with_a_round_number(most, labels):
    assert [mark.label for mark in count_marks(most)] == labels


def test_the_path_of_a_number_over_time():
    assert area(((0.0, 0), (10.0, 2), (45.0, 1)), 60.0) == "M0 0H0V0H10V-2H45V-1H60V0Z"


def test_the_path_of_a_phase_is_as_long_as_the_phase():
    assert phase_path(Phase("down", 13.9, 30.9)) == "M13.9 0h17v10h-17z"


def test_bars_hold_every_host_and_one_far_off_does_not_squeeze_the_others():
    hosts = [HostReport("h", "rebooted", down_seconds=20 + number % 10, method="kexec") for number in range(99)]
    hosts.append(HostReport("slow", "rebooted", down_seconds=4000.0, method="firmware"))
    found = bars(hosts)
    assert sum(column.hosts for column in found) == 100
    assert (found[-1].by_kexec, found[-1].others) == (0, 1)
    assert sum(column.hosts > 0 for column in found) >= 6
    assert bars([HostReport("h", "failed")]) == []


def test_all_the_same_is_one_bar():
    assert [column.hosts for column in bars([HostReport("h", "rebooted", down_seconds=20.0)] * 7)] == [7]
