"""One table in a CSV transaction: its old file, and a staged file with the new records."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pyarrow as pa

from mdfactory.errors import StoreError
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import Table
from mdfactory.stores.csv.file import CsvFile
from mdfactory.stores.csv.text import render_header, write_all


class CsvTable:
    """The records of a table in one transaction.

    New records are written to a staged file. It begins with a copy of the old file, unless
    records of the old file were discarded before. If records are discarded later, `finish` writes
    the remaining records to another staged file.

    Parameters
    ----------
    path
        Path of the file.
    table
        Table whose records the file holds.
    old
        The file as it was when the transaction began; None for a new table.
    create_staged
        Function that creates an empty staged file, and returns its path and file descriptor.
    outcome
        Text that error messages add, such as ``; nothing was changed``.
    """

    def __init__(
        self,
        path: Path,
        table: Table,
        old: CsvFile | None,
        create_staged: Callable[[], tuple[Path, int]],
        outcome: str,
    ) -> None:
        self.path = path
        self._table = table
        self._old = old
        self._create_staged = create_staged
        self._outcome = outcome
        self._new: CsvFile | None = None
        self._staged_path = Path()
        self._has_copy_of_old = False

    def scan(self, query: Query, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the records that meet the conditions of a query, as strings."""
        by_hash = any(isinstance(part, OneOf) and part.column == "hash" for part in query.where)
        for file in self._files():
            if by_hash:
                yield from file.look_up(columns, query.where)
            else:
                yield from file.stream(columns, query.where)

    def discard(self, keys: Collection[tuple[object, ...]]) -> None:
        """Remove the records with these keys; keys without a record are ignored."""
        self._check_access()
        for file in self._files():
            file.discard(keys)

    def append(self, rows: pa.RecordBatch) -> None:
        """Add records."""
        self.open_staged().append(rows)

    def open_staged(self) -> CsvFile:
        """Return the staged file for new records; the first call creates it."""
        if self._new is None:
            self._check_access()
            self._staged_path, self._new = self._create_file()
            if self._old and not self._old.has_discarded:
                self._old.copy_records(self._new)
                self._has_copy_of_old = True
        return self._new

    def finish(self) -> Path | None:
        """Complete the staged file, and flush it to disk.

        Returns
        -------
        pathlib.Path or None
            The staged file with all records of the table; None if nothing has changed.
        """
        if self._new is None and not (self._old and self._old.has_discarded):
            return None
        if self._new and self._is_complete(self._new):
            self._new.sync()
            return self._staged_path
        return self._rewrite()

    def close(self) -> None:
        """Close the staged file; the transaction closes the old one."""
        if self._new:
            self._new.close()

    def _files(self) -> list[CsvFile]:
        return [file for file in (self._old, self._new) if file]

    def _is_complete(self, new: CsvFile) -> bool:
        """Whether a staged file holds all records of the table, and no discarded records."""
        if new.has_discarded:
            return False
        if self._old is None:
            return True
        if self._has_copy_of_old:
            return not self._old.has_discarded
        return not self._old.has_records

    def _rewrite(self) -> Path:
        """Write the alive records of both files to another staged file."""
        path, target = self._create_file()
        with closing(target):
            for file in self._files():
                file.copy_records(target)
            target.sync()
        return path

    def _create_file(self) -> tuple[Path, CsvFile]:
        """Create a staged file with the header, mode and group of the old file."""
        path, handle = self._create_staged()
        try:
            header = self._old.read_header_line() if self._old else render_header(self._table)
            write_all(handle, header)
            _copy_access_rights(self.path, handle)
            return path, CsvFile(handle, self.path, self._table, self._outcome)
        except BaseException:
            os.close(handle)
            raise

    def _check_access(self) -> None:
        """Refuse to replace a symlink or a read-only file.

        A rename would replace either of them, because it needs only write access to the folder.
        """
        if os.path.islink(self.path):
            raise StoreError(
                f"{self.path} is a symlink, which a write would replace by a file; nothing was "
                "changed. Put the file itself there, or link the whole folder"
            )
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path))


def _copy_access_rights(source: Path, handle: int) -> None:
    """Give an open file the owner, group and mode of another file, as far as permitted."""
    with suppress(OSError):
        status = source.stat()
        with suppress(OSError):
            os.fchown(handle, -1, status.st_gid)
        with suppress(OSError):
            os.fchown(handle, status.st_uid, -1)
        os.fchmod(handle, status.st_mode & 0o7777)
