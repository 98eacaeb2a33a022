# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of the store, built once: SQLAlchemy takes longer to build one than a database takes to answer it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
    EARLIER,
    FAILED,
    IN_FLIGHT,
    PENDING,
    SUCCEEDED,
)
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.tables import HAS_SQLALCHEMY, TABLES

try:
    import sqlalchemy as sa
except ImportError:
    # Told by Database.
    pass

if TYPE_CHECKING:
    from sqlalchemy import Executable

# The first key of PostgreSQL's advisory locks for rollouts: "flop" in ASCII.
_DECIDING = 0x666C6F70


def _is(column: Any, standing: str) -> Any:
    """Whether a column has that value, as part of the statement: a value apart costs, and hides partial indexes."""
    return column == _constant(standing)


def _constant(standing: str) -> Any:
    return sa.literal_column("'%s'" % standing)


class Statements:
    """For a database whose server has a clock, or for one that is told the time as ``now``.

    Keys are bound with ``the_`` before their name, and what is set with ``new_``.
    """

    def __init__(self, server_clock: bool) -> None:
        hosts, rollouts = TABLES.hosts, TABLES.rollouts
        server_time = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
        now: Any = server_time if server_clock else sa.bindparam("now", type_=sa.Double)
        self.now = sa.select(now)
        self.version = sa.select(sa.func.max(TABLES.schema.c.version))
        self.revision = sa.select(rollouts.c.revision).where(rollouts.c.name == sa.bindparam("the_rollout"))
        # Not the row: who gives a slot back changes that, and need not wait for those that ask for one.
        self.lock = sa.select(sa.func.pg_advisory_xact_lock(_DECIDING, sa.func.hashtext(sa.bindparam("the_rollout"))))
        self.rollout = sa.select(rollouts).where(rollouts.c.name == sa.bindparam("the_rollout"))

        mine, flying = hosts.c.rollout == sa.bindparam("the_rollout"), _is(hosts.c.standing, IN_FLIGHT)
        # Either key whole, so that a database that knows nothing of the table's size yet finds the rows by them.
        is_host = hosts.c.host == sa.bindparam("the_host")
        turns = sa.or_(sa.and_(mine, is_host), sa.and_(is_host, flying))
        # The time comes with them, because this follows the lock, which may have been waited for.
        clock = now.label("clock")
        self.turns = sa.select(hosts, clock).where(turns)
        self.scene = (
            sa.select(
                *(rollouts.c[name] for name in ("policy", "launch", "revision", "stop_cause", "stop_reason", "held")),
                *(
                    hosts.c[name]
                    for name in ("rollout", "host", "domain", "host_class", "standing", "outcome", "reason")
                ),
                *(hosts.c[name] for name in ("holder", "acquired_at", "deadline")),
                clock,
            )
            .select_from(rollouts.outerjoin(hosts, turns))
            .where(rollouts.c.name == sa.bindparam("the_rollout"))
        )
        self.unfinished = sa.select(hosts).where(hosts.c.standing.in_((PENDING, IN_FLIGHT)))
        self.all_rollouts = sa.select(rollouts).order_by(rollouts.c.opened_at.desc(), rollouts.c.name)
        self.counts = sa.select(hosts.c.rollout, hosts.c.standing, sa.func.count()).group_by(
            hosts.c.rollout, hosts.c.standing
        )
        self.all_hosts = sa.select(hosts).where(mine)
        has_succeeded = sa.or_(_is(hosts.c.standing, SUCCEEDED), _is(hosts.c.standing, EARLIER))
        self.succeeded = sa.select(hosts.c.host, hosts.c.host_class).where(mine, has_succeeded)
        self.standings = sa.select(hosts.c.host, hosts.c.standing).where(mine)
        self.pending = sa.select(hosts.c.host, hosts.c.domain, hosts.c.host_class).where(
            mine, _is(hosts.c.standing, PENDING)
        )

        alike = (hosts.c.standing, hosts.c.domain, hosts.c.host_class)
        one: Any = sa.literal_column("1")
        nobody = sa.cast(sa.null(), sa.Text)
        groups = (
            sa.select(*alike, sa.func.count(), nobody, sa.cast(sa.null(), sa.Double))
            .where(mine, sa.not_(flying))
            .group_by(*alike)
        )
        in_flight = sa.select(*alike, one, hosts.c.host, hosts.c.deadline).where(mine, flying)
        # Those that are late apart from the others, which is all that a decision wants to know.
        in_flight_alike = (
            sa.select(*alike, sa.func.count(), nobody, sa.func.min(hosts.c.deadline))
            .where(mine, flying)
            .group_by(*alike, hosts.c.deadline <= now)
        )
        kept = sa.select(*alike, one, hosts.c.host, hosts.c.kept_until).where(
            mine, _is(hosts.c.standing, PENDING), hosts.c.kept_until.is_not(None)
        )
        fresh = sa.select(*alike, one, hosts.c.host, hosts.c.ended_at).where(
            mine, _is(hosts.c.standing, SUCCEEDED), hosts.c.ended_at > sa.bindparam("since")
        )
        self.counted = sa.union_all(groups, in_flight_alike, kept)
        self.counted_with_fresh = sa.union_all(groups, in_flight_alike, kept, fresh)
        self.state = sa.union_all(groups, in_flight, kept, fresh)

        done = (mine, has_succeeded, hosts.c.seconds.is_not(None))
        self.count_done = sa.select(sa.func.count()).where(*done)
        self.seconds_at = (
            sa.select(hosts.c.seconds).where(*done).order_by(hosts.c.seconds).offset(sa.bindparam("place")).limit(1)
        )

        self.take = (
            sa.update(hosts)
            .where(mine, is_host)
            .values(
                standing=_constant(IN_FLIGHT),
                holder=sa.bindparam("new_holder"),
                acquired_at=sa.bindparam("new_acquired_at"),
                deadline=sa.bindparam("new_deadline"),
                kept_until=None,
                outcome=None,
                reason=None,
            )
        )
        self.end = (
            sa.update(hosts)
            .where(
                mine,
                flying,
                is_host,
                hosts.c.holder == sa.bindparam("the_holder"),
            )
            .values(
                standing=sa.bindparam("new_standing"),
                outcome=sa.bindparam("new_outcome"),
                reason=sa.bindparam("new_reason"),
                holder=None,
                deadline=None,
                ended_at=now,
                seconds=now - hosts.c.acquired_at,
            )
        )
        self.begin_again = sa.update(hosts).where(mine, _is(hosts.c.standing, SUCCEEDED)).values(standing=EARLIER)
        self.acknowledge = sa.update(hosts).where(mine, _is(hosts.c.standing, FAILED)).values(standing=ABSENT)
        self.forget_host = sa.delete(hosts).where(mine, is_host)
        self.insert_rollout = sa.insert(rollouts)
        self.insert_hosts = sa.insert(hosts)
        # What taking and giving back a slot needs.
        self.of_slots = (
            self.version,
            self.lock,
            self.scene,
            self.counted,
            self.take,
            self.end,
            self.change_rollout(),
        )

    @lru_cache(maxsize=64)  # noqa: B019  (there are two objects of this class at most)
    def change_host(self, *columns: str) -> Executable:
        """Set columns of a host's row."""
        hosts = TABLES.hosts
        return (
            sa.update(hosts)
            .where(hosts.c.rollout == sa.bindparam("the_rollout"), hosts.c.host == sa.bindparam("the_host"))
            .values({column: sa.bindparam("new_" + column) for column in columns})
        )

    @lru_cache(maxsize=64)  # noqa: B019
    def change_rollout(self, *columns: str) -> Executable:
        """Set columns of a rollout's row, and let those that wait look again."""
        rollouts = TABLES.rollouts
        return (
            sa.update(rollouts)
            .where(rollouts.c.name == sa.bindparam("the_rollout"))
            .values(revision=rollouts.c.revision + 1, **{column: sa.bindparam("new_" + column) for column in columns})
        )


# By whose clock counts: the server's, or one that tells the time. Built here, because each host's task runs in a
# process of its own, forked from one that has imported this file.
STATEMENTS = {"server": Statements(True), "told": Statements(False)} if HAS_SQLALCHEMY else {}
