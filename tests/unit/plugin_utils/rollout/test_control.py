# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.control import control
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import StoreError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import Holder, holder_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import Entry, look, open_rollout
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Admit, Stop, Wait
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import policy_as_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import ABSENT, IDLE, PENDING, Candidate

ME = Holder("ctl1", 100, "1", "")
GONE = holder_of(2**22 + 1)  # more than the kernel gives


def opened(store, rollout="roll", hosts="abcdef", **policy):
    entries = [Entry(Candidate(name, "r1", "x"), PENDING, None, "", None) for name in hosts]
    entries.append(Entry(Candidate("%s-idle" % rollout, "r1", "x"), IDLE, "current", "", None))
    look(store, rollout, [])
    open_rollout(store, rollout, policy_as_text({"canaries_per_class": 0, **policy}), entries)
    return store


def ask(store, host, holder=ME, rollout="roll"):
    return store.acquire(rollout, host, holder).answer


def text(store, **arguments):
    given = {"state": "status", "rollout": None, "reason": None, "check": False, **arguments}
    return control(store, **given).text(200)


def told(store, **arguments):
    given = {"state": "status", "rollout": None, "reason": None, "check": False, **arguments}
    return control(store, **given).as_result()


def test_the_status_tells_what_each_host_does_and_why(store, calendar):
    opened(store, max_unavailable=3, max_failures=1, deadline_seconds=600)
    for host in "ab":
        ask(store, host)
    calendar.turn(60)
    store.release("roll", "a", ME, "rebooted")
    store.release("roll", "b", ME, "lost", "did not come back")
    ask(store, "c")
    ask(store, "d", GONE)
    result = told(store)["rollout"]
    assert (result["state"], result["stopped"], result["held"]) == ("running", None, None)
    assert result["counts"] == {"in flight": 2, "failed": 1, "waiting": 2, "done": 1, "left alone": 1}
    assert result["hosts"]["c"] == {
        "standing": "in flight",
        "outcome": None,
        "reason": "",
        "since": "2026-11-07T02:01:00+00:00",
        "deadline": "2026-11-07T02:11:00+00:00",
        "overdue": False,
        "holder": "ansible-playbook (process 100 on ctl1)",
        "holder_is_gone": False,
        "domain": "r1",
        "class": "x",
    }
    assert result["hosts"]["d"]["holder_is_gone"]
    assert result["hosts"]["e"]["reason"] == "waiting: 3 of 3 hosts are down"
    assert (result["hosts"]["b"]["outcome"], result["hosts"]["b"]["reason"]) == ("lost", "did not come back")
    lines = [line.split() for line in text(store).splitlines()]
    assert "Rollout roll, opened 2026-11-07 02:00 UTC: running".split() in lines
    assert "c in flight 2026-11-07 02:01 UTC process 100 on ctl1".split() in lines
    assert "b failed: lost 2026-11-07 02:01 UTC did not come back".split() in lines
    assert "7 hosts: 2 in flight, 1 failed, 2 waiting, 1 done, 1 left alone".split() in lines
    assert "which has ended" in text(store)
    calendar.turn(600)
    result = told(store)["rollout"]
    assert result["hosts"]["c"]["overdue"]
    assert result["stopped"] == "stopped: 3 failures, 1 allowed", "although no host has asked since"


def test_hold_stop_and_resume(any_store):
    opened(any_store)
    assert told(any_store, state="held", reason="lunch")["changed"]
    assert ask(any_store, "a") == Wait("waiting: the roll is held: lunch")
    assert told(any_store)["rollout"]["hosts"]["a"]["reason"] == "waiting: the roll is held: lunch"
    assert "UTC: held: lunch" in text(any_store)
    assert told(any_store, state="stopped", reason="enough")["rollout"]["state"] == "stopped"
    assert ask(any_store, "a") == Stop("stopped: enough", "operator")
    assert "UTC: stopped: enough, and held: lunch" in text(any_store)
    result = told(any_store, state="running")
    assert (result["changed"], result["rollout"]["state"]) == (True, "running")
    assert isinstance(ask(any_store, "a"), Admit)


@pytest.mark.parametrize("state", ["held", "stopped", "running"])
def test_twice_is_once_and_a_check_changes_nothing(store, state):
    opened(store)
    if state == "running":
        store.hold("roll", "lunch")
    before = told(store)
    checked = told(store, state=state, check=True)
    assert checked == {**before, "changed": True}
    assert told(store, state=state)["changed"]
    after = told(store)
    assert told(store, state=state) == after
    assert not after["changed"]


def test_a_further_reason_takes_the_place_of_the_first(store):
    opened(store)
    told(store, state="held", reason="lunch")
    assert not told(store, state="held")["changed"], "no reason is given"
    assert told(store, state="held", reason="dinner")["rollout"]["held"] == "dinner"
    told(store, state="stopped")
    assert told(store)["rollout"]["stopped"] == "stopped: by an operator"
    assert told(store, state="stopped", reason="enough")["changed"]


def test_the_end_of_a_hold_forgives_no_failure(store):
    opened(store, max_unavailable=4, max_failures=1)
    for host in "ab":
        ask(store, host)
    store.release("roll", "a", ME, "failed")
    store.hold("roll")
    told(store, state="running")
    store.release("roll", "b", ME, "failed")
    assert ask(store, "c").reason == "stopped: 2 failures, 1 allowed"


def test_a_stop_that_no_resumption_can_end_is_told(store):
    opened(store, max_unavailable=1)
    ask(store, "a")
    store.release("roll", "a", ME, "lost")
    assert told(store)["rollout"]["stopped"] == "stopped: 1 failure, 0 allowed"
    for changed in (True, False):
        result = told(store, state="running")
        assert result["changed"] == changed
        assert result["rollout"]["stopped"] == "stopped: 1 host is down without a return in sight, and 1 may be down"


def test_which_rollout_is_meant_where_none_is_named(store):
    look(store, "roll", [])
    assert told(store) == {"changed": False, "rollouts": [], "rollout": None, "forgotten": []}
    assert text(store) == "The store has no rollouts."
    with pytest.raises(StoreError, match="no rollout of the store is under way; name the one"):
        told(store, state="held")
    opened(store, "first", "ab")
    assert told(store)["rollout"]["name"] == "first"
    opened(store, "second", "c")
    assert told(store)["rollout"] is None
    assert {brief["name"]: brief["state"] for brief in told(store)["rollouts"]} == dict.fromkeys(
        ["first", "second"], "running"
    )
    assert "3 hosts: 2 waiting, 1 left alone" in text(store)
    with pytest.raises(StoreError, match="2 rollouts of the store are not finished; name the one that is meant: "):
        told(store, state="stopped")
    ask(store, "c", rollout="second")
    store.release("second", "c", ME, "rebooted")
    assert told(store, state="held")["rollout"]["name"] == "first"
    assert told(store, rollout="second")["rollout"]["state"] == "finished"
    with pytest.raises(StoreError, match="has no rollout third"):
        told(store, rollout="third")


def test_of_many_hosts_those_are_shown_that_somebody_has_to_see_to(store):
    opened(store, hosts=["h%03d" % number for number in range(100)], max_unavailable=40, max_failures=50)
    for number in range(30):
        ask(store, "h%03d" % number)
    shown = text(store)
    assert all("h%03d" % number in shown for number in range(50))
    assert "h051" not in shown
    assert "and 50 more   waiting" in shown
    assert len(told(store)["rollout"]["hosts"]) == 101


HOSTILE = ["[red]x[/]", "two\nlines\r", "\x1b[2Jgone", "y" * 300, "\u202eright to left", "é😀"]


def test_names_and_reasons_are_shown_as_text_in_one_line(store):
    opened(store, HOSTILE[2], HOSTILE, max_unavailable=9, max_failures=9)
    for name in HOSTILE:
        ask(store, name, Holder(name.replace("\t", ""), 1, "1", ""), HOSTILE[2])
        store.hold(HOSTILE[2], name)
    shown = text(store) + text(store, state="held", reason=HOSTILE[1])
    assert all(line.isprintable() for line in shown.splitlines())
    assert "[red]x[/]" in shown
    assert "two\\nlines\\r" in shown
    assert "\\x1b[2Jgone" in shown
    assert "\\u202eright" in shown
    assert "é😀" in shown
    assert shown.count("y") >= 300
    opened(store, "other")
    assert "\\x1b[2Jgone" in text(store)
    assert set(HOSTILE) < set(told(store, rollout=HOSTILE[2])["rollout"]["hosts"])


def test_hosts_that_were_out_of_service_before_the_roll_are_told(store):
    look(store, "roll", [])
    entries = [
        Entry(Candidate("a", "", ""), ABSENT, "unreachable", "no route to host", None),
        Entry(Candidate("b", "", ""), PENDING, None, "", None),
    ]
    open_rollout(store, "roll", policy_as_text({}), entries)
    result = told(store)["rollout"]
    assert result["hosts"]["a"]["standing"] == "out of service"
    assert result["stopped"] == "stopped: 1 host is down without a return in sight, and 1 may be down"
    assert "out of service: unreachable" in text(store)


def test_a_host_that_has_left_the_fleet_is_forgotten(any_store):
    opened(any_store, max_unavailable=1, max_failures=1)
    ask(any_store, "a", GONE)
    assert isinstance(ask(any_store, "b"), Wait)
    would = told(any_store, forget=["a", "a", "nobody"], check=True)
    assert (would["changed"], would["forgotten"], "a" in would["rollout"]["hosts"]) == (True, ["a"], True)
    before = any_store.revision("roll")
    controlled = control(any_store, "status", None, None, False, ["a", "nobody"])
    assert controlled.as_result()["changed"]
    assert controlled.warnings() == ["the rollout has no host nobody, so there is nothing to forget"]
    assert "a" not in controlled.as_result()["rollout"]["hosts"]
    assert any_store.revision("roll") != before, "those that wait look again"
    assert isinstance(ask(any_store, "b"), Admit)
    again = told(any_store, forget=["a"])
    assert (again["changed"], again["forgotten"]) == (False, [])


def test_a_host_that_failed_and_left_is_no_failure_any_more(any_store):
    opened(any_store, max_failures=0)
    ask(any_store, "a")
    any_store.release("roll", "a", ME, "lost", "did not come back")
    assert isinstance(ask(any_store, "b"), Stop)
    assert told(any_store, forget=["a"])["rollout"]["state"] == "stopped", "as it was decided"
    assert told(any_store, state="running", forget=["a"])["rollout"]["state"] == "running"
    assert isinstance(ask(any_store, "b"), Admit)


def test_a_host_that_somebody_may_see_to_is_not_forgotten(store, calendar):
    opened(store, deadline_seconds=600, max_unavailable=3)
    ask(store, "a", GONE)
    ask(store, "b")
    refusals = {
        "b": "b is in flight since 2026-11-07 02:00.*, and ansible-playbook .process 100 on ctl1. may still see to it",
        "c": "c waits for its turn",
    }
    for host, refusal in refusals.items():
        with pytest.raises(StoreError, match=refusal):
            told(store, forget=["a", host])
    assert {"a", "b", "c"} <= set(told(store)["rollout"]["hosts"]), "all or none"
    calendar.turn(600)
    assert told(store, forget=["a", "b"])["forgotten"] == ["a", "b"]


def test_which_rollout_forgets_must_be_plain(store):
    opened(store, "one", "ab")
    opened(store, "two", "cd")
    with pytest.raises(StoreError, match="2 rollouts of the store are not finished; name the one that is meant"):
        told(store, forget=["a"])
