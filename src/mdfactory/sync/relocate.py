"""Relocate: tell a store that folders were moved, in one transaction."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mdfactory.errors import UsageError
from mdfactory.records.arrow import array, texts
from mdfactory.records.query import OneOf, Prefix, Query
from mdfactory.records.tables import Table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.keys import take_rows
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.parts import parts
from mdfactory.sync.results import require_tables
from mdfactory.sync.snapshot import Watch

__all__ = ["Relocated", "relocate"]

CHUNK = 200
"""Records that are looked at together."""


@dataclass(frozen=True, slots=True)
class Relocated:
    """What a relocation changed, or would change.

    Parameters
    ----------
    old, new
        The folder before and after: absolute paths.
    tables
        Table -> number of its records.
    """

    old: str
    new: str
    tables: dict[str, int]

    @property
    def total(self) -> int:
        """The number of all records."""
        return sum(self.tables.values())


def relocate(
    store: Store,
    old: str,
    new: str,
    *,
    dry_run: bool = False,
    command: str = "relocate",
    watch: Watch = lambda *_: None,
) -> Relocated:
    """Rewrite the directory of all records of what was in a folder that has been moved.

    All else of the records stays, their times too.

    Parameters
    ----------
    store
        The store.
    old, new
        The folder before and after.
    dry_run
        Only tell what would be changed.
    command
        What was typed, for the log.
    watch
        Is told of the progress.

    Raises
    ------
    UsageError
        If both are the same folder.
    NotInitialisedError
        If the store has no tables.
    """
    before, after = (os.path.abspath(os.path.expanduser(path)) for path in (old, new))
    if before == after:
        raise UsageError(f"OLD and NEW are the same folder: {before}")
    with store.transaction() if dry_run else store.operation(command) as transaction:
        tables = require_tables(transaction)
        moved: dict[str, int] = {}
        for table in tables:
            if not dry_run:
                transaction.lock_table(table)
            keys = list(_hashes(transaction, table, before))
            moved[table.name] = len(keys)
            watch(f"relocating {table.name}", len(keys))
            if not dry_run:
                _rewrite(transaction, table, list(dict.fromkeys(keys)), before, after)
    return Relocated(before, after, moved)


def _hashes(transaction: Transaction, table: Table, folder: str) -> Iterator[str]:
    """Yield the hash of each record of what was in a folder."""
    query = Query((Prefix("directory", folder),), ("hash", "directory"))
    for rows in transaction.read(table, query):
        for hash_, directory in zip(*(one.to_pylist() for one in rows.columns), strict=True):
            if _renamed(directory, folder, folder) is not None:
                yield hash_


def _rewrite(
    transaction: Transaction, table: Table, hashes: Sequence[str], old: str, new: str
) -> None:
    for start in range(0, len(hashes), CHUNK):
        query = Query((OneOf("hash", tuple(hashes[start : start + CHUNK])),))
        read = transaction.read_with_sidecars if table.sidecar else transaction.read
        # The answer is read to its end before anything is written to the table it comes from.
        for rows in list(read(table, query)):
            changed = _moved(rows, old, new)
            transaction.write(((table, part) for part in parts(table, changed)), ConflictMode.force)


def _moved(rows: pa.RecordBatch, old: str, new: str) -> pa.RecordBatch:
    """Return the rows of what was in a folder, with their new directories."""
    renamed = [_renamed(directory, old, new) for directory in texts(rows["directory"])]
    those = [position for position, directory in enumerate(renamed) if directory is not None]
    kept = take_rows(rows, those)
    directories = array([renamed[position] for position in those], pa.string())
    columns = [directories if name == "directory" else kept[name] for name in kept.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=kept.schema)


def _renamed(directory: str, old: str, new: str) -> str | None:
    """Return where a directory is now; None if it was not in the folder."""
    if directory.rstrip("/") == old:
        return new
    inside = old.rstrip("/") + "/"
    return (
        new.rstrip("/") + "/" + directory[len(inside) :] if directory.startswith(inside) else None
    )
