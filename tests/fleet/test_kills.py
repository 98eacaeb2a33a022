# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook is killed at random moments, again and again, and each time the same command is given again.

Every second time in the middle all that it has started is killed with it, as when a container ends. Otherwise only its
main process is, and the next command begins while workers of the one before may still be at a host.

    FLEETOPS_KILLS=5 FLEETOPS_SEED=1234 pytest -m soak -s tests/fleet/test_kills.py
"""

from __future__ import annotations

import os
import random
import time

import pytest
from simfleet import NEWER, Event, SimulatedFleet
from simfleet.fixture import Simulated

KILLS = int(os.environ.get("FLEETOPS_KILLS", "50"))
SEED = int(os.environ.get("FLEETOPS_SEED") or random.randrange(1 << 32))

MOST_DOWN = 3
FORKS = "10"


class Roll:
    """A roll of a fleet, by one run of the playbook or by many."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self.fleet = fleet

    def goes_on_for(self, seconds: float, chance: random.Random) -> bool:
        """The command is given, and the run is killed after so long; whether it did not end before."""
        run = self.fleet.start_playbook("--forks", FORKS, fast_reboot_max_unavailable=MOST_DOWN)
        if run.ends_within(seconds):
            ended = run.wait()
            assert ended.rc == 0
            assert set(ended.outcomes().values()) <= {"rebooted", "current"}
            return False
        with_all = chance.random() < 0.5
        run.kill(with_all)
        asked, ups = self.fleet.reboots(), self.fleet.history(what="up")
        print(
            "killed %s after %.2f s: %d hosts asked for a reboot, %d of them away"
            % ("with all" if with_all else "alone", seconds, len(asked), len(asked) + len(self.fleet.hosts) - len(ups))
        )
        time.sleep(chance.choice([0.0, 0.0, chance.uniform(0.0, 5.0)]))
        return True

    def check(self) -> None:
        """By what the hosts have seen, and by what they are now."""
        fleet = self.fleet
        assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
        assert {host: len(fleet.history(host, "up")) for host in fleet.hosts} == dict.fromkeys(fleet.hosts, 2)
        assert {fleet.read(host, "/proc/sys/kernel/osrelease") for host in fleet.hosts} == {NEWER}
        assert fleet.most_down() <= MOST_DOWN
        assert canary(fleet.history()) == fleet.hosts[0]
        assert [host for host in fleet.hosts if (fleet.root(host) / "var/lib/fleetops-kexec/net.json").exists()] == []


def canary(history: list[Event]) -> str | None:
    """The host that was away and came back before any other was asked for a reboot; None where there is none."""
    asked = [event for event in history if event.what == "asked"]
    back = [event.time for event in history if event.what == "up" and event.host == asked[0].host]
    return asked[0].host if back[1] < asked[1].time else None


def kill_often(simulated: Simulated, hosts: int, kills: int, seed: int) -> None:
    """Rolls of so many hosts, each killed until it has ended all the same, and so many kills in all."""
    print("\nseed %d" % seed)
    chance = random.Random(seed)
    began, done, rolls = time.monotonic(), 0, 0
    # What a whole roll takes, to begin with.
    longest = 0.0
    while done < kills or rolls == 0:
        fleet = simulated(hosts, median_seconds=1.0, seed=chance.randrange(1 << 32))
        roll, rolls, start = Roll(fleet), rolls + 1, time.monotonic()
        if not longest:
            assert not roll.goes_on_for(600.0, chance)
            longest = time.monotonic() - start
            print("a roll that nobody kills takes %.0f s" % longest)
        else:
            # Each run begins with the survey, and goes on with what those before it have left.
            while roll.goes_on_for(chance.uniform(0.3, longest / 2) if done < kills else 600.0, chance):
                done += 1
        roll.check()
        fleet.close()
    print("%d kills of %d rolls, %.0f s in all" % (done, rolls - 1, time.monotonic() - began))


@pytest.mark.fleet
def test_a_roll_that_is_killed_again_and_again_is_brought_to_its_end(simulated: Simulated) -> None:
    kill_often(simulated, hosts=6, kills=3, seed=SEED)


@pytest.mark.soak
def test_a_roll_of_thirty_is_killed_at_fifty_moments(simulated: Simulated) -> None:
    kill_often(simulated, hosts=30, kills=KILLS, seed=SEED)
