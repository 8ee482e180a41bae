"""The SQLite store: two files, opened so that a kill or a network disk does no harm."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite as dialect

from mdfactory.errors import MDFactoryError, StoreError, StoreLockedError
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.sql.backend import SqlTransaction
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction

__all__ = ["SqliteStore"]

log = logging.getLogger(__name__)

USER_VERSION: Final = 1
"""``PRAGMA user_version`` of the files of all installations."""

FIRST_LOCK_BYTE: Final = 0x40000000
"""Where SQLite locks a database file (``PENDING_BYTE`` of its file format, section 1.3.4)."""


class SqliteStore(Store):
    """Records in two SQLite files, or in one if both paths name the same.

    A writer holds both files with ``BEGIN IMMEDIATE`` in ``journal_mode=DELETE``: that is
    safe on network file systems and commits two files at once; WAL does neither.

    Parameters
    ----------
    runs
        File of ``RUN_DATABASE``.
    results
        File of the overview, analysis and artifact tables.
    wait
        Seconds to wait for another program that holds a file.
    """

    def __init__(self, runs: Path, results: Path, *, wait: float = 60.0) -> None:
        self.location = f"SQLite store {runs}"
        self.wait = wait
        self._paths = {Namespace.runs: runs, Namespace.results: results}

    def owns(self, path: Path) -> bool:
        """Whether a file is one of the two."""
        return os.path.realpath(path) in map(os.path.realpath, self._paths.values())

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:
        deadline = time.monotonic() + self.wait
        outside: list[BaseException] = []
        with self._translated(outside, write=write):
            files, schemas = self._layout(create)
            frozen = {
                path: _state(path) for path in files.values() if not write and _is_frozen(path)
            }
            database = self._connect(files, deadline, write=write, create=bool(create))
            engine = sa.create_engine("sqlite://", creator=lambda: database, poolclass=sa.NullPool)
            with engine.connect() as connection:
                self._patiently(lambda: _begin(database, files, write=write), deadline)
                try:
                    told = partial(self._error, write=write)
                    yield SqliteTransaction(connection, schemas, self.location, told)
                except OSError as error:  # of whoever uses the transaction
                    outside.append(error)
                    raise
                self._patiently(lambda: database.execute("COMMIT"), deadline)
            if any(_state(path) != state for path, state in frozen.items()):
                raise StoreError(
                    f"{self.location} was written while it was read, and you may not take the "
                    "lock that would have kept the two apart. Try again"
                )

    def _layout(
        self, create: Collection[Namespace]
    ) -> tuple[dict[str, Path], dict[Namespace, str]]:
        """Return the files to open by the name of their schema, and the schema of each place.

        The first is SQLite's ``main``: only with a file there are several committed at once.
        """
        files: dict[str, Path] = {}
        schemas: dict[Namespace, str] = {}
        for namespace, path in self._paths.items():
            if namespace in create:
                path.parent.mkdir(parents=True, exist_ok=True)
            elif not path.exists():
                continue
            opened = {Path(os.path.realpath(file)): schema for schema, file in files.items()}
            schema = opened.get(Path(os.path.realpath(path)), namespace.value if files else "main")
            files.setdefault(schema, path)
            schemas[namespace] = schema
        return files, schemas

    def _connect(
        self, files: Mapping[str, Path], deadline: float, *, write: bool, create: bool
    ) -> sqlite3.Connection:
        modes = {schema: _mode(path, write=write, create=create) for schema, path in files.items()}
        uris = {
            schema: f"{path.absolute().as_uri()}?{modes[schema]}" for schema, path in files.items()
        }
        log.info("opening %s", ", ".join(str(path) for path in files.values()))
        database = sqlite3.connect(
            uris.pop("main", ":memory:"),
            uri=True,
            isolation_level=None,
            timeout=0,
            cached_statements=0,  # each would keep the values that it was given last
        )
        try:
            for schema, uri in uris.items():
                attach = partial(database.execute, f"ATTACH ? AS {schema}", (uri,))
                self._patiently(attach, deadline)
            if write:
                for schema in files:
                    self._patiently(partial(_leave_wal, database, schema), deadline)
        except BaseException:
            database.close()
            raise
        return database

    def _patiently(self, action: Callable[[], object], deadline: float) -> None:
        """Try until no other program is in the way.

        SQLite's own wait is not used: it cannot be interrupted from the keyboard.
        """
        patience = time.monotonic() + 1
        while True:
            try:
                action()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() >= deadline:
                    raise StoreLockedError(
                        f"{self.location} is held by {_holder(self._paths.values())}; waited "
                        f"{self.wait:g} s. Try again later, or wait longer with --wait SECONDS"
                    ) from error
                if time.monotonic() >= patience:
                    patience = deadline
                    log.warning("waiting for %s", _holder(self._paths.values()))
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311  # jitter, no secret
            else:
                return

    @contextmanager
    def _translated(self, outside: list[BaseException], *, write: bool) -> Iterator[None]:
        """Turn errors of the database into ours, but not those that came from outside."""
        try:
            yield
        except MDFactoryError:
            raise
        except sa.exc.DBAPIError as error:
            raise self._error(error.orig or error, write=write) from error
        except (sqlite3.Error, OSError) as error:
            if error in outside:
                raise
            raise self._error(error, write=write) from error

    def _error(self, error: BaseException, *, write: bool) -> StoreError:
        files = ", ".join(dict.fromkeys(str(path) for path in self._paths.values()))
        doing = "written; nothing was changed" if write else "read"
        return StoreError(f"{files}: the SQLite store cannot be {doing}: {error}")


class Untyped(sa.types.UserDefinedType[Any]):
    """A column without a type, as existing installations make them.

    Without a type SQLite keeps each value as it was put; a hash of digits stays a text.
    """

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the empty type name."""
        return ""


class SqliteTransaction(SqlTransaction):
    """A transaction on SQLite files."""

    insert = staticmethod(dialect.insert)
    text = integer = Untyped()

    def make(self, table: Table) -> None:
        """Create a table; a new file gets the version that existing installations expect."""
        super().make(table)
        self._connection.exec_driver_sql(
            f"PRAGMA {self._schemas[table.namespace]}.user_version = {USER_VERSION}"
        )


def _mode(path: Path, *, write: bool, create: bool) -> str:
    """Return the URI parameters to open a file with.

    A reader opens for writing where it may, so that SQLite can roll back what a killed
    writer left. Where it may not, a file that was left in WAL mode, with nothing in its
    log, can only be read as immutable.
    """
    if write:
        return "mode=rwc" if create else "mode=rw"
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw"
    return "mode=ro&immutable=1" if _is_frozen(path) else "mode=ro"


def _is_frozen(path: Path) -> bool:
    """Whether a file that we may not write is in WAL mode, with nothing in its log.

    The mode stands in the header (SQLite file format, section 1.3.3).
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return False
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2" and not _log(path).exists()


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _state(path: Path) -> tuple[int, int, bool]:
    """Return what changes if another program writes a file."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size, _log(path).exists()


def _begin(database: sqlite3.Connection, files: Collection[str], *, write: bool) -> None:
    """Lock all files, for writing or for reading, or none."""
    database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        for schema in files:
            database.execute(f"SELECT 1 FROM {schema}.sqlite_master LIMIT 1").fetchall()
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _leave_wal(database: sqlite3.Connection, schema: str) -> None:
    """Switch a file that an existing installation left in WAL mode."""
    if database.execute(f"PRAGMA {schema}.journal_mode").fetchone()[0] == "wal":
        log.info("switching %s from WAL to a rollback journal", schema)
        database.execute(f"PRAGMA {schema}.journal_mode = DELETE").fetchone()


def _holder(paths: Collection[Path]) -> str:
    """Name the program that has locked one of the files for writing, where that can be known.

    Linux lists the locks of this machine in ``/proc/locks``; a lock held on another machine
    of a network file system is not among them.
    """
    try:
        inodes = {str(path.stat().st_ino) for path in paths if path.exists()}
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            _, _, _, _, process, inode, start, *_ = line.replace("->", "").split()
            if process == str(os.getpid()):
                continue
            if inode.rpartition(":")[2] in inodes and int(start) >= FIRST_LOCK_BYTE:
                command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ")
                return f"process {process} ({command.decode(errors='replace').strip()})"
    except (OSError, ValueError):
        log.debug("no list of locks", exc_info=True)
    return "another program"
