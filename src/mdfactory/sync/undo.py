"""Undo: take an operation back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mdfactory.errors import (
    ChangedSinceError,
    MDFactoryError,
    StoreChangedError,
    StoreError,
    UndoError,
)
from mdfactory.records.arrow import batch, texts, unpack
from mdfactory.records.history import Changes, Entry, UndoPart, before_image_schema
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import Namespace, Table, table_named, undo_table
from mdfactory.stores.history.restore import Restored, put_back
from mdfactory.stores.keys import Key
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.log import Operation, changes_records, operations
from mdfactory.sync.results import require_tables
from mdfactory.sync.snapshot import Watch

__all__ = ["Undone", "undo"]


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did, or would do.

    Parameters
    ----------
    operation
        What was taken back.
    changes
        Table -> what became of records -> how many.
    made, dropped
        Tables that were not there before, and that are not there any more.
    """

    operation: Operation
    changes: Changes
    made: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was changed; if not, it was undone already."""
        return changes_records(self.changes) or bool(self.made or self.dropped)


def undo(
    store: Store,
    number: int | None = None,
    *,
    dry_run: bool = False,
    command: str = "undo",
    watch: Watch = lambda *_: None,
) -> Undone:
    """Take back an operation, in one transaction.

    Parameters
    ----------
    store
        The store.
    number
        Which operation; the latest one that changed anything if None.
    dry_run
        Only tell what would be changed.
    command
        What was typed, for the log.
    watch
        Is told of the progress.

    Raises
    ------
    ChangedSinceError
        If a record that would be changed is no longer as the operation left it.
    UndoError
        If there is no such operation, or none at all, or what it changed was not kept.
    StoreError
        If what was kept of it is not there as a whole.
    NotInitialisedError
        If the store has no tables.
    """
    with store.transaction() as transaction:
        operation = _chosen(operations(transaction), number, transaction)
        if dry_run:
            return _undo(transaction, operation, watch, planned={})
    with store.operation(command, undoes=operation.number) as transaction:
        now = _chosen(operations(transaction), number, transaction)
        if now.number != operation.number:
            raise StoreChangedError(
                f"operation {now.number} was done meanwhile ({now.entries[0].command}); "
                "nothing was undone. Look at it before you repeat the undo",
                command="mdfactory sync log",
            )
        return _undo(transaction, now, watch)


def _undo(
    transaction: Transaction,
    operation: Operation,
    watch: Watch,
    planned: dict[tuple[str, Key], bytes] | None = None,
) -> Undone:
    """Take an operation back, or tell what that would do if it is only planned."""
    earlier = [table.name for table in transaction.tables()]
    changes: dict[str, Counter[str]] = defaultdict(Counter)
    changed: dict[str, dict[Key, None]] = defaultdict(dict)
    for entry in operation.entries:
        for table, restored in _put_back(transaction, entry, planned):
            changes[table.name].update(restored.counts)
            # One that was written several times counts as it was before the first of them.
            those = changed[table.name]
            restored_keys = restored.keys
            changed[table.name] = {key: None for key in those if key not in restored_keys}
            changed[table.name] |= dict.fromkeys(restored.conflicting)
            watch("undoing", sum(map(Counter.total, changes.values())))
    changed = {table: keys for table, keys in changed.items() if keys}
    if changed:
        named = {table: [" ".join(key) for key in keys] for table, keys in changed.items()}
        raise ChangedSinceError(operation.number, named)
    for entry in operation.entries if planned is None else ():
        for name in entry.made:
            _drop_if_empty(transaction, _table(name, entry))
    later = [table.name for table in transaction.tables()]
    return Undone(
        operation,
        {table: dict(counts) for table, counts in changes.items()},
        made=tuple(name for name in later if name not in earlier),
        dropped=tuple(name for name in earlier if name not in later),
    )


def _put_back(
    transaction: Transaction, entry: Entry, planned: dict[tuple[str, Key], bytes] | None
) -> Iterator[tuple[Table, Restored]]:
    """Take back what an operation did in one place; yield what became of records, part by part."""
    for name in entry.dropped if planned is None else ():
        transaction.create(_table(name, entry))
    for table, left, before in _parts(transaction, entry):
        if planned is None and not transaction.has(table):  # another program has removed it
            transaction.create(table)
        restored = put_back(transaction, table, left, before, planned)
        if transaction.recorder:
            transaction.recorder.count(table, restored.counts)
        yield table, restored


def _chosen(
    operations: Sequence[Operation], number: int | None, transaction: Transaction
) -> Operation:
    """Return the operation to take back.

    Raises
    ------
    UndoError
        If there is none, or it cannot be taken back.
    """
    if not operations:
        require_tables(transaction)
    if number is None:
        found = next((one for one in operations if one.changed or not one.is_whole), None)
        if found is None:
            raise UndoError("there is nothing to undo: the log tells of no change")
    else:
        found = next((one for one in operations if one.number == number), None)
        if found is None:
            raise UndoError(f"there is no operation {number}", command="mdfactory sync log")
        if found.is_whole and not found.changed:
            raise UndoError(f"operation {number} changed nothing", command="mdfactory sync log")
    if not found.is_whole:
        raise UndoError(
            f"operation {found.number} also changed another file, which is not the one that this "
            "store has now: both must be undone together"
        )
    if not found.can_be_undone:
        raise UndoError(
            f"operation {found.number} ({found.entries[0].command}) cannot be undone: what it "
            "changed was not kept, or has been forgotten. [history] in the configuration says how "
            "much is kept"
        )
    return found


def _parts(
    transaction: Transaction, entry: Entry
) -> Iterator[tuple[Table, pa.RecordBatch, pa.RecordBatch]]:
    """Yield what an operation changed, the last change first.

    Yields
    ------
    tuple
        Table, keys of records with their stamps as they were left, records as they were before.
    """
    if entry.slot < 0:
        return
    size = 0
    undo = undo_table(Namespace(entry.namespace), entry.slot)
    damaged = StoreError(
        f"{transaction.location}: what was kept of operation {entry.operation} in {undo.name} is "
        "damaged; nothing was undone"
    )
    try:
        for part in _latest_first(transaction, undo):
            if part.operation != entry.operation:
                raise damaged
            size += part.size
            table = _table(part.table, entry)
            left = unpack(part.left).read_next_batch()
            before = unpack(part.before).read_next_batch() if part.before else None
            yield table, left, before or batch([], before_image_schema(table))
    except (ValueError, pa.ArrowException) as error:
        if isinstance(error, MDFactoryError):
            raise
        raise damaged from error
    if size != entry.size:
        raise damaged


def _latest_first(transaction: Transaction, undo: Table) -> Iterator[UndoPart]:
    """Yield the parts that are kept, one at a time: they may be long.

    Raises
    ------
    ValueError
        If one has been changed.
    """
    if not transaction.has(undo):
        return
    keys = [
        key
        for rows in transaction.scan(undo, Query(columns=("hash",)))
        for key in texts(rows["hash"])
    ]
    for key in sorted(keys, key=lambda one: one[1:], reverse=True):
        for rows in transaction.scan(undo, Query((OneOf("hash", (key,)),))):
            yield from map(UndoPart.read, rows.to_pylist())


def _drop_if_empty(transaction: Transaction, table: Table) -> None:
    """Remove a table that was not there, unless others have put records there meanwhile."""
    if transaction.has(table) and not transaction.count(table, limit=1):
        transaction.lock_table(table)
        transaction.drop(table)
        if transaction.recorder:
            transaction.recorder.table_dropped(table)


def _table(name: str, entry: Entry) -> Table:
    table = table_named(name, Namespace(entry.namespace))
    if table is None:
        raise StoreError(f"operation {entry.operation} tells of {name}, which is no record table")
    return table
