# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a roll stands, by what its tasks have told so far. Pure: moments come from outside, in seconds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._progress.estimate import remaining_seconds
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outcome import (
    GOOD,
    Outcome,
    outcome_of_reboot,
)

_MOST_REMEMBERED = 50

Result = Mapping[str, Any]


def is_bad(outcome: Outcome) -> bool:
    """Whether somebody has to look at the host."""
    return outcome.name not in (*GOOD, "deferred")


@dataclass
class Turn:
    """A host in flight."""

    began: float
    phase: str = ""
    since: float = 0.0
    """When the phase began."""
    has_slot: bool = False
    """Whether it ends when its slot is given back."""
    results: dict[str, Result] = field(default_factory=dict)
    """Of its kexec_load, kexec_reboot and kexec_commit."""

    def outcome(self) -> Outcome | None:
        """How it ends, as far as its results tell."""
        return outcome_of_reboot(*(self.results.get(name) for name in ("kexec_load", "kexec_reboot", "kexec_commit")))


@dataclass
class Survey:
    """The looks at all hosts that come before the plan."""

    began: float | None = None
    under_way: set[str] = field(default_factory=set)
    looked_at: int = 0
    failed: int = 0


@dataclass
class Roll:
    """What an operator wants to know of it."""

    survey: Survey = field(default_factory=Survey)
    began: float | None = None
    planned: dict[str, float] = field(default_factory=dict)
    """The seconds that each host's turn is expected to take, in the plan's order. Empty where there is no plan."""
    planned_seconds: float = 0.0
    left_out: Counter[str] = field(default_factory=Counter)
    """How many hosts the plan leaves out, by the name of their outcome."""
    waiting: dict[str, float] = field(default_factory=dict)
    """Since when each host has been waiting for its slot."""
    admitted: str = ""
    """What was said when the last host got its slot."""
    in_flight: dict[str, Turn] = field(default_factory=dict)
    ended: dict[str, Outcome] = field(default_factory=dict)
    taken: dict[str, float] = field(default_factory=dict)
    """The seconds of the turns that ended well."""
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_REMEMBERED))
    """Hosts that have ended, the last one first."""
    is_reported: bool = False

    def plan(self, result: Result, now: float) -> None:
        """Take the plan, by the result of rollout_plan."""
        self.began = now
        planned = result["planned"]
        self.planned = {host: float(planned[host]["seconds"]) for host in result["order"]}
        self.planned_seconds = float(result["outlook"]["seconds"])
        self.left_out = Counter(outcome["name"] for outcome in result["left_out"].values())

    def turn(self, host: str, now: float) -> Turn:
        """The host's turn, which begins now unless it has begun."""
        if self.began is None:
            self.began = now
        self.waiting.pop(host, None)
        return self.in_flight.setdefault(host, Turn(now, since=now))

    def enters(self, host: str, phase: str, now: float) -> None:
        """A host in flight begins something else."""
        turn = self.in_flight[host]
        if turn.phase != phase:
            turn.phase, turn.since = phase, now

    def ends(self, host: str, outcome: Outcome, now: float) -> None:
        """The host's turn has come to its end."""
        turn = self.in_flight.pop(host, None)
        self.waiting.pop(host, None)
        if turn is not None and outcome.name in GOOD:
            self.taken[host] = now - turn.began
        self.ended[host] = outcome
        self.last.appendleft(host)

    def reopens(self, host: str, now: float) -> Turn:
        """A host that was taken for lost is waited for once more."""
        self.ended.pop(host, None)
        if host in self.last:
            self.last.remove(host)
        return self.turn(host, now)

    def outcomes(self) -> Counter[str]:
        """How many hosts have ended, by the name of their outcome."""
        return Counter(outcome.name for outcome in self.ended.values())

    def to_come(self) -> int:
        """How many planned hosts neither have begun nor wait."""
        seen = len(self.ended) + len(self.in_flight) + len(self.waiting)
        return max(0, len(self.planned) - seen)

    def remaining(self, now: float) -> float | None:
        """Seconds until its end; None where there is no plan, or all is done."""
        if not self.planned or (not self.in_flight and not self.waiting and not self.to_come()):
            return None
        running = [(host, now - turn.began) for host, turn in self.in_flight.items()]
        taken = {host: seconds for host, seconds in self.taken.items() if host in self.planned}
        ended = sum(host in self.planned for host in self.ended)
        return remaining_seconds(self.planned_seconds, self.planned, taken, running, ended)
