# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several statements in one trip to the database's server.

What fifty processes wait for on a busy controller is each other, and a process that waits for an answer has to be
scheduled again before it can ask for more. So a decision takes two trips, and not one for each statement: psycopg's
pipeline sends them together, and the server still runs one after the other, each seeing what was committed before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

try:
    from psycopg import Pipeline
    from psycopg.rows import namedtuple_row
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
except ImportError:
    # Told by Database.
    pass

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.compiler import SQLCompiler

# Answered when all that was committed before is on the disk; see Database.
_MAKE_DURABLE = "SELECT set_config('synchronous_commit', 'on', true), txid_current()"


class Question(NamedTuple):
    """A statement with its values."""

    statement: Executable
    values: Mapping[str, Any]


def together(connection: Connection, *questions: Question, ends: bool = False, durably: bool = False) -> list[Any]:
    """The answers: each has rows, or a rowcount.

    :param ends: whether the transaction ends with them, where there is a server. :param durably: and has to be on its
        disk, for which nobody else waits.
    """
    if connection.dialect.name != "postgresql":
        return [connection.execute(statement, values) for statement, values in questions]
    driver: Any = connection.connection.driver_connection
    # The library below psycopg may be older than pipelines; then it takes more trips.
    with driver.pipeline() if Pipeline.is_supported() else contextlib.nullcontext():
        answers = [_ask(driver, question) for question in questions]
        if ends:
            driver.commit()
        if durably:
            driver.execute(_MAKE_DURABLE)
            driver.commit()
    return answers


def _ask(driver: Any, question: Question) -> Any:
    text = compiled(question.statement)
    return driver.cursor(row_factory=namedtuple_row).execute(str(text), text.construct_params(dict(question.values)))


@lru_cache(maxsize=256)
def compiled(statement: Any) -> SQLCompiler:
    """The statement as PostgreSQL reads it."""
    dialect: Any = PGDialect_psycopg
    found: SQLCompiler = statement.compile(dialect=dialect())
    return found
