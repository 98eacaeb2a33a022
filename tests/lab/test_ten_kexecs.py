# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten kexecs in a row: nothing grows from one to the next."""

from __future__ import annotations

import time
from statistics import median
from typing import NamedTuple

import pytest
from driver import Fleet

pytestmark = pytest.mark.soak

HOST = "lab2"
KEXEC = "208"
COUNT = 10
TOKEN = "fleetops.boot="
MOST_LOST = 0.02
SETTLED = 180
"""Seconds after the start of the kernel at which memory is measured, later than the last service is up."""


class State(NamedTuple):
    """The machine after a kexec."""

    words: list[str]
    """Of the command line, but for the token."""
    available: float
    """KiB of memory."""


def _kexec(fleet: Fleet) -> None:
    staged = fleet.module(HOST, "kexec_load", entry="running")
    assert staged["failed"] is False
    result = fleet.module(HOST, "kexec_reboot")
    assert result["failed"] is False
    assert (result["method"], result["fell_back"]) == ("kexec", False)
    assert fleet.boot(HOST)["loader_type"] == KEXEC


def _state(fleet: Fleet) -> State:
    """At the same moment after each start, without what only the page cache holds."""
    fleet.ssh(HOST, "timeout 50 systemctl is-system-running --wait || true")
    time.sleep(max(0.0, SETTLED - float(fleet.ssh(HOST, "cat /proc/uptime").split()[0])))
    samples = []
    for _sample in range(5):
        fleet.ssh(HOST, "sync && echo 3 >/proc/sys/vm/drop_caches")
        samples.append(float(fleet.ssh(HOST, "sed -n 's/^MemAvailable: *//p' /proc/meminfo").split()[0]))
    words = fleet.ssh(HOST, "cat /proc/cmdline").split()
    assert len([word for word in words if word.startswith(TOKEN)]) == 1
    return State([word for word in words if not word.startswith(TOKEN)], median(samples))


def test_the_tenth_kexec_leaves_the_machine_as_the_first_did(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    _kexec(fleet)
    first = _state(fleet)
    for _round in range(COUNT - 1):
        _kexec(fleet)
    tenth = _state(fleet)
    with capsys.disabled():
        print("\nMemAvailable after kexec 1: %d KiB, after kexec %d: %d KiB" % (first[1], COUNT, tenth[1]))
    assert tenth.words == first.words
    assert abs(tenth.available - first.available) <= MOST_LOST * first.available
