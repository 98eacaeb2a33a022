# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks as users have them, by ansible.builtin.reboot and by kexec_reboot in its place: only the name is another."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_run import Run
from simfleet import Behaviour
from simfleet.fixture import Simulated

pytestmark = pytest.mark.fleet

# A program of the user's, outside of what PATH has.
RESTART = '#!/bin/sh\necho "$0 $*" >>/root/restarted\nexec /usr/sbin/reboot\n'

TASKS: dict[str, dict[str, Any]] = {
    "nothing given": {},
    "times": {"connect_timeout": 5, "reboot_timeout": 60, "post_reboot_delay": 1, "pre_reboot_delay": "0"},
    "a message": {"msg": "Kernel update, back soon"},
    "a test": {"test_command": "test -e /etc/hostname && uptime >/dev/null || true"},
    "a boot time": {"boot_time_command": "cat /proc/sys/kernel/random/boot_id"},
    "folders as a text": {"search_paths": "/usr/sbin"},
    "a command with arguments": {
        "reboot_command": "restart --now 'x  y'",
        "search_paths": ["/nowhere", "/opt/tools"],
    },
    "a command with its path": {"reboot_command": "/usr/sbin/reboot"},
}


def rebooted_by(module: str, simulated: Simulated, arguments: dict[str, Any]) -> tuple[Run, str]:
    """The run, and what the user's program was started with."""
    fleet = simulated(1, median_seconds=0.8)
    program = fleet.root("sim001") / "opt/tools/restart"
    program.parent.mkdir(parents=True)
    program.write_text(RESTART)
    program.chmod(0o755)
    run = fleet.module(module, arguments)
    assert fleet.reboots() == {"sim001": 1}, run.output
    started = fleet.root("sim001") / "root/restarted"
    return run, started.read_text() if started.exists() else ""


@pytest.mark.parametrize("name", TASKS)
def test_a_task_means_the_same_by_either_module(simulated: Simulated, name: str) -> None:
    theirs, ours = (
        rebooted_by(module, simulated, TASKS[name])
        for module in ("ansible.builtin.reboot", "fleetops.kexec.kexec_reboot")
    )
    their, our = (run.tasks[0].result for run, _started in (theirs, ours))
    assert (our["changed"], our["rebooted"]) == (their["changed"], their["rebooted"]) == (True, True)
    assert type(our["elapsed"]) is type(their["elapsed"]) is int
    # From ansible-core 2.21 on, folders of search_paths that a host lacks are warned of.
    assert set(their) - {"warnings"} <= set(our), "a return value is missing"
    assert ours[1] == theirs[1]


def test_a_host_that_is_lost_after_a_module_ran_on_it_is_told_as_such(simulated: Simulated) -> None:
    """The module that unloads the image has left its folder there, which nobody can remove any more."""
    fleet = simulated(1, {"sim001": Behaviour(comes_back="never")})
    assert fleet.module("fleetops.kexec.kexec_load", {"rollback": "false"}).tasks[0].result["changed"]
    run = fleet.module("fleetops.kexec.kexec_reboot", {"method": "firmware", "reboot_timeout": 8})
    (task,) = run.tasks
    assert (task.status, task.result.get("lost"), task.result.get("phase")) == ("ignored", True, "return"), run.output


MESSAGE = 'it\'s "done"; $(touch /root/ran) `touch /root/ran` | > /root/ran\n\\n %s -n äöü'


def test_a_message_arrives_as_it_is_written(simulated: Simulated) -> None:
    fleet = simulated(1, median_seconds=0.8)
    wall = fleet.root("sim001") / "opt/bin/wall"
    wall.parent.mkdir(parents=True)
    wall.write_text("#!/bin/sh\ncat >/root/shown\n")
    wall.chmod(0o755)
    run = fleet.module("fleetops.kexec.kexec_reboot", {"msg": MESSAGE, "search_paths": ["/opt/bin", "/usr/sbin"]})
    assert run.tasks[0].result["rebooted"], run.output
    assert fleet.read("sim001", "/root/shown") in (MESSAGE, MESSAGE + "\n")
    assert not (fleet.root("sim001") / "root/ran").exists()


def test_a_program_that_is_nowhere_is_told_and_nothing_is_done(simulated: Simulated) -> None:
    fleet = simulated(1)
    run = fleet.module("fleetops.kexec.kexec_reboot", {"reboot_command": "restart", "search_paths": ["/nowhere"]})
    result = run.tasks[0].result
    assert "there is no program restart in /nowhere" in result["msg"]
    assert (result["changed"], result["rebooted"], fleet.reboots()) == (False, False, {})
