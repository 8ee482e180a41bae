"""The store in memory passes the contract suite."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mdfactory.records.arrow import batch
from mdfactory.records.tables import Table
from mdfactory.stores.store import Store
from mdfactory.testing import MemoryStore, StoreTests
from mdfactory.testing.memory import Memory
from mdfactory.testing.raw import Rows


class TestMemory(StoreTests):
    @pytest.fixture(autouse=True)
    def _data(self) -> None:
        self.memory = Memory()

    def opened(self, *, wait: float = 60.0) -> Store:
        return MemoryStore(self.memory, wait=wait)

    def raw_rows(self, table: Table) -> Rows:
        _, rows = self.memory.tables[table.namespace, table.id]
        return [tuple(row.values()) for row in rows.to_pylist()]

    def raw_put(self, table: Table, rows: Rows) -> None:
        name, stored = self.memory.tables[table.namespace, table.id]
        added = pa.Table.from_batches([batch(rows, table.schema)])
        self.memory.tables[table.namespace, table.id] = (name, pa.concat_tables([stored, added]))
