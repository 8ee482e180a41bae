"""Recovery of a commit to two files that were moved after their writer was killed.

SQLite commits two files with a *super-journal*: a file that lists the rollback journals of both.
Each journal ends with the absolute path of the super-journal. While it exists, the commit is not
complete, and the next reader rolls both files back. To delete it completes the commit. Under
another path, SQLite does not find the super-journal, takes the commit for complete, and deletes the
journals: half of the commit stays. Source: https://www.sqlite.org/atomiccommit.html, sections 5 and
6; the layout of the path in a journal is that of ``writeSuperJournal`` in SQLite's ``pager.c``.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mdfactory.errors import StoreError
from mdfactory.files import UnreadableError, open_regular_file, read_file

log = logging.getLogger(__name__)

JOURNAL_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")
"""The last eight bytes of a journal that names a super-journal."""

TRAILER: Final = struct.Struct(">II8s")
"""Length and checksum of the path, then the magic number; the path precedes them."""

PAGE_NUMBER_BYTES: Final = 4
"""Size of the page number that precedes the path."""

SUPER_JOURNAL_NAME: Final = re.compile(rb"/[^/]+-mj[0-9A-F]{9}\Z")
"""End of the path of a super-journal (``vdbeCommit`` in SQLite's ``vdbeaux.c``)."""

MAX_SUPER_JOURNAL_BYTES: Final = 2**20

LOCK_BYTES: Final = (0x40000000, 512)
"""Offset and number of the bytes that SQLite locks (file format, section 1.3.4)."""


@dataclass(frozen=True, slots=True)
class Journal:
    """A rollback journal that names a super-journal.

    Parameters
    ----------
    database
        The database file.
    super_journal
        Path of the super-journal when the journal was written.
    end
        Size of the journal without the path of the super-journal, in bytes.
    """

    database: Path
    super_journal: Path
    end: int

    @property
    def path(self) -> Path:
        """Path of the journal."""
        return journal_path(self.database)


def journal_path(database: Path) -> Path:
    """Return the path of the rollback journal of a database."""
    return database.with_name(f"{database.name}-journal")


def recover_moved_commit(databases: Collection[Path]) -> None:
    """Recover from a commit that was killed before its files were moved.

    SQLite itself recovers from a commit whose files were not moved. What is left to do is a commit
    whose files were moved before it was complete. Then the journals are cut so that they no longer
    name the super-journal, and SQLite rolls each file back by its own journal.

    Parameters
    ----------
    databases
        The database files; SQLite's ``main`` is the first of them.

    Raises
    ------
    StoreError
        If it cannot be told whether the commit was complete, or if the files cannot be written.
    """
    journals = _read_journals(databases)
    if not journals:
        return
    home = _home(databases)
    if all(_is_in_place(journal, home) for journal in journals):
        return
    with _lock_all([journal.database for journal in journals]) as is_locked:
        # A live writer under another path leaves the same traces. It holds a lock.
        journals = _read_journals(databases) if is_locked else []
        for super_journal in {journal.super_journal for journal in journals}:
            group = [journal for journal in journals if journal.super_journal == super_journal]
            if not all(_is_in_place(journal, home) for journal in group):
                _recover(group, home, databases)


def _recover(journals: Sequence[Journal], home: Path, databases: Collection[Path]) -> None:
    """Roll back one commit whose files were moved, or refuse to judge it."""
    old = journals[0].super_journal
    beside = home / old.name
    members = _read_members(beside) or _read_members(old)
    have_all = all(journal_path(Path(os.path.realpath(file))).exists() for file in databases)
    # A commit names the super-journal in all journals before it is complete, and deletes the
    # journals afterwards. If one of them is missing, another program may have opened its database
    # alone, and have taken the commit for complete.
    is_incomplete = have_all and (
        len(journals) < len(databases) or (members is not None and len(members) <= len(databases))
    )
    # SQLite creates super-journals for their owner, with the permissions that the umask leaves.
    is_unread_in_place = members == () and os.path.realpath(old.parent) == str(home)
    if is_incomplete or is_unread_in_place:
        log.warning("rolling back a write to %s that was interrupted", journals[0].database.parent)
        for journal in journals:
            _cut(journal)
        beside.unlink(missing_ok=True)
        return
    names = ", ".join(str(journal.path) for journal in journals)
    missing = old.name if members is None else "the journals of all files that it wrote"
    raise StoreError(
        f"a write to {old.parent} was interrupted, and its files were moved or copied to {home}; "
        f"whether it was complete cannot be told without {missing}. Copy the whole folder again. "
        f"If it has no file {old.name}, the write was complete: delete {names}"
    )


def _is_in_place(journal: Journal, home: Path) -> bool:
    """Whether SQLite finds what it needs: a journal, and its super-journal, were not moved.

    A super-journal lists the journals. Without it the commit is complete.
    """
    members = _read_members(journal.super_journal)
    if members is None:
        return os.path.realpath(journal.super_journal.parent) == str(home)
    return os.path.realpath(journal.path) in map(os.path.realpath, members)


def _read_members(super_journal: Path) -> Collection[str] | None:
    """Return the paths of the journals that a super-journal lists.

    Returns
    -------
    collection of str or None
        Empty if it cannot be read, None if it does not exist.
    """
    try:
        content, _ = read_file(super_journal, MAX_SUPER_JOURNAL_BYTES)
    except UnreadableError as error:
        return None if isinstance(error.__cause__, FileNotFoundError) else ()
    return tuple(os.fsdecode(path) for path in content.split(b"\0") if path)


def _read_journals(databases: Collection[Path]) -> list[Journal]:
    """Return the journals of databases that name a super-journal."""
    # SQLite puts the journal of a linked file beside the target.
    journals = (_read_journal(Path(os.path.realpath(database))) for database in databases)
    return [journal for journal in journals if journal]


def _home(databases: Collection[Path]) -> Path:
    """Return the folder of SQLite's ``main``, in which it creates super-journals."""
    return Path(os.path.realpath(next(iter(databases)))).parent


def _read_journal(database: Path) -> Journal | None:
    """Return the journal of a database if there is one that names a super-journal.

    Raises
    ------
    StoreError
        If somebody else than SQLite has created it.
    """
    path = journal_path(database)
    try:
        with open(open_regular_file(path, follow_link=False), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TRAILER.size))
            trailer = file.read(TRAILER.size)
            if len(trailer) < TRAILER.size:
                return None
            length, checksum, magic = TRAILER.unpack(trailer)
            end = size - TRAILER.size - length - PAGE_NUMBER_BYTES
            if magic != JOURNAL_MAGIC or end < 0 or not length:
                return None
            file.seek(end + PAGE_NUMBER_BYTES)
            name = file.read(length)
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        raise StoreError(f"{path} is no journal of SQLite: delete it") from error
    if len(name) < length or b"\0" in name:  # a live writer has changed the journal meanwhile
        return None
    # The checksum is a sum of C's char, which is signed on some machines.
    signed = struct.unpack(f"{length}b", name)
    if checksum not in {sum(name) % 2**32, sum(signed) % 2**32}:
        return None
    # SQLite deletes the file that a journal names, whatever it is.
    if not SUPER_JOURNAL_NAME.search(name):
        raise StoreError(
            f"{path} was not written by SQLite: it names {os.fsdecode(name)!r} as a journal. "
            "Delete it"
        )
    return Journal(database, Path(os.fsdecode(name)), end)


def _cut(journal: Journal) -> None:
    """Cut a journal so that it no longer names a super-journal, and flush it to disk."""
    handle = os.open(journal.path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        os.ftruncate(handle, journal.end)
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _lock_all(databases: Collection[Path]) -> Iterator[bool]:
    """Try to lock databases exclusively against SQLite, also in this process; yield the success."""
    handles: list[int] = []
    is_locked = True
    try:
        for database in databases:
            handle = os.open(database, os.O_RDWR)
            if not _try_lock(handle):
                # The handle stays open: to close it would release the locks that SQLite holds on
                # this file in this process (fcntl(2)).
                is_locked = False
                break
            handles.append(handle)
        yield is_locked
    finally:
        for handle in handles:
            os.close(handle)


def _try_lock(handle: int) -> bool:
    start, length = LOCK_BYTES
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    try:
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, lock)
    except BlockingIOError:
        return False
    return True
