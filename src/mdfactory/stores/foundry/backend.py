"""The backend of Foundry: each table is a dataset, and datasets commit one by one."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import pyarrow as pa

from mdfactory.config import FoundryPaths
from mdfactory.errors import (
    MDFactoryError,
    NotInitialisedError,
    StoreChangedError,
    StoreError,
    one_line,
)
from mdfactory.locking import LockWait
from mdfactory.records.arrow import batch
from mdfactory.records.query import OneOf, Query, select_rows
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Namespace, Table, table_named
from mdfactory.stores.backend import TableBackend
from mdfactory.stores.foundry.client import BRANCH, FoundryClient
from mdfactory.stores.foundry.dataset import DatasetTable
from mdfactory.stores.foundry.layout import STATE, commit_position, path_of
from mdfactory.stores.foundry.model import (
    CommitStatusUnknownError,
    QueryFailedError,
    RequestRefusedError,
    is_dataset,
)
from mdfactory.stores.foundry.parquet import cast_records, select_statement
from mdfactory.stores.keys import Key
from mdfactory.stores.sorting import sort_and_limit
from mdfactory.stores.spool import Spool

log = logging.getLogger(__name__)

MAX_SQL_VALUES: Final = 200
"""Largest number of values in the conditions of an SQL query; with more, the files are read."""


class FoundryBackend(TableBackend):
    """The tables of several datasets.

    Each dataset is read in the state of its last commit at the time of its first use.

    Parameters
    ----------
    client
        The connection.
    paths
        Paths of the datasets.
    location
        The store, for messages.
    wait
        The wait for other writers.
    write
        Whether this backend may write.
    """

    has_completed_write = False

    def __init__(
        self,
        client: FoundryClient,
        paths: FoundryPaths,
        location: str,
        wait: LockWait,
        *,
        write: bool,
    ) -> None:
        self.location = location
        self._client = client
        self._paths = paths
        self._wait = wait
        self._write = write
        self._spool = Spool()
        self._datasets: dict[str, DatasetTable | None] = {}
        self._dropped_paths: set[str] = set()

    # Tables

    def home(self) -> str:
        """Return the folder of the artifacts."""
        return f"Foundry store {self._paths.artifacts}"

    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of the record tables of a namespace.

        Folders are not listed. The names of tables that mdfactory created are in the state table.
        The names of tables that other programs created are derived from the overview. Tables that
        are not record tables are left out.
        """
        names = [SIMULATIONS.name, OVERVIEW.name]
        if namespace is Namespace.results and self.has(OVERVIEW):
            results = self._scan_texts(OVERVIEW, Query(), ("item_type", "item_name"))
            names += {f"{result_type.upper()}_{name}" for result_type, name in results}
        created = self._read_state("table")
        names += [name for key, name in created if key.startswith(f"{namespace}/")]
        tables = (table_named(name, namespace) for name in names)
        # The state table is last: it has the names in their original case.
        table_by_id = {table.id: table for table in tables if table}
        return [table.name for table in table_by_id.values() if self.has(table)]

    def _read_state(self, kind: str) -> Iterator[tuple[str, ...]]:
        """Yield name and value of each row of one kind in the state table."""
        return self._scan_texts(STATE, Query(where=(OneOf("kind", (kind,)),)), ("name", "value"))

    def _scan_texts(
        self, table: Table, query: Query, columns: Sequence[str]
    ) -> Iterator[tuple[str, ...]]:
        """Yield some columns of a table as tuples; nothing if its dataset does not exist."""
        dataset = self._dataset(table)
        for rows in dataset.scan(query, columns) if dataset else ():
            yield from zip(*(column.to_pylist() for column in rows.columns), strict=True)

    def has(self, table: Table) -> bool:
        """Whether a dataset has a committed transaction or new changes, and was not dropped."""
        path = path_of(table, self._paths)
        dataset = self._dataset(table)
        if dataset is None or path in self._dropped_paths:
            return False
        return bool(dataset.base_transaction) or dataset.has_changes

    def make(self, table: Table) -> None:
        """Create a dataset; the table exists once its first transaction is committed."""
        if not self._write:
            raise NotInitialisedError(table.name, self.location, table.command)
        path = path_of(table, self._paths)
        dataset = self._dataset(table)
        if dataset is None:
            rid = self._client.create_dataset(path)
            dataset = self._datasets[path] = self._dataset_table(table, path, rid)
        dataset.lock_table(self._wait)
        dataset.clear()
        self._dropped_paths.discard(path)
        if table.is_record:
            self._put_state("table", f"{table.namespace}/{table.id}", table.name)

    def _put_state(self, kind: str, name: str, value: str) -> None:
        """Add a row to the state table, which is created if it is missing."""
        if not self.has(STATE):
            self.make(STATE)
        self.put(STATE, batch([(kind, name, value)], STATE.schema))

    def drop(self, table: Table) -> None:
        """Clear a dataset, and hide it within this transaction; Foundry keeps the empty dataset."""
        dataset = self._locked_dataset(table)
        dataset.clear()
        self._dropped_paths.add(dataset.path)

    def lock_table(self, table: Table) -> bool:
        """Open a transaction of a dataset; return whether another program has changed it."""
        return self._existing_dataset(table).lock_table(self._wait)

    def repair_table(self, table: Table) -> None:
        """Give a dataset without a schema its schema."""
        dataset = self._dataset(table)
        if dataset and not dataset.has_changes:
            self._ensure_schema(dataset)

    def _ensure_schema(self, dataset: DatasetTable) -> None:
        """Set the schema of a dataset if it has none; a failure is only logged."""
        reason = ""
        try:
            if dataset.ensure_schema():
                return
        except MDFactoryError as error:
            reason = f": {one_line(error)}"
        log.warning(
            "%s has no schema, so SQL cannot read it%s. Run: mdfactory sync init all",
            dataset.path,
            reason,
        )

    def _locked_dataset(self, table: Table) -> DatasetTable:
        """Lock a dataset and return it.

        Raises
        ------
        StoreChangedError
            If another program has changed the dataset since it was read.
        """
        dataset = self._existing_dataset(table)
        if dataset.lock_table(self._wait):
            raise StoreChangedError(
                f"{dataset.path} was written by another program; nothing was changed. Try again"
            )
        return dataset

    def _existing_dataset(self, table: Table) -> DatasetTable:
        """Return the dataset of a table, or raise `NotInitialisedError`."""
        dataset = self._dataset(table)
        if dataset is None:
            raise NotInitialisedError(table.name, self.location, table.command)
        return dataset

    def _dataset(self, table: Table) -> DatasetTable | None:
        """Return the dataset of a table, or None if it does not exist; it is looked up once."""
        path = path_of(table, self._paths)
        if path not in self._datasets:
            rid = self._client.find_usable_resource(path)
            if rid and not is_dataset(rid):
                raise StoreError(f"{path} is not a dataset, so it cannot hold {table.name}")
            self._datasets[path] = self._dataset_table(table, path, rid) if rid else None
        return self._datasets[path]

    def _dataset_table(self, table: Table, path: str, rid: str) -> DatasetTable:
        return DatasetTable(self._client, table, path, rid, self._spool)

    # Records

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Stream the records of a query, by SQL if possible, or else from the files."""
        columns = query.schema_with_sort(table).names
        dataset = self._existing_dataset(table)
        batches = self._query_sql(dataset, table, query, columns)
        if batches is None:
            batches = dataset.scan(query, columns)
        yield from sort_and_limit(batches, query, table)

    def _query_sql(
        self, dataset: DatasetTable, table: Table, query: Query, columns: Sequence[str]
    ) -> Iterable[pa.RecordBatch] | None:
        """Return the records of a query by SQL; None if the files must be read.

        A writer never uses SQL, which may lag behind the last commit: the writer would overwrite
        records that SQL does not return yet.
        """
        value_count = sum(
            len(condition.values) for condition in query.where if isinstance(condition, OneOf)
        )
        if self._write or not query.where or value_count > MAX_SQL_VALUES:
            return None
        if not (dataset.base_transaction and dataset.snapshot_transaction):
            return None
        transactions = f"{dataset.snapshot_transaction}:{dataset.base_transaction}"
        view = f"`{transactions}@{BRANCH}`.`{dataset.rid}`"
        text, sql_columns = select_statement(view, table, columns, query.where)
        try:
            batches = self._client.query(text)
        except QueryFailedError as error:
            log.info("reading the files of %s, since SQL failed: %s", dataset.path, one_line(error))
            return None
        records = (cast_records(rows, dataset.path, table, sql_columns) for rows in batches)
        return (select_rows(rows, query.where).select(columns) for rows in records)

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Add records to the changes of a dataset."""
        self._locked_dataset(table).put(rows)

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Add removals of records to the changes of a dataset."""
        if keys:
            self._locked_dataset(table).remove(keys)

    # Commit

    def complete_interrupted_write(self) -> None:
        """Commit what the latest write has left uncommitted, if it was interrupted.

        All its files were uploaded before it was announced. If another program has aborted one of
        its transactions, the write cannot be completed, and the others are aborted as well.
        """
        write_name, value = max(self._read_state("write"), default=("", ""))
        transactions: list[list[str]] = json.loads(value)["transactions"] if write_name else []
        if not transactions:
            return
        *earlier, last = transactions
        statuses = [self._status(*last)]
        if statuses == ["COMMITTED"]:
            return
        statuses = [*(self._status(*transaction) for transaction in earlier), *statuses]
        is_complete = all(status in {"COMMITTED", "OPEN"} for status in statuses)
        if not is_complete and "COMMITTED" not in statuses:
            return  # its writer has aborted it: nothing is stored
        log.warning(
            "the write of %s was interrupted; %s",
            write_name.partition(" ")[0],
            "completing it" if is_complete else "a part is stored. Repeat it to store the rest",
        )
        for (dataset_rid, transaction_rid), status in zip(transactions, statuses, strict=True):
            if status == "OPEN":
                end = self._client.commit if is_complete else self._client.abort
                end(dataset_rid, transaction_rid)
        if not is_complete:
            self.remove(STATE, [("write", write_name)])  # warn only once
        self.has_completed_write = True

    def _status(self, dataset_rid: str, transaction_rid: str) -> str:
        try:
            return self._client.transaction(dataset_rid, transaction_rid).status
        except RequestRefusedError:
            return "DELETED"

    def commit(self) -> None:
        """Upload all changes, then commit one dataset after the other.

        Raises
        ------
        StoreError
            If the commit fails. The message says whether a part of the write is stored.
        """
        changed = self._changed_datasets()
        if len(changed) > 1:
            self._announce_write(changed)
            changed = self._changed_datasets()  # now with the state table
        for dataset in changed:
            dataset.upload()
        self._commit_in_turn(changed)
        for dataset in changed:
            self._ensure_schema(dataset)

    def _changed_datasets(self) -> list[DatasetTable]:
        """Return the datasets with changes, in the order of their commits."""
        changed = [
            dataset for dataset in self._datasets.values() if dataset and dataset.has_changes
        ]
        return sorted(changed, key=lambda dataset: (commit_position(dataset.table), dataset.path))

    def _commit_in_turn(self, changed: Sequence[DatasetTable]) -> None:
        """Commit datasets one by one.

        An interrupt by the user is raised only after the last commit, because a stop between two
        commits would leave a part of the write stored. The commit that was interrupted is sent
        again, which is safe.
        """
        interrupt: BaseException | None = None
        for dataset in changed:
            while dataset.open_transaction:
                try:
                    dataset.commit()
                except (KeyboardInterrupt, SystemExit) as error:
                    interrupt = error
                except MDFactoryError as error:
                    raise self._partial_commit_error(changed, error) from error
        if interrupt:
            raise interrupt

    def _announce_write(self, changed: Iterable[DatasetTable]) -> None:
        """List the transactions that are about to be committed in the state table."""
        transactions = [
            [dataset.rid, dataset.open_transaction]
            for dataset in changed
            if dataset.table.id != STATE.id
        ]
        completed = [("write", name) for name, _ in self._read_state("write")]
        write_name = f"{datetime.now(UTC).isoformat()} {uuid4().hex[:8]}"
        self._put_state("write", write_name, json.dumps({"transactions": transactions}))
        self.remove(STATE, completed)

    def _partial_commit_error(
        self, changed: Sequence[DatasetTable], error: MDFactoryError
    ) -> StoreError:
        """Return the error for a failed commit, which says how much is stored.

        If a part is stored, the other transactions stay open, so that the next writer completes
        the write.
        """
        is_stored = any(
            dataset.committed_transaction and dataset.table.id != STATE.id for dataset in changed
        )
        if not (is_stored or isinstance(error, CommitStatusUnknownError)):
            return StoreError(f"{error}; nothing was changed")
        if not isinstance(error, StoreChangedError):
            for dataset in changed:
                dataset.leave_open()
        outcome = "A part is stored" if is_stored else "It may be stored"
        return StoreError(
            f"{error}. {outcome}, since Foundry commits one dataset at a time. "
            "Repeat the same command to store the rest"
        )

    def close(self) -> None:
        """Unlock all datasets, and remove temporary files."""
        with self._spool:
            for dataset in self._datasets.values():
                if dataset:
                    dataset.close()
