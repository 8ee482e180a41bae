"""pandas reads a stack as it reads the frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mdfactory.errors import SchemasDifferError
from mdfactory.frames.labels import FOREIGN_ERRORS, numbered, to_pandas
from mdfactory.frames.pandas_metadata import (
    has_custom_range,
    has_text_labels,
    read_pandas_metadata,
)
from mdfactory.frames.stack import PANDAS_NOTE
from mdfactory.testing.frames import MODERATE, TEXT, WORDS, whole
from stacking import A, B, arrow, parquet, stack_of, stacked

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
    """Add the hash with pandas: as first column, or as first level of the index."""
    frame, names = to_pandas(table), {*table.schema.names}
    free = [name for name in ("hash_1", "hash_2", "hash_3", "hash_4") if name not in names]
    column, level = free if "hash" in names and len(free) == 2 else (free[0], free["hash" in names])
    stored_levels = table.schema.pandas_metadata["index_columns"]
    frame.index.names = [
        column if at == "hash" else level if name == "hash" else name
        for at, name in zip([*stored_levels, None], frame.index.names, strict=False)
    ]
    if not has_text_labels(read_pandas_metadata(table.schema)):
        levels = [frame.index.get_level_values(at) for at in range(frame.index.nlevels)]
        hashes = pd.Index([A] * len(frame), dtype="str")
        names_ = ["hash", *frame.index.names]
        return frame.set_axis(pd.MultiIndex.from_arrays([hashes, *levels], names=names_))
    renamed = [column if name == "hash" else name for name in frame.columns]
    frame.columns = pd.Index(renamed, name=frame.columns.name, dtype=object)
    frame.insert(0, "hash", pd.Series([A] * len(frame), index=frame.index, dtype="str"))
    return to_pandas(pa.Table.from_pandas(frame))


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
        assert_same_frame(numbered(to_pandas(stacked(table))), with_hash_by_pandas(table))


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
    if not first.num_columns:  # Parquet forgets the number of rows
        return
    levels = [table.to_pandas().index.names for table in (first, second)]
    if first.schema.names != second.schema.names or levels[0] != levels[1]:
        return
    both = numbered(to_pandas(stacked(first, second)))
    parts = [
        numbered(to_pandas(stack_of(table).conform(hash_, table)))
        for hash_, table in ((A, first), (B, second))
    ]
    for part in (both, *parts):
        part.attrs = {}
    metadata = read_pandas_metadata(first.schema)
    all_metadata = (metadata, read_pandas_metadata(second.schema))
    is_numbered = has_text_labels(metadata) and not any(map(has_custom_range, all_metadata))
    ignores_index = is_numbered and not stored_levels(first)
    expected = pd.concat(list(map(_uncategorised, parts)), ignore_index=ignores_index)
    assert_same_frame(_uncategorised(both), expected)


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


def test_indices_of_numbers_are_kept() -> None:
    first, second, default = (
        pd.DataFrame({"x": [1, 2]}, index=pd.RangeIndex(start, start + 4, 2, name=name))
        for start, name in ((4, "step"), (10, "step"), (0, None))
    )
    assert list(stacked(parquet(first)).to_pandas().index) == [4, 6]
    assert stacked(parquet(first)).schema.names == ["hash", "x"]
    both = stacked(parquet(first), parquet(second))
    assert both.to_pandas().index.equals(pd.Index([4, 6, 10, 12], name="step"))
    assert stack_of(parquet(first), parquet(second)).changes == ()
    unnamed = stacked(parquet(default), parquet(default.rename_axis(index=None)))
    assert list(unnamed.to_pandas().index) == [0, 2, 0, 2]
    assert stack_of(parquet(first), parquet(default)).changes == (PANDAS_NOTE,)


@pytest.mark.parametrize(
    "index",
    [
        {"kind": "range", "name": "x", "start": "a", "stop": 2, "step": 1},
        {"kind": "range", "name": ["x"], "start": 2**70, "stop": 2**71, "step": 2**69},
        {"kind": "range", "name": {}, "start": True, "stop": 1, "step": 0},
        {"kind": "other"},
        ["kind"],
        7,
    ],
)
def test_ranges_of_other_programs_are_read_or_left_out(index: object) -> None:
    frame = arrow(x=[1, 2])
    metadata = frame.schema.pandas_metadata | {"index_columns": [index]}
    foreign = frame.replace_schema_metadata({"pandas": json.dumps(metadata)})
    both = stacked(foreign, foreign)
    assert both["x"].to_pylist() == [1, 2, 1, 2]
    with suppress(*FOREIGN_ERRORS):
        assert list(to_pandas(both)["x"]) == [1, 2, 1, 2]


NO_FREQ: dict[str, Any] = {"check_freq": False}
"""The frequency of times is no property of the values; Parquet does not have it."""

LABELS = {
    "numbers": [0.0, 0.25],
    "integers": [5, 7],
    "booleans": [True, False],
    "dates": [date(2024, 1, 1), date(2024, 1, 2)],
    "times": pd.date_range("2024-03-31", periods=2),
    "times of a zone": pd.date_range("2024-03-31", periods=2, tz="Europe/Berlin"),
    "durations": pd.to_timedelta([1, 2], "s"),
    "bytes": [b"a", b"b"],
    "levels": pd.MultiIndex.from_tuples([("a", 0.5), ("a", 1.0)], names=["u", None]),
    "levels of booleans": pd.MultiIndex.from_product([["a"], [True, False]]),
    "levels of dates": pd.MultiIndex.from_product([["a"], [date(2024, 1, 1), date(2024, 1, 2)]]),
    "levels of zones": pd.MultiIndex.from_product(
        [["a"], pd.date_range("2024-03-31", periods=2, tz="Europe/Berlin")]
    ),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_type_are_restored(name: str) -> None:
    """Also those that pandas reads back wrongly, such as booleans, or not at all, such as dates."""
    first = pd.DataFrame([[1.5, 2.5], [3.5, 4.5]], columns=LABELS[name])
    second = first.set_axis([7, 9])
    read = numbered(to_pandas(stacked(*map(parquet, (first, second.rename_axis("t"))), union=True)))
    assert "hash" in read.columns
    for frame in (first, second.rename_axis("t")):
        both = numbered(to_pandas(stacked(parquet(frame), parquet(frame))))
        assert both.index.names == ["hash", frame.index.name]
        assert_frame_equal(both.xs(B), frame, check_exact=True, check_index_type=False, **NO_FREQ)
        assert list(map(type, both.columns)) == list(map(type, frame.columns))


def test_frames_whose_labels_differ_only_in_pandas_keep_their_arrow_types() -> None:
    numbers, texts = (
        parquet(pd.DataFrame([[1, 2]], columns=labels)) for labels in ([0.5, 1.0], ["0.5", "1.0"])
    )
    assert stack_of(numbers, texts).changes == (PANDAS_NOTE,)
    assert list(to_pandas(stacked(numbers, texts))) == ["hash", "0.5", "1.0"]


@pytest.mark.parametrize(
    "other",
    [
        pd.DataFrame({"x": [1], "y": [2]}).astype({"x": "Int64"}),
        pd.DataFrame({"x": [1], "y": [2]}).rename_axis("u", axis=1),
        pd.DataFrame({"x": [1], "y": [2]}).set_index("y"),
    ],
    ids=["dtype", "name of the columns", "index"],
)
def test_pandas_metadata_that_differs_is_dropped_with_one_note(other: pd.DataFrame) -> None:
    plain = parquet(pd.DataFrame({"x": [1], "y": [2]}))
    for pair in ((plain, parquet(other)), (parquet(other), plain)):
        assert stack_of(*pair).changes == (PANDAS_NOTE,)
        read = to_pandas(stacked(*pair))
        assert list(read.dtypes[1:]) == ["int64", "int64"]
        assert list(read) == ["hash", "x", "y"]


def _with_attributes(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as `record_analysis` stores it."""
    table = pa.Table.from_pandas(frame)
    metadata = table.schema.pandas_metadata | {"attributes": frame.attrs}
    return table.replace_schema_metadata({"pandas": json.dumps(metadata)})


def test_attributes_that_agree_are_kept() -> None:
    frames = [pd.DataFrame({"x": [1]}) for _ in range(3)]
    for number, frame in enumerate(frames):
        frame.attrs = {"temperature": 300, "run": number, "nan": float("nan"), "flag": True}
    tables = list(map(_with_attributes, frames))
    assert stack_of(*tables).changes == ("attribute run: differs between simulations, dropped",)
    read = to_pandas(stacked(*tables))
    assert read.attrs.keys() == {"temperature", "nan", "flag"}
    only_one = stack_of(arrow(x=[1]), _with_attributes(frames[0]))
    assert len(only_one.changes) == 4


@since_pandas_3
def test_dtypes_of_index_levels_are_restored() -> None:
    """As alchemlyb's parsers make them; pandas reads plain numbers."""
    time = pd.array([0.5, None, 2.5], "Float64")
    for index in (
        pd.Index(time, name="time"),
        pd.MultiIndex.from_arrays([time, [2**53 + 1, 1, 2]], names=["time", "fep-lambda"]),
        pd.MultiIndex.from_arrays([pd.array([2**53 + 1, None, 1], "Int64"), time]),
        pd.period_range("2024", periods=3, freq="M", name="month"),
        pd.MultiIndex.from_arrays([pd.interval_range(0.0, 3.0), ["a", "b", "c"]]),
    ):
        frame = pd.DataFrame({"x": [1, 2, 3]}, index=index)
        read = to_pandas(stacked(parquet(frame))).drop(columns="hash")
        assert_frame_equal(read, frame, check_exact=True)


FOREIGN_METADATA: dict[str, dict[str, Any]] = {
    "a level of an unknown type": {"column_indexes": [{"name": None, "pandas_type": "odd"}]},
    "booleans that are none": {
        "column_indexes": [{"name": None, "pandas_type": "bool", "numpy_type": "bool"}]
    },
    "dates that are none": {"column_indexes": [{"name": None, "pandas_type": "date"}]},
    "a zone that is none": {
        "column_indexes": [{"name": None, "pandas_type": "datetimetz", "metadata": 5}]
    },
    "tuples that are none": {"mdfactory": {"flat": True}},
    "own metadata of another type": {"mdfactory": [1]},
    "attributes of another type": {"attributes": [1]},
    "levels that are no list": {"column_indexes": {"name": 1}},
    "a level that is no object": {"column_indexes": ["name"]},
    "two levels": {"column_indexes": [{"name": None}, {"name": None}]},
}


@pytest.mark.parametrize("name", FOREIGN_METADATA)
def test_metadata_of_other_programs_are_read_or_an_error_that_is_expected(name: str) -> None:
    frame = arrow(x=[1, 2])
    metadata = frame.schema.pandas_metadata | FOREIGN_METADATA[name]
    foreign = frame.replace_schema_metadata({"pandas": json.dumps(metadata)})
    for both in (stacked(foreign), stacked(foreign, foreign), stacked(foreign, frame)):
        assert both["x"].to_pylist() == [1, 2] * (len(both) // 2)
        with suppress(*FOREIGN_ERRORS):
            assert list(to_pandas(both).iloc[:, -1]) == [1, 2] * (len(both) // 2)


def test_frame_without_pandas_metadata_equals_one_that_pandas_reads_alike() -> None:
    from_pandas, from_arrow = arrow(x=[1.5], n=[1]), pa.table({"x": [2.5], "n": [2]})
    for pair in ((from_pandas, from_arrow), (from_arrow, from_pandas)):
        assert list(stacked(*pair).to_pandas()) == ["hash", "x", "n"]
        assert stack_of(*pair).changes == ()


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


@pytest.mark.parametrize("name", [None, "frame"])
@pytest.mark.parametrize("labels", [["x", "y"], [0.0, 0.25]])
def test_an_index_is_kept_if_only_some_frames_store_it(name: str | None, labels: list[Any]) -> None:
    """pandas stores an index as range of numbers until rows are removed."""
    whole = pd.DataFrame(np.arange(8.0).reshape(4, 2), columns=labels).rename_axis(index=name)
    filtered = whole[[True, False, True, False]]
    for parts in ([whole, filtered], [filtered, whole], [filtered, whole, whole.iloc[1:]]):
        both = stack_of(*map(parquet, parts))
        assert both.changes == ()
        read = numbered(to_pandas(stacked(*map(parquet, parts))))
        plain = read.drop(columns="hash") if "hash" in read else read.droplevel("hash")
        assert_frame_equal(plain, pd.concat(parts), check_exact=True)


def test_levels_of_an_index_that_are_ranges_are_kept() -> None:
    index = pd.MultiIndex.from_arrays([range(3), ["a", "b", "c"]], names=["step", None])
    frame = pd.DataFrame({"x": [1, 2, 3]}, index=index)
    both = stacked(parquet(frame), parquet(frame)).to_pandas().drop(columns="hash")
    assert_frame_equal(both, pd.concat([frame, frame]), check_exact=True)
