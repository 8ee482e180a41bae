"""Rows are sorted alike in memory and from a temporary file."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mdfactory.records.query import Sort
from mdfactory.stores.backend import BATCH_ROWS
from mdfactory.stores.sorting import sort_rows

SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string())])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("max_memory_bytes", [2**10, 2**30])
@pytest.mark.parametrize("block", [1, 16, 6_007])  # rows that follow each other before and after
def test_sort_rows_sorts_many_batches_and_keeps_the_order_of_equal_rows(
    max_memory_bytes: int, block: int, *, descending: bool
) -> None:
    numbers = [index // block * 7919 % 601 for index in range(6_007)]  # about ten times each
    rows = pa.table([numbers, [str(index) for index in range(6_007)]], schema=SCHEMA)
    batches = rows.to_batches(max_chunksize=100)
    sort = Sort("number", descending=descending)
    answer = list(sort_rows(batches, sort, max_memory_bytes=max_memory_bytes))
    assert all(0 < len(batch) <= BATCH_ROWS for batch in answer)
    sorted_rows = [tuple(row.values()) for batch in answer for row in batch.to_pylist()]
    expected = [(number, str(index)) for index, number in enumerate(numbers)]
    assert sorted_rows == sorted(expected, key=lambda row: -row[0] if descending else row[0])


@pytest.mark.parametrize("descending", [False, True])
def test_sort_rows_sorts_statuses_by_progress_and_nulls_last(*, descending: bool) -> None:
    statuses = ["not_yet_run", "build", "equilibrated", "production", "completed", "a new", "late"]
    schema = pa.schema([("status", pa.string())])
    rows = pa.table([[None, *sorted(statuses), None]], schema=schema).to_batches()
    answer = sort_rows(rows, Sort("status", descending=descending))
    expected = statuses[::-1] if descending else statuses
    sorted_rows = [row["status"] for batch in answer for row in batch.to_pylist()]
    assert sorted_rows == [*expected, None, None]
