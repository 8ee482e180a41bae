"""Sort and limit streams of rows, for stores that read files."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain
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
    batches = _collect_batches(rows, schema, max_memory_bytes)
    if not batches:
        return
    column = pa.Table.from_batches(batches, schema).select([sort.column])
    order = pc.sort_indices(column, sort_keys=[sort.key])
    # Batch by batch: taking all rows in one step would hold all sorted rows in memory.
    starts = list(accumulate((len(batch) for batch in batches), initial=0))
    sorted_rows: list[pa.RecordBatch] = []
    size = 0
    for count, position in enumerate((index.as_py() for index in order), start=1):
        number = bisect_right(starts, position) - 1
        row = batches[number].slice(position - starts[number], 1)
        sorted_rows.append(row)
        size += row.nbytes
        is_full = len(sorted_rows) == BATCH_ROWS or size > MAX_BATCH_BYTES
        if is_full or count == len(order):
            yield pa.Table.from_batches(sorted_rows).combine_chunks().to_batches()[0]
            sorted_rows, size = [], 0


def _collect_batches(
    rows: Iterable[pa.RecordBatch], schema: pa.Schema, max_memory_bytes: int
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
    with tempfile.NamedTemporaryFile(prefix="mdfactory-") as file:
        with pa.OSFile(file.name, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in chain(in_memory, remaining):
                writer.write_batch(batch)
        reader = pa.ipc.open_file(pa.memory_map(file.name))  # survives the removal of the file
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]


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
