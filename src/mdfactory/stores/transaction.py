"""The contract that every store keeps, in prose and in code.

A store holds record tables and knows nothing of campaigns. Whoever adds one writes a
`Store` that opens transactions and a `Transaction` with six raw operations; the conflict
rules, the digests and the version check stand here, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Protocol

import pyarrow as pa

from mdfactory.errors import ConflictError, NotInitialisedError, StoreVersionError
from mdfactory.records.arrow import array, batch, texts
from mdfactory.records.digests import content_digests, record_digest
from mdfactory.records.merge import Counts, Resolution, resolve
from mdfactory.records.query import Condition, OneOf, Query
from mdfactory.records.tables import (
    FORMAT_VERSION,
    Namespace,
    Table,
    digest_table,
    format_table,
    table_named,
)
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.keys import Key, Values, chunks, digest_key, hashes, keys_of, taken

__all__ = ["Batches", "Transaction"]

Batches = Iterable[tuple[Table, pa.RecordBatch]]
"""Records to write, each batch in the schema of its table; a key stands in them once."""

_Put = Callable[[Table, pa.RecordBatch, list[str], Resolution], None]


class Recorder(Protocol):
    """Records what an operation changes, before it is changed, so that it can be undone."""

    @property
    def keeps_before_images(self) -> bool:
        """Whether before-images are kept."""

    def count(self, table: Table, numbers: Mapping[str, int]) -> None:
        """Add up what became of records: name of the outcome -> number of records."""

    def table_created(self, table: Table) -> None:
        """Record that a table was created."""

    def table_dropped(self, table: Table) -> None:
        """Record that a table was dropped."""

    def before_write(
        self, table: Table, rows: pa.RecordBatch, digests: Mapping[Key, str], old: Sequence[Key]
    ) -> None:
        """Record what a write is about to replace.

        Parameters
        ----------
        table
            The table.
        rows
            The records that are going to be stored.
        digests
            Key -> record digest of each of them, in the same order.
        old
            Keys of those that replace a stored record.
        """

    def before_removal(self, table: Table, rows: pa.RecordBatch) -> None:
        """Record stored records, with all columns, that are going to be removed."""

    def keep_before_images(
        self,
        table: Table,
        rows: pa.RecordBatch,
        left: Sequence[bytes],
        before: pa.RecordBatch | None = None,
    ) -> None:
        """Keep before-images and fingerprints; see `stores.history.journal.Journal`."""


class Transaction(ABC):
    """One consistent view of a store; what it writes is stored whole or not at all.

    Readers see the store as it was when the transaction began, and a writer also what it
    wrote itself. Names of tables are compared regardless of case.

    A store implements the raw operations `names`, `make`, `drop`, `scan`, `put` and
    `remove`. They are exact: texts come back as they were put, and an operation that
    cannot be done raises `StoreError`; it never answers as if there were nothing.
    """

    location: str
    """The store as a user would name it, for messages."""

    recorder: Recorder | None = None
    """Records all changes, if this transaction is an operation that can be undone."""

    @abstractmethod
    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of all tables in this place, ours or not, as they are spelt."""

    @abstractmethod
    def make(self, table: Table) -> None:
        """Make a table that is not there yet."""

    @abstractmethod
    def drop(self, table: Table) -> None:
        """Remove a table with all its rows."""

    @abstractmethod
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Stream the answer to a query, evaluated by the store, in batches of bounded size."""

    @abstractmethod
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Insert rows; one whose key exists replaces the stored row."""

    @abstractmethod
    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Remove the rows with these keys; keys that are not there are passed over."""

    def lock_table(self, table: Table) -> bool:  # noqa: ARG002  # nothing to do where one lock holds all
        """Keep others from changing a table that is about to be changed.

        Returns
        -------
        bool
            Whether it was changed since it was read: what was decided is to be decided again.
        """
        return False

    def interrupted_times(self, times: Collection[str]) -> Collection[str]:  # noqa: ARG002
        """Return those of some times at which a write was cut short, and some of it is stored.

        A store that commits all tables together never has any.
        """
        return ()

    @property
    def was_interrupted(self) -> bool:
        """Whether the write before this one was cut short, and some of it may be stored."""
        return False

    def has(self, table: Table) -> bool:
        """Whether the table exists."""
        return any(name.lower() == table.id for name in self.names(table.namespace))

    def tables(self) -> list[Table]:
        """Return the record tables that exist, named as the store spells them."""
        named = [
            table_named(name, namespace)
            for namespace in Namespace
            for name in sorted(self.names(namespace))
        ]
        return [table for table in named if table]

    def create(self, table: Table, *, replace: bool = False) -> int:
        """Make a record table if it is missing, or anew.

        Parameters
        ----------
        table
            The table to make.
        replace
            Remove an existing table first.

        Returns
        -------
        int
            The number of rows that were removed.
        """
        self.describe(table.namespace)
        removed, existed = 0, self.has(table)
        if replace and existed:
            removed = self.delete(table)
            self.drop(table)
        if not self.has(table):
            self.make(table)
            if self.recorder and not existed:
                self.recorder.table_created(table)
        return removed

    def read(self, table: Table, query: Query | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the records that a query asks for; all of them without one.

        Raises
        ------
        NotInitialisedError
            If the table does not exist.
        QueryError
            If the query names a column that the table does not have.
        """
        query = query or Query()
        query.check(table)
        self.require(table)
        return self.scan(table, query)

    def read_with_sidecars(
        self, table: Table, query: Query | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Stream records like `read`, all columns, with what is kept beside them.

        Yields
        ------
        pyarrow.RecordBatch
            Records in ``table.schema_with_sidecar``. The columns of the sidecar are empty if a
            record has none, or one of another time: another program has written it again.
        """
        for rows in self.read(table, query):
            beside = self.sidecars(table, keys_of(rows, table.key), table.sidecar_columns)
            blank = ("",) * len(table.sidecar_columns)
            kept = [beside.get(key, blank) for key in keys_of(rows, (*table.key, table.time))]
            columns = list(zip(*kept, strict=True)) or [()] * len(table.sidecar_columns)
            arrays = [array(column, pa.string()) for column in columns]
            yield pa.RecordBatch.from_arrays(
                [*rows.columns, *arrays], schema=table.schema_with_sidecar
            )

    def count(
        self, table: Table, where: tuple[Condition, ...] = (), *, limit: int | None = None
    ) -> int:
        """Return the number of records that meet the conditions; `limit` is enough."""
        query = Query(where=where, columns=table.key[:1], limit=limit)
        return sum(rows.num_rows for rows in self.read(table, query))

    def values(self, table: Table, query: Query) -> Iterator[Values]:
        """Stream the answer to a query as tuples: of what is looked at, and not passed on.

        Yields
        ------
        tuple
            The values of a row, texts and integers, in the order of the query's columns.
        """
        for rows in self.scan(table, query):
            yield from keys_of(rows, query.columns or table.columns)

    def write(self, batches: Batches, mode: ConflictMode) -> dict[str, Counts]:
        """Write records under a conflict mode, and their digests.

        Parameters
        ----------
        batches
            The records; no key twice. A batch in ``table.schema_with_sidecar`` has their sidecars,
            one in ``table.schema_with_digests`` their content digests, too.
        mode
            What to do with keys that are in the store already.

        Returns
        -------
        dict
            Table name -> what became of its records.

        Raises
        ------
        ConflictError
            In mode ``refuse``, if any key exists; the transaction must not be committed.
        NotInitialisedError
            If a table does not exist.
        """
        return self._merge(batches, mode, self._store)

    def plan(self, batches: Batches, mode: ConflictMode) -> dict[str, Counts]:
        """Tell what `write` would do, and do nothing."""
        return self._merge(batches, mode, lambda *_: None)

    def classify_digest_rows(
        self, table: Table, rows: pa.RecordBatch, mode: ConflictMode
    ) -> tuple[Counts, Sequence[int]]:
        """Leave records that are in the store as they are, if a write would do so.

        Parameters
        ----------
        table
            Their table.
        rows
            What is known of them, in ``DIGEST_ROW_SCHEMA``.
        mode
            What a write would do with keys that are in the store already.

        Returns
        -------
        tuple
            What became of the records that are left; positions of those that are not, and must
            be written as a whole.
        """
        if not self.has(table):
            return Counts(), range(rows.num_rows)
        resolution = self.classify(table, rows, mode)
        left = Counts(unchanged=len(resolution.unchanged), skipped=len(resolution.skip))
        if self.recorder:
            self.recorder.count(table, asdict(left))
        return left, [*resolution.insert, *resolution.replace, *resolution.refuse]

    def delete(self, table: Table, where: tuple[Condition, ...] = ()) -> int:
        """Remove the records that meet the conditions, and what is kept of them elsewhere.

        Returns
        -------
        int
            The number of records removed.
        """
        self.require(table)
        self.lock_table(table)
        noting = self.recorder if self.recorder and self.recorder.keeps_before_images else None
        query = Query(where=where, columns=None if noting else table.key)
        keys: list[Key] = []
        for rows in self.read(table, query):
            keys += keys_of(rows, table.key)
            if noting:
                noting.before_removal(table, rows)
        for some in chunks(keys):
            self.forget(table, some)
        if self.recorder:
            self.recorder.count(table, {"removed": len(keys)})
        return len(keys)

    def forget(self, table: Table, keys: Sequence[Key]) -> None:
        """Remove records, and what is kept of them elsewhere."""
        self.remove(table, keys)
        self.remove_sidecars(table, keys)
        if self.has(digest_table(table.namespace)):
            self.remove(digest_table(table.namespace), [digest_key(table, key) for key in keys])

    def require(self, table: Table) -> None:
        """Refuse to go on without a table.

        Raises
        ------
        NotInitialisedError
            If the table does not exist; the message names the command that makes it.
        """
        if not self.has(table):
            raise NotInitialisedError(table.name, self.location, table.command)

    def check_format(self) -> None:
        """Refuse a store that a newer program has written.

        Raises
        ------
        StoreVersionError
            If the ``_mdfactory_*`` tables are of a version that is not known here.
        """
        for table in map(format_table, Namespace):
            stored = self.values(table, Query()) if self.has(table) else ()
            versions = [version for (version,) in stored]
            if max(versions, default=0) > FORMAT_VERSION:
                raise StoreVersionError(
                    f"{self.location} has format {max(versions)}, this program knows formats up to "
                    f"{FORMAT_VERSION}",
                    command="pip install --upgrade mdfactory",
                )

    def describe(self, namespace: Namespace) -> None:
        """Make the tables that describe records, in a place that has none yet."""
        if self.has(digest_table(namespace)):
            return
        self.make(format_table(namespace))
        self.put(
            format_table(namespace), batch([(FORMAT_VERSION,)], format_table(namespace).schema)
        )
        self.make(digest_table(namespace))

    def _merge(self, batches: Batches, mode: ConflictMode, store: _Put) -> dict[str, Counts]:
        counts: dict[str, Counts] = {}
        conflicts: dict[str, list[str]] = {}
        for table, rows in batches:
            self.require(table)
            contents = _contents(table, rows)
            resolution = self.classify(table, rows, mode, contents)
            changes = resolution.insert or resolution.replace
            if changes and store == self._store and self.lock_table(table):
                resolution = self.classify(table, rows, mode, contents)
            counts[table.name] = counts.get(table.name, Counts()) + resolution.counts
            refused = conflicts.setdefault(table.name, [])
            if resolution.refuse:
                keys = keys_of(rows, table.key)
                refused += [" ".join(keys[position]) for position in resolution.refuse]
            if not refused:
                store(table, rows, contents, resolution)
        conflicts = {table: keys for table, keys in conflicts.items() if keys}
        if conflicts:
            raise ConflictError(conflicts)
        return counts

    def classify(
        self,
        table: Table,
        rows: pa.RecordBatch,
        mode: ConflictMode,
        contents: list[str] | None = None,
    ) -> Resolution:
        """Decide what a write of records would do with each; nothing is written.

        Parameters
        ----------
        table
            Their table; it must exist.
        rows
            The records, no key twice, in ``table.schema``, ``table.schema_with_sidecar`` or
            ``table.schema_with_digests``; or what is known of them, in ``DIGEST_ROW_SCHEMA``.
        mode
            What to do with keys that are in the store already.
        contents
            Their content digests, if they are known.

        Raises
        ------
        ValueError
            If a key stands twice.
        """
        keys = keys_of(rows, table.key)
        if len(set(keys)) < len(keys):
            raise ValueError(f"a key stands twice in the records for {table.name}")
        compared = _with_sidecars(rows, contents or _contents(table, rows))
        existing, left = self._existing(table, keys, mode)
        return resolve(existing, keys, compared, mode, left)

    def _store(
        self, table: Table, rows: pa.RecordBatch, contents: list[str], resolution: Resolution
    ) -> None:
        if self.recorder:
            self.recorder.count(table, asdict(resolution.counts))
        positions = sorted(resolution.insert + resolution.replace)
        if not positions:
            return
        self.describe(table.namespace)
        old = taken(rows, resolution.replace)
        rows = taken(rows, positions)
        keys = keys_of(rows, table.key)
        contents = [contents[position] for position in positions]
        times = texts(rows[table.time])
        digests = dict(zip(keys, map(record_digest, contents, times), strict=True))
        if self.recorder and self.recorder.keeps_before_images:
            self.recorder.before_write(table, rows, digests, keys_of(old, table.key))
        self.put(table, rows.select(table.columns))
        self.put_sidecars(table, rows)
        described = [
            (*digest_key(table, key), content, digest)
            for (key, digest), content in zip(digests.items(), contents, strict=True)
        ]
        self.put(
            digest_table(table.namespace), batch(described, digest_table(table.namespace).schema)
        )

    def _existing(
        self, table: Table, keys: list[Key], mode: ConflictMode
    ) -> tuple[dict[Key, str | None], set[Key]]:
        """Return those of the keys that are stored, and those that a cut write has left.

        In mode ``update``, and of those that were left, with content digests.
        """
        stored: dict[Key, str | None] = {}
        left: set[Key] = set()
        for some in chunks(keys):
            times = self._times(table, some)
            cut = self.interrupted_times(set(times.values())) if times else ()
            interrupted_times = {key: time for key, time in times.items() if time in cut}
            compared = times if mode is ConflictMode.update else interrupted_times
            digests = self._digests(table, compared, interrupted_times) if compared else {}
            stored |= {key: digests.get(key) for key in times}
            left |= interrupted_times.keys()
        return stored, left

    def put_sidecars(self, table: Table, rows: pa.RecordBatch) -> None:
        """Keep what belongs beside records; of records that come without, nothing is kept."""
        if table.sidecar is None or table.sidecar_columns[0] not in rows.schema.names:
            self.remove_sidecars(table, keys_of(rows, table.key))
            return
        if not self.has(table.sidecar):
            self.make(table.sidecar)
        names = array([table.id] * rows.num_rows, pa.string())
        columns = [
            names if name == "record_table" else rows[name] for name in table.sidecar.columns
        ]
        self.put(table.sidecar, pa.RecordBatch.from_arrays(columns, schema=table.sidecar.schema))

    def remove_sidecars(self, table: Table, keys: Sequence[Key]) -> None:
        """Remove what is kept beside records."""
        if table.sidecar and self.has(table.sidecar):
            self.remove(table.sidecar, [(table.id, *key) for key in keys])

    def sidecars(
        self, table: Table, keys: Iterable[Key], columns: tuple[str, ...]
    ) -> dict[Key, Key]:
        """Return what is kept beside records.

        Parameters
        ----------
        table
            The table of the records.
        keys
            Their keys.
        columns
            Which columns of ``table.sidecar_columns``.

        Returns
        -------
        dict
            Key and time of the record that it belongs to -> values of the columns.
        """
        if not (table.sidecar and self.has(table.sidecar)):
            return {}
        known = (*table.key, table.time)
        where = (OneOf("record_table", (table.id,)), hashes(keys))
        found = self.values(table.sidecar, Query(where=where, columns=(*known, *columns)))
        return {row[: len(known)]: row[len(known) :] for row in found}

    def _times(self, table: Table, keys: Sequence[Key]) -> dict[Key, str]:
        wanted = set(keys)
        query = Query(where=(hashes(keys),), columns=(*table.key, table.time))
        found = self.values(table, query)
        return {values[:-1]: values[-1] for values in found if values[:-1] in wanted}

    def _digests(
        self, table: Table, times: Mapping[Key, str], doubted: Collection[Key]
    ) -> dict[Key, str]:
        """Return the content digests of stored records.

        One that is kept is taken if it belongs to the record as it is now; of a record
        that another program wrote, or wrote again, it is computed. So it is of those in doubt: a
        write that was cut short may have stored the digest and not the record.
        """
        trusted = {key: time for key, time in times.items() if key not in doubted}
        digests = {
            key: content
            for key, content, digest in self.stored_digests(table, list(trusted))
            if key in trusted and record_digest(content, trusted[key]) == digest
        }
        foreign = [key for key in times if key not in digests]
        if foreign:
            for rows in self.scan(table, Query(where=(hashes(foreign),))):
                computed = zip(keys_of(rows, table.key), content_digests(table, rows), strict=True)
                wanted = times.keys() - digests.keys()
                digests |= {key: content for key, content in computed if key in wanted}
        beside = self.sidecars(table, times, ("digest",)) if table.sidecar else {}
        return {
            key: content + "".join(beside.get((*key, times[key]), ()))
            for key, content in digests.items()
        }

    def stored_digests(self, table: Table, keys: Sequence[Key]) -> Iterator[tuple[Key, str, str]]:
        """Yield the digests that are kept of all records with the hashes of some keys.

        Yields
        ------
        tuple
            Key of the record, be it there or not; its content digest; its record digest.
        """
        digests = digest_table(table.namespace)
        if not keys or not self.has(digests):
            return
        where = (OneOf("record_table", (table.id,)), hashes(keys))
        for values in self.values(digests, Query(where, (*table.key, "content", "digest"))):
            yield values[:-2], values[-2], values[-1]


def _contents(table: Table, rows: pa.RecordBatch) -> list[str]:
    """Return the content digests of records, which they may come with."""
    came = "content" in rows.schema.names
    return texts(rows["content"]) if came else content_digests(table, rows)


def _with_sidecars(rows: pa.RecordBatch, contents: list[str]) -> list[str]:
    """Return what tells a changed record: its content, and what is kept beside it."""
    if "digest" not in rows.schema.names:
        return contents
    return list(map("".join, zip(contents, texts(rows["digest"]), strict=True)))
