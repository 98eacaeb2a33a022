# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them, by ansible-runner: answers as text, a folder of its own for each job, events and artifacts."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
from ansible_run import CHECKOUT
from simfleet import NEWER, SimulatedFleet
from simfleet.fixture import Simulated

pytestmark = pytest.mark.fleet

# A survey in which much was left blank.
ANSWERS = {
    "awx_job_id": 17,
    "awx_inventory_id": 3,
    "fast_reboot_max_unavailable": "50%",
    "fast_reboot_stages": "",
    "fast_reboot_max_failures": "3",
    "fast_reboot_windows": "",
    "fast_reboot_entry": "",
    "fast_reboot_method": "kexec",
    "fast_reboot_force": "true",
    "fast_reboot_rollout": "",
    "fast_reboot_ignore_blockers": "",
    "fast_reboot_append": "",
    "fast_reboot_before_host": "",
    "fast_reboot_health": "",
    "fast_reboot_canaries_per_class": "0",
    "fast_reboot_timeout": "120",
}


class Job:
    """One job of AWX: a private data folder, and ansible-runner over it."""

    def __init__(self, fleet: SimulatedFleet, folder: Path, playbook: str, *arguments: str, **answers: Any) -> None:
        self._cancelled = threading.Event()
        (folder / "inventory").mkdir(parents=True)
        (folder / "inventory/hosts").write_text(fleet.inventory.read_text())
        self._thread, self._runner = ansible_runner.run_async(
            private_data_dir=str(folder),
            project_dir=str(CHECKOUT),
            playbook=playbook,
            ident="job",
            cmdline=" ".join(arguments) or None,
            extravars={**ANSWERS, **answers},
            envvars={
                "ANSIBLE_STDOUT_CALLBACK": "fleetops.kexec.rollout",
                "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks/collections"),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(fleet.inventory.parent / "cp"),
                "FLEETOPS_KEXEC_STORE": str(fleet.inventory.parent / "rollouts.db"),
            },
            settings={"suppress_ansible_output": True},
            cancel_callback=self._cancelled.is_set,
            quiet=True,
        )

    def ended(self) -> Any:
        """The runner, when the job has ended."""
        self._thread.join()
        return self._runner

    def cancel(self) -> Any:
        """As AWX does it."""
        self._cancelled.set()
        return self.ended()


def log_of(job: Any) -> str:
    """What an operator reads in AWX."""
    with job.stdout as stream:
        return str(stream.read())


def artifacts(job: Any) -> Any:
    """What AWX hands on to the next jobs of a workflow."""
    (stats,) = [event for event in job.events if event["event"] == "playbook_on_stats"]
    return stats["event_data"]["artifact_data"]["rollout_report"]


def test_answers_are_text_and_the_summary_is_an_artifact(simulated: Simulated, tmp_path: Path) -> None:
    fleet = simulated(2, median_seconds=0.5)
    check = Job(fleet, tmp_path / "check", "playbooks/fast_reboot.yml", "--check").ended()
    assert check.status == "successful"
    assert artifacts(check)["outcomes"] == {"planned": 2}
    assert fleet.reboots() == {}

    roll = Job(fleet, tmp_path / "roll", "playbooks/fast_reboot.yml").ended()
    assert roll.status == "successful"
    assert artifacts(roll)["outcomes"] == {"rebooted": 2}
    assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
    assert fleet.most_down() == 1
    # The events of each host are AWX's own, and its log is the callback's.
    answered = [event["event_data"]["host"] for event in roll.events if event["event"] == "runner_on_ok"]
    assert set(fleet.hosts) <= set(answered)
    log = log_of(roll)
    assert "sim001  rebooted (" in log
    assert "PLAY" not in log

    blank = {"rollout_control_state": "", "rollout_control_reason": ""}
    control = Job(fleet, tmp_path / "control", "playbooks/rollout_control.yml", **blank).ended()
    assert control.status == "successful"
    assert "all of inventory 3 of AWX" in log_of(control)


def test_a_cancelled_job_is_gone_on_with_by_the_next(simulated: Simulated, tmp_path: Path) -> None:
    fleet = simulated(3, median_seconds=4.0)
    first = Job(fleet, tmp_path / "first", "playbooks/fast_reboot.yml", fast_reboot_force="false")
    fleet.wait_for_any("down")
    assert first.cancel().status == "canceled"
    second = Job(fleet, tmp_path / "second", "playbooks/fast_reboot.yml", fast_reboot_force="false").ended()
    assert second.status == "successful", log_of(second)
    assert set(artifacts(second)["outcomes"]) <= {"rebooted", "current"}
    assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
    assert {fleet.read(host, "/proc/sys/kernel/osrelease") for host in fleet.hosts} == {NEWER}
    assert fleet.most_down() == 1
