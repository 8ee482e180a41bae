"""A store in memory: the smallest that keeps the contract, for tests and as a model."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pyarrow as pa

from mdfactory.errors import StoreLockedError
from mdfactory.records.query import Query, apply
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.keys import Key
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction

__all__ = ["Memory", "MemoryStore", "MemoryTransaction"]

BATCH: Final = 2048

Tables = dict[tuple[Namespace, str], tuple[str, pa.Table]]
"""Place and lower-case name -> name as spelt, rows. The rows are never changed in place."""


class MemoryTransaction(Transaction):
    """A transaction on its own view of the tables.

    Parameters
    ----------
    rows
        The view; it becomes the store's state if the transaction is committed.
    """

    location = "memory"

    def __init__(self, rows: Tables) -> None:
        self.rows = rows

    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of the tables in one place."""
        return [name for (where, _), (name, _) in self.rows.items() if where is namespace]

    def make(self, table: Table) -> None:
        """Make an empty table."""
        self.rows[table.namespace, table.id] = (table.name, table.schema.empty_table())

    def drop(self, table: Table) -> None:
        """Forget a table."""
        del self.rows[table.namespace, table.id]

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Answer a query in Arrow."""
        rows = apply(query, self.rows[table.namespace, table.id][1])
        few = set(table.large) & set(rows.schema.names)
        yield from filter(len, rows.to_batches(max_chunksize=1 if few else BATCH))

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Append rows, after removing those with their keys."""
        self.remove(table, _keys(table, rows))
        name, stored = self.rows[table.namespace, table.id]
        added = pa.Table.from_batches([rows], table.schema)
        self.rows[table.namespace, table.id] = (name, pa.concat_tables([stored, added]))

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Keep the rows with other keys."""
        name, stored = self.rows[table.namespace, table.id]
        gone = set(keys)
        kept = [key not in gone for key in _keys(table, stored)]
        self.rows[table.namespace, table.id] = (name, stored.filter(pa.array(kept, pa.bool_())))


class Memory:
    """What several stores may share: the tables, and the lock of their one writer."""

    def __init__(self) -> None:
        self.tables: Tables = {}
        self.lock = threading.Lock()


class MemoryStore(Store):
    """Records in memory, gone with the process.

    Parameters
    ----------
    memory
        Where the records are; a memory of its own if None.
    wait
        Seconds to wait for another writer.
    """

    transaction_type = MemoryTransaction

    def __init__(self, memory: Memory | None = None, *, wait: float = 60.0) -> None:
        self.location = "memory"
        self.wait = wait
        self.memory = memory or Memory()

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:  # noqa: ARG002
        if not write:
            yield self.transaction_type(dict(self.memory.tables))
            return
        if not self.memory.lock.acquire(timeout=self.wait):
            raise StoreLockedError(f"memory is held by another thread; waited {self.wait:g} s")
        try:
            transaction = self.transaction_type(dict(self.memory.tables))
            yield transaction
            self.memory.tables = transaction.rows
        finally:
            self.memory.lock.release()


def _keys(table: Table, rows: pa.Table | pa.RecordBatch) -> list[Key]:
    return list(zip(*(rows[name].to_pylist() for name in table.key), strict=True))
