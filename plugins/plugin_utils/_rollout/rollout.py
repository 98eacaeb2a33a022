# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a roll stands, as far as its limits go. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import Limit
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.window import Windows

# Where a host stands.
PENDING = "pending"
IN_FLIGHT = "in flight"
SUCCEEDED = "succeeded"
EARLIER = "succeeded earlier"
"""In an earlier launch. It proves nothing in this one, whose kernel may be another, until a survey has found it so."""
FAILED = "failed"
"""In the roll: out of service until somebody has looked at it, and counted against max_failures."""
ABSENT = "absent"
"""Out of service, but not by this roll."""
IDLE = "idle"
"""In service, and nothing is done to it."""

# Where a host stands after its turn, by its outcome. One that was left untouched may be asked for again.
STANDING_AFTER = {
    "rebooted": SUCCEEDED,
    "fell_back": SUCCEEDED,
    "current": IDLE,
    "refused": IDLE,
    "deferred": PENDING,
    "failed": FAILED,
    "rolled_back": FAILED,
    "lost": FAILED,
    "unreachable": FAILED,
}


@dataclass(frozen=True)
class Policy:
    """The limits of a roll; the documentation of the module rollout_plan tells what each one means."""

    max_unavailable: Limit
    stages: tuple[Limit, ...]
    max_failures: Limit
    failure_domain: str | None
    max_unavailable_per_domain: Limit | None
    max_domains: Limit | None
    canaries_per_class: int
    soak_seconds: float
    windows: Windows
    window_wait_seconds: float
    expected_host_seconds: float | None
    deadline_seconds: float


class Candidate(NamedTuple):
    """A host that asks whether it may go down."""

    name: str
    domain: str
    """Its failure domain; the same for all hosts where there are none."""
    host_class: str
    """Of hardware."""


class Group(NamedTuple):
    """So many hosts, none in flight, that are the same to the limits."""

    standing: str
    domain: str
    host_class: str
    hosts: int


class Turn(NamedTuple):
    """A host in flight, from its slot's acquisition to the release; or several that are the same to the limits."""

    host: str
    """Empty where they are several."""
    domain: str
    host_class: str
    deadline: datetime
    """From then on it counts as lost, and is still out of service. The first one of several."""
    hosts: int = 1


class Kept(NamedTuple):
    """A planned canary whose turn has not come: its place is kept for it."""

    host: str
    host_class: str
    until: datetime | None
    """From then on its place is anyone's; None while nobody waits for it."""


class Success(NamedTuple):
    """A host that ended well a short time ago, and is being watched."""

    host_class: str
    at: datetime


class Stopped(NamedTuple):
    """Nothing more goes down, whatever happens next."""

    cause: str
    reason: str


@dataclass
class Tally:
    """The hosts of a roll, counted at a moment."""

    fleet: int = 0
    """All hosts of the roll, also those to which nothing is done."""
    domain_hosts: Counter[str] = field(default_factory=Counter)
    under_way: Counter[str] = field(default_factory=Counter)
    """In flight and expected back, by domain."""
    gone: Counter[str] = field(default_factory=Counter)
    """Out of service with nobody expecting them back, by domain."""
    failures: int = 0
    class_under_way: Counter[str] = field(default_factory=Counter)
    class_soaking: Counter[str] = field(default_factory=Counter)
    class_proven: Counter[str] = field(default_factory=Counter)
    """Succeeded, and watched long enough."""
    soak_ends: dict[str, datetime] = field(default_factory=dict)
    """When the first soaking host of a class has been watched long enough."""
    next_deadline: datetime | None = None

    @property
    def down(self) -> int:
        """Hosts that are out of service, or may be."""
        return self.under_way.total() + self.gone.total()

    @property
    def proven(self) -> int:
        """Hosts that succeeded and were watched long enough."""
        return self.class_proven.total()

    @property
    def started(self) -> int:
        """Hosts that have succeeded or may still do so."""
        return self.proven + self.class_soaking.total() + self.class_under_way.total()

    def take(self, turn: Turn) -> None:
        """Count hosts in flight that are expected back."""
        self.under_way[turn.domain] += turn.hosts
        self.class_under_way[turn.host_class] += turn.hosts
        self.next_deadline = _earlier(self.next_deadline, turn.deadline)


@dataclass(frozen=True)
class Rollout:
    """A roll at a moment.

    fresh: successes that may not have soaked yet; they are in the groups too. kept: planned canaries,
    which are so as well.
    learned_seconds: what a host's turn takes, learned from those that are done.
    """

    policy: Policy
    groups: tuple[Group, ...]
    turns: tuple[Turn, ...] = ()
    fresh: tuple[Success, ...] = ()
    kept: tuple[Kept, ...] = ()
    learned_seconds: float | None = None
    stopped: Stopped | None = None
    held: str | None = None

    @property
    def expected_seconds(self) -> float:
        """What a host's turn takes: as given, or learned, or at worst."""
        policy = self.policy
        return policy.expected_host_seconds or self.learned_seconds or policy.deadline_seconds

    def tally(self, now: datetime) -> Tally:
        """The counts of the moment."""
        tally = Tally()
        for standing, domain, host_class, hosts in self.groups:
            tally.fleet += hosts
            tally.domain_hosts[domain] += hosts
            if standing == SUCCEEDED:
                tally.class_proven[host_class] += hosts
            elif standing in (FAILED, ABSENT):
                tally.gone[domain] += hosts
            if standing == FAILED:
                tally.failures += hosts
        for turn in self.turns:
            tally.fleet += turn.hosts
            tally.domain_hosts[turn.domain] += turn.hosts
            if turn.deadline <= now:
                tally.gone[turn.domain] += turn.hosts
                tally.failures += turn.hosts
            else:
                tally.take(turn)
        self._count_soaking(tally, now)
        return tally

    def _count_soaking(self, tally: Tally, now: datetime) -> None:
        soak = timedelta(seconds=self.policy.soak_seconds)
        for host_class, at in self.fresh:
            if at + soak > now:
                tally.class_proven[host_class] -= 1
                tally.class_soaking[host_class] += 1
                tally.soak_ends[host_class] = _earlier(tally.soak_ends.get(host_class), at + soak)


def usual_seconds(taken: Sequence[float]) -> float | None:
    """What a host's turn takes, learned from those that are done, in ascending order; None where none is.

    It decides whether a host would be back before a window closes, so it is a high quantile: half of all hosts take
    longer than the median. It is not the longest, because one straggler would then close every window early. With fewer
    than twenty hosts it is the longest of them.
    """
    return taken[place_of_usual(len(taken))] if taken else None


def place_of_usual(hosts: int) -> int:
    """The place, counted from 0, of the 0.95 quantile (nearest rank) among so many ascending values."""
    return max(0, math.ceil(0.95 * hosts) - 1)


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)
