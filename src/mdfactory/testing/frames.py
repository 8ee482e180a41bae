"""Hypothesis strategies for tables of every type that Parquet can store, and exact comparison."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import pandas as pd

MODERATE = settings(deadline=None, suppress_health_check=list(HealthCheck))
"""Hypothesis settings for tests that take some milliseconds for each example.

The profile that is loaded when this module is imported has the number of examples.
"""

TEXT = st.text(
    st.one_of(
        st.sampled_from("\",\n\r\0 ;#'\\\t\x1a\x85\u2028\ufeff\ufffdé😀"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=8,
)
"""Short texts with characters that CSV, JSON and SQL treat in a special way."""

WORDS = st.one_of(st.sampled_from(["", "001", "NA", "nan", "null", "None", "True", "1.0"]), TEXT)
"""Texts as in `TEXT`, and texts that look like values of other types."""

BINARY = st.binary(max_size=6)


def whole(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    """Return a strategy for all integers of a width in bits."""
    low = -(2 ** (bits - 1)) if signed else 0
    return st.integers(low, low + 2**bits - 1)


def decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    """Return a strategy for all decimals with a number of digits, some of them decimal places."""
    limit = 10**digits - 1
    return st.integers(-limit, limit).map(
        lambda units: (
            Decimal(units).scaleb(-places, context=None)
            if digits <= 28
            else Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -places))
        )
    )


CellStrategies: TypeAlias = dict[pa.DataType, st.SearchStrategy[Any]]
"""Arrow type -> strategy for its cells, as Python values or as integers."""

INTEGERS: CellStrategies = {
    kind: whole(bits, signed=signed)
    for signed, kinds in (
        (True, [pa.int8(), pa.int16(), pa.int32(), pa.int64()]),
        (False, [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]),
    )
    for kind, bits in zip(kinds, (8, 16, 32, 64), strict=True)
}
FLOATS: CellStrategies = {
    kind: st.one_of(
        st.floats(width=width),  # type: ignore[arg-type]  # 16, 32 or 64
        st.sampled_from([0.0, -0.0, 5.0, -1.0, float("nan"), float("inf"), float("-inf")]),
        st.integers(-1000, 1000).map(float),
    )
    for kind, width in ((pa.float16(), 16), (pa.float32(), 32), (pa.float64(), 64))
}
DECIMALS: CellStrategies = {
    pa.decimal128(5, 2): decimals(5, 2),
    pa.decimal128(38, 20): decimals(38, 20),
    pa.decimal128(3, 0): decimals(3, 0),
    pa.decimal256(70, 9): decimals(70, 9),
}
ZONES = (None, "UTC", "Europe/Berlin", "+02:00", "Mars/Olympus")
TIMESTAMPS: CellStrategies = {
    pa.timestamp(unit, zone): whole(64, signed=True).map(lambda n: n >> 10)
    if unit == "ns"
    else st.one_of(st.integers(-(2**36), 2**36), whole(64, signed=True))
    for unit in ("s", "ms", "us", "ns")
    for zone in ZONES
}
DATES: CellStrategies = {
    pa.date32(): st.one_of(st.integers(-30000, 30000), whole(32, signed=True)),
    pa.date64(): st.integers(-30000, 30000).map(lambda day: day * 86_400_000),
}
TIMES: CellStrategies = {
    pa.time32("s"): st.integers(0, 86_399),
    pa.time32("ms"): st.integers(0, 86_399_999),
    pa.time64("us"): st.integers(0, 86_399_999_999),
    pa.time64("ns"): st.integers(0, 86_399_999_999_999),
}
DURATIONS: CellStrategies = {
    pa.duration(unit): whole(64, signed=True) for unit in ("s", "ms", "us", "ns")
}
FLAT_TYPES: CellStrategies = {
    pa.null(): st.none(),
    pa.bool_(): st.booleans(),
    pa.string(): WORDS,
    pa.large_string(): WORDS,
    pa.string_view(): WORDS,
    pa.binary(): BINARY,
    pa.large_binary(): BINARY,
    pa.binary_view(): BINARY,
    pa.binary(3): st.binary(min_size=3, max_size=3),
    **INTEGERS,
    **FLOATS,
    **DECIMALS,
    **TIMESTAMPS,
    **DATES,
    **TIMES,
    **DURATIONS,
}
INTEGER_BACKED_TYPES: CellStrategies = {**TIMESTAMPS, **DATES, **TIMES, **DURATIONS}
"""Types whose cells are drawn as integers: the range of Python's own types is smaller."""


def cells(kind: pa.DataType, *, rows: int) -> st.SearchStrategy[pa.Array[Any]]:
    """Return a strategy for columns of a type, with nulls.

    Parameters
    ----------
    kind
        A key of `FLAT_TYPES`.
    rows
        Length of the columns.
    """
    values = st.lists(st.none() | FLAT_TYPES[kind], min_size=rows, max_size=rows)
    if kind not in INTEGER_BACKED_TYPES:
        return values.map(lambda cells: pa.array(cells, kind))
    width = pa.int32() if kind.bit_width == 32 else pa.int64()
    return values.map(lambda cells: pa.array(cells, width).view(kind))


@st.composite
def categories(draw: st.DrawFn, *, rows: int) -> pa.Array[Any]:
    """Draw a dictionary-encoded column."""
    kinds: list[pa.DataType] = [pa.string(), pa.int64(), pa.float64(), pa.timestamp("us")]
    values = draw(cells(draw(st.sampled_from(kinds)), rows=draw(st.integers(0, 4))))
    if draw(st.booleans()):
        values = values.unique().drop_null()
    position = st.none() | st.integers(0, len(values) - 1) if len(values) else st.none()
    index_type = draw(st.sampled_from([pa.int8(), pa.uint16(), pa.int32(), pa.int64()]))
    indices: pa.Array[Any] = pa.array(
        draw(st.lists(position, min_size=rows, max_size=rows)), index_type
    )
    return pa.DictionaryArray.from_arrays(indices, values, ordered=draw(st.booleans()))


@st.composite
def nested(draw: st.DrawFn, *, rows: int) -> pa.Array[Any]:
    """Draw a column of lists, structs or maps."""
    kinds = [*INTEGERS, *FLOATS, pa.string(), pa.bool_(), pa.binary(), pa.timestamp("ns", "UTC")]
    inner = draw(st.sampled_from(kinds))
    lengths = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
    ends = [sum(lengths[:row]) for row in range(rows + 1)]
    offsets = pa.array(
        [None if row < rows and draw(st.booleans()) else end for row, end in enumerate(ends)],
        pa.int32(),
    )
    values = draw(cells(inner, rows=ends[-1]))
    lists = pa.ListArray.from_arrays(offsets, values)
    names = draw(st.lists(TEXT, min_size=2, max_size=2))
    match draw(st.sampled_from(["list", "large", "fixed", "struct", "map", "deep"])):
        case "list":
            return lists
        case "large":
            return lists.cast(pa.large_list(inner))
        case "fixed":
            return pa.FixedSizeListArray.from_arrays(draw(cells(inner, rows=rows * 2)), 2)
        case "struct":
            return pa.StructArray.from_arrays([lists, draw(cells(inner, rows=rows))], names)
        case "map":
            keys = pa.array([str(key) for key in range(ends[-1])], pa.string())
            maps: pa.Array[Any] = pa.MapArray.from_arrays(offsets, keys, values)  # type: ignore[call-overload]  # the stubs: 64-bit offsets only
            return maps
        case _:
            structs = pa.StructArray.from_arrays([lists], names[:1])
            return pa.ListArray.from_arrays(pa.array(range(rows + 1), pa.int32()), structs)


def columns(rows: int) -> st.SearchStrategy[pa.Array[Any]]:
    """Return a strategy for columns of any type."""
    return st.one_of(
        st.sampled_from(list(FLAT_TYPES)).flatmap(lambda kind: cells(kind, rows=rows)),
        categories(rows=rows),
        nested(rows=rows),
    )


KEY_VALUE_METADATA = st.dictionaries(st.sampled_from(["unit", "é", ""]), st.text("a😀"))
METADATA: st.SearchStrategy[Any] = st.none() | KEY_VALUE_METADATA


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw a table of up to 4 columns of any types, with awkward names, in one or two chunks."""
    rows = draw(st.integers(0, 6))
    chunks = draw(st.lists(columns(rows), max_size=4))
    fields = [pa.field(draw(TEXT), chunk.type, metadata=draw(METADATA)) for chunk in chunks]
    fields = [
        field.with_nullable(bool(chunk.null_count) or draw(st.booleans()))
        for field, chunk in zip(fields, chunks, strict=True)
    ]
    table = pa.Table.from_arrays(chunks, schema=pa.schema(fields, metadata=draw(METADATA)))
    cut = draw(st.integers(0, rows))
    return pa.concat_tables([table.slice(0, cut), table.slice(cut)]) if cut else table


def bits(column: pa.ChunkedArray[Any]) -> object:
    """Return the cells in a form in which NaN equals NaN, and 0.0 differs from -0.0."""
    if pa.types.is_floating(column.type):
        integer = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[column.type.bit_width]
        return [cell for chunk in column.chunks for cell in chunk.view(integer).to_pylist()]
    return [cell for chunk in column.chunks for cell in map(repr, chunk)]


def assert_same(actual: pa.Table, expected: pa.Table) -> None:
    """Compare schema, metadata, values, nulls and the bits of floats.

    Raises
    ------
    AssertionError
        If any of these differs.
    """
    assert actual.schema.equals(expected.schema)
    # Arrow IPC renames the fields of map entries, which only a check of metadata compares.
    expected_schema = pa.ipc.read_schema(expected.schema.serialize())
    assert actual.schema.equals(expected_schema, check_metadata=True)
    assert actual.num_rows == expected.num_rows
    for column, expected_column in zip(actual.columns, expected.columns, strict=True):
        assert column.equals(expected_column) or bits(column) == bits(expected_column)
        if pa.types.is_floating(column.type):  # `equals` takes 0.0 for -0.0
            assert bits(column) == bits(expected_column)


def pandas_frames() -> dict[str, pd.DataFrame]:
    """Return DataFrames as analyses of simulations make them, by name."""
    import numpy as np
    import pandas as pd

    times = pd.array([0.0, 0.2, 0.4, 0.6], "Float64")
    states = pd.MultiIndex.from_arrays(
        [times, [0.0, 0.0, 0.25, 0.25]], names=["time", "fep-lambda"]
    )
    numbers = np.arange(8.0).reshape(4, 2) / 3
    tuples = pd.Index([("0.0", "0.5"), ("0.5", "1.0")], tupleize_cols=False)
    reduced = pd.DataFrame(numbers, columns=pd.Index([0.0, 0.25], dtype=object), index=states)
    reduced.attrs = {"temperature": 300, "energy_unit": "kT"}
    residues = pd.DataFrame({"res": [1, 1, 2], "rg": [1.0, 2.0, 3.0]})
    energies = pd.DataFrame({"potential": [-1.5, None]}, index=pd.Index([0.0, 2.0], name="time"))
    energies.attrs = {"units": {"time": "ps", "potential": "kJ/mol"}}
    return {
        "u_nk": reduced,
        "u_nk_of_tuples": reduced.set_axis(tuples, axis=1),
        "dhdl": pd.DataFrame({"fep": numbers[:, 0]}, index=states),
        "energies": energies,
        "matrix": pd.DataFrame(numbers),
        "aggregated": residues.groupby("res").agg({"rg": ["mean", "std"]}),
        "flags": pd.DataFrame(
            numbers, columns=[True, False], index=pd.RangeIndex(2, 10, 2, name="f")
        ),
        "days": pd.DataFrame(numbers, columns=[date(2024, 1, 1), date(2024, 1, 2)]),
        "categories": pd.DataFrame(
            {"resid": pd.Categorical([2, 1, None], [3, 2, 1], ordered=True), "x": [1, 2, 3]}
        ),
        "seconds": pd.DataFrame(
            {"at": pd.date_range("2024", periods=2, unit="s", tz="Europe/Berlin")}
        ),
        "nullable": pd.DataFrame({"n": pd.array([1, None], "Int8"), "b": pd.array([True, None])}),
    }
