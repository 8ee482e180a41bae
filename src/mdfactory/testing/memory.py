"""A store in memory, for tests and as an example: a minimal store that passes the suite."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from mdfactory.errors import StoreLockedError
from mdfactory.records.query import Query, apply
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.backend import BATCH_ROWS, Backend
from mdfactory.stores.keys import Key, keys_of
from mdfactory.stores.store import Store

Tables = dict[tuple[Namespace, str], tuple[str, pa.Table]]
"""Namespace and lower-case name of a table -> its name and its rows, which are immutable."""


class MemoryBackend(Backend):
    """The tables of one transaction, in a copy of the dictionary of tables.

    Parameters
    ----------
    rows
        The copy; after a commit, it is the state of the store.
    """

    location = "memory"

    def __init__(self, rows: Tables) -> None:
        self.rows = rows

    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of the tables in a namespace."""
        return [name for (parent, _), (name, _) in self.rows.items() if parent is namespace]

    def make(self, table: Table) -> None:
        """Create an empty table."""
        self.rows[table.namespace, table.id] = (table.name, table.schema.empty_table())

    def drop(self, table: Table) -> None:
        """Remove a table."""
        del self.rows[table.namespace, table.id]

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Answer a query with Arrow; rows with large cells are yielded one at a time."""
        rows = apply(query, self.rows[table.namespace, table.id][1])
        has_large_cells = set(table.large) & set(rows.schema.names)
        batch_rows = 1 if has_large_cells else BATCH_ROWS
        yield from filter(len, rows.to_batches(max_chunksize=batch_rows))

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Remove the stored rows that have the keys of new rows, and append the new rows."""
        self.remove(table, keys_of(rows, table.key))
        name, stored = self.rows[table.namespace, table.id]
        added = pa.Table.from_batches([rows], table.schema)
        self.rows[table.namespace, table.id] = (name, pa.concat_tables([stored, added]))

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Remove the rows with these keys."""
        name, stored = self.rows[table.namespace, table.id]
        removed = set(keys)
        stays = [key not in removed for key in keys_of(stored, table.key)]
        self.rows[table.namespace, table.id] = (name, stored.filter(pa.array(stays, pa.bool_())))


class Memory:
    """The data of a store, which several store objects may share: tables and the writer lock."""

    def __init__(self) -> None:
        self.tables: Tables = {}
        self.lock = threading.Lock()


class MemoryStore(Store):
    """Records in memory, lost when the process ends.

    Parameters
    ----------
    memory
        The data; None for an empty store of its own.
    wait
        Seconds to wait for another writer.
    """

    backend_type = MemoryBackend

    def __init__(self, memory: Memory | None = None, *, wait: float = 60.0) -> None:
        self.location = "memory"
        self.wait = wait
        self.memory = memory or Memory()

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:  # noqa: ARG002
        if not write:
            yield self.backend_type(dict(self.memory.tables))
            return
        if not self.memory.lock.acquire(timeout=self.wait):
            raise StoreLockedError(f"memory is held by another thread; waited {self.wait:g} s")
        try:
            backend = self.backend_type(dict(self.memory.tables))
            yield backend
            self.memory.tables = backend.rows
        finally:
            self.memory.lock.release()
