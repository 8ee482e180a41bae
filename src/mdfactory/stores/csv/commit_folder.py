"""The hidden folder next to the files of a store: its lock, commit record and staged files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from mdfactory.errors import StoreError, StoreVersionError, one_line
from mdfactory.files import (
    UnreadableError,
    create_file,
    create_folder,
    read_file,
    sync_folder,
)
from mdfactory.locking import LockWait, locked
from mdfactory.records.tables import SIMULATIONS, Namespace, table_named
from mdfactory.stores.csv.text import write_all

FORMAT_VERSION: Final = 1
"""Version of commit records; a record of a newer version is refused."""

STAGED_SUFFIX: Final = ".staged"
"""Suffix of files that are part of the store only if a commit record names them."""

FOLDER_SUFFIX: Final = ".mdfactory"
"""End of the names of commit folders."""

BOOKKEEPING_PREFIX: Final = "_mdfactory_"
"""Start of the names of tables that are not record tables: digests, sidecars, log and undo."""

MAX_RECORD_BYTES: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class FolderChange:
    """The files of one folder that a commit replaces, adds or drops.

    Parameters
    ----------
    moves
        Name of a staged file -> path to which it is renamed, relative to the folder.
    drops
        Paths of the files to delete, relative to the folder.
    """

    moves: dict[str, str] = field(default_factory=dict)
    drops: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether any file changes."""
        return bool(self.moves or self.drops)


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """The latest commit to one folder, as JSON in the file ``commit``.

    The names of the fields are the keys on disk. Once the files are in place, only
    `generation` and `id` have values.

    Parameters
    ----------
    generation
        Number of the commit.
    id
        Unique name of the commit; both parts of a commit to two folders have the same id.
    change
        The files that are still to be renamed or deleted; if there are any, the commit is pending.
    decided_by
        Path of the commit folder that decides: the commit is valid only if the record there has
        the same `id`. Empty if this record decides.
    also
        Path of the commit folder with the other part of the commit; empty if there is none.
    """

    generation: int = 0
    id: str = ""
    change: FolderChange = field(default_factory=FolderChange)
    decided_by: str = ""
    also: str = ""


@dataclass(frozen=True, slots=True)
class CommitFolder:
    """A hidden folder, such as ``.mdfactory``, for commits to the files of its parent folder.

    Parameters
    ----------
    path
        Path of the hidden folder.
    """

    path: Path

    # Commit record

    def read_raw_record(self) -> bytes:
        """Return the bytes of the commit record; empty before the first commit."""
        try:
            return read_file(self.path / "commit", MAX_RECORD_BYTES)[0]
        except UnreadableError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return b""
            raise StoreError(f"{self.path / 'commit'} {error}") from error

    def read_record(self) -> CommitRecord:
        """Read and parse the commit record; see `parse_record`."""
        return self.parse_record(self.read_raw_record())

    def parse_record(self, raw: bytes) -> CommitRecord:
        """Parse the bytes of a commit record of this folder.

        Raises
        ------
        StoreVersionError
            If a newer version of mdfactory wrote it.
        StoreError
            If it is malformed.
        """
        if not raw:
            return CommitRecord()
        try:
            values = json.loads(raw)
            if values.pop("format") > FORMAT_VERSION:
                raise StoreVersionError(
                    f"{self.path} was written by a newer version of mdfactory",
                    command="pip install --upgrade mdfactory",
                )
            record = CommitRecord(**values | {"change": FolderChange(**values["change"])})
            self._check_names(record)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise StoreError(
                f"{self.path / 'commit'} is not a commit record: {one_line(error)}. Restore a "
                "copy of it, or delete it if no write was interrupted"
            ) from error
        return record

    def _check_names(self, record: CommitRecord) -> None:
        """Check that a record names only files that a store itself makes.

        Everybody who may write the folder may write the record.

        Raises
        ------
        ValueError
            If it names another file.
        """
        for staged in record.change.moves:
            if "/" in staged or not staged.endswith(STAGED_SUFFIX):
                raise ValueError(f"{staged!r} is not the name of a staged file")
        for name in (*record.change.moves.values(), *record.change.drops):
            if not self.table_in(self.path.parent / name):
                raise ValueError(f"{name!r} is not a file of this store")
        for folder in (record.also, record.decided_by):
            if folder and not folder.endswith(FOLDER_SUFFIX):
                raise ValueError(f"{folder!r} is not the folder of a commit")

    def table_in(self, path: Path) -> str:
        """Return the name of the table in a file whose changes are committed here; else empty."""
        simulations = self.path.name.removesuffix(FOLDER_SUFFIX).removeprefix(".")
        if simulations and path == self.path.with_name(simulations):
            return SIMULATIONS.name
        name, suffix = os.path.splitext(path.name)
        is_table = name.startswith(BOOKKEEPING_PREFIX)
        if not simulations:  # the folder of the results
            is_table = is_table or table_named(name, Namespace.results) is not None
        folder = self.path if simulations else self.path.parent
        return name if is_table and suffix == ".csv" and path.parent == folder else ""

    def write_record(self, record: CommitRecord) -> None:
        """Replace the commit record atomically, and flush it to disk."""
        staged, handle = self.create_staged_file(self.path / "commit")
        try:
            values = {"format": FORMAT_VERSION} | asdict(record)
            write_all(handle, json.dumps(values).encode())
            os.fsync(handle)
            staged.replace(self.path / "commit")
        finally:
            os.close(handle)
            with suppress(OSError):  # it has been renamed, unless there was an error
                staged.unlink()
        sync_folder(self.path)

    # Files

    def create_staged_file(self, replaces: Path) -> tuple[Path, int]:
        """Create an empty file to replace another, and return its path and file descriptor."""
        path = self.path / f"{uuid4().hex}{STAGED_SUFFIX}"
        return path, create_file(path, replaces=replaces)

    def roll_forward(self, record: CommitRecord) -> None:
        """Rename and delete the files of a valid commit, then remove the list from its record.

        Steps that were done before are skipped.
        """
        folder = self.path.parent
        for name in record.change.drops:
            (folder / name).unlink(missing_ok=True)
        for staged, name in record.change.moves.items():
            if (self.path / staged).is_symlink():
                raise StoreError(f"{self.path / staged} is a symbolic link; remove it")
            with suppress(FileNotFoundError):  # renamed already, before a kill
                (self.path / staged).replace(folder / name)
        sync_folder(folder)
        sync_folder(self.path)
        self.discard_change(record)

    def discard_change(self, record: CommitRecord) -> None:
        """Remove the list of files from a record: they are in place, or the commit is not valid."""
        self.write_record(CommitRecord(record.generation, record.id))

    def remove_staged_files(self) -> None:
        """Remove the staged files of interrupted writers."""
        for staged in self.path.glob(f"*{STAGED_SUFFIX}"):
            staged.unlink(missing_ok=True)

    # Lock

    @contextmanager
    def lock(self, wait: LockWait) -> Iterator[None]:
        """Create the folder if it is missing, and hold its exclusive lock during the block.

        Parameters
        ----------
        wait
            The wait for another writer.

        Raises
        ------
        StoreLockedError
            If another writer still holds the lock at the end of that time.
        OSError
            If the lock file cannot be locked.
        """
        self._create()
        with locked(self.path / "lock", wait):
            yield

    def _create(self) -> None:
        """Create the folder."""
        if self.path.is_symlink():
            raise StoreError(f"{self.path} is a symbolic link; remove it")
        create_folder(self.path)
