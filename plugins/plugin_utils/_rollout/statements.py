# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statements of the store, built once: SQLAlchemy takes longer to build one than a database takes to answer it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import (
    ABSENT,
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


class Statements:
    """For a database whose server has a clock, or for one that is told the time as ``now``.

    Keys are bound with ``the_`` before their name, and what is set with ``new_``.
    """

    def __init__(self, server_clock: bool) -> None:
        hosts, rollouts = TABLES.hosts, TABLES.rollouts
        clock = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
        now: Any = clock if server_clock else sa.bindparam("now", type_=sa.Double)
        self.now = sa.select(now)
        self.version = sa.select(sa.func.max(TABLES.schema.c.version))
        self.revision = sa.select(rollouts.c.revision).where(rollouts.c.name == sa.bindparam("the_rollout"))
        # Not the row: who gives a slot back changes that, and need not wait for those that ask for one.
        self.lock = sa.select(sa.func.pg_advisory_xact_lock(_DECIDING, sa.func.hashtext(sa.bindparam("the_rollout"))))
        self.rollout = sa.select(rollouts).where(rollouts.c.name == sa.bindparam("the_rollout"))

        mine, flying = hosts.c.rollout == sa.bindparam("the_rollout"), hosts.c.standing == IN_FLIGHT
        # The time comes with them, because this follows the lock, which may have been waited for.
        self.turns = sa.select(hosts, now.label("clock")).where(
            hosts.c.host == sa.bindparam("the_host"), sa.or_(mine, flying)
        )
        self.unfinished = sa.select(hosts).where(hosts.c.standing.in_((PENDING, IN_FLIGHT)))
        self.all_rollouts = sa.select(rollouts).order_by(rollouts.c.opened_at.desc(), rollouts.c.name)
        self.counts = sa.select(hosts.c.rollout, hosts.c.standing, sa.func.count()).group_by(
            hosts.c.rollout, hosts.c.standing
        )
        self.all_hosts = sa.select(hosts).where(mine)
        self.succeeded = sa.select(hosts.c.host, hosts.c.host_class).where(mine, hosts.c.standing == SUCCEEDED)
        self.standings = sa.select(hosts.c.host, hosts.c.standing).where(mine)
        self.pending = sa.select(hosts.c.host, hosts.c.domain, hosts.c.host_class).where(
            mine, hosts.c.standing == PENDING
        )

        alike = (hosts.c.standing, hosts.c.domain, hosts.c.host_class)
        groups = (
            sa.select(*alike, sa.func.count(), sa.cast(sa.null(), sa.Text), sa.cast(sa.null(), sa.Double))
            .where(mine, hosts.c.standing != IN_FLIGHT)
            .group_by(*alike)
        )
        in_flight = sa.select(*alike, sa.literal(1), hosts.c.host, hosts.c.deadline).where(mine, flying)
        fresh = sa.select(*alike, sa.literal(0), hosts.c.host, hosts.c.ended_at).where(
            mine, hosts.c.standing == SUCCEEDED, hosts.c.ended_at > sa.bindparam("since")
        )
        kept = sa.select(*alike, sa.literal(0), hosts.c.host, hosts.c.kept_until).where(
            mine, hosts.c.standing == PENDING, hosts.c.kept_until.is_not(None)
        )
        self.state = sa.union_all(groups, in_flight, kept)
        self.state_with_fresh = sa.union_all(groups, in_flight, kept, fresh)

        done = (mine, hosts.c.standing == SUCCEEDED, hosts.c.seconds.is_not(None))
        self.count_done = sa.select(sa.func.count()).where(*done)
        self.seconds_at = (
            sa.select(hosts.c.seconds).where(*done).order_by(hosts.c.seconds).offset(sa.bindparam("place")).limit(1)
        )

        self.end = (
            sa.update(hosts)
            .where(
                mine,
                flying,
                hosts.c.host == sa.bindparam("the_host"),
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
        self.acknowledge = sa.update(hosts).where(mine, hosts.c.standing == FAILED).values(standing=ABSENT)
        self.forget_host = sa.delete(hosts).where(mine, hosts.c.host == sa.bindparam("the_host"))
        self.insert_rollout = sa.insert(rollouts)
        self.insert_hosts = sa.insert(hosts)

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
