"""Rows in the order of one column, from memory, or from a temporary file if they are many."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import accumulate
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.records.query import Sort

__all__ = ["in_order", "limited"]

HELD_BYTES: Final = 32 * 2**20
"""Rows up to this size are sorted in memory."""

BATCH: Final = 2048
"""Rows of one batch of an answer."""

LARGEST: Final = 4 * 2**20
"""Bytes of one batch, beyond which no row is added."""


def in_order(
    rows: Iterable[pa.RecordBatch], sort: Sort, schema: pa.Schema, *, held: int = HELD_BYTES
) -> Iterator[pa.RecordBatch]:
    """Yield all rows in the order of one column; equal ones stay in theirs.

    Parameters
    ----------
    rows
        Batches in `schema`.
    sort
        The column, and which way.
    schema
        Their columns.
    held
        Bytes of rows that are held in memory; more of them lie in a temporary file.
    """
    with ExitStack() as stack:
        batches = _gathered(stack, rows, schema, held)
        if not batches:
            return
        column = pa.Table.from_batches(batches, schema).select([sort.column])
        order = pc.sort_indices(column, sort_keys=[sort.key])
        firsts = list(accumulate((len(batch) for batch in batches), initial=0))
        part: list[pa.RecordBatch] = []
        size = 0
        for number in (one.as_py() for one in order):
            where = bisect_right(firsts, number) - 1
            part.append(batches[where].slice(number - firsts[where], 1))
            size += part[-1].nbytes
            if len(part) == BATCH or size > LARGEST:
                yield _joined(part)
                part, size = [], 0
        if part:
            yield _joined(part)


def _gathered(
    stack: ExitStack, rows: Iterable[pa.RecordBatch], schema: pa.Schema, most: int
) -> list[pa.RecordBatch]:
    """Return batches that are in memory, or in a file that memory shows."""
    held: list[pa.RecordBatch] = []
    size = 0
    rest = iter(rows)
    for batch in rest:
        held.append(batch)
        size += batch.nbytes
        if size > most:
            break
    else:
        return held
    file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="mdfactory-"))  # noqa: SIM115  # closed by the stack
    with pa.OSFile(file.name, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batches in (held, rest):
            for batch in batches:
                writer.write_batch(batch)
    held.clear()
    reader = pa.ipc.open_file(stack.enter_context(pa.memory_map(file.name)))
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]


def _joined(rows: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(rows).combine_chunks().to_batches()[0]


def limited(rows: Iterable[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    """Yield the first `limit` rows, or all."""
    if limit is None:
        yield from rows
        return
    for some in rows if limit else ():
        yield some.slice(0, limit)
        limit -= min(limit, some.num_rows)
        if not limit:
            return
