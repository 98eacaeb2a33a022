# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run of the playbook begins or takes up a rollout: what the store knows of it, and what the run has surveyed.

A run that opens a rollout again has looked at its hosts. What it found counts: a host that failed and needs a reboot
still is asked for again and is no failure any more; one that runs what it is meant to is done. Hosts in flight keep
their slots. A stop by the policy ends, because somebody has started the playbook again; one by an operator does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import Holder, holder_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.ledger import moment
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.order import CANARY
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.outlook import Begun, Terms
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.plan import Plan, standing_of
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import OPERATOR
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    EARLIER,
    IDLE,
    IN_FLIGHT,
    PENDING,
    SUCCEEDED,
    Candidate,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store, plain


class Entry(NamedTuple):
    """A host as a run has surveyed it."""

    candidate: Candidate
    standing: str
    """PENDING, IDLE or ABSENT."""
    outcome: str | None
    reason: str
    boot_id: str | None
    release: str | None = None
    build: str | None = None
    """Of the kernel that runs."""
    is_canary: bool = False
    """Whether the plan has it as a canary."""


class InFlight(NamedTuple):
    """A slot that is taken."""

    holder: Holder
    since: datetime
    deadline: datetime
    boot_id: str | None
    """Of the boot in which the host was surveyed before its slot was acquired."""
    release: str | None
    build: str | None
    """Of the kernel that ran then."""


@dataclass(frozen=True)
class Known:
    """What the store knows before a run opens a rollout."""

    exists: bool
    in_flight: dict[str, InFlight]
    """Hosts of this rollout."""
    hosts: frozenset[str]
    """Those of the run."""
    done: frozenset[str]
    """Hosts that have had their turn in this rollout, where others of the run have not."""
    succeeded: dict[str, str]
    """Hosts of the run that have ended well in this rollout, with their class."""
    elsewhere: dict[str, str]
    """Hosts of the run that another rollout has not finished, with its name."""
    stopped: str | None
    """By an operator."""
    held: str | None

    def added_to(self, terms: Terms) -> Terms:
        """What a plan has to reckon with."""
        notes = ["it is held (%s): hosts wait until it is resumed" % self.held] if self.held is not None else []
        notes += [
            "hosts of rollout %s, which is not finished, are also in this one: %s" % (rollout, ", ".join(hosts))
            for rollout, hosts in self._by_rollout().items()
        ]
        begun = {host: _begun(turn, terms.now) for host, turn in self.in_flight.items() if host in self.hosts}
        notes += [
            "the turn of %s was begun %s by %s and %s"
            % (host, turn.since.isoformat(" ", "minutes"), turn.holder.shown(), self._what_becomes_of(host, begun))
            for host, turn in self.in_flight.items()
        ]
        return replace(
            terms,
            in_flight=begun,
            done=self.done,
            succeeded=self.succeeded,
            notes=tuple(notes),
            stopped=self.stopped,
        )

    def _what_becomes_of(self, host: str, begun: Mapping[str, Begun]) -> str:
        if host not in begun:
            return (
                "still counts as down, because it is none of these hosts; where it is gone for good, let the playbook "
                "rollout_control forget it"
            )
        return "is waited for" if begun[host].is_at_work else "is taken up again"

    def _by_rollout(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for host, rollout in self.elsewhere.items():
            found.setdefault(rollout, []).append(host)
        return found


def _begun(turn: InFlight, now: datetime) -> Begun:
    is_at_work = turn.deadline > now and not turn.holder.is_gone()
    return Begun(turn.boot_id or "", turn.release, turn.build, is_at_work)


def look(store: Store, rollout: str, hosts: Sequence[str]) -> Known:
    """What the store knows; it is made where there is none. Raises StoreError."""
    store.create()
    names = {plain(host): host for host in hosts}
    with store.ledger() as ledger:
        locked = ledger.lock(rollout)
        unfinished = ledger.unfinished()
        standings = ledger.standings(rollout)
        is_unfinished = any(standings.get(host) in (PENDING, IN_FLIGHT) for host in names)
        stopped = locked.stopped if locked is not None else None
        return Known(
            exists=locked is not None,
            hosts=frozenset(hosts),
            done=frozenset(
                name for host, name in names.items() if is_unfinished and standings.get(host) in (SUCCEEDED, EARLIER)
            ),
            succeeded={
                names[host]: host_class for host, host_class in ledger.succeeded(rollout).items() if host in names
            },
            in_flight={
                names.get(row.host, row.host): InFlight(
                    holder_from(row.holder),
                    moment(row.acquired_at),
                    moment(row.deadline),
                    row.boot_id,
                    row.release,
                    row.build,
                )
                for row in unfinished
                if row.rollout == rollout and row.standing == IN_FLIGHT
            },
            elsewhere={
                names[row.host]: row.rollout for row in unfinished if row.rollout != rollout and row.host in names
            },
            stopped=stopped.reason if stopped is not None and stopped.cause == OPERATOR else None,
            held=locked.held if locked is not None else None,
        )


def open_rollout(
    store: Store,
    rollout: str,
    policy: str,
    entries: Iterable[Entry],
    forget_others: bool = False,
    launch: str | None = None,
) -> None:
    """Begin a rollout, or take one up. Raises StoreError.

    :param forget_others: whether hosts of an earlier run that are none of this one's count no longer, unless in flight.
    :param launch: what this run has in common with others that were started with it, such as slices of an AWX job.
    :param policy: as :func:`policy_as_text` gives it; it replaces the one that the rollout had.
    """
    with store.ledger() as ledger:
        ledger.open(rollout, policy, launch)
        before = ledger.standings(rollout)
        rows = [_row(rollout, entry) for entry in entries]
        if forget_others:
            here = {row["host"] for row in rows}
            ledger.forget_hosts(
                rollout, [host for host, standing in before.items() if host not in here and standing != IN_FLIGHT]
            )
        ledger.insert_hosts([row for row in rows if row["host"] not in before])
        surveyed = [row for row in rows if row["host"] in before]
        ledger.survey_hosts([row for row in surveyed if not _stays(before[row["host"]], row["standing"])])
        for row in surveyed:
            if before[row["host"]] == EARLIER and row["standing"] == IDLE:
                ledger.change_host(rollout, row["host"], standing=SUCCEEDED)


def entries_of(plan: Plan, domains: Mapping[str, str]) -> list[Entry]:
    """A plan's hosts, for the store. :param domains: the failure domain of each host; empty where there are none."""
    planned = [
        Entry(
            Candidate(host.name, host.domain, host.host_class),
            PENDING,
            None,
            host.reason,
            host.boot_id,
            host.kernel_before,
            host.build_before,
            is_canary=host.stage == CANARY,
        )
        for host in plan.order
    ]
    return planned + [
        Entry(Candidate(name, domains.get(name, ""), ""), standing_of(outcome), outcome.name, outcome.reason, None)
        for name, outcome in plan.left_out.items()
    ]


def _stays(before: str, surveyed: str) -> bool:
    """Whether the store knows better: a host is in flight, or is as it should be because it was rebooted."""
    return before == IN_FLIGHT or (before in (SUCCEEDED, EARLIER) and surveyed == IDLE)


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)


def _row(rollout: str, entry: Entry) -> dict[str, Any]:
    return {
        "rollout": rollout,
        "host": plain(entry.candidate.name),
        "domain": plain(entry.candidate.domain),
        "host_class": plain(entry.candidate.host_class),
        "standing": entry.standing,
        "outcome": entry.outcome,
        "reason": plain(entry.reason),
        "boot_id": _plain(entry.boot_id),
        "release": _plain(entry.release),
        "build": _plain(entry.build),
        # Nobody waits for it yet.
        "kept_until": math.inf if entry.is_canary else None,
    }
