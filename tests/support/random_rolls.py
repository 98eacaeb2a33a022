# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random rolls in virtual time, each limit checked by plain counting at every admission.

The generator is this file's own, over a seed that a failure names: a roll takes about two milliseconds, a tenth of what
hypothesis needs to draw one, and there are hundreds of thousands of them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import Holder
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.opening import Entry, look, open_rollout
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import (
    Admit,
    Answer,
    Stop,
    Wait,
    admit,
    places_kept,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import policy_as_text, read_policy
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
    FAILED,
    IDLE,
    IN_FLIGHT,
    PENDING,
    SUCCEEDED,
    Candidate,
    Group,
    Kept,
    Policy,
    Rollout,
    Stopped,
    Success,
    Turn,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Ended, Store

MIDNIGHT = datetime(2026, 11, 2, tzinfo=timezone.utc)
NEVER = float("inf")
# A host that waits asks at least so often; see waiting.py.
ASKS_EVERY = 60
EXPECTED_SECONDS = 60
DEADLINE_SECONDS = 300


@dataclass
class Record:
    """A host, as this file keeps account of it."""

    candidate: Candidate
    standing: str
    holder: int = -1
    deadline: float = 0.0
    ended_at: float = 0.0
    outcome: str | None = None
    kept_until: float | None = None
    """Of a planned canary; infinity while nobody waits for it."""
    has_asked: bool = False
    is_refused: bool = False
    """Whether it was told that its turn does not come."""

    @property
    def is_canary(self) -> bool:
        """Whether the plan names it, and it may still be one."""
        return self.standing == PENDING and self.kept_until is not None and not self.is_refused


@dataclass
class Case:
    """One random roll."""

    rng: random.Random
    inputs: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, Record] = field(default_factory=dict)
    windows: list[tuple[int, int]] = field(default_factory=list)
    """Each day's, in minutes: from, length."""
    orders: list[list[str]] = field(default_factory=list)
    """Of each controller."""
    forks: list[int] = field(default_factory=list)
    deaths: list[float] = field(default_factory=list)
    """When each controller is killed, in seconds."""
    held: tuple[float, float] = (0.0, 0.0)
    stopped_at: float = float("inf")
    """By an operator."""
    start: float = 0.0


def make_case(rng: random.Random) -> Case:
    case = Case(rng)
    domains, classes = rng.randint(1, 4), rng.randint(1, 3)
    for place in range(rng.randint(1, 12)):
        candidate = Candidate("h%d" % place, "d%d" % rng.randrange(domains), "c%d" % rng.randrange(classes))
        case.hosts[candidate.name] = Record(candidate, rng.choices([PENDING, ABSENT, IDLE], [12, 1, 1])[0])
    case.inputs.update(make_limits(rng))
    if rng.random() < 0.2:
        case.windows = [(rng.randrange(1300), rng.choice([2, 10, 60])) for _ in range(rng.randint(1, 3))]
        case.inputs["windows"] = [
            "daily %02d:%02d %dm" % (*divmod(begin, 60), length) for begin, length in case.windows
        ]
        case.inputs["window_wait_seconds"] = rng.choice([0, 900, 86400])
        case.start = 60.0 * (case.windows[0][0] - rng.choice([-1, 0, 1, 30]))
    names = [name for name, record in case.hosts.items() if record.standing == PENDING]
    rng.shuffle(names)
    case.orders = rng.choice([[names], [names[::2], names[1::2]], [names, names[::-1]]])
    case.forks = [rng.randint(1, 6) for _ in case.orders]
    case.deaths = [case.start + rng.randint(0, 600) if rng.random() < 0.15 else float("inf") for _ in case.orders]
    for order in case.orders:
        plan_canaries(case, order)
    if rng.random() < 0.1:
        held = case.start + rng.randint(0, 200)
        case.held = (held, held + rng.randint(0, 400))
    if rng.random() < 0.1:
        case.stopped_at = case.start + rng.randint(0, 400)
    return case


def plan_canaries(case: Case, order: list[str]) -> None:
    """As a run's plan names them; what a run before it has said of the same hosts counts no longer."""
    planned: dict[str, int] = {}
    for name in order:
        record = case.hosts[name]
        place = planned[record.candidate.host_class] = planned.get(record.candidate.host_class, 0) + 1
        record.kept_until = NEVER if place <= case.inputs["canaries_per_class"] else None


def make_limits(rng: random.Random) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "max_unavailable": rng.choice([1, 2, 3, 5, "10%", "34%", "100%"]),
        "max_failures": rng.choice([0, 0, 1, 2, "20%"]),
        "canaries_per_class": rng.choice([0, 1, 1, 2]),
        "expected_host_seconds": EXPECTED_SECONDS,
        "deadline_seconds": DEADLINE_SECONDS,
        "stages": rng.choice([None, None, None, "1", "1,25%", "2,3,50%", "10%,10%"]),
        "soak_seconds": rng.choice([0, 0, 0, 30, 600]),
    }
    if rng.random() < 0.5:
        inputs["failure_domain"] = "rack"
        inputs["max_unavailable_per_domain"] = rng.choice([None, 1, 2, "50%"])
        inputs["max_domains"] = rng.choice([None, None, 1, 2, "50%"])
    return inputs


def moment(seconds: float) -> datetime:
    return MIDNIGHT + timedelta(seconds=seconds)


class Memory:
    """What the store does, without one."""

    def __init__(self, case: Case) -> None:
        self.case, self.policy = case, read_policy(case.inputs)
        self.stopped: Stopped | None = None

    def ask(self, name: str, controller: int, now: float) -> Answer | Ended:
        record = self.case.hosts[name]
        if record.standing == IN_FLIGHT:
            if record.holder != controller and record.deadline > now:
                return Wait("in other hands", moment(record.deadline))
            return Admit("taken up again")
        if record.standing != PENDING:
            return Ended(record.outcome or "", "")
        rollout = self.rollout(now)
        answer = admit(rollout, record.candidate, moment(now))
        for kept, until in places_kept(rollout, record.candidate, answer, moment(now)).items():
            self.case.hosts[kept].kept_until = NEVER if until is None else (until - MIDNIGHT).total_seconds()
        if isinstance(answer, Stop) and answer.ends_roll and self.stopped is None:
            self.stopped = Stopped(answer.cause, answer.reason)
        return answer

    def rollout(self, now: float) -> Rollout:
        records = self.case.hosts.values()
        held_from, held_until = self.case.held
        return Rollout(
            policy=self.policy,
            groups=tuple(Group(r.standing, *r.candidate[1:], 1) for r in records if r.standing != IN_FLIGHT),
            turns=tuple(Turn(*r.candidate, moment(r.deadline)) for r in records if r.standing == IN_FLIGHT),
            fresh=tuple(
                Success(r.candidate.host_class, moment(r.ended_at)) for r in records if r.standing == SUCCEEDED
            ),
            kept=tuple(
                Kept(*r.candidate[::2], None if r.kept_until == NEVER else moment(r.kept_until))
                for r in records
                if r.standing == PENDING and r.kept_until is not None
            ),
            stopped=self.stopped,
            held="lunch" if held_from <= now < held_until else None,
        )

    def release(self, name: str, controller: int, outcome: str, now: float) -> None:
        """Nothing: the record says it."""

    def stop(self) -> None:
        self.stopped = Stopped("operator", "stopped: enough")


class InStore(Memory):
    """The store itself."""

    def __init__(self, case: Case, path: str) -> None:
        super().__init__(case)
        self.now = case.start
        self.store = Store(Database(path), lambda: moment(self.now))
        look(self.store, "roll", [])
        entries = [
            Entry(r.candidate, r.standing, "unreachable", "", None, is_canary=r.kept_until is not None)
            for r in case.hosts.values()
        ]
        open_rollout(self.store, "roll", policy_as_text(case.inputs), entries)
        self.is_held = False

    def ask(self, name: str, controller: int, now: float) -> Answer | Ended:
        self.now = now
        if (self.case.held[0] <= now < self.case.held[1]) != self.is_held:
            self.is_held = not self.is_held
            if self.is_held:
                self.store.hold("roll", "lunch")
            elif self.stopped is None:
                self.store.resume("roll")
        answer = self.store.acquire("roll", name, holder(controller)).answer
        if isinstance(answer, Stop) and answer.ends_roll:
            self.stopped = Stopped(answer.cause, answer.reason)
        return answer

    def release(self, name: str, controller: int, outcome: str, now: float) -> None:
        self.now = now
        assert self.store.release("roll", name, holder(controller), outcome)

    def stop(self) -> None:
        super().stop()
        self.store.stop("roll", "enough")


def holder(controller: int) -> Holder:
    return Holder("ctl%d" % controller, controller, "1", "")


def check_admission(case: Case, name: str, now: float, waiting: Iterable[str]) -> None:
    """By counting hosts, each limit; *name* is not in flight yet. :param waiting: hosts that wait beside it."""
    policy, me, records = read_policy(case.inputs), case.hosts[name], list(case.hosts.values())
    lost = [r for r in records if r.standing == IN_FLIGHT and r.deadline <= now]
    failures = len(lost) + sum(r.standing == FAILED for r in records)
    assert failures <= policy.max_failures.of(len(records), least=0), "beyond the failures that are allowed"
    assert not case.held[0] <= now < case.held[1], "while the roll is held"
    check_down(policy, me, records)
    check_trials(policy, me, records, now)
    # With several controllers one may not come to a host of its order within the time for which others wait for it, or
    # die, and another come to its host later.
    others = [case.hosts[other] for other in waiting if other != name]
    if len(case.orders) > 1:
        others = [record for record in others if record.has_asked and now < min(case.deaths)]
    check_canaries(policy, me, records, others, now)
    if case.windows:
        check_window(case.windows, now)


def check_down(policy: Policy, me: Record, records: list[Record]) -> None:
    down = [me, *(r for r in records if r.standing in (IN_FLIGHT, FAILED, ABSENT))]
    assert len(down) <= policy.max_unavailable.of(len(records)), "more down than may be"
    domain = me.candidate.domain
    if policy.max_unavailable_per_domain is not None:
        most = policy.max_unavailable_per_domain.of(sum(r.candidate.domain == domain for r in records))
        assert sum(r.candidate.domain == domain for r in down) <= most, "more of a domain down than may be"
    if policy.max_domains is not None:
        most = policy.max_domains.of(len({r.candidate.domain for r in records}))
        before = {r.candidate.domain for r in down[1:]}
        assert domain in before or len(before) < most, "more domains touched than may be"


def check_trials(policy: Policy, me: Record, records: list[Record], now: float) -> None:
    done = [r for r in records if r.standing == SUCCEEDED]
    soaked = [r for r in done if r.ended_at + policy.soak_seconds <= now]
    hopeful = done + [r for r in records if r.standing == IN_FLIGHT and r.deadline > now]
    mine, canaries = me.candidate.host_class, policy.canaries_per_class
    if sum(r.candidate.host_class == mine for r in soaked) < canaries:
        assert sum(r.candidate.host_class == mine for r in hopeful) < canaries, "before its class's canaries"
    size = 0
    for stage in policy.stages:
        size = max(size, stage.of(len(records)))
        assert len(soaked) >= size or len(hopeful) < size, "before its stage"


def check_canaries(policy: Policy, me: Record, records: list[Record], waiting: list[Record], now: float) -> None:
    """Of a class whose canaries are not proven, the planned ones that ask have places before others."""
    mine = [r for r in records if r.candidate.host_class == me.candidate.host_class]
    done = [r for r in mine if r.standing == SUCCEEDED]
    hopeful = done + [r for r in mine if r.standing == IN_FLIGHT and r.deadline > now]
    planned = {r.candidate.name for r in waiting if r in mine and r.is_canary}
    if not me.is_canary and planned:
        is_proven = sum(r.ended_at + policy.soak_seconds <= now for r in done) >= policy.canaries_per_class
        assert is_proven or len(hopeful) + len(planned) < policy.canaries_per_class, "before a planned canary"


def check_window(windows: list[tuple[int, int]], now: float) -> None:
    today = now // 86400 * 1440
    spans = [(60 * (today + day + begin), length) for begin, length in windows for day in (-1440, 0, 1440)]
    until = now
    for begin, length in sorted(spans):
        if begin <= until:
            until = max(until, begin + 60 * length)
    assert until - now >= EXPECTED_SECONDS, "it would not be back before the window closes"


class Roll:
    """A roll, with all of its controllers."""

    def __init__(self, case: Case, book: Memory) -> None:
        self.case, self.book, self.now = case, book, case.start
        self.queues = [list(order) for order in case.orders]
        self.waiting: list[list[str]] = [[] for _ in case.orders]
        self.flying: dict[tuple[int, str], tuple[float, str]] = {}
        self.ended: dict[str, str] = {}
        self.has_stopped = False

    def run(self) -> None:
        """To its end."""
        for _step in range(10_000):
            if self.now >= self.case.stopped_at and not self.has_stopped:
                self.book.stop()
                self.has_stopped = True
            self.kill()
            self.land()
            moments = self.settle()
            if not any(self.queues) and not any(self.waiting) and not self.flying:
                return self.check_ends()
            later = [at for at in moments if at > self.now]
            assert later, "deadlock: %s wait for nothing" % list(itertools.chain(*self.waiting))
            self.now = min(later)
        raise AssertionError("the roll does not end")

    def kill(self) -> None:
        """The controllers whose time has come; their hosts stay as they are."""
        for controller, death in enumerate(self.case.deaths):
            if self.now >= death:
                self.queues[controller].clear()
                self.waiting[controller].clear()
                self.flying = {key: value for key, value in self.flying.items() if key[0] != controller}

    def land(self) -> None:
        """Release the hosts whose turn is over."""
        for (controller, name), (at, outcome) in sorted(self.flying.items(), key=lambda item: item[1]):
            record = self.case.hosts[name]
            if at > self.now:
                continue
            del self.flying[controller, name]
            if record.holder != controller:
                continue  # taken up by another controller since
            assert name not in self.ended, "two outcomes"
            self.book.release(name, controller, outcome, self.now)
            self.ended[name] = record.outcome = outcome
            record.standing, record.ended_at = SUCCEEDED if outcome == "rebooted" else FAILED, self.now

    def settle(self) -> list[float]:
        """Ask for all that wait until no answer changes any more; returns the moments that may change one."""
        moments: list[float] = []
        settled = False
        while not settled:
            settled, moments = True, [at for at, _outcome in self.flying.values()]
            for controller, queue in enumerate(self.queues):
                waiting = self.waiting[controller]
                busy = sum(key[0] == controller for key in self.flying)
                while queue and busy + len(waiting) < self.case.forks[controller]:
                    waiting.append(queue.pop(0))
                self.case.rng.shuffle(waiting)
                for name in list(waiting):
                    until = self.ask(controller, name)
                    settled = settled and name in waiting
                    moments += until
        if any(
            record.standing == PENDING and record.kept_until is not None and self.now < record.kept_until < NEVER
            for record in self.case.hosts.values()
        ):
            moments.append(self.now + ASKS_EVERY)
        moments += [at for at in (*self.case.deaths, *self.case.held, self.case.stopped_at) if at != float("inf")]
        return moments

    def ask(self, controller: int, name: str) -> list[float]:
        """For one host; returns when its answer may change."""
        answer = self.book.ask(name, controller, self.now)
        self.case.hosts[name].has_asked = True
        if isinstance(answer, Wait):
            return [(answer.until - MIDNIGHT).total_seconds()] if answer.until else []
        self.waiting[controller].remove(name)
        self.case.hosts[name].is_refused |= isinstance(answer, Stop)
        self.has_stopped = self.has_stopped or (isinstance(answer, Stop) and answer.ends_roll)
        if isinstance(answer, Admit):
            record = self.case.hosts[name]
            if record.standing == PENDING:
                assert not self.has_stopped, "after a stop"
                check_admission(self.case, name, self.now, itertools.chain(*self.waiting))
            record.standing, record.holder, record.deadline = IN_FLIGHT, controller, self.now + DEADLINE_SECONDS
            takes = self.case.rng.choice([20, 60, 90, 200, 299, 400])
            outcome = self.case.rng.choices(["rebooted", "failed", "lost"], [8, 1, 1])[0]
            self.flying[controller, name] = (self.now + takes, outcome)
        return []

    def check_ends(self) -> None:
        """One outcome for each host that had its turn; in flight are only those of dead controllers."""
        for name, record in self.case.hosts.items():
            assert (name in self.ended) == (record.standing in (SUCCEEDED, FAILED))
            if record.standing == IN_FLIGHT:
                assert self.case.deaths[record.holder] <= self.now, "in flight, and nobody sees it through"


def roll_all(seeds: Iterable[int], make_book: Callable[[Case], Memory] = Memory) -> int:
    """How many hosts were rebooted in all."""
    rebooted = 0
    for seed in seeds:
        case = make_case(random.Random(seed))
        try:
            Roll(case, make_book(case)).run()
        except AssertionError as error:
            raise AssertionError("seed %r: %s; policy %s" % (seed, error, case.inputs)) from error
        rebooted += sum(record.outcome == "rebooted" for record in case.hosts.values())
    return rebooted
