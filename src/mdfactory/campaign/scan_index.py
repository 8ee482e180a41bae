"""How folders are read: what was read of them before, and how many at once.

Reading a BuildInput costs a hundred times what it costs to see that its file has not changed, and
reading a frame a thousand times. So what was read is kept in an index in the user's cache folder.
It is a convenience: without it all is read again, and whatever is the matter with it, it is thrown
away.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from mdfactory.version import __version__

__all__ = ["PLAIN", "Known", "Reading", "ScanIndex", "Stamp", "stamp", "stamp_at"]

log = logging.getLogger(__name__)

FORMAT: Final = 4

SETTLED_AFTER_SECONDS: Final = 2.0
"""Age of a file from which on another change surely shows in its times."""

HELD: Final = 1000
"""New entries that are held before they are written."""

LOCK_TIMEOUT_SECONDS: Final = 5.0
"""How long another process that writes is waited for, before the index is done without."""

BETWEEN: Final = "\x1f"
"""What stands between texts that are kept together; JSON never holds it."""

FAR: Final = 256
"""Entries that are read at once, as long as most of them are asked for."""

MANY: Final = 8 * FAR
"""Entries that are held until they are asked for."""

Stamp = tuple[int, int, int, int]
"""Size, times of the last change of content and of the file (nanoseconds), inode."""


class Known(NamedTuple):
    """What a file is like, and the texts that were noted of it."""

    stamp: Stamp
    texts: list[str]


class ScanIndex:
    """What was read from files, as long as they have not changed. Close it, or use ``with``.

    It may be used by several threads, and by several processes at once.

    Parameters
    ----------
    file
        Where it is kept; made if it is not there.
    settled_after
        Seconds since the last change of a file, before which what was read of it is not kept:
        it may change again without a change of its times.
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
        self._settled_after = settled_after * 1e9
        self._lock_timeout = lock_timeout
        self._lock = threading.Lock()
        self._fresh: list[tuple[str, *Stamp, int, str, int, str]] = []
        self._ahead: dict[str, tuple[Any, ...]] = {}
        self._width = 1
        self._used = 1
        self._database = self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def find(self, path: str) -> Known | None:
        """Return what a file is like, and what was read from it, if it has not changed since."""
        row = self._ahead.pop(path, None)
        if row is None:
            with self._lock:
                row = self._ask(path)
        else:
            self._used += 1
        if row is None:
            return None
        now, content = stamp_at(path), str(row[5])
        if row[:4] != now or row[4] != _check(path, content):
            return None
        return Known(now, content.split(BETWEEN))

    def find_long(self, path: str, read: Stamp) -> str | None:
        """Return the long text that was noted of a file when it was like this."""
        found: list[tuple[Any, ...]] = []
        with self._lock:
            if self._database:
                try:
                    found = self._database.execute(FIND_LONG, (path,)).fetchall()
                except (sqlite3.Error, UnicodeEncodeError) as error:
                    self._give_up(error)
        long = str(found[0][1]) if found else ""
        return long if found and found[0][0] == _check(path, f"{read}{long}") else None

    def note(self, path: str, read: Stamp, content: Sequence[str], long: str = "") -> None:
        """Keep what was read from a file.

        Parameters
        ----------
        path
            Its absolute path.
        read
            What the file was like before it was read.
        content
            What was read, as texts.
        long
            A text that is not always asked for.
        """
        _, changed, touched, _ = read
        if time.time_ns() - max(changed, touched) < self._settled_after:
            return
        text = BETWEEN.join(content)
        if text.count(BETWEEN) >= len(content):
            return
        row = (path, *read, _check(path, text), text, _check(path, f"{read}{long}"), long)
        with self._lock:
            self._fresh.append(row)
            if len(self._fresh) == HELD:
                self._write()

    def close(self) -> None:
        """Write what is new, and close the file."""
        with self._lock:
            self._write()
            if self._database:
                self._database.close()
                self._database = None

    def _opened(self) -> sqlite3.Connection | None:
        for _ in range(2):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                database = sqlite3.connect(
                    self._file,
                    timeout=self._lock_timeout,
                    isolation_level=None,
                    check_same_thread=False,
                )
                try:
                    if _is_ours(database):
                        return database
                except BaseException:
                    database.close()
                    raise
                database.close()
                log.debug("%s is of another version, and is made anew", self._file)
            except (sqlite3.Error, OSError) as error:
                log.debug("%s cannot be used: %s", self._file, error)
                if _is_busy(error):
                    return None
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
        return None

    def _ask(self, path: str) -> tuple[Any, ...] | None:
        """Return what is kept of a file. Folders are mostly asked for in the order of their paths.

        So the entries of a folder, and of those that follow, are read together.
        """
        if path not in self._ahead and self._database:
            self._width = min(FAR, 2 * self._width) if 2 * self._used >= self._width else 1
            self._used = 0
            try:
                if self._width > 1:
                    self._read(path[: path.rindex("/") + 1], self._width)
                if path not in self._ahead:
                    self._read(path, 1)
            except (sqlite3.Error, UnicodeEncodeError) as error:
                self._give_up(error)
                return None
        self._used += 1
        return self._ahead.pop(path, None)

    def _read(self, start: str, number: int) -> None:
        """Read entries from a path on, and forget what nobody has asked for."""
        rows = self._database.execute(FIND, (start, number)) if self._database else ()
        for row in rows:
            self._ahead[row[0]] = row[1:]
        for path in list(islice(self._ahead, max(0, len(self._ahead) - MANY))):
            self._ahead.pop(path, None)

    def _write(self) -> None:
        fresh, self._fresh = self._fresh, []
        if self._database is None or not fresh:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(PUT, fresh)
            self._database.execute("COMMIT")
        except (sqlite3.Error, UnicodeEncodeError) as error:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Do without the index from here on; a damaged one is thrown away."""
        log.debug("%s cannot be used: %s", self._file, error)
        if self._database is None or _is_busy(error) or isinstance(error, UnicodeEncodeError):
            return
        self._database.close()
        self._database = None
        with suppress(OSError):
            self._file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Reading:
    """How folders are read.

    Parameters
    ----------
    index
        What was read before; nothing is taken from before if None.
    jobs
        Number of folders, and of results, that are read at once; as many as pay if None: one
        where reading does not wait, more on a slow file system.
    brief
        Whether of a record that was read before, and whose files have not changed, only what
        `records.tables.DIGEST_ROW_SCHEMA` says is of interest.
    """

    index: ScanIndex | None = None
    jobs: int | None = None
    brief: bool = False


PLAIN: Final = Reading(jobs=1)
"""Read all folders, one after the other."""


def _is_ours(database: sqlite3.Connection) -> bool:
    """Whether an index is one that this program has made, or is new; it is then ours."""
    import pyarrow as pa  # which writes the text of frames

    ours = f"{FORMAT} mdfactory {__version__} rdkit {version('rdkit')} pyarrow {pa.__version__}"
    if not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE IF NOT EXISTS meta (version TEXT PRIMARY KEY)")
        database.execute(MAKE)
        database.execute("INSERT OR REPLACE INTO meta VALUES (?)", (ours,))
        database.execute("COMMIT")
    database.execute("PRAGMA synchronous = OFF")  # what a crash damages is found, and thrown away
    versions = database.execute("SELECT version FROM meta").fetchall()
    database.execute(FIND, ("", 1))
    database.execute(FIND_LONG, ("",))
    return versions == [(ours,)]


MAKE: Final = """
CREATE TABLE IF NOT EXISTS read (
    path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, ctime INTEGER, inode INTEGER,
    checked INTEGER, content TEXT, long_checked INTEGER, long TEXT
)
"""
FIND: Final = """
SELECT path, size, mtime, ctime, inode, checked, content FROM read
WHERE path >= ? ORDER BY path LIMIT ?
"""
FIND_LONG: Final = "SELECT long_checked, long FROM read WHERE path = ?"
PUT: Final = "INSERT OR REPLACE INTO read VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def stamp(status: os.stat_result) -> Stamp:
    """Return what tells a file that has changed."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, _signed(status.st_ino)


def stamp_at(path: str) -> Stamp | None:
    """Return what a file is like; None if that cannot be known."""
    try:
        return stamp(os.stat(path))
    except (OSError, ValueError):
        return None


def _signed(number: int) -> int:
    """Return a number of 64 bits as SQLite keeps it."""
    return number - 2**64 if number >= 2**63 else number


def _check(path: str, content: str) -> int:
    return zlib.crc32((path + content).encode("utf-8", "surrogatepass"))


def _is_busy(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
