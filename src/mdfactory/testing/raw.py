"""What the contract suite needs of a store under test: to open it, and to reach past it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pytest

from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.store import Store
from mdfactory.testing.records import EXAMPLES

__all__ = ["Raw", "Rows"]

Rows = list[tuple[Any, ...]]


class Raw(ABC):
    """A store under test, and its data as another program would see them."""

    @abstractmethod
    def opened(self, *, wait: float = 60.0) -> Store:
        """Return a store on the data of this test; another call, another object on them."""

    @abstractmethod
    def raw_rows(self, table: Table) -> Rows:
        """Return all rows of a table as they lie in the store, read past it."""

    @abstractmethod
    def raw_put(self, table: Table, rows: Rows) -> None:
        """Add rows to a table past the store, as another program would."""

    @pytest.fixture
    def empty(self) -> Store:
        """Return a store without tables."""
        return self.opened()

    @pytest.fixture
    def store(self, empty: Store) -> Store:
        """Return a store with a table of each kind, without records."""
        self.create_tables(empty)
        return empty

    def create_tables(self, store: Store) -> None:
        """Create a table of each kind."""
        with store.transaction(write=True, create=set(Namespace)) as transaction:
            for table, _ in EXAMPLES.values():
                transaction.create(table)
