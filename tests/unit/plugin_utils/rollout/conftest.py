# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import postgresql
import pytest
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.database import Database
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.store import Store
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.tables import TABLES


class Calendar:
    """A clock that tests turn."""

    def __init__(self):
        self.time = datetime(2026, 11, 7, 2, 0, tzinfo=timezone.utc)

    def __call__(self):
        return self.time

    def turn(self, seconds):
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def calendar():
    return Calendar()


@pytest.fixture(scope="session")
def postgresql_server():
    binaries = postgresql.programs()
    if binaries is None:
        pytest.skip(postgresql.MISSING)
    with postgresql.server(binaries) as server:
        yield server


@pytest.fixture
def store(tmp_path, calendar):
    """In SQLite, under the tests' clock."""
    database = Database(str(tmp_path / "new" / "store.db"))
    yield Store(database, calendar)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request, tmp_path, calendar):
    """In each database; nobody turns the clock of PostgreSQL."""
    if request.param == "sqlite":
        store = Store(Database(str(tmp_path / "store.db")), calendar)
    else:
        store = Store(Database(request.getfixturevalue("postgresql_server").url()))
        store.create()
        with store.database.transaction() as connection:
            TABLES.metadata.drop_all(connection)
    yield store
    store.database.close()
