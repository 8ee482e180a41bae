"""Relocate: update the directories of records after folders were moved, in one transaction."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from mdfactory.errors import UsageError
from mdfactory.records.arrow import array, texts
from mdfactory.records.query import OneOf, Prefix, Query
from mdfactory.records.tables import Table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.keys import take_rows
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
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
        If `old` and `new` are the same folder.
    NotInitialisedError
        If the store has no tables.
    """
    before, after = (os.path.abspath(os.path.expanduser(path)) for path in (old, new))
    if before == after:
        raise UsageError(f"OLD and NEW are the same folder: {before}")
    with store.transaction() if dry_run else store.operation(command) as transaction:
        counts: dict[str, int] = {}
        for table in require_tables(transaction):
            if not dry_run:
                transaction.lock_table(table)
            hashes = list(_hashes_inside(transaction, table, before))
            counts[table.name] = len(hashes)
            watch(f"relocating {table.name}", len(hashes))
            if not dry_run:
                # The overview has several rows of a simulation: each hash is passed once.
                _rewrite(transaction, table, list(dict.fromkeys(hashes)), before, after)
    return Relocated(before, after, counts)


def _hashes_inside(transaction: Transaction, table: Table, folder: str) -> Iterator[str]:
    """Yield the hash of each record whose directory is a given folder or inside it."""
    query = Query((Prefix("directory", folder),), ("hash", "directory"))
    for rows in transaction.read(table, query):
        for hash_, directory in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            if _moved_path(directory, folder, folder) is not None:
                yield hash_


def _rewrite(
    transaction: Transaction, table: Table, hashes: Sequence[str], old: str, new: str
) -> None:
    for start in range(0, len(hashes), BATCH_SIMULATIONS):
        hashes_batch = tuple(hashes[start : start + BATCH_SIMULATIONS])
        # All rows are read before the first is written: both are in the same table.
        query = Query((OneOf("hash", hashes_batch),))
        for rows in list(transaction.read_with_sidecars(table, query)):
            transaction.write([(table, _moved_rows(rows, old, new))], ConflictMode.force)


def _moved_rows(rows: pa.RecordBatch, old: str, new: str) -> pa.RecordBatch:
    """Return the rows whose directory is in or below the old folder, with their new directory."""
    new_paths = [_moved_path(directory, old, new) for directory in texts(rows["directory"])]
    positions = [position for position, path in enumerate(new_paths) if path is not None]
    moved = take_rows(rows, positions)
    directories = array([new_paths[position] for position in positions], pa.string())
    columns = [directories if name == "directory" else moved[name] for name in moved.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=moved.schema)


def _moved_path(directory: str, old: str, new: str) -> str | None:
    """Return the path of a directory after the move; None if the move does not affect it."""
    if directory.rstrip("/") == old:
        return new
    prefix = old.rstrip("/") + "/"
    if not directory.startswith(prefix):
        return None
    return new.rstrip("/") + "/" + directory.removeprefix(prefix)
