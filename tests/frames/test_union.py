"""Frames with different columns are stacked as a union by Arrow's rules."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdfactory.errors import FrameCorruptError, SchemasDifferError
from mdfactory.frames.stack import stack
from mdfactory.testing.frames import MODERATE, columns
from stacking import A, B, C, parquet, refused, stack_of, stacked


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


PANDAS_NOTE = "the index, dtypes and column names of pandas: dropped, because the frames differ"

FRAMES_WITH_PANDAS_METADATA = {
    "an index": pd.DataFrame({"x": [1]}, index=pd.Index(["a"], name="t")),
    "an index without a name": pd.DataFrame({"x": [1]}, index=pd.Index(["a"])),
    "an extension dtype": pd.DataFrame({"x": pd.array([1], "Int8")}),
    "names of column levels": pd.DataFrame({"x": [1]}).rename_axis(columns="u"),
}


@pytest.mark.parametrize("name", FRAMES_WITH_PANDAS_METADATA)
def test_union_drops_pandas_metadata_with_a_note(name: str) -> None:
    first, second = parquet(FRAMES_WITH_PANDAS_METADATA[name]), parquet(pd.DataFrame({"y": [1]}))
    for pair in ((first, second), (second, first)):
        assert stack_of(*pair, union=True).changes[-1] == PANDAS_NOTE
        both = stacked(*pair, union=True)
        assert set(both.schema.names) == {"hash", "y", *first.schema.names}
        assert list(both.to_pandas().index) == [0, 1]


def test_union_of_plain_frames_has_no_note_on_pandas() -> None:
    plain = (parquet(pd.DataFrame({"x": [1]})), parquet(pd.DataFrame({"x": [0.5]})))
    assert stack_of(*plain, union=True).changes == ("x: int64 and double were promoted to double",)


def test_union_of_types_that_arrow_cannot_promote_is_refused() -> None:
    frame = pa.table({"x": [1], "y": [1]})
    error = refused(frame, pa.table({"x": [[1]]}), frame.select(["x"]), union=True)
    assert str(error).startswith("the frames cannot be joined: Arrow has no common type for x: ")
    assert error.groups == (((A, C), "x int64"), ((B,), "x list<item: int64>"))
    assert "--union" not in str(error)
    assert "--hash" in str(error)


def test_union_of_types_that_arrow_cannot_cast_is_refused_by_schema() -> None:
    schemas = [pa.schema([("x", kind)]).empty_table() for kind in (pa.int64(), pa.decimal128(5, 2))]
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


@pytest.mark.parametrize("wide", [pa.binary(1 << 20), pa.list_(pa.int64(), 1 << 17)], ids=str)
def test_union_refuses_nulls_that_take_much_more_memory_than_a_frame(wide: pa.DataType) -> None:
    without, of_nulls = pa.table({"x": range(100)}), pa.table({"y": pa.nulls(100)})
    empty = pa.table({"y": pa.array([], wide)})
    assert "104,857,600 bytes of nulls" in str(refused(empty, without, union=True))
    assert "104,857,600 bytes of nulls" in str(refused(empty, of_nulls, union=True))
    assert stacked(empty, without.slice(0, 10), union=True)["y"].null_count == 10


@pytest.mark.parametrize(
    "wide", [pa.binary(2**31 - 1), pa.struct([("a", pa.list_(pa.int8(), 2**31 - 1))])], ids=str
)
def test_union_refuses_types_of_which_one_null_takes_much_memory(wide: pa.DataType) -> None:
    tables_ = pa.table({"y": pa.array([], wide)}), pa.table({"y": pa.nulls(1)})
    assert "a null of" in str(refused(*tables_, union=True))
