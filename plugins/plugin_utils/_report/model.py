# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A roll as it is reported: what was measured, and the numbers that follow from it. Pure.

Moments are seconds since the report's start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import FAILED, STANDING_AFTER

WAITING = "waiting"
"""For its slot."""
DRAINING = "draining"
"""It has its slot: taken out of service, staged, services stopped; still answering."""
DOWN = "down"
ANSWERING = "answering"
"""Its SSH server answers again, but it is not known to do its work."""
HEALTHY = "healthy"
"""It is back, until its slot is released."""


@dataclass(frozen=True)
class Phase:
    """A part of a host's turn."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class HostReport:
    """What is known of a host; None where something is not."""

    name: str
    outcome: str
    reason: str = ""
    is_good: bool = True
    """Whether nobody has to look at it."""
    last_words: str = ""
    """What was said last before it failed, where that is more than the reason."""
    warnings: tuple[str, ...] = ()
    domain: str = ""
    host_class: str = ""
    stage: str = ""
    """Of the roll; empty for a host that was left out of it."""
    kernel_before: str | None = None
    kernel_after: str | None = None
    method: str | None = None
    """How it was seen to have rebooted: kexec, kexec_now or firmware."""
    waited_seconds: float | None = None
    down_seconds: float | None = None
    saved_seconds: float | None = None
    """What firmware and boot loader would have taken, of a host that was rebooted without them; an estimate."""
    phases: tuple[Phase, ...] = ()

    @property
    def is_out(self) -> bool:
        """Whether it was not put back into service."""
        return STANDING_AFTER.get(self.outcome) == FAILED

    @property
    def out_of_service(self) -> tuple[float, float | None] | None:
        """From when to when; to None for a host that was not put back."""
        turn = [phase for phase in self.phases if phase.name != WAITING]
        if not turn:
            return None
        return turn[0].start, None if self.is_out else turn[-1].end


@dataclass(frozen=True)
class Spread:
    """How values are spread."""

    hosts: int
    least: float
    median: float
    p95: float
    most: float
    total: float


@dataclass(frozen=True)
class Report:
    """A roll."""

    title: str
    started: datetime | None
    """The first moment that is known of any host; None where nothing was timed."""
    seconds: float
    """From then to the last one."""
    max_unavailable: int
    stopped: str | None
    """Why nothing was rebooted at all."""
    hosts: tuple[HostReport, ...]
    """In the order of the roll, and then those that were left out of it."""

    @cached_property
    def counts(self) -> dict[str, int]:
        """Hosts by outcome, in the order of their first."""
        return dict(Counter(host.outcome for host in self.hosts))

    @cached_property
    def not_good(self) -> tuple[HostReport, ...]:
        """The hosts that somebody has to look at."""
        return tuple(host for host in self.hosts if not host.is_good)

    @cached_property
    def down(self) -> Spread | None:
        """Seconds down of the hosts that were seen to go and to come back."""
        return spread([host.down_seconds for host in self.hosts if host.down_seconds is not None])

    @cached_property
    def saved(self) -> Spread | None:
        """Estimated seconds that firmware and boot loader would have taken; None where not known of any host."""
        return spread([host.saved_seconds for host in self.hosts if host.saved_seconds is not None])

    @cached_property
    def by_kexec(self) -> int:
        """Hosts that were rebooted without their firmware."""
        return sum(host.method in ("kexec", "kexec_now") for host in self.hosts)

    @cached_property
    def out_of_service(self) -> tuple[tuple[float, int], ...]:
        """Each moment in which the number of hosts out of service changes, and the new one.

        Hosts that may have been down before the roll count from its start.
        """
        absent = sum(host.is_out and not host.stage for host in self.hosts)
        return steps([turn for host in self.hosts if (turn := host.out_of_service) is not None], absent)

    @cached_property
    def not_answering(self) -> tuple[tuple[float, int], ...]:
        """The same for hosts whose SSH server did not answer."""
        return steps(
            [
                (phase.start, None if host.is_out and phase is host.phases[-1] else phase.end)
                for host in self.hosts
                for phase in host.phases
                if phase.name == DOWN
            ]
        )

    @cached_property
    def most_out_of_service(self) -> int:
        """How many hosts were out of service at the same time, at most."""
        return max(number for _moment, number in self.out_of_service)


def steps(spans: Sequence[tuple[float, float | None]], before: int = 0) -> tuple[tuple[float, int], ...]:
    """How many spans there are at a time: the beginning and each moment of change, with the number from then on.

    :param spans: begin and end, None for no end. :param before: so many from the beginning to the end.
    """
    changes: Counter[float] = Counter()
    for start, end in spans:
        changes[start] += 1
        if end is not None:
            changes[end] -= 1
    number, found = before, [(0.0, before)]
    for moment, change in sorted(changes.items()):
        number += change
        if change:
            found.append((moment, number))
    return tuple(found)


def spread(values: Sequence[float]) -> Spread | None:
    """How they are spread; None for none. Quantiles are by nearest rank, so each is a value that occurred."""
    if not values:
        return None
    ordered = sorted(values)

    def at(percent: int) -> float:
        return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]

    return Spread(len(ordered), ordered[0], at(50), at(95), ordered[-1], round(sum(ordered), 2))
