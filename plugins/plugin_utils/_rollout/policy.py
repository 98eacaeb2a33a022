# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this host go down now? Pure: the same rule serves the store, the plan's estimate and the property tests.

Each limit is a function of its own. Two of them let a few hosts go first: a class of hardware its canaries, and the
fleet its stages. Both are the same rule: until so many hosts have been proven, no more than so many are started. A host
that fails is replaced by another, as far as max_failures allows. So the limits need nobody to choose the hosts, and
hold whichever host asks first, of whichever controller.

Which hosts are the canaries is what the plan says, as far as they ask: the place of one is kept while it waits itself,
and is anyone's when it has gone, when it has been told that its turn does not come, or when somebody has waited for it
for CANARY_SECONDS in which it did not ask.

A wait is only ever for something that will come: a host on its way back, the end of a soak or of a hold, a window, a
canary's first question or the end of the time for it. What only hosts without a return stand against is a stop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    Candidate,
    Kept,
    Rollout,
    Tally,
    Turn,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import counted

# For so long a planned canary that does not ask is waited for: twice as long as a host that waits goes without asking.
CANARY_SECONDS = 120.0


@dataclass(frozen=True)
class Admit:
    """It may go down."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """It may not yet."""

    reason: str
    until: datetime | None = None
    """When time alone may change that; None where only an event can."""
    for_canary: bool = False
    """Whether nothing else stands against it than that a planned canary goes first."""


# Why a host's turn does not come.
OPERATOR, FAILURES, UNAVAILABLE, DOMAIN, WINDOW = "operator", "failures", "unavailable", "domain", "window"


@dataclass(frozen=True)
class Stop:
    """Its turn does not come in this run."""

    reason: str
    cause: str
    opens: datetime | None = None
    """The next window, where that is the cause."""

    @property
    def ends_roll(self) -> bool:
        """Whether no other host may go down either, whatever happens next."""
        return self.cause in (OPERATOR, FAILURES, UNAVAILABLE)


Answer = Admit | Wait | Stop


class Judge:
    """Answers for a moment of a roll; what is the same for all hosts is worked out once."""

    def __init__(self, rollout: Rollout, now: datetime) -> None:
        self._rollout = rollout
        self._now = now
        self._deadline = now + timedelta(seconds=rollout.policy.deadline_seconds)
        self._tally = rollout.tally(now)
        self._whole = _whole_roll(rollout, self._tally, now)
        self._turning = _first(self._tally.next_deadline, _last_start(rollout, now))

    def admit(self, host: Candidate) -> Answer:
        """Whether this host, which is not in flight, may go down now."""
        answer = self._whole or self.against(host) or self._behind_canaries(host)
        if answer is None:
            down = self._tally.down + 1
            most = _most_down(self._rollout, self._tally)
            return Admit("%d of %s that may be down, with this one" % (down, counted(most, "host")))
        if isinstance(answer, Wait):
            return replace(answer, until=_first(answer.until, self._turning))
        return answer

    def _behind_canaries(self, host: Candidate) -> Wait | None:
        return _planned_canaries(self._rollout, self._tally, host, self._now)

    def against(self, host: Candidate) -> Wait | Stop | None:
        """Which of the limits on hosts that are down at once, or tried before others, it would break."""
        return self._against_any() or _against_one(self._rollout, self._tally, host)

    def _against_any(self) -> Wait | None:
        return _stage(self._rollout, self._tally) or _fleet(self._rollout, self._tally)

    @property
    def stop(self) -> Stop | None:
        """Why nothing more goes down, whatever happens next."""
        return self._whole if isinstance(self._whole, Stop) and self._whole.ends_roll else None

    def is_full(self) -> bool:
        """Whether any host has to wait."""
        return isinstance(self._whole, Wait) or (self._whole is None and self._against_any() is not None)

    def take(self, host: Candidate) -> Turn:
        """It goes down at this moment, which counts from now on; returns its turn."""
        turn = Turn(*host, self._deadline)
        self._tally.take(turn)
        return turn


def admit(rollout: Rollout, host: Candidate, now: datetime) -> Answer:
    """Whether this host, which is not in flight, may go down now."""
    return Judge(rollout, now).admit(host)


def crowded(rollout: Rollout, hosts: Iterable[Candidate], now: datetime) -> Wait | Stop | None:
    """Why these hosts, none of them in flight, may not all be down at once; None if they may.

    Holds, windows, stops and whose canaries go first are left aside: they end without a host's release, or for all.
    """
    judge = Judge(rollout, now)
    for host in hosts:
        against = judge.against(host)
        if against is not None:
            return against
        judge.take(host)
    return None


def _whole_roll(rollout: Rollout, tally: Tally, now: datetime) -> Wait | Stop | None:
    if rollout.stopped is not None:
        return Stop(rollout.stopped.reason, rollout.stopped.cause)
    allowed = rollout.policy.max_failures.of(tally.fleet, least=0)
    if tally.failures > allowed:
        return Stop("stopped: %s, %d allowed" % (counted(tally.failures, "failure"), allowed), FAILURES)
    most = _most_down(rollout, tally)
    if tally.gone.total() >= most:
        return Stop(
            "stopped: %s down without a return in sight, and %d may be down" % (_are(tally.gone.total()), most),
            UNAVAILABLE,
        )
    return _window(rollout, now) or _hold(rollout)


def _window(rollout: Rollout, now: datetime) -> Wait | Stop | None:
    windows = rollout.policy.windows
    if not windows:
        return None
    seconds = rollout.expected_seconds
    start = windows.earliest(now, seconds)
    if start == now:
        return None
    opening = windows.now_open(now)
    if opening is None:
        why = "no maintenance window is open"
    else:
        why = "the maintenance window closes %s, and a host takes %.0f s" % (windows.told(opening.closes), seconds)
    if start is None:
        return Stop("%s; no window that is long enough for a host opens any more" % why, WINDOW)
    if (start - now).total_seconds() <= rollout.policy.window_wait_seconds:
        return Wait("waiting: %s; it goes on %s" % (why, windows.told(start)), start)
    return Stop("%s; the next one opens %s" % (why, windows.told(start)), WINDOW, start)


def _hold(rollout: Rollout) -> Wait | None:
    return None if rollout.held is None else Wait("waiting: the roll is held: " + rollout.held)


def _against_one(rollout: Rollout, tally: Tally, host: Candidate) -> Wait | Stop | None:
    return _canaries(rollout, tally, host) or _within_domain(rollout, tally, host) or _domains(rollout, tally, host)


def _canaries(rollout: Rollout, tally: Tally, host: Candidate) -> Wait | None:
    wanted, name = rollout.policy.canaries_per_class, host.host_class
    under_way, soaking = tally.class_under_way[name], tally.class_soaking[name]
    if tally.class_proven[name] >= wanted or tally.class_proven[name] + under_way + soaking < wanted:
        return None
    what = "%d of %d canaries of class %s proven" % (tally.class_proven[name], wanted, name)
    return Wait("waiting: " + what + _soaking(rollout, soaking), tally.soak_ends.get(name))


def _planned_canaries(rollout: Rollout, tally: Tally, host: Candidate, now: datetime) -> Wait | None:
    """Whether it would take the place that is kept for a planned canary."""
    wanted, name = rollout.policy.canaries_per_class, host.host_class
    tried = tally.class_proven[name] + tally.class_under_way[name] + tally.class_soaking[name]
    planned = _kept(rollout, name, now)
    is_open = tally.class_proven[name] >= wanted or not planned or len(planned) < wanted - tried
    if is_open or host.name in {kept.host for kept in planned}:
        return None
    first = planned[0]
    until = _first(*(kept.until or now + timedelta(seconds=CANARY_SECONDS) for kept in planned))
    return Wait("waiting: %s goes first of class %s, as planned" % (first.host, name), until, for_canary=True)


def _kept(rollout: Rollout, host_class: str, now: datetime) -> list[Kept]:
    """The planned canaries of a class for which places are kept."""
    return [kept for kept in rollout.kept if kept.host_class == host_class and (kept.until is None or kept.until > now)]


def places_kept(rollout: Rollout, host: Candidate, answer: Answer, now: datetime) -> dict[str, datetime | None]:
    """Until when places are kept for planned canaries from this answer on, where it changes that; see :class:`Kept`.

    Time runs for a canary from the first host that waits for it to its own next question.
    """
    if isinstance(answer, Wait) and answer.for_canary:
        until = now + timedelta(seconds=CANARY_SECONDS)
        return {kept.host: until for kept in _kept(rollout, host.host_class, now) if kept.until is None}
    mine = next((kept for kept in rollout.kept if kept.host == host.name), None)
    if mine is None or isinstance(answer, Admit):
        return {}
    own = now if isinstance(answer, Stop) else None
    return {} if mine.until == own else {host.name: own}


def _stage(rollout: Rollout, tally: Tally) -> Wait | None:
    size = 0
    for number, stage in enumerate(rollout.policy.stages, 1):
        size = max(size, stage.of(tally.fleet))
        if tally.proven >= size:
            continue
        if tally.started < size:
            return None
        what = "%d of %s of stage %d proven" % (tally.proven, counted(size, "host"), number)
        return Wait(
            "waiting: " + what + _soaking(rollout, tally.class_soaking.total()), _first(*tally.soak_ends.values())
        )
    return None


def _soaking(rollout: Rollout, hosts: int) -> str:
    return ", %d being watched for %.0f s" % (hosts, rollout.policy.soak_seconds) if hosts else ""


def _most_down(rollout: Rollout, tally: Tally) -> int:
    return rollout.policy.max_unavailable.of(tally.fleet)


def _fleet(rollout: Rollout, tally: Tally) -> Wait | None:
    down, most = tally.down, _most_down(rollout, tally)
    return None if down < most else Wait("waiting: %d of %s down" % (down, _are(most)))


def _within_domain(rollout: Rollout, tally: Tally, host: Candidate) -> Wait | Stop | None:
    limit = rollout.policy.max_unavailable_per_domain
    if limit is None:
        return None
    gone, most = tally.gone[host.domain], limit.of(tally.domain_hosts[host.domain])
    down = gone + tally.under_way[host.domain]
    if down < most:
        return None
    where = "of %s %s" % (rollout.policy.failure_domain, host.domain)
    if gone >= most:
        return Stop(
            "%s %s down without a return in sight, and %d may be down" % (counted(gone, "host"), where, most), DOMAIN
        )
    return Wait("waiting: %d of %s %s are down" % (down, counted(most, "host"), where))


def _domains(rollout: Rollout, tally: Tally, host: Candidate) -> Wait | Stop | None:
    limit = rollout.policy.max_domains
    if limit is None:
        return None
    touched = {domain for counts in (tally.gone, tally.under_way) for domain, hosts in counts.items() if hosts}
    most = limit.of(len(tally.domain_hosts))
    if host.domain in touched or len(touched) < most:
        return None
    gone = sum(1 for hosts in tally.gone.values() if hosts)
    what = "hosts of %s are down" % counted(len(touched), str(rollout.policy.failure_domain))
    if gone >= most:
        return Stop("%s without a return in sight, and of %d they may be" % (what, most), DOMAIN)
    return Wait("waiting: %s, and of %d they may be" % (what, most))


def _last_start(rollout: Rollout, now: datetime) -> datetime | None:
    """When the answer turns into a stop, because a host would not be back before the window closes."""
    opening = rollout.policy.windows.now_open(now) if rollout.policy.windows else None
    if opening is None:
        return None
    last = opening.closes - timedelta(seconds=rollout.expected_seconds)
    return last if last > now else None


def _first(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _are(number: int) -> str:
    return "%s %s" % (counted(number, "host"), "is" if number == 1 else "are")
