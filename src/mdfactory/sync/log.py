"""Log: the operations that a store has recorded."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from mdfactory.records.history import Changes, Entry
from mdfactory.stores.history.entries import read_entries
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.results import require_tables

__all__ = ["Operation", "changes_records", "history", "operations"]

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
        return {entry.namespace for entry in self.entries} == set(self.entries[0].namespaces)


def history(store: Store) -> list[Operation]:
    """Return what was done to a store, the latest first.

    Raises
    ------
    NotInitialisedError
        If the store has no tables.
    """
    with store.transaction() as transaction:
        done = operations(transaction)
        if not done:
            require_tables(transaction)
        return done


def operations(transaction: Transaction) -> list[Operation]:
    """Return what the log tells, the latest first.

    What has the same number in two files and not the same time is not the same operation: one
    of the files was put back from a backup.
    """
    found: dict[tuple[int, str], list[Entry]] = defaultdict(list)
    undone: dict[int, int] = {}
    for entry in read_entries(transaction):
        found[entry.operation, entry.time].append(entry)
        undone[entry.undoes] = entry.operation  # the latest comes last
    return [
        Operation(number, tuple(found[number, time]), undone.get(number, 0))
        for number, time in sorted(found, reverse=True)
    ]


def _changed_records(entry: Entry) -> bool:
    return changes_records(entry.changes)


def changes_records(changes: Changes) -> bool:
    """Whether any record was inserted, updated or removed."""
    return any(
        count for counts in changes.values() for what, count in counts.items() if what in CHANGED
    )
