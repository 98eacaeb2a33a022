# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._report.collect import report_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.results import Results, outcomes_of
from sample_rolls import START, failed_to_stage, lost, reboot, sample_plan, sample_report, survey


def at(seconds):
    return (START + timedelta(seconds=seconds)).isoformat()


WHOLE = Results(
    survey=survey(0, firmware_seconds=90.0),
    slot={"admitted": True, "at": at(10), "waited_seconds": 10.0},
    staged={"changed": True},
    reboot=reboot(0, START + timedelta(seconds=12), 20.0, booting=3.0),
    health={"at": at(40)},
    commit={"changed": True},
    released={"at": at(45), "outcome": "rebooted", "reason": ""},
)


def reported(results):
    """The report of a roll of one host."""
    plan = sample_plan({"web1": results}, 1)
    return report_of(plan, outcomes_of(plan, {"web1": results}), {"web1": results}, "A roll")


def phases(results):
    (host,) = reported(results).hosts
    return [(phase.name, phase.start, phase.end) for phase in host.phases]


def test_each_phase_of_a_turn_lasts_until_the_next_one_that_was_seen():
    assert phases(WHOLE) == [
        ("waiting", 0.0, 10.0),
        ("draining", 10.0, 13.9),
        ("down", 13.9, 30.9),
        ("answering", 30.9, 40.0),
        ("healthy", 40.0, 45.0),
    ]


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        # The reboot alone, as without limits.
        (
            replace(WHOLE, slot={}, health={}, released={}),
            [("draining", 0.0, 1.9), ("down", 1.9, 18.9), ("answering", 18.9, 21.9)],
        ),
        # Nobody asked for its health: it is proven by the reboot.
        (
            replace(WHOLE, slot={}, health={}),
            [("draining", 0.0, 1.9), ("down", 1.9, 18.9), ("answering", 18.9, 21.9), ("healthy", 21.9, 33.0)],
        ),
        (
            replace(WHOLE, staged=failed_to_stage(), reboot={}, health={}, commit={}),
            [("waiting", 0.0, 10.0), ("draining", 10.0, 45.0)],
        ),
        (
            replace(WHOLE, reboot=lost(0, START + timedelta(seconds=12), 600), health={}, released={}),
            [("waiting", 0.0, 10.0), ("draining", 10.0, 13.9), ("down", 13.9, 612.0)],
        ),
        (
            Results(
                survey=WHOLE.survey, slot={"admitted": False, "at": at(60), "waited_seconds": 60.0, "reason": "no"}
            ),
            [("waiting", 0.0, 60.0)],
        ),
        (Results(survey=WHOLE.survey), []),
    ],
)
def test_a_turn_is_told_as_far_as_it_is_known(known, seen):
    assert phases(known) == seen


def test_a_host_that_was_put_back_is_out_of_service_from_its_slot_to_its_release():
    assert reported(WHOLE).out_of_service == ((0.0, 0), (10.0, 1), (45.0, 0))
    assert reported(WHOLE).not_answering == ((0.0, 0), (13.9, 1), (30.9, 0))


def test_a_host_that_failed_stays_out_of_service():
    report = reported(replace(WHOLE, staged=failed_to_stage(), reboot={}, health={}, commit={}))
    assert report.out_of_service == ((0.0, 0), (10.0, 1))
    assert reported(replace(WHOLE, reboot=lost(0, START, 600), released={})).not_answering[-1][1] == 1


def test_a_host_that_was_down_before_counts_from_the_start():
    results = {"web1": WHOLE, "web2": Results(survey={"unreachable": True, "msg": "no route"})}
    plan = sample_plan(results, 5)
    report = report_of(plan, outcomes_of(plan, results), results, "A roll")
    assert report.out_of_service == ((0.0, 1), (10.0, 2), (45.0, 1))
    assert [host.last_words for host in report.not_good] == [""], "the reason says it already"


def test_a_reboot_of_an_earlier_roll_is_none_of_this_one():
    stale = {**WHOLE.reboot, "boot_id": {"before": "another", "after": "boot-0"}}
    (host,) = reported(replace(WHOLE, slot={}, reboot=stale, released={}, health={})).hosts
    assert (host.outcome, host.phases, host.method) == ("deferred", (), None)


@pytest.mark.parametrize(
    ("changes", "saved"),
    [
        ({}, 94.1),
        ({"survey": survey(0, firmware_seconds=None)}, None),
        ({"survey": {}}, None),
        ({"reboot": reboot(0, START, 20.0, method="firmware")}, None),
    ],
)
def test_what_a_kexec_saved_is_what_firmware_and_boot_loader_took_the_last_time(changes, saved):
    plan = sample_plan({"web1": WHOLE}, 1)
    results = {"web1": replace(WHOLE, **changes)}
    (host,) = report_of(plan, outcomes_of(plan, results), results, "A roll").hosts
    assert host.saved_seconds == saved


def test_last_words_are_those_of_the_task_that_failed_without_its_reason():
    (host,) = reported(replace(WHOLE, staged=failed_to_stage(), reboot={}, health={}, commit={})).hosts
    assert host.reason.startswith("cannot stage")
    assert host.last_words == "Shared connection closed.\nkexec_file_load: Cannot allocate memory"


def test_a_window_that_closed_is_nobodys_fault():
    slot = {"admitted": False, "answer": "deferred", "cause": "window", "reason": "the window has closed", "at": at(9)}
    assert reported(Results(survey=WHOLE.survey, slot=slot)).not_good == ()


def test_a_large_roll_stays_under_its_limit():
    report = sample_report(300, {40: "lost", 90: "unhealthy"}, max_unavailable=8, untouched=20)
    assert report.most_out_of_service == 8
    assert report.counts == {"rebooted": 278, "lost": 1, "failed": 1, "deferred": 20}
    assert report.down.hosts == 279
