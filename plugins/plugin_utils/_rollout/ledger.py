# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read and written inside one transaction of the store."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import StoreError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.limits import PolicyError
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy import OPERATOR
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.policy_input import policy_from_text
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
    FAILED,
    IN_FLIGHT,
    PENDING,
    SUCCEEDED,
    Candidate,
    Group,
    Policy,
    Rollout,
    Stopped,
    Success,
    Turn,
    place_of_usual,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.tables import SCHEMA_VERSION, Tables

try:
    import sqlalchemy as sa
    from sqlalchemy.engine import Connection, Row
except ImportError:
    # Told by HAS_SQLALCHEMY.
    pass

# A key of PostgreSQL's advisory locks: "flop" in ASCII.
_MAKING = 0x666C6F70


@dataclass(frozen=True)
class Locked:
    """A rollout that nobody else changes until the transaction ends."""

    name: str
    policy: Policy
    revision: int
    stopped: Stopped | None
    held: str | None
    learned_seconds: float | None


class Ledger:
    """The tables, over a connection in a transaction.

    :param clock: the time where the database is on this machine; None where its server's counts.
    """

    def __init__(self, connection: Connection, tables: Tables, clock: Callable[[], datetime] | None) -> None:
        self._connection = connection
        self._tables = tables
        self._clock = clock

    def create(self) -> None:
        """Make the tables where there are none."""
        self.lock_all()
        if not sa.inspect(self._connection).has_table(self._tables.schema.name):
            self._tables.metadata.create_all(self._connection)
            self._connection.execute(sa.insert(self._tables.schema).values(version=SCHEMA_VERSION))

    def check_version(self) -> None:
        """Whether this collection knows the schema. Raises StoreError."""
        version = self._connection.scalar(sa.select(sa.func.max(self._tables.schema.c.version)))
        if version != SCHEMA_VERSION:
            raise StoreError(
                "the store has schema %s, and this version of the collection knows %d; use the version that made the "
                "store, or another store" % (version, SCHEMA_VERSION)
            )

    def lock_all(self) -> None:
        """Be the only one that makes tables or rollouts; in SQLite every transaction is the only one that writes."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING)))

    def lock(self, name: str) -> Locked | None:
        """The rollout, which from now on waits for this transaction's end; None where there is none of the name."""
        rollouts = self._tables.rollouts
        row = self._connection.execute(sa.select(rollouts).where(rollouts.c.name == name).with_for_update()).first()
        if row is None:
            return None
        try:
            policy = policy_from_text(row.policy)
        except (PolicyError, ValueError) as error:
            raise StoreError("the policy of rollout %s cannot be read: %s" % (name, error))
        return Locked(
            name=name,
            policy=policy,
            revision=row.revision,
            stopped=None if row.stop_cause is None else Stopped(row.stop_cause, row.stop_reason),
            held=row.held,
            learned_seconds=row.learned_seconds,
        )

    def now(self) -> datetime:
        """The time. Asked after the lock, which may have been waited for."""
        if self._clock is not None:
            return self._clock()
        seconds = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
        return moment(self._connection.execute(sa.select(seconds)).scalar_one())

    def turns_of(self, host: str, rollout: str) -> list[Row[Any]]:
        """The host's row in the rollout, and those in which it is in flight elsewhere."""
        hosts = self._tables.hosts
        mine, flying = hosts.c.rollout == rollout, hosts.c.standing == IN_FLIGHT
        return list(self._connection.execute(sa.select(hosts).where(hosts.c.host == host, sa.or_(mine, flying))))

    def rollout(self, locked: Locked, now: datetime) -> Rollout:
        """Where it stands."""
        hosts = self._tables.hosts
        mine = hosts.c.rollout == locked.name
        alike = (hosts.c.standing, hosts.c.domain, hosts.c.host_class)
        groups = (
            sa.select(
                *alike,
                sa.func.count().label("hosts"),
                sa.cast(sa.null(), sa.Text).label("host"),
                sa.cast(sa.null(), sa.Double).label("moment"),
            )
            .where(mine, hosts.c.standing != IN_FLIGHT)
            .group_by(*alike)
        )
        turns = sa.select(*alike, sa.literal(1), hosts.c.host, hosts.c.deadline).where(
            mine, hosts.c.standing == IN_FLIGHT
        )
        wanted = [groups, turns]
        soak = locked.policy.soak_seconds
        if soak:
            since = now.timestamp() - soak
            wanted.append(
                sa.select(*alike, sa.literal(0), hosts.c.host, hosts.c.ended_at).where(
                    mine, hosts.c.standing == SUCCEEDED, hosts.c.ended_at > since
                )
            )
        rows = self._connection.execute(sa.union_all(*wanted)).all()
        return Rollout(
            policy=locked.policy,
            groups=tuple(Group(row[0], row[1], row[2], row[3]) for row in rows if row.moment is None),
            turns=tuple(
                Turn(row.host, row[1], row[2], moment(row.moment)) for row in rows if row.host and row[0] == IN_FLIGHT
            ),
            fresh=tuple(Success(row[2], moment(row.moment)) for row in rows if row.host and row[0] == SUCCEEDED),
            learned_seconds=locked.learned_seconds,
            stopped=locked.stopped,
            held=locked.held,
        )

    def open(self, name: str, policy: str) -> None:
        """Begin a rollout, or begin it anew with this policy. A stop that is not an operator's ends."""
        rollouts = self._tables.rollouts
        self.lock_all()
        locked = self.lock(name)
        if locked is None:
            row = {"name": name, "policy": policy, "revision": 1, "opened_at": self.now().timestamp()}
            self._connection.execute(sa.insert(rollouts).values(**row))
            return
        values: dict[str, Any] = {"policy": policy}
        if locked.stopped is not None and locked.stopped.cause != OPERATOR:
            values.update(stop_cause=None, stop_reason=None)
        self.set_rollout(name, **values)

    def standings(self, rollout: str) -> dict[str, str]:
        """Where each host of a rollout stands."""
        hosts = self._tables.hosts
        rows = self._connection.execute(sa.select(hosts.c.host, hosts.c.standing).where(hosts.c.rollout == rollout))
        return {row.host: row.standing for row in rows}

    def unfinished(self) -> list[Row[Any]]:
        """Hosts in flight, or still to be rebooted, in all rollouts."""
        hosts = self._tables.hosts
        return list(self._connection.execute(sa.select(hosts).where(hosts.c.standing.in_((PENDING, IN_FLIGHT)))))

    def insert_hosts(self, rows: list[dict[str, Any]]) -> None:
        """Add rows."""
        if rows:
            self._connection.execute(sa.insert(self._tables.hosts), rows)

    def survey_hosts(self, rows: list[dict[str, Any]]) -> None:
        """Replace what was known of hosts by what was surveyed now."""
        if not rows:
            return
        hosts = self._tables.hosts
        changed = [name for name in rows[0] if name not in ("rollout", "host")]
        self._connection.execute(
            sa.update(hosts)
            .where(hosts.c.rollout == sa.bindparam("key_rollout"), hosts.c.host == sa.bindparam("key_host"))
            .values({**{name: sa.bindparam("new_" + name) for name in changed}, "seconds": None}),
            [
                {
                    "key_rollout": row["rollout"],
                    "key_host": row["host"],
                    **{"new_" + name: row[name] for name in changed},
                }
                for row in rows
            ],
        )

    def pending(self, rollout: str, names: Collection[str]) -> list[Candidate]:
        """Those of the hosts that still need a slot."""
        hosts = self._tables.hosts
        rows = self._connection.execute(
            sa.select(hosts.c.host, hosts.c.domain, hosts.c.host_class).where(
                hosts.c.rollout == rollout, hosts.c.standing == PENDING
            )
        )
        return [Candidate(*row) for row in rows if row.host in names]

    def acknowledge_failures(self, rollout: str) -> None:
        """Hosts that failed no longer count against the failures that are allowed."""
        hosts = self._tables.hosts
        self._connection.execute(
            sa.update(hosts).where(hosts.c.rollout == rollout, hosts.c.standing == FAILED).values(standing=ABSENT)
        )

    def set_host(self, rollout: str, host: str, **values: Any) -> None:
        """Change a host's row."""
        hosts = self._tables.hosts
        self._connection.execute(
            sa.update(hosts).where(hosts.c.rollout == rollout, hosts.c.host == host).values(**values)
        )

    def set_rollout(self, name: str, **values: Any) -> None:
        """Change a rollout's row, and let those that wait look again."""
        rollouts = self._tables.rollouts
        self._connection.execute(
            sa.update(rollouts).where(rollouts.c.name == name).values(revision=rollouts.c.revision + 1, **values)
        )

    def learned_seconds(self, name: str) -> float | None:
        """What a host's turn takes, by those that ended well."""
        hosts = self._tables.hosts
        done = (hosts.c.rollout == name, hosts.c.standing == SUCCEEDED, hosts.c.seconds.is_not(None))
        number = self._connection.scalar(sa.select(sa.func.count()).where(*done)) or 0
        place = place_of_usual(number)
        return self._connection.scalar(
            sa.select(hosts.c.seconds).where(*done).order_by(hosts.c.seconds).offset(place).limit(1)
        )


def moment(seconds: float) -> datetime:
    """A moment as the tables have it."""
    return datetime.fromtimestamp(seconds, timezone.utc)
