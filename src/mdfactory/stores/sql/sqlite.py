"""The SQLite store: two files, safe against kills and on network file systems."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from shlex import quote
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite as dialect

from mdfactory.errors import StoreError
from mdfactory.files import (
    create_file,
    create_folder,
    drop_other_names,
    find_lock_problem,
    find_sticky_owner,
    is_shared,
    user_name_of,
)
from mdfactory.locking import UNKNOWN_HOLDER, LockWait, public_command
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.backend import Backend
from mdfactory.stores.sql.backend import SqlBackend, store_errors
from mdfactory.stores.sql.super_journal import journal_path, recover_moved_commit
from mdfactory.stores.store import Store

log = logging.getLogger(__name__)

USER_VERSION: Final = 1
"""``PRAGMA user_version`` of the files; the value that existing installations expect."""

PRIMARY_CODE: Final = 0xFF
"""The bits of an error of SQLite that are its kind; the others are the details."""

REASONS: Final = {
    sqlite3.SQLITE_READONLY: (
        "you have no permission to write these files, or to create others in their folder"
    ),
    sqlite3.SQLITE_CORRUPT: "a file is damaged",
}
"""Error of SQLite -> what users read of it; the texts of others say it."""

FIRST_LOCK_BYTE: Final = 0x40000000
"""Offset of the first byte that SQLite locks (``PENDING_BYTE``, file format, section 1.3.4)."""


class SqliteStore(Store):
    """Records in two SQLite files, or in one if both paths name the same.

    A writer locks both files with ``BEGIN IMMEDIATE`` in ``journal_mode=DELETE``. That mode is
    safe on network file systems and commits two files atomically. WAL mode is neither safe there
    nor atomic over two files.

    Parameters
    ----------
    runs
        File of the simulations.
    results
        File of the overview, the analyses and the artifacts.
    wait
        Seconds to wait for another program that has locked a file.
    """

    def __init__(self, runs: Path, results: Path, *, wait: float = 60.0) -> None:
        self.location = f"SQLite store {runs}"
        self.wait = wait
        self._paths = {Namespace.runs: runs, Namespace.results: results}
        self.paths = (runs, results)

    def owns(self, path: Path) -> bool:
        """Whether this is one of the two files."""
        return os.path.realpath(path) in map(os.path.realpath, self._paths.values())

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:
        wait = LockWait(self.location, self.wait)
        translate_error = partial(self._store_error, write=write)
        with ExitStack() as stack:
            with store_errors(translate_error, sqlite3.Error, OSError):
                files, schemas = self._choose_schemas(create)
                recover_moved_commit(list(files.values()))
                states_without_lock = {
                    path: _file_state(path)
                    for path in files.values()
                    if not write and _cannot_be_locked(path)
                }
                database = self._connect(files, wait, write=write)
                engine = sa.create_engine(
                    "sqlite://", creator=lambda: database, poolclass=sa.NullPool
                )
                connection = stack.enter_context(engine.connect())
                self._retry(lambda: _begin(database, files, write=write), wait)
                # SQLite would complete the commit, and then fail to remove the journal.
                if write and (obstacle := self._find_obstacle()):
                    raise StoreError(f"{self.location}: nothing was changed: {obstacle}")
            # An OSError of the caller's block, such as a full disk, is none of the store.
            with (
                store_errors(translate_error, sqlite3.Error),
                _group_journals(files.values() if write else ()),
            ):
                yield SqliteBackend(connection, schemas, self.location, translate_error)
            with store_errors(translate_error, sqlite3.Error, OSError):
                commit_wait = LockWait(self.location, self.wait)  # the write may have taken longer
                self._retry(lambda: database.execute("COMMIT"), commit_wait)
        if any(_file_state(path) != state for path, state in states_without_lock.items()):
            raise StoreError(
                f"{self.location} was written by another program while it was read; it could "
                "not be locked, because you have no permission to write it. Try again"
            )

    def _choose_schemas(
        self, create: Collection[Namespace]
    ) -> tuple[dict[str, Path], dict[Namespace, str]]:
        """Choose the SQLite schema of each file; two paths of the same file get one schema.

        The first file becomes ``main``: SQLite commits attached files atomically only if ``main``
        is a file too.

        Returns
        -------
        files : dict
            Schema -> file, for the files that exist or may be created.
        schemas : dict
            Namespace -> schema.
        """
        files: dict[str, Path] = {}
        schemas: dict[Namespace, str] = {}
        for namespace, path in self._paths.items():
            if path.exists() and not path.is_file():  # SQLite would wait for a pipe
                raise StoreError(f"{path} is not a file, so it is not part of a SQLite store")
            if namespace in create:
                _create_file(path)
            elif not path.exists():
                continue
            schema_by_path = {os.path.realpath(file): schema for schema, file in files.items()}
            new_schema = namespace.value if files else "main"
            schemas[namespace] = schema_by_path.get(os.path.realpath(path), new_schema)
            files.setdefault(schemas[namespace], path)
        return files, schemas

    def _connect(
        self, files: Mapping[str, Path], wait: LockWait, *, write: bool
    ) -> sqlite3.Connection:
        """Open the first file, attach the others and, if `write`, switch them from WAL mode."""
        for path in files.values():
            _share_wal_files(path)
        uris = {schema: _build_uri(path, write=write) for schema, path in files.items()}
        log.info("opening %s", ", ".join(str(path) for path in files.values()))
        database = sqlite3.connect(
            uris.pop("main", ":memory:"),
            uri=True,
            isolation_level=None,
            timeout=0,
            cached_statements=0,  # a cached statement keeps the values it was last executed with
        )
        try:
            for schema, uri in uris.items():
                attach = partial(database.execute, f"ATTACH ? AS {schema}", (uri,))
                self._retry(attach, wait)
            if write:
                for schema, path in files.items():
                    self._retry(partial(_leave_wal_mode, database, schema), wait)
                    self._retry(partial(_fill_empty_file, database, schema, path), wait)
        except BaseException:
            database.close()
            raise
        return database

    def _retry(self, action: Callable[[], object], wait: LockWait) -> None:
        """Repeat an action as long as another program has locked a file.

        SQLite's own busy timeout is not used: it cannot be interrupted with Ctrl-C.

        Raises
        ------
        StoreLockedError
            If the file is still locked at the time limit.
        StoreError
            If the file system has no locks.
        """
        while True:
            try:
                action()
            except sqlite3.OperationalError as error:
                self._check_locks()
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                wait.pause(partial(_find_lock_holder, self._paths.values()))
            else:
                return

    def _check_locks(self) -> None:
        """Raise an error if the file system has no locks: SQLite does not tell."""
        for path in self.paths:
            if path.exists() and (problem := find_lock_problem(path)):
                raise StoreError(f"{path} cannot be locked, nothing was changed: {problem}")

    def _store_error(self, error: BaseException, *, write: bool) -> StoreError:
        """Return the `StoreError` for an error of the database or its files."""
        files = ", ".join(dict.fromkeys(str(path) for path in self._paths.values()))
        action = "written; nothing was changed" if write else "read"
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE
        reason = REASONS.get(code, str(error))
        if isinstance(error, OSError) and error.filename and error.strerror:
            reason = f"{error.filename}: {error.strerror}"
        reasons = filter(None, [reason, self._find_obstacle()])
        return StoreError(f"{files}: the SQLite store cannot be {action}: {'. '.join(reasons)}")

    def _find_obstacle(self) -> str:
        """Return what to do about a file that this user may not use or remove; else empty."""
        return next(filter(None, map(_find_obstacle, self._paths.values())), "")


class Untyped(sa.types.UserDefinedType[Any]):
    """Column without a type, as in the tables of existing installations.

    SQLite stores values in such a column unchanged: a hash that consists of digits stays a text.
    """

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the empty type name."""
        return ""


class SqliteBackend(SqlBackend):
    """The tables of SQLite files."""

    insert = staticmethod(dialect.insert)
    text = integer = Untyped()

    def home(self) -> str:
        """Return the file of the artifacts, with symlinks resolved."""
        schema = self._schemas.get(Namespace.results, "")
        files = self._connection.exec_driver_sql("PRAGMA database_list").all()
        paths = [os.path.realpath(path) for _, name, path in files if name == schema]
        return f"SQLite store {paths[0]}" if paths else self.location

    def make(self, table: Table) -> None:
        """Create a table, and set the user version of its file."""
        super().make(table)
        self._connection.exec_driver_sql(
            f"PRAGMA {self._schemas[table.namespace]}.user_version = {USER_VERSION}"
        )


def _create_file(path: Path) -> None:
    """Create an empty file, with access for a group that can write its folder."""
    create_folder(path.parent)
    file = Path(os.path.realpath(path))
    if not file.exists():
        with suppress(FileExistsError):
            os.close(create_file(file))
    drop_other_names(file)


@contextmanager
def _group_journals(files: Collection[Path]) -> Iterator[None]:
    """Create the journals of locked files for the block, if a group can write their folder.

    A journal that SQLite creates has at first the mode of the umask, then that of its file, and
    its group only if the folder has the set-group-ID bit. The group must read it if the writer is
    killed, whenever that is.
    """
    journals = [journal_path(Path(os.path.realpath(file))) for file in files]
    created = []
    for journal in journals:
        if is_shared(journal.parent):
            with suppress(OSError):
                os.close(create_file(journal))
                created.append(journal)
    try:
        yield
    finally:
        # The lock is still held: an empty journal is one that SQLite has not needed.
        for journal in created:
            with suppress(FileNotFoundError):
                if not journal.stat().st_size:
                    journal.unlink()


def _build_uri(path: Path, *, write: bool) -> str:
    """Return the SQLite URI of a file, with the mode to open it in.

    A reader also opens the file for writing if permitted: SQLite must write to roll back the
    transaction of a killed writer.
    """
    if write or _is_writable(path):
        mode = "mode=rw"
    else:
        mode = "mode=ro&immutable=1" if _cannot_be_locked(path) else "mode=ro"
    return f"{path.absolute().as_uri()}?{mode}"


def _is_writable(path: Path) -> bool:
    """Whether this process may write a file and create SQLite's journal next to it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _cannot_be_locked(path: Path) -> bool:
    """Whether a file can only be read as immutable, which takes no lock.

    Such a file is in WAL mode, has no WAL file, and is not writable for this process. The mode is
    in the header (SQLite file format, section 1.3.3).
    """
    return not _is_writable(path) and _is_in_wal_mode(path) and not _wal_path(path).exists()


def _is_in_wal_mode(path: Path) -> bool:
    return os.pread(_open_header(path, path.stat().st_ino), 2, 18) == b"\2\2"


@cache
def _open_header(path: Path, _inode: int) -> int:
    """Open a file for reading its header, and leave it open.

    To close it would release the locks that SQLite holds on it in this process (fcntl(2)).
    """
    return os.open(path, os.O_RDONLY)


def _share_wal_files(path: Path) -> None:
    """Create the files of a database in WAL mode, if a group can write its folder.

    Those that SQLite creates do not belong to the group. If a reader or writer is killed, they are
    left, and nobody can open the database who cannot open them.
    """
    if is_shared(path.parent) and _is_writable(path) and _is_in_wal_mode(path):
        real = Path(os.path.realpath(path))
        for file in (_wal_path(real), _shm_path(real)):
            with suppress(OSError):
                os.close(create_file(file))


def _wal_path(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _shm_path(path: Path) -> Path:
    return path.with_name(f"{path.name}-shm")


def _find_obstacle(path: Path) -> str:
    """Return what to do about a file beside a database that this user may not use or remove.

    Empty if there is none. A file is left there if a command is interrupted.
    """
    real = Path(os.path.realpath(path))
    for file in (journal_path(real), _wal_path(real), _shm_path(real)):
        if owner := find_sticky_owner(file):
            return (
                f"{file} can be removed by {owner} only, because its folder is sticky. The owner "
                f"of the folder can change that: chmod -t {quote(str(file.parent))}"
            )
        if os.path.exists(file) and not os.access(file, os.R_OK | os.W_OK):
            names = f"--reference={quote(str(real))} {quote(str(file))}"
            return (
                f"{file} belongs to {user_name_of(file)}, who can give access to it: "
                f"chgrp {names} && chmod {names}"
            )
    return ""


def _file_state(path: Path) -> tuple[int, int, bool]:
    """Return modification time, size, and whether the file has a WAL file."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size, _wal_path(path).exists()


def _begin(database: sqlite3.Connection, schemas: Collection[str], *, write: bool) -> None:
    """Begin a transaction, and lock all files for writing or for reading."""
    database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        # BEGIN alone takes no read lock; the first SELECT on each file does.
        for schema in schemas:
            database.execute(f"SELECT 1 FROM {schema}.sqlite_master LIMIT 1").fetchall()
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _leave_wal_mode(database: sqlite3.Connection, schema: str) -> None:
    """Switch a file to a rollback journal; existing installations use WAL mode."""
    if database.execute(f"PRAGMA {schema}.journal_mode").fetchone()[0] == "wal":
        log.info("switching %s from WAL to a rollback journal", schema)
        # The page with the mode is written without a journal, which SQLite would create for its
        # owner alone.
        database.execute(f"PRAGMA {schema}.journal_mode = MEMORY").fetchone()
        database.execute(f"PRAGMA {schema}.journal_mode = DELETE").fetchone()


def _fill_empty_file(database: sqlite3.Connection, schema: str, path: Path) -> None:
    """Make an empty file a database without tables, by a write of one page, without a journal.

    SQLite creates the journal of an empty file as soon as a writer locks it. That is too early for
    `_group_journals`, which needs the lock.
    """
    if path.stat().st_size:
        return
    database.execute(f"PRAGMA {schema}.journal_mode = MEMORY").fetchone()
    try:
        database.execute(f"PRAGMA {schema}.user_version = {USER_VERSION}")
    finally:
        database.execute(f"PRAGMA {schema}.journal_mode = DELETE").fetchone()


def _find_lock_holder(paths: Collection[Path]) -> str:
    """Return the process that has locked one of the files, or "another program" if unknown.

    Linux lists the locks of this machine in ``/proc/locks``, but not the locks that other machines
    hold on a network file system.
    """
    try:
        inodes = {str(path.stat().st_ino) for path in paths if path.exists()}
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            _, _, _, _, process, inode, start, *_ = line.replace("->", "").split()
            if process == str(os.getpid()):
                continue
            if inode.rpartition(":")[2] in inodes and int(start) >= FIRST_LOCK_BYTE:
                command_line = Path(f"/proc/{process}/cmdline").read_text(errors="replace")
                return f"process {process} ({public_command(command_line.split(chr(0)))})"
    except (OSError, ValueError):
        log.debug("cannot read /proc/locks", exc_info=True)
    return UNKNOWN_HOLDER
