"""The PostgreSQL store: one schema of a database, whose writers take an advisory lock."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import psycopg
import pyarrow as pa
import sqlalchemy as sa
from psycopg import conninfo, sql
from sqlalchemy.dialects import postgresql

from mdfactory.errors import ConfigError, StoreError, one_line
from mdfactory.locking import SECONDS_BEFORE_WARNING, UNKNOWN_HOLDER, LockWait, lock_error
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.backend import Backend
from mdfactory.stores.keys import Key
from mdfactory.stores.sql.backend import SqlBackend, store_errors
from mdfactory.stores.store import Store

log = logging.getLogger(__name__)

LOCK_NUMBER: Final = 0x6D646661
"""First half of the key of the advisory lock, "mdfa"; the second half is a hash of the schema."""

AMBIGUOUS_URL: Final = re.compile(r"//[^/?@]*[/?@].*@")
"""URL with ``/``, ``?`` or ``@`` before its last ``@``: libpq may take a part of the password for
the host."""

SERVER_QUERY: Final = "SELECT system_identifier FROM pg_catalog.pg_control_system()"

BEGIN_QUERY: Final = """
SELECT pg_catalog.current_schema(), current_user, pg_catalog.pg_backend_pid(),
pg_catalog.set_config('search_path', 'pg_catalog', true),
pg_catalog.set_config('lock_timeout', %s, true)
"""
"""Begins a transaction: finds the schema, and changes settings until the transaction ends.

From then on no function or operator is used that another user has created in a schema of the
search path: it would run with the rights of this user. The settings do not outlive the
transaction, because a pooler lends the same server connection to others.
"""

HOLDER_COLUMNS: Final = "usename, coalesce(client_addr::text, 'this machine'), pid"

LOCK_HOLDER_QUERY: Final = f"""
SELECT {HOLDER_COLUMNS} FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND classid::bigint = %s AND objid::bigint = %s
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""Finds the connection that holds the advisory lock, given both halves of its key."""

BLOCKER_QUERY: Final = f"""
SELECT {HOLDER_COLUMNS} FROM pg_stat_activity
WHERE pid = ANY (pg_blocking_pids(%s)) ORDER BY xact_start
"""
"""Finds the connections for which another one waits, given the server process of that one."""

FOREIGN_CODE_QUERY: Final = """
SELECT relname, rolname FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) AND rolname <> current_user
AND (relrowsecurity OR relhasrules
OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal)
OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'c')
OR EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid
    AND (indexprs IS NOT NULL OR indpred IS NOT NULL))
OR EXISTS (SELECT FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = pg_class.oid AND (attgenerated <> '' OR typtype = 'd')))
"""
"""Finds tables of other roles that run code of their owner when they are read or written."""

MIN_REPLY_SECONDS: Final = 2
"""How long to wait at least for a reply of the server, which may be far away."""

MAX_TIMEOUT_MILLISECONDS: Final = 2**31 - 1

ENCODINGS: Final = {"UTF8", "SQL_ASCII"}
"""Encodings of a server that can store each text; SQL_ASCII stores bytes as they come."""

MAX_PARAMETER_BYTES: Final = 64 * 2**20
"""Bytes of rows that are one parameter; the server accepts parameters of up to a gigabyte."""

Connection = psycopg.Connection[tuple[Any, ...]]

USE_LZ4_QUERY: Final = """
SELECT set_config(name, 'lz4', true) FROM pg_settings
WHERE name = 'default_toast_compression' AND source = 'default' AND 'lz4' = ANY (enumvals)
"""
"""Compresses long texts with lz4, if the server supports it and no other method is configured.
The default method, pglz, takes a third of the time of a push of analyses."""


@dataclass(slots=True)
class Session:
    """What messages say about a transaction of a connection.

    Parameters
    ----------
    schema, role
        The schema of the store, and the role that reads or writes it.
    process
        The process of the server that executes the transaction.
    holder
        For whom the transaction waits, or waited last.
    overdue
        Whether the server, or a pooler before it, did not begin the transaction in time.
    """

    schema: str = ""
    role: str = ""
    process: int = 0
    holder: str = UNKNOWN_HOLDER
    overdue: bool = False


class PostgresStore(Store):
    """Records in the current schema of a PostgreSQL database.

    A writer takes an advisory lock of its transaction, which the server releases when the
    transaction ends, also if the writer is killed. A reader sees one snapshot. Nothing outlives a
    transaction, and no statement is prepared, so that connections may be pooled by transaction.

    Parameters
    ----------
    url
        URL of the database in the syntax of libpq: ``postgresql://user@host/database``.
    wait
        Seconds to wait for another program, at each lock.

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
        log.info("opening %s", self.location)
        session = Session()
        translate_error = partial(self._store_error, session=session, write=write)
        with (
            # A text that another program stored in another encoding raises a UnicodeError.
            store_errors(translate_error, psycopg.Error, UnicodeError, has_secret=True),
            closing(self._connect()) as database,
            self._watch(database, session),
        ):
            database.isolation_level = (
                # A writer reads what was committed after its transaction began, while it waited
                # for the lock.
                psycopg.IsolationLevel.READ_COMMITTED
                if write
                else psycopg.IsolationLevel.REPEATABLE_READ
            )
            database.autocommit = False
            engine = sa.create_engine(
                "postgresql+psycopg://",
                creator=lambda: database,
                poolclass=sa.NullPool,
                paramstyle="format",
            )
            with self._limit(database, session):
                # SQLAlchemy's first queries, in a transaction that it rolls back.
                database.execute("SET LOCAL search_path = pg_catalog")
                opened = engine.connect()
            with opened as connection:
                self._begin(connection, database, session, write=write)
                schemas = dict.fromkeys(Namespace, session.schema)
                yield PostgresBackend(connection, schemas, self.location, translate_error)
                if write:
                    self._commit(connection)

    def _begin(
        self, connection: sa.Connection, database: Connection, session: Session, *, write: bool
    ) -> None:
        """Begin a transaction; that of a writer has the lock of all writers."""
        wait = LockWait(self.location, self.wait)
        timeout = str(int(min(max(1, self.wait * 1000), MAX_TIMEOUT_MILLISECONDS)))
        while True:
            with self._limit(database, session):
                begun = connection.exec_driver_sql(BEGIN_QUERY, (timeout,)).one()
            session.schema, session.role, session.process = begun[:3]
            if not session.schema:
                raise StoreError(f"{self.location}: no schema in search_path exists")
            if not write:
                return
            number = connection.exec_driver_sql("SELECT hashtext(%s)", (session.schema,))
            key = (LOCK_NUMBER, number.scalar_one())
            lock = connection.exec_driver_sql("SELECT pg_try_advisory_xact_lock(%s, %s)", key)
            if lock.scalar_one():
                connection.exec_driver_sql(USE_LZ4_QUERY)
                return
            unsigned = tuple(half % 2**32 for half in key)
            holders = connection.exec_driver_sql(LOCK_HOLDER_QUERY, unsigned).all()
            connection.rollback()  # so that a pooler can lend the connection in the meantime
            wait.pause(partial(_describe_holder, holders))

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

    def _connect(self) -> Connection:
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=max(MIN_REPLY_SECONDS, int(min(self.wait, 30))),
            application_name="mdfactory",
            client_encoding="utf8",
            prepare_threshold=None,
        )

    @contextmanager
    def _limit(self, database: Connection, session: Session) -> Iterator[None]:
        """Limit the time of the block, which begins a transaction.

        A pooler whose connections are all in use answers nothing, not even to a cancel request.
        """
        seconds = min(max(MIN_REPLY_SECONDS, self.wait), threading.TIMEOUT_MAX)
        timer = threading.Timer(seconds, _interrupt, (database, session))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def _watch(self, database: Connection, session: Session) -> Iterator[None]:
        """Find out in the block of a ``with`` statement for whom the connection waits."""
        ended = threading.Event()
        thread = threading.Thread(
            target=self._find_holders, args=(database, session, ended), daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            ended.set()

    def _find_holders(self, database: Connection, session: Session, ended: threading.Event) -> None:
        was_active = False
        while not ended.wait(SECONDS_BEFORE_WARNING / 2):
            is_active = database.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE
            if is_active and was_active:
                # The holder is for messages only, which are not worth an error.
                with (
                    suppress(psycopg.Error),
                    closing(self._connect()) as other,
                    other.transaction(),
                ):
                    other.execute("SET LOCAL search_path = pg_catalog")  # see BEGIN_QUERY
                    found = other.execute(BLOCKER_QUERY.encode(), (session.process,)).fetchall()
                    holder = _describe_holder(found) if found else session.holder
                    if holder != session.holder and not ended.is_set():
                        log.warning("waiting for %s, which holds %s", holder, self.location)
                    session.holder = holder
            was_active = is_active

    def _store_error(self, error: BaseException, *, session: Session, write: bool) -> StoreError:
        """Return the `StoreError` for an error of the database; the password is masked."""
        if session.overdue or isinstance(error, psycopg.errors.LockNotAvailable):
            waited = max(MIN_REPLY_SECONDS, self.wait) if session.overdue else self.wait
            return lock_error(self.location, waited, session.holder)
        reason = one_line(error)
        if self._password:
            reason = reason.replace(self._password, "***")
        if isinstance(error, psycopg.errors.InsufficientPrivilege) and session.schema:
            reason += f". Let the owner execute: {_grant(session, reason)}"
        action = "written; nothing was changed" if write else "read"
        return StoreError(f"{self.location} cannot be {action}: {reason}")


class PostgresBackend(SqlBackend):
    """The tables of a PostgreSQL schema, which may belong to several roles."""

    insert = staticmethod(postgresql.insert)
    # Texts are compared by their code points, as in all stores, whatever the database's locale.
    text = sa.Text(collation="C")
    integer = sa.BigInteger()

    def home(self) -> str:
        """Return schema and database, and the number of their server, which may have many names."""
        number = "?"
        with suppress(sa.exc.DBAPIError), self._connection.begin_nested():
            number = self._connection.exec_driver_sql(SERVER_QUERY).scalar_one()
        database = self._connection.exec_driver_sql(
            "SELECT pg_catalog.current_database()"
        ).scalar_one()
        schema = self._schemas[Namespace.results]
        return f"PostgreSQL store {database}, schema {schema}, of server {number}"

    @cached_property
    def _owners_of_code(self) -> dict[str, str]:
        """Table that runs code of another role -> that role."""
        schema = self._schemas[Namespace.runs]
        rows = self._connection.exec_driver_sql(FOREIGN_CODE_QUERY, (schema,))
        return {row[0]: row[1] for row in rows}

    def _sql_table(self, table: Table) -> sa.Table:
        """Return a table, unless it would run code of another role with the rights of this one."""
        source = super()._sql_table(table)
        if owner := self._owners_of_code.get(source.name):
            raise StoreError(
                f"{self.location}: the table {source.name} belongs to {owner}, and has triggers, "
                "rules, policies or constraints, which would run with your rights. Remove them, or "
                "make the table yours"
            )
        return source

    def make(self, table: Table) -> None:
        """Create a table, the first one only in a database whose encoding has all characters."""
        if not self.names(table.namespace):
            encoding = self._connection.exec_driver_sql("SHOW server_encoding").scalar_one()
            if encoding not in ENCODINGS:
                raise StoreError(
                    f"{self.location} has the encoding {encoding}, which lacks characters of "
                    "paths and results. Create a database for the store with: "
                    "CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
                )
        super().make(table)

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Insert rows; short ones as one parameter.

        No statement is prepared, so the server parses and plans each one that is executed.
        """
        if table.large or rows.nbytes > MAX_PARAMETER_BYTES:
            super().put(table, rows)
            return
        source = self._sql_table(table)
        select = sa.select(_incoming(source, table.columns, rows.to_pylist()))
        insert = postgresql.insert(source).from_select(table.columns, select)
        self._connection.execute(self._upsert(insert, table))

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Delete the rows with these keys, which are one parameter."""
        if not keys:
            return
        source = self._sql_table(table)
        rows = [dict(zip(table.key, key, strict=True)) for key in keys]
        incoming = _incoming(source, table.key, rows)
        has_key = (source.c[name] == incoming.c[name] for name in table.key)
        self._connection.execute(sa.delete(source).where(*has_key))

    def drop(self, table: Table) -> None:
        """Delete all rows; the empty table stays.

        Only the owner of a table can drop it, and the rights of other roles would go with it.
        """
        self._connection.execute(sa.delete(self._sql_table(table)))


def _incoming(
    source: sa.Table, names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> sa.TableValuedAlias:
    """Return rows with columns of a table, which are one parameter."""
    columns = (sa.column(name, source.c[name].type) for name in names)
    text: sa.BindParameter[str] = sa.bindparam("rows", json.dumps(rows, ensure_ascii=False))
    incoming = sa.func.json_to_recordset(sa.cast(text, postgresql.JSON()))
    return incoming.table_valued(*columns).render_derived("incoming", with_types=True)


def _interrupt(database: Connection, session: Session) -> None:
    """Let a thread that waits for the server go on, with an error."""
    session.overdue, session.holder = True, "other programs, or its server does not answer"
    with suppress(OSError), socket.socket(fileno=os.dup(database.pgconn.socket)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _grant(session: Session, reason: str) -> str:
    """Return the SQL statement that grants the rights that the role lacks."""
    rights = (
        "USAGE, CREATE ON SCHEMA {} TO {}"
        if "for schema" in reason
        else "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}"
    )
    names = sql.Identifier(session.schema), sql.Identifier(session.role)
    return sql.SQL("GRANT " + rights).format(*names).as_string()


def _describe_holder(holders: Sequence[Sequence[Any]]) -> str:
    """Return the user and process that hold a lock, if the server shows them."""
    if not holders:
        return "another program"
    user, where, process = holders[0]
    return f"{user} on {where} (server process {process})"
