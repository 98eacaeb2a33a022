# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.domains import read_domains
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import PolicyError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.order import (
    forecast_roll,
    put_in_order,
    stage_names,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import Begun, Terms, duration
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import make_plan, plan_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import read_policy
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
    IDLE,
    SUCCEEDED,
    Candidate,
    Group,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.show import plan_text

NOW = datetime(2026, 11, 7, 2, 0, tzinfo=timezone.utc)  # a Saturday


def hosts(text):
    """``a1 a2 b1``: of domains a and b; a letter at the end is the class."""
    return [Candidate(name, name[0], name[-1] if name[-1].isalpha() else "x") for name in text.split()]


def order(text, others=(), **policy):
    policy = read_policy(policy)
    candidates = hosts(text)
    placed = put_in_order(policy, candidates, others, {host.name: 60.0 for host in candidates})
    assert sorted(placed) == sorted(candidates)
    return " ".join(host.name for host in placed)


RACKS = {"failure_domain": "rack", "max_unavailable_per_domain": 1}


@pytest.mark.parametrize(
    ("text", "policy", "placed"),
    [
        ("", {}, ""),
        ("a3 a1 a2", {}, "a3 a1 a2"),
        # A canary of each class, and then as it was.
        ("a1x a2x a3y a4x a5y", {}, "a1x a3y a2x a4x a5y"),
        ("a1x a2x a3y a4x a5y", {"canaries_per_class": 2}, "a1x a2x a3y a5y a4x"),
        # Domains in turn, the one with most left first.
        ("a1 a2 a3 b1 b2 c1", {**RACKS, "max_unavailable": 3, "canaries_per_class": 0}, "a1 b1 c1 a2 b2 a3"),
        ("a1 a2 b1 b2 b3 b4", {**RACKS, "max_unavailable": 2, "canaries_per_class": 0}, "b1 a1 b2 a2 b3 b4"),
    ],
)
def test_the_order(text, policy, placed):
    assert order(text, **policy) == placed


def test_hosts_whose_turn_cannot_come_are_last():
    gone = [Group(ABSENT, "a", "x", 1)]
    assert order("a1 b1 a2 b2", gone, **RACKS, max_unavailable=2, canaries_per_class=0) == "b1 b2 a1 a2"


@pytest.mark.parametrize("seed", range(60))
def test_no_worker_waits_for_a_domain_while_hosts_of_another_could_go(seed):
    """With the order given, and no more workers than places, it ends as early as if any host could take any place."""
    rng = random.Random(seed)
    most, each = rng.randint(1, 6), rng.randint(1, 3)
    sizes = [rng.randint(1, 12) for _rack in range(rng.randint(1, 8))]
    candidates = [
        Candidate("h%d-%d" % (rack, n), "r%d" % rack, "x") for rack, size in enumerate(sizes) for n in range(size)
    ]
    rng.shuffle(candidates)
    inputs = {"failure_domain": "rack", "max_unavailable": most, "max_unavailable_per_domain": each}
    policy = read_policy({**inputs, "canaries_per_class": 0})
    seconds = {host.name: 60.0 for host in candidates}
    placed = put_in_order(policy, candidates, [], seconds)
    forecast = forecast_roll(policy, placed, [], seconds, forks=most, start=NOW)
    rounds = max(-(-len(candidates) // most), *(-(-size // each) for size in sizes))
    assert (forecast.ends - NOW).total_seconds() == 60 * rounds


@pytest.mark.parametrize(
    ("policy", "forks", "minutes", "left"),
    [
        ({}, 5, 10, 0),
        ({"max_unavailable": 2}, 5, 6, 0),
        ({"max_unavailable": 2, "canaries_per_class": 0}, 5, 5, 0),
        ({"max_unavailable": 10, "canaries_per_class": 0}, 5, 2, 0),
        ({"max_unavailable": 10, "stages": "1,50%", "canaries_per_class": 0}, 10, 3, 0),
        ({"max_unavailable": 10, "stages": "1,50%", "soak_seconds": "10m"}, 10, 23, 0),
        ({"max_unavailable": 2, "windows": "sat 02:00 4m", "expected_host_seconds": 60}, 5, 4, 3),
        ({"max_unavailable": 2, "windows": "sat 02:05 1h"}, 5, 11, 0),
    ],
)
def test_the_length_of_a_roll(policy, forks, minutes, left):
    candidates = hosts(" ".join("a%d" % number for number in range(10)))
    forecast = forecast_roll(read_policy(policy), candidates, [], {host.name: 60.0 for host in candidates}, forks, NOW)
    assert ((forecast.ends - NOW).total_seconds() / 60, len(forecast.stops)) == (minutes, left)


def test_stages_by_name():
    policy = read_policy({"stages": "2,50%", "canaries_per_class": 1})
    names = stage_names(policy, hosts("a1x a2y a3x a4x a5x a6x a7x a8x"), [Group(IDLE, "", "", 2)])
    assert list(names.values()) == ["canary", "canary", "2", "2", "2", "rest", "rest", "rest"]


def surveyed(host_class="model-x", **more):
    survey = {
        "method": "kexec",
        "running": {"release": "6.1.0-55", "version": "#1", "boot_id": "boot"},
        "target": {"release": "6.1.0-56"},
        "hardware": {"class": host_class},
        "reboot_needed": True,
        "reboot_reasons": ["newer"],
        "blockers": [],
        "firmware_seconds": None,
        "loader_seconds": None,
    }
    return {"kexec": {**survey, **more}}


def test_hosts_that_have_had_their_turn_are_in_the_stages_already():
    policy = read_policy({"stages": "2,50%", "canaries_per_class": 2})
    names = stage_names(policy, hosts("a4x a5x a6y a7x a8x"), [Group(SUCCEEDED, "a", "x", 1), Group(IDLE, "a", "", 2)])
    assert list(names.values()) == ["canary", "2", "canary", "rest", "rest"]


def planned(surveys, **terms):
    policy = read_policy(terms.pop("policy", {}))
    return make_plan(surveys, "all", Terms(policy=policy, now=NOW, **terms))


def test_a_class_that_is_proven_gets_no_canaries_in_the_next_run():
    surveys = {"a1": surveyed(reboot_needed=False), "a2": surveyed(), "a3": surveyed(), "b1": surveyed("model-y")}
    terms = {"succeeded": {"a1": "model-x"}, "policy": {"max_unavailable": 3}}
    plan = planned(surveys, **terms)
    assert {host.name: host.stage for host in plan.order} == {"a2": "rest", "a3": "rest", "b1": "canary"}
    assert plan.outlook.seconds == 60.0


def test_a_turn_at_which_another_run_is_is_the_canarys():
    begun = {"a2": Begun("boot", "6.1.0-55", "#1", is_at_work=True)}
    plan = planned({"a1": surveyed(), "a2": surveyed()}, in_flight=begun)
    assert {host.name: host.stage for host in plan.order} == {"a1": "rest", "a2": "canary"}


NEXT_SATURDAY = "Sat 2026-11-14 02:00 UTC"
FOUR = {name: surveyed() for name in ("a1", "a2", "b1", "b2")}


@pytest.mark.parametrize(
    ("terms", "note"),
    [
        ({}, "4 of 4 hosts in about 4 min"),
        ({"policy": {"max_unavailable": "20%"}}, "max_unavailable: 20% of 4 is less than one host; one is taken"),
        ({"policy": {"stages": "1%,50%"}}, "stages: 1% of 4 is less than one host; one is taken"),
        (
            {"policy": {"max_unavailable": 4}, "forks": 3},
            "forks is 3, and 4 hosts may be down at a time: no more than 3 will be; give --forks 4 or more",
        ),
        ({"policy": {"windows": "sat 02:05 1h"}}, "the maintenance window opens Sat 2026-11-07 02:05 UTC"),
        ({"policy": {"windows": "sat 02:00 1h"}}, "4 of 4 hosts in about 4 min, until Sat 2026-11-07 02:04 UTC"),
        (
            {"policy": {"windows": "sat 02:00 2m", "expected_host_seconds": 60}},
            "2 hosts will be left, b1 first: no maintenance window is open; the next one opens %s" % NEXT_SATURDAY,
        ),
    ],
)
def test_the_plan_says_what_to_know_beforehand(terms, note):
    plan = planned(FOUR, **terms)
    assert note in plan.outlook.notes
    assert plan.stopped is None
    assert note[1:] + "." in plan_text(plan, 200)
    assert plan_from(plan.as_result()) == plan


@pytest.mark.parametrize(
    ("terms", "stopped"),
    [
        (
            {"policy": {"max_unavailable": 3, "windows": "sun 02:00 1h"}},
            "no maintenance window is open; the next one opens Sun 2026-11-08 02:00",
        ),
        ({"policy": {"max_unavailable": 2}}, "2 hosts at a time may be down, and c1, c2 could not be surveyed"),
        ({"stopped": "stopped: enough"}, "stopped: enough"),
    ],
)
def test_the_plan_says_why_nothing_may_be_rebooted(terms, stopped):
    plan = planned(
        {**FOUR, "c1": {"unreachable": True}, "c2": {"failed": True}}, **{"policy": {"max_unavailable": 3}, **terms}
    )
    assert stopped in plan.stopped
    assert plan.as_result()["order"] == []


def test_hosts_that_may_be_down_leave_room_for_fewer():
    plan = planned({**FOUR, "c1": {"unreachable": True}}, policy={"max_unavailable": 2})
    assert plan.stopped is None
    assert plan.outlook.seconds == 240


def test_a_fleet_that_is_all_unreachable_and_one_of_no_hosts():
    assert planned({"a": {"unreachable": True}}).as_result()["order"] == []
    assert plan_text(planned({}), 200) == "Nothing is to be rebooted."


def test_the_table_shows_what_tells_hosts_apart():
    surveys = {
        "a1": surveyed("model-x"),
        "b1": surveyed("model-y", method="firmware", firmware_seconds=100.0, loader_seconds=5.0),
    }
    text = plan_text(planned(surveys, domains={"a1": "r1", "b1": "r2"}, policy={"failure_domain": "rack"}), 200)
    header, _line, first, second = text.splitlines()[:4]
    assert header.split() == "# host domain class kernel now kernel to run method seconds".split()
    assert first.split() == "1 a1 r1 model-x 6.1.0-55 6.1.0-56 kexec 60".split()
    assert second.split() == "2 b1 r2 model-y 6.1.0-55 6.1.0-56 firmware 165".split()


def test_a_turn_that_an_earlier_run_began_comes_first_even_where_its_host_is_done():
    surveys = {**FOUR, "z": surveyed(reboot_needed=False, reboot_reasons=[])}
    plan = planned(surveys, in_flight={"z": Begun("boot"), "b1": Begun("boot")})
    assert plan.as_result()["order"] == ["b1", "z", "a1", "a2", "b2"]
    assert [host.resumed for host in plan.order] == [True, True, False, False, False]
    assert plan.order[1].reason == "its turn was begun by another run"


def test_domains_are_read_from_a_variable_that_every_host_has():
    assert read_domains("rack", {"a": "r1", "b": 7}) == {"a": "r1", "b": "7"}
    assert read_domains(None, {"a": None}) == {}
    with pytest.raises(PolicyError, match="failure_domain is rack, and that variable is missing on b, d; "):
        read_domains("rack", {"a": "r1", "b": None, "c": 1, "d": " "})
    with pytest.raises(PolicyError, match=r"h0, h1, .*, h9 and 5 more"):
        read_domains("rack", {"h%d" % number: None for number in range(15)})
    with pytest.raises(PolicyError, match="that is no text or number on a"):
        read_domains("rack", {"a": ["r1"]})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (121, "3 min"), (3600, "1 h 0 min"), (7199, "2 h 0 min")],
)
def test_lengths_as_people_say_them(seconds, text):
    assert duration(timedelta(seconds=seconds)) == text
