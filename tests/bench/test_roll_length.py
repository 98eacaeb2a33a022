# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a roll takes, against the ideal and against batches of ansible.builtin.reboot.

The ideal is list scheduling: the very reboots that happened, in the order in which they were asked for, each begun as
soon as fewer hosts than allowed are down, with nothing between them. A host that does not return is down for as long as
it is waited for in batches, and for ever under our limit, which is what such a limit is for; the ideal has it likewise.
"""

from __future__ import annotations

import heapq
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from simfleet import Behaviour, SimulatedFleet
from simfleet.fixture import Simulated

pytestmark = pytest.mark.bench

HOSTS = int(os.environ.get("FLEETOPS_BENCH_HOSTS", "200"))
AT_A_TIME = 20
MEDIAN_SECONDS = float(os.environ.get("FLEETOPS_BENCH_MEDIAN_SECONDS", "20"))
"""Of a reboot. Some take three times as long, by the spread of the logarithms."""
SIGMA = 0.45
MOST_SECONDS = 8 * MEDIAN_SECONDS
"""A host is waited for."""
LOST_OF_HUNDRED = 2
MOST_OF_IDEAL = 1.10


@dataclass(frozen=True)
class Length:
    """Of one roll, in seconds."""

    name: str
    command: float
    roll: float
    """From the first request for a reboot until the last host was back, or was given up."""
    ideal: float

    def row(self) -> str:
        """For the table."""
        values = (self.command, self.roll, self.ideal, self.roll / self.ideal)
        return "%-10s%12.0f%12.0f%12.0f%14.2f" % (self.name, *values)


TITLES = "%-10s%12s%12s%12s%14s" % ("", "command", "roll", "ideal", "of the ideal")


def list_schedule(seconds: Iterable[float | None], at_a_time: int, waited: float) -> float:
    """When the last one has ended, of jobs of so many seconds; None: it keeps its place, and is waited for so long."""
    free = [0.0] * at_a_time
    end = 0.0
    for job in seconds:
        start = heapq.heappop(free)
        if job is not None:
            heapq.heappush(free, start + job)
        end = max(end, start + (waited if job is None else job))
    return end


def reboots(fleet: SimulatedFleet) -> list[tuple[str, float, float | None]]:
    """Each host that was asked to reboot, when, and after how many seconds it answered again; None: it never did."""
    asked: dict[str, float] = {}
    back: dict[str, float] = {}
    for event in fleet.history():
        if event.what == "asked":
            asked[event.host] = event.time
        elif event.what == "up" and event.host in asked:
            back[event.host] = event.time
    return [(host, when, back[host] - when if host in back else None) for host, when in asked.items()]


def length_of(name: str, fleet: SimulatedFleet, keeps_lost: bool, **how: Any) -> Length:
    start = time.monotonic()
    fleet.playbook("--forks", str(AT_A_TIME), **how)
    command = time.monotonic() - start
    done = reboots(fleet)
    lost = [host for host, _when, seconds in done if seconds is None]
    assert len(done) == HOSTS, "every host had its turn"
    assert len(lost) == HOSTS * LOST_OF_HUNDRED // 100
    # Batches do not count those that were lost in earlier ones.
    assert not keeps_lost or fleet.most_down() <= AT_A_TIME
    ends = [when + (MOST_SECONDS if seconds is None else seconds) for _host, when, seconds in done]
    jobs = [MOST_SECONDS if seconds is None and not keeps_lost else seconds for _host, _when, seconds in done]
    return Length(name, command, max(ends) - done[0][1], list_schedule(jobs, AT_A_TIME, MOST_SECONDS))


def started(simulated: Simulated) -> SimulatedFleet:
    every = 100 // LOST_OF_HUNDRED
    lost = {"sim%03d" % number: Behaviour(comes_back="never") for number in range(every // 2, HOSTS + 1, every)}
    return simulated(HOSTS, lost, median_seconds=MEDIAN_SECONDS, sigma=SIGMA)


def our_length(simulated: Simulated) -> Length:
    fleet = started(simulated)
    length = length_of(
        "ours",
        fleet,
        keeps_lost=True,
        fast_reboot_max_unavailable=AT_A_TIME,
        fast_reboot_max_failures=HOSTS,
        fast_reboot_canaries_per_class=0,
        fast_reboot_timeout=int(MOST_SECONDS),
    )
    fleet.close()
    return length


def peer_length(simulated: Simulated, folder: Path) -> Length:
    fleet = started(simulated)
    file = folder / "peer.yml"
    task = {"ansible.builtin.reboot": {"reboot_timeout": int(MOST_SECONDS)}}
    play = {"hosts": "fleet", "gather_facts": False, "become": True, "serial": AT_A_TIME, "tasks": [task]}
    file.write_text(json.dumps([play]))
    length = length_of("peer", fleet, keeps_lost=False, playbook=str(file))
    fleet.close()
    return length


def test_a_roll_takes_little_longer_than_its_reboots_must(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print("\n\n" + TITLES)
    ours = our_length(simulated)
    with capsys.disabled():
        print(ours.row())
    peer = peer_length(simulated, tmp_path)
    with capsys.disabled():
        print(peer.row())
    assert ours.roll <= MOST_OF_IDEAL * ours.ideal
    assert ours.command < peer.command


@pytest.mark.parametrize(
    ("seconds", "end"),
    [([1.0, 1.0, 1.0], 2.0), ([3.0, 1.0, 1.0, 1.0], 3.0), ([None, 1.0, 1.0, 1.0], 9.0), ([None, 5.0, 5.0], 10.0)],
)
def test_list_scheduling(seconds: list[float | None], end: float) -> None:
    assert list_schedule(seconds, 2, 9.0) == end
