# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of ansible.builtin.reboot."""

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._call import HostUnreachable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._host import Answer
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.fake_host import (
    BY_FIRMWARE,
    reboot,
)


def test_the_user_is_told_and_given_time():
    outcome, host = reboot(pre_reboot_delay=90.0, announcement="going down", timeout=60.0)
    assert not outcome.failed
    assert host.fired - 1000.0 >= 90.0
    assert host.log.count("announce") == 1
    assert not any("going down" in line for line in host.log)


def test_without_a_delay_the_user_is_told_by_the_same_command():
    outcome, host = reboot(announcement="it's $(time) to `go`")
    assert not outcome.failed
    (command,) = [line for line in host.log if "wall" in line]
    assert "printf '%s\\n' 'it'\"'\"'s $(time) to `go`' | wall" in command


def test_no_command_is_tried_before_the_delay_after_the_reboot():
    outcome, host = reboot(post_reboot_delay=60.0, timeout=50.0, answering=20.0)
    assert not outcome.failed
    fired = host.fired - 1000.0
    assert fired + 20.0 <= outcome.timeline["answering"] <= fired + 20.6
    assert fired + 60.0 <= outcome.timeline["ready"] <= fired + 62.0


OWN = {"method": "auto", "reboot_command": "kexec-restart --now", "search_paths": ("/opt/bin", "/sbin")}


def test_a_command_of_the_users_is_run_as_it_is():
    outcome, host = reboot(announcement="hello", pre_reboot_delay=99.0, uid="1000", init="runit", **BY_FIRMWARE, **OWN)
    assert not outcome.failed
    assert (outcome.method, outcome.asked["method"], outcome.fell_back) == ("firmware", "command", False)
    (command,) = [line for line in host.log if "--now" in line and not line.startswith("fire")]
    assert "for folder in /opt/bin /sbin;" in command
    assert "kexec_loaded" not in command
    assert "wall" not in command
    assert "unload" not in host.log
    assert host.fired - 1000.0 < 5


def test_how_a_command_of_the_users_has_rebooted_is_seen():
    outcome, _host = reboot(**OWN)
    assert (outcome.failed, outcome.method) == (False, "kexec")
    outcome, _host = reboot(expect_release="6.6", **OWN)
    assert "6.6 was expected" in outcome.msg


def test_a_command_of_the_users_that_is_not_there_has_changed_nothing():
    outcome, _host = reboot(
        fire=Answer(127, "", "there is no program kexec-restart in /opt/bin, /sbin"), down=None, **OWN
    )
    assert (outcome.failed, outcome.changed, outcome.phase) == (True, False, "request")
    assert "there is no program kexec-restart" in outcome.msg


def test_the_test_is_tried_until_it_succeeds():
    answers = [Answer(1, "", "not yet"), Answer(1, "", "not yet"), Answer(0, "", "")]
    outcome, host = reboot(test_command="curl x", commands={"curl x": answers})
    assert not outcome.failed
    assert host.log.count("curl x") == 3
    assert 2.0 <= outcome.elapsed - outcome.timeline["ready"] <= 3.0
    assert outcome.phase == "test"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"commands": {"curl x": [Answer(7, "", "connection refused")]}}, "it ended with 7: connection refused"),
        ({"commands": {"curl x": [Answer(1, "", "")]}, "command_takes": None}, "it did not come to its end"),
        ({"commands": {"curl x": [HostUnreachable("connection reset")]}}, "connection reset"),
    ],
    ids=["never succeeds", "never ends", "breaks the connection"],
)
def test_a_test_without_success_fails_at_the_deadline(facts, why):
    outcome, host = reboot(test_command="curl x", timeout=60.0, **facts)
    assert (outcome.failed, outcome.rebooted, outcome.phase, outcome.lost) == (True, True, "test", False)
    assert "the host is back, but test_command did not succeed within 60 s: " + why in outcome.msg
    assert 60.0 <= outcome.elapsed <= 61.0
    assert host.log.count("curl x") <= 40


def test_a_wrong_kernel_is_not_tested():
    outcome, host = reboot(release="6.1.0-57", test_command="curl x", commands={"curl x": [Answer(0, "", "")]})
    assert outcome.failed
    assert "curl x" not in host.log


def test_the_boot_time_must_change_in_addition():
    said = [Answer(0, "Monday\n", ""), Answer(0, "Monday\n", ""), Answer(0, "", ""), Answer(0, "Tuesday\n", "")]
    outcome, host = reboot(boot_time_command="uptime -s", commands={"uptime -s": said})
    assert not outcome.failed
    assert host.log.count("uptime -s") == 4


def test_a_boot_time_that_stays_fails_at_the_deadline():
    outcome, _host = reboot(boot_time_command="uptime -s", commands={"uptime -s": [Answer(0, "Monday", "")]})
    assert (outcome.failed, outcome.rebooted, outcome.phase) == (True, True, "test")
    assert "boot_time_command did not succeed within 120 s: it says 'Monday', as before the reboot" in outcome.msg


def test_a_boot_time_that_cannot_be_asked_leaves_the_host_alone():
    outcome, host = reboot(boot_time_command="nope", commands={"nope": [Answer(127, "", "nope: not found")]})
    assert (outcome.failed, outcome.phase, outcome.changed) == (True, "check", False)
    assert "boot_time_command ended with 127: nope: not found; the host was left alone" in outcome.msg
    assert host.fired is None
