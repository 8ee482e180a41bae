"""Frames: read the tables of analyses from a store, exactly as they were recorded."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from mdfactory.errors import FrameCorruptError, counted
from mdfactory.frames.codec import Frame, decode, empty_table, infer, sidecar_digest
from mdfactory.frames.extras import CommonExtras, extras_of
from mdfactory.frames.groups import without_hash
from mdfactory.frames.json_types import unique_names
from mdfactory.frames.stack import Stack, stack
from mdfactory.records.arrow import append_columns, array, texts
from mdfactory.records.query import OneOf, Query, Sort
from mdfactory.records.tables import FRAME_SIDECARS, Table, analysis_table
from mdfactory.stores.keys import Key, hash_condition, key_batches, keys_of
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Found, Note, find, no_note
from mdfactory.sync.pull import check_values, conditions, sort_order
from mdfactory.sync.results import require_result
from mdfactory.sync.search import EVERYTHING, Search

BATCH_ROWS: Final = 65_536
"""Maximum number of rows of a batch of a frame."""


EXTRA_COLUMNS: Final = ("units", "extras")
"""Columns of records that are read from the registry entry in the sidecar."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one analysis of several simulations, stacked into one table.

    Valid inside the ``with`` block of `pull_frames`.

    Parameters
    ----------
    transaction
        The transaction that reads the frames.
    table
        The table of the analysis.
    sort
        The order of the simulations.
    keys
        Hash and time of each selected record, in order.
    stacked
        The common schema, to which each frame is converted.
    common
        The units and extras that all frames share; the names of units are those of the stack.
    fields
        The hash of each of these records, and the fields to add; no columns without fields.
    notes
        Notes for the user about the stacked table, one line each.
    """

    transaction: Transaction
    table: Table
    sort: Sort | None
    keys: list[Key]
    stacked: Stack
    common: CommonExtras
    fields: pa.Table
    notes: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """The schema of the stacked table; ``hash`` is its first column, fields have units."""
        return self.stacked.schema

    @property
    def schema_with_fields(self) -> pa.Schema:
        """The schema of the stacked table, then the columns of the fields."""
        added = list(self.fields.schema)[1:]
        return pa.schema([*self.schema, *added]).with_metadata(self.schema.metadata or {})

    def batches_with_fields(self) -> Generator[pa.RecordBatch]:
        """Stream the rows as `batches` does, with the columns of the fields."""
        schema, values = self.schema_with_fields, self.fields.columns[1:]
        if not values:
            yield from self.batches()
            return
        positions = {hash_: index for index, hash_ in enumerate(texts(self.fields["hash"]))}
        for rows in self.batches():
            if not rows.num_rows:
                continue
            position = positions[rows.column(0)[0].as_py()]  # one simulation has all rows
            indices = array([position] * rows.num_rows, pa.int64())
            added = [column.take(indices).combine_chunks() for column in values]
            yield pa.RecordBatch.from_arrays([*rows.columns, *added], schema=schema)

    def batches(self) -> Generator[pa.RecordBatch]:
        """Stream the rows of the stacked table, simulation by simulation.

        Yields
        ------
        pyarrow.RecordBatch
            Rows of one simulation.

        Raises
        ------
        FrameCorruptError
            If a stored frame was changed or damaged.
        """
        # A store sorts by columns only: in the order of a field, records are read one by one.
        is_column = self.sort is None or self.sort.column in self.table.columns
        sort = self.sort if is_column else None
        for keys in key_batches(self.keys) if is_column else ([key] for key in self.keys):
            query = Query((hash_condition(keys),), sort=sort)
            for rows in self.transaction.read_with_sidecars(self.table, query):
                for row in rows.to_pylist():
                    part = self.stacked.conform(row["hash"], frame_of(self.table, row))
                    yield from part.to_batches(max_chunksize=BATCH_ROWS)


@contextmanager
def pull_frames(
    store: Store,
    name: str,
    *,
    hash_prefix: str | None = None,
    equal: Mapping[str, str | None] | None = None,
    search: Search = EVERYTHING,
    sort: str | None = None,
    limit: int | None = None,
    union: bool = False,
    note: Note = no_note,
) -> Iterator[Frames]:
    """Open the frames of an analysis; use it in a ``with`` statement.

    Parameters
    ----------
    store
        The store to read.
    name
        Name of the analysis.
    hash_prefix, equal
        Filters of the simulations; see `sync.pull.conditions`.
    search
        How to narrow these simulations, and which fields to add.
    sort
        Column of the records, or field, by which to sort the simulations; ``-column`` for
        descending order.
    limit
        Maximum number of simulations.
    union
        Whether to stack frames whose columns or types differ.
    note
        Function that is called with each note about the search.

    Yields
    ------
    Frames
        The frames, valid inside the block.

    Raises
    ------
    InvalidNameError
        If `name` cannot be the name of an analysis.
    UnknownNameError
        If the store has no such analysis.
    NotInitialisedError
        If the store was not initialised for analyses.
    QueryError
        If `hash_prefix` is not hexadecimal, a filter has an unknown value, the table lacks a
        column of the filter or the order, or the limit is negative.
    SchemasDifferError
        If the frames differ in their columns or types, and `union` is false.
    FrameCorruptError
        If a stored frame was changed or damaged.
    """
    table = analysis_table(name)
    columns, order = (*table.key, table.time), sort_order(sort)
    query = Query(conditions(hash_prefix, equal or {}), columns, order, limit)
    with store.transaction() as transaction:
        require_result(transaction, table)
        check_values(transaction, table, equal or {})
        found = find(transaction, table, query, search, note)
        records = pa.Table.from_batches(found.batches, found.schema)
        keys = keys_of(records, columns)
        inferred: list[str] = []
        common = CommonExtras()
        stacked = stack(_read_schemas(transaction, table, keys, inferred, common), union=union)
        names = without_hash([*common.units], stacked.names)
        common.units = dict(zip(names, common.units.values(), strict=True))
        stacked = stacked.with_units(common.units)
        notes = (*stacked.changes, *common.notes)
        if inferred:
            frames = counted(len(inferred), "frame")
            how = f"the types of {frames} are inferred from text: another program wrote the data"
            notes = (*notes, how)
        taken = stacked.schema.names
        added = unique_names([*taken, *found.schema.names[len(columns) :]])[len(taken) :]
        fields = records.drop_columns(list(columns[1:])).rename_columns(["hash", *added])
        yield Frames(transaction, table, order, keys, stacked, common, fields, notes)


def _read_schemas(
    transaction: Transaction,
    table: Table,
    keys: Sequence[Key],
    inferred: list[str],
    common: CommonExtras,
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the hash of each record, and an empty table with the schema of its frame.

    A record that another program wrote has no sidecar. Its schema is inferred from all rows, its
    whole frame is yielded, and its hash is added to `inferred`. Extras are added to `common`.
    """
    for keys_batch in key_batches(keys):
        record_keys = [key[:-1] for key in keys_batch]
        sidecars = transaction.sidecars(table, record_keys, ("arrow_schema", "entry"))
        for key in keys_batch:
            hash_ = key[0]
            arrow_schema, entry = sidecars.get(key, ("", ""))
            common.add(entry)
            if key in sidecars:
                with _record_named(table, hash_):
                    frame = empty_table(arrow_schema)
                yield hash_, frame
                continue
            inferred.append(hash_)
            query = Query((OneOf("hash", (hash_,)),), ("data_csv",))
            for rows in transaction.read(table, query):
                for text in texts(rows["data_csv"]):
                    with _record_named(table, hash_):
                        frame = infer(text)
                    yield hash_, frame


def extend_with_extras(transaction: Transaction, table: Table, found: Found) -> Found:
    """Add `EXTRA_COLUMNS` to the records of an analysis, which have at least their hash and time.

    Units and extras are JSON objects, empty if another program wrote the record.
    """
    schema = pa.schema([*found.schema, *((name, pa.string()) for name in EXTRA_COLUMNS)])
    return Found(schema, _with_extras(transaction, table, found, schema))


def _with_extras(
    transaction: Transaction, table: Table, found: Found, schema: pa.Schema
) -> Generator[pa.RecordBatch]:
    for rows in found.batches:
        sidecars = transaction.sidecars(table, keys_of(rows, table.key), ("entry",))
        entries = (sidecars.get(key, ("",))[0] for key in keys_of(rows, (*table.key, table.time)))
        values = (tuple(map(json.dumps, extras_of(entry))) for entry in entries)
        yield append_columns(rows, values, schema)


def frame_of(table: Table, row: Mapping[str, Any]) -> pa.Table:
    """Return the frame of one record, as it was recorded.

    Parameters
    ----------
    table
        The table of the analysis.
    row
        The record with its sidecar. Without a sidecar, the types are inferred from text.

    Raises
    ------
    FrameCorruptError
        If the record or its sidecar was changed or damaged.
    """
    with _record_named(table, row["hash"]):
        if not row["arrow_schema"]:
            return infer(row["data_csv"])
        _check_sidecar(row)
        frame = decode(Frame(**{name: row[name] for name in Frame.__dataclass_fields__}))
        if frame.num_rows != row["row_count"]:
            raise FrameCorruptError(
                f"the frame has {frame.num_rows:,} rows, row_count is {row['row_count']:,}"
            )
        return frame


def _check_sidecar(row: Mapping[str, Any]) -> None:
    """Raise `FrameCorruptError` if the sidecar of a frame does not match its digest."""
    try:
        entry = json.loads(row["entry"])
        digest = sidecar_digest(row["arrow_schema"], row["arrow_ipc"], entry)
    except (ValueError, AttributeError, RecursionError):  # no JSON, no object, nested too deeply
        digest = ""
    if row["digest"] != digest:
        raise FrameCorruptError(
            f"its types, units and extras in {FRAME_SIDECARS.name} were changed"
        )


@contextmanager
def _record_named(table: Table, hash_: str) -> Iterator[None]:
    """Name the record in errors of the code that reads its frame."""
    try:
        yield
    except FrameCorruptError as error:
        raise FrameCorruptError(
            f"{table.name}: record {hash_}: {error}. Push it again with --force"
        ) from error
