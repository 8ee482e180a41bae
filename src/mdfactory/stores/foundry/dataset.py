"""One dataset in a transaction: its files as they were, and what is to become of them."""

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
from mdfactory.stores.foundry.client import BRANCH, PAGE, DatasetTransaction, File, Port
from mdfactory.stores.foundry.lock import forget, hold, release
from mdfactory.stores.foundry.parquet import (
    BUCKETS,
    bucket_name,
    bucket_of,
    buckets_of,
    divided,
    extra_columns,
    foundry_schema,
    is_bucket,
    is_seen,
    matching,
    read,
    write,
)
from mdfactory.stores.keys import Key, take_rows
from mdfactory.stores.locking import Patience

__all__ = ["DatasetTable"]

BACK: Final = 20
"""Pages of transactions to look back for the SNAPSHOT that a view begins with, for SQL."""


@dataclass(slots=True)
class Changes:
    """What is new in one file of a dataset, in memory or in temporary files.

    A record that was put again, or removed, stays where it is: `latest` tells which part has
    the one that counts, or `GONE`. Records are known there by a digest of their key, since
    there may be millions.
    """

    latest: dict[bytes, int] = field(default_factory=dict)
    parts: list[pa.RecordBatch | Path] = field(default_factory=list)


GONE: Final = -1
NO_CHANGES: Final = Changes()


class DatasetTable:
    """A dataset in a transaction.

    What is new is kept apart from the files until the end, when each file that has changed is
    put together anew and uploaded. Files are downloaded once, when they are first needed.

    Parameters
    ----------
    port
        The connection.
    table
        Whose records it holds.
    path, rid
        The dataset.
    """

    def __init__(self, port: Port, table: Table, path: str, rid: str) -> None:
        self.table = table
        self.path = path
        self.rid = rid
        self.lock = ""
        self.committed = ""
        self._port = port
        self._emptied = False
        self._changes: dict[int, Changes] = {}
        self.held = 0
        self._local: dict[str, Path] = {}
        self._pages: dict[str, list[DatasetTransaction]] = {}

    @cached_property
    def base(self) -> str:
        """The last transaction that was committed, whose view is seen; empty if there is none.

        A service may answer with fewer transactions than it was asked for, and list those that
        were aborted: only a page without anything new is the end.
        """
        any_seen = False
        for one in self._back():
            if one.status == "COMMITTED":
                return one.rid
            any_seen = True
        if any_seen and self._port.files(self.rid, BRANCH):
            raise StoreError(
                f"{self.path} has files, but Foundry tells of no transaction that made them"
            )
        return ""

    @cached_property
    def start(self) -> str:
        """The SNAPSHOT that the view begins with; empty if it is not found."""
        for one in islice(self._back(), BACK * PAGE):
            if one.status == "COMMITTED" and one.kind == "SNAPSHOT":
                return one.rid
        return ""

    def _back(self) -> Iterator[DatasetTransaction]:
        """Yield the transactions of the dataset, newest first."""
        seen: set[str] = set()
        ref = BRANCH
        while True:
            if ref not in self._pages:
                self._pages[ref] = self._port.history(self.rid, ref)
            fresh = [one for one in self._pages[ref] if one.rid not in seen]
            if not fresh:
                return
            yield from fresh
            seen.update(one.rid for one in fresh)
            ref = fresh[-1].rid

    @cached_property
    def files(self) -> list[File]:
        """The files of the view."""
        return self._port.files(self.rid, self.base) if self.base else []

    @cached_property
    def _folder(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="mdfactory-")

    @property
    def is_dirty(self) -> bool:
        """Whether anything is to be written."""
        return self._emptied or bool(self._changes)

    def lock_table(self, patience: Patience, location: str) -> bool:
        """Keep all others from changing the dataset.

        Returns
        -------
        bool
            Whether it was changed since it was first looked at; it is then seen as it is now.

        Raises
        ------
        StoreLockedError
            If another writer does not end in time.
        """
        if self.lock:
            return False
        self.lock = hold(self._port, self.rid, "UPDATE", patience, location)
        seen = vars(self).pop("base", None)
        self._pages.clear()
        if seen is None or seen == self.base:
            return False
        vars(self).pop("start", None)
        vars(self).pop("files", None)
        self._local.clear()
        return True

    def close(self) -> None:
        """Give the dataset back as it was, if it was not committed, and remove temporary files."""
        if self.lock:
            release(self._port, self.rid, self.lock)
            self.lock = ""
        if "_folder" in vars(self):
            self._folder.cleanup()

    # Reading

    def scan(self, query: Query, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the records that meet the conditions, with these columns, in no order."""
        if any(isinstance(one, OneOf) and not one.values for one in query.where):
            return
        needed = [*columns, *(one.column for one in query.where)]
        needed += self.table.key if self._changes else ()
        numbers = buckets_of(query) if "hash" in self.table.columns else {0}
        for rows in self._rows(numbers, list(dict.fromkeys(needed)), query):
            yield rows.select(list(columns))

    def _rows(
        self, numbers: Collection[int], names: Sequence[str], query: Query
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records with these numbers of files that a query asks for, as they are now."""
        for file, number in self._sources(numbers):
            yield from self._old(file, number, names, query)
        for number in sorted(numbers):
            yield from self._new(number, names, query)

    def _sources(self, numbers: Collection[int]) -> Iterator[tuple[File, int | None]]:
        """Yield the old files that records of these numbers may be in."""
        wanted = {bucket_name(number): number for number in numbers}
        for file in () if self._emptied else self.files:
            if file.path in wanted or (is_seen(file.path) and not is_bucket(file.path)):
                yield file, wanted.get(file.path)

    def _old(
        self, file: File, number: int | None, names: Sequence[str], query: Query
    ) -> Iterator[pa.RecordBatch]:
        """Yield the old records of a file that are still there."""
        numbers = self._changes if number is None else [number]
        changed = [self._changes[one].latest for one in numbers if one in self._changes]
        for rows in read(self._fetched(file), f"{self.path}: {file.path}", self.table, names):
            for some in matching(rows, query, names):
                if not changed:
                    yield some
                    continue
                ids = self._ids(some)
                yield _filtered(some, [not any(one in these for these in changed) for one in ids])

    def _fetched(self, file: File) -> Path:
        """Return the local copy of a file."""
        if file.path not in self._local:
            path = Path(self._folder.name, f"{len(self._local)}.parquet")
            path.write_bytes(self._port.read(self.rid, self.base, file))
            self._local[file.path] = path
        return self._local[file.path]

    def _new(self, number: int, names: Sequence[str], query: Query) -> Iterator[pa.RecordBatch]:
        """Yield the new records of a file."""
        changes = self._changes.get(number, NO_CHANGES)
        for position, part in enumerate(changes.parts):
            for some in matching(_loaded(part), query, names):
                counts = [changes.latest[one] == position for one in self._ids(some)]
                yield _filtered(some, counts)

    def _ids(self, rows: pa.RecordBatch) -> list[bytes]:
        columns = (rows[name].to_pylist() for name in self.table.key)
        return [_id(key) for key in zip(*columns, strict=True)]

    # Changing

    def put(self, rows: pa.RecordBatch) -> None:
        """Add records, in the place of those with their keys."""
        for number, some in divided(self.table, rows):
            changes = self._changes.setdefault(number, Changes())
            changes.latest |= dict.fromkeys(self._ids(some), len(changes.parts))
            changes.parts.append(some)
            self.held += some.nbytes

    def remove(self, keys: Collection[Key]) -> None:
        """Remove the records with these keys."""
        place = self.table.key.index("hash") if "hash" in self.table.key else None
        for key in keys:
            number = 0 if place is None else bucket_of(key[place])
            self._changes.setdefault(number, Changes()).latest[_id(key)] = GONE

    def empty(self) -> None:
        """Remove all records."""
        self._emptied = True
        self._changes.clear()

    def spool(self) -> None:
        """Move new records from memory into temporary files; `held` tells how many bytes."""
        for number, changes in self._changes.items():
            for position, part in enumerate(changes.parts):
                if isinstance(part, pa.RecordBatch):
                    path = Path(self._folder.name, f"{number}-{position}.arrow")
                    with pa.ipc.new_file(str(path), part.schema) as file:
                        file.write_batch(part)
                    changes.parts[position] = path
        self.held = 0

    # Writing

    def upload(self) -> None:
        """Put what has changed into the open transaction, and see that it has arrived."""
        whole = self._emptied or not self.base or not all(is_bucket(one.path) for one in self.files)
        if whole:
            self._port.set_kind(self.rid, self.lock, "SNAPSHOT")
            self._adopt()
        lengths = {}
        for number in range(BUCKETS) if whole else sorted(self._changes):
            content, rows = self._content(number)
            if rows or not whole:
                lengths[bucket_name(number)] = self._put(number, content)
        if not lengths:  # a table without records has one file, which says what its columns are
            lengths[bucket_name(0)] = self._put(0, self._content(0)[0])
        self._check(lengths)
        if whole or not self._port.has_schema(self.rid, self.base):
            self._port.put_schema(self.rid, self.lock, foundry_schema(self.table))

    def _adopt(self) -> None:
        """Take over the records of files that are not divided as ours are.

        Of a key that stands in them several times, the newest record counts.
        """
        files = list(self._sources(range(BUCKETS)))
        for file, _ in files:
            self._check_columns(file)
        newest = self._newest(files)
        for file, number in files:
            for rows in self._old(file, number, self.table.columns, Query()):
                # One that is taken is forgotten: the same record may stand there again.
                wanted = [
                    newest.get(one) == time and newest.pop(one) == time
                    for one, time in self._stamps(rows)
                ]
                self.put(_filtered(rows, wanted))
        self._emptied = True

    def _newest(self, files: Iterable[tuple[File, int | None]]) -> dict[bytes, str]:
        """Return the newest time of each key in some files."""
        newest: dict[bytes, str] = {}
        names = [*self.table.key, *([self.table.time] if self.table.time else [])]
        for file, number in files:
            for rows in self._old(file, number, names, Query()):
                for one, time in self._stamps(rows):
                    newest[one] = max(time, newest.get(one, ""))
        return newest

    def _stamps(self, rows: pa.RecordBatch) -> Iterator[tuple[bytes, str]]:
        """Yield the key of each record, as a digest, and its time."""
        times = texts(rows[self.table.time]) if self.table.time else [""] * rows.num_rows
        return zip(self._ids(rows), times, strict=True)

    def _check_columns(self, file: File) -> None:
        """Refuse to put together anew what would lose a column."""
        extra = extra_columns(self._fetched(file), f"{self.path}: {file.path}", self.table)
        if extra:
            raise StoreError(
                f"{self.path}: {file.path} has columns that records do not have, and that would "
                f"be lost: {', '.join(extra)}; nothing was changed. Move them to another dataset"
            )

    def _content(self, number: int) -> tuple[bytes, int]:
        """Return a file as it is to be, and the number of its records."""
        path = Path(self._folder.name, "upload.parquet")
        with path.open("wb") as file:
            rows = write(file, self.table, self._rows({number}, self.table.columns, Query()))
        return path.read_bytes(), rows

    def _put(self, number: int, content: bytes) -> int:
        self._port.put(self.rid, self.lock, bucket_name(number), content)
        return len(content)

    def _check(self, lengths: dict[str, int]) -> None:
        """Refuse to go on if a file has not arrived whole."""
        there = {
            file.path: file.length for file in self._port.files(self.rid, BRANCH, with_open=True)
        }
        for path, length in lengths.items():
            if there.get(path) != length:
                raise StoreError(
                    f"{self.path}: {there.get(path, 0)} bytes of {length} of {path} arrived; "
                    "nothing was changed. Try again"
                )

    def commit(self) -> None:
        """Let all others see what was uploaded; nothing is done if that is done already.

        Raises
        ------
        StoreChangedError
            If someone has aborted the transaction meanwhile.
        """
        if not self.lock:
            return
        status = self._port.commit(self.rid, self.lock)
        self.committed, self.lock = self.lock, ""
        forget(self.committed)
        if status != "COMMITTED":
            self.committed = ""
            raise StoreChangedError(f"{self.path}: someone has aborted our transaction")

    def describe(self) -> bool:
        """See that the newest view has its schema, without which SQL does not read it."""
        end = self.committed or self.base
        return self._port.has_schema(self.rid, end) or self._port.put_schema(
            self.rid, end, foundry_schema(self.table)
        )


def _id(key: Iterable[object]) -> bytes:
    """Return a digest of a key, 128 bits."""
    return blake2b("\0".join(map(str, key)).encode(), digest_size=16).digest()


def _loaded(part: pa.RecordBatch | Path) -> pa.RecordBatch:
    if isinstance(part, pa.RecordBatch):
        return part
    with pa.ipc.open_file(str(part)) as file:
        return file.get_batch(0)


def _filtered(rows: pa.RecordBatch, wanted: Sequence[bool]) -> pa.RecordBatch:
    """Return the rows that are wanted."""
    return take_rows(rows, [position for position, one in enumerate(wanted) if one])
