"""The raw operations of a store on tables and rows, without conflict modes and digests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import pyarrow as pa

from mdfactory.records.query import Query
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.keys import Key, Values, keys_of

BATCH_ROWS: Final = 2048
"""Most rows of a batch that `Backend.scan` yields."""


class Backend(ABC):
    """One consistent view of the tables of a store.

    A store implements the six operations `names`, `make`, `drop`, `scan`, `put` and `remove`.
    Reads return each text as it was put, to the last character. They include the changes of the
    same transaction. An operation that cannot be done raises `StoreError`; it never returns an
    empty result instead.

    A store may override `has` and `values` if it has a faster way. If it locks or commits its
    tables one by one, it subclasses `TableBackend`.
    """

    location: str
    """The store as a user would name it, for messages."""

    def home(self) -> str:
        """Return the place of the artifacts: one for all users, and another for each copy."""
        return self.location

    @abstractmethod
    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of all tables of a namespace.

        Parameters
        ----------
        namespace
            The namespace; it need not exist yet.

        Returns
        -------
        collection of str
            Names as the store spells them. They include tables that are not record tables, but
            Foundry leaves those out. Empty if the namespace does not exist.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """

    @abstractmethod
    def make(self, table: Table) -> None:
        """Create a table without rows.

        Parameters
        ----------
        table
            The table; no table of the store has this name, regardless of case.

        Raises
        ------
        NotInitialisedError
            If its namespace does not exist and may not be created.
        StoreError
            If the store cannot be written.
        """

    @abstractmethod
    def drop(self, table: Table) -> None:
        """Remove a table with all its rows.

        A store may keep the empty table, if others have rights on it.

        Parameters
        ----------
        table
            The table; it exists.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """

    @abstractmethod
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Stream the rows that match a query, which the store evaluates.

        Parameters
        ----------
        table
            The table; it exists.
        query
            Conditions, columns, order and limit; its columns are those of the table.

        Yields
        ------
        pyarrow.RecordBatch
            Rows in ``query.schema(table)``: at most a few thousand in a batch, and fewer if a
            column of ``table.large`` is among the columns. Texts are compared and sorted by their
            code points, but the values of ``query.sort.first_values`` come first.

        Raises
        ------
        StoreError
            If the store cannot be read, or a value is not of the type of its column.
        """

    @abstractmethod
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Insert rows. A row whose key is stored replaces the stored row.

        Parameters
        ----------
        table
            The table; it exists.
        rows
            Rows in ``table.schema``, without null values; no key occurs twice.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """

    @abstractmethod
    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Remove the rows with the given keys.

        Parameters
        ----------
        table
            The table; it exists.
        keys
            Keys of rows, each with one text for each column of ``table.key``. Keys that are not
            stored are ignored.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """

    def has(self, table: Table) -> bool:
        """Whether a table exists; names are compared regardless of case."""
        return any(name.lower() == table.id for name in self.names(table.namespace))

    def values(self, table: Table, query: Query) -> Iterator[Values]:
        """Stream the rows that match a query as tuples.

        A store overrides this method if it reads rows as Python objects.

        Yields
        ------
        tuple
            The values of one row, texts and integers, in the order of the query's columns.
        """
        for rows in self.scan(table, query):
            yield from keys_of(rows, query.columns or table.columns)


class TableBackend(Backend):
    """A backend that locks and commits its tables one by one.

    A transaction uses these operations if its backend has them. A store that locks and commits
    all tables together needs none of them.
    """

    @abstractmethod
    def lock_table(self, table: Table) -> bool:
        """Take exclusive access to a table before it is changed.

        Parameters
        ----------
        table
            The table; it exists.

        Returns
        -------
        bool
            Whether another program has changed the table since this transaction first read it.
            Records that were classified before must then be classified again.

        Raises
        ------
        StoreLockedError
            If another writer does not end in time.
        """

    @abstractmethod
    def repair_table(self, table: Table) -> None:
        """Add what an existing table lacks for other programs, such as its schema.

        Parameters
        ----------
        table
            The table; it exists.
        """

    @property
    @abstractmethod
    def has_completed_write(self) -> bool:
        """Whether this transaction has completed the write of an interrupted one.

        The interrupted write may be repeated in this transaction. Records that equal the stored
        ones are then unchanged in every conflict mode.
        """
