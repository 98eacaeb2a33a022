# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of a roll, judged by what the hosts saw, and the user's hooks."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from simfleet import Behaviour
from simfleet.fixture import Simulated

pytestmark = pytest.mark.fleet

# Writes a line to a file of the control node, and may fail.
HOOK = """
- name: Write
  ansible.builtin.shell: echo %s {{ inventory_hostname }} >>{{ hook_log }}{{ ' && false' if %s else '' }}
  delegate_to: localhost
  become: false
"""


def hook(folder: Path, name: str, fails: str = "false") -> str:
    path = folder / (name + ".yml")
    path.write_text(HOOK % (name, fails))
    return str(path)


def test_a_window_of_hosts_slides_until_the_failures_are_used_up(simulated: Simulated, tmp_path: Path) -> None:
    fleet = simulated(
        9,
        {
            "sim001": Behaviour(reboot_seconds=12.0),
            "sim002": Behaviour(dies_at="kexec_load"),
            "sim004": Behaviour(comes_back="never"),
        },
        median_seconds=1.0,
    )
    log = tmp_path / "log"
    run = fleet.playbook(
        # As an answer of AWX's surveys is.
        fast_reboot_max_unavailable="45%",
        fast_reboot_max_failures="2",
        fast_reboot_canaries_per_class="0",
        fast_reboot_timeout=20,
        fast_reboot_before_roll=hook(tmp_path, "first"),
        fast_reboot_before_host=[hook(tmp_path, "drain", "inventory_hostname == 'sim003'")],
        fast_reboot_after_host=hook(tmp_path, "undrain") + "\n",
        fast_reboot_on_host_failure=hook(tmp_path, "failure"),
        fast_reboot_after_roll=hook(tmp_path, "last"),
        hook_log=str(log),
    )
    assert run.rc != 0
    outcomes = run.outcomes()
    assert outcomes["sim001"] == "rebooted"  # it was in flight all the time
    assert [outcomes[host] for host in ("sim002", "sim003", "sim004")] == ["unreachable", "failed", "lost"]
    well = {host for host, outcome in outcomes.items() if outcome == "rebooted"}
    assert {host for host, outcome in outcomes.items() if outcome == "deferred"} == {*fleet.hosts[4:]} - well
    assert fleet.most_down() <= 4
    assert fleet.reboots() == dict.fromkeys([*sorted(well), "sim004"], 1)
    assert fleet.read("sim003", "/sys/kernel/kexec_loaded") == "0"
    # ansible-core 2.21 has another wording.
    said = r"failed: Write: (The command exited with a )?non-zero return code"
    assert re.search(said, " ".join(run.output.split()))

    lines = log.read_text().splitlines()
    assert (lines[0].split()[0], lines[-1].split()[0]) == ("first", "last")
    assert sorted(line for line in lines if line.startswith(("undrain", "failure"))) == sorted(
        ["undrain " + host for host in well] + ["failure " + host for host in ("sim002", "sim003", "sim004")]
    )
    assert {line.split()[1] for line in lines if line.startswith("drain")} == {"sim003", "sim004", *well}


def test_a_closed_window_is_no_failure_and_the_next_one_is_told(simulated: Simulated) -> None:
    fleet = simulated(2)
    opens = datetime.now(timezone.utc) + timedelta(days=3)
    run = fleet.playbook(fast_reboot_windows=opens.strftime("%a").lower() + " 02:00 4h")
    assert run.rc == 0
    assert set(run.outcomes().values()) == {"deferred"}
    assert "the next one opens" in " ".join(run.output.split())
    assert fleet.reboots() == {}


def test_two_controllers_keep_the_limits_together(simulated: Simulated) -> None:
    fleet = simulated(6, median_seconds=2.0)
    limits: dict[str, Any] = {"fast_reboot_max_unavailable": 2, "fast_reboot_canaries_per_class": 0}
    both = [fleet.start_playbook(**limits), fleet.start_playbook(**limits)]
    for run in [running.wait() for running in both]:
        assert run.rc == 0
        assert set(run.outcomes().values()) <= {"rebooted", "current"}
    assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
    assert fleet.most_down() <= 2


BAD: list[tuple[dict[str, Any], str]] = [
    ({"fast_reboot_max_unavailable": "banana"}, "max_unavailable is 'banana'"),
    ({"fast_reboot_stages": "5,1"}, "stages"),
    ({"fast_reboot_windows": "sat 02:00 4h Europe/Atlantis"}, "Europe/Atlantis"),
    ({"fast_reboot_store": "/proc/no/store"}, "/proc/no"),
    ({"fast_reboot_health": [{"url": "http://localhost/", "expect": "status =="}]}, "it ends too early, at column 10"),
    ({"fast_reboot_report_html": "/proc/no/report.html"}, "/proc/no"),
]


def test_what_cannot_be_meant_is_said_before_anything_goes_down(simulated: Simulated) -> None:
    fleet = simulated(1)
    for variables, sentence in BAD:
        run = fleet.playbook(**variables)
        assert run.rc != 0
        assert sentence in " ".join(run.output.split())
    assert fleet.reboots() == {}
