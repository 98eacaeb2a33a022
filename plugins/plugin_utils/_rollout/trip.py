# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several statements in one trip to the database's server.

What fifty processes wait for on a busy controller is each other, and a process that waits for an answer has to be
scheduled again before it can ask for more. So a decision takes two trips, and not one for each statement: psycopg's
pipeline sends them together, and the server still runs one after the other, each seeing what was committed before.

That holds only where psycopg does not begin and end transactions itself, because in a pipeline it waits for the answer
to each BEGIN and COMMIT of its own. So its connections are in autocommit mode, and BEGIN and COMMIT are statements.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

try:
    from psycopg import Pipeline
    from psycopg.pq import TransactionStatus
    from psycopg.rows import namedtuple_row
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
except ImportError:
    # Told by Database.
    HAS_PSYCOPG = False
else:
    HAS_PSYCOPG = True

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.compiler import SQLCompiler

# A transaction of its own, which is answered when all that was committed before is on the disk; see Database. It has to
# write something, and a transaction's number is not enough: RecordTransactionCommit (PostgreSQL's xact.c) waits for the
# disk only where there was a record in the log before that of the commit.
_MAKE_DURABLE = "SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'fleetops', '')"


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
    begins = not is_begun(driver)
    # The library below psycopg may be older than pipelines; then it takes more trips.
    with driver.pipeline() if Pipeline.is_supported() else contextlib.nullcontext():
        if begins:
            begin(driver)
        answers = [_ask(driver, question) for question in questions]
        if ends:
            driver.execute("COMMIT", prepare=False)
        if durably:
            driver.execute(_MAKE_DURABLE)
    return answers


def is_begun(driver: Any) -> bool:
    """Whether a connection of psycopg's is in a transaction."""
    return bool(driver.pgconn.transaction_status != TransactionStatus.IDLE)


def begin(driver: Any) -> None:
    """Begin a transaction."""
    driver.execute("BEGIN", prepare=False)


def _ask(driver: Any, question: Question) -> Any:
    text, own = compiled(question.statement)
    return driver.cursor(row_factory=namedtuple_row).execute(text, {**own, **question.values})


@lru_cache(maxsize=256)
def compiled(statement: Any) -> tuple[str, dict[str, Any]]:
    """The statement as PostgreSQL reads it, and the values that are its own."""
    dialect: Any = PGDialect_psycopg
    found: SQLCompiler = statement.compile(dialect=dialect())
    return str(found), {name: bind.value for name, bind in found.binds.items() if not bind.required}
