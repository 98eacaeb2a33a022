# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of rollouts, shared by all processes and controllers that roll one fleet together.

Each decision is one transaction, which locks its rollout first: limits hold whoever asks at the same time. A slot
belongs to its host and to the run of ansible-playbook that acquired it. It does not end by itself; another run may take
it up for the same host when the holder is known to be gone, or when its deadline has passed.

In PostgreSQL the server's clock counts, so that controllers need not agree on the time; SQLite is on the controller.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database, StoreError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import Holder, holder_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.ledger import Ledger, Locked, moment
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import (
    FAILURES,
    OPERATOR,
    Admit,
    Answer,
    Judge,
    Stop,
    Wait,
    crowded,
    places_kept,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    FAILED,
    IDLE,
    IN_FLIGHT,
    PENDING,
    STANDING_AFTER,
    Candidate,
    Group,
    Rollout,
    Stopped,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.statements import STATEMENTS
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.status import Brief, Status, status_of

# Characters of a reason that are kept; some modules report whole logs.
_MOST_REASON = 4000

# Why a rollout is held or stopped, where nobody says it.
_BY_AN_OPERATOR = "by an operator"


@dataclass(frozen=True)
class Ended:
    """The host's turn in this rollout is over, whoever's it was."""

    outcome: str
    reason: str


class Forgotten(NamedTuple):
    """What became of hosts that a rollout was to forget."""

    hosts: tuple[str, ...]
    unknown: tuple[str, ...]
    """Of which the rollout knew nothing."""


class Reply(NamedTuple):
    """The answer to a host that asks for its slot."""

    answer: Answer | Ended
    at: datetime
    revision: int
    """Of the rollout that was asked: while it is the same, only time changes the answer."""
    waiting: int = 0
    """Hosts that may be waiting."""


def utc_now() -> datetime:
    """The controller's clock."""
    return datetime.now(timezone.utc)


class Store:
    """All rollouts.

    :param clock: the time, where the database is on this machine.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self.database = database
        self._clock = clock if database.is_sqlite else None
        self._is_checked = False

    def create(self) -> None:
        """Make the store where there is none. Raises StoreError."""
        self.database.create_file()
        with self.database.transaction() as connection:
            Ledger(connection, self._clock).create()

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """One transaction. Raises StoreError."""
        self.database.require_file()
        with self.database.transaction() as connection:
            ledger = Ledger(connection, self._clock)
            if not self._is_checked:
                ledger.check_version()
                self._is_checked = True
            yield ledger

    @contextlib.contextmanager
    def _locked(self, rollout: str) -> Iterator[tuple[Ledger, Locked]]:
        with self.ledger() as ledger:
            locked = ledger.lock(rollout)
            if locked is None:
                raise self._no_rollout(rollout)
            yield ledger, locked

    def _no_rollout(self, name: str) -> StoreError:
        return StoreError("the store %s has no rollout %s; rollout_plan opens one" % (self.database.shown, name))

    def revision(self, rollout: str) -> int | None:
        """A number that is another one after every change; cheap. Raises StoreError."""
        with self.database.single() as connection:
            found: int | None = connection.scalar(STATEMENTS["told"].revision, {"the_rollout": rollout})
            return found

    def acquire(self, rollout: str, host: str, holder: Holder) -> Reply:
        """Ask for the host's slot, and take it if it may go down now. Raises StoreError."""
        with self.ledger() as ledger:
            scene = ledger.scene(rollout, plain(host))
            if scene is None:
                raise self._no_rollout(rollout)
            locked = scene.locked
            mine, elsewhere = _rows(scene.rows, rollout, host)
            now = moment(mine.clock)
            if mine.standing == IN_FLIGHT:
                return Reply(self._take_up(ledger, locked, mine, holder, now), now, locked.revision)
            if mine.standing != PENDING:
                return Reply(Ended(mine.outcome or "", mine.reason or ""), now, locked.revision)
            if elsewhere is not None and not _may_take(elsewhere, None, now):
                return Reply(_in_other_hands(elsewhere), now, locked.revision)
            state = ledger.rollout(locked, now, scene.counted)
            candidate = _candidate(mine)
            answer = Judge(state, now).admit(candidate)
            kept = places_kept(state, candidate, answer, now)
            ledger.keep(rollout, kept)
            if isinstance(answer, Admit):
                if elsewhere is not None:
                    reason = "taken up by rollout %s" % rollout
                    ledger.end(elsewhere.rollout, elsewhere.host, elsewhere.holder, FAILED, "lost", reason)
                self._take(ledger, locked, mine, holder, now)
            elif isinstance(answer, Stop) and answer.ends_roll and locked.stopped is None:
                ledger.change_rollout(rollout, stop_cause=answer.cause, stop_reason=answer.reason)
            elif isinstance(answer, Stop) and kept:
                # Those that wait for this canary look again.
                ledger.change_rollout(rollout)
            return Reply(answer, now, locked.revision, _number_pending(state))

    def _take_up(self, ledger: Ledger, locked: Locked, row: Any, holder: Holder, now: datetime) -> Answer:
        if not _may_take(row, holder, now):
            return _in_other_hands(row)
        self._take(ledger, locked, row, holder, now)
        return Admit("its slot is taken up again")

    def _take(self, ledger: Ledger, locked: Locked, row: Any, holder: Holder, now: datetime) -> None:
        since = row.acquired_at if row.standing == IN_FLIGHT else now.timestamp()
        deadline = now.timestamp() + locked.policy.deadline_seconds
        ledger.take(locked.name, row.host, holder.as_text(), since, deadline)

    def release(self, rollout: str, host: str, holder: Holder, outcome: str, reason: str = "") -> bool:
        """Give the slot back with the host's outcome; whether that changed anything. Raises StoreError."""
        with self.ledger() as ledger:
            held_by, why = holder.as_text(), plain(reason)[:_MOST_REASON]
            if ledger.end(rollout, plain(host), held_by, STANDING_AFTER[outcome], outcome, why, ends=True):
                return True
            mine, _elsewhere = _rows(ledger.turns_of(rollout, plain(host)), rollout, host)
            if mine.standing == IN_FLIGHT:
                raise StoreError(
                    "the slot of %s was taken up by %s, so it is not released here"
                    % (host, holder_from(mine.holder).shown())
                )
            if outcome in (mine.outcome, "deferred"):
                return False
            raise StoreError(
                "%s holds no slot of rollout %s, so it cannot be released; acquire it first" % (host, rollout)
            )

    def crowd(self, rollout: str, batch: Sequence[str]) -> Wait | Stop | None:
        """Why the hosts of a batch that still need a slot cannot all have one at the same time. Raises StoreError."""
        names = {plain(name) for name in batch}
        with self._locked(rollout) as (ledger, locked):
            now = ledger.now()
            state = ledger.rollout(locked, now)
            # Hosts of other controllers come back.
            others = [turn for turn in state.turns if turn.host not in names and turn.deadline > now]
            state = replace(
                state,
                turns=tuple(turn for turn in state.turns if turn not in others),
                groups=(*state.groups, *(Group(IDLE, turn.domain, turn.host_class, 1) for turn in others)),
            )
            return crowded(state, ledger.pending(rollout, names), now)

    def rollouts(self) -> list[Brief]:
        """All, those opened last first. Raises StoreError."""
        with self.ledger() as ledger:
            return ledger.rollouts()

    def status(self, rollout: str) -> Status:
        """Where a rollout stands. Raises StoreError."""
        with self._locked(rollout) as (ledger, locked):
            now = ledger.now()
            brief = next(brief for brief in ledger.rollouts() if brief.name == rollout)
            return status_of(brief, ledger.rollout(locked, now), ledger.hosts_of(rollout), now)

    def hold(self, rollout: str, reason: str | None = None, check: bool = False) -> bool:
        """Let nothing more go down until :meth:`resume`; whether that changes anything. Raises StoreError.

        :param reason: None where it does not matter, so that a hold keeps the one that it has.
        :param check: whether it is only to be told.
        """
        with self._locked(rollout) as (ledger, locked):
            why = plain(reason or _BY_AN_OPERATOR)
            if locked.held == why or (locked.held is not None and reason is None):
                return False
            if not check:
                ledger.change_rollout(rollout, held=why)
            return True

    def stop(self, rollout: str, reason: str | None = None, check: bool = False) -> bool:
        """Let nothing more go down, and the turns of hosts that wait end; as :meth:`hold`."""
        with self._locked(rollout) as (ledger, locked):
            why = Stopped(OPERATOR, "stopped: " + plain(reason or _BY_AN_OPERATOR))
            is_stopped = locked.stopped is not None and locked.stopped.cause == OPERATOR
            if locked.stopped == why or (is_stopped and reason is None):
                return False
            if not check:
                ledger.change_rollout(rollout, stop_cause=why.cause, stop_reason=why.reason)
            return True

    def resume(self, rollout: str, check: bool = False) -> bool:
        """End a hold or a stop; as :meth:`hold`.

        After a stop, hosts that failed have been seen: they are still out of service, but are failures no more.
        """
        with self._locked(rollout) as (ledger, locked):
            now = ledger.now()
            due = Judge(ledger.rollout(locked, now), now).stop
            is_stopped = due is not None and (locked.stopped is not None or due.cause == FAILURES)
            if not is_stopped and locked.held is None:
                return False
            if not check:
                if is_stopped:
                    ledger.acknowledge_failures(rollout)
                ledger.change_rollout(rollout, held=None, stop_cause=None, stop_reason=None)
            return True

    def forget(self, rollout: str, hosts: Sequence[str], check: bool = False) -> Forgotten:
        """Let hosts that are gone for good count no longer: neither as down, nor as failures, nor as part of the fleet.

        All of them or none. Raises StoreError, also where a run may still see to one.
        """
        with self._locked(rollout) as (ledger, locked):
            now = ledger.now()
            # Each name once, in the order in which they were given.
            rows = {
                name: next((row for row in ledger.turns_of(rollout, name) if row.rollout == rollout), None)
                for name in map(plain, hosts)
            }
            for row in rows.values():
                if row is not None:
                    _require_forgettable(row, now)
            known = [name for name, row in rows.items() if row is not None]
            if known and not check:
                ledger.forget_hosts(rollout, known)
                # Those that wait look again.
                ledger.change_rollout(locked.name)
            return Forgotten(tuple(known), tuple(name for name, row in rows.items() if row is None))


def plain(text: str) -> str:
    """Text that every database takes: no NUL, and nothing that is not Unicode."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _rows(rows: Sequence[Any], rollout: str, host: str) -> tuple[Any, Any]:
    """The host's row in the rollout, and the one in which it is in flight elsewhere."""
    mine = next((row for row in rows if row.rollout == rollout), None)
    if mine is None:
        raise StoreError("%s is not in rollout %s; it was opened without this host" % (host, rollout))
    return mine, next((row for row in rows if row.rollout != rollout), None)


def _candidate(row: Any) -> Candidate:
    return Candidate(row.host, row.domain, row.host_class)


def _number_pending(rollout: Rollout) -> int:
    return sum(group.hosts for group in rollout.groups if group.standing == PENDING)


def _may_take(row: Any, holder: Holder | None, now: datetime) -> bool:
    """Whether a slot that is taken may be taken up by this holder."""
    present = holder_from(row.holder)
    return present == holder or row.deadline <= now.timestamp() or present.is_gone()


def _require_forgettable(row: Any, now: datetime) -> None:
    if row.standing == PENDING:
        raise StoreError(
            "%s waits for its turn, so it is not forgotten; leave it out of the next run, or stop the rollout"
            % row.host
        )
    if row.standing == IN_FLIGHT and not _may_take(row, None, now):
        raise StoreError(
            "%s is in flight since %s, and %s may still see to it, so it is not forgotten; end that run, or wait until "
            "%s"
            % (
                row.host,
                moment(row.acquired_at).isoformat(" ", "minutes"),
                holder_from(row.holder).shown(),
                moment(row.deadline).isoformat(" ", "minutes"),
            )
        )


def _in_other_hands(row: Any) -> Wait:
    return Wait(
        "waiting: in the hands of %s in rollout %s since %s"
        % (holder_from(row.holder).shown(), row.rollout, moment(row.acquired_at).isoformat(" ", "minutes")),
        moment(row.deadline),
    )
