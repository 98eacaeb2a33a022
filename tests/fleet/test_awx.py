# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them, by ansible-runner: answers as text, a folder of its own for each job, events and artifacts."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ansible_runner
import postgresql
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import SUCCEEDED
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store
from ansible_run import CHECKOUT
from simfleet import NEWER, OTHER, SimulatedFleet
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
    """One job of AWX: a private data folder, and ansible-runner over it.

    :param hosts: those that it sees of the fleet; all where none are named.
    """

    def __init__(
        self,
        fleet: SimulatedFleet,
        folder: Path,
        playbook: str,
        *arguments: str,
        hosts: Iterable[str] = (),
        store: str | None = None,
        **answers: Any,
    ) -> None:
        self._cancelled = threading.Event()
        (folder / "inventory").mkdir(parents=True)
        inventory = json.loads(fleet.inventory.read_text())
        seen = {host: inventory["fleet"]["hosts"][host] for host in hosts or fleet.hosts}
        inventory["fleet"]["hosts"] = seen
        (folder / "inventory/hosts").write_text(json.dumps(inventory))
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
                "FLEETOPS_KEXEC_STORE": store or str(fleet.inventory.parent / "rollouts.db"),
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


class Launch:
    """A job template that is sliced, launched: each job sees every so manieth host, in the order of their names."""

    def __init__(
        self, fleet: SimulatedFleet, folder: Path, server: postgresql.Server, slices: int, **answers: str
    ) -> None:
        self._fleet = fleet
        self._folder = folder
        self._server = server
        self._slices = slices
        self._answers = {
            "fast_reboot_rollout": "fleet",
            "fast_reboot_force": "false",
            "fast_reboot_canaries_per_class": "1",
            **answers,
        }

    def hosts(self, number: int) -> list[str]:
        """Of a slice; the first one is 1."""
        return sorted(self._fleet.hosts)[number - 1 :: self._slices]

    def start(self, number: int, workflow: int | None) -> Job:
        """Start a slice. :param workflow: the workflow job that the launch is; a slice launched again is in none."""
        return Job(
            self._fleet,
            self._folder / ("%s-%d" % (workflow, number)),
            "playbooks/fast_reboot.yml",
            hosts=self.hosts(number),
            store=self._server.url(),
            **self._answers,
            **({} if workflow is None else {"awx_workflow_job_id": workflow}),
        )


def one_went_first(fleet: SimulatedFleet, since: int = 0) -> bool:
    """Whether no other host was asked to reboot before the first one was back."""
    events = [event for event in fleet.history()[since:] if event.what in ("asked", "up")]
    asked = [place for place, event in enumerate(events) if event.what == "asked"]
    return events[asked[0] + 1].what == "up"


def outcomes_of(jobs: Iterable[Any]) -> Counter[str]:
    """How many hosts of all slices have which outcome."""
    total: Counter[str] = Counter()
    for job in jobs:
        assert job.status == "successful", log_of(job)
        total.update(artifacts(job)["outcomes"])
    return total


def test_slices_keep_the_limits_together_and_one_may_be_cancelled(
    simulated: Simulated, server: postgresql.Server, tmp_path: Path
) -> None:
    fleet = simulated(12, median_seconds=3.0)
    launch = Launch(fleet, tmp_path, server, 3, fast_reboot_max_unavailable="3")
    slices = {number: launch.start(number, 40) for number in (1, 2, 3)}
    fleet.wait_for_any("asked", 2)
    while not set(launch.hosts(2)) & {event.host for event in fleet.history(what="down")}:
        assert sum(fleet.reboots().values()) < len(fleet.hosts), "the second slice has a share in it"
    assert slices[2].cancel().status == "canceled"
    slices[2] = launch.start(2, None)

    outcomes = outcomes_of(job.ended() for job in slices.values())
    assert set(outcomes) <= {"rebooted", "current"}
    assert outcomes.total() == len(fleet.hosts)
    assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
    assert one_went_first(fleet)
    assert 1 < fleet.most_down() <= 3
    store = Store(Database(server.url()))
    with store.ledger() as ledger:
        assert ledger.standings("fleet") == dict.fromkeys(fleet.hosts, SUCCEEDED)
    store.database.close()


def test_a_percentage_is_of_the_slices_that_have_begun_and_each_launch_has_canaries(
    simulated: Simulated, server: postgresql.Server, tmp_path: Path
) -> None:
    fleet = simulated(8, median_seconds=3.0)
    launch = Launch(fleet, tmp_path, server, 2, fast_reboot_max_unavailable="25%")
    first = launch.start(1, 40)
    fleet.wait_for_any("asked", 2)
    assert fleet.most_down() == 1, "of four hosts"
    second = launch.start(2, 40)
    assert outcomes_of([first.ended(), second.ended()]) == {"rebooted": 8}
    assert one_went_first(fleet)
    assert fleet.most_down() == 2, "of eight"

    # A month later there is another kernel, which nobody has tried.
    for host in fleet.hosts:
        fleet.update(host, OTHER)
    since = len(fleet.history())
    jobs = [launch.start(number, 50) for number in (1, 2)]
    assert outcomes_of(job.ended() for job in jobs) == {"rebooted": 8}
    assert one_went_first(fleet, since)
    assert {fleet.read(host, "/proc/sys/kernel/osrelease") for host in fleet.hosts} == {OTHER}
    assert fleet.most_down() == 2
