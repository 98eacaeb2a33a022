# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read and written inside one transaction of the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import StoreError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.holder import holder_from
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import PolicyError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import OPERATOR
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import policy_from_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
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
    place_of_usual,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.statements import STATEMENTS
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.status import Brief, HostStatus
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.tables import SCHEMA_VERSION, TABLES
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.trip import (
    HAS_PSYCOPG,
    Question,
    compiled,
    together,
)

try:
    import sqlalchemy as sa
except ImportError:
    # Told by Database.
    pass

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

# A key of PostgreSQL's advisory locks: "flop" in ASCII.
_MAKING = 0x666C6F70


@dataclass(frozen=True)
class Locked:
    """A rollout whose limits and hosts nobody else changes until the transaction ends.

    A slot may be given back meanwhile: then fewer hosts are down than a decision reckons with, or one more has failed
    while the decision was made.
    """

    name: str
    policy: Policy
    revision: int
    stopped: Stopped | None
    held: str | None
    launch: str | None
    """Of AWX, or what else starts several runs at a time: by which it was opened last."""


@dataclass(frozen=True)
class Scene:
    """What a decision about a host is made on."""

    locked: Locked
    rows: list[Row[Any]]
    """The host's row in the rollout, and those in which it is in flight elsewhere; each with the time."""
    counted: list[Row[Any]]
    """For :meth:`Ledger.rollout`."""


class Ledger:
    """The tables, over a connection in a transaction.

    :param clock: the time where the database is on this machine; None where its server's counts.
    """

    def __init__(self, connection: Connection, clock: Callable[[], datetime] | None) -> None:
        self._connection = connection
        self._clock = clock
        self._do = STATEMENTS["server" if clock is None else "told"]

    def create(self) -> None:
        """Make the tables where there are none."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING)))
        if not sa.inspect(self._connection).has_table(TABLES.schema.name):
            TABLES.metadata.create_all(self._connection)
            self._connection.execute(sa.insert(TABLES.schema).values(version=SCHEMA_VERSION))

    def check_version(self) -> None:
        """Whether this collection knows the schema. Raises StoreError."""
        (answer,) = together(self._connection, Question(self._do.version, {}))
        ((version,),) = answer.fetchall()
        if version != SCHEMA_VERSION:
            raise StoreError(
                "the store has schema %s, and this version of the collection knows %d; use the version that made the "
                "store, or another store" % (version, SCHEMA_VERSION)
            )

    def lock(self, name: str) -> Locked | None:
        """The rollout, which from now on waits for this transaction's end; None where there is none of the name."""
        (rows,) = self._lock(name, Question(self._do.rollout, {"the_rollout": name}))
        return _locked(name, rows)

    def scene(self, name: str, host: str) -> Scene | None:
        """What a decision is made on, with the rollout locked; None where there is none of the name."""
        at = self._at()
        rows, counted = self._lock(
            name,
            Question(self._do.scene, {"the_rollout": name, "the_host": host, **at}),
            Question(self._do.counted, {"the_rollout": name, **at}),
        )
        locked = _locked(name, rows)
        return None if locked is None else Scene(locked, rows, counted)

    def _lock(self, name: str, *questions: Question) -> list[Any]:
        """Lock a rollout, and ask more in the same trip: the rows of each answer."""
        if self._clock is None:
            lock = Question(self._do.lock, {"the_rollout": name})
            _lock, *answers = together(self._connection, lock, *questions)
        else:
            # Every transaction of SQLite is the only one that writes.
            answers = together(self._connection, *questions)
        return [answer.fetchall() for answer in answers]

    def _at(self) -> dict[str, float]:
        """The time for a statement, where the database does not have it itself."""
        return {} if self._clock is None else {"now": self._clock().timestamp()}

    def now(self) -> datetime:
        """The time."""
        return moment(self._connection.execute(self._do.now, self._at()).scalar_one())

    def turns_of(self, rollout: str, host: str) -> list[Row[Any]]:
        """The host's row in the rollout, and those in which it is in flight elsewhere; each with the time."""
        return list(self._connection.execute(self._do.turns, {"the_rollout": rollout, "the_host": host, **self._at()}))

    def rollout(self, locked: Locked, now: datetime, counted: Sequence[Any] | None = None) -> Rollout:
        """Where it stands.

        :param counted: its hosts, where they were read together with the lock; those in flight are not named then.
        """
        values = {"the_rollout": locked.name, "since": now.timestamp() - locked.policy.soak_seconds}
        if counted is None:
            counted = self._connection.execute(self._do.state, values).all()
        elif locked.policy.soak_seconds:
            counted = self._connection.execute(self._do.counted_with_fresh, {**values, **self._at()}).all()
        groups, turns, kept, fresh = [], [], [], []
        for standing, domain, host_class, hosts, host, at in counted:
            if at is None:
                groups.append(Group(standing, domain, host_class, hosts))
            elif standing == IN_FLIGHT:
                turns.append(Turn(host or "", domain, host_class, moment(at), hosts))
            elif standing == PENDING:
                kept.append(Kept(host, host_class, None if at == math.inf else moment(at)))
            elif standing == SUCCEEDED:
                fresh.append(Success(host_class, moment(at)))
        return Rollout(
            policy=locked.policy,
            groups=tuple(groups),
            turns=tuple(turns),
            fresh=tuple(fresh),
            kept=tuple(kept),
            learned_seconds=self._learned_seconds(locked),
            stopped=locked.stopped,
            held=locked.held,
        )

    def _learned_seconds(self, locked: Locked) -> float | None:
        """What a host's turn takes, by those that ended well; only where a window wants to know."""
        if not locked.policy.windows or locked.policy.expected_host_seconds is not None:
            return None
        number = self._connection.execute(self._do.count_done, {"the_rollout": locked.name}).scalar_one()
        place = place_of_usual(number)
        return self._connection.scalar(self._do.seconds_at, {"the_rollout": locked.name, "place": place})

    def open(self, name: str, policy: str, launch: str | None) -> None:
        """Begin a rollout, or begin it anew with this policy. A stop that is not an operator's ends.

        With a launch that is another than the last one, hosts that have succeeded have done so in an earlier one.
        """
        locked = self.lock(name)
        if locked is None:
            now = self.now().timestamp()
            row = {"name": name, "policy": policy, "launch": launch, "revision": 1, "opened_at": now}
            self._connection.execute(self._do.insert_rollout, row)
            return
        values: dict[str, Any] = {"policy": policy}
        if launch and launch != locked.launch:
            self._connection.execute(self._do.begin_again, {"the_rollout": name})
            values["launch"] = launch
        if locked.stopped is not None and locked.stopped.cause != OPERATOR:
            values.update(stop_cause=None, stop_reason=None)
        self.change_rollout(name, **values)

    def standings(self, rollout: str) -> dict[str, str]:
        """Where each host of a rollout stands."""
        return {
            row.host: row.standing for row in self._connection.execute(self._do.standings, {"the_rollout": rollout})
        }

    def succeeded(self, rollout: str) -> dict[str, str]:
        """The class of each host of a rollout that has ended well."""
        rows = self._connection.execute(self._do.succeeded, {"the_rollout": rollout})
        return {row.host: row.host_class for row in rows}

    def unfinished(self) -> list[Row[Any]]:
        """Hosts in flight, or still to be rebooted, in all rollouts."""
        return list(self._connection.execute(self._do.unfinished))

    def rollouts(self) -> list[Brief]:
        """All, those opened last first."""
        counts: dict[str, dict[str, int]] = {}
        for rollout, standing, hosts in self._connection.execute(self._do.counts):
            counts.setdefault(rollout, {})[standing] = hosts
        return [
            Brief(row.name, moment(row.opened_at), row.stop_reason, row.held, counts.get(row.name, {}))
            for row in self._connection.execute(self._do.all_rollouts)
        ]

    def hosts_of(self, rollout: str) -> list[HostStatus]:
        """The hosts of a rollout as they are kept."""
        return [
            HostStatus(
                Candidate(row.host, row.domain, row.host_class),
                row.standing,
                row.outcome,
                row.reason or "",
                None if row.holder is None else holder_from(row.holder),
                None if row.acquired_at is None else moment(row.acquired_at),
                None if row.deadline is None else moment(row.deadline),
                None if row.ended_at is None else moment(row.ended_at),
            )
            for row in self._connection.execute(self._do.all_hosts, {"the_rollout": rollout})
        ]

    def insert_hosts(self, rows: list[dict[str, Any]]) -> None:
        """Add rows."""
        if rows:
            self._connection.execute(self._do.insert_hosts, rows)

    def forget_hosts(self, rollout: str, hosts: list[str]) -> None:
        """Remove rows."""
        if hosts:
            values = [{"the_rollout": rollout, "the_host": host} for host in hosts]
            self._connection.execute(self._do.forget_host, values)

    def survey_hosts(self, rows: list[dict[str, Any]]) -> None:
        """Replace what was known of hosts by what was surveyed now."""
        keys = {"rollout": "the_rollout", "host": "the_host"}
        values = [{keys.get(name, "new_" + name): value for name, value in row.items()} for row in rows]
        if rows:
            columns = [name for name in rows[0] if name not in keys]
            self._connection.execute(self._do.change_host(*columns), values)

    def pending(self, rollout: str, names: Collection[str]) -> list[Candidate]:
        """Those of the hosts that still need a slot."""
        rows = self._connection.execute(self._do.pending, {"the_rollout": rollout})
        return [Candidate(*row) for row in rows if row.host in names]

    def acknowledge_failures(self, rollout: str) -> None:
        """Hosts that failed no longer count against the failures that are allowed."""
        self._connection.execute(self._do.acknowledge, {"the_rollout": rollout})

    def change_host(self, rollout: str, host: str, **values: Any) -> None:
        """Change a host's row."""
        bound = {"new_" + name: value for name, value in values.items()}
        self._connection.execute(self._do.change_host(*values), {"the_rollout": rollout, "the_host": host, **bound})

    def keep(self, rollout: str, places: Mapping[str, datetime | None]) -> None:
        """Keep the places of planned canaries until then; None for as long as nobody waits for them."""
        for host, until in places.items():
            self.change_host(rollout, host, kept_until=math.inf if until is None else until.timestamp())

    def change_rollout(self, name: str, **values: Any) -> None:
        """Change a rollout's row, and let those that wait look again."""
        bound = {"new_" + name: value for name, value in values.items()}
        self._connection.execute(self._do.change_rollout(*values), {"the_rollout": name, **bound})

    def take(self, rollout: str, host: str, holder: str, acquired_at: float, deadline: float) -> None:
        """Give a host its slot, end the transaction, and have it on the disk of the server."""
        values = {"the_rollout": rollout, "the_host": host, "new_holder": holder}
        times = {"new_acquired_at": acquired_at, "new_deadline": deadline}
        together(self._connection, Question(self._do.take, {**values, **times}), ends=True, durably=True)

    def end(
        self, rollout: str, host: str, holder: str, standing: str, outcome: str, reason: str, ends: bool = False
    ) -> bool:
        """Give back a slot, if the host holds it by this holder; whether it did.

        :param ends: whether the transaction ends with that.
        """
        values = {"new_standing": standing, "new_outcome": outcome, "new_reason": reason}
        keys = {"the_rollout": rollout, "the_host": host, "the_holder": holder}
        ended, _told = together(
            self._connection,
            Question(self._do.end, {**values, **keys, **self._at()}),
            Question(self._do.change_rollout(), {"the_rollout": rollout}),
            ends=ends,
        )
        return bool(ended.rowcount == 1)


def _locked(name: str, rows: Sequence[Row[Any]]) -> Locked | None:
    for row in rows:
        try:
            policy = _policy(row.policy)
        except (PolicyError, ValueError) as error:
            raise StoreError(
                "the policy of rollout %s cannot be read: %s; give the rollout another name, or use the version of "
                "this collection that opened it" % (name, error)
            )
        stopped = None if row.stop_cause is None else Stopped(row.stop_cause, row.stop_reason)
        return Locked(name, policy, row.revision, stopped, row.held, row.launch)
    return None


@lru_cache(maxsize=8)
def _policy(text: str) -> Policy:
    return policy_from_text(text)


def moment(seconds: float) -> datetime:
    """A moment as the tables have it."""
    return datetime.fromtimestamp(seconds, timezone.utc)


# Each host's task runs in a process of its own, forked from one that has imported this file: what a slot takes is
# compiled here, and not in each of them.
if HAS_PSYCOPG:
    for statement in STATEMENTS["server"].of_slots:
        compiled(statement)
