# Copyright (c) 2026, the fleetops.kexec authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of the store: how it is reached, and what its errors mean.

SQLite is used with a write-ahead log, and every transaction that may write takes the write lock at its beginning:
a transaction that begins as a reader cannot become a writer while another one writes.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.tables import HAS_SQLALCHEMY
from ansible_collections.fleetops.kexec.plugins.plugin_utils._rollout.trip import begin, is_begun

try:
    import sqlalchemy as sa
    from sqlalchemy import event, exc
    from sqlalchemy.engine import URL, Connection, Engine, make_url
    from sqlalchemy.pool import QueuePool
except ImportError:
    # Told by HAS_SQLALCHEMY.
    pass

# Imported here because each host's task runs in a process of its own, forked from one that has imported this file.
for dialect in ("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite"):
    with contextlib.suppress(ImportError):
        importlib.import_module(dialect)
_DRIVERS: list[Any] = [sqlite3]
with contextlib.suppress(ImportError):
    _DRIVERS.append(importlib.import_module("psycopg"))

_DRIVER_ERRORS = tuple(driver.Error for driver in _DRIVERS)
# The server is not there, is not ready, or has gone away.
_LOST = tuple(error for driver in _DRIVERS for error in (driver.OperationalError, driver.InterfaceError))

ENVIRONMENT = "FLEETOPS_KEXEC_STORE"

# Seconds that a transaction waits for others, and that a connection may take.
_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


class StoreError(Exception):
    """The store did not do what was asked, as a sentence for an operator.

    temporary: whether it may do so later, without anybody changing what is asked.
    """

    def __init__(self, sentence: str, temporary: bool = False) -> None:
        super().__init__(sentence)
        self.temporary = temporary


def default_store() -> str:
    """Where the store is when nobody says it: what the environment names, or a file of the user's."""
    given = os.environ.get(ENVIRONMENT)
    if given:
        return given
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "fleetops-kexec", "rollouts.db")


class Database:
    """An engine, and its errors as sentences.

    :param store: a path of a file, ``sqlite:///path`` or ``postgresql+psycopg://user:password@host/database``.
    """

    def __init__(self, store: str) -> None:
        if not HAS_SQLALCHEMY:
            raise StoreError(
                "the Python package SQLAlchemy is missing on the control node; install the collection's "
                "requirements.txt with pip"
            )
        self._url = _read_url(store)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.shown = str(self._url.database) if self.is_sqlite else self._url.render_as_string(hide_password=True)
        self._queue: int | None = None
        self._engine = self._sqlite() if self.is_sqlite else self._postgresql()

    def _sqlite(self) -> Engine:
        engine = sa.create_engine(
            self._url,
            poolclass=QueuePool,
            pool_size=1,
            connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None},
        )

        @event.listens_for(engine, "connect")
        def connected(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

        # The driver's own idea of when a transaction begins is switched off by isolation_level.
        @event.listens_for(engine, "begin")
        def begun(connection: Connection) -> None:
            if connection.get_execution_options().get(_IN_TRANSACTION):
                connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def _postgresql(self) -> Engine:
        try:
            import psycopg  # noqa: F401
        except ImportError:
            raise StoreError(
                "the Python package psycopg is missing on the control node, which a store in PostgreSQL needs; "
                "install psycopg[binary] with pip"
            )
        # No transaction waits for the disk, because others would wait for it meanwhile: before a host is told that it
        # may go down, the log is written, by one write for all who wait for that (see trip.py). Of the connection,
        # because a statement more in each transaction is felt where fifty processes wait.
        given = self._url.query.get("options", "")
        options = "%s -c synchronous_commit=off" % (given if isinstance(given, str) else " ".join(given))
        engine = sa.create_engine(
            self._url,
            pool_size=1,
            max_overflow=0,
            # The driver shall begin no transactions; see trip.py.
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": _CONNECT_SECONDS, "options": options.strip()},
        )

        # With its first statement, because those that are sent together are so with BEGIN.
        @event.listens_for(engine, "before_cursor_execute")
        def asked(connection: Connection, cursor: Any, *_more: Any) -> None:
            if connection.get_execution_options().get(_IN_TRANSACTION) and not is_begun(cursor.connection):
                begin(cursor.connection)

        return engine

    def create_file(self) -> None:
        """Make an empty SQLite file that nobody else can read; SQLite gives the files beside it the same mode."""
        if not self.is_sqlite:
            return
        path = Path(str(self._url.database))
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError(
                "the store %s cannot be made: %s; let this user write there, or name another store"
                % (self.shown, error.strerror)
            )

    def require_file(self) -> None:
        """SQLite would make a new one in its place."""
        if self.is_sqlite and not os.path.exists(str(self._url.database)):
            raise StoreError("there is no store %s; rollout_plan makes it when it opens a rollout" % self.shown)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing, one after the other. Raises StoreError."""
        with self._errors(), self._turn(), self._engine.connect() as connection:
            connection.execution_options(**{_IN_TRANSACTION: True})
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """In SQLite, who waits for a lock sleeps and tries again; the kernel wakes who waits in a file's queue."""
        if not self.is_sqlite:
            yield
            return
        if self._queue is None:
            flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
            try:
                self._queue = os.open(str(self._url.database) + "-queue", flags, 0o600)
            except OSError as error:
                raise StoreError(
                    "the store %s cannot be written: %s; let this user write it" % (self.shown, error.strerror)
                )
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def single(self) -> Iterator[Connection]:
        """For single statements, which wait for nobody. Raises StoreError."""
        with self._errors(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (exc.SQLAlchemyError, *_DRIVER_ERRORS) as error:
            # Not chained: SQLAlchemy's own sentence has the statement and its values in it.
            raise self._sentence(error) from None

    def _sentence(self, error: Exception) -> StoreError:
        """What the database itself said, and what to do."""
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        password = str(self._url.password or "")
        for secret in {password, quote(password), unquote(password)} - {""}:
            said = said.replace(secret, "***")
        for pattern, sentence, temporary in _MEANINGS:
            if re.search(pattern, said):
                return StoreError(sentence % {"store": self.shown, "said": said}, temporary)
        lost = isinstance(getattr(error, "orig", None) or error, _LOST)
        sentence = "the store %s is out of reach: %s" if lost else "the store %s refuses: %s"
        return StoreError(sentence % (self.shown, said), lost)

    def close(self) -> None:
        """Give back the connection."""
        self._engine.dispose()
        if self._queue is not None:
            os.close(self._queue)
            self._queue = None


# An option of connections: SQLAlchemy says that a transaction begins also where there is none.
_IN_TRANSACTION = "fleetops_in_transaction"


_MEANINGS = (
    (r"fleetops_hosts_in_flight", "another run took the host at the same moment (store %(store)s)", True),
    (r"database is locked|lock timeout|canceling statement", "the store %(store)s is busy: %(said)s", True),
    (
        r"database or disk is full|No space left|could not extend file",
        "the store %(store)s is full: %(said)s; make room on its disk",
        True,
    ),
    (
        r"file is not a database|malformed|disk image",
        "the store %(store)s is damaged: %(said)s; move it away and run the playbook again: only history is lost",
        False,
    ),
    (
        r"readonly database|read-only|unable to open database file|[Pp]ermission denied",
        "the store %(store)s cannot be written: %(said)s; let this user write it",
        False,
    ),
    (
        r"no such table|relation .* does not exist",
        "there is no rollout in the store %(store)s yet; rollout_plan opens one",
        False,
    ),
    (
        r"no such column|column .* does not exist",
        "the store %(store)s is of another version of this collection: %(said)s; use that version, or another store",
        False,
    ),
)


def _read_url(store: str) -> URL:
    """The store's URL. No error shows what was given, because it may hold a password."""
    if "://" not in store:
        return URL.create("sqlite+pysqlite", database=os.path.abspath(os.path.expanduser(store)))
    kind = store.partition("://")[0]
    try:
        url = make_url(store)
    except (exc.ArgumentError, ValueError):
        raise StoreError(
            "the store's URL cannot be read; it must be a file's path, or of the form "
            "postgresql+psycopg://user:password@host:port/database, with @ : / and % in the password percent-encoded"
        ) from None
    if kind in ("sqlite", "sqlite+pysqlite"):
        if not url.database or url.database == ":memory:":
            raise StoreError("the store sqlite:// names no file; each host's task needs to find the same one")
        return url.set(drivername="sqlite+pysqlite", database=os.path.abspath(url.database))
    if kind in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    raise StoreError("the store's URL begins with %s://; it must be sqlite:// or postgresql+psycopg://" % kind)
