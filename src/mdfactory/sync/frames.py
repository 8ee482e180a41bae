"""Frames: the tables that analyses produced, out of the store as they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pyarrow as pa

from mdfactory.errors import FrameCorruptError, counted
from mdfactory.frames.codec import Frame, decode, empty_table, infer, sidecar_digest
from mdfactory.frames.stack import Stack, stack
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import FRAME_SIDECARS, Table, analysis_table
from mdfactory.stores.keys import Key
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.pull import conditions, ordered
from mdfactory.sync.results import require_result

__all__ = ["Frames", "frame_of", "pull_frames"]

CHUNK: Final = 500
"""Records that are asked for together."""

BATCH: Final = 65_536
"""Rows of a frame that are passed on together."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one analysis, of all simulations that were asked for, as one.

    Use it while the block of `pull_frames` lasts.
    """

    transaction: Transaction
    table: Table
    query: Query
    keys: tuple[Key, ...]
    stacked: Stack
    inferred: int

    @property
    def schema(self) -> pa.Schema:
        """The schema of the whole, with the column ``hash`` first."""
        return self.stacked.schema

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to know of the result, a line each."""
        if not self.inferred:
            return self.stacked.changes
        these = counted(self.inferred, "frame")
        note = f"the types of {these} are inferred from text: written by another program"
        return (*self.stacked.changes, note)

    def batches(self) -> Generator[pa.RecordBatch]:
        """Stream the rows, simulation by simulation."""
        for hash_, frame in self.frames():
            yield from self.stacked.conform(hash_, frame).to_batches(max_chunksize=BATCH)

    def frames(self) -> Iterator[tuple[str, pa.Table]]:
        """Stream the frames as they were recorded, with the hash of their simulation.

        Raises
        ------
        FrameCorruptError
            If what the store holds is not what was put there.
        """
        for some in _chunks(self.keys):
            query = Query((_hashes(some),), sort=self.query.sort)
            for rows in self.transaction.read_with_sidecars(self.table, query):
                for row in rows.to_pylist():
                    yield row["hash"], frame_of(self.table, row)


@contextmanager
def pull_frames(
    store: Store,
    name: str,
    *,
    hash_prefix: str | None = None,
    equal: Mapping[str, str | None] | None = None,
    sort: str | None = None,
    limit: int | None = None,
    union: bool = False,
) -> Iterator[Frames]:
    """Open the frames of an analysis for the block of a ``with`` statement.

    Parameters
    ----------
    store
        Where to read.
    name
        The analysis.
    hash_prefix, equal
        Of which simulations; see `sync.pull.conditions`.
    sort
        A column of its records to sort the simulations by, ``-column`` for descending.
    limit
        Number of simulations at most.
    union
        Whether to join frames whose columns differ.

    Raises
    ------
    UnknownNameError
        If the store has no such analysis.
    SchemasDifferError
        If the frames have different columns, and `union` does not allow that.
    FrameCorruptError
        If what the store holds is not what was put there.
    """
    table = analysis_table(name)
    key = (*table.key, table.time)
    query = Query(conditions(hash_prefix, equal or {}), key, ordered(sort), limit)
    with store.transaction() as transaction:
        require_result(transaction, table)
        keys = tuple(
            row
            for rows in transaction.read(table, query)
            for row in zip(*(column.to_pylist() for column in rows.columns), strict=True)
        )
        schemas = _Schemas(transaction, table)
        stacked = stack(schemas.of(keys), union=union)
        yield Frames(transaction, table, query, keys, stacked, schemas.inferred)


@dataclass(slots=True)
class _Schemas:
    """The schemas of stored frames, and how many of them had to be inferred."""

    transaction: Transaction
    table: Table
    inferred: int = 0

    def of(self, keys: tuple[Key, ...]) -> Iterator[tuple[str, pa.Table]]:
        for some in _chunks(keys):
            hashes = [key[:-1] for key in some]
            kept = self.transaction.sidecars(self.table, hashes, ("arrow_schema",))
            for key in some:
                if key in kept:
                    kept_schema = kept[key][0]
                    yield key[0], _named(self.table, key[0], partial(empty_table, kept_schema))
                else:
                    self.inferred += 1
                    yield key[0], self._inferred(key[0])

    def _inferred(self, hash_: str) -> pa.Table:
        query = Query((OneOf("hash", (hash_,)),), ("hash", "data_csv"))
        (text,) = (
            row["data_csv"]
            for rows in self.transaction.read(self.table, query)
            for row in rows.to_pylist()
        )
        return _named(self.table, hash_, lambda: infer(text))


def frame_of(table: Table, row: Mapping[str, Any]) -> pa.Table:
    """Return the frame of one record, as it was recorded.

    Parameters
    ----------
    table
        An analysis.
    row
        The record, with what is kept beside it.

    Raises
    ------
    FrameCorruptError
        If what the store holds is not what was put there.
    """
    parts = {name: row[name] for name in Frame.__dataclass_fields__}

    def read() -> pa.Table:
        if not row["arrow_schema"]:
            return infer(row["data_csv"])
        _check_sidecar(row)
        frame = decode(Frame(**parts))
        if frame.num_rows != row["row_count"]:
            raise FrameCorruptError(
                f"the frame has {frame.num_rows:,} rows, row_count is {row['row_count']:,}"
            )
        return frame

    return _named(table, row["hash"], read)


def _check_sidecar(row: Mapping[str, Any]) -> None:
    """Refuse what is kept beside a frame if it is not what was put there."""
    try:
        entry = json.loads(row["entry"])
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or row["digest"] != sidecar_digest(
        row["arrow_schema"], row["arrow_ipc"], entry
    ):
        raise FrameCorruptError(f"what {FRAME_SIDECARS.name} keeps beside it was changed")


def _named(table: Table, hash_: str, read: Callable[[], pa.Table]) -> pa.Table:
    """Say of which record it is that cannot be read."""
    try:
        return read()
    except FrameCorruptError as error:
        raise FrameCorruptError(
            f"{table.name}: record {hash_}: {error}. Push it again with --force"
        ) from error


def _chunks(keys: tuple[Key, ...]) -> Iterator[tuple[Key, ...]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _hashes(keys: tuple[Key, ...]) -> OneOf:
    return OneOf("hash", tuple(key[0] for key in keys))
