# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A roll in virtual time, in which every host returns after the time that is expected of it. Pure.

It asks the same rule as the roll itself, so what it says of the order and of the length is what the limits allow.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Judge, Stop, Wait
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    PENDING,
    SUCCEEDED,
    Candidate,
    Group,
    Policy,
    Rollout,
    Success,
    Turn,
    usual_seconds,
)


class Queue(Protocol):
    """The hosts whose turn has not come."""

    def askers(self, in_flight: Sized) -> Iterator[Candidate]:
        """Those that ask at the same time whether they may go down. :param in_flight: hosts that are down; it grows."""

    def remove(self, host: Candidate) -> None:
        """Its turn has come, or never will."""


class Line:
    """Hosts in a fixed order, each keeping one of so many workers until it has had its turn.

    :param forks: Ansible's, as its strategy host_pinned uses them.
    """

    def __init__(self, hosts: Iterable[Candidate], forks: int) -> None:
        self._hosts = deque(hosts)
        self._forks = forks
        self._with_worker: dict[Candidate, None] = {}

    def askers(self, in_flight: Sized) -> Iterator[Candidate]:
        """See Queue."""
        asked: set[Candidate] = set()
        while True:
            while self._hosts and len(self._with_worker) + len(in_flight) < self._forks:
                self._with_worker[self._hosts.popleft()] = None
            left = [host for host in self._with_worker if host not in asked]
            if not left:
                return
            asked.update(left)
            yield from left

    def remove(self, host: Candidate) -> None:
        """See Queue."""
        del self._with_worker[host]


@dataclass
class Forecast:
    """What became of the hosts."""

    starts: list[Candidate] = field(default_factory=list)
    """In the order in which they went down."""
    stops: dict[str, Stop] = field(default_factory=dict)
    """Those whose turn does not come, by name."""
    ends: datetime | None = None
    """When the last one was back."""


class Simulation:
    """One roll.

    :param hosts: what is to go down. :param others: the fleet's other hosts.
    :param seconds: how long each host's turn takes, by name.
    """

    def __init__(
        self, policy: Policy, hosts: Iterable[Candidate], others: Iterable[Group], seconds: Mapping[str, float]
    ) -> None:
        self._policy = policy
        self._seconds = seconds
        self._groups: Counter[tuple[str, str, str]] = Counter()
        for group in others:
            self._groups[group.standing, group.domain, group.host_class] += group.hosts
        for host in hosts:
            self._groups[PENDING, host.domain, host.host_class] += 1
        self._turns: dict[str, Turn] = {}
        self._ends: list[tuple[datetime, Candidate]] = []
        self._fresh: list[Success] = []
        self._taken: list[float] = []

    def run(self, queue: Queue, start: datetime) -> Forecast:
        """From *start* until nothing is to come any more."""
        now, forecast = start, Forecast()
        while True:
            moments = self._settle(queue, now, forecast)
            moments += [end for end, _host in self._ends[:1]]
            if not moments:
                return forecast
            now = min(moments)
            while self._ends and self._ends[0][0] <= now:
                forecast.ends, host = heapq.heappop(self._ends)
                self._release(host, forecast.ends)

    def _settle(self, queue: Queue, now: datetime, forecast: Forecast) -> list[datetime]:
        """Give all answers of the moment; returns when waiting hosts may get another one."""
        judge = Judge(self._rollout(now), now)
        moments: list[datetime] = []
        waiting: set[tuple[str, str]] = set()
        for host in queue.askers(self._turns):
            alike = (host.domain, host.host_class)
            if alike in waiting:
                continue
            answer = judge.admit(host)
            if isinstance(answer, Wait):
                moments += [answer.until] if answer.until is not None else []
                waiting.add(alike)
                if judge.is_full():
                    break
                continue
            queue.remove(host)
            if isinstance(answer, Stop):
                forecast.stops[host.name] = answer
                continue
            forecast.starts.append(host)
            self._acquire(judge.take(host), now)
        return moments

    def _rollout(self, now: datetime) -> Rollout:
        soak = timedelta(seconds=self._policy.soak_seconds)
        self._fresh = [success for success in self._fresh if success.at + soak > now]
        return Rollout(
            policy=self._policy,
            groups=tuple(Group(*alike, hosts) for alike, hosts in self._groups.items() if hosts),
            turns=tuple(self._turns.values()),
            fresh=tuple(self._fresh),
            learned_seconds=usual_seconds(self._taken),
        )

    def _acquire(self, turn: Turn, now: datetime) -> None:
        self._groups[PENDING, turn.domain, turn.host_class] -= 1
        # No host is late here: a turn that is expected to take longer than it may would count as lost.
        seconds = min(self._seconds[turn.host], self._policy.deadline_seconds)
        self._turns[turn.host] = turn._replace(deadline=turn.deadline + timedelta(seconds=1))
        heapq.heappush(self._ends, (now + timedelta(seconds=seconds), Candidate(*turn[:3])))

    def _release(self, host: Candidate, now: datetime) -> None:
        del self._turns[host.name]
        self._groups[SUCCEEDED, host.domain, host.host_class] += 1
        self._fresh.append(Success(host.host_class, now))
        insort(self._taken, self._seconds[host.name])
