"""The backend of the CSV store: tables are open files, and a commit renames staged files."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from shlex import quote

import pyarrow as pa

from mdfactory.errors import NotInitialisedError, StoreChangedError, StoreError
from mdfactory.files import find_sticky_owner
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, Namespace, Table
from mdfactory.stores.backend import Backend
from mdfactory.stores.csv.commit import commit
from mdfactory.stores.csv.commit_folder import CommitFolder, FolderChange
from mdfactory.stores.csv.layout import TableId
from mdfactory.stores.csv.reader import OpenFile
from mdfactory.stores.csv.table import CsvTable
from mdfactory.stores.csv.text import parse_integers
from mdfactory.stores.keys import Key
from mdfactory.stores.sorting import sort_and_limit

OpenFiles = dict[TableId, OpenFile]


class CsvBackend(Backend):
    """The tables of open files.

    Parameters
    ----------
    files
        The open files of all tables.
    location
        Name of the store, for messages.
    path_of
        Function that returns the path of the file of a new table.
    folders
        Namespace -> its locked commit folder; empty if the transaction only reads.
    translate_errors
        Context manager that turns errors of the operating system into `StoreError`.
    """

    def __init__(
        self,
        files: OpenFiles,
        location: str,
        path_of: Callable[[Table], Path],
        folders: Mapping[Namespace, CommitFolder],
        translate_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.location = location
        self._files = dict(files)
        self._path_of = path_of
        self._folders = folders
        self._translate_errors = translate_errors
        self._outcome = "; nothing was changed" if folders else ""
        self._open_tables: dict[TableId, CsvTable] = {}
        self._dropped: OpenFiles = {}
        self._staged: list[Path] = []

    def home(self) -> str:
        """Return the folder of the artifacts, with symlinks resolved."""
        return f"CSV store {self._path_of(OVERVIEW).parent}"

    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of the tables: file names without suffix."""
        tables: dict[TableId, CsvTable | OpenFile] = {**self._open_tables, **self._files}
        return [table.name for (parent, _), table in tables.items() if parent is namespace]

    def make(self, table: Table) -> None:
        """Create a staged file with a header."""
        with self._translate_errors():
            if table.namespace not in self._folders:
                raise NotInitialisedError(table.name, self.location, table.command)
            self._add_table(table, None).open_staged()

    def drop(self, table: Table) -> None:
        """Delete a file when the transaction is committed."""
        table_id = table.namespace, table.id
        if csv_table := self._open_tables.pop(table_id, None):
            csv_table.close()
        if table_id in self._files:
            self._dropped[table_id] = self._files.pop(table_id)

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Stream the rows of a query; `OneOf` conditions on the hash spare parsing most cells."""
        with self._translate_errors():
            schema = query.schema_with_sort(table)
            csv_table = self._table(table)
            rows = _convert(csv_table.scan(query, schema.names), schema, csv_table.path)
            yield from sort_and_limit(rows, query, table)

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Remove the rows with the same keys, and append the new rows."""
        with self._translate_errors():
            self._table(table).put(rows)

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Remove the rows with these keys."""
        with self._translate_errors():
            self._table(table).discard(keys)

    def commit(self) -> None:
        """Commit all new and dropped files, or none."""
        changes = self._collect_changes()
        self._check_unchanged()
        _check_replaceable(changes)
        if not changes:
            return
        # Once the commit is valid, its staged files are part of the store: `close` must not remove
        # them.
        committed = {name for change in changes.values() for name in change.moves}
        staged, self._staged = self._staged, []
        try:
            commit(changes)
        except OSError:
            self._staged = staged
            raise
        self._staged = [path for path in staged if path.name not in committed]

    def close(self) -> None:
        """Close the staged files, and remove those that were not committed."""
        for csv_table in self._open_tables.values():
            csv_table.close()
        for path in self._staged:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _collect_changes(self) -> dict[CommitFolder, FolderChange]:
        """Finish all tables, and return the changes of each folder that has any."""
        changes = {namespace: FolderChange() for namespace in self._folders}
        for (namespace, _), csv_table in self._open_tables.items():
            if staged := csv_table.finish():
                changes[namespace].moves[staged.name] = self._relative(csv_table.path, namespace)
        for (namespace, _), file in self._dropped.items():
            name = self._relative(file.path, namespace)
            if name not in changes[namespace].moves.values():  # else created again
                changes[namespace].drops.append(name)
        return {self._folders[namespace]: change for namespace, change in changes.items() if change}

    def _relative(self, path: Path, namespace: Namespace) -> str:
        return os.path.relpath(path, self._folders[namespace].path.parent)

    def _check_unchanged(self) -> None:
        """Refuse a commit if another program has changed a file that was read or is dropped."""
        used = [file for table_id, file in self._files.items() if table_id in self._open_tables]
        for file in (*used, *self._dropped.values()):
            if not (file.path.exists() and file.has_status(file.path.stat())):
                raise StoreChangedError(
                    f"{file.path} was changed by another program; nothing was changed. Try again"
                )

    def _table(self, table: Table) -> CsvTable:
        table_id = table.namespace, table.id
        return self._open_tables.get(table_id) or self._add_table(table, self._files[table_id])

    def _add_table(self, table: Table, old: OpenFile | None) -> CsvTable:
        path = old.path if old else self._path_of(table)
        create_staged = partial(self._create_staged, table.namespace, path)
        csv_table = CsvTable(path, table, old, create_staged, self._outcome)
        self._open_tables[table.namespace, table.id] = csv_table
        return csv_table

    def _create_staged(self, namespace: Namespace, replaces: Path) -> tuple[Path, int]:
        path, handle = self._folders[namespace].create_staged_file(replaces)
        self._staged.append(path)
        return path, handle


def _check_replaceable(changes: Mapping[CommitFolder, FolderChange]) -> None:
    """Refuse a commit if the sticky bit of a folder forbids to replace or delete a file."""
    for folder, change in changes.items():
        for name in (*change.moves.values(), *change.drops):
            path = folder.path.parent / name
            if owner := find_sticky_owner(path):
                raise StoreError(
                    f"nothing was changed: {path} can be replaced by {owner} only, because its "
                    "folder is sticky. Its owner can change that",
                    command=f"chmod -t {quote(str(path.parent))}",
                )


def _convert(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path
) -> Iterator[pa.RecordBatch]:
    """Yield string columns in the types of a schema."""
    for rows in batches:
        columns = [
            parse_integers(rows[field.name], path, field.name)
            if field.type == pa.int64()
            else rows[field.name]
            for field in schema
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
