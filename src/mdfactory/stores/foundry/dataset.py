"""One dataset in a store transaction: its committed files, and changes not yet uploaded."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from functools import cache, cached_property, partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa

from mdfactory.errors import StoreChangedError, StoreError
from mdfactory.locking import LockWait
from mdfactory.records.arrow import texts
from mdfactory.records.query import Query, select_rows
from mdfactory.records.tables import Table
from mdfactory.stores.foundry.client import BRANCH, TRANSACTIONS_PER_PAGE, FoundryClient
from mdfactory.stores.foundry.lock import HELD_TRANSACTIONS, acquire_lock, release_lock
from mdfactory.stores.foundry.model import DatasetTransaction
from mdfactory.stores.foundry.parquet import (
    BUCKET_COUNT,
    BUCKET_NAMES,
    bucket_of,
    buckets_of_query,
    foundry_schema,
    is_data_file,
    read_records,
    refuse_undeclared_columns,
    split_by_bucket,
    write_records,
)
from mdfactory.stores.keys import Key, keys_of, take_rows
from mdfactory.stores.spool import Spool, temporary_file_errors

MAX_SNAPSHOT_PAGES: Final = 20
"""Largest number of pages that are searched for the SNAPSHOT with which a view begins."""

REMOVED: Final = -1
"""Stands for a batch, as the position of the newest record of a key that was removed."""


class DatasetTable:
    """A dataset in a transaction of the store.

    Changes are collected in a spool, until `upload` rewrites the buckets that they concern. Batches
    of new records are only appended: a record that was replaced or removed stays in its batch, and
    the position of the newest batch decides for each key. Keys are held as digests to save memory,
    since there may be millions. A file is downloaded to a temporary folder when it is first read.

    Parameters
    ----------
    client
        The connection.
    table
        The table of the records.
    path
        Path of the dataset.
    rid
        Resource identifier of the dataset.
    spool
        Spool for the new records.

    Attributes
    ----------
    open_transaction : str
        Rid of the open transaction that locks the dataset; empty if it is not locked.
    committed_transaction : str
        Rid of the transaction that was committed; empty before `commit`.
    """

    def __init__(
        self, client: FoundryClient, table: Table, path: str, rid: str, spool: Spool
    ) -> None:
        self.table = table
        self.path = path
        self.rid = rid
        self.open_transaction = ""
        self.committed_transaction = ""
        self._client = client
        self._spool = spool
        self._is_cleared = False
        self._changed_buckets: set[int] = set()
        self._bucket_of_batch: dict[int, int] = {}  # position of a batch in the spool -> its bucket
        self._newest_batch: dict[bytes, int] = {}  # digest of a key -> position, or REMOVED
        self._local_files: dict[str, Path] = {}
        self._history_page = cache(partial(client.transactions, rid))

    @cached_property
    def base_transaction(self) -> str:
        """Rid of the last committed transaction, whose view is read; empty if there is none.

        A page of the history may be short, or consist of aborted transactions. So the search ends
        only at a page without new transactions.
        """
        transaction = None
        for transaction in self._history():
            if transaction.status == "COMMITTED":
                return transaction.rid
        if transaction and self._client.files(self.rid, BRANCH):
            raise StoreError(
                f"{self.path} has files, but Foundry lists no committed transaction for them"
            )
        return ""

    @cached_property
    def snapshot_transaction(self) -> str:
        """Rid of the SNAPSHOT with which the view begins; empty if it is not found."""
        history = islice(self._history(), MAX_SNAPSHOT_PAGES * TRANSACTIONS_PER_PAGE)
        committed = (each for each in history if each.status == "COMMITTED")
        return next((each.rid for each in committed if each.type == "SNAPSHOT"), "")

    def _history(self) -> Iterator[DatasetTransaction]:
        """Yield the closed transactions of the dataset, newest first."""
        seen: set[str] = set()
        ref = BRANCH
        while True:
            page = [each for each in self._history_page(ref) if each.rid not in seen]
            if not page:
                return
            yield from page
            seen.update(transaction.rid for transaction in page)
            ref = page[-1].rid

    @cached_property
    def files(self) -> dict[str, int]:
        """Path and size of each file of the view that is read."""
        base = self.base_transaction
        return self._client.files(self.rid, base) if base else {}

    @cached_property
    def _temporary_folder(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="mdfactory-")

    @property
    def has_changes(self) -> bool:
        """Whether there are changes to upload."""
        return self._is_cleared or bool(self._changed_buckets)

    def lock_table(self, wait: LockWait) -> bool:
        """Open a transaction of the dataset, so that no other program can change the dataset.

        Parameters
        ----------
        wait
            The wait for another writer.

        Returns
        -------
        bool
            Whether the dataset was changed since it was first read. Later reads use its new state.

        Raises
        ------
        StoreLockedError
            If another writer does not end in time.
        """
        if self.open_transaction:
            return False
        self.open_transaction = acquire_lock(self._client, self.rid, "UPDATE", wait)
        # From here on no other program can commit. So the last commit is read again. If it is not
        # the one that was read before, all cached data of the old view are dropped.
        base_before = vars(self).pop("base_transaction", None)
        self._history_page.cache_clear()
        if base_before is None or base_before == self.base_transaction:
            return False
        vars(self).pop("snapshot_transaction", None)
        vars(self).pop("files", None)
        self._local_files.clear()
        return True

    def leave_open(self) -> None:
        """Leave the transaction open, so that the next writer can commit it."""
        HELD_TRANSACTIONS.discard(self.open_transaction)
        self.open_transaction = ""

    def close(self) -> None:
        """Abort the transaction if it is open, and remove temporary files."""
        if self.open_transaction:
            release_lock(self._client, self.rid, self.open_transaction)
            self.open_transaction = ""
        if "_temporary_folder" in vars(self):
            self._temporary_folder.cleanup()

    # Reading

    def scan(self, query: Query, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the records that meet the conditions of a query, unsorted.

        Parameters
        ----------
        query
            The conditions; its columns, sort and limit are ignored.
        columns
            Columns of the result.
        """
        # The key decides whether a record was changed.
        needed = [*columns, *(condition.column for condition in query.where), *self.table.key]
        unique = list(dict.fromkeys(needed))
        for rows in self._current_records(buckets_of_query(query), unique, query):
            yield rows.select(list(columns))

    def _current_records(
        self, buckets: Collection[int], columns: Sequence[str], query: Query
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records of some buckets, with the changes applied."""
        for path in self._files_of_buckets(buckets):
            for batch in self._read_file(path, columns):
                rows = select_rows(batch, query.where)
                yield self._select(rows, None) if self._newest_batch else rows
        for position, bucket in list(self._bucket_of_batch.items()):
            if bucket in buckets:
                rows = select_rows(self._spool.read(position).select(columns), query.where)
                yield self._select(rows, position)

    def _select(self, rows: pa.RecordBatch, newest_batch: int | None) -> pa.RecordBatch:
        """Return the rows whose newest record is in a batch; None: neither replaced nor removed."""
        positions = map(self._newest_batch.get, self._key_digests(rows))
        selected = [row for row, position in enumerate(positions) if position == newest_batch]
        return take_rows(rows, selected)

    def _files_of_buckets(self, buckets: Collection[int]) -> list[str]:
        """Return the paths of the files that may hold records of some buckets.

        A file that another program wrote may hold records of any bucket.
        """
        names = {BUCKET_NAMES[bucket] for bucket in buckets}
        return [
            path
            for path in ([] if self._is_cleared else self.files)
            if path in names or (path not in BUCKET_NAMES and is_data_file(path))
        ]

    def _read_file(self, path: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return read_records(self._download(path), f"{self.path}: {path}", self.table, columns)

    def _download(self, path: str) -> Path:
        """Return the local copy of a file, which is downloaded once."""
        if path not in self._local_files:
            size = self.files[path]
            content = self._client.read_file(self.rid, self.base_transaction, path, size)
            if len(content) != size:
                received = f"received {len(content)} of {size} bytes"
                raise StoreError(f"{self.path}: {path} cannot be read: {received}")
            with temporary_file_errors():
                file = Path(self._temporary_folder.name, f"{len(self._local_files)}.parquet")
                file.write_bytes(content)
            self._local_files[path] = file
        return self._local_files[path]

    def _key_digests(self, rows: pa.RecordBatch) -> list[bytes]:
        return list(map(_key_digest, keys_of(rows, self.table.key)))

    # Changing

    def put(self, rows: pa.RecordBatch) -> None:
        """Add records; a record with the same key is replaced."""
        for bucket, batch in split_by_bucket(self.table, rows):
            position = self._spool.add(batch)
            self._bucket_of_batch[position] = bucket
            self._newest_batch |= dict.fromkeys(self._key_digests(batch), position)
            self._changed_buckets.add(bucket)

    def remove(self, keys: Collection[Key]) -> None:
        """Remove the records with these keys."""
        for key in keys:
            hash_ = dict(zip(self.table.key, key, strict=True)).get("hash", "")
            self._newest_batch[_key_digest(key)] = REMOVED
            self._changed_buckets.add(bucket_of(hash_))

    def clear(self) -> None:
        """Remove all records."""
        self._is_cleared = True
        self._changed_buckets.clear()
        self._bucket_of_batch.clear()
        self._newest_batch.clear()

    # Writing

    def upload(self) -> None:
        """Upload the changed buckets, and the schema if it is missing, to the open transaction.

        An UPDATE replaces single files. If the dataset has no commit yet, is cleared, or has files
        of other programs, a SNAPSHOT replaces all files.

        Raises
        ------
        StoreError
            If records would lose a column, or a file was not uploaded completely.
        """
        replace_all = (
            self._is_cleared
            or not self.base_transaction
            or not all(path in BUCKET_NAMES for path in self.files)
        )
        buckets = self._changed_buckets
        if replace_all:
            self._client.set_transaction_type(self.rid, self.open_transaction, "SNAPSHOT")
            self._rebucket_records()
            positions = set(self._newest_batch.values()) - {REMOVED}
            # A dataset without records has one file, which holds the columns.
            buckets = set(map(self._bucket_of_batch.__getitem__, positions)) or {0}
        file = Path(self._temporary_folder.name, "upload.parquet")
        lengths: dict[str, int] = {}
        for bucket in sorted(buckets):
            records = self._current_records({bucket}, self.table.columns, Query())
            with temporary_file_errors():
                write_records(file, self.table, records)
            content = file.read_bytes()
            name = BUCKET_NAMES[bucket]
            self._client.put_file(self.rid, self.open_transaction, name, content)
            lengths[name] = len(content)
        arrived = self._client.files(self.rid, BRANCH, with_open=True)
        for name, length in lengths.items():
            if arrived.get(name) != length:
                raise StoreError(
                    f"{self.path}: only {arrived.get(name, 0)} of {length} bytes of {name} were "
                    "uploaded; nothing was changed. Try again"
                )
        if replace_all or not self._client.has_schema(self.rid, self.base_transaction):
            self._client.put_schema(self.rid, self.open_transaction, foundry_schema(self.table))

    def _rebucket_records(self) -> None:
        """Turn the records of all files into changes, so that they are uploaded in buckets.

        Other programs write a record again without removing the old one. Of several records with
        the same key, only the newest is taken.
        """
        paths = self._files_of_buckets(range(BUCKET_COUNT))
        for path in paths:
            refuse_undeclared_columns(self._download(path), f"{self.path}: {path}", self.table)
        changed = frozenset(self._newest_batch)
        newest_time: dict[bytes, str] = {}
        for path in paths:
            for rows in self._read_file(path, self.table.columns):
                times = texts(rows[self.table.time]) if self.table.time else [""] * rows.num_rows
                newer: dict[bytes, int] = {}
                for row, (key, time) in enumerate(zip(self._key_digests(rows), times, strict=True)):
                    if key not in changed and (key not in newest_time or time > newest_time[key]):
                        newest_time[key], newer[key] = time, row
                self.put(take_rows(rows, sorted(newer.values())))
        self._is_cleared = True

    def commit(self) -> None:
        """Commit the open transaction.

        Raises
        ------
        StoreChangedError
            If another program has aborted the transaction.
        """
        status = self._client.commit(self.rid, self.open_transaction)
        self.committed_transaction, self.open_transaction = self.open_transaction, ""
        HELD_TRANSACTIONS.discard(self.committed_transaction)
        if status != "COMMITTED":
            self.committed_transaction = ""
            raise StoreChangedError(f"{self.path}: another program has aborted the transaction")

    def ensure_schema(self) -> bool:
        """Set the schema of the latest view if it has none; SQL needs a schema.

        Returns
        -------
        bool
            Whether the view has a schema now.
        """
        last_transaction = self.committed_transaction or self.base_transaction
        return self._client.has_schema(self.rid, last_transaction) or self._client.put_schema(
            self.rid, last_transaction, foundry_schema(self.table)
        )


def _key_digest(key: Key) -> bytes:
    """Return a digest of 16 bytes for a key."""
    return blake2b("\0".join(map(str, key)).encode(), digest_size=16).digest()
