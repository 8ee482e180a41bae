"""Frames of one schema are stacked; frames of several schemas are refused, with the differences."""

from __future__ import annotations

import io
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdfactory.errors import FrameCorruptError, SchemasDifferError
from mdfactory.frames.stack import stack
from mdfactory.testing.frames import MODERATE, assert_same, tables
from stacking import A, B, C, arrow, parquet, refused, stack_of, stacked

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
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_error_describes_the_differences(name: str) -> None:
    frame, description, own_description = DIFFERENCES[name]
    error = refused(arrow(x=[1]), frame, arrow(x=[5]))
    assert error.groups == (((A, C), description), ((B,), own_description))
    assert "--union" in str(error)
    assert "--hash" in str(error)


def test_another_column_order_is_a_difference() -> None:
    frame = pd.DataFrame({"x": [1], "y": [2.5], "t": ["a"]})
    error = refused(parquet(frame), parquet(frame[["x", "t", "y"]]))
    assert [description for _, description in error.groups] == [
        "y, t, ... in order",
        "t, y, ... in order",
    ]


def test_error_message_stays_short() -> None:
    def schema(number: int) -> pa.Schema:
        return pa.schema([(f"c{number % 20}_{at}\n", pa.int8()) for at in range(40)])

    schemas = [
        (f"{number:03}" + 37 * "0", schema(min(number, 900)).empty_table())
        for number in range(1000)
    ]
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
schemas = [(hash_, table.slice(0, 0)) for hash_, table in zip("AB", tables)]
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


@pytest.mark.parametrize(
    "values",
    [
        pa.array([2, 1]),
        pa.array([2**60, 1]).view(pa.timestamp("us")),  # a year that Python does not have
        pa.array([1, 2]).view(pa.timestamp("ns")),
        pa.array([b"\xff", b"a"]).view(pa.string()),
    ],
    ids=["integers", "far years", "nanoseconds", "no UTF-8"],
)
def test_ordered_categories_may_have_any_type(values: pa.Array) -> None:
    frames = [
        pa.table({"c": pa.DictionaryArray.from_arrays([0], order, ordered=True)})
        for order in (values, values[::-1])
    ]
    assert "in the order [" in refused(*frames).groups[0][1]
    assert stack_of(frames[0], frames[0]).changes == ()


def test_a_very_long_hash_is_refused() -> None:
    """Each row would repeat it."""
    table = pa.table({"x": range(100_000)})
    with pytest.raises(FrameCorruptError, match="hash of a record has 1,000,000 characters"):
        stack([(A, table)]).conform("A" * 1_000_000, table)
