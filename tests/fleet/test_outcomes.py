# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook over a fleet whose hosts do all that goes wrong, and what it says became of each."""

from __future__ import annotations

from typing import Any

import pytest
from simfleet import NEWER, OLDER, Behaviour, SimulatedFleet
from simfleet.fixture import Simulated

pytestmark = pytest.mark.fleet


def said(output: str) -> str:
    """Without the line breaks of tables."""
    return " ".join(output.split())


def releases(fleet: SimulatedFleet) -> dict[str, str]:
    return {host: fleet.read(host, "/proc/sys/kernel/osrelease") for host in fleet.hosts}


# Hosts that are a trial and come back all the same.
TRIALS = {
    "sim003": Behaviour(stop_seconds=3.0),
    "sim004": Behaviour(answer_seconds=0.3),
    "sim005": Behaviour(flaps=2),
    "sim006": Behaviour(down_looks="silent", reboot_seconds=2.5),
    "sim007": Behaviour(down_looks="accepts"),
    "sim008": Behaviour(firing_hangs=True, down_looks="silent", reboot_seconds=2.5),
}


def test_a_roll_through_a_difficult_fleet_and_the_same_again_after_a_repair(simulated: Simulated) -> None:
    fleet = simulated(12, {**TRIALS, "sim010": Behaviour(comes_back="never")}, median_seconds=1.3)
    (fleet.root("sim002") / "proc/sys/kernel/kexec_load_disabled").write_text("1\n")
    fleet.update("sim009", default=OLDER)
    # With one worker the order of the plan is that of the roll.
    run = fleet.playbook("--forks", "1", fast_reboot_timeout=15)
    assert run.rc != 0
    assert run.outcomes() == {
        "sim001": "rebooted",
        "sim002": "refused",
        **dict.fromkeys(TRIALS, "rebooted"),
        "sim009": "current",
        "sim010": "lost",
        "sim011": "deferred",
        "sim012": "deferred",
    }
    assert "untouched: the roll stopped, because sim010 did not come back" in said(run.output)
    assert fleet.most_down() == 1
    assert fleet.reboots() == dict.fromkeys(("sim001", *TRIALS, "sim010"), 1)

    # Somebody has gone to the lost host, mended it, and pressed its button.
    fleet.behave("sim010", comes_back="as_asked")
    fleet.reset("sim010")
    again = fleet.playbook("--limit", "all:!sim002")
    assert again.rc == 0
    assert again.outcomes() == {
        **dict.fromkeys(("sim001", *TRIALS, "sim009", "sim010"), "current"),
        **dict.fromkeys(("sim011", "sim012"), "rebooted"),
    }
    assert fleet.most_down() == 1
    assert fleet.reboots() == dict.fromkeys(("sim001", *TRIALS, "sim010", "sim011", "sim012"), 1)
    assert releases(fleet) == {**dict.fromkeys(fleet.hosts, NEWER), "sim002": OLDER, "sim009": OLDER}


# How the first host behaves, its outcome, what is said of it, and how often it was asked for a reboot.
FAILURES: dict[str, tuple[dict[str, Any], str, str, int]] = {
    "the kexec becomes a reboot through the firmware": (
        {"comes_back": "firmware"},
        "failed",
        "the kexec did not happen: the host came back through its firmware",
        1,
    ),
    "the rollback net brings the old kernel back": (
        {"comes_back": "rolled_back"},
        "rolled_back",
        "the host has rolled back: it runs its old kernel %s again" % OLDER,
        1,
    ),
    "the kernel that ran comes back": ({"comes_back": "old_kernel"}, "failed", "but not from the staged image", 1),
    "a kernel comes back that nobody asked for": ({"comes_back": "other_kernel"}, "failed", "was expected", 1),
    "another host key comes back": ({"new_host_key": True}, "lost", "another SSH server answers: its host key is", 1),
    "the reboot is refused": (
        {"refuses_reboot": "Access denied"},
        "failed",
        "the host refused to reboot (return code 1): Access denied",
        0,
    ),
    "it never returns": ({"comes_back": "never", "down_looks": "silent"}, "lost", "did not come back within 8 s", 1),
    "it dies while its kernel is being staged": ({"dies_at": "kexec_load"}, "unreachable", "", 0),
    "it dies while its kernel is being accepted": (
        {"dies_at": "kexec_commit"},
        "failed",
        "the new kernel runs, but could not be accepted: the host is unreachable",
        1,
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_one_that_fails_is_the_last_that_goes_down(simulated: Simulated, name: str) -> None:
    behaviour, outcome, sentence, asked = FAILURES[name]
    fleet = simulated(3, {"sim001": Behaviour(**behaviour)}, median_seconds=0.5)
    run = fleet.playbook(fast_reboot_timeout=8)
    assert run.rc != 0
    assert run.outcomes() == {"sim001": outcome, "sim002": "deferred", "sim003": "deferred"}
    assert sentence in said(run.output)
    assert fleet.reboots() == ({"sim001": asked} if asked else {})


def test_an_input_that_cannot_be_meant_is_told_with_its_hosts_before_anybody_goes_down(simulated: Simulated) -> None:
    fleet = simulated(4)
    for host in ("sim002", "sim003"):
        (fleet.inventory.parent / "host_vars").mkdir(exist_ok=True)
        (fleet.inventory.parent / "host_vars" / (host + ".yml")).write_text("fast_reboot_method: kexek\n")
    run = fleet.playbook()
    assert run.rc != 0
    assert "value of fast_reboot_method must be one of" in said(run.output)
    assert "got: kexek (on sim002, sim003)" in said(run.output)
    assert fleet.reboots() == {}


def test_inputs_that_refer_to_the_roles_defaults_are_those_that_the_role_sees(simulated: Simulated) -> None:
    fleet = simulated(2)
    (fleet.inventory.parent / "group_vars").mkdir()
    (fleet.inventory.parent / "group_vars" / "all.yml").write_text(
        """
        fast_reboot_rollback_seconds: "{{ fast_reboot_timeout * 6 }}"
        fast_reboot_kernel: "{{ of_nobody | default(omit) }}"
        """
    )
    run = fleet.playbook("--check")
    assert run.rc == 0
    assert run.outcomes() == dict.fromkeys(fleet.hosts, "planned")


def test_where_a_host_is_unreachable_nobody_goes_down(simulated: Simulated) -> None:
    fleet = simulated(4, {"sim003": Behaviour(reachable=False)})
    run = fleet.playbook()
    assert run.rc != 0
    assert run.outcomes() == {
        "sim001": "deferred",
        "sim002": "deferred",
        "sim003": "unreachable",
        "sim004": "deferred",
    }
    assert fleet.reboots() == {}


def test_a_hundred_hosts_are_surveyed_and_left_alone(simulated: Simulated) -> None:
    fleet = simulated(100, values={"running": NEWER})
    run = fleet.playbook("--forks", "20")
    assert run.rc == 0
    assert run.outcomes() == dict.fromkeys(fleet.hosts, "current")
    assert "100 hosts: 100 current" in run.output
    assert fleet.reboots() == {}
    print("controller: %.1f s of CPU; simulator: %.1f s" % (run.cpu_seconds, fleet.cpu_seconds()))


def test_a_host_whose_kernel_packages_fail_is_refused_whatever_objections_are_given(simulated: Simulated) -> None:
    fleet = simulated(2)
    # As AWX passes on a question that was left blank.
    run = fleet.playbook(
        playbook="playbooks/kernel_update.yml", kernel_update_packages=["no-such-package"], fast_reboot_objections=""
    )
    assert run.rc != 0
    assert run.outcomes() == dict.fromkeys(fleet.hosts, "refused")
    assert fleet.reboots() == {}
    assert "its kernel packages were not updated" in said(run.output)
