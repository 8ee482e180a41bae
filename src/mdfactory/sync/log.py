"""Log: the operations that a store has recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mdfactory.records.history import ChangeCounts, Entry, changes_records
from mdfactory.stores.history.entries import read_entries
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.results import require_tables


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on a store, such as a push or a clear.

    Parameters
    ----------
    number
        Number of the operation; operations are numbered from 1 in their order.
    entries
        Its log entries, one for each namespace that it changed.
    undone_by
        Number of the latest operation that undid it; 0 if none did.
    origin
        Of an undo, the number of the operation that was undone first; 0 if it is no undo.
    is_redo
        Whether it is the undo of an undo of `origin`.
    latest
        Number of the latest undo or redo of this operation; 0 if there is none.
    is_redone
        Whether the latest one is a redo.
    """

    number: int
    entries: tuple[Entry, ...]
    undone_by: int = 0
    origin: int = 0
    is_redo: bool = False
    latest: int = 0
    is_redone: bool = False

    @property
    def changes(self) -> ChangeCounts:
        """Table name -> outcome -> number of records."""
        return {table: counts for entry in self.entries for table, counts in entry.changes.items()}

    @property
    def changed(self) -> bool:
        """Whether the operation changed any record or table."""
        return any(entry.has_changes for entry in self.entries)

    @property
    def size(self) -> int:
        """Size of its stored before-images in bytes."""
        return sum(entry.size for entry in self.entries)

    @property
    def can_be_undone(self) -> bool:
        """Whether the operation changed anything, and its before-images are still stored."""
        return self.changed and all(
            entry.slot >= 0 for entry in self.entries if changes_records(entry.changes)
        )

    @property
    def is_undone(self) -> bool:
        """Whether it was undone, by the operation `latest`, and not redone since."""
        return bool(self.latest) and not self.is_redone

    @property
    def is_whole(self) -> bool:
        """Whether the log has an entry for each namespace that the operation changed."""
        return {entry.namespace for entry in self.entries} == set(self.entries[0].namespaces)


def history(store: Store) -> list[Operation]:
    """Return the operations on a store, the latest first.

    Raises
    ------
    NotInitialisedError
        If the store has no tables.
    """
    with store.transaction() as transaction:
        logged = operations(transaction)
        if not logged:
            require_tables(transaction)
        return logged


def operations(transaction: Transaction) -> list[Operation]:
    """Return the operations in the log, the latest first.

    Each namespace has a log of its own. Entries belong to one operation if their numbers and
    their times are equal. After one file was restored from a backup, numbers alone are ambiguous.
    """
    entries_by_operation: dict[tuple[int, str], list[Entry]] = defaultdict(list)
    undone_by: dict[int, int] = {}
    for entry in read_entries(transaction):
        entries_by_operation[entry.operation, entry.time].append(entry)
        undone_by[entry.undoes] = entry.operation  # in order: the latest undo is kept
    undoes = {number: entry.undoes for (number, _), (entry, *_) in entries_by_operation.items()}
    return [
        Operation(
            number,
            tuple(entries_by_operation[number, time]),
            undone_by.get(number, 0),
            *_origin(number, undoes),
            *_latest(number, undone_by),
        )
        for number, time in sorted(entries_by_operation, reverse=True)
    ]


def in_effect(latest: Sequence[Operation]) -> list[Operation]:
    """Return the latest operations of a log without those that cancel each other.

    An operation and its undo cancel each other, unless that undo was cancelled by its own undo.

    Parameters
    ----------
    latest
        Operations, the latest first. An undo of an operation that is not among them is in effect.
    """
    numbers = {operation.number for operation in latest}
    cancelled: set[int] = set()
    for operation in latest:
        undoes = operation.entries[0].undoes
        if undoes in numbers and operation.number not in cancelled:
            cancelled |= {operation.number, undoes}
    return [operation for operation in latest if operation.number not in cancelled]


def _origin(number: int, undoes: Mapping[int, int]) -> tuple[int, bool]:
    """Return the operation that an undo goes back to, and whether it is a redo."""
    origin, is_redo = 0, True
    while number := undoes.get(number, 0):
        origin, is_redo = number, not is_redo
    return origin, bool(origin) and is_redo


def _latest(number: int, undone_by: Mapping[int, int]) -> tuple[int, bool]:
    """Return the latest undo or redo of an operation, and whether it is a redo."""
    latest, is_redo = 0, True
    while number := undone_by.get(number, 0):
        latest, is_redo = number, not is_redo
    return latest, bool(latest) and is_redo
