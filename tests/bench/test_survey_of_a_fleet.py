# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the survey of a fleet takes, against the least that ansible.builtin.setup can gather.

Both are one task for each host, over new connections, with Ansible's own defaults.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from measured import Used
from simfleet import SimulatedFleet
from simfleet.fixture import Simulated

pytestmark = pytest.mark.bench

HOSTS = int(os.environ.get("FLEETOPS_BENCH_HOSTS", "1000"))
AT_A_TIME = 50

PEER: Mapping[str, Any] = {"ansible.builtin.setup": {"gather_subset": ["min"]}}
OURS: Mapping[str, Any] = {
    "ansible.builtin.import_role": {
        "name": "fleetops.kexec.fast_reboot",
        "tasks_from": "survey",
        # As in the playbook: the plan checks the inputs of all hosts.
        "rolespec_validate": False,
    }
}


def survey(fleet: SimulatedFleet, folder: Path, name: str, task: Mapping[str, Any]) -> tuple[float, float]:
    """Seconds of the whole command, and of the control node's processors for each host."""
    file, used = folder / (name + ".yml"), folder / (name + ".used")
    file.write_text(json.dumps([{"hosts": "fleet", "gather_facts": False, "become": True, "tasks": [task]}]))
    start = time.monotonic()
    run = fleet.playbook("--forks", str(AT_A_TIME), playbook=str(file), used=used)
    seconds = time.monotonic() - start
    assert run.rc == 0
    assert len({task.host for task in run.tasks if task.status == "ok"}) == HOSTS
    return seconds, Used.read(used).cpu_seconds / HOSTS


def test_the_survey_of_a_fleet_is_not_slower_than_a_few_facts(
    simulated: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print("\n\n%-12s%8s%10s%24s" % ("", "hosts", "seconds", "CPU seconds for each"))
    taken = {}
    for name, task in (("setup", PEER), ("survey", OURS)):
        # A fleet of its own, so that neither finds connections of the other.
        fleet = simulated(HOSTS)
        taken[name], each = survey(fleet, tmp_path, name, task)
        fleet.close()
        with capsys.disabled():
            print("%-12s%8d%10.1f%24.3f" % (name, HOSTS, taken[name], each))
    assert taken["survey"] <= taken["setup"]
