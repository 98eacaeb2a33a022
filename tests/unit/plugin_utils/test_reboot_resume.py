# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is lost, and waited for once more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._outcome import before_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._reboot import Reboot
from ansible_collections.fleetops.kexec.plugins.plugin_utils._request import Request
from ansible_collections.fleetops.kexec.tests.unit.plugin_utils.fake_host import (
    BY_FIRMWARE,
    NEW,
    NEW_ID,
    OLD,
    OLD_BUILD,
    OLD_ID,
    STARTED,
    FakeClock,
    FakeHost,
    reboot,
)


@pytest.mark.parametrize(
    ("facts", "lost"), [({"answering": None}, True), ({"ready": 9999.0}, True), ({"down": None}, False)]
)
def test_a_host_is_lost_when_it_went_down_and_is_not_back(facts, lost):
    outcome, _host = reboot(**facts)
    assert (outcome.failed, outcome.lost) == (True, lost)


def resumed(lost, check_mode=False, timeout=100.0, **facts):
    """Goes on from the result of an earlier task, whose reboot lies two minutes back."""
    clock = FakeClock()
    host = FakeHost(clock, **facts)
    host.fired = clock.time - 120.0
    request = Request(method="kexec", timeout=timeout, resume=before_from(lost.as_result(STARTED)))
    return Reboot(host, clock, request, say=lambda line: None).run(check_mode), host


def test_a_lost_host_that_returns_is_proven_as_it_would_have_been():
    lost, _host = reboot(answering=None)
    outcome, host = resumed(lost, answering=150.0, ready=150.0)
    assert not outcome.failed
    assert (outcome.changed, outcome.rebooted, outcome.method) == (True, True, "kexec")
    assert (outcome.release, outcome.boot_id) == ({"before": OLD, "after": NEW}, {"before": OLD_ID, "after": NEW_ID})
    assert outcome.timeline["requested"] is None
    assert 30.0 <= outcome.timeline["answering"] <= 31.0
    assert host.log.count("prepare, known") == 1
    assert not any(line.startswith("fire") for line in host.log)


def test_a_lost_host_that_returns_by_its_firmware_has_rolled_back_or_fallen_back():
    lost, _host = reboot(answering=None)
    outcome, _host = resumed(lost, answering=150.0, ready=150.0, release=OLD, build=OLD_BUILD, **BY_FIRMWARE)
    assert (outcome.failed, outcome.rolled_back, outcome.fell_back) == (True, True, True)
    outcome, _host = resumed(lost, answering=150.0, ready=150.0, **BY_FIRMWARE)
    assert (outcome.failed, outcome.rolled_back, outcome.fell_back) == (True, False, True)


def test_a_lost_host_may_be_lost_again():
    lost, _host = reboot(answering=None)
    outcome, _host = resumed(lost, answering=None)
    assert (outcome.failed, outcome.lost, outcome.phase) == (True, True, "return")
    assert outcome.msg.startswith("the host did not come back within 100 s")
    again, _host = resumed(outcome, answering=150.0, ready=150.0)
    assert not again.failed


def test_a_lost_host_that_had_never_gone_down_is_told_as_such():
    lost, _host = reboot(answering=None)
    outcome, _host = resumed(lost, down=None)
    assert (outcome.failed, outcome.lost, outcome.phase) == (True, False, "down")


def test_a_lost_host_is_only_waited_for_in_earnest():
    lost, _host = reboot(answering=None)
    outcome, host = resumed(lost, check_mode=True, answering=150.0)
    assert (outcome.failed, outcome.changed, outcome.msg) == (False, False, "would wait for the host")
    assert host.log == []


def rescued(lost, minutes=10, **facts):
    """The result of a task that has resumed that one, so many minutes later."""
    again, _host = resumed(lost, **facts)
    earlier = before_from(lost.as_result(STARTED)).begun
    return again, again.as_result(STARTED + timedelta(minutes=minutes), earlier)


def test_the_times_of_a_rescued_host_count_from_where_its_reboot_began():
    lost, _host = reboot(answering=None)
    again, result = rescued(lost, answering=150.0, ready=150.0)
    assert result["started"] == STARTED.isoformat()
    assert result["timeline"] == {
        "requested": lost.timeline["requested"],
        "down": lost.timeline["down"],
        "answering": pytest.approx(600 + again.timeline["answering"], abs=0.01),
        "ready": pytest.approx(600 + again.timeline["ready"], abs=0.01),
    }
    assert result["down_seconds"] == pytest.approx(result["timeline"]["ready"] - lost.timeline["down"], abs=0.01)
    assert result["elapsed"] == int(600 + again.elapsed)
    # And it can be resumed once more.
    assert before_from({**result, "lost": True}).begun == before_from(lost.as_result(STARTED)).begun


def test_a_host_that_turns_out_never_to_have_gone_down_has_no_time_of_that():
    lost, _host = reboot(answering=None)
    _again, result = rescued(lost, down=None)
    assert (result["timeline"]["down"], result["down_seconds"]) == (None, None)


def test_a_clock_that_was_set_back_between_two_tasks_gives_no_negative_times():
    lost, _host = reboot(answering=None)
    again, result = rescued(lost, minutes=-60, answering=150.0, ready=150.0)
    assert result["timeline"]["ready"] == again.timeline["ready"]


def test_a_host_of_which_no_task_has_told_when_it_began_counts_from_its_own_task():
    """As the role makes it up for a turn that another run has begun."""
    lost, _host = reboot(answering=None)
    told = {name: value for name, value in lost.as_result(STARTED).items() if name not in ("started", "timeline")}
    assert before_from(told).begun is None
