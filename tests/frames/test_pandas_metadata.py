"""pandas reads a stack as it reads the frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mdfactory.errors import SchemasDifferError
from mdfactory.testing.frames import MODERATE, TEXT, WORDS, whole
from stacking import A, B, arrow, parquet, refused, stack_of, stacked

ignore_mixed_names = pytest.mark.filterwarnings("ignore:The DataFrame has")
"""pandas warns that it converts column names of several types to text."""

since_pandas_3 = pytest.mark.skipif(
    pd.__version__ < "3", reason="older versions of pandas have no dtype for text"
)


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
    "text",
    ["", "?", "[]", "{}", '{"columns": 1, "index_columns": []}', "null", "[" * 5000 + "]" * 5000],
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
