"""The base class of all stores: its guarantees, and how its transactions are opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pyarrow as pa

from mdfactory.records.merge import Counts
from mdfactory.records.query import Condition, Query
from mdfactory.records.tables import Namespace, Table
from mdfactory.records.vocabulary import ConflictMode, Retention
from mdfactory.stores.backend import Backend
from mdfactory.stores.history.journal import Journal
from mdfactory.stores.recorder import Logged, Recorder
from mdfactory.stores.transaction import Batches, Transaction


class Store(ABC):
    """Records in files, a database, or a service.

    A `Store` object is cheap to create: nothing is opened before the first transaction. Every
    store guarantees:

    - One writer at a time. Waiting for another writer ends after `wait` seconds with
      `StoreLockedError`, which names the holder of the lock if it is known.
    - Atomic writes. The changes of a writing transaction are stored together when its block
      ends. An exception in the block leaves the store as it was before. A kill leaves the state
      before the write or the state after it.
    - Isolated reads. Readers see the state before a write or after it, never a state between.
    - Exact values. A read returns each text as it was put, to the last character.
    - No silent failures. An outage raises an error; it never gives an empty result.

    Foundry commits one dataset at a time. There, atomic writes and isolated reads are guaranteed
    for each table, and not for several tables together.
    """

    location: str
    """The store as a user would name it, for messages."""

    paths: Collection[Path] = ()
    """The files and folders of a store in files."""

    retention: Retention = Retention()
    """Limits of the history: how many operations, and how many bytes, can be undone."""

    logged: Logged | None = None
    """The last operation on this object; None if it has changed nothing."""

    command_options: str = ""
    """Options that a command needs to reach this store: it may not be the configured one."""

    @abstractmethod
    def _open(
        self, *, write: bool, create: Collection[Namespace]
    ) -> AbstractContextManager[Backend]:
        """Open a backend for the block of a ``with`` statement.

        Each store implements this method. `transaction` calls it.

        Parameters
        ----------
        write
            Whether the backend may write. Its changes are then committed at the end of the block,
            and rolled back if the block ends in an exception.
        create
            Namespaces that may be created if they do not exist.
        """

    def probes(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield named health checks for the parts of a store, such as a server and a folder.

        Yields
        ------
        name : str
            The part of the store that is checked.
        check : callable
            Checks the part. Returns a description of its state, or raises an error.
        """
        yield from ()

    def owns(self, path: Path) -> bool:  # noqa: ARG002  # for stores in files
        """Whether the store has records in this file."""
        return False

    @contextmanager
    def transaction(
        self, *, write: bool = False, create: Collection[Namespace] = ()
    ) -> Iterator[Transaction]:
        """Open a transaction for the block of a ``with`` statement.

        Parameters
        ----------
        write
            Whether the transaction may write. It is then committed at the end of the block, and
            rolled back if the block ends in an exception.
        create
            Namespaces that may be created if they do not exist.

        Yields
        ------
        Transaction
            The open transaction.

        Raises
        ------
        StoreLockedError
            If another writer does not end in time.
        StoreVersionError
            If a newer version of mdfactory has written the store.
        StoreError
            If the store cannot be reached, read or written.
        """
        with self._open(write=write, create=create) as backend:
            transaction = Transaction(backend)
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
        """Open a writing transaction with an entry in the log, which can be undone.

        Parameters
        ----------
        command
            The command line, for the log.
        create
            Namespaces that may be created if they do not exist.
        undoes
            Number of the operation that this one undoes; 0 if it is no undo.
        purge
            Store no before-images of this operation, and drop those of all earlier operations.
            Then no operation up to this one can be undone.

        Yields
        ------
        Transaction
            The open transaction; its `recorder` is set.

        Raises
        ------
        StoreLockedError, StoreVersionError, StoreError
            As for `transaction`.
        """
        with (
            self.transaction(write=True, create=create) as transaction,
            self.recorded(transaction, command, undoes=undoes, purge=purge),
        ):
            yield transaction

    @contextmanager
    def recorded(
        self, transaction: Transaction, command: str, *, undoes: int = 0, purge: bool = False
    ) -> Iterator[Recorder]:
        """Record the changes of a writing transaction in the block of a ``with`` statement.

        Parameters
        ----------
        transaction
            A writing transaction of this store.
        command, undoes, purge
            As for `operation`.

        Yields
        ------
        Recorder
            The recorder, now the `recorder` of the transaction.
        """
        journal = Journal(transaction, command, self.retention, undoes=undoes)
        if purge:
            journal.purge()
        transaction.recorder = journal
        yield journal
        journal.close()
        self.logged = journal.logged

    def tables(self) -> list[Table]:
        """Return the record tables that exist; see `Transaction.tables`."""
        with self.transaction() as transaction:
            return transaction.tables()

    def create(self, table: Table, *, replace: bool = False) -> int:
        """Create a record table in a transaction of its own; see `Transaction.create`."""
        with self.transaction(write=True, create={table.namespace}) as transaction:
            return transaction.create(table, replace=replace)

    def read(self, table: Table, query: Query | None = None) -> Iterator[pa.RecordBatch]:
        """Stream records in a transaction of their own; see `Transaction.read`."""
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
        """Return what `write` would return; see `Transaction.plan`."""
        with self.transaction() as transaction:
            return transaction.plan(batches, mode)

    def delete(self, table: Table, where: tuple[Condition, ...] = ()) -> int:
        """Remove records in a transaction of their own; see `Transaction.delete`."""
        with self.transaction(write=True) as transaction:
            return transaction.delete(table, where)
