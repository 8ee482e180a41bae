"""Sort and limit streams of rows, for stores that read files."""

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
from mdfactory.stores.backend import BATCH_ROWS

MAX_MEMORY_BYTES: Final = 32 * 2**20
"""Largest total size of rows that are sorted in memory; more are sorted from a temporary file."""

MAX_BATCH_BYTES: Final = 4 * 2**20
"""Size of a batch; a batch ends with the row that exceeds it."""


def sort_rows(
    rows: Iterable[pa.RecordBatch],
    sort: Sort,
    schema: pa.Schema,
    *,
    max_memory_bytes: int = MAX_MEMORY_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Yield all rows, sorted by one column; rows with equal values keep their order.

    Parameters
    ----------
    rows
        Batches in `schema`, of any number of rows.
    sort
        The column, and the direction.
    schema
        Schema of the batches.
    max_memory_bytes
        Largest total size of rows that are held in memory. If there are more, all are written to
        a temporary file, which is mapped into memory.

    Yields
    ------
    pyarrow.RecordBatch
        Sorted rows in `schema`, at most ``BATCH_ROWS`` in a batch.
    """
    with ExitStack() as stack:
        batches = _collect_batches(stack, rows, schema, max_memory_bytes)
        if not batches:
            return
        column = pa.Table.from_batches(batches, schema).select([sort.column])
        order = pc.sort_indices(column, sort_keys=[sort.key])
        # Batch by batch: taking all rows in one step would hold all sorted rows in memory.
        starts = list(accumulate((len(batch) for batch in batches), initial=0))
        sorted_rows: list[pa.RecordBatch] = []
        size = 0
        for position in (index.as_py() for index in order):
            number = bisect_right(starts, position) - 1
            row = batches[number].slice(position - starts[number], 1)
            sorted_rows.append(row)
            size += row.nbytes
            if len(sorted_rows) == BATCH_ROWS or size > MAX_BATCH_BYTES:
                yield _join_rows(sorted_rows)
                sorted_rows, size = [], 0
        if sorted_rows:
            yield _join_rows(sorted_rows)


def _collect_batches(
    stack: ExitStack, rows: Iterable[pa.RecordBatch], schema: pa.Schema, max_memory_bytes: int
) -> list[pa.RecordBatch]:
    """Return all batches, from a memory-mapped file if they exceed `max_memory_bytes`."""
    in_memory: list[pa.RecordBatch] = []
    size = 0
    remaining = iter(rows)
    for batch in remaining:
        in_memory.append(batch)
        size += batch.nbytes
        if size > max_memory_bytes:
            break
    else:
        return in_memory
    file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="mdfactory-"))  # noqa: SIM115  # closed by the stack
    with pa.OSFile(file.name, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batches in (in_memory, remaining):
            for batch in batches:
                writer.write_batch(batch)
    in_memory.clear()
    reader = pa.ipc.open_file(stack.enter_context(pa.memory_map(file.name)))
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]


def _join_rows(rows: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Return one batch that contains the rows of many."""
    return pa.Table.from_batches(rows).combine_chunks().to_batches()[0]


def limit_rows(rows: Iterable[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    """Yield the first `limit` rows, or all rows if it is None."""
    if limit is None:
        yield from rows
        return
    for batch in rows if limit else ():
        yield batch.slice(0, limit)
        limit -= min(limit, batch.num_rows)
        if not limit:
            return
