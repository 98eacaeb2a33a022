# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import StoreError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import Holder, holder_from, holder_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Admit, Stop, Wait
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Ended, Reply
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.strategy import deadlock
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.waiting import Waiting, as_result, poll_pause

AT = datetime(2026, 11, 7, 2, 0, tzinfo=timezone.utc)
ME = Holder("ctl1", 100, "1", "")
DOWN = StoreError("the store is out of reach", temporary=True)


class FakeClock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        assert seconds > 0
        self.time += seconds


class FakeStore:
    """Its answers, each from a certain second on; and the revision, which the answers raise."""

    def __init__(self, clock, calendar, *answers):
        self.clock, self.calendar, self.answers = clock, calendar, answers
        self.asked, self.looked = [], []

    def _current(self):
        return max((answer for answer in self.answers if answer[0] <= self.clock.time), key=lambda answer: answer[0])

    def acquire(self, rollout, host, holder):
        self.asked.append(self.clock.time)
        at, answer = self._current()
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer, self.calendar() + timedelta(seconds=self.clock.time), int(at), waiting=1)

    def revision(self, rollout):
        self.looked.append(self.clock.time)
        at, answer = self._current()
        if isinstance(answer, Exception):
            raise answer
        return int(at)


@pytest.fixture
def clock():
    return FakeClock()


def waiting(clock, **changes):
    said = changes.pop("said", [])
    settings = {
        "poll_seconds": 1.0,
        "patience_seconds": 100.0,
        "forks": 5,
        "is_orphan": lambda: False,
        "say": said.append,
    }
    return Waiting(clock=clock, **{**settings, **changes})


def test_it_waits_cheaply_and_asks_when_something_has_changed(clock, calendar):
    said = []
    store = FakeStore(clock, calendar, (0, Wait("waiting: 1")), (10, Wait("waiting: 2")), (20, Admit("now")))
    assert waiting(clock, said=said).for_slot(store, "roll", "a", ME) == Admit("now")
    assert len(store.asked) == 3
    assert 10 < len(store.looked) < 40
    assert 20 <= clock.time < 22
    assert said == ["waiting: 1", "waiting: 2"]


def test_it_asks_when_time_may_have_changed_the_answer(clock, calendar):
    store = FakeStore(
        clock, calendar, (0, Wait("waiting: soak", calendar() + timedelta(seconds=7.5))), (7, Admit("now"))
    )
    store.revision = lambda rollout: 0
    assert waiting(clock, poll_seconds=3.0).for_slot(store, "roll", "a", ME) == Admit("now")
    assert 7.5 <= clock.time < 7.6


def test_it_asks_once_in_a_while_whatever_seems_to_be(clock, calendar):
    store = FakeStore(clock, calendar, (0, Wait("waiting")), (5, Admit("now")))
    store.revision = lambda rollout: 0
    waiting(clock).for_slot(store, "roll", "a", ME)
    assert 60 <= clock.time < 62


def test_it_goes_on_when_a_store_that_was_out_of_reach_is_back(clock, calendar):
    said = []
    store = FakeStore(clock, calendar, (0, Wait("waiting: 1")), (10, DOWN), (90, Admit("now")))
    assert waiting(clock, said=said).for_slot(store, "roll", "a", ME) == Admit("now")
    assert "waiting: the store is out of reach" in said


def test_its_patience_ends(clock, calendar):
    store = FakeStore(clock, calendar, (0, DOWN))
    with pytest.raises(StoreError, match="out of reach"):
        waiting(clock).for_slot(store, "roll", "a", ME)
    assert 100 <= clock.time < 105


def test_what_does_not_pass_is_not_waited_for(clock, calendar):
    store = FakeStore(clock, calendar, (0, StoreError("damaged")))
    with pytest.raises(StoreError, match="damaged"):
        waiting(clock).for_slot(store, "roll", "a", ME)
    assert clock.time == 0


def test_a_task_whose_ansible_playbook_has_died_takes_nothing_any_more(clock, calendar):
    store = FakeStore(clock, calendar, (0, Wait("waiting")), (10, Admit("now")))
    with pytest.raises(StoreError, match="ansible-playbook has ended"):
        waiting(clock, is_orphan=lambda: clock.time > 5).for_slot(store, "roll", "a", ME)
    assert len(store.asked) == 1


@pytest.mark.parametrize(("hosts", "least", "most"), [(0, 0.75, 1.25), (10, 0.75, 1.25), (40, 3, 5), (1000, 7.5, 12.5)])
def test_the_more_wait_the_less_often_each_looks(hosts, least, most):
    assert (poll_pause(1.0, hosts, 0.0), poll_pause(1.0, hosts, 1.0)) == (least, most)


@pytest.mark.parametrize(
    ("answer", "name", "cause"),
    [
        (None, "admitted", None),
        (Admit("yes"), "admitted", None),
        (Stop("no", "failures"), "stopped", "failures"),
        (Stop("no", "window"), "deferred", "window"),
        (Ended("rebooted", ""), "ended", None),
    ],
)
def test_the_result(answer, name, cause):
    result = as_result(answer, 1.23456, AT)
    assert (result["answer"], result["cause"], result["admitted"]) == (name, cause, name == "admitted")
    assert result["changed"] == isinstance(answer, Admit)
    assert (result["waited_seconds"], result["at"]) == (1.235, "2026-11-07T02:00:00+00:00")


def crowd():
    return Wait("waiting: 2 of 2 hosts are down")


@pytest.mark.parametrize(
    ("strategy", "forks", "batch", "crowded", "why"),
    [
        ("linear", 5, 3, crowd, "all 3 hosts of the batch have their slots, which cannot be (2 of 2 hosts are down)"),
        ("ansible.builtin.linear", 5, 3, crowd, "give the play strategy: host_pinned, or serial: 1"),
        ("debug", 5, 3, crowd, "the play's strategy is debug"),
        ("linear", 5, 3, lambda: None, None),
        ("linear", 5, 1, crowd, None),
        ("host_pinned", 1, 1000, crowd, None),
        ("ansible.builtin.host_pinned", 1, 1000, crowd, None),
        ("free", 3, 3, crowd, None),
        ("free", 2, 3, crowd, "under it 3 hosts share 2 workers"),
    ],
)
def test_which_plays_would_wait_for_ever(strategy, forks, batch, crowded, why):
    refusal = deadlock(strategy, forks, batch, crowded)
    assert refusal is None if why is None else why in refusal


def test_a_holder_is_gone_when_its_process_is():
    process = subprocess.Popen(["sleep", "60"])
    holder = holder_of(process.pid)
    assert holder_from(holder.as_text()) == holder
    assert not holder.is_gone()
    assert not holder_of(os.getpid()).is_gone()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert holder.is_gone(), "a zombie has ended"
    process.wait()
    assert holder.is_gone()
    assert not holder._replace(space="elsewhere").is_gone(), "nobody knows"
    assert holder_of(os.getpid())._replace(started="1").is_gone(), "another process has its number now"
