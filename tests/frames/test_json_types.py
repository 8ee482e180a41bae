"""Rows become types that JSON has, or the text of ``data_csv``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

import pyarrow as pa
import pytest
from hypothesis import given

from mdfactory.frames.codec import encode
from mdfactory.frames.json_types import to_json_types
from mdfactory.frames.text import to_csv
from mdfactory.testing.frames import MODERATE, tables


@MODERATE
@given(tables())
def test_rows_in_json_types_are_valid_json(table: pa.Table) -> None:
    for batch in table.to_batches():
        rows = to_json_types(batch)
        names = rows.schema.names
        assert len(set(names)) == len(names)
        assert all(map(str.startswith, names, table.schema.names))
        for column in rows.columns:
            json.dumps(column.to_pylist(), allow_nan=False)


def is_written_by_rows(table: pa.Table) -> bool:
    """Whether a table has columns, none of them times, whose text depends on the other rows."""
    return bool(table.num_columns) and "timestamp" not in str(table.schema.types)


@MODERATE
@given(tables().filter(is_written_by_rows))
def test_rows_as_text_equal_data_csv(table: pa.Table) -> None:
    text = encode(table).data_csv
    _, *expected = csv.reader(io.StringIO(text, newline=""), strict=True)
    batches = [to_json_types(batch, as_text=True) for batch in table.to_batches()]
    assert all(kind == pa.large_string() for batch in batches for kind in batch.schema.types)
    assert [row for batch in batches for row in rows_of(batch)] == expected


def rows_of(batch: pa.RecordBatch) -> Iterable[list[str]]:
    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        yield [cell or "" for cell in row]


def test_many_columns_of_one_name_get_unique_names() -> None:
    """The effort grows with the columns, not with their square: a record may have many."""
    rows = pa.record_batch([pa.array([1])] * 20_000, names=["a"] * 19_998 + ["a_1", "a_1"])
    names = to_json_types(rows).schema.names
    assert names[:3] == ["a", "a_2", "a_3"]
    assert names[-2:] == ["a_1", "a_1_1"]
    assert len({*names}) == 20_000


VALUES_IN_JSON: dict[str, tuple[pa.Array, list[object]]] = {
    "integers": (pa.array([2**64 - 1, None], pa.uint64()), [2**64 - 1, None]),
    "booleans": (pa.array([True, None]), [True, None]),
    "strings": (pa.array(["", None]), ["", None]),
    "large": (pa.array(["a\0"], pa.large_string()), ["a\0"]),
    "views": (pa.array(["a", None], pa.string_view()), ["a", None]),
    "no UTF-8": (pa.array([b"a\xffb", None]).view(pa.string()), ["a\ufffdb", None]),
    "nothing": (pa.nulls(1), [None]),
    "floats": (pa.array([0.1, float("nan"), float("-inf"), None]), [0.1, None, None, None]),
    "short": (pa.array([0.1, float("inf"), -0.0], pa.float32()), [0.1, None, -0.0]),
    "half": (pa.array([0.5, None], pa.float16()), [0.5, None]),
    "categories": (pa.array(["b", None, "a"]).dictionary_encode(), ["b", None, "a"]),
    "numbered": (pa.array([3, None, 2]).dictionary_encode(), [3, None, 2]),
    "times": (pa.array([0], pa.timestamp("ns", "UTC")), ["1970-01-01 00:00:00Z"]),
    "durations": (pa.array([5, None], pa.duration("s")), ["5 s", None]),
    "lists": (pa.array([[1, None], None]), ["[1,null]", None]),
    "binary": (pa.array([b"\xff"]), ["ff"]),
    "uuid": (pa.array([b"0123456789abcdef"], pa.uuid()), [b"0123456789abcdef".hex()]),
}


@pytest.mark.parametrize("name", VALUES_IN_JSON)
def test_values_of_each_type_become_json_types(name: str) -> None:
    column, values = VALUES_IN_JSON[name]
    batch = pa.RecordBatch.from_arrays([column], ["x"])
    assert str(to_json_types(batch).column(0).to_pylist()) == str(values)
    for start in range(len(column)):
        assert str(to_json_types(batch.slice(start)).column(0).to_pylist()) == str(values[start:])


def test_rows_as_text_have_nulls_for_nan_only() -> None:
    column = pa.array([0.1, float("nan"), float("inf"), 2, None], pa.float32())
    batch = pa.record_batch({"x": column})
    assert to_json_types(batch, as_text=True).to_pydict() == {
        "x": ["0.1", None, "inf", "2.0", None]
    }


def test_rows_without_columns_keep_their_number() -> None:
    batch = pa.record_batch({"x": [1, 2]}).select([])
    assert (
        to_json_types(batch).num_rows
        == to_json_types(batch, as_text=True).num_rows
        == batch.num_rows
    )


@MODERATE
@given(tables().filter(is_written_by_rows))
def test_csv_of_portions_equals_csv_of_the_whole_table(table: pa.Table) -> None:
    portions = [pa.Table.from_batches([batch]) for batch in table.to_batches()]
    parts = [to_csv(portion, header=False) for portion in portions if portion.num_rows]
    text = to_csv(table.slice(0, 0), header=True) + b"".join(parts)
    assert text.decode() == to_csv(table, header=True).decode() == encode(table).data_csv


def test_duplicate_names_are_numbered_in_json_types() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1])] * 3, names=["a", "a", "a_1"])
    assert to_json_types(batch).schema.names == ["a", "a_2", "a_1"]
