# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of the callback rollout over the real playbook and simulated hosts."""

from __future__ import annotations

import time

import pytest
from simfleet import Behaviour
from simfleet.fixture import Simulated

pytestmark = pytest.mark.fleet

LOG = {"ANSIBLE_STDOUT_CALLBACK": "fleetops.kexec.rollout"}


def test_the_log_has_each_event_once(simulated: Simulated) -> None:
    fleet = simulated(2, {"sim002": Behaviour(comes_back="old_kernel")}, median_seconds=0.5)
    # By one worker, because of two that ask for the first slot at once either one may get it.
    run = fleet.playbook("--forks", "1", environment=LOG, fast_reboot_timeout=120)
    lines = [line[10:] for line in run.output.splitlines() if line[2:3] == ":"]
    first = lines.index("2 of 2 hosts to reboot, in about 2 min")
    told = [line for line in lines[first + 1 :] if "done; " not in line]
    assert told[0] == "sim001  reboots"
    assert told[1].startswith("sim001  is back")
    assert told[2] == "sim001  rebooted (1 of 2)"
    assert told[3] == "sim002  reboots"
    assert sorted(line.split(":")[0] for line in told[4:]) == ["sim002  failed (2 of 2)", "sim002  failed in Reboot"]
    assert run.output.count("fatal: [sim002]: FAILED! => ") == 1
    assert "PLAY" not in run.output
    assert run.output.rstrip().endswith("1 rebooted, 1 failed")


def test_ctrl_c_ends_it_at_once_and_the_same_command_goes_on(simulated: Simulated) -> None:
    fleet = simulated(2, median_seconds=6.0)
    running = fleet.start_playbook(environment=LOG)
    fleet.wait_for_any("down")
    running.interrupt()
    interrupted = time.monotonic()
    run = running.wait()
    assert time.monotonic() - interrupted < 20
    assert run.rc != 0
    assert "User interrupted execution" in run.output
    assert "Traceback" not in run.output
    again = fleet.playbook(environment=LOG)
    assert again.rc == 0
    assert set(again.outcomes().values()) <= {"rebooted", "current"}
    assert fleet.reboots() == dict.fromkeys(fleet.hosts, 1)
