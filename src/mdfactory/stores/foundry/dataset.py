"""One dataset in a store transaction: its committed files, and changes not yet uploaded."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa

from mdfactory.errors import StoreChangedError, StoreError
from mdfactory.records.arrow import texts
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import Table
from mdfactory.stores.foundry.client import BRANCH, TRANSACTIONS_PER_PAGE, FoundryClient
from mdfactory.stores.foundry.lock import acquire_lock, forget_lock, release_lock
from mdfactory.stores.foundry.model import DatasetFile, DatasetTransaction
from mdfactory.stores.foundry.parquet import (
    BUCKET_COUNT,
    bucket_name,
    bucket_of,
    buckets_of_query,
    filter_records,
    foundry_schema,
    is_bucket,
    is_data_file,
    read_records,
    split_by_bucket,
    undeclared_columns,
    write_records,
)
from mdfactory.stores.keys import Key, take_rows
from mdfactory.stores.locking import LockWait

MAX_SNAPSHOT_PAGES: Final = 20
"""Largest number of pages that are searched for the SNAPSHOT with which a view begins."""


@dataclass(slots=True)
class BucketChanges:
    """Changes to the records of one bucket.

    Batches are only appended. A record that was replaced or removed stays in its batch. For each
    key, `latest` decides which record is valid. It holds digests of keys to save memory, since
    there may be millions of keys.

    Parameters
    ----------
    latest
        Digest of a key -> position of the batch with the newest record, or `REMOVED`.
    batches
        New records, in memory or in temporary Arrow files.
    """

    latest: dict[bytes, int] = field(default_factory=dict)
    batches: list[pa.RecordBatch | Path] = field(default_factory=list)


REMOVED: Final = -1
NO_CHANGES: Final = BucketChanges()


class DatasetTable:
    """A dataset in a transaction of the store.

    Changes are collected in memory and in temporary files, until `upload` rewrites the buckets
    that they concern. A file is downloaded to a temporary folder when it is first read.

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

    Attributes
    ----------
    open_transaction : str
        Rid of the open transaction that locks the dataset; empty if it is not locked.
    committed_transaction : str
        Rid of the transaction that was committed; empty before `commit`.
    held_bytes : int
        Size of the new records in memory.
    """

    def __init__(self, client: FoundryClient, table: Table, path: str, rid: str) -> None:
        self.table = table
        self.path = path
        self.rid = rid
        self.open_transaction = ""
        self.committed_transaction = ""
        self.held_bytes = 0
        self._client = client
        self._is_cleared = False
        self._changes: dict[int, BucketChanges] = {}
        self._local_files: dict[str, Path] = {}
        self._history_pages: dict[str, list[DatasetTransaction]] = {}

    @cached_property
    def base_transaction(self) -> str:
        """Rid of the last committed transaction, whose view is read; empty if there is none.

        A page of the history may be short, or consist of aborted transactions. So the search ends
        only at a page without new transactions.
        """
        has_history = False
        for transaction in self._history():
            if transaction.status == "COMMITTED":
                return transaction.rid
            has_history = True
        if has_history and self._client.files(self.rid, BRANCH):
            raise StoreError(
                f"{self.path} has files, but Foundry lists no committed transaction for them"
            )
        return ""

    @cached_property
    def snapshot_transaction(self) -> str:
        """Rid of the SNAPSHOT with which the view begins; empty if it is not found."""
        for transaction in islice(self._history(), MAX_SNAPSHOT_PAGES * TRANSACTIONS_PER_PAGE):
            if transaction.status == "COMMITTED" and transaction.type == "SNAPSHOT":
                return transaction.rid
        return ""

    def _history(self) -> Iterator[DatasetTransaction]:
        """Yield the closed transactions of the dataset, newest first."""
        seen: set[str] = set()
        ref = BRANCH
        while True:
            if ref not in self._history_pages:
                self._history_pages[ref] = self._client.transactions(self.rid, ref)
            page = [each for each in self._history_pages[ref] if each.rid not in seen]
            if not page:
                return
            yield from page
            seen.update(transaction.rid for transaction in page)
            ref = page[-1].rid

    @cached_property
    def files(self) -> list[DatasetFile]:
        """The files of the view that is read."""
        if not self.base_transaction:
            return []
        return self._client.files(self.rid, self.base_transaction)

    @cached_property
    def _temporary_folder(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="mdfactory-")

    @property
    def has_changes(self) -> bool:
        """Whether there are changes to upload."""
        return self._is_cleared or bool(self._changes)

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
        self._history_pages.clear()
        if base_before is None or base_before == self.base_transaction:
            return False
        vars(self).pop("snapshot_transaction", None)
        vars(self).pop("files", None)
        self._local_files.clear()
        return True

    def leave_open(self) -> None:
        """Leave the transaction open, so that the next writer can commit it."""
        forget_lock(self.open_transaction)
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
        if any(isinstance(condition, OneOf) and not condition.values for condition in query.where):
            return
        needed = [*columns, *(condition.column for condition in query.where)]
        needed += self.table.key if self._changes else ()
        buckets = buckets_of_query(query) if "hash" in self.table.columns else {0}
        for rows in self._current_records(buckets, list(dict.fromkeys(needed)), query):
            yield rows.select(list(columns))

    def _current_records(
        self, buckets: Collection[int], columns: Sequence[str], query: Query
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records of some buckets, with the changes applied."""
        for file, bucket in self._files_of_buckets(buckets):
            yield from self._unchanged_records(file, bucket, columns, query)
        for bucket in sorted(buckets):
            yield from self._changed_records(bucket, columns, query)

    def _files_of_buckets(
        self, buckets: Collection[int]
    ) -> Iterator[tuple[DatasetFile, int | None]]:
        """Yield the files that may hold records of some buckets.

        Yields
        ------
        tuple
            The file, and the number of its bucket. The number is None if another program wrote
            the file, which may then hold records of any bucket.
        """
        bucket_of_name = {bucket_name(bucket): bucket for bucket in buckets}
        for file in () if self._is_cleared else self.files:
            if file.path in bucket_of_name:
                yield file, bucket_of_name[file.path]
            elif is_data_file(file.path) and not is_bucket(file.path):
                yield file, None

    def _unchanged_records(
        self, file: DatasetFile, bucket: int | None, columns: Sequence[str], query: Query
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records of a file that were neither replaced nor removed."""
        buckets = self._changes if bucket is None else [bucket]
        changed_keys = [
            self._changes[number].latest for number in buckets if number in self._changes
        ]
        for batch in self._read_file(file, columns):
            for rows in filter_records(batch, query, columns):
                if not changed_keys:
                    yield rows
                    continue
                digests = self._key_digests(rows)
                unchanged = [not any(key in keys for keys in changed_keys) for key in digests]
                yield _select_rows(rows, unchanged)

    def _read_file(self, file: DatasetFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        local_file = self._download(file)
        return read_records(local_file, f"{self.path}: {file.path}", self.table, columns)

    def _download(self, file: DatasetFile) -> Path:
        """Return the local copy of a file, which is downloaded once."""
        if file.path not in self._local_files:
            path = Path(self._temporary_folder.name, f"{len(self._local_files)}.parquet")
            path.write_bytes(self._client.read_file(self.rid, self.base_transaction, file))
            self._local_files[file.path] = path
        return self._local_files[file.path]

    def _changed_records(
        self, bucket: int, columns: Sequence[str], query: Query
    ) -> Iterator[pa.RecordBatch]:
        """Yield the latest new record of each key in a bucket."""
        changes = self._changes.get(bucket, NO_CHANGES)
        for position, batch in enumerate(changes.batches):
            for rows in filter_records(_load_batch(batch), query, columns):
                is_latest = [changes.latest[key] == position for key in self._key_digests(rows)]
                yield _select_rows(rows, is_latest)

    def _key_digests(self, rows: pa.RecordBatch) -> list[bytes]:
        columns = (rows[name].to_pylist() for name in self.table.key)
        return [_key_digest(key) for key in zip(*columns, strict=True)]

    # Changing

    def put(self, rows: pa.RecordBatch) -> None:
        """Add records; a record with the same key is replaced."""
        for bucket, batch in split_by_bucket(self.table, rows):
            changes = self._changes.setdefault(bucket, BucketChanges())
            changes.latest |= dict.fromkeys(self._key_digests(batch), len(changes.batches))
            changes.batches.append(batch)
            self.held_bytes += batch.nbytes

    def remove(self, keys: Collection[Key]) -> None:
        """Remove the records with these keys."""
        hash_index = self.table.key.index("hash") if "hash" in self.table.key else None
        for key in keys:
            bucket = 0 if hash_index is None else bucket_of(key[hash_index])
            self._changes.setdefault(bucket, BucketChanges()).latest[_key_digest(key)] = REMOVED

    def clear(self) -> None:
        """Remove all records."""
        self._is_cleared = True
        self._changes.clear()

    def spool(self) -> None:
        """Move new records from memory to temporary files."""
        for bucket, changes in self._changes.items():
            for position, batch in enumerate(changes.batches):
                if isinstance(batch, pa.RecordBatch):
                    path = Path(self._temporary_folder.name, f"{bucket}-{position}.arrow")
                    with pa.ipc.new_file(str(path), batch.schema) as file:
                        file.write_batch(batch)
                    changes.batches[position] = path
        self.held_bytes = 0

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
            or not all(is_bucket(file.path) for file in self.files)
        )
        if replace_all:
            self._client.set_transaction_type(self.rid, self.open_transaction, "SNAPSHOT")
            self._rebucket_records()
        lengths: dict[str, int] = {}
        for bucket in range(BUCKET_COUNT) if replace_all else sorted(self._changes):
            content, record_count = self._encode_bucket(bucket)
            if record_count or not replace_all:
                lengths[bucket_name(bucket)] = self._put_bucket(bucket, content)
        if not lengths:  # a dataset without records has one file, which holds the columns
            lengths[bucket_name(0)] = self._put_bucket(0, self._encode_bucket(0)[0])
        self._check_lengths(lengths)
        if replace_all or not self._client.has_schema(self.rid, self.base_transaction):
            schema = foundry_schema(self.table)
            self._client.put_schema(self.rid, self.open_transaction, schema)

    def _rebucket_records(self) -> None:
        """Turn the records of all files into changes, so that they are uploaded in buckets.

        Other programs write a record again without removing the old one. Of several records with
        the same key, only the newest is taken.
        """
        files = list(self._files_of_buckets(range(BUCKET_COUNT)))
        for file, _ in files:
            self._refuse_undeclared_columns(file)
        newest_time = self._newest_times(files)
        for file, bucket in files:
            for rows in self._unchanged_records(file, bucket, self.table.columns, Query()):
                # `pop`: a second record with the same key and time is not taken.
                is_newest = [
                    newest_time.get(key) == time and newest_time.pop(key) == time
                    for key, time in self._keys_and_times(rows)
                ]
                self.put(_select_rows(rows, is_newest))
        self._is_cleared = True

    def _newest_times(self, files: Iterable[tuple[DatasetFile, int | None]]) -> dict[bytes, str]:
        """Return the digest of each key in the files -> the time of its newest record."""
        newest_time: dict[bytes, str] = {}
        columns = [*self.table.key, *([self.table.time] if self.table.time else [])]
        for file, bucket in files:
            for rows in self._unchanged_records(file, bucket, columns, Query()):
                for key, time in self._keys_and_times(rows):
                    newest_time[key] = max(time, newest_time.get(key, ""))
        return newest_time

    def _keys_and_times(self, rows: pa.RecordBatch) -> Iterator[tuple[bytes, str]]:
        """Yield key digest and time of each record; the time is empty in tables without times."""
        times = texts(rows[self.table.time]) if self.table.time else [""] * rows.num_rows
        return zip(self._key_digests(rows), times, strict=True)

    def _refuse_undeclared_columns(self, file: DatasetFile) -> None:
        """Refuse to rewrite a file that has columns which the table lacks."""
        name = f"{self.path}: {file.path}"
        columns = undeclared_columns(self._download(file), name, self.table)
        if columns:
            raise StoreError(
                f"{name} has columns that records do not have: {', '.join(columns)}. A write would "
                "lose them; nothing was changed. Move them to another dataset first"
            )

    def _encode_bucket(self, bucket: int) -> tuple[bytes, int]:
        """Return the new content of a bucket as Parquet, and the number of its records."""
        path = Path(self._temporary_folder.name, "upload.parquet")
        records = self._current_records({bucket}, self.table.columns, Query())
        with path.open("wb") as file:
            record_count = write_records(file, self.table, records)
        return path.read_bytes(), record_count

    def _put_bucket(self, bucket: int, content: bytes) -> int:
        """Upload a bucket, and return its size in bytes."""
        self._client.put_file(self.rid, self.open_transaction, bucket_name(bucket), content)
        return len(content)

    def _check_lengths(self, lengths: dict[str, int]) -> None:
        """Refuse to continue if a file was not uploaded completely."""
        files = self._client.files(self.rid, BRANCH, with_open=True)
        arrived_lengths = {file.path: file.length for file in files}
        for path, length in lengths.items():
            arrived = arrived_lengths.get(path, 0)
            if arrived != length:
                raise StoreError(
                    f"{self.path}: only {arrived} of {length} bytes of {path} were uploaded; "
                    "nothing was changed. Try again"
                )

    def commit(self) -> None:
        """Commit the open transaction; do nothing if there is none.

        Raises
        ------
        StoreChangedError
            If another program has aborted the transaction.
        """
        if not self.open_transaction:
            return
        status = self._client.commit(self.rid, self.open_transaction)
        self.committed_transaction, self.open_transaction = self.open_transaction, ""
        forget_lock(self.committed_transaction)
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


def _key_digest(key: Iterable[object]) -> bytes:
    """Return a digest of 16 bytes for a key."""
    return blake2b("\0".join(map(str, key)).encode(), digest_size=16).digest()


def _load_batch(batch: pa.RecordBatch | Path) -> pa.RecordBatch:
    if isinstance(batch, pa.RecordBatch):
        return batch
    with pa.ipc.open_file(str(batch)) as file:
        return file.get_batch(0)


def _select_rows(rows: pa.RecordBatch, is_selected: Sequence[bool]) -> pa.RecordBatch:
    return take_rows(rows, [position for position, selected in enumerate(is_selected) if selected])
