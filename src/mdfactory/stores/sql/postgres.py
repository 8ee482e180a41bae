"""The PostgreSQL store: one schema of a database, one writer at a time by an advisory lock."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import psycopg
import sqlalchemy as sa
from psycopg import conninfo
from sqlalchemy.dialects import postgresql

from mdfactory.errors import ConfigError, MDFactoryError, StoreError, StoreLockedError, one_line
from mdfactory.records.tables import Namespace
from mdfactory.stores.sql.backend import SqlTransaction
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction

__all__ = ["PostgresStore"]

log = logging.getLogger(__name__)

LOCK: Final = 0x6D646661
"""First half of the advisory lock's number ("mdfa"); the second is the schema's own."""

AWKWARD: Final = re.compile(r"//[^/?@]*[/?@].*@")
"""A URL with an @ that does not end the name of the user and the password."""

HOLDER: Final = """
SELECT usename, coalesce(client_addr::text, 'this machine'), activity.pid
FROM pg_locks JOIN pg_stat_activity activity USING (pid)
WHERE locktype = 'advisory' AND granted AND classid::bigint = %s AND objid::bigint = %s
AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


COMPRESS: Final = """
SELECT set_config(name, 'lz4', true) FROM pg_settings
WHERE name = 'default_toast_compression' AND source = 'default' AND 'lz4' = ANY (enumvals)
"""
"""Compress long texts with lz4 where the server can and nobody has chosen otherwise: its own
pglz takes a third of the time of a push of analyses."""


class PostgresStore(Store):
    """Records in the current schema of a PostgreSQL database.

    A writer holds an advisory lock from before its transaction begins until after it has
    ended; the server lets go of it if the writer is killed. Readers read one snapshot.

    Parameters
    ----------
    url
        The database, as libpq takes it: ``postgresql://user@host/database``.
    wait
        Seconds to wait for another writer.

    Raises
    ------
    ConfigError
        If the URL is none.
    """

    def __init__(self, url: str, *, wait: float = 60.0) -> None:
        try:
            parts = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise ConfigError(
                "the URL of the PostgreSQL store is none that libpq takes, such as "
                "postgresql://user@host/database",
                command="mdfactory config edit",
            ) from error
        if AWKWARD.search(
            url
        ):  # what libpq takes for a host is half a password; it is not repeated
            raise ConfigError(
                "in the URL of the PostgreSQL store, write %40 for an @ and %2F for a / in the "
                "password; %40 for any other @",
                command="mdfactory config edit",
            )
        self._url = url
        self._secret = str(parts.get("password") or "")
        user = f"{parts['user']}@" if parts.get("user") else ""
        port = f":{parts['port']}" if parts.get("port") else ""
        place = f"{user}{parts.get('host') or 'localhost'}{port}/{parts.get('dbname') or ''}"
        self.location = f"PostgreSQL store {place}"
        self.wait = wait

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:  # noqa: ARG002  # a database makes no folders
        with self._translated(write=write):
            database = self._connect()
            try:
                if write:
                    self._lock(database)
                database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                database.autocommit = False
                yield from self._transaction(database, write=write)
            finally:
                database.close()

    def _transaction(
        self, database: psycopg.Connection[tuple[object, ...]], *, write: bool
    ) -> Iterator[Transaction]:
        engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=lambda: database,
            poolclass=sa.NullPool,
            paramstyle="format",
        )
        with engine.connect() as connection:
            schema = connection.exec_driver_sql("SELECT current_schema()").scalar()
            if schema is None:
                raise StoreError(f"{self.location}: no schema of the search_path exists")
            if write:
                connection.exec_driver_sql(COMPRESS)
            told = partial(self._error, write=write)
            schemas = dict.fromkeys(Namespace, schema)
            yield PostgresTransaction(connection, schemas, self.location, told)
            if write:
                self._commit(connection)

    def _commit(self, connection: sa.Connection) -> None:
        try:
            connection.commit()
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise StoreError(
                f"{self.location}: the connection was lost in the moment of the commit: either all "
                "of it was stored, or nothing. Repeat with --update"
            ) from error

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        log.info("opening %s", self.location)
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=max(2, int(min(self.wait, 30))),
            application_name="mdfactory",
        )

    def _lock(self, database: psycopg.Connection[tuple[object, ...]]) -> None:
        """Take the lock of all writers of this schema, patiently."""
        deadline = time.monotonic() + self.wait
        number = "SELECT hashtext(coalesce(current_schema(), ''))"
        key = (LOCK, _value(database, number))
        while not _value(database, "SELECT pg_try_advisory_lock(%s, %s)", key):
            if time.monotonic() >= deadline:
                raise StoreLockedError(
                    f"{self.location} is held by {_holder(database, key)}; waited "
                    f"{self.wait:g} s. Try again later, or wait longer with --wait SECONDS"
                )
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311  # jitter, no secret

    @contextmanager
    def _translated(self, *, write: bool) -> Iterator[None]:
        """Turn errors of the database into ours."""
        try:
            yield
        except MDFactoryError:
            raise
        except sa.exc.DBAPIError as error:
            raise self._error(error.orig or error, write=write) from None
        except psycopg.Error as error:
            raise self._error(error, write=write) from None

    def _error(self, error: BaseException, *, write: bool) -> StoreError:
        """Return an error of ours; the database's own may hold the URL with its password."""
        reason = one_line(error)
        if self._secret:
            reason = reason.replace(self._secret, "***")
        doing = "written; nothing was changed" if write else "read"
        return StoreError(f"{self.location} cannot be {doing}: {reason}")


class PostgresTransaction(SqlTransaction):
    """A transaction on a PostgreSQL database."""

    insert = staticmethod(postgresql.insert)
    # Texts are compared by their characters, as everywhere else, whatever the database's locale.
    text = sa.Text(collation="C")
    integer = sa.BigInteger()


def _value(
    database: psycopg.Connection[tuple[object, ...]],
    query: str,
    values: tuple[object, ...] = (),
) -> object:
    row = database.execute(query.encode(), values).fetchone()
    return row[0] if row else None


def _holder(database: psycopg.Connection[tuple[object, ...]], key: tuple[object, ...]) -> str:
    """Name who holds the lock; another user's connections show little of themselves."""
    unsigned = [int(str(part)) % 2**32 for part in key]
    row = database.execute(HOLDER.encode(), unsigned).fetchone()
    if row is None:
        return "another program"
    user, where, process = row
    return f"{user} on {where} (server process {process})"
