"""How files of CSV stores are replaced together: a lock, and a record of what is to be renamed.

New files are staged in a hidden folder beside those that they replace. Then a record of the
renames is put into that folder: from there on the write is done, and whoever comes next
finishes the renames if the writer did not; readers take a staged file for the one that it
replaces. A write over two folders has a record in each: the second one counts if and only if
the first one has its id.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import random
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from mdfactory.errors import StoreError, StoreLockedError, StoreVersionError, one_line
from mdfactory.stores.csv.text import write
from mdfactory.stores.locking import Patience

__all__ = ["Change", "Folder", "commit", "recover", "redirected"]

log = logging.getLogger(__name__)

FORMAT: Final = 1
"""Version of the records of commits."""

STAGED: Final = ".staged"
"""How names of files end that are not part of the store until a record says so."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a write does to the files of one folder.

    Parameters
    ----------
    moves
        Name of a staged file -> the file that it becomes, relative to the folder.
    drops
        Files that go, relative to the folder.
    """

    moves: dict[str, str] = field(default_factory=dict)
    drops: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Record:
    """The last write to a folder: how it is finished, or only its number if it is.

    Parameters
    ----------
    generation
        Number of the write.
    id
        What tells it from all others.
    change
        What remains to be done.
    decided_by
        The folder whose record must have the same id for this write to count; its own if empty.
    also
        The folder that has the other part of the same write.
    """

    generation: int = 0
    id: str = ""
    change: Change = field(default_factory=Change)
    decided_by: str = ""
    also: str = ""

    @property
    def is_pending(self) -> bool:
        """Whether anything remains to be done."""
        return bool(self.change.moves or self.change.drops)


class Folder:
    """The hidden folder in which writes to a folder of a store are prepared.

    Parameters
    ----------
    path
        Its path; the files of the store are below its parent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folder) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def raw(self) -> bytes:
        """Return the record as it lies on disk; empty if there was no write yet."""
        try:
            return (self.path / "commit").read_bytes()
        except FileNotFoundError:
            return b""

    def record(self, raw: bytes | None = None) -> Record:
        """Return the record of the last write.

        Raises
        ------
        StoreVersionError
            If a newer program wrote it.
        StoreError
            If it cannot be read.
        """
        raw = self.raw() if raw is None else raw
        if not raw:
            return Record()
        try:
            values = json.loads(raw)
            if values.pop("format") > FORMAT:
                raise StoreVersionError(
                    f"{self.path} was written by a newer program",
                    command="pip install --upgrade mdfactory",
                )
            return Record(**values | {"change": Change(**values["change"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(
                f"{self.path / 'commit'} is no record of a write: {one_line(error)}. Put back a "
                "copy of it, or delete it if no write was cut short"
            ) from error

    @contextmanager
    def held(self, patience: Patience, location: str) -> Iterator[None]:
        """Hold the folder for writing while the block lasts.

        The lock is one of the operating system and goes with the process, however that ends.
        It belongs to the open file, so that it also keeps threads and stores of one process
        apart (``flock``; Linux makes it a POSIX lock on NFS).

        Raises
        ------
        StoreLockedError
            If another writer holds it for too long.
        """
        self._make()
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with suppress(OSError):  # it belongs to whoever made it
                os.fchmod(handle, self.path.stat().st_mode & 0o666)
            self._wait(handle, patience, location)
            os.ftruncate(handle, 0)
            write(handle, _self().encode())
            yield
        finally:
            os.close(handle)

    def _wait(self, handle: int, patience: Patience, location: str) -> None:
        warning = time.monotonic() + 1
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.EACCES}:
                    raise
                holder = os.pread(handle, 1000, 0).decode(errors="replace") or "another program"
                now = time.monotonic()
                if now >= patience.deadline:
                    raise StoreLockedError(
                        f"{location} is held by {holder}; waited {patience.wait:g} s. "
                        "Try again later, or wait longer with --wait SECONDS"
                    ) from error
                if now >= warning:
                    warning = patience.deadline
                    log.warning("waiting for %s", holder)
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311  # jitter, no secret
            else:
                return

    def _make(self) -> None:
        """Make the folder, open to those to whom its parent is."""
        try:
            self.path.mkdir()
        except FileExistsError:
            return
        with suppress(OSError):
            self.path.chmod(self.path.parent.stat().st_mode & 0o7777)

    def put(self, record: Record) -> None:
        """Replace the record, at once."""
        staged = self.path / f"{uuid4().hex}{STAGED}"
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with suppress(OSError):
                os.fchmod(handle, self.path.stat().st_mode & 0o666)
            write(handle, json.dumps({"format": FORMAT} | asdict(record)).encode())
            os.fsync(handle)
            staged.replace(self.path / "commit")
        except OSError:
            with suppress(OSError):
                staged.unlink()
            raise
        finally:
            os.close(handle)
        _sync(self.path)

    def finish(self, record: Record) -> None:
        """Do what remains to be done of a write that counts."""
        home = self.path.parent
        for name in record.change.drops:
            (home / name).unlink(missing_ok=True)
        for staged, name in record.change.moves.items():
            with suppress(FileNotFoundError):  # it was moved before a kill
                (self.path / staged).replace(home / name)
        _sync(home)
        _sync(self.path)
        self.put(Record(record.generation, record.id))

    def clean(self) -> None:
        """Remove what killed writers have staged."""
        for name in os.listdir(self.path):
            if name.endswith(STAGED):
                (self.path / name).unlink(missing_ok=True)


def commit(changes: Mapping[Folder, Change]) -> None:
    """Do a write to one folder or two, all of it or nothing; the locks must be held.

    The first folder decides. When this raises, nothing was changed.
    """
    (first, *rest) = changes
    identity = uuid4().hex
    records = {
        folder: Record(
            folder.record().generation + 1,
            identity,
            change,
            decided_by="" if folder == first else str(first.path),
            also=str(rest[0].path) if rest and folder == first else "",
        )
        for folder, change in changes.items()
    }
    for folder in changes:
        _sync(folder.path)
    # The one that decides comes last when it is written, and also when it is finished.
    for folder in (*rest, first):
        folder.put(records[folder])
    try:
        for folder in (*rest, first):
            folder.finish(records[folder])
    except OSError as error:
        log.warning("the write is stored; the next one will put its files in place: %s", error)


def recover(folders: Sequence[Folder], patience: Patience, location: str) -> None:
    """Finish what a killed writer left, or undo it, in folders that are held for writing."""
    for folder in folders:
        record = folder.record()
        if not record.is_pending:
            continue
        if not _counts(folder, record, folders):
            folder.put(Record(record.generation, record.id))
            continue
        log.info("finishing a write that was cut short in %s", folder.path.parent)
        _finish_other(record, folders, patience, location)
        folder.finish(record)
    for folder in folders:
        folder.clean()


def redirected(folders: Sequence[Folder]) -> tuple[tuple[bytes, ...], dict[Path, Path | None]]:
    """Tell a reader where the files of the store are now.

    Returns
    -------
    tuple
        What changes with every write; and file -> the staged one to read instead if that is
        there, or None if the file has gone.
    """
    state: list[bytes] = []
    instead: dict[Path, Path | None] = {}
    for folder in folders:
        raw = folder.raw()
        state.append(raw)
        record = folder.record(raw)
        if not record.is_pending:
            continue
        if record.decided_by:
            state += [one.raw() for one in (*folders, Folder(Path(record.decided_by)))]
        if _counts(folder, record, folders):
            home = folder.path.parent
            instead |= {home / name: None for name in record.change.drops}
            moves = record.change.moves.items()
            instead |= {home / name: folder.path / staged for staged, name in moves}
    return tuple(state), instead


def _counts(folder: Folder, record: Record, folders: Sequence[Folder]) -> bool:
    """Whether a write was decided on."""
    if not record.decided_by:
        return True
    # The folders may have been moved since; then ours is where the decision lies.
    if any(one.record().id == record.id for one in folders if one != folder):
        return True
    deciding = Folder(Path(record.decided_by))
    if not deciding.path.is_dir():
        raise StoreError(
            f"a write to {folder.path.parent} was cut short, and {deciding.path}, which tells "
            f"whether it counts, is not there. Put it back, or delete {folder.path / 'commit'} "
            "to undo the write"
        )
    return deciding.record().id == record.id


def _finish_other(
    record: Record, folders: Sequence[Folder], patience: Patience, location: str
) -> None:
    """Finish the other part of a write, before the decision on it is forgotten."""
    if not record.also:
        return
    for other in folders:
        theirs = other.record()
        if theirs.decided_by and theirs.id == record.id:
            other.finish(theirs)
            return
    other = Folder(Path(record.also))
    if other in folders or not other.path.is_dir():
        return
    with other.held(patience, location):
        theirs = other.record()
        if theirs.is_pending and theirs.id == record.id:
            other.finish(theirs)


def _sync(folder: Path) -> None:
    """Bring the names in a folder to disk, on disks that can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        log.debug("cannot sync %s: %s", folder, error)


def _self() -> str:
    """Name this process to others, without what may be secret on its command line."""
    program, *words = sys.argv or [""]
    plain = [word for word in words[:3] if word.isalpha()]
    command = " ".join([os.path.basename(program) or "python", *plain])
    return f"process {os.getpid()} ({command}) on {socket.gethostname()}"
