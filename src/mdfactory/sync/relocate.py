"""Relocate: update the directories of records after folders were moved, in one transaction."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

import pyarrow as pa

from mdfactory.errors import SourceError, UsageError, listed
from mdfactory.files import UNSTORABLE, absolute_path, expand_home, is_storable, path_suggestion
from mdfactory.records.arrow import array, texts
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import Table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.keys import take_rows
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.folders import is_inside, records_inside
from mdfactory.sync.log import operations
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_tables

BATCH_SIMULATIONS: Final = 200
"""Number of simulations whose records are read and written together."""


@dataclass(frozen=True, slots=True)
class Relocated:
    """What a relocation changed, or would change.

    Parameters
    ----------
    old, new
        Absolute path of the folder before and after the move.
    tables
        Table name -> number of its records that are changed.
    """

    old: str
    new: str
    tables: dict[str, int]

    @property
    def total(self) -> int:
        """The number of all records that are changed."""
        return sum(self.tables.values())


def relocate(
    store: Store,
    old: str,
    new: str,
    *,
    dry_run: bool = False,
    command: str = "relocate",
    watch: ProgressCallback = lambda *_: None,
) -> Relocated:
    """Update the directory of all records whose directory is the moved folder or inside it.

    Other columns of the records, including their times, do not change.

    Parameters
    ----------
    store
        The store.
    old, new
        Path of the folder before and after the move.
    dry_run
        Write nothing, and return what would be changed.
    command
        The command as the user typed it, for the log.
    watch
        Called with the current step, and the number of records to change in a table.

    Raises
    ------
    UsageError
        If `old` and `new` are the same folder, or no store can hold the path `new`.
    SourceError
        If the store has no records of the folder, or if it was moved into `new`. Nothing was
        written.
    NotInitialisedError
        If the store has no tables.
    """
    if not (old and new):
        raise UsageError("OLD or NEW is an empty text, not a path")
    before, after = (absolute_path(expand_home(path)) for path in (old, new))
    if not is_storable(after):
        raise UsageError(f"{after} {UNSTORABLE}")
    if before == after:
        raise UsageError(f"OLD and NEW are the same folder: {before}")
    with store.transaction() if dry_run else store.operation(command) as transaction:
        counts: dict[str, int] = {}
        tables = require_tables(transaction)
        for table in tables:
            if not dry_run:
                transaction.lock_table(table)
            inside = [*records_inside(transaction, table, {before})]
            if inside:
                _require_new_path(inside[0][1], before, after)
            hashes = [hash_ for hash_, _ in inside]
            counts[table.name] = len(hashes)
            watch(f"relocating {table.name}", len(hashes))
            # The overview has several rows of a simulation: each hash is read once.
            remaining = iter(() if dry_run else dict.fromkeys(hashes))
            while hashes_batch := tuple(islice(remaining, BATCH_SIMULATIONS)):
                # All rows are read before the first is written: both are in the same table.
                query = Query((OneOf("hash", hashes_batch),))
                for rows in list(transaction.read_with_sidecars(table, query)):
                    moved = _moved_rows(rows, before, after)
                    transaction.write([(table, moved)], ConflictMode.force)
        if not any(counts.values()):
            raise _no_records(transaction, tables, old, after)
    return Relocated(before, after, counts)


def _require_new_path(directory: str, before: str, after: str) -> None:
    """Raise an error if the new path is that of the folder into which the old one was moved.

    Parameters
    ----------
    directory
        Directory of a record that is in the old folder.
    before, after
        The old path, and the new one.
    """
    rest = directory.rstrip("/")[len(before) :]
    path = f"{after}/{os.path.basename(before)}"
    is_there = os.path.isdir(directory) or (rest and os.path.isdir(f"{after}{rest}"))
    if not is_there and os.path.isdir(f"{path}{rest}"):
        raise SourceError(
            after,
            f"{os.path.basename(before)} is in this folder now; NEW is the new path of OLD",
            command=f"mdfactory sync relocate {shlex.quote(before)} {shlex.quote(path)}",
        )


def _no_records(
    transaction: Transaction, tables: Iterable[Table], old: str, after: str
) -> SourceError:
    """Return the error if the store has no records of the old folder: where it has some."""
    before = absolute_path(expand_home(old))
    reason = "the store has no records of this folder, nor below it"
    directories = {
        directory.rstrip("/")
        for table in tables
        for _, directory in records_inside(transaction, table, None)
    }
    if any(is_inside(directory, {after}) for directory in directories):
        reason += f"; it has some of {after}. OLD comes first, then NEW"
    else:
        tops = {*map(os.path.dirname, directories)}
        parent = os.path.dirname(before)
        pairs = map(os.path.split, directories | tops | {*map(os.path.dirname, tops)})
        meant = path_suggestion(old, (other for folder, other in pairs if folder == parent))
        known = f"; it has some in {', '.join(listed(sorted(tops)))}" if tops else ""
        reason += meant or known
    if moved_by := _relocation_of(transaction, before):
        reason += f". They may have been relocated by operation {moved_by}"
    return SourceError(before, reason)


def _relocation_of(transaction: Transaction, folder: str) -> str:
    """Return number and command of the latest relocation of a folder; empty if there is none."""
    for operation in operations(transaction):
        command = operation.entries[0].command
        with suppress(ValueError):  # a command that another program has written
            words = shlex.split(command)
            if words[1:3] == ["sync", "relocate"] and not operation.is_undone:
                paths = [word for word in words[3:] if not word.startswith("-")]
                if any(absolute_path(path) == folder for path in paths[:-1]):
                    return f"{operation.number}: {command}"
    return ""


def _moved_rows(rows: pa.RecordBatch, old: str, new: str) -> pa.RecordBatch:
    """Return the rows whose directory is in or below the old folder, with their new directory."""
    directories = texts(rows["directory"])
    positions = [at for at, directory in enumerate(directories) if is_inside(directory, {old})]
    paths = [_moved_path(directories[position], old, new) for position in positions]
    column = rows.schema.get_field_index("directory")
    return take_rows(rows, positions).set_column(
        column, rows.schema.field(column), array(paths, pa.string())
    )


def _moved_path(directory: str, old: str, new: str) -> str:
    """Return the path that a directory in or below the old folder has after the move."""
    if directory.rstrip("/") == old:
        return new
    return f"{new.rstrip('/')}/{directory.removeprefix(old.rstrip('/') + '/')}"
