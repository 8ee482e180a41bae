"""The interface of a store under test: opening it, and direct access to its data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pyarrow as pa
import pytest

from mdfactory.records.merge import Counts
from mdfactory.records.query import Query
from mdfactory.records.tables import SIMULATIONS, Namespace, Table, digest_table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.store import Store
from mdfactory.testing.records import EXAMPLE_TABLES, records

Rows = list[tuple[Any, ...]]


class StoreUnderTest(ABC):
    """A store under test, and direct access to its data, as another program would have."""

    @abstractmethod
    def opened(self, *, wait: float = 60.0) -> Store:
        """Return a new store object on the data of this test.

        Parameters
        ----------
        wait
            Seconds to wait for another writer.
        """

    @abstractmethod
    def raw_rows(self, table: Table) -> Rows:
        """Return all rows of a table, read without the store."""

    @abstractmethod
    def raw_put(self, table: Table, rows: Rows) -> None:
        """Add rows to a table without the store, as another program would."""

    def raw_digests(self, table: Table) -> Rows:
        """Return the rows of the digest table for one record table, read without the store."""
        return [row for row in self.raw_rows(digest_table(table.namespace)) if row[0] == table.id]

    @pytest.fixture
    def empty(self) -> Store:
        """Return a store without tables."""
        return self.opened()

    @pytest.fixture
    def store(self, empty: Store) -> Store:
        """Return a store with the tables of `EXAMPLE_TABLES`, without records."""
        self.create_tables(empty)
        return empty

    def create_tables(self, store: Store) -> None:
        """Create the tables of `EXAMPLE_TABLES`."""
        with store.transaction(write=True, create=set(Namespace)) as transaction:
            for table, _ in EXAMPLE_TABLES.values():
                transaction.create(table)


def write_records(
    store: Store, table: Table, *rows: dict[str, Any], mode: ConflictMode = ConflictMode.refuse
) -> dict[str, Counts]:
    """Write records of one table; see `Store.write`."""
    return store.write([(table, records(table, *rows))], mode)


def read_rows(store: Store, table: Table, query: Query | None = None) -> Rows:
    """Return the rows of a query as tuples; assert that `Transaction.values` returns the same."""
    query = query or Query()
    answer = pa.Table.from_batches(store.read(table, query), schema=query.schema(table))
    rows = list(zip(*(column.to_pylist() for column in answer.columns), strict=True))
    with store.transaction() as transaction:
        assert list(transaction.values(table, query)) == rows
    return rows


def read_hashes(store: Store, table: Table = SIMULATIONS) -> list[str]:
    """Return the hashes of all records of a table."""
    return [row[0] for row in read_rows(store, table, Query(columns=("hash",)))]
