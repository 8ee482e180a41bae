"""Frames of several simulations are stacked: exactly, or as a union by Arrow's rules."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mdfactory.errors import FrameCorruptError, SchemasDifferError
from mdfactory.frames.codec import encode
from mdfactory.frames.json_types import to_json_types
from mdfactory.frames.stack import Stack, stack
from mdfactory.frames.text import to_csv
from mdfactory.testing.frames import MODERATE, TEXT, WORDS, assert_same, columns, tables, whole

A, B, C = "A" * 40, "B" * 40, "C" * 40

ignore_mixed_names = pytest.mark.filterwarnings("ignore:The DataFrame has")
"""pandas warns that it converts column names of several types to text."""

since_pandas_3 = pytest.mark.skipif(
    pd.__version__ < "3", reason="older versions of pandas have no dtype for text"
)


def stack_of(*frames: pa.Table, union: bool = False) -> Stack:
    schemas = [frame.schema for frame in frames]
    return stack(zip((A, B, C), schemas, strict=False), union=union)


def stacked(*frames: pa.Table, union: bool = False) -> pa.Table:
    result = stack_of(*frames, union=union)
    parts = [result.conform(hash_, frame) for hash_, frame in zip((A, B, C), frames, strict=False)]
    assert all(part.schema.equals(result.schema, check_metadata=True) for part in parts)
    return pa.concat_tables(parts)


def parquet(frame: pd.DataFrame) -> pa.Table:
    file = io.BytesIO()
    frame.to_parquet(file)
    return pq.ParquetFile(file).read()


def arrow(**columns_: Any) -> pa.Table:
    return parquet(pd.DataFrame(columns_))


def refused(*frames: pa.Table, union: bool = False) -> SchemasDifferError:
    with pytest.raises(SchemasDifferError) as caught:
        stacked(*frames, union=union)
    return caught.value


# Frames of one schema


@MODERATE
@given(tables())
def test_stack_of_one_frame_is_the_frame_after_its_hash(table: pa.Table) -> None:
    part = stack_of(table).conform(A, table)
    assert part.column(0).to_pylist() == [A] * table.num_rows
    assert part.schema.field(0).equals(pa.field("hash", pa.string(), nullable=False))
    if table.num_columns:  # Arrow forgets the number of rows without columns
        assert_same(part.remove_column(0), table)


@MODERATE
@given(tables(), st.integers(0, 6))
def test_stack_of_frames_of_one_schema_has_their_rows_in_order(table: pa.Table, split: int) -> None:
    head, tail = table.slice(0, split), table.slice(split)
    both = stacked(head, tail)
    assert both.column(0).to_pylist() == [A] * head.num_rows + [B] * tail.num_rows
    if table.num_columns:
        assert_same(both.remove_column(0), table)


def test_stack_of_no_frames_has_only_the_hash() -> None:
    assert stack_of().schema == pa.schema([pa.field("hash", pa.string(), nullable=False)])
    assert stack_of(union=True) == stack_of()


def test_frames_without_columns_keep_their_number_of_rows() -> None:
    assert stacked(pa.table({"a": [1, 2]}).select([])).to_pydict() == {"hash": [A, A]}


def test_hash_column_takes_little_memory() -> None:
    rows = 40_000_000  # of 64 digits each are more than one array of text holds
    frame = pa.table({"x": pa.nulls(rows)})
    before = pa.total_allocated_bytes()
    part = stack_of(frame).conform("F" * 64, frame)
    part.validate()
    assert part.num_rows == rows
    assert part.column(0)[rows - 1].as_py() == "F" * 64
    assert pa.total_allocated_bytes() - before < 1 << 24


def test_columns_of_the_same_name_are_matched_by_position() -> None:
    frame = pa.table([pa.array([1]), pa.array(["a"])], names=["hash", "hash"])
    both = stacked(frame, frame)
    assert both.schema.names == ["hash", "hash_1", "hash_2"]
    assert both.column("hash_2").to_pylist() == ["a", "a"]


@pytest.mark.parametrize(
    ("names", "renamed"),
    [
        (["hash"], ["hash_1"]),
        (["x", "hash", "hash_1"], ["x", "hash_2", "hash_1"]),
        (["hash_2", "hash"], ["hash_2", "hash_1"]),
        (["Hash", "hash_1"], ["Hash", "hash_1"]),
    ],
)
def test_column_named_hash_gets_the_first_free_name(names: list[str], renamed: list[str]) -> None:
    frame = pa.table([pa.array([at]) for at in range(len(names))], names=names)
    both = stacked(frame, frame)
    assert both.schema.names == ["hash", *renamed]
    assert both.to_pylist()[0] == {"hash": A, **{name: at for at, name in enumerate(renamed)}}


@pytest.mark.parametrize(
    "frame",
    [
        pa.table({"y": [1]}),
        pa.table({"x": ["1"]}),
        pa.table({"x": [1], "y": [1]}),
        pa.table({"x": [1]}).select([]),
    ],
)
def test_conform_refuses_a_frame_that_does_not_match_its_schema(frame: pa.Table) -> None:
    with pytest.raises(FrameCorruptError, match=A):
        stack_of(pa.table({"x": [1]})).conform(A, frame)


def test_stack_keeps_metadata_that_all_frames_share() -> None:
    units = {"x": "nm", "y": "ps"}

    def frame(unit: str, of_x: str) -> pa.Table:
        x, y = pa.field("x", pa.int64(), metadata={"unit": of_x}), pa.field("y", pa.int64())
        schema = pa.schema([x, y], metadata={"unit": unit, "by": "us"})
        return pa.table([[1], [2]], schema=schema)

    shared = stack_of(frame("nm", units["x"]), frame("nm", units["x"]))
    assert shared.schema.metadata == {b"unit": b"nm", b"by": b"us"}
    assert shared.schema.field("x").metadata == {b"unit": b"nm"}
    assert shared.changes == ()
    partial = stack_of(frame("nm", units["x"]), frame("Å", units["y"]), frame("nm", units["x"]))
    assert partial.schema.metadata == {b"by": b"us"}
    assert partial.schema.field("x").metadata is None
    assert partial.changes == (
        "unit: differs between simulations, dropped",
        "unit of x: differs between simulations, dropped",
    )


def test_column_is_nullable_if_it_is_in_one_frame() -> None:
    required = pa.table([[1]], schema=pa.schema([pa.field("x", pa.int64(), nullable=False)]))
    assert not stack_of(required, required).schema.field("x").nullable
    assert (
        stacked(required, pa.table({"x": pa.array([None], pa.int64())})).schema.field("x").nullable
    )


def test_field_names_inside_list_types_are_no_difference() -> None:
    item, element = (pa.list_(pa.field(name, pa.int8())) for name in ("item", "element"))
    both = stacked(
        pa.table({"x": pa.array([[1]], item)}), pa.table({"x": pa.array([[2]], element)})
    )
    assert both.column("x").to_pylist() == [[1], [2]]


# What pandas reads

NAMES = st.one_of(
    st.sampled_from(["hash", "hash_1", "hash_2", "__index_level_0__", "None", "", "('x', 1)"]),
    TEXT,
    st.integers(-2, 2),
    st.sampled_from([None, 1.5, float("nan")]),
)
DTYPES: dict[str, st.SearchStrategy[object]] = {
    "int64": whole(64, signed=True),
    "uint8": whole(8, signed=False),
    "Int32": st.none() | whole(32, signed=True),
    "UInt8": st.none() | whole(8, signed=False),
    "float32": st.floats(width=32),
    "float64": st.floats(),
    "Float64": st.none() | st.floats(allow_nan=False),
    "bool": st.booleans(),
    "boolean": st.none() | st.booleans(),
    "str": st.none() | WORDS,
    "string": st.none() | WORDS,
    "int64[pyarrow]": st.none() | whole(64, signed=True),
    "string[pyarrow]": st.none() | WORDS,
    "category": st.none() | st.sampled_from(["b", "a", "", "NA"]),
    "object": st.none() | WORDS,
    "timedelta64[ms]": st.none() | st.timedeltas(timedelta(-9999), timedelta(9999)),
    **{
        f"datetime64[{unit}{zone}]": st.none()
        | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(at))  # noqa: DTZ001
        for unit in ("s", "us", "ns")
        for zone, at in (("", None), (", UTC", UTC), (", Europe/Berlin", ZoneInfo("Europe/Berlin")))
    },
}
Shape = tuple[Sequence[str], pd.Index]
"""The dtypes of columns, and the index of their names."""


def _text_in_pandas(name: object) -> str:
    return "nan" if name is None else str(name)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    names = draw(st.lists(NAMES, max_size=4, unique_by=(str, _text_in_pandas)))
    dtypes = [draw(st.sampled_from(sorted(DTYPES))) for _ in names]
    match draw(
        st.sampled_from(["plain", "plain", "plain", "named", "two", "time"])
        if names
        else st.just("")
    ):
        case "named":
            return dtypes, pd.Index(names, name=draw(TEXT))
        case "two":
            levels = [[str(name) for name in names], list(range(len(names)))]
            return dtypes, pd.MultiIndex.from_arrays(levels, names=["u", draw(st.none() | TEXT)])
        case "time":
            zone = draw(st.sampled_from([None, "Europe/Berlin"]))
            return dtypes, pd.date_range("2024-03-31", periods=len(names), freq="h", tz=zone)
        case _:
            return dtypes, pd.Index(names, dtype=object)


@st.composite
def indices(draw: st.DrawFn, rows: int) -> pd.Index:
    name = draw(st.none() | st.sampled_from(["hash", "hash_1", "x"]) | TEXT)
    match draw(st.sampled_from(["rows", "range", "text", "time", "Int64", "many"])):
        case "rows":
            return pd.RangeIndex(rows)
        case "range":
            return pd.RangeIndex(3, 3 + 2 * rows, 2, name=name)
        case "text":
            words = draw(st.lists(WORDS, min_size=rows, max_size=rows))
            return pd.Index(words, name=name, dtype=str)
        case "time":
            return pd.date_range(
                "2024-03-31", periods=rows, freq="h", tz="Europe/Berlin", name=name
            )
        case "Int64":
            return pd.Index(pd.array(range(rows), "Int64"), name=name)
        case _:
            levels = [range(rows), [str(row % 2) for row in range(rows)]]
            second = draw(st.none() | st.sampled_from(["hash", "y"]) | TEXT)
            return pd.MultiIndex.from_arrays(levels, names=[name, second])


@st.composite
def frames(draw: st.DrawFn, shape: Shape | None = None) -> pa.Table | None:
    """Draw a table that pandas wrote; None if pandas cannot read it."""
    dtypes, names = shape or draw(shapes())
    rows = draw(st.integers(0, 5))
    series = [
        pd.Series(draw(st.lists(DTYPES[dtype], min_size=rows, max_size=rows)), dtype=dtype)
        for dtype in dtypes
    ]
    frame = pd.concat(series, axis=1) if series else pd.DataFrame(index=range(rows))
    frame.columns = names
    frame.index = draw(indices(rows))
    frame.attrs = draw(st.sampled_from([{}, {}, {"unit": "nm"}]))
    try:
        table = parquet(frame)
        table.to_pandas()
    except (ValueError, TypeError, KeyError, SyntaxError, AttributeError, pa.ArrowException):
        return None
    return table


def with_hash_by_pandas(table: pa.Table) -> pd.DataFrame:
    """Insert the hash as first column with pandas, then write and read the frame."""
    frame, names = table.to_pandas(), {*table.schema.names}
    free = [name for name in ("hash_1", "hash_2", "hash_3", "hash_4") if name not in names]
    column, level = free if "hash" in names and len(free) == 2 else (free[0], free["hash" in names])
    stored_levels = table.schema.pandas_metadata["index_columns"]
    frame.index.names = [
        column if at == "hash" else level if name == "hash" else name
        for at, name in zip([*stored_levels, None], frame.index.names, strict=False)
    ]
    key: object = ("hash", "")
    if frame.columns.nlevels == 1:
        key, renamed = "hash", [column if name == "hash" else name for name in frame.columns]
        frame.columns = pd.Index(renamed, name=frame.columns.name, dtype=object)
    frame.insert(0, key, pd.Series([A] * len(frame), index=frame.index, dtype="str"))
    return pa.Table.from_pandas(frame).to_pandas()


def assert_same_frame(actual: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare frames, but not the dtypes of their column names, which pandas infers."""
    names_as_text = (_with_object_names(actual), _with_object_names(expected))
    assert_frame_equal(*names_as_text, check_exact=True, check_index_type=False)
    assert actual.attrs == expected.attrs


def _with_object_names(frame: pd.DataFrame) -> pd.DataFrame:
    names = list(frame.columns)
    if frame.columns.nlevels == 1:
        return frame.set_axis(pd.Index(names, name=frame.columns.name, dtype=object), axis=1)
    text = [tuple(map(str, name)) for name in names]
    return frame.set_axis(pd.MultiIndex.from_tuples(text, names=frame.columns.names), axis=1)


@since_pandas_3
@ignore_mixed_names
@MODERATE
@given(frames())
def test_pandas_reads_a_stack_of_one_frame_as_the_frame_with_the_hash(table: pa.Table) -> None:
    if table is not None:
        assert_same_frame(stacked(table).to_pandas(), with_hash_by_pandas(table))


def stored_levels(table: pa.Table) -> list[str]:
    """Return the levels of the index that are columns of the table."""
    index = table.schema.pandas_metadata["index_columns"]
    return [level for level in index if isinstance(level, str)]


@ignore_mixed_names
@MODERATE
@given(st.data())
def test_pandas_reads_a_stack_as_it_concatenates_the_frames(data: st.DataObject) -> None:
    shape = data.draw(shapes())
    first, second = data.draw(frames(shape)), data.draw(frames(shape))
    if first is None or second is None or first.schema.types != second.schema.types:
        return
    levels = [
        table.to_pandas().index.names if stored_levels(table) else None for table in (first, second)
    ]
    if first.schema.names != second.schema.names or levels[0] != levels[1]:
        return
    both = stacked(first, second).to_pandas()
    parts = [
        stack_of(first).conform(A, first).to_pandas(),
        stack_of(second).conform(B, second).to_pandas(),
    ]
    for part in (both, *parts):
        part.attrs = {}
    expected = pd.concat(list(map(_uncategorised, parts)), ignore_index=not stored_levels(first))
    ranges = [at for at, level in enumerate(_index(first)) if not isinstance(level, str)]
    if stored_levels(first) and ranges:
        expected.index = expected.index.droplevel(ranges)
    assert_same_frame(_uncategorised(both), expected)


def _index(table: pa.Table) -> list[Any]:
    return list(table.schema.pandas_metadata["index_columns"])


def _uncategorised(frame: pd.DataFrame) -> pd.DataFrame:
    """pandas joins categories of frames only if they are the same."""
    for at, dtype in enumerate(frame.dtypes):
        if dtype == "category":
            frame.isetitem(at, frame.iloc[:, at].astype(object))
    return frame


def test_stack_of_several_frames_numbers_rows_from_0() -> None:
    first, second = (parquet(pd.DataFrame({"x": [1, 2]})) for _ in range(2))
    assert stack_of(first, second).changes == ()
    assert list(stacked(first, second).to_pandas().index) == [0, 1, 2, 3]
    numbered = parquet(pd.DataFrame({"x": [1]}, index=pd.RangeIndex(5, 6, name="step")))
    assert stack_of(numbered).changes == ()
    assert list(stacked(numbered).to_pandas().index) == [5]
    assert stack_of(first, numbered).changes == (
        "an index that is a range of numbers: dropped, rows are numbered from 0",
    )


def test_index_named_hash_is_renamed() -> None:
    index = pd.RangeIndex(1, name="hash")
    frame = stacked(parquet(pd.DataFrame({"x": [1]}, index=index))).to_pandas()
    assert frame.index.name == "hash_1"
    assert len(frame.groupby("hash")) == 1


SAME_SCHEMA = {
    "categories": (pd.Categorical(["a"]), pd.Categorical(["b", "c"])),
    "booleans": ([True], pd.Series([None, False], dtype=object)),
    "numbers": ([1.5], pd.Series([None, 1.5], dtype=object)),
    "empty": (pd.Series([], dtype="str"), ["a"]),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[since_pandas_3] if name == "empty" else []) for name in SAME_SCHEMA],
)
def test_metadata_that_depends_on_values_is_no_difference(name: str) -> None:
    first, second = (arrow(x=values) for values in SAME_SCHEMA[name])
    read = stacked(first, second).to_pandas()
    assert (
        list(read["x"]) == [*first.to_pandas()["x"], *second.to_pandas()["x"]] or name == "numbers"
    )


def test_frame_without_pandas_metadata_equals_one_that_pandas_reads_alike() -> None:
    from_pandas, from_arrow = arrow(x=[1.5], n=[1]), pa.table({"x": [2.5], "n": [2]})
    for pair in ((from_pandas, from_arrow), (from_arrow, from_pandas)):
        assert list(stacked(*pair).to_pandas()) == ["hash", "x", "n"]
    refused(arrow(n=pd.array([1], "Int64")), from_arrow.select(["n"]))


@pytest.mark.parametrize(
    "text", ["", "?", "[]", "{}", '{"columns": 1, "index_columns": []}', "null"]
)
def test_unreadable_pandas_metadata_is_dropped(text: str) -> None:
    frame = pa.table({"x": [1]}).replace_schema_metadata({"pandas": text})
    assert stacked(frame).schema.metadata is None


def test_pandas_metadata_of_old_versions_is_read() -> None:
    column = {"name": "hash", "pandas_type": "int64", "numpy_type": "int64", "metadata": None}
    level = {**column, "name": "__index_level_0__"}
    metadata: dict[str, Any] = {"index_columns": ["__index_level_0__"], "columns": [column, level]}
    old = pa.table({"hash": [1], "__index_level_0__": [7]})
    old = old.replace_schema_metadata(
        {"pandas": json.dumps({**metadata, "pandas_version": "0.20.3"})}
    )
    read = stacked(old).to_pandas()
    assert list(read) == ["hash", "hash_1"]
    assert list(read.index) == [7]


# Frames of several schemas

DIFFERENCES = {
    "an additional column": (pa.table({"x": [1], "y": [2]}), "no y", "y int64"),
    "another column": (pa.table({"z": [1]}), "x int64, no z", "z int64, no x"),
    "another type": (pa.table({"x": [1.5]}), "x int64", "x double"),
    "another width": (pa.table({"x": pa.array([1], pa.int8())}), "x int64", "x int8"),
    "a column twice": (
        pa.table([[1], ["a"]], names=["x", "x"]),
        "x int64",
        "x int64, x string",
    ),
    "a dtype": (arrow(x=pd.array([1], "Int64")), "x int64", "x int64 (pandas Int64)"),
    "a name of the columns": (
        parquet(pd.DataFrame({"x": [1]}).rename_axis("u", axis=1)),
        "columns without a name",
        'columns named ["u"]',
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_error_describes_the_differences(name: str) -> None:
    frame, description, own_description = DIFFERENCES[name]
    error = refused(arrow(x=[1]), frame, arrow(x=[5]))
    assert error.groups == (((A, C), description), ((B,), own_description))
    assert "--union" in str(error)
    assert "--hash" in str(error)


def test_another_index_or_column_order_is_a_difference() -> None:
    frame = pd.DataFrame({"x": [1], "y": [2.5], "t": ["a"]})
    error = refused(parquet(frame), parquet(frame.set_index("t")))
    assert [description for _, description in error.groups] == ["no index", "index t"]
    error = refused(parquet(frame), parquet(frame[["x", "t", "y"]]))
    assert [description for _, description in error.groups] == [
        "y, t, ... in order",
        "t, y, ... in order",
    ]


def test_error_message_stays_short() -> None:
    def schema(number: int) -> pa.Schema:
        return pa.schema([(f"c{number % 20}_{at}\n", pa.int8()) for at in range(40)])

    schemas = [(f"{number:03}" + 37 * "0", schema(min(number, 900))) for number in range(1000)]
    with pytest.raises(SchemasDifferError) as caught:
        stack(schemas)
    first, largest, *_ = message = str(caught.value).splitlines()
    assert first == "the frames differ in their columns:"
    assert (
        "145 simulations (000000000000, 020000000000, 040000000000, ...): 'c0_0\\n' int8" in largest
    )
    assert len(message) == 11
    assert max(map(len, message)) < 250
    assert sum(len(hashes) for hashes, _ in caught.value.groups) == 1000


def test_error_details_are_the_groups() -> None:
    assert refused(pa.table({"x": [1]}), pa.table({"y": [1]})).details == {
        "groups": [
            {"hashes": (A,), "columns": "x int64, no y"},
            {"hashes": (B,), "columns": "y int64, no x"},
        ]
    }


# Union


@st.composite
def differing(draw: st.DrawFn) -> list[pa.Table]:
    tables_ = []
    for _ in range(draw(st.integers(2, 3))):
        names = draw(st.lists(st.sampled_from(["hash", "hash_1", "x", "y"]), unique=True))
        rows = draw(st.integers(0, 4))
        tables_.append(pa.table([draw(columns(rows)) for _ in names], names=names))
    return tables_


@MODERATE
@given(differing())
def test_union_equals_concatenation_by_arrow(tables_: list[pa.Table]) -> None:
    names = {name for table in tables_ for name in table.schema.names}
    free = {"hash": "hash_2" if "hash_1" in names else "hash_1"}
    renamed = [
        table.rename_columns([free.get(name, name) for name in table.schema.names])
        for table in tables_
    ]
    try:
        expected = pa.concat_tables(renamed, promote_options="permissive")
    except pa.ArrowException:
        refused(*tables_, union=True)
        return
    both = stacked(*tables_, union=True).remove_column(0)
    assert both.schema.names == expected.schema.names
    assert both.schema.types == expected.schema.types
    assert list(map(cells, both.columns)) == list(map(cells, expected.columns))


def cells(column: pa.ChunkedArray) -> list[str]:
    return [
        str(_values(chunk)[row : row + 1]) for chunk in column.chunks for row in range(len(chunk))
    ]


def _values(chunk: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(chunk.type):
        return chunk
    return chunk.dictionary.take(chunk.indices)


def test_union_promotes_types_and_lists_the_changes() -> None:
    frames_ = (
        pa.table({"x": pa.array([1], pa.int32()), "y": [1]}),
        pa.table({"z": ["a"], "x": pa.array([1.5], pa.float32())}),
        pa.table({"x": pa.array([2], pa.int32()), "y": [None]}),
    )
    assert stack_of(*frames_, union=True).changes == (
        "x: int32 and float were promoted to double",
        "y: int64 and null were promoted to int64; missing in 1 of 3 simulations, null there",
        "z: missing in 2 of 3 simulations, null there",
        "the order of columns differs: the columns have the order of the first simulation",
    )
    assert stacked(*frames_, union=True).to_pydict() == {
        "hash": [A, B, C],
        "x": [1.0, 1.5, 2.0],
        "y": [1, None, None],
        "z": [None, "a", None],
    }


def test_union_of_frames_of_one_schema_is_exact() -> None:
    frame = pa.table([[1], ["a"]], names=["x", "x"])
    assert stack_of(frame, frame, union=True) == stack_of(frame, frame)


def test_union_renames_hash_to_a_name_that_no_frame_has() -> None:
    both = stacked(pa.table({"hash": [1]}), pa.table({"hash_1": [2]}), union=True)
    assert both.to_pydict() == {"hash": [A, B], "hash_2": [1, None], "hash_1": [None, 2]}


def test_union_keeps_pandas_metadata_that_all_frames_share() -> None:
    first = pd.DataFrame({"n": pd.array([1, None], "Int8"), "i": pd.array([1, 2], "Int8")})
    second = pd.DataFrame({"n": pd.array([3], "Int8"), "i": pd.array([3], "int8"), "y": ["a"]})
    changes = stack_of(parquet(first), parquet(second), union=True).changes
    read = stacked(parquet(first), parquet(second), union=True).to_pandas()
    assert {name: str(read[name].dtype) for name in "ni"} == {"n": "Int8", "i": "int8"}
    assert "i: pandas metadata (Int8) differs between simulations, dropped" in changes
    assert list(read.index) == [0, 1, 2]


INDICES = {
    "same": (pd.Index(["a"], name="t"), pd.Index(["b"], name="t")),
    "promoted": (pd.Index([1], name="t"), pd.Index([1.5], name="t")),
    "without a name": (pd.Index(["a"]), pd.Index(["b"])),
    "many": (pd.MultiIndex.from_tuples([(1, "a")]), pd.MultiIndex.from_tuples([(2, "b")])),
}


@pytest.mark.parametrize("name", INDICES)
def test_union_keeps_the_index_that_all_frames_share(name: str) -> None:
    first, second = (pd.DataFrame({"x": [1]}, index=index) for index in INDICES[name])
    second["y"] = 2
    read = stacked(parquet(first), parquet(second), union=True).to_pandas()
    expected = pd.concat([first, second])
    expected.insert(0, "hash", [A, B])
    assert_frame_equal(read, expected)


def test_union_turns_an_index_of_some_frames_into_a_column() -> None:
    rows = pd.DataFrame({"x": [1]})
    for index, column in ((pd.Index(["a"], name="t"), "t"), (pd.Index(["a"]), "__index_level_0__")):
        first = parquet(rows.set_axis(index))
        for pair in ((first, parquet(rows)), (parquet(rows), first)):
            assert [*stack_of(*pair, union=True).changes][1] == (
                f"{column if column == 't' else repr(column)[1:-1]}: "
                "index that differs between simulations, now an ordinary column"
            )
            read = stacked(*pair, union=True).to_pandas()
            assert list(read) == ["hash", "x", column]
            assert list(read.index) == [0, 1]


@ignore_mixed_names
@MODERATE
@given(frames(), frames())
def test_pandas_reads_a_union_of_any_frames(
    first: pa.Table | None, second: pa.Table | None
) -> None:
    if first is None or second is None:
        return
    try:
        both = stacked(first, second, union=True)
    except SchemasDifferError:
        return
    assert len(both.to_pandas()) == first.num_rows + second.num_rows


def test_union_of_types_that_arrow_cannot_promote_is_refused() -> None:
    frame = pa.table({"x": [1], "y": [1]})
    error = refused(frame, pa.table({"x": [[1]]}), frame.select(["x"]), union=True)
    assert str(error).startswith("the frames cannot be joined: Arrow has no common type for x: ")
    assert error.groups == (((A, C), "x int64"), ((B,), "x list<item: int64>"))
    assert "--union" not in str(error)
    assert "--hash" in str(error)


def test_union_of_types_that_arrow_cannot_cast_is_refused_by_schema() -> None:
    schemas = [pa.schema([("x", kind)]) for kind in (pa.int64(), pa.decimal128(5, 2))]
    with pytest.raises(SchemasDifferError, match="no common type for x"):
        stack(zip((A, B), schemas, strict=True), union=True)


def test_union_refuses_numbers_that_would_lose_digits() -> None:
    error = refused(pa.table({"x": [2**53 + 1]}), pa.table({"x": [0.5]}), union=True)
    assert error.groups == (((A,), "x int64, converted to double"),)


def test_union_refuses_frames_with_columns_of_the_same_name() -> None:
    error = refused(pa.table([[1], [2]], names=["x", "x"]), pa.table({"x": [1]}), union=True)
    assert error.groups == (((A,), "x more than once"),)


def test_conform_to_a_union_refuses_a_frame_with_other_columns() -> None:
    result = stack_of(pa.table({"x": [1]}), pa.table({"y": [1]}), union=True)
    for frame in (pa.table({"z": [1]}), pa.table([[1], [2]], names=["x", "x"])):
        with pytest.raises(FrameCorruptError, match=A):
            result.conform(A, frame)


# Rows in JSON types


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


@MODERATE
@given(tables().filter(lambda table: table.num_columns))
def test_rows_as_text_equal_data_csv(table: pa.Table) -> None:
    text = encode(table).data_csv
    _, *expected = csv.reader(io.StringIO(text, newline=""), strict=True)
    batches = [to_json_types(batch, as_text=True) for batch in table.to_batches()]
    assert all(kind == pa.large_string() for batch in batches for kind in batch.schema.types)
    assert [row for batch in batches for row in rows_of(batch)] == expected


def rows_of(batch: pa.RecordBatch) -> Iterable[list[str]]:
    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        yield [cell or "" for cell in row]


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
@given(tables().filter(lambda table: table.num_columns))
def test_csv_of_portions_equals_csv_of_the_whole_table(table: pa.Table) -> None:
    portions = [pa.Table.from_batches([batch]) for batch in table.to_batches()]
    parts = [to_csv(portion, header=False) for portion in portions if portion.num_rows]
    text = to_csv(table.slice(0, 0), header=True) + b"".join(parts)
    assert text.decode() == to_csv(table, header=True).decode() == encode(table).data_csv


def test_stack_and_export_do_not_import_pandas() -> None:
    file = io.BytesIO()
    numbers = pd.DataFrame({"c": pd.Categorical(["a"]), "n": pd.array([1], "Int8"), "hash": [0.5]})
    for frame in (numbers, numbers.assign(n=[1.5], t=pd.Timestamp("2024", tz="UTC"), b=[[b"x"]])):
        with pa.ipc.new_stream(file, (table := parquet(frame)).schema) as writer:
            writer.write(table)
    child = """
import sys
import pyarrow as pa
from mdfactory.errors import SchemasDifferError
from mdfactory.frames.text import to_csv
from mdfactory.frames.json_types import to_json_types
from mdfactory.frames.stack import stack
tables = [pa.ipc.open_stream(sys.stdin.buffer).read_all() for _ in range(2)]
schemas = [(hash_, table.schema) for hash_, table in zip("AB", tables)]
for union in (False, True):
    for given in (schemas[:1], schemas):
        try:
            stacked = stack(given, union=union)
        except SchemasDifferError as error:
            assert str(error) and not union
            continue
        for (hash_, _), table in zip(given, tables):
            part = stacked.conform(hash_, table)
            to_csv(part, header=True)
            for batch in part.to_batches():
                to_json_types(batch), to_json_types(batch, as_text=True)
print("pandas" in sys.modules)
"""
    command = [sys.executable, "-c", child]
    result = subprocess.run(command, input=file.getvalue(), capture_output=True, check=False)
    assert (result.stdout.decode(), result.stderr.decode()) == ("False\n", "")


def test_duplicate_names_are_numbered_in_json_types() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1])] * 3, names=["a", "a", "a_1"])
    assert to_json_types(batch).schema.names == ["a", "a_2", "a_1"]


def test_ordered_categories_in_another_order_are_a_difference() -> None:
    levels = [["low", "high"], ["high", "low"]]
    frames = {
        hash_: pa.table({"c": pa.DictionaryArray.from_arrays([0], order, ordered=True)})
        for hash_, order in zip("AB", levels, strict=True)
    }
    with pytest.raises(SchemasDifferError, match=r"in the order \['low', 'high'\]"):
        stack(frames.items())
    assert "the order of its categories" in stack(frames.items(), union=True).changes[0]
    stack({"A": frames["A"], "B": frames["A"]}.items())
