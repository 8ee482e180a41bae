"""The PostgreSQL store: one schema of a database, whose writers take an advisory lock."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Final

import psycopg
import sqlalchemy as sa
from psycopg import conninfo
from sqlalchemy.dialects import postgresql

from mdfactory.errors import ConfigError, StoreError, one_line
from mdfactory.records.tables import Namespace
from mdfactory.stores.backend import Backend
from mdfactory.stores.locking import LockWait
from mdfactory.stores.sql.backend import SqlBackend, store_errors
from mdfactory.stores.store import Store

log = logging.getLogger(__name__)

LOCK_NUMBER: Final = 0x6D646661
"""First half of the key of the advisory lock, "mdfa"; the second half is a hash of the schema."""

AMBIGUOUS_URL: Final = re.compile(r"//[^/?@]*[/?@].*@")
"""URL with ``/``, ``?`` or ``@`` before its last ``@``: libpq may take a part of the password for
the host."""

LOCK_HOLDER_QUERY: Final = """
SELECT usename, coalesce(client_addr::text, 'this machine'), activity.pid
FROM pg_locks JOIN pg_stat_activity activity USING (pid)
WHERE locktype = 'advisory' AND granted AND classid::bigint = %s AND objid::bigint = %s
AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""Finds the connection that holds the advisory lock, given both halves of its key."""

USE_LZ4_QUERY: Final = """
SELECT set_config(name, 'lz4', true) FROM pg_settings
WHERE name = 'default_toast_compression' AND source = 'default' AND 'lz4' = ANY (enumvals)
"""
"""Compresses long texts with lz4, if the server supports it and no other method is configured.
The default method, pglz, takes a third of the time of a push of analyses."""


class PostgresStore(Store):
    """Records in the current schema of a PostgreSQL database.

    A writer takes an advisory lock before its transaction begins, and holds it until the
    transaction has ended. The server releases the lock if the writer is killed. A reader sees one
    snapshot.

    Parameters
    ----------
    url
        URL of the database in the syntax of libpq: ``postgresql://user@host/database``.
    wait
        Seconds to wait for another writer.

    Raises
    ------
    ConfigError
        If the URL is invalid or ambiguous.
    """

    def __init__(self, url: str, *, wait: float = 60.0) -> None:
        try:
            parts = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise ConfigError(
                "the URL of the PostgreSQL store is no URL that libpq accepts, such as "
                "postgresql://user@host/database",
                command="mdfactory config edit",
            ) from None  # the cause quotes the URL
        # The message does not quote the host, which may be a part of the password.
        if AMBIGUOUS_URL.search(url):
            raise ConfigError(
                "the URL of the PostgreSQL store is ambiguous: in the password, write %40 for @ "
                "and %2F for /; elsewhere, write %40 for any other @",
                command="mdfactory config edit",
            )
        self._url = url
        self._password = str(parts.get("password") or "")
        user = f"{parts['user']}@" if parts.get("user") else ""
        port = f":{parts['port']}" if parts.get("port") else ""
        host, database = parts.get("host") or "localhost", parts.get("dbname") or ""
        self.location = f"PostgreSQL store {user}{host}{port}/{database}"
        self.wait = wait

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:  # noqa: ARG002  # there are no files to create
        translate_error = partial(self._store_error, write=write)
        with (
            store_errors(translate_error, psycopg.Error, has_secret=True),
            closing(self._connect()) as database,
        ):
            schema = str(_query_value(database, "SELECT pg_catalog.current_schema()") or "")
            if not schema:
                raise StoreError(f"{self.location}: no schema in search_path exists")
            # From here on no function or operator is used that another user has created in a
            # schema of the search path: it would run with the rights of this user.
            database.execute("SET search_path = pg_catalog")
            # The lock is taken first: the snapshot must not be older than the lock.
            if write:
                self._lock_schema(database, schema)
            database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            database.autocommit = False
            engine = sa.create_engine(
                "postgresql+psycopg://",
                creator=lambda: database,
                poolclass=sa.NullPool,
                paramstyle="format",
            )
            with engine.connect() as connection:
                if write:
                    connection.exec_driver_sql(USE_LZ4_QUERY)
                schemas = dict.fromkeys(Namespace, schema)
                yield PostgresBackend(connection, schemas, self.location, translate_error)
                if write:
                    self._commit(connection)

    def _commit(self, connection: sa.Connection) -> None:
        try:
            connection.commit()
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            raise StoreError(
                f"{self.location}: the connection was lost during the commit; either all changes "
                "were stored or none. Repeat the command with --update"
            ) from error

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        log.info("opening %s", self.location)
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=max(2, int(min(self.wait, 30))),
            application_name="mdfactory",
        )

    def _lock_schema(self, database: psycopg.Connection[tuple[object, ...]], schema: str) -> None:
        """Take the advisory lock of a schema, or wait for it."""
        wait = LockWait(self.location, self.wait)
        key = (LOCK_NUMBER, _query_value(database, "SELECT hashtext(%s)", (schema,)))
        while not _query_value(database, "SELECT pg_try_advisory_lock(%s, %s)", key):
            wait.pause(partial(_find_lock_holder, database, key))

    def _store_error(self, error: BaseException, *, write: bool) -> StoreError:
        """Return the `StoreError` for an error of the database; the password is masked."""
        reason = one_line(error)
        if self._password:
            reason = reason.replace(self._password, "***")
        action = "written; nothing was changed" if write else "read"
        return StoreError(f"{self.location} cannot be {action}: {reason}")


class PostgresBackend(SqlBackend):
    """The tables of a PostgreSQL schema."""

    insert = staticmethod(postgresql.insert)
    # Texts are compared by their code points, as in all stores, whatever the database's locale.
    text = sa.Text(collation="C")
    integer = sa.BigInteger()


def _query_value(
    database: psycopg.Connection[tuple[object, ...]],
    query: str,
    values: tuple[object, ...] = (),
) -> object:
    """Return the only value of a query; None if the query returns no row."""
    row = database.execute(query.encode(), values).fetchone()
    return row[0] if row else None


def _find_lock_holder(
    database: psycopg.Connection[tuple[object, ...]], key: tuple[object, ...]
) -> str:
    """Return the user and process that hold the lock, if the server shows them."""
    unsigned = [int(str(number)) % 2**32 for number in key]
    row = database.execute(LOCK_HOLDER_QUERY.encode(), unsigned).fetchone()
    if row is None:
        return "another program"
    user, where, process = row
    return f"{user} on {where} (server process {process})"
