# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import (
    CANARY_SECONDS,
    Admit,
    Stop,
    Wait,
    admit,
    places_kept,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import read_policy
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
    FAILED,
    IDLE,
    PENDING,
    STANDING_AFTER,
    SUCCEEDED,
    Candidate,
    Group,
    Kept,
    Rollout,
    Stopped,
    Success,
    Turn,
    usual_seconds,
)

NOW = datetime(2026, 11, 7, 2, 0, tzinfo=timezone.utc)  # a Saturday
ME = Candidate("web1", "r7", "x")


def group(standing, hosts, domain="r7", host_class="x"):
    return Group(standing, domain, host_class, hosts)


def turn(domain="r7", host_class="x", deadline=600):
    return Turn("other", domain, host_class, NOW + timedelta(seconds=deadline))


def answer(*state, policy=None, **more):
    """For a host of rack r7 and class x, of a fleet in this state and nine that are pending."""
    rollout = Rollout(
        policy=read_policy({"canaries_per_class": 0, "max_unavailable": 3, **(policy or {})}),
        groups=(group(PENDING, 9), *(part for part in state if isinstance(part, Group))),
        turns=tuple(part for part in state if isinstance(part, Turn)),
        fresh=tuple(part for part in state if isinstance(part, Success)),
        kept=tuple(part for part in state if isinstance(part, Kept)),
        **more,
    )
    return admit(rollout, ME, NOW)


RACKS = {"failure_domain": "rack"}
TWO_A_RACK = {**RACKS, "max_unavailable_per_domain": 2}
ONE_RACK = {**RACKS, "max_domains": 1}
SATURDAY = {"windows": "sat 02:00 1h", "expected_host_seconds": 60}


@pytest.mark.parametrize(
    ("state", "policy", "kind", "reason"),
    [
        ([], {}, Admit, "1 of 3 hosts that may be down, with this one"),
        ([turn(), turn()], {}, Admit, "3 of 3 hosts"),
        ([turn(), turn(), turn()], {}, Wait, "waiting: 3 of 3 hosts are down"),
        ([turn()], {"max_unavailable": "10%"}, Wait, "waiting: 1 of 1 host is down"),
        ([turn(), group(ABSENT, 2)], {}, Wait, "waiting: 3 of 3 hosts are down"),
        ([group(ABSENT, 2)], {}, Admit, "3 of 3 hosts"),
        ([group(IDLE, 50), group(SUCCEEDED, 50)], {}, Admit, "1 of 3 hosts"),
        ([group(ABSENT, 3)], {}, Stop, "stopped: 3 hosts are down without a return in sight, and 3 may be down"),
        ([turn(deadline=0)] * 3, {"max_failures": 9}, Stop, "stopped: 3 hosts are down without a return in sight"),
        ([group(FAILED, 1)], {}, Stop, "stopped: 1 failure, 0 allowed"),
        ([group(FAILED, 3)], {"max_failures": 2}, Stop, "stopped: 3 failures, 2 allowed"),
        ([group(FAILED, 2)], {"max_failures": 2}, Admit, "3 of 3 hosts"),
        ([group(FAILED, 1)], {"max_failures": "9%"}, Stop, "stopped: 1 failure, 0 allowed"),
        ([turn(deadline=0)], {}, Stop, "stopped: 1 failure, 0 allowed"),
        ([turn(), turn()], TWO_A_RACK, Wait, "waiting: 2 of 2 hosts of rack r7 are down"),
        ([turn("r8"), turn("r8")], TWO_A_RACK, Admit, ""),
        ([turn(), group(ABSENT, 1)], TWO_A_RACK, Wait, "waiting: 2 of 2 hosts of rack r7 are down"),
        ([group(ABSENT, 2)], TWO_A_RACK, Stop, "2 hosts of rack r7 down without a return in sight, and 2 may be down"),
        ([turn()], {**RACKS, "max_unavailable_per_domain": "10%"}, Wait, "waiting: 1 of 1 host of rack r7 are down"),
        ([turn()], ONE_RACK, Admit, ""),
        ([turn("r8")], ONE_RACK, Wait, "waiting: hosts of 1 rack are down, and of 1 they may be"),
        ([group(ABSENT, 1, "r8")], ONE_RACK, Stop, "hosts of 1 rack are down without a return in sight"),
        ([turn()], {"canaries_per_class": 1}, Wait, "waiting: 0 of 1 canaries of class x proven"),
        ([turn(host_class="y")], {"canaries_per_class": 1}, Admit, ""),
        ([group(SUCCEEDED, 1), turn()], {"canaries_per_class": 1}, Admit, ""),
        ([group(SUCCEEDED, 1), turn()], {"canaries_per_class": 2}, Wait, "waiting: 1 of 2 canaries of class x proven"),
        ([group(FAILED, 1)], {"canaries_per_class": 1, "max_failures": 1}, Admit, ""),
        ([turn()], {"stages": "1,50%"}, Wait, "waiting: 0 of 1 host of stage 1 proven"),
        ([group(SUCCEEDED, 1), turn()], {"stages": "1,50%"}, Admit, ""),
        ([group(SUCCEEDED, 4), turn()], {"stages": "1,5"}, Wait, "waiting: 4 of 5 hosts of stage 2 proven"),
        ([group(SUCCEEDED, 5), turn()], {"stages": "1,5"}, Admit, ""),
        ([], SATURDAY, Admit, ""),
        (
            [],
            {**SATURDAY, "expected_host_seconds": 3601},
            Stop,
            "no window that is long enough for a host opens any more",
        ),
        ([], {**SATURDAY, "windows": "sat 02:10 1h"}, Wait, "it goes on Sat 2026-11-07 02:10 UTC"),
        ([], {**SATURDAY, "windows": "sat 02:20 1h"}, Stop, "the next one opens Sat 2026-11-07 02:20 UTC"),
        ([], {**SATURDAY, "windows": "sat 01:00 1h"}, Stop, "the next one opens Sat 2026-11-14 01:00 UTC"),
        ([], {**SATURDAY, "blackouts": "2026-11-07"}, Stop, "the next one opens Sat 2026-11-14 02:00 UTC"),
        (
            [],
            {"windows": "sat 01:00 61m Europe/London\nsun 02:00 4h Europe/London", "expected_host_seconds": 61},
            Stop,
            "closes Sat 2026-11-07 02:01 GMT, and a host takes 61 s; the next one opens Sun 2026-11-08 02:00 GMT",
        ),
        ([], {"windows": "sat 02:00 29m"}, Stop, "no window that is long enough for a host"),
    ],
)
def test_each_limit_says_what_it_waits_for(state, policy, kind, reason):
    given = answer(*state, policy=policy)
    assert isinstance(given, kind)
    assert reason in given.reason


def test_a_hold_and_a_stop_say_who_and_why():
    assert answer(held="lunch").reason == "waiting: the roll is held: lunch"
    stop = answer(stopped=Stopped("operator", "stopped: enough"), held="lunch")
    assert isinstance(stop, Stop)
    assert (stop.reason, stop.ends_roll) == ("stopped: enough", True)


@pytest.mark.parametrize(
    ("policy", "state", "ends_roll"),
    [({}, [group(FAILED, 1)], True), (TWO_A_RACK, [group(ABSENT, 2)], False), ({"windows": "sun 02:00 1h"}, [], False)],
)
def test_which_stops_end_the_roll_for_all(policy, state, ends_roll):
    assert answer(*state, policy=policy).ends_roll == ends_roll


@pytest.mark.parametrize(
    ("state", "policy", "seconds"),
    [
        ([turn(), turn(), turn(deadline=90)], {}, 90),
        ([group(SUCCEEDED, 1), Success("x", NOW - timedelta(seconds=40))], {"stages": "1", "soak_seconds": 60}, 20),
        ([turn(), turn(), turn()], {**SATURDAY, "expected_host_seconds": 3500}, 100),
        ([], {**SATURDAY, "windows": "sat 02:10 1h"}, 600),
    ],
)
def test_a_wait_knows_when_time_alone_may_end_it(state, policy, seconds):
    given = answer(*state, policy=policy)
    assert isinstance(given, Wait)
    assert (given.until - NOW).total_seconds() == seconds


def kept(host="web2", host_class="x", seconds=None):
    return Kept(host, host_class, None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("state", "wanted", "goes"),
    [
        ([], 1, True),
        ([kept()], 1, False),
        ([kept(), kept("web3")], 1, False),
        ([kept()], 0, True),
        ([kept(host_class="y")], 1, True),
        ([kept(ME.name)], 1, True),
        ([kept(ME.name), kept("web3")], 1, True),
        # There is room for one more than is planned.
        ([kept()], 2, True),
        ([kept(), turn()], 2, False),
        ([kept(), group(SUCCEEDED, 1)], 2, False),
        ([kept(), group(SUCCEEDED, 1)], 1, True),
        # Somebody has waited for it, and is to wait longer, or not.
        ([kept(seconds=1)], 1, False),
        ([kept(seconds=0)], 1, True),
        ([kept(seconds=0), kept("web3")], 1, False),
    ],
)
def test_planned_canaries_go_first(state, wanted, goes):
    given = answer(*state, policy={"canaries_per_class": wanted})
    assert isinstance(given, Admit if goes else Wait)
    assert goes or given.reason.endswith(" goes first of class x, as planned")


@pytest.mark.parametrize(
    ("state", "seconds"), [([kept()], CANARY_SECONDS), ([kept(seconds=40)], 40), ([kept(), kept("web3", seconds=7)], 7)]
)
def test_who_waits_for_a_canary_knows_how_long_at_most(state, seconds):
    assert (answer(*state, policy={"canaries_per_class": 1}).until - NOW).total_seconds() == seconds


LATER = NOW + timedelta(seconds=CANARY_SECONDS)


@pytest.mark.parametrize(
    ("state", "given", "changes"),
    [
        # Time begins to run for those for which nobody has waited yet.
        ([kept(), kept("web3", seconds=5), kept("y1", "y")], Wait("", for_canary=True), {"web2": LATER}),
        ([kept()], Wait("of something else"), {}),
        # A canary that waits itself has asked, and one that is told no gives its place up.
        ([kept(ME.name, seconds=5)], Wait(""), {ME.name: None}),
        ([kept(ME.name)], Wait(""), {}),
        ([kept(ME.name)], Stop("", "domain"), {ME.name: NOW}),
        ([kept(ME.name)], Admit(""), {}),
        ([kept()], Stop("", "domain"), {}),
    ],
)
def test_how_long_a_place_is_kept(state, given, changes):
    assert places_kept(Rollout(read_policy({}), (), kept=tuple(state)), ME, given, NOW) == changes


def test_what_is_learned_decides_where_nothing_is_given():
    assert isinstance(answer(policy={"windows": "sat 02:00 29m"}, learned_seconds=1740.0), Admit)
    assert isinstance(answer(policy={"windows": "sat 02:00 29m"}, learned_seconds=1741.0), Stop)


@pytest.mark.parametrize(
    ("taken", "usual"),
    [([], None), ([7.0], 7.0), (list(range(1, 20)), 19), (list(range(1, 21)), 19), (list(range(1, 101)), 95)],
)
def test_a_host_usually_takes_what_ninety_five_of_a_hundred_keep_to(taken, usual):
    assert usual_seconds(taken) == usual


def test_every_outcome_has_a_standing():
    from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import OUTCOMES

    assert set(STANDING_AFTER) == set(OUTCOMES)
