"""Frames of several simulations become one, exactly or by Arrow's rules."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from pandas.testing import assert_frame_equal

from mdfactory.errors import SchemasDifferError
from mdfactory.records.frames import encode, to_csv
from mdfactory.records.stack import plain, stack
from mdfactory.testing.frames import MODERATE, assert_same, tables

A, B, C = "A" * 40, "B" * 40, "C" * 40


def _stacked(frames: dict[str, pa.Table], *, union: bool = False) -> pa.Table:
    whole = stack(((hash_, frame.schema) for hash_, frame in frames.items()), union=union)
    parts = [whole.put(hash_, frame) for hash_, frame in frames.items()]
    return pa.concat_tables(parts) if parts else whole.schema.empty_table()


def _arrow(**columns: Any) -> pa.Table:
    return pa.Table.from_pandas(pd.DataFrame(columns))


@MODERATE
@given(tables())
def test_one_frame_is_itself_behind_its_hash(table: pa.Table) -> None:
    whole = _stacked({A: table})
    assert whole.column(0).to_pylist() == [A] * table.num_rows
    rest = whole.remove_column(0)
    names = [name if name != "hash" else "hash_1" for name in table.schema.names]
    assert rest.schema.names == names
    back = rest.rename_columns(table.schema.names).replace_schema_metadata(table.schema.metadata)
    if table.num_columns:  # Arrow forgets the number of rows without columns
        assert_same(back, table)


@MODERATE
@given(tables())
def test_frames_of_one_schema_follow_each_other(table: pa.Table) -> None:
    whole = _stacked({A: table, B: table})
    rows = table.num_rows
    assert whole.column(0).to_pylist() == [A] * rows + [B] * rows
    for at in (0, rows):
        part = [column.slice(at, rows) for column in whole.columns[1:]]
        if part:
            assert_same(pa.Table.from_arrays(part, schema=table.schema), table)


INDICES = [
    None,
    pd.RangeIndex(5, 11, 2),
    pd.RangeIndex(3, name="row"),
    pd.Index(["x", "y", "z"], name="hash"),
    pd.Index([1.5, 2.5, 3.5], name="time"),
    pd.MultiIndex.from_arrays([[1, 1, 2], ["a", "b", "a"]], names=["i", None]),
    pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin"),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_pandas_reads_the_frame_that_it_wrote_with_a_column_in_front(
    index: pd.Index | None,
) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], "Int16"),
            "c": pd.Categorical(["b", None, "a"], ["b", "a", "z"], ordered=True),
            "s": ["001", None, ""],
            "t": pd.to_datetime(["2024-01-01", None, "2024-01-02"]).tz_localize("UTC"),
        },
        index=index,
    )
    read = _stacked({A: pa.Table.from_pandas(frame)}).to_pandas()
    assert list(read.pop("hash")) == [A] * 3
    expected = pa.Table.from_pandas(frame).to_pandas()
    expected.index.names = [name if name != "hash" else "hash_1" for name in expected.index.names]
    assert_frame_equal(read, expected)


def test_names_of_columns_that_are_numbers_do_not_keep_the_hash_out() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]])
    assert list(_stacked({A: pa.Table.from_pandas(frame)}).to_pandas()) == ["hash", "0", "1"]
    frame.columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])
    assert _stacked({A: pa.Table.from_pandas(frame)}).to_pandas().columns[0] == "hash"


def test_frames_of_several_simulations_get_rows_of_their_own() -> None:
    read = _stacked({A: _arrow(x=[1, 2]), B: _arrow(x=[3])}).to_pandas()
    assert_frame_equal(read, pd.DataFrame({"hash": [A, A, B], "x": [1, 2, 3]}))


def test_a_column_called_hash_gets_the_first_free_name() -> None:
    whole = _stacked({A: pa.table({"hash": [1], "hash_1": [2]})})
    assert whole.schema.names == ["hash", "hash_2", "hash_1"]
    assert list(_stacked({A: _arrow(hash=["x"])}).to_pandas()) == ["hash", "hash_1"]


def test_columns_of_one_name_are_told_apart_by_their_place() -> None:
    frame = pa.table([pa.array([1]), pa.array(["a"])], names=["x", "x"])
    assert _stacked({A: frame, B: frame}).schema.names == ["hash", "x", "x"]
    with pytest.raises(SchemasDifferError, match="two columns are called 'x'"):
        _stacked({A: frame, B: pa.table({"x": [1]})}, union=True)


def test_no_frame_at_all_has_the_hash_alone() -> None:
    assert stack([]).schema == pa.schema([pa.field("hash", pa.string(), nullable=False)])


# Frames that differ


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"x": [1], "y": [2]}),
        pa.table({"z": [1]}),
        pa.table({"x": [1.5]}),
        pa.table({"x": pa.array([1], pa.int32())}),
        pa.Table.from_pandas(pd.DataFrame({"x": pd.array([1], "Int64")})),
        pa.Table.from_pandas(pd.DataFrame({"x": [1]}, index=pd.Index(["a"]))),
    ],
    ids=lambda table: str(table.schema.names),
)
def test_schemas_that_differ_are_told(other: pa.Table) -> None:
    with pytest.raises(SchemasDifferError, match="--union") as caught:
        _stacked({A: _arrow(x=[1]), B: other, C: _arrow(x=[5])})
    assert [hashes for hashes, _ in caught.value.groups] == [(A, C), (B,)]


def test_the_length_of_a_frame_is_no_difference() -> None:
    _stacked({A: _arrow(x=range(3)), B: _arrow(x=range(5))})
    categories = [_arrow(x=pd.Categorical(values)) for values in (["a"], ["b", "c"])]
    whole = _stacked(dict(zip((A, B), categories, strict=True)))
    assert whole.column("x").to_pylist() == ["a", "b", "c"]


def test_the_message_stays_short() -> None:
    schemas = [
        (f"{number:040}", pa.schema([(f"c{number % 20}_{at}", pa.int8()) for at in range(40)]))
        for number in range(1000)
    ]
    with pytest.raises(SchemasDifferError) as caught:
        stack(schemas)
    message = str(caught.value)
    assert "50 simulations (000000000000" in message
    assert "and 12 more groups" in message
    assert len(message) < 4000


def test_a_union_promotes_and_says_so() -> None:
    frames = {
        A: pa.table({"x": pa.array([1], pa.int32()), "y": [1]}),
        B: pa.table({"x": pa.array([1.5], pa.float32()), "z": ["a"]}),
    }
    changes = stack(((hash_, one.schema) for hash_, one in frames.items()), union=True).changes
    assert changes == (
        "x: int32 and float became double",
        "y: missing in 1 of 2 simulations, null there",
        "z: missing in 1 of 2 simulations, null there",
    )
    assert _stacked(frames, union=True).to_pydict() == {
        "hash": [A, B],
        "x": [1.0, 1.5],
        "y": [1, None],
        "z": [None, "a"],
    }


def test_a_union_keeps_what_all_frames_say_to_pandas() -> None:
    frames = {
        A: _arrow(n=pd.array([1, None], "Int8"), x=[1, 2]),
        B: _arrow(n=pd.array([3], "Int8"), y=["a"]),
    }
    read = _stacked(frames, union=True).to_pandas()
    assert str(read["n"].dtype) == "Int8"
    assert list(read.index) == [0, 1, 2]


def test_a_union_of_what_has_no_type_in_common_is_refused() -> None:
    with pytest.raises(SchemasDifferError, match=r"cannot be joined: .*x") as caught:
        _stacked({A: pa.table({"x": [1]}), B: pa.table({"x": [[1]]})}, union=True)
    assert "--union" not in str(caught.value)


def test_a_number_that_would_lose_digits_is_refused() -> None:
    frames = {A: pa.table({"x": [2**53 + 1]}), B: pa.table({"x": [0.5]})}
    with pytest.raises(SchemasDifferError, match="AAAA"):
        _stacked(frames, union=True)


def test_the_error_tells_scripts_the_groups() -> None:
    with pytest.raises(SchemasDifferError) as caught:
        _stacked({A: pa.table({"x": [1]}), B: pa.table({"y": [1]})})
    assert caught.value.details == {
        "groups": [
            {"hashes": (A,), "columns": "x int64"},
            {"hashes": (B,), "columns": "y int64; without x"},
        ]
    }


# As JSON and text


@MODERATE
@given(tables())
def test_plain_rows_are_what_json_knows(table: pa.Table) -> None:
    for batch in table.to_batches():
        rows = [dict(row) for row in plain(batch).to_pylist()]
        json.dumps(rows, allow_nan=False)
        texts = plain(batch, text=True)
        assert all(pa.types.is_large_string(kind) for kind in texts.schema.types)


def test_a_short_float_is_the_number_that_it_says() -> None:
    batch = pa.record_batch({"x": pa.array([0.1, float("nan"), float("inf")], pa.float32())})
    assert plain(batch).to_pydict() == {"x": [0.1, None, None]}
    assert plain(batch, text=True).to_pydict() == {"x": ["0.1", None, "inf"]}


@MODERATE
@given(tables().filter(lambda table: table.num_columns))
def test_text_by_portions_is_the_text_of_the_whole(table: pa.Table) -> None:
    parts = [to_csv(table.slice(row, 1), header=False) for row in range(table.num_rows)]
    text = to_csv(table.slice(0, 0), header=True) + b"".join(parts)
    assert text.decode() == encode(table).data_csv


def test_nothing_here_waits_for_pandas() -> None:
    script = """
import sys
import pyarrow as pa
from mdfactory.records.frames import decode, encode
from mdfactory.records.stack import plain, stack
from mdfactory.records.tables import array, batch
rows = batch([("a", 1), ("b", 2)], pa.schema([("x", pa.string()), ("n", pa.int64())]))
table = pa.Table.from_batches([rows])
whole = stack([("A", table.schema), ("B", table.schema.remove(0))], union=True)
parts = [whole.put("A", table), whole.put("B", table.drop_columns("x"))]
for part in parts:
    plain(part.to_batches()[0]), plain(part.to_batches()[0], text=True)
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
