"""Transactions of the CSV store: tables as files that are open, and what becomes of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import pyarrow as pa

from mdfactory.errors import NotInitialisedError, StoreChangedError, StoreError
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.csv.commit import STAGED, Change, Folder, commit
from mdfactory.stores.csv.file import CsvFile
from mdfactory.stores.csv.text import header_line, integers, write
from mdfactory.stores.keys import Key
from mdfactory.stores.sorting import limit_rows, sort_rows
from mdfactory.stores.transaction import Transaction

__all__ = ["CsvTransaction", "Files", "Opened"]

BATCH: Final = 2048
"""Rows of one batch of an answer."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The file of a table, open.

    Parameters
    ----------
    name
        The table as its file spells it.
    path
        The file.
    handle
        The open file; while a write is finished, that may be the staged one.
    status
        What it was like when it was opened.
    """

    name: str
    path: Path
    handle: int
    status: os.stat_result


Files = dict[tuple[Namespace, str], Opened]
"""Place and lower-case name of a table -> its file."""


class CsvTable:
    """One table in a transaction: the file as it was, and what is new.

    New records go to a staged file. It begins with a copy of the old one, unless some of
    that has gone by then; it is put together anew at the end if any of it has gone since.

    Parameters
    ----------
    path
        The file.
    table
        Whose records it holds.
    old
        The file as it was; None if it is new.
    stage
        Makes a file that is not part of the store yet.
    note
        What messages say beside what is wrong.
    """

    def __init__(
        self,
        path: Path,
        table: Table,
        old: CsvFile | None,
        stage: Callable[[], tuple[Path, int]],
        note: str,
    ) -> None:
        self.path = path
        self.old = old
        self._table = table
        self._stage = stage
        self._note = note
        self._new: CsvFile | None = None
        self._staged = Path()
        self._copied = False

    def answer(self, query: Query, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the records that meet the conditions, as texts."""
        looked_up = any(isinstance(one, OneOf) and one.column == "hash" for one in query.where)
        for file in filter(None, (self.old, self._new)):
            if looked_up:
                yield from file.fetch(file.find(query.where), columns)
            else:
                yield from file.stream(columns, query.where)

    def discard(self, keys: Collection[tuple[object, ...]]) -> None:
        """Remove the records with these keys."""
        self._check_rights()
        for file in filter(None, (self.old, self._new)):
            file.discard(keys)

    def append(self, rows: pa.RecordBatch) -> None:
        """Add records."""
        self.begin().append(rows)

    def begin(self) -> CsvFile:
        """Return the file for new records."""
        if self._new is None:
            self._check_rights()
            self._staged, self._new = self._made()
            if self.old and not self.old.gone:
                self.old.copy_records(self._new)
                self._copied = True
        return self._new

    def finish(self) -> Path | None:
        """Bring the new state of the table to disk; return the staged file, if there is any."""
        lost = self.old is not None and self.old.gone
        if self._new is None and not lost:
            return None
        replaced = self.old is None or (lost and 1 not in self.old.alive)
        stays = (self._copied and not lost) or (not self._copied and replaced)
        if self._new and stays and not self._new.gone:
            self._new.sync()
            return self._staged
        staged, file = self._made()
        with closing(file):
            for part in filter(None, (self.old, self._new)):
                part.copy_records(file)
            file.sync()
        return staged

    def close(self) -> None:
        """Close the files; that of the old state is not ours."""
        if self._new:
            self._new.close()

    def _made(self) -> tuple[Path, CsvFile]:
        staged, handle = self._stage()
        try:
            write(handle, self.old.begin() if self.old else header_line(self._table))
            _make_like(handle, self.path)
            return staged, CsvFile(handle, self.path, self._table, self._note)
        except BaseException:
            os.close(handle)
            raise

    def _check_rights(self) -> None:
        """Refuse what the folder would allow, but the file does not."""
        if os.path.islink(self.path):
            raise StoreError(
                f"{self.path} is a symlink, and would be replaced by a file; nothing was "
                "changed. Put the file itself there, or link the whole folder"
            )
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path))


class CsvTransaction(Transaction):
    """A transaction on open files.

    Parameters
    ----------
    files
        The files of the tables that there are, open.
    location
        The store as a user would name it.
    file_of
        Tells the file of a new table.
    folders
        The places that may be written.
    told
        A context in which errors of the operating system become ours.
    """

    def __init__(
        self,
        files: Files,
        location: str,
        file_of: Callable[[Table], Path],
        folders: Mapping[Namespace, Folder],
        told: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.location = location
        self._files = files
        self._names = {key: file.name for key, file in files.items()}
        self._file_of = file_of
        self._folders = folders
        self._told = told
        self._note = "; nothing was changed" if folders else ""
        self._sheets: dict[tuple[Namespace, str], CsvTable] = {}
        self._dropped: set[Path] = set()
        self._staged: list[Path] = []
        self._numbers = count()

    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of the files, without what follows the dot."""
        return [name for (where, _), name in self._names.items() if where is namespace]

    def make(self, table: Table) -> None:
        """Make a file with a header."""
        with self._told():
            if table.namespace not in self._folders:
                raise NotInitialisedError(table.name, self.location, table.command)
            sheet = self._new_sheet(self._file_of(table), table, None)
            self._sheets[table.namespace, table.id] = sheet
            self._names[table.namespace, table.id] = table.name
            sheet.begin()

    def drop(self, table: Table) -> None:
        """Remove a file when the transaction is committed."""
        key = table.namespace, table.id
        sheet = self._sheets.pop(key, None)
        if sheet:
            sheet.close()
        self._names.pop(key, None)
        if key in self._files:
            self._dropped.add(self._files[key].path)

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Stream the answer to a query: by what is kept of the hashes, or from the whole file."""
        with self._told():
            sheet = self._sheet(table)
            schema = query.schema(table)
            answer = _typed(sheet.answer(query, schema.names), schema, sheet.path)
            if query.sort:
                names = list(dict.fromkeys([*schema.names, query.sort.column]))
                wide = Query(columns=tuple(names)).schema(table)
                found = _typed(sheet.answer(query, names), wide, sheet.path)
                answer = (rows.select(schema.names) for rows in sort_rows(found, query.sort, wide))
            yield from limit_rows(answer, query.limit)

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Append rows, after removing those with their keys."""
        with self._told():
            sheet = self._sheet(table)
            sheet.discard(list(zip(*(rows[name].to_pylist() for name in table.key), strict=True)))
            sheet.append(rows)

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Note that rows are gone."""
        with self._told():
            self._sheet(table).discard(keys)

    def commit(self) -> None:
        """Put all new files in the place of the old ones, or none."""
        changes = {folder: Change() for folder in self._folders.values()}
        for (namespace, _), sheet in self._sheets.items():
            staged = sheet.finish()
            if staged:
                folder = self._folders[namespace]
                changes[folder].moves[staged.name] = _relative(sheet.path, folder)
                self._dropped.discard(sheet.path)
        for (namespace, name), file in self._files.items():
            if file.path in self._dropped:
                folder = self._folders[namespace]
                changes[folder].drops.append(_relative(file.path, folder))
            if file.path in self._dropped or (namespace, name) in self._sheets:
                _check_same(file)
        changes = {folder: change for folder, change in changes.items() if change != Change()}
        if changes:
            made, self._staged = self._staged, []  # they are the store's once it is decided
            try:
                commit(changes)
            except OSError:
                self._staged = made
                raise
            moved = {name for change in changes.values() for name in change.moves}
            self._staged = [one for one in made if one.name not in moved]

    def close(self) -> None:
        """Close the files, and remove those that were staged and not committed."""
        for sheet in self._sheets.values():
            sheet.close()
        for staged in self._staged:
            with suppress(OSError):
                staged.unlink(missing_ok=True)

    def _sheet(self, table: Table) -> CsvTable:
        key = table.namespace, table.id
        if key not in self._sheets:
            file = self._files[key]
            old = CsvFile(file.handle, file.path, table, self._note)
            self._sheets[key] = self._new_sheet(file.path, table, old)
        return self._sheets[key]

    def _new_sheet(self, path: Path, table: Table, old: CsvFile | None) -> CsvTable:
        return CsvTable(path, table, old, partial(self._stage, table.namespace), self._note)

    def _stage(self, namespace: Namespace) -> tuple[Path, int]:
        number = next(self._numbers)
        staged = self._folders[namespace].path / f"{os.getpid()}-{number}{STAGED}"
        handle = os.open(staged, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        self._staged.append(staged)
        return staged, handle


def _typed(
    answer: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path
) -> Iterator[pa.RecordBatch]:
    """Give texts the declared types, in batches of bounded size."""
    for rows in answer:
        columns = [
            integers(rows[field.name], path, field.name)
            if field.type == pa.int64()
            else rows[field.name]
            for field in schema
        ]
        whole = pa.RecordBatch.from_arrays(columns, schema=schema)
        for start in range(0, whole.num_rows, BATCH):
            yield whole.slice(start, BATCH)


def _relative(path: Path, folder: Folder) -> str:
    return os.path.relpath(path, folder.path.parent)


def _check_same(file: Opened) -> None:
    """Refuse to replace a file that another program has written since it was opened."""
    names = ("st_ino", "st_dev", "st_mtime_ns", "st_size")
    now = file.path.stat() if file.path.exists() else None
    if now is None or any(getattr(file.status, name) != getattr(now, name) for name in names):
        raise StoreChangedError(
            f"{file.path} was written by another program; nothing was changed. Try again"
        )


def _make_like(handle: int, path: Path) -> None:
    """Give a new file the group and the mode of the one that it replaces, as far as we may."""
    with suppress(OSError):
        status = path.stat()
        with suppress(OSError):
            os.fchown(handle, -1, status.st_gid)
        with suppress(OSError):
            os.fchown(handle, status.st_uid, -1)
        os.fchmod(handle, status.st_mode & 0o7777)
