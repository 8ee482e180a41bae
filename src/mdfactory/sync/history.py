"""History: what was done to a store, and taking the latest of it back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from mdfactory.errors import ChangedSinceError, StoreError, UndoError
from mdfactory.records.history import Changes, Entry, image_schema
from mdfactory.records.packed import unpack
from mdfactory.records.query import Query, Sort
from mdfactory.records.tables import Place, Table, batch, table_named, undo_table
from mdfactory.stores.base import Store, Transaction
from mdfactory.stores.images import put_back
from mdfactory.stores.journal import entries
from mdfactory.sync.items import require_tables
from mdfactory.sync.push import Watch

__all__ = ["Operation", "Undone", "history", "undo"]

CHANGED = {"inserted", "updated", "removed"}
"""What can become of a record, apart from nothing."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that was done to a store: a push, a clear, and so on.

    Parameters
    ----------
    number
        Operations count from 1, in the order in which they were done.
    entries
        What the log tells of it, for each place.
    undone_by
        Number of the latest operation that took it back; 0 if none did.
    """

    number: int
    entries: tuple[Entry, ...]
    undone_by: int = 0

    @property
    def changes(self) -> Changes:
        """Table -> what became of records -> how many."""
        return {table: counts for entry in self.entries for table, counts in entry.changes.items()}

    @property
    def changed(self) -> bool:
        """Whether it changed anything."""
        return any(
            _changed_records(entry) or entry.slot >= 0 or entry.made or entry.dropped
            for entry in self.entries
        )

    @property
    def size(self) -> int:
        """Bytes that are kept of it."""
        return sum(entry.size for entry in self.entries)

    @property
    def can_be_undone(self) -> bool:
        """Whether it changed anything, and all of that is kept."""
        return self.changed and all(
            entry.slot >= 0 for entry in self.entries if _changed_records(entry)
        )

    @property
    def is_whole(self) -> bool:
        """Whether all places that it changed are in this store."""
        return {entry.place for entry in self.entries} == set(self.entries[0].places)


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
        return _changes_records(self.changes) or bool(self.made or self.dropped)


def history(store: Store) -> list[Operation]:
    """Return what was done to a store, the latest first.

    Raises
    ------
    NotInitialisedError
        If the store has no tables.
    """
    with store.transaction() as transaction:
        require_tables(transaction)
        return _operations(transaction)


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
    if not dry_run:
        with store.operation(command) as transaction:
            return _undo(transaction, number, watch)
    undone: list[Undone] = []
    with suppress(_TriedError), store.transaction(write=True) as transaction:
        undone.append(_undo(transaction, number, watch))
        raise _TriedError
    return undone[0]


class _TriedError(Exception):
    """Ends a transaction that was only tried."""


def _operations(transaction: Transaction) -> list[Operation]:
    found: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries(transaction):
        found[entry.operation].append(entry)
    undone = {
        entry.undoes: number for number in sorted(found) for entry in found[number] if entry.undoes
    }
    return [
        Operation(number, tuple(found[number]), undone.get(number, 0))
        for number in sorted(found, reverse=True)
    ]


def _undo(transaction: Transaction, number: int | None, watch: Watch) -> Undone:
    earlier = [table.name for table in require_tables(transaction)]
    operation = _chosen(_operations(transaction), number)
    if transaction.journal:
        transaction.journal.undoes = operation.number
    changes: dict[str, Counter[str]] = defaultdict(Counter)
    changed: dict[str, dict[str, None]] = defaultdict(dict)
    for entry in operation.entries:
        for table, numbers, wrong in _put_back(transaction, entry):
            changes[table.name].update(numbers)
            changed[table.name] |= dict.fromkeys(wrong)
            watch("undoing", sum(map(Counter.total, changes.values())))
    changed = {table: keys for table, keys in changed.items() if keys}
    if changed:
        raise ChangedSinceError(
            operation.number, {table: list(keys) for table, keys in changed.items()}
        )
    for entry in operation.entries:
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
    transaction: Transaction, entry: Entry
) -> Iterator[tuple[Table, dict[str, int], list[str]]]:
    """Take back what an operation did in one place.

    Yields
    ------
    tuple
        Table; what became of how many records; keys of those that someone has changed since.
    """
    for name in entry.dropped:
        transaction.create(_table(name, entry))
    for table, left, before in _parts(transaction, entry):
        if not transaction.has(table):  # another program has removed it
            transaction.create(table)
        numbers, wrong = put_back(transaction, table, left, before)
        if transaction.journal:
            transaction.journal.count(table, numbers)
        yield table, numbers, wrong


def _chosen(operations: Sequence[Operation], number: int | None) -> Operation:
    """Return the operation to take back.

    Raises
    ------
    UndoError
        If there is none, or it cannot be taken back.
    """
    if number is None:
        found = next((one for one in operations if one.changed), None)
        if found is None:
            raise UndoError("there is nothing to undo: the log tells of no change")
    else:
        found = next((one for one in operations if one.number == number), None)
        if found is None:
            raise UndoError(f"there is no operation {number}", command="mdfactory sync log")
        if not found.changed:
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
    undo = undo_table(Place(entry.place), entry.slot)
    damaged = StoreError(
        f"{transaction.location}: what was kept of operation {entry.operation} in {undo.name} is "
        "damaged; nothing was undone"
    )
    latest_first = Query(sort=Sort("part", descending=True))
    for rows in transaction.scan(undo, latest_first) if transaction.has(undo) else ():
        for part in rows.to_pylist():
            size += len(part["left"]) + len(part["before"])
            if part["operation"] != entry.operation:
                raise damaged
            table = _table(part["record_table"], entry)
            try:
                left = unpack(part["left"]).read_next_batch()
                before = unpack(part["before"]).read_next_batch() if part["before"] else None
            except (ValueError, OSError, pa.ArrowException, StopIteration) as error:
                raise damaged from error
            yield table, left, before or batch([], image_schema(table))
    if size != entry.size:
        raise damaged


def _drop_if_empty(transaction: Transaction, table: Table) -> None:
    """Remove a table that was not there, unless others have put records there meanwhile."""
    if transaction.has(table) and not transaction.count(table, limit=1):
        transaction.claim(table)
        transaction.drop(table)
        if transaction.journal:
            transaction.journal.dropped(table)


def _table(name: str, entry: Entry) -> Table:
    table = table_named(name, Place(entry.place))
    if table is None:
        raise StoreError(f"operation {entry.operation} tells of {name}, which is no record table")
    return table


def _changed_records(entry: Entry) -> bool:
    return _changes_records(entry.changes)


def _changes_records(changes: Changes) -> bool:
    return any(
        count for counts in changes.values() for what, count in counts.items() if what in CHANGED
    )
