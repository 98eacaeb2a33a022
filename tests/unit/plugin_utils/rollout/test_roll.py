# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import (
    Outcome,
    outcome_of_reboot,
    outcome_of_turn,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import Begun, Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import make_plan, plan_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.report import not_good, outcomes, summary
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.show import plan_text, report_text

BOOT_ID = "0cdfa0ad-9b1d-4a5d-9e0d-3c1cd2b2f0b5"


def surveyed(needed=True, blockers=(), before="6.1.0-55", after="6.1.0-56", reasons=("newer",)):
    return {
        "kexec": {
            "method": "kexec",
            "running": {"release": before, "version": "#1", "boot_id": BOOT_ID},
            "hardware": {"class": "model-x"},
            "target": None if after is None else {"release": after},
            "reboot_needed": needed,
            "reboot_reasons": list(reasons) if needed else [],
            "blockers": [{"id": name, "severity": severity, "message": name + "!"} for name, severity in blockers],
        }
    }


UNREACHABLE = {"unreachable": True, "msg": "Failed to connect\n to the host"}
FAILED = {"failed": True, "msg": "no python"}


def rebooted(**changes):
    result = {
        "failed": False,
        "rebooted": True,
        "phase": "proof",
        "release": {"before": "6.1.0-55", "after": "6.1.0-56"},
        "boot_id": {"before": BOOT_ID, "after": "another"},
        "timeline": {"requested": 0.1, "down": 2.0, "answering": 20.0, "ready": 21.0},
        "down_seconds": 19.0,
        "lost": False,
        "rolled_back": False,
        "fell_back": False,
        "asked": {"method": "kexec", "not_kexec": None},
    }
    return {**result, **changes}


LOST = rebooted(
    failed=True,
    rebooted=False,
    phase="return",
    lost=True,
    msg="did not come back",
    release={"before": "6.1.0-55", "after": None},
    timeline={"requested": 0.1, "down": 2.0, "answering": None, "ready": None},
    down_seconds=None,
)


@pytest.mark.parametrize(
    ("survey", "outcome"),
    [
        (surveyed(), "planned"),
        (surveyed(needed=False), "current"),
        (surveyed(needed=None, after=None), "refused"),
        (surveyed(blockers=[("load_disabled", "refuse")]), "refused"),
        (surveyed(blockers=[("hpwdt", "warn")]), "planned"),
        (UNREACHABLE, "unreachable"),
        (FAILED, "failed"),
        ({}, "failed"),
    ],
)
def test_a_host_is_judged_by_its_survey(survey, outcome):
    plan = make_plan({"web1": survey}, "all")
    assert [host.name for host in plan.order] == (["web1"] if outcome == "planned" else [])
    assert [judged.name for judged in plan.left_out.values()] == ([] if outcome == "planned" else [outcome])
    assert all(judged.reason for judged in plan.left_out.values() if judged.name != "current")


def test_the_order_is_the_inventorys():
    plan = make_plan({"web2": surveyed(), "db": surveyed(needed=False), "web1": surveyed()}, "all")
    assert plan.as_result()["order"] == ["web2", "web1"]
    assert plan.stopped is None


@pytest.mark.parametrize("missing", [UNREACHABLE, FAILED])
def test_nothing_goes_down_beside_a_host_that_may_be_down_already(missing):
    plan = make_plan({"web1": surveyed(), "web2": missing}, "all")
    assert plan.as_result()["order"] == []
    assert "web2 could not be surveyed" in plan.stopped
    assert "--limit 'all:!web2'" in plan.stopped
    found = outcomes(plan, {}, {})
    assert found["web1"].name == "deferred"
    assert found["web1"].reason.startswith("untouched: one host at a time may be down")


def test_a_warning_is_shown_once_with_all_its_hosts():
    warned = surveyed(blockers=[("hpwdt", "warn")])
    plan = make_plan({"web1": warned, "web2": surveyed(), "web3": warned}, "all")
    assert plan_text(plan, 200).splitlines()[-1] == "Mind, web1, web3: hpwdt!"
    assert plan_from(plan.as_result()) == plan


def test_a_plan_survives_the_way_through_ansibles_variables():
    plan = make_plan({"web1": surveyed(), "web2": surveyed(needed=False)}, "all")
    assert plan_from(plan.as_result()) == plan


@pytest.mark.parametrize(
    ("staged", "reboot", "outcome"),
    [
        ({}, rebooted(), "rebooted"),
        ({}, rebooted(rebooted=False, down_seconds=None), "planned"),
        ({}, rebooted(failed=True, msg="not from the staged image"), "failed"),
        ({}, rebooted(failed=True, phase="check", msg="unreachable"), "failed"),
        ({}, LOST, "lost"),
        ({}, rebooted(failed=True, lost=True, msg="another SSH server answers"), "lost"),
        ({}, rebooted(failed=True, rolled_back=True, fell_back=True, msg="rolled back"), "rolled_back"),
        ({}, rebooted(failed=True, fell_back=True, msg="the kexec did not happen"), "failed"),
        ({}, rebooted(fell_back=True), "fell_back"),
        ({"failed": True, "msg": "no such entry"}, {"skipped": True}, "failed"),
        ({"failed": True, "msg": "no such entry"}, None, "failed"),
        ({"failed": True, "msg": "no such entry"}, rebooted(), "failed"),
        (UNREACHABLE, rebooted(), "unreachable"),
        (UNREACHABLE, None, "unreachable"),
        ({}, {"failed": True, "msg": "reboot_timeout is 0"}, "failed"),
    ],
)
def test_the_outcome_of_a_turn(staged, reboot, outcome):
    found = outcome_of_reboot(staged, reboot)
    assert found is not None
    assert found.name == outcome
    assert bool(found.reason) == (outcome not in ("rebooted", "planned"))


FIRMWARE = rebooted(asked={"method": "firmware", "not_kexec": "no image is staged"})


@pytest.mark.parametrize(
    ("staged", "reason"),
    [
        ({}, "through its firmware, because no image is staged"),
        (
            {"msg": "cannot stage\n the kernel", "failed": False},
            "through its firmware, because cannot stage the kernel",
        ),
    ],
)
def test_a_reboot_through_the_firmware_instead_of_a_kexec_tells_why(staged, reason):
    found = outcome_of_reboot(staged, FIRMWARE)
    assert (found.name, found.reason) == ("rebooted", reason)


def test_no_turn_is_no_outcome():
    assert outcome_of_reboot({}, {}) is None
    assert outcome_of_reboot(None, None) is None


def test_every_host_has_exactly_one_outcome_and_the_untouched_know_why():
    plan = make_plan({"a": surveyed(), "b": surveyed(), "c": surveyed(), "d": surveyed(needed=False)}, "all")
    stopped = {"c": {"admitted": False, "answer": "stopped", "cause": "failures", "reason": "stopped: 1 failure"}}
    found = outcomes(plan, {}, {"a": rebooted(), "b": LOST}, slots=stopped)
    assert {name: outcome.name for name, outcome in found.items()} == {
        "a": "rebooted",
        "b": "lost",
        "c": "deferred",
        "d": "current",
    }
    assert found["c"].reason == "untouched: the roll stopped, because b did not come back"
    assert summary(found) == "4 hosts: 1 rebooted, 1 lost, 1 deferred, 1 current"
    assert not_good(found) == {
        "b": "lost: did not come back",
        "c": "deferred: untouched: the roll stopped, because b did not come back",
    }


@pytest.mark.parametrize(
    ("commit", "name", "reason"),
    [
        ({"changed": True}, "rebooted", ""),
        ({"failed": True, "msg": "no root"}, "failed", "the new kernel runs, but could not be accepted: no root"),
        ({"unreachable": True, "msg": "gone"}, "failed", "the new kernel runs, but could not be accepted: gone"),
    ],
)
def test_a_kernel_that_could_not_be_accepted_is_no_success(commit, name, reason):
    plan = make_plan({"web1": surveyed()}, "all")
    outcome = outcomes(plan, {}, {"web1": rebooted()}, {"web1": commit})["web1"]
    assert (outcome.name, outcome.reason, outcome.kernel_after) == (name, reason, "6.1.0-56")


def test_the_report_shows_each_host_in_a_row():
    plan = make_plan({"web1": surveyed(), "[bold]web2": surveyed(needed=False)}, "all")
    found = outcomes(plan, {}, {"web1": rebooted()})
    lines = report_text(found, 120).splitlines()
    assert "seconds down" in lines[0]
    assert lines[2].split() == ["web1", "6.1.0-55", "6.1.0-56", "19.0", "rebooted"]
    assert lines[3].split()[0] == "[bold]web2"
    assert lines[-1] == "2 hosts: 1 rebooted, 1 current"


def test_a_reboot_of_an_earlier_roll_in_the_same_run_is_none_of_this_one():
    plan = make_plan({"web1": surveyed()}, "all")
    stale = rebooted(boot_id={"before": "11111111-9b1d-4a5d-9e0d-3c1cd2b2f0b5", "after": BOOT_ID})
    assert outcomes(plan, {}, {"web1": stale})["web1"].name == "deferred"


def test_the_hint_keeps_to_what_was_selected():
    plan = make_plan({"web1": surveyed(), "web2": UNREACHABLE}, "web")
    assert "--limit 'web:!web2'" in plan.stopped


def test_check_mode_shows_the_kernel_that_would_run():
    plan = make_plan({"web1": surveyed()}, "all")
    planned = rebooted(rebooted=False, down_seconds=None, release={"before": "6.1.0-55", "after": None})
    assert outcomes(plan, {}, {"web1": planned})["web1"] == Outcome("planned", "", "6.1.0-55", "6.1.0-56")


@pytest.mark.parametrize(
    ("surveys", "line"),
    [
        ({}, "Nothing is to be rebooted."),
        ({"db": surveyed(needed=False)}, "db is left alone: it needs nothing"),
        ({"db": UNREACHABLE}, "db is left out, unreachable: Failed to connect to the host"),
        ({"web1": surveyed(), "db": FAILED}, "Nothing will be rebooted: one host at a time may be down"),
    ],
)
def test_the_plan_says_who_is_left_out_and_why(surveys, line):
    assert line in plan_text(make_plan(surveys, "all"), 200)


@pytest.mark.parametrize(
    ("slot", "name", "reason", "is_good"),
    [
        ({"answer": "deferred", "cause": "window", "reason": "no window"}, "deferred", "untouched: no window", True),
        ({"answer": "deferred", "cause": "domain", "reason": "r7"}, "deferred", "untouched: r7", False),
        ({"answer": "stopped", "cause": "operator", "reason": "stop"}, "deferred", "untouched: stop", False),
        ({"answer": "ended", "outcome": "lost", "reason": "gone"}, "lost", "gone", False),
        ({"failed": True, "msg": "no store"}, "deferred", "untouched: no store", False),
    ],
)
def test_a_host_that_was_not_admitted_has_the_outcome_that_its_slot_gives(slot, name, reason, is_good):
    plan = make_plan({"web1": surveyed()}, "all")
    outcome = outcomes(plan, {}, {}, slots={"web1": {"admitted": False, **slot}})["web1"]
    assert (outcome.name, outcome.reason, outcome.is_good) == (name, reason, is_good)


@pytest.mark.parametrize(
    ("results", "name", "reason"),
    [
        ({"staged": {}, "reboot": rebooted(), "failure": ""}, "rebooted", ""),
        ({"staged": {}, "reboot": rebooted(), "failure": "no undrain"}, "failed", "no undrain"),
        ({"staged": {}, "reboot": {}, "failure": "drain: no"}, "failed", "drain: no"),
        ({"staged": {}, "reboot": LOST, "failure": "did not"}, "lost", "did not come back"),
        ({}, "failed", "its turn ended before anything was done to it"),
    ],
)
def test_a_turn_is_released_with_what_came_of_it(results, name, reason):
    turn = outcome_of_turn(results)
    assert (turn.name, turn.reason) == (name, reason)
    plan = make_plan({"web1": surveyed()}, "all")
    released = {"web1": {"outcome": turn.name, "reason": turn.reason}}
    found = outcomes(plan, {}, {"web1": results.get("reboot", {})}, released=released)["web1"]
    assert (found.name, found.reason) == (name, reason)


def begun(boot_id, is_at_work=False):
    return Terms(in_flight={"web2": Begun(boot_id, "6.1.0-55", "#1", is_at_work)})


@pytest.mark.parametrize("survey", [surveyed(), surveyed(needed=False), surveyed(before="6.1.0-56"), UNREACHABLE, {}])
def test_a_turn_that_was_begun_comes_first_whatever_the_survey_says(survey):
    plan = make_plan({"web1": surveyed(), "web2": survey}, "all", begun(BOOT_ID))
    assert plan.stopped is None
    assert [host.name for host in plan.order] == ["web2", "web1"]
    first = plan.order[0]
    assert (first.resumed, first.boot_id) == (True, BOOT_ID)
    assert (first.kernel_before, first.build_before) == ("6.1.0-55", "#1")
    assert plan_from(plan.as_result()) == plan


def test_a_turn_at_which_another_run_is_comes_last():
    plan = make_plan({"web2": surveyed(), "web1": surveyed()}, "all", begun(BOOT_ID, is_at_work=True))
    assert [host.name for host in plan.order] == ["web1", "web2"]


@pytest.mark.parametrize(("token", "planned"), [("T", ["web1"]), ("other", [])])
def test_a_kernel_that_nobody_has_accepted_is_found_without_the_store(token, planned):
    survey = surveyed(needed=False)
    survey["kexec"]["net"] = {"token": token}
    survey["kexec"]["running"]["cmdline"] = "root=/dev/vda1 panic=30 fleetops.boot=T"
    plan = make_plan({"web1": survey}, "all")
    assert [host.name for host in plan.order if host.resumed] == planned


def test_a_host_that_had_its_turn_has_no_second_one_unless_another_kernel_is_to_run():
    forced = surveyed(after="6.1.0-55")
    plan = make_plan({"web1": forced, "web2": surveyed()}, "all", Terms(done=("web1", "web2")))
    assert [host.name for host in plan.order] == ["web2"]
    assert plan.left_out["web1"].name == "current"


@pytest.mark.parametrize(
    ("blocker", "allowed", "method"),
    [
        ("hpwdt", True, "firmware"),
        ("hpwdt", False, None),
        ("container", True, None),
        ("objection", True, None),
    ],
)
def test_what_stands_against_a_kexec_may_leave_the_firmware(blocker, allowed, method):
    survey = surveyed(blockers=[(blocker, "refuse")])
    survey["kexec"].update(firmware_seconds=90.0, loader_seconds=2.0)
    plan = make_plan({"web1": survey}, "all", Terms(firmware_allowed=("web1",) if allowed else ()))
    assert [host.method for host in plan.order] == ([method] if method else [])
    if method:
        assert blocker + "!" in plan.order[0].warnings[0]
