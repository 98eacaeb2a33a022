# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the store: one schema for SQLite and PostgreSQL.

Moments are seconds since 1970 in UTC. A rollout's revision is raised by every change after which a host that waits may
get another answer. A host with kept_until is a planned canary, and that is infinity while nobody waits for it.
"""

from __future__ import annotations

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.rollout import IN_FLIGHT

try:
    import sqlalchemy as sa
except ImportError:
    HAS_SQLALCHEMY = False
else:
    HAS_SQLALCHEMY = True

SCHEMA_VERSION = 3


class Tables:
    """The tables."""

    def __init__(self) -> None:
        self.metadata = sa.MetaData()
        self.schema = sa.Table(
            "fleetops_schema",
            self.metadata,
            sa.Column("version", sa.Integer, nullable=False),
        )
        self.rollouts = sa.Table(
            "fleetops_rollouts",
            self.metadata,
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("policy", sa.Text, nullable=False),
            sa.Column("launch", sa.Text),
            sa.Column("revision", sa.Integer, nullable=False),
            sa.Column("opened_at", sa.Double, nullable=False),
            sa.Column("stop_cause", sa.Text),
            sa.Column("stop_reason", sa.Text),
            sa.Column("held", sa.Text),
        )
        self.hosts = sa.Table(
            "fleetops_hosts",
            self.metadata,
            sa.Column("rollout", sa.Text, primary_key=True),
            sa.Column("host", sa.Text, primary_key=True),
            sa.Column("domain", sa.Text, nullable=False),
            sa.Column("host_class", sa.Text, nullable=False),
            sa.Column("standing", sa.Text, nullable=False),
            sa.Column("outcome", sa.Text),
            sa.Column("reason", sa.Text),
            sa.Column("boot_id", sa.Text),
            sa.Column("release", sa.Text),
            sa.Column("build", sa.Text),
            sa.Column("holder", sa.Text),
            sa.Column("acquired_at", sa.Double),
            sa.Column("deadline", sa.Double),
            sa.Column("ended_at", sa.Double),
            sa.Column("seconds", sa.Double),
            sa.Column("kept_until", sa.Double),
            sa.Index("fleetops_hosts_alike", "rollout", "standing", "domain", "host_class"),
        )
        kept = self.hosts.c.kept_until.is_not(None)
        sa.Index("fleetops_hosts_kept", self.hosts.c.rollout, sqlite_where=kept, postgresql_where=kept)
        in_flight = self.hosts.c.standing == IN_FLIGHT
        # A host is in flight in one rollout at most, whichever controllers ask at the same time.
        sa.Index(
            "fleetops_hosts_in_flight",
            self.hosts.c.host,
            unique=True,
            sqlite_where=in_flight,
            postgresql_where=in_flight,
        )


# Nobody uses them where SQLAlchemy is missing: Database tells so before.
TABLES: Tables = Tables() if HAS_SQLALCHEMY else None  # type: ignore[assignment]
