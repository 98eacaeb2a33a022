# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A roll that waits for health, and leaves a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from simfleet.fixture import Simulated

pytestmark = pytest.mark.fleet


def test_a_host_that_is_not_healthy_ends_the_roll_and_the_report_says_why(simulated: Simulated, tmp_path: Path) -> None:
    fleet = simulated(3, median_seconds=0.5)
    run = fleet.playbook(
        "--forks",
        "1",
        fast_reboot_health=[{"command": "test {{ inventory_hostname }} = sim001"}],
        fast_reboot_health_timeout=3,
        fast_reboot_report_html=str(tmp_path / "roll.html"),
        fast_reboot_report_json=str(tmp_path / "roll.json"),
        fast_reboot_report_markdown=str(tmp_path / "roll.md"),
    )
    assert run.rc != 0
    assert run.outcomes() == {"sim001": "rebooted", "sim002": "failed", "sim003": "deferred"}
    assert fleet.reboots() == {"sim001": 1, "sim002": 1}
    said = " ".join(run.output.split())
    assert "it runs the new kernel and is not healthy: " in said
    report = json.loads((tmp_path / "roll.json").read_text())
    assert [(host["name"], host["outcome"]) for host in report["hosts"]] == list(run.outcomes().items())
    assert "is not healthy" in (tmp_path / "roll.md").read_text()
    assert "sim002" in (tmp_path / "roll.html").read_text()
