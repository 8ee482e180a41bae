"""A store: its guarantees, and the transactions that it opens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pyarrow as pa

from mdfactory.records.merge import Counts
from mdfactory.records.query import Condition, Query
from mdfactory.records.tables import (
    Namespace,
    Table,
)
from mdfactory.records.vocabulary import ConflictMode, Retention
from mdfactory.stores.history.journal import Journal
from mdfactory.stores.transaction import Batches, Transaction

__all__ = ["Store"]


class Store(ABC):
    """Where records live.

    Guarantees, on every store:

    - One writer at a time. Waiting for another ends after `wait` seconds with
      `StoreLockedError`, which says who holds the store where that can be known.
    - A writing transaction is stored whole when its block ends, or not at all: after an
      exception, and after a kill at any instant, the store is as it was before.
    - Readers see the state before a write or after it, never one between.
    - What was put comes back the same, to the last character.
    - A failure is an error. An outage is never an empty answer.
    """

    location: str
    """The store as a user would name it, for messages."""

    retention: Retention = Retention()
    """How much is kept, so that operations can be undone."""

    @abstractmethod
    def _open(
        self, *, write: bool, create: Collection[Namespace]
    ) -> AbstractContextManager[Transaction]:
        """Open a transaction; committed at the end of its block if it may write."""

    def probes(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield what can be looked at one by one, if the store is not there as a whole.

        Yields
        ------
        tuple
            What is looked at; and what looks, tells what it found, or raises what is wrong.
        """
        yield from ()

    def owns(self, path: Path) -> bool:  # noqa: ARG002  # for stores in files
        """Whether a file is one that the store keeps its records in."""
        return False

    @contextmanager
    def transaction(
        self, *, write: bool = False, create: Collection[Namespace] = ()
    ) -> Iterator[Transaction]:
        """Open a transaction for the block of a ``with`` statement.

        Parameters
        ----------
        write
            Whether it may write; it is then committed at the end of the block, and rolled
            back if the block ends in an exception.
        create
            Places that may be made if they are not there yet.

        Raises
        ------
        StoreLockedError
            If another writer does not end in time.
        StoreVersionError
            If a newer program has written the store.
        StoreError
            If the store cannot be reached, read or written.
        """
        with self._open(write=write, create=create) as transaction:
            transaction.check_format()
            yield transaction

    @contextmanager
    def operation(
        self,
        command: str,
        *,
        create: Collection[Namespace] = (),
        undoes: int = 0,
        purge: bool = False,
    ) -> Iterator[Transaction]:
        """Open a writing transaction that leaves an entry in the log, and can be undone.

        Parameters
        ----------
        command
            What was typed, for the log.
        create
            Places that may be made if they are not there yet.
        undoes
            Number of the operation that this one takes back, if it is an undo.
        purge
            Keep nothing of this operation, and forget what is kept of earlier ones.

        Raises
        ------
        StoreError
            As `transaction` does.
        """
        with self.transaction(write=True, create=create) as transaction:
            journal = Journal(transaction, command, self.retention, undoes=undoes)
            if purge:
                journal.purge()
            transaction.recorder = journal
            yield transaction
            journal.close()

    def tables(self) -> list[Table]:
        """Return the record tables that exist; see `Transaction.tables`."""
        with self.transaction() as transaction:
            return transaction.tables()

    def create(self, table: Table, *, replace: bool = False) -> int:
        """Make a record table; see `Transaction.create`."""
        with self.transaction(write=True, create={table.namespace}) as transaction:
            return transaction.create(table, replace=replace)

    def read(self, table: Table, query: Query | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the records that a query asks for; see `Transaction.read`."""
        with self.transaction() as transaction:
            yield from transaction.read(table, query)

    def count(self, table: Table, where: tuple[Condition, ...] = ()) -> int:
        """Count records; see `Transaction.count`."""
        with self.transaction() as transaction:
            return transaction.count(table, where)

    def write(self, batches: Batches, mode: ConflictMode) -> dict[str, Counts]:
        """Write records in a transaction of their own; see `Transaction.write`."""
        with self.transaction(write=True) as transaction:
            return transaction.write(batches, mode)

    def plan(self, batches: Batches, mode: ConflictMode) -> dict[str, Counts]:
        """Tell what `write` would do; see `Transaction.plan`."""
        with self.transaction() as transaction:
            return transaction.plan(batches, mode)

    def delete(self, table: Table, where: tuple[Condition, ...] = ()) -> int:
        """Remove records in a transaction of their own; see `Transaction.delete`."""
        with self.transaction(write=True) as transaction:
            return transaction.delete(table, where)
