"""Undo: restore the records that an operation has changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from mdfactory.errors import ChangedSinceError, StoreChangedError, StoreError, UndoError
from mdfactory.records.arrow import batch, unpack_batch
from mdfactory.records.history import (
    Entry,
    UndoPart,
    before_image_schema,
    changes_records,
    fingerprint_schema,
)
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import Namespace, Table, table_named, undo_table
from mdfactory.stores.history.restore import PlannedFingerprints, put_back
from mdfactory.stores.keys import Key, keys_of
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.log import Operation, in_effect, operations
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_tables


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did, or would do.

    Parameters
    ----------
    operation
        The operation that was undone.
    changes
        Table name -> outcome -> number of records.
    made, dropped
        Names of tables that the undo has created, and of those it has dropped; or would create
        and drop.
    """

    operation: Operation
    changes: dict[str, dict[str, int]]
    made: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether the undo changed any record or table, or would do so."""
        return changes_records(self.changes) or bool(self.made or self.dropped)


def undo(
    store: Store,
    number: int | None = None,
    *,
    dry_run: bool = False,
    command: str = "undo",
    watch: ProgressCallback = lambda *_: None,
) -> Undone:
    """Undo an operation, in one transaction.

    Nothing is changed if the operation is undone already, also if its records have changed since.

    Parameters
    ----------
    store
        The store.
    number
        Number of the operation; the latest one that changed anything if None.
    dry_run
        Write nothing, and return what would be changed.
    command
        The command as the user typed it, for the log.
    watch
        Called with the current step and the number of records done.

    Raises
    ------
    ChangedSinceError
        If a record to be restored was changed after the operation, which is not undone. Nothing
        was changed.
    UndoError
        If there is no such operation, if it changed nothing, if its before-images are not stored,
        or if it also changed a file that is not part of this store now.
    StoreChangedError
        If another operation was completed after this one was chosen. Nothing was changed.
    StoreError
        If its before-images are damaged or incomplete.
    NotInitialisedError
        If the store has no tables.
    """
    with store.transaction() as transaction:
        operation = _choose(transaction, number)
    try:
        with (
            store.transaction() if dry_run else store.operation(command, undoes=operation.number)
        ) as transaction:
            # Choose again in this transaction: another program may have written in between.
            current = _choose(transaction, number)
            if current.number != operation.number:
                raise StoreChangedError(
                    f"operation {current.number} was done meanwhile "
                    f"({current.entries[0].command}); nothing was undone. Look at it before you "
                    "repeat the undo",
                    command="mdfactory sync log",
                )
            return _undo(transaction, current, watch, planned={} if dry_run else None)
    except ChangedSinceError:
        if operation.is_undone:  # what changed its records since is no reason to undo that
            return Undone(operation, {}, (), ())
        raise


def _undo(
    transaction: Transaction,
    operation: Operation,
    watch: ProgressCallback,
    planned: PlannedFingerprints | None = None,
) -> Undone:
    """Undo an operation; if `planned` is given, only return what would be changed."""
    tables_before = [table.name for table in transaction.tables()]
    changes: dict[str, Counter[str]] = defaultdict(Counter)
    changed_since: dict[str, dict[Key, None]] = defaultdict(dict)  # keys in order, each once
    for entry in operation.entries:
        for name in entry.dropped if planned is None else ():
            transaction.create(_table(name, entry))
        for table, fingerprints, before_images in changed_records(transaction, entry):
            if planned is None and not transaction.has(table):  # another program has removed it
                transaction.create(table)
            restored = put_back(transaction, table, fingerprints, before_images, planned)
            if transaction.recorder:
                transaction.recorder.count(table, restored.counts)
            changes[table.name].update(restored.counts)
            # Parts come latest first, and an operation may have written a record several times. A
            # record that is already restored conflicts with the later writes. But it matches the
            # before-image of the first one, which removes the conflict.
            for key in restored.keys:
                changed_since[table.name].pop(key, None)
            changed_since[table.name] |= dict.fromkeys(restored.conflicting)
            watch("undoing", sum(map(Counter.total, changes.values())))
    changed_keys = {
        name: [" ".join(key) for key in keys] for name, keys in changed_since.items() if keys
    }
    if changed_keys:
        by = _changed_by(transaction, operation, changed_since)
        raise ChangedSinceError(operation.number, changed_keys, by=by)
    if planned is None:
        for entry in operation.entries:
            _drop_if_empty(transaction, [_table(name, entry) for name in entry.made])
        tables_after = [table.name for table in transaction.tables()]
    else:
        tables_after = _planned_tables(transaction, operation, changes)
    return Undone(
        operation,
        {name: dict(counts) for name, counts in changes.items()},
        made=tuple(name for name in tables_after if name not in tables_before),
        dropped=tuple(name for name in tables_before if name not in tables_after),
    )


def _changed_by(
    transaction: Transaction, operation: Operation, changed: Mapping[str, Mapping[Key, None]]
) -> int:
    """Return the number of the latest operation that changed records since an earlier one.

    It is 0 if no operation in effect did, or if the before-images of that operation are not stored.
    """
    later = [each for each in operations(transaction) if each.number > operation.number]
    for each in in_effect(later):
        if each.can_be_undone and _touches(transaction, each, changed):
            return each.number
    return 0


def _touches(
    transaction: Transaction, operation: Operation, changed: Mapping[str, Mapping[Key, None]]
) -> bool:
    """Return whether an operation changed one of some records."""
    for entry in operation.entries:
        for table, fingerprints, _ in changed_records(transaction, entry):
            keys = changed.get(table.name, {}).keys()
            if not keys.isdisjoint(keys_of(fingerprints, table.key)):
                return True
    return False


def _planned_tables(
    transaction: Transaction, operation: Operation, changes: Mapping[str, Counter[str]]
) -> list[str]:
    """Return the names of the tables that the store would have after an undo."""
    present = {table.name: table for table in transaction.tables()}
    recreated = [name for entry in operation.entries for name in entry.dropped]
    names = dict.fromkeys([*present, *recreated, *changes])  # a set in the order of the store
    for made in (name for entry in operation.entries for name in entry.made if name in names):
        count = transaction.count(present[made]) if made in present else 0
        counts = changes.get(made, Counter())
        if count + counts["inserted"] == counts["removed"]:
            del names[made]
    return list(names)


def _choose(transaction: Transaction, number: int | None) -> Operation:
    """Return the operation with this number, or the latest one that changed anything if None.

    Raises
    ------
    UndoError
        If there is no such operation, or it cannot be undone.
    """
    logged = operations(transaction)
    if not logged:
        require_tables(transaction)
    if number is None:
        # An operation that is not whole lacks the entry of another file. That entry may list
        # changes, so the operation must not be passed over.
        choices = [choice for choice in logged if choice.changed or not choice.is_whole]
        problem = "there is nothing to undo: no operation in the log has changed anything"
    else:
        choices = [choice for choice in logged if choice.number == number]
        problem = f"there is no operation {number}"
    if not choices:
        raise UndoError(problem, command="mdfactory sync log" if number is not None else "")
    operation = choices[0]
    if not operation.is_whole:
        raise UndoError(
            f"operation {operation.number} also changed another file, which is not part of this "
            "store now; an undo needs both files"
        )
    if not operation.changed:
        raise UndoError(f"operation {number} changed nothing", command="mdfactory sync log")
    if not operation.can_be_undone:
        raise UndoError(
            f"operation {operation.number} ({operation.entries[0].command}) cannot be undone: what "
            "its records were before was not kept, or was removed to save space. The section "
            "[history] of the configuration sets how much is kept"
        )
    return operation


def changed_records(
    transaction: Transaction, entry: Entry
) -> Iterator[tuple[Table, pa.RecordBatch, pa.RecordBatch]]:
    """Yield the records that an operation changed in one namespace, part by part, latest first.

    Yields
    ------
    table : Table
        The table of the records.
    fingerprints : pyarrow.RecordBatch
        Keys of the records, and their fingerprints after the operation.
    before_images : pyarrow.RecordBatch
        In `before_image_schema`; records that the operation inserted have none.

    Raises
    ------
    StoreError
        If a stored part is damaged or missing.
    """
    if entry.slot < 0:
        return
    size = 0
    undo = undo_table(Namespace(entry.namespace), entry.slot)
    damaged = StoreError(
        f"{transaction.location}: what {undo.name} keeps to undo operation {entry.operation} is "
        "damaged; nothing was undone"
    )
    try:
        keys = transaction.values(undo, Query(columns=("hash",))) if transaction.has(undo) else ()
        # The first digit of a key only distributes the parts; the rest is the number of the part.
        for (key,) in sorted(keys, key=lambda values: values[0][1:], reverse=True):
            # Each part is read alone, since it may be large.
            (values,) = transaction.values(undo, Query((OneOf("hash", (key,)),)))
            part = UndoPart.from_row(dict(zip(undo.columns, values, strict=True)))
            if part.operation != entry.operation:
                raise damaged
            size += part.size
            table = _table(part.table, entry)
            fingerprints = unpack_batch(part.fingerprints, fingerprint_schema(table))
            images = batch([], before_image_schema(table))
            if part.before_images:
                images = unpack_batch(part.before_images, images.schema)
            if not set(keys_of(images, table.key)) <= set(keys_of(fingerprints, table.key)):
                raise damaged
            yield table, fingerprints, images
    except (ValueError, pa.ArrowException) as error:
        raise damaged from error
    if size != entry.size:  # a part is missing
        raise damaged


def _drop_if_empty(transaction: Transaction, tables: Iterable[Table]) -> None:
    """Drop tables that the operation created, unless they now have records of others."""
    for table in tables:
        if transaction.has(table) and not transaction.count(table, limit=1):
            transaction.lock_table(table)
            transaction.backend.drop(table)
            if transaction.recorder:
                transaction.recorder.table_dropped(table)


def _table(name: str, entry: Entry) -> Table:
    table = table_named(name, Namespace(entry.namespace))
    if table is None:
        raise StoreError(
            f"operation {entry.operation} lists the table {name}, which is not a record table"
        )
    return table
