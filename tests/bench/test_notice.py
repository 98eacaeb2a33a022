# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon is a host's return noticed, and what does it cost the control node?

Simulated hosts, because they know to the millisecond when they began to answer. The same hosts are rebooted by
ansible.builtin.reboot and by kexec_reboot, one run after the other, with reboot times drawn anew each time.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import pytest
from ansible_run import Run
from simfleet import SimulatedFleet
from simfleet.fixture import Simulated

pytestmark = pytest.mark.bench

HOSTS = 24
AT_A_TIME = 4
MOST_MEDIAN_SECONDS, MOST_LATE_SECONDS = 0.6, 1.2


@dataclass
class Cost:
    """What the reboots of one run have cost."""

    name: str
    logins: list[float]
    """Seconds for each host from its first answer after the reboot to the first login."""
    delays: list[float]
    """And to the end of the task."""
    cpu_seconds: float
    """Of the control node, for one reboot."""

    @property
    def median(self) -> float:
        return statistics.median(self.delays)

    @property
    def late(self) -> float:
        """The 95th percentile."""
        return statistics.quantiles(self.delays, n=20, method="inclusive")[-1]

    def row(self) -> str:
        """For the table."""
        values = (statistics.median(self.logins), self.median, self.late, self.cpu_seconds)
        return "%-30s" % self.name + "".join("%15.2f" % value for value in values)


def measured(fleet: SimulatedFleet, module: str) -> Cost:
    """Reboot every host once by that module."""
    run = fleet.module(module, at_a_time=AT_A_TIME)
    ups = {event.host: event.time for event in fleet.history(what="up")}
    assert [task.status for task in run.tasks] == ["ok"] * HOSTS
    logins = {event.host: event.time for event in reversed(fleet.history(what="login")) if ups[event.host] < event.time}
    return Cost(
        name=module,
        logins=[logins[host] - ups[host] for host in fleet.hosts],
        delays=[task.ended - ups[task.host] for task in run.tasks],
        cpu_seconds=run.cpu_seconds / HOSTS,
    )


def staged(fleet: SimulatedFleet) -> Run:
    return fleet.module("fleetops.kexec.kexec_load")


def test_the_return_is_noticed_within_a_second_and_costs_no_more(
    simulated: Simulated, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = simulated(HOSTS, median_seconds=12.0, sigma=0.4)
    peer = measured(fleet, "ansible.builtin.reboot")
    assert staged(fleet).rc == 0
    ours = measured(fleet, "fleetops.kexec.kexec_reboot")
    assert set(fleet.reboots().values()) == {2}
    with capsys.disabled():
        print("\n\n%d reboots each, %d at a time" % (HOSTS, AT_A_TIME))
        print("%-30s%15s%15s%15s%15s" % ("seconds", "login, median", "end, median", "95th percent", "CPU, each"))
        print(peer.row(), ours.row(), sep="\n")
    assert ours.median <= MOST_MEDIAN_SECONDS
    assert ours.late <= MOST_LATE_SECONDS
    assert ours.cpu_seconds <= peer.cpu_seconds
