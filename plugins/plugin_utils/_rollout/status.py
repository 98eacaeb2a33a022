# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rollout stands, as an operator asks who has not started it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import Holder
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import Judge, Stop
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
    EARLIER,
    FAILED,
    IDLE,
    IN_FLIGHT,
    PENDING,
    SUCCEEDED,
    Candidate,
    Rollout,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.words import counted, printable
from ansible_collections.fleetops.kexec.plugins.plugin_utils._table import draw

# How each standing is told, in the order of the table.
SHOWN = {
    IN_FLIGHT: "in flight",
    FAILED: "failed",
    ABSENT: "out of service",
    PENDING: "waiting",
    SUCCEEDED: "done",
    EARLIER: "done earlier",
    IDLE: "left alone",
}

# Hosts of a standing that are shown one by one; those that somebody has to see to always are.
_MOST_SHOWN = 20
_ALWAYS_SHOWN = (IN_FLIGHT, FAILED, ABSENT)


@dataclass(frozen=True)
class HostStatus:
    """A host of a rollout."""

    candidate: Candidate
    standing: str
    outcome: str | None
    reason: str
    holder: Holder | None
    since: datetime | None
    """When its slot was acquired."""
    deadline: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class Brief:
    """A rollout among the others of a store."""

    name: str
    opened: datetime
    stopped: str | None
    held: str | None
    counts: Mapping[str, int]

    @property
    def is_finished(self) -> bool:
        """Whether no host is in flight or waits for its turn."""
        return not (self.counts.get(PENDING) or self.counts.get(IN_FLIGHT))

    @property
    def state(self) -> str:
        """``finished``, ``stopped``, ``held`` or ``running``."""
        if self.is_finished:
            return "finished"
        if self.stopped is not None:
            return "stopped"
        return "running" if self.held is None else "held"

    def as_result(self) -> dict[str, Any]:
        """For Ansible."""
        return {
            "name": self.name,
            "state": self.state,
            "stopped": self.stopped,
            "held": self.held,
            "opened": self.opened.isoformat(),
            "counts": {name: self.counts[standing] for standing, name in SHOWN.items() if self.counts.get(standing)},
        }


@dataclass(frozen=True)
class Status:
    """A rollout with its hosts, at a moment."""

    brief: Brief
    at: datetime
    hosts: Mapping[str, HostStatus]
    why: Mapping[str, str]
    """Why hosts that wait do so: what they would be told now."""

    def as_result(self) -> dict[str, Any]:
        """For Ansible."""
        return {
            **self.brief.as_result(),
            "hosts": {name: _host_result(host, self.why_of(host), self.at) for name, host in self.hosts.items()},
        }

    def why_of(self, host: HostStatus) -> str:
        """What there is to say of a host."""
        if host.standing == PENDING:
            return self.why[host.candidate.name]
        if host.standing == IN_FLIGHT:
            return "" if host.deadline is None or host.deadline > self.at else "its deadline has passed: counts as lost"
        return host.reason


def status_of(brief: Brief, rollout: Rollout, hosts: Iterable[HostStatus], at: datetime) -> Status:
    """Where the rollout stands at this moment. :param rollout: the same, as its limits see it."""
    listed = sorted(hosts, key=lambda host: (list(SHOWN).index(host.standing), host.candidate.name))
    judge = Judge(rollout, at)
    why = {}
    for host in listed:
        if host.standing == PENDING:
            answer = judge.admit(host.candidate)
            why[host.candidate.name] = answer.reason if isinstance(answer, Stop) or brief.held else _waiting(answer)
    stop = judge.stop
    if stop is not None and brief.stopped is None:
        # No host has asked since.
        brief = Brief(brief.name, brief.opened, stop.reason, brief.held, brief.counts)
    return Status(brief, at, {host.candidate.name: host for host in listed}, why)


def _waiting(answer: Any) -> str:
    reason: str = answer.reason
    return reason if reason.startswith("waiting: ") else "may go down when a run asks for it"


def _host_result(host: HostStatus, why: str, at: datetime) -> dict[str, Any]:
    is_overdue = host.standing == IN_FLIGHT and host.deadline is not None and host.deadline <= at
    return {
        "standing": SHOWN[host.standing],
        "outcome": host.outcome,
        "reason": why,
        "since": _iso(host.since if host.standing == IN_FLIGHT else host.ended),
        "deadline": _iso(host.deadline),
        "overdue": is_overdue,
        "holder": host.holder.shown() if host.holder is not None else None,
        "holder_is_gone": host.holder is not None and host.holder.is_gone(),
        "domain": host.candidate.domain,
        "class": host.candidate.host_class,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def status_text(status: Status, width: int) -> str:
    """A rollout for a terminal. :param width: characters in a line. Raises TableError."""
    brief = status.brief
    parts = ["Rollout %s, opened %s: %s" % (printable(brief.name), _told(brief.opened), _state_told(brief))]
    rows = _rows(status)
    if rows:
        parts.append(draw(("host", "standing", "since", "by", "why"), rows, width))
    parts.append(_counted(brief.counts))
    return "\n".join(parts)


def rollouts_text(briefs: Sequence[Brief], width: int) -> str:
    """All rollouts of a store for a terminal. :param width: characters in a line. Raises TableError."""
    if not briefs:
        return "The store has no rollouts."
    rows = [
        (printable(brief.name), _told(brief.opened), printable(_state_told(brief)), _counted(brief.counts))
        for brief in briefs
    ]
    return draw(("rollout", "opened", "state", "hosts"), rows, width)


def _state_told(brief: Brief) -> str:
    said = [brief.state]
    if brief.state == "stopped":
        said = [str(brief.stopped)]
    elif brief.state == "held":
        said = ["held: %s" % brief.held]
    if brief.state == "stopped" and brief.held is not None:
        said.append("and held: %s" % brief.held)
    return printable(", ".join(said))


def _rows(status: Status) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for standing, shown in SHOWN.items():
        hosts = [host for host in status.hosts.values() if host.standing == standing]
        most = len(hosts) if standing in _ALWAYS_SHOWN else _MOST_SHOWN
        rows += [_row(host, shown, status) for host in hosts[:most]]
        if len(hosts) > most:
            rows.append(("and %d more" % (len(hosts) - most), shown, "", "", ""))
    return rows


def _row(host: HostStatus, shown: str, status: Status) -> tuple[str, str, str, str, str]:
    since = host.since if host.standing == IN_FLIGHT else host.ended
    by = ""
    if host.holder is not None:
        gone = ", which has ended" if host.holder.is_gone() else ""
        by = "process %d on %s%s" % (host.holder.process, host.holder.node, gone)
    what = shown if host.outcome in (None, "rebooted", shown) else "%s: %s" % (shown, host.outcome)
    told = _told(since) if since is not None else ""
    return (printable(host.candidate.name), what, told, printable(by), printable(status.why_of(host)))


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _counted(counts: Mapping[str, int]) -> str:
    present = [(name, counts[standing]) for standing, name in SHOWN.items() if counts.get(standing)]
    return "%s: %s" % (
        counted(Counter(counts).total(), "host"),
        ", ".join("%d %s" % (number, name) for name, number in present) or "none",
    )
