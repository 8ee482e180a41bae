"""Sort and limit streams of rows, for stores that read files."""

from __future__ import annotations

import sys
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Final

import pyarrow as pa

from mdfactory.records.query import Query, Sort, sorted_indices
from mdfactory.records.tables import Table
from mdfactory.stores.backend import BATCH_ROWS

MAX_MEMORY_BYTES: Final = 32 * 2**20
"""Largest total size of rows that are sorted in memory; more are sorted from a temporary file."""

MAX_BATCH_BYTES: Final = 4 * 2**20
"""Size of a batch; a batch ends with the row that exceeds it."""


def sort_and_limit(
    batches: Iterable[pa.RecordBatch], query: Query, table: Table
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query in its order and up to its limit.

    Parameters
    ----------
    batches
        Rows in ``query.schema_with_sort(table)`` that meet the conditions of the query.
    query, table
        The query and its table.

    Yields
    ------
    pyarrow.RecordBatch
        Rows in ``query.schema(table)``, at most ``BATCH_ROWS`` in a batch.
    """
    if query.sort:
        batches = sort_rows(batches, query.sort)
    columns = query.schema(table).names
    remaining = sys.maxsize if query.limit is None else query.limit
    for batch in batches if remaining else ():
        rows = pa.Table.from_batches([batch]).select(columns)
        yield from rows.slice(0, remaining).to_batches(max_chunksize=BATCH_ROWS)
        remaining -= min(remaining, batch.num_rows)
        if not remaining:
            return


def sort_rows(
    rows: Iterable[pa.RecordBatch], sort: Sort, *, max_memory_bytes: int = MAX_MEMORY_BYTES
) -> Iterator[pa.RecordBatch]:
    """Yield all rows, sorted by one column; rows with equal values keep their order.

    Parameters
    ----------
    rows
        Batches in one schema, of any number of rows.
    sort
        The column, and the direction.
    max_memory_bytes
        Largest total size of rows that are held in memory. If there are more, all are written to
        a temporary file, which is mapped into memory.

    Yields
    ------
    pyarrow.RecordBatch
        Sorted rows, at most ``BATCH_ROWS`` in a batch.
    """
    batches = _collect_batches(rows, max_memory_bytes)
    if not batches:
        return
    order = sorted_indices(pa.Table.from_batches(batches).select([sort.column]), sort)
    # Batch by batch: taking all rows in one step would hold all sorted rows in memory.
    sorted_rows: list[pa.RecordBatch] = []
    count = size = 0
    for run in _runs((index.as_py() for index in order), batches):
        sorted_rows.append(run)
        count += run.num_rows
        size += run.nbytes
        if count >= BATCH_ROWS or size > MAX_BATCH_BYTES:
            yield from _joined(sorted_rows)
            sorted_rows, count, size = [], 0, 0
    yield from _joined(sorted_rows)


def _runs(order: Iterable[int], batches: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield rows in an order, as slices: rows that also follow each other in a batch are together.

    Parameters
    ----------
    order
        Positions of the rows in all batches together.
    batches
        The rows.
    """
    starts = list(accumulate(map(len, batches), initial=0))
    number = first = length = 0
    for position in order:
        if length and first + length == position < starts[number + 1]:
            length += 1
            continue
        if length:
            yield batches[number].slice(first - starts[number], length)
        number, first, length = bisect_right(starts, position) - 1, position, 1
    if length:
        yield batches[number].slice(first - starts[number], length)


def _joined(rows: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield rows as batches of bounded length."""
    if rows:
        table = pa.Table.from_batches(rows).combine_chunks()
        yield from table.to_batches(max_chunksize=BATCH_ROWS)


def _collect_batches(rows: Iterable[pa.RecordBatch], max_memory_bytes: int) -> list[pa.RecordBatch]:
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
        with (
            pa.OSFile(file.name, "wb") as sink,
            pa.ipc.new_file(sink, batch.schema) as writer,
        ):
            for batch in chain(in_memory, remaining):
                writer.write_batch(batch)
        reader = pa.ipc.open_file(pa.memory_map(file.name))  # survives the removal of the file
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]
