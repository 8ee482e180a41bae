"""Rows are sorted alike in memory and from a temporary file."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mdfactory.records.query import Sort
from mdfactory.stores.sorting import in_order

SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string())])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("held", [2**10, 2**30])
def test_rows_of_many_batches_are_sorted(held: int, *, descending: bool) -> None:
    numbers = [number * 7919 % 601 for number in range(6_007)]  # each ten times
    rows = pa.table([numbers, [str(place) for place in range(6_007)]], schema=SCHEMA)
    batches = rows.to_batches(max_chunksize=100)
    answer = in_order(batches, Sort("number", descending=descending), SCHEMA, held=held)
    found = [tuple(row.values()) for some in answer for row in some.to_pylist()]
    expected = [(number, str(place)) for place, number in enumerate(numbers)]
    assert found == sorted(expected, key=lambda row: -row[0] if descending else row[0])
