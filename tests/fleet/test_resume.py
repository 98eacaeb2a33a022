# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook is killed, and the same command is given again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from simfleet import NEWER, OLDER, Behaviour, SimulatedFleet
from simfleet.fixture import Simulated

LIMITS: dict[str, Any] = {"fast_reboot_max_unavailable": 2, "fast_reboot_canaries_per_class": 0}


def finished(fleet: SimulatedFleet, **variables: Any) -> None:
    """The same command brings every host to its new kernel, each by one reboot."""
    run = fleet.playbook(**variables)
    assert run.rc == 0
    assert set(run.outcomes().values()) <= {"rebooted", "current"}
    assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
    assert {fleet.read(host, "/proc/sys/kernel/osrelease") for host in fleet.hosts} == {NEWER}
    assert fleet.most_down() <= 2
    assert [host for host in fleet.hosts if (fleet.root(host) / "var/lib/fleetops-kexec/net.json").exists()] == []


# When it is killed: seen by the hosts.
MOMENTS: dict[str, Callable[[SimulatedFleet], None]] = {
    "a host has been asked, and still answers": lambda fleet: fleet.wait_for_any("asked"),
    "a host is away": lambda fleet: fleet.wait_for_any("down"),
    "a host is back, and its kernel is not accepted": lambda fleet: fleet.wait_for_any("up", 4),
}


@pytest.mark.fleet
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_roll_is_gone_on_with(simulated: Simulated, moment: str) -> None:
    fleet = simulated(3, {"sim001": Behaviour(stop_seconds=2.0)}, median_seconds=4.0)
    killed = fleet.start_playbook(**LIMITS)
    MOMENTS[moment](fleet)
    killed.kill()
    finished(fleet, **LIMITS)


@pytest.mark.fleet
def test_a_turn_that_is_taken_up_and_fails_before_its_reboot_leaves_nothing_staged(simulated: Simulated) -> None:
    fleet = simulated(2)
    hooks = {name: fleet.inventory.parent / (name + ".yml") for name in ("slow", "broken", "after")}
    hooks["slow"].write_text('[{"ansible.builtin.command": "sleep 60"}]')
    hooks["broken"].write_text('[{"name": "Drain", "ansible.builtin.fail": {"msg": "the balancer is away"}}]')
    hooks["after"].write_text('[{"ansible.builtin.command": "touch /run/in-service"}]')
    killed = fleet.start_playbook(fast_reboot_before_host=str(hooks["slow"]))
    deadline = time.monotonic() + 120
    while fleet.read("sim001", "/sys/kernel/kexec_loaded") != "1":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed.kill(with_all=True)
    run = fleet.playbook(fast_reboot_before_host=str(hooks["broken"]), fast_reboot_after_host=str(hooks["after"]))
    assert run.outcomes() == {"sim001": "failed", "sim002": "deferred"}
    assert "failed: Drain: the balancer is away" in " ".join(run.output.split())
    assert fleet.read("sim001", "/sys/kernel/kexec_loaded") == "0"
    assert not (fleet.root("sim001") / "run/in-service").exists()
    assert fleet.reboots() == {}


@pytest.mark.fleet
def test_a_host_that_has_rolled_back_meanwhile_is_found_as_such(simulated: Simulated) -> None:
    fleet = simulated(3, {"sim001": Behaviour(comes_back="rolled_back")}, median_seconds=1.0)
    killed = fleet.start_playbook()
    fleet.wait_for("sim001", "down", seconds=120)
    killed.kill()
    fleet.wait_for("sim001", "up", 2)
    run = fleet.playbook()
    assert run.rc != 0
    assert run.outcomes() == {"sim001": "rolled_back", "sim002": "deferred", "sim003": "deferred"}
    assert "it runs its old kernel %s again, and %s did not come up" % (OLDER, NEWER) in " ".join(run.output.split())
    assert fleet.reboots() == {"sim001": 1}
