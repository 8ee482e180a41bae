"""Transactions: conflict modes, digests and sidecars, on the raw operations of a backend.

The rules in this module are the same for all stores. Each record that mdfactory writes has a row in
the digest table of its namespace, by which a change of its content is detected (`records.digests`).
A record of an analysis may also have a sidecar: a row in another table, with data that the record's
own columns cannot hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace

import pyarrow as pa

from mdfactory.errors import ConflictError, NotInitialisedError, StoreVersionError
from mdfactory.records.arrow import append_columns, array, batch, texts
from mdfactory.records.digests import RecordDigests, digest_key
from mdfactory.records.merge import Counts, Resolution, resolve
from mdfactory.records.query import Condition, Query
from mdfactory.records.tables import (
    FORMAT_VERSION,
    Namespace,
    Table,
    digest_table,
    format_table,
    table_named,
)
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.backend import Backend, TableBackend
from mdfactory.stores.comparison import (
    comparison_digests,
    find_stored_keys,
    incoming_contents,
    read_digests,
    read_sidecars,
)
from mdfactory.stores.keys import Key, Values, hash_condition, key_batches, keys_of, take_rows
from mdfactory.stores.recorder import Recorder

Batches = Iterable[tuple[Table, pa.RecordBatch]]
"""Pairs of a table and a batch of records to write; no key occurs twice."""


class Transaction:
    """One consistent view of a store; its changes are stored together or not at all.

    Readers see the store as it was when the transaction began. A writer also sees its own
    changes.

    Parameters
    ----------
    backend
        The raw operations of the store.

    Attributes
    ----------
    recorder : Recorder or None
        Recorder of all changes; None if the transaction is not entered in the log.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.recorder: Recorder | None = None

    @property
    def location(self) -> str:
        """The store as a user would name it, for messages."""
        return self.backend.location

    def has(self, table: Table) -> bool:
        """Whether a table exists; names are compared regardless of case."""
        return self.backend.has(table)

    def values(self, table: Table, query: Query) -> Iterator[Values]:
        """Stream rows as tuples; see `Backend.values`."""
        return self.backend.values(table, query)

    def tables(self) -> list[Table]:
        """Return the record tables that exist, named as the store spells them."""
        return [
            table
            for namespace in Namespace
            for name in sorted(self.backend.names(namespace))
            if (table := table_named(name, namespace))
        ]

    def require(self, table: Table) -> None:
        """Check that a table exists.

        Raises
        ------
        NotInitialisedError
            If the table does not exist; the message names the command that creates it.
        """
        if not self.has(table):
            name = table.name if self.tables() else ""
            raise NotInitialisedError(name, self.location, table.command)

    def check_format(self) -> None:
        """Check that no newer version of mdfactory has written the store.

        Raises
        ------
        StoreVersionError
            If the ``_mdfactory_*`` tables have a newer format than ``FORMAT_VERSION``.
        """
        for table in map(format_table, Namespace):
            rows = self.values(table, Query()) if self.has(table) else ()
            version = max((version for (version,) in rows), default=0)
            if version > FORMAT_VERSION:
                raise StoreVersionError(
                    f"{self.location} has format version {version}; this version of mdfactory "
                    f"reads format versions up to {FORMAT_VERSION}",
                    command="pip install --upgrade mdfactory",
                )

    def initialise_namespace(self, namespace: Namespace) -> None:
        """Create the format table and the digest table of a namespace that has none yet."""
        digests, versions = digest_table(namespace), format_table(namespace)
        if self.has(digests):
            return
        self.backend.make(versions)
        self.backend.put(versions, batch([(FORMAT_VERSION,)], versions.schema))
        self.backend.make(digests)

    def create(self, table: Table, *, replace: bool = False) -> int:
        """Create a record table.

        Parameters
        ----------
        table
            The table to create.
        replace
            Drop an existing table first. If False, an existing table stays as it is.

        Returns
        -------
        int
            The number of records that were removed with the existing table.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        self.initialise_namespace(table.namespace)
        if not self.has(table):
            self.backend.make(table)
            if self.recorder:
                self.recorder.table_created(table)
            return 0
        if not replace:
            if isinstance(self.backend, TableBackend):
                self.backend.repair_table(table)
            return 0
        # The records are deleted first: `drop` neither records their before-images nor removes
        # their digests and sidecars. The table is not recorded as created: an undo must not drop
        # it.
        removed = self.delete(table)
        self.backend.drop(table)
        if not self.has(table):
            self.backend.make(table)
        return removed

    def lock_table(self, table: Table) -> bool:
        """Take exclusive access to a table; see `TableBackend.lock_table`.

        If all tables have one lock, the transaction already holds it.
        """
        return isinstance(self.backend, TableBackend) and self.backend.lock_table(table)

    # Read

    def read(self, table: Table, query: Query | None = None) -> Iterator[pa.RecordBatch]:
        """Stream records.

        Parameters
        ----------
        table
            The table to read.
        query
            Which records and columns; all of them if None.

        Returns
        -------
        iterator of pyarrow.RecordBatch
            Batches of bounded size in ``query.schema(table)``.

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
        return self.backend.scan(table, query)

    def read_with_sidecars(
        self, table: Table, query: Query | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Stream records with their sidecars; records of a table without sidecars as they are.

        Parameters
        ----------
        table
            The table to read.
        query
            Which records; ``query.columns`` must be None.

        Yields
        ------
        pyarrow.RecordBatch
            Records in ``table.schema_with_sidecar``. The sidecar columns are empty texts if a
            record has no sidecar, or if its sidecar has another time: then another program has
            written the record again.
        """
        if table.sidecar is None:
            yield from self.read(table, query)
            return
        for rows in self.read(table, query):
            sidecars = self.sidecars(table, keys_of(rows, table.key), table.sidecar_columns)
            blank = ("",) * len(table.sidecar_columns)
            keys_and_times = keys_of(rows, (*table.key, table.time))
            values = (sidecars.get(key, blank) for key in keys_and_times)
            yield append_columns(rows, values, table.schema_with_sidecar)

    def count(
        self, table: Table, where: tuple[Condition, ...] = (), *, limit: int | None = None
    ) -> int:
        """Return the number of records that meet all conditions.

        Parameters
        ----------
        table
            The table to read.
        where
            The conditions.
        limit
            Stop counting at this number.

        Raises
        ------
        NotInitialisedError
            If the table does not exist.
        """
        query = Query(where=where, columns=table.key[:1], limit=limit)
        return sum(rows.num_rows for rows in self.read(table, query))

    def sidecars(
        self, table: Table, keys: Iterable[Key], columns: tuple[str, ...]
    ) -> dict[Key, Key]:
        """Return the sidecars of records; see `stores.comparison.read_sidecars`."""
        return read_sidecars(self.backend, table, keys, columns)

    def digests(self, table: Table, keys: Sequence[Key]) -> Iterator[RecordDigests]:
        """Yield the stored digests of records; see `stores.comparison.read_digests`."""
        return read_digests(self.backend, table, keys)

    # Write

    def write(self, batches: Batches, mode: ConflictMode) -> dict[str, Counts]:
        """Write records, with their digests and sidecars.

        Parameters
        ----------
        batches
            The records; no key occurs twice. A batch in ``table.schema_with_sidecar`` also has
            their sidecars. A batch in ``table.schema_with_digests`` has their sidecars and their
            content digests.
        mode
            What to do with records whose key is already stored.

        Returns
        -------
        dict
            Table name -> number of records inserted, updated, unchanged and skipped.

        Raises
        ------
        ConflictError
            In mode ``refuse``, if any key is already stored; the transaction must not be
            committed.
        NotInitialisedError
            If a table does not exist.
        StoreError
            If the store cannot be written.
        """
        return self._merge(batches, mode, write=True)

    def plan(self, batches: Batches, mode: ConflictMode) -> dict[str, Counts]:
        """Return the counts that `write` would return, or raise its error; nothing is written.

        A missing table counts as one without records.

        Parameters
        ----------
        batches, mode
            As for `write`.
        """
        return self._merge(batches, mode, write=False)

    def delete(
        self, table: Table, where: tuple[Condition, ...] = (), only: Sequence[Key] | None = None
    ) -> int:
        """Remove records, with their digests and sidecars.

        Parameters
        ----------
        table
            The table of the records.
        where
            Conditions that the records meet; without conditions, all records are removed.
        only
            Keys of the records; any keys if None.

        Returns
        -------
        int
            The number of records removed.

        Raises
        ------
        NotInitialisedError
            If the table does not exist.
        StoreError
            If the store cannot be written.
        """
        self.require(table)
        self.lock_table(table)
        keeps_before_images = self.recorder is not None and self.recorder.keeps_before_images
        query = Query(where=where, columns=None if keeps_before_images else table.key)
        keys: list[Key] = []
        # Read to the end first: not every store can remove rows from a table that it streams.
        for rows in self._read_only(table, query, only):
            keys += keys_of(rows, table.key)
            if self.recorder and keeps_before_images:
                self.recorder.before_removal(table, rows)
        for keys_batch in key_batches(keys):
            self.remove_records(table, keys_batch)
        if self.recorder:
            self.recorder.count(table, {"removed": len(keys)})
        return len(keys)

    def _read_only(
        self, table: Table, query: Query, only: Sequence[Key] | None
    ) -> Iterator[pa.RecordBatch]:
        """Stream the records of a query; unless `only` is None, those with such keys."""
        if only is None:
            yield from self.read(table, query)
            return
        for given in map(set, key_batches(only)):
            where = (*query.where, hash_condition(given))
            for rows in self.read(table, replace(query, where=where)):
                keys = enumerate(keys_of(rows, table.key))
                yield take_rows(rows, [position for position, key in keys if key in given])

    def remove_records(self, table: Table, keys: Sequence[Key]) -> None:
        """Remove records with their digests and sidecars, without a call of the recorder."""
        self.backend.remove(table, keys)
        self._remove_sidecars(table, keys)
        self.remove_digests(table, keys)

    def put_digests(self, table: Table, rows: Iterable[RecordDigests]) -> None:
        """Store the digests of records."""
        digests = digest_table(table.namespace)
        self.backend.put(digests, batch([row.to_row(table) for row in rows], digests.schema))

    def remove_digests(self, table: Table, keys: Sequence[Key]) -> None:
        """Remove the digests of records."""
        digests = digest_table(table.namespace)
        if self.has(digests):
            self.backend.remove(digests, [digest_key(table, key) for key in keys])

    def put_sidecars(self, table: Table, rows: pa.RecordBatch) -> None:
        """Store the sidecars of records.

        Parameters
        ----------
        table
            The table of the records.
        rows
            Key, time and sidecar columns of the records. If the first sidecar column is missing,
            or empty in a row, the record has no sidecar, and a stored one is removed.
        """
        if table.sidecar is None:
            return
        first_column, names = table.sidecar_columns[0], rows.schema.names
        values = texts(rows[first_column]) if first_column in names else [""] * rows.num_rows
        with_sidecar = [position for position, value in enumerate(values) if value]
        without = [position for position, value in enumerate(values) if not value]
        self._remove_sidecars(table, keys_of(take_rows(rows, without), table.key))
        if not with_sidecar:
            return
        if not self.has(table.sidecar):
            self.backend.make(table.sidecar)
        rows = take_rows(rows, with_sidecar)
        table_ids = array([table.id] * rows.num_rows, pa.string())
        columns = [
            table_ids if name == "record_table" else rows[name] for name in table.sidecar.columns
        ]
        sidecars = pa.RecordBatch.from_arrays(columns, schema=table.sidecar.schema)
        self.backend.put(table.sidecar, sidecars)

    def _remove_sidecars(self, table: Table, keys: Sequence[Key]) -> None:
        if table.sidecar and self.has(table.sidecar):
            self.backend.remove(table.sidecar, [(table.id, *key) for key in keys])

    def _merge(self, batches: Batches, mode: ConflictMode, *, write: bool) -> dict[str, Counts]:
        """Classify batches of records and, if `write`, store them."""
        counts: dict[str, Counts] = {}
        conflicts: dict[str, list[str]] = {}
        for table, rows in batches:
            if write:
                self.require(table)
            contents = incoming_contents(table, rows)
            resolution = self.classify(table, rows, mode, contents)
            must_lock = write and (resolution.insert or resolution.replace)
            if must_lock and self.lock_table(table):
                # Another program has changed the table after it was first read.
                resolution = self.classify(table, rows, mode, contents)
            counts[table.name] = counts.get(table.name, Counts()) + resolution.counts
            if resolution.refuse:
                keys = keys_of(rows, table.key)
                refused = [" ".join(keys[position]) for position in resolution.refuse]
                conflicts.setdefault(table.name, []).extend(refused)
            if write and table.name not in conflicts:
                self._put_records(table, rows, contents, resolution)
        if conflicts:
            raise ConflictError(conflicts)
        return counts

    def _put_records(
        self, table: Table, rows: pa.RecordBatch, contents: list[str], resolution: Resolution
    ) -> None:
        """Store the rows to be inserted or replaced, with their sidecars and digests."""
        if self.recorder:
            self.recorder.count(table, asdict(resolution.counts))
        positions = sorted(resolution.insert + resolution.replace)
        if not positions:
            return
        self.initialise_namespace(table.namespace)
        replaced = take_rows(rows, resolution.replace)
        rows = take_rows(rows, positions)
        keys, times = keys_of(rows, table.key), texts(rows[table.time])
        contents = [contents[position] for position in positions]
        digests = list(map(RecordDigests.of, keys, contents, times))
        if self.recorder and self.recorder.keeps_before_images:
            # Before-images are read from the store: this must precede `put`.
            self.recorder.before_write(table, rows, digests, keys_of(replaced, table.key))
        self.backend.put(table, rows.select(table.columns))
        self.put_sidecars(table, rows)
        self.put_digests(table, digests)

    # Classify

    def classify(
        self,
        table: Table,
        rows: pa.RecordBatch,
        mode: ConflictMode,
        contents: list[str] | None = None,
    ) -> Resolution:
        """Decide what a write would do with each row; nothing is written.

        Parameters
        ----------
        table
            The table of the rows; if it is missing, all rows are new.
        rows
            Records in ``table.schema``, ``table.schema_with_sidecar`` or
            ``table.schema_with_digests``, or digest rows in ``DIGEST_ROW_SCHEMA``. No key occurs
            twice.
        mode
            What a write would do with records whose key is already stored.
        contents
            Content digest of each row; computed if None.

        Returns
        -------
        Resolution
            Positions of the rows to insert, replace, leave unchanged, skip or refuse.

        Raises
        ------
        ValueError
            If a key occurs twice.
        """
        keys = keys_of(rows, table.key)
        if len(set(keys)) < len(keys):
            raise ValueError(f"the records for {table.name} contain the same key twice")
        if not self.has(table):
            return Resolution(insert=list(range(rows.num_rows)))
        incoming = comparison_digests(rows, contents or incoming_contents(table, rows))
        repeats_write = isinstance(self.backend, TableBackend) and self.backend.has_completed_write
        compare = mode is ConflictMode.update or repeats_write
        stored = find_stored_keys(self.backend, table, keys, compare=compare)
        return resolve(stored, keys, incoming, mode)
