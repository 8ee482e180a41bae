"""Index of the content of campaign files, so that unchanged files are not read again.

Reading a BuildInput costs about a hundred times as much as checking that its file has not changed,
and reading a frame a thousand times. The index therefore stores what was read, in an SQLite file
in the user's cache folder. An entry is used under four conditions:

- The file still has the state (size, times, inode) that it had before it was read.
- The file was older than two seconds when its state was taken. A younger file may change again
  without a change of its times, so it gets no entry.
- The checksum of the entry is right. The index is written without waiting for the disk, so a
  crash may damage it.
- The index was written by the same versions of mdfactory and of the libraries whose output it
  stores. Otherwise the whole index is deleted.

The index is optional. If it is damaged, locked or not writable, the files are read instead.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

from mdfactory.config.settings import cache_folder
from mdfactory.config.stems import DEFAULT_STEMS, StemPatterns
from mdfactory.files import create_file, create_folder, find_lock_problem
from mdfactory.version import __version__

log = logging.getLogger(__name__)

FORMAT_VERSION: Final = 8

SETTLED_AFTER_SECONDS: Final = 2.0
"""Smallest age of a file at which any further change is certain to change its times."""

LOCK_TIMEOUT_SECONDS: Final = 5.0
"""Time to wait for another process that writes; then files are read without the index."""

WRITE_BATCH_ENTRIES: Final = 1000
"""Number of new entries that are written in one transaction."""

MAX_READ_AHEAD_ENTRIES: Final = 256
"""Largest number of entries that one query reads."""

MAX_UNUSED_ENTRIES: Final = 8 * MAX_READ_AHEAD_ENTRIES
"""Largest number of entries that were read ahead and are held in memory until they are used."""

TEXT_SEPARATOR: Final = "\x1f"
"""Separator of the texts of one entry; JSON never contains it."""

CREATE_ENTRIES: Final = """
CREATE TABLE IF NOT EXISTS read (
    path TEXT PRIMARY KEY, state TEXT, checked INTEGER, content TEXT,
    long_checked INTEGER, long TEXT
)
"""
SELECT_ENTRIES: Final = """
SELECT path, state, checked, content FROM read WHERE path >= ? ORDER BY path LIMIT ?
"""
SELECT_LONG_TEXT: Final = "SELECT long_checked, long FROM read WHERE path = ?"
INSERT_ENTRY: Final = "INSERT OR REPLACE INTO read VALUES (?, ?, ?, ?, ?, ?)"

Answer = TypeVar("Answer")

Row = tuple[Any, ...]
"""A row of `SELECT_ENTRIES`. A damaged index may hold values of any type."""


class FileState(NamedTuple):
    """State of a file: as long as its key is the same, the file has not changed.

    Parameters
    ----------
    key
        Size, times of the last change of its content and of its metadata, and inode number.
    age
        Time from the last change until the state was taken, in nanoseconds.
    """

    key: str
    age: int

    @property
    def size(self) -> int:
        """Size of the file, in bytes."""
        return int(self.key.split()[0])

    @property
    def changed_ns(self) -> int:
        """Time of the last change of its content, in nanoseconds since 1970."""
        return int(self.key.split()[1])


class IndexEntry(NamedTuple):
    """State of a file, and the texts that were added for it."""

    state: FileState
    texts: list[str]


class ScanIndex:
    """Index of what was read from files. Use it in a ``with`` block.

    Several threads, and several processes, may use an index at the same time.

    Parameters
    ----------
    file
        Path of the index; created if it does not exist.
    settled_after
        Age in seconds below which a file gets no entry.
    lock_timeout
        Seconds to wait for another process that writes.
    """

    def __init__(
        self,
        file: Path,
        *,
        settled_after: float = SETTLED_AFTER_SECONDS,
        lock_timeout: float = LOCK_TIMEOUT_SECONDS,
    ) -> None:
        self._file = file
        self._settled_after_ns = settled_after * 1e9
        self._lock_timeout = lock_timeout
        self._lock = threading.Lock()  # guards the database and the unwritten entries
        self._unwritten: list[Row] = []
        self._read_ahead = _ReadAhead()
        self._database = self._open_database()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Write the new entries, and close the file."""
        self._write()
        with self._lock:
            if self._database:
                self._database.close()
                self._database = None

    def find(self, path: str) -> IndexEntry | None:
        """Return the entry of a file, if the file has not changed since it was read."""
        row = self._read_ahead.pop(path)  # most entries are found here, without the lock
        if row is None:
            row = self._use(partial(self._read_ahead.query, path))
        if row is None:
            return None
        _, stored_key, checksum, content = row
        state, text = file_state_at(path), str(content)
        if not state or state.key != stored_key or checksum != _checksum(path, text):
            return None
        return IndexEntry(state, text.split(TEXT_SEPARATOR))

    def find_long_text(self, path: str, state: FileState) -> str | None:
        """Return the long text of a file's entry, if the entry was added for this state."""
        row = self._use(lambda database: database.execute(SELECT_LONG_TEXT, (path,)).fetchone())
        if row is None:
            return None
        checksum, long_text = row[0], str(row[1])
        return long_text if checksum == _checksum(path, state.key, long_text) else None

    def add(self, path: str, state: FileState, texts: Sequence[str], long_text: str = "") -> None:
        """Add an entry for a file that was older than `settled_after` when its state was taken.

        Parameters
        ----------
        path
            Absolute path of the file.
        state
            State of the file before it was read.
        texts
            Texts that `find` returns.
        long_text
            Text that is not always needed; `find_long_text` returns it.
        """
        content = TEXT_SEPARATOR.join(texts)
        is_splittable = content.count(TEXT_SEPARATOR) < len(texts)  # no text contains it
        if state.age < self._settled_after_ns or not is_splittable:
            return
        checksum = _checksum(path, content)
        long_checksum = _checksum(path, state.key, long_text)
        with self._lock:
            self._unwritten.append((path, state.key, checksum, content, long_checksum, long_text))
            is_full = len(self._unwritten) == WRITE_BATCH_ENTRIES
        if is_full:
            self._write()

    def _open_database(self) -> sqlite3.Connection | None:
        """Open the index; delete and recreate one that is damaged or of another version."""
        for _ in range(2):
            try:
                return self._connect()
            except (sqlite3.Error, OSError) as error:
                log.debug("%s cannot be used: %s", self._file, error)
                if _is_busy(error):  # the index is sound, and another process uses it
                    return None
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
        return None

    def _connect(self) -> sqlite3.Connection:
        create_folder(self._file.parent)
        if not self._file.exists():  # SQLite would not share it with a group
            with suppress(FileExistsError):
                os.close(create_file(self._file))
        database = sqlite3.connect(
            self._file, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._wait_for_locks(database)
            _prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _wait_for_locks(self, database: sqlite3.Connection) -> None:
        """Let a connection wait for other processes, unless the file system has no locks."""
        try:
            database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            if find_lock_problem(self._file) or not _is_busy(error):
                raise
        database.execute(f"PRAGMA busy_timeout = {self._lock_timeout * 1000:.0f}")

    def _use(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
        """Return what a function does with the database; None if the database cannot be used."""
        with self._lock:
            if self._database is None:
                return None
            try:
                return work(self._database)
            except (sqlite3.Error, UnicodeEncodeError) as error:
                log.debug("%s cannot be used: %s", self._file, error)
                if not (_is_busy(error) or isinstance(error, UnicodeEncodeError)):  # it is damaged
                    self._database.close()
                    self._database = None
                    with suppress(OSError):
                        self._file.unlink(missing_ok=True)
                return None

    def _write(self) -> None:
        """Write the new entries in one transaction."""
        with self._lock:
            rows, self._unwritten = self._unwritten, []

        def insert(database: sqlite3.Connection) -> None:
            with database:  # commits, or rolls back
                database.execute("BEGIN IMMEDIATE")
                database.executemany(INSERT_ENTRY, rows)

        if rows:
            self._use(insert)


class _ReadAhead:
    """Entries that were read from the database before they are needed.

    A walk asks for files in the order of their paths, so one query reads the entries of a folder
    and of the folders that follow. Each query reads twice as many entries as the one before, as
    long as at least half of those were used; otherwise the next query reads one entry.

    `pop` may be called at any time, by any thread; `query` by one thread at a time.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}  # path -> row
        self._limit = 1  # number of entries of the last query
        self._used = 1  # number of entries used since then

    def pop(self, path: str) -> Row | None:
        """Return the entry of a file if it was read ahead, and forget it."""
        row = self._rows.pop(path, None)
        if row is not None:
            self._used += 1
        return row

    def query(self, path: str, database: sqlite3.Connection) -> Row | None:
        """Read the entry of a file that was not read ahead, and entries that follow it."""
        if row := self.pop(path):  # another thread may have read it meanwhile
            return row
        was_useful = 2 * self._used >= self._limit
        self._limit = min(MAX_READ_AHEAD_ENTRIES, 2 * self._limit) if was_useful else 1
        self._used = 1  # the entry of this file
        if self._limit > 1:
            folder = path[: path.rindex("/") + 1]  # the next file may precede this one in it
            self._fetch(database, folder, self._limit)
        if path not in self._rows:
            self._fetch(database, path, 1)
        return self._rows.pop(path, None)

    def _fetch(self, database: sqlite3.Connection, start: str, number: int) -> None:
        """Read the entries from a path on; drop the oldest unused ones if there are too many."""
        self._rows |= {row[0]: row for row in database.execute(SELECT_ENTRIES, (start, number))}
        excess = max(0, len(self._rows) - MAX_UNUSED_ENTRIES)
        for path in list(islice(self._rows, excess)):
            self._rows.pop(path, None)  # None: another thread may have popped it


@dataclass(frozen=True, slots=True)
class Reading:
    """Options for reading the folders of a campaign.

    Parameters
    ----------
    index
        Index of what was read before. Default: read every file.
    jobs
        Number of folders, and of results, that are read at the same time. Default: automatic
        (1 on a fast local disk, 8 on a slow file system).
    digests_only
        Whether to read only the digests (`records.tables.DIGEST_ROW_SCHEMA`) of simulations
        and analyses whose files have not changed since they were indexed.
    stems
        Stems of the files of plain GROMACS runs.
    """

    index: ScanIndex | None = None
    jobs: int | None = None
    digests_only: bool = False
    stems: StemPatterns = DEFAULT_STEMS


DEFAULT_READING: Final = Reading(jobs=1)
"""Read every folder, one after the other, without an index."""


@contextmanager
def indexed_reading(
    jobs: int | None = None, *, use_index: bool = True, stems: StemPatterns = DEFAULT_STEMS
) -> Iterator[Reading]:
    """Open the user's index of earlier scans for the block of a ``with`` statement.

    Parameters
    ----------
    jobs, stems
        As for `Reading`.
    use_index
        Whether to use an index; there is none, either, if the user has no folder for caches.
    """
    folder = cache_folder() if use_index else None
    if folder is None:
        yield Reading(None, jobs, stems=stems)
        return
    with ScanIndex(folder / "scan.db") as index:
        yield Reading(index, jobs, stems=stems)


def _prepare(database: sqlite3.Connection) -> None:
    """Create the tables of an index if the database is empty, and check its version.

    The version is that of its format, and of what determines its entries.

    Raises
    ------
    sqlite3.Error
        If the database is damaged, or not an index of this version.
    """
    import pyarrow as pa  # it formats the text of frames

    packages = f"mdfactory {__version__} rdkit {version('rdkit')} pyarrow {pa.__version__}"
    current = f"{FORMAT_VERSION} {packages}"
    if not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        with database:
            database.execute("BEGIN IMMEDIATE")
            # Another process may have created the tables before this transaction began.
            database.execute("CREATE TABLE IF NOT EXISTS meta (version TEXT PRIMARY KEY)")
            database.execute(CREATE_ENTRIES)
            database.execute("INSERT OR REPLACE INTO meta VALUES (?)", (current,))
    database.execute("PRAGMA synchronous = OFF")  # checksums detect damage by a crash
    # There is one version, unless two versions created the index at the same time.
    if database.execute("SELECT version FROM meta").fetchall() != [(current,)]:
        raise sqlite3.DatabaseError("it is of another version, and is recreated")


def file_state(status: os.stat_result) -> FileState:
    """Return the file state from the result of a ``stat`` call that was made just now."""
    changed, changed_metadata = status.st_mtime_ns, status.st_ctime_ns
    key = f"{status.st_size} {changed} {changed_metadata} {status.st_ino}"
    return FileState(key, time.time_ns() - max(changed, changed_metadata))


def file_state_at(path: str) -> FileState | None:
    """Return the state of the file at a path; None if it cannot be examined."""
    try:
        return file_state(os.stat(path))
    except (OSError, ValueError):
        return None


def _checksum(*parts: str) -> int:
    return zlib.crc32("".join(parts).encode("utf-8", "surrogatepass"))


def _is_busy(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
