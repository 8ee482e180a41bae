"""Frames are restored exactly, from text that any program can read."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mdfactory.errors import FrameCorruptError, FrameTooLargeError
from mdfactory.frames.codec import Frame, decode, encode, infer
from mdfactory.frames.size import min_characters
from mdfactory.testing.frames import (
    BINARY,
    FLOATS,
    MODERATE,
    TEXT,
    WORDS,
    assert_same,
    bits,
    decimals,
    nested,
    tables,
    whole,
)

MAIN = Path(__file__).parents[2]
CAMPAIGN = sorted((MAIN / "examples/water_methanol").glob("*/.analysis/*.parquet"))


def through_parquet(table: pa.Table) -> pa.Table:
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.ParquetFile(file).read()


@MODERATE
@given(tables())
def test_decode_restores_a_table(table: pa.Table) -> None:
    assert_same(decode(encode(table)), table)


@MODERATE
@given(tables())
def test_decode_restores_the_table_of_a_parquet_file(table: pa.Table) -> None:
    try:
        read = through_parquet(table)
    except pa.ArrowException:  # a few tables cannot be written
        return
    assert_same(decode(encode(read)), read)


# Tables that pandas writes

COLUMN_NAMES = st.one_of(TEXT, st.integers(-3, 3), st.sampled_from([1.5, True, None]))
DTYPES: dict[str, st.SearchStrategy[object]] = {
    **{f"{sign}int{bits}": whole(bits, signed=not sign) for sign in ("", "u") for bits in (8, 64)},
    **{
        f"{sign}Int{bits}": st.none() | whole(bits, signed=not sign)
        for sign in ("", "U")
        for bits in (16, 32)
    },
    "float16": FLOATS[pa.float16()],
    "float32": FLOATS[pa.float32()],
    "float64": FLOATS[pa.float64()],
    "Float32": st.none() | st.floats(width=32, allow_nan=False),
    "Float64": st.none() | st.floats(allow_nan=False),
    "bool": st.booleans(),
    "boolean": st.none() | st.booleans(),
    "str": st.none() | WORDS,
    "string": st.none() | WORDS,
    "string[pyarrow]": st.none() | WORDS,
    "int64[pyarrow]": st.none() | whole(64, signed=True),
    "double[pyarrow]": st.none() | FLOATS[pa.float64()],
    "category": st.none() | st.sampled_from(["b", "a", "", "NA", 'c,"\n']),
    "timedelta64[ns]": st.none() | st.timedeltas(timedelta(-9999), timedelta(9999)),
    **{
        f"datetime64[{unit}{zone}]": st.none()
        | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(at))  # noqa: DTZ001
        for unit in ("s", "ms", "us", "ns")
        for zone, at in (("", None), (", UTC", UTC), (", Europe/Berlin", ZoneInfo("Europe/Berlin")))
    },
}
OBJECT_VALUES: list[st.SearchStrategy[object]] = [
    st.none(),
    st.none() | WORDS,
    st.none() | BINARY,
    st.none() | st.booleans(),
    st.none() | st.dates(),
    st.none() | st.times(),
    st.none() | decimals(9, 3),
    st.none() | st.lists(st.integers(-9, 9), max_size=3),
    st.none() | st.lists(WORDS, max_size=3),
    st.none() | st.fixed_dictionaries({"a": st.integers(0, 9), "b": WORDS}),
]


@st.composite
def series(draw: st.DrawFn, rows: int) -> pd.Series:
    if draw(st.integers(0, 3)) == 0:
        values = draw(st.lists(draw(st.sampled_from(OBJECT_VALUES)), min_size=rows, max_size=rows))
        return pd.Series(values, dtype=object)
    dtype = draw(st.sampled_from(list(DTYPES)))
    values = draw(st.lists(DTYPES[dtype], min_size=rows, max_size=rows))
    if dtype == "category" and draw(st.booleans()):
        dtype = pd.CategoricalDtype(["unused", "c", "b", "a", ""], ordered=draw(st.booleans()))
        values = [value if value in dtype.categories else None for value in values]
    return pd.Series(values, dtype=dtype)


@st.composite
def indices(draw: st.DrawFn, rows: int) -> pd.Index:
    name = draw(st.none() | TEXT)
    match draw(st.sampled_from(["range", "text", "time", "many"])):
        case "range":
            return (
                pd.RangeIndex(draw(st.integers(-5, 5)), name=name).union([])[:0]
                if rows == 0
                else (pd.RangeIndex(3, 3 + 2 * rows, 2, name=name))
            )
        case "text":
            return pd.Index(
                draw(st.lists(WORDS, min_size=rows, max_size=rows)), name=name, dtype=str
            )
        case "time":
            return pd.date_range(
                "2024-03-31", periods=rows, freq="h", tz="Europe/Berlin", name=name
            )
        case _:
            levels = [range(rows), [str(row % 2) for row in range(rows)]]
            return pd.MultiIndex.from_arrays(levels, names=[name, draw(st.none() | TEXT)])


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(0, 6))
    names = draw(st.lists(COLUMN_NAMES, max_size=4, unique_by=str))
    frame = pd.concat([draw(series(rows)) for _ in names], axis=1) if names else pd.DataFrame()
    frame.columns = names
    if names and draw(st.booleans()):
        frame.index = draw(indices(rows))
    if draw(st.booleans()):
        frame.attrs = {"unit": "nm"}
    return frame


@pytest.mark.filterwarnings("ignore:The DataFrame has column names of mixed type")
@MODERATE
@given(frames())
def test_decode_restores_a_frame_as_pandas_reads_it(frame: pd.DataFrame) -> None:
    file = io.BytesIO()
    try:
        frame.to_parquet(file)
        expected = pd.read_parquet(file)
    except (ValueError, TypeError, pa.ArrowException):  # pandas refuses some names
        return
    table = pq.ParquetFile(file).read()
    restored = decode(encode(table))
    assert_same(restored, table)
    assert_frame_equal(restored.to_pandas(), expected, check_exact=True)
    assert restored.to_pandas().attrs == table.to_pandas().attrs


@MODERATE
@given(tables())
def test_no_text_is_shorter_than_its_bound(table: pa.Table) -> None:
    assert min_characters(table) <= len(encode(table).data_csv.encode())


@MODERATE
@given(tables())
def test_text_does_not_depend_on_the_chunks(table: pa.Table) -> None:
    parts = [table.slice(row, 1) for row in range(table.num_rows)] or [table]
    assert encode(pa.concat_tables(parts)).data_csv == encode(table).data_csv


def test_the_limit_applies_to_the_stored_text() -> None:
    table = pa.table({"a": ["\0" * 10_000]})
    frame = encode(table)
    stored_bytes = len(frame.data_csv.encode())
    assert stored_bytes > 30_000 > len(frame.arrow_ipc)
    assert encode(table, limit=stored_bytes) == frame
    with pytest.raises(FrameTooLargeError):
        encode(table, limit=stored_bytes - 1)


# The example campaign


@pytest.mark.parametrize("path", CAMPAIGN, ids=lambda path: f"{path.parts[-3][:6]}-{path.stem}")
def test_decode_restores_the_example_campaign(path: Path) -> None:
    table = pq.ParquetFile(path).read()
    frame = encode(table)
    assert frame.arrow_ipc == ""
    assert_same(decode(frame), table)
    assert_frame_equal(decode(frame).to_pandas(), pd.read_parquet(path), check_exact=True)


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


# Ordinary tables

ORDINARY = pa.table(
    {
        "frame": pa.array([0, 1, None], pa.int32()),
        "time": pa.array([0.0, -0.5, 1e20]),
        "half": pa.array([1.0, None, 0.1], pa.float32()),
        "done": pa.array([True, False, None]),
        "name": pa.array(["SOL", "", None]),
        "label": pa.array(['a "b", c', "two\nlines", "001"]),
        "day": pa.array([date(2024, 2, 29), None, date(1969, 12, 31)]),
        "at": pa.array([datetime(2024, 2, 29, 12, 30, 0, 5, UTC), None, None]).cast(
            pa.timestamp("us", "Europe/Berlin")
        ),
        "kind": pa.array(["b", "a", "b"]).dictionary_encode(),
        "cost": pa.array([Decimal("1.50"), None, Decimal("-0.01")]),
    }
)
ORDINARY_TEXT = (
    "frame,time,half,done,name,label,day,at,kind,cost\n"
    '0,0.0,1.0,True,SOL,"a ""b"", c",2024-02-29,2024-02-29 12:30:00.000005Z,b,1.50\n'
    '1,-0.5,,False,"","two\nlines",,,a,\n'
    ",1e+20,0.1,,,001,1969-12-31,,b,-0.01\n"
)


def test_text_is_plain_csv() -> None:
    assert encode(ORDINARY).data_csv == ORDINARY_TEXT


@pytest.mark.parametrize("rows_", [1, 65_536, 65_537, 200_000])
def test_decode_restores_long_tables(rows_: int) -> None:
    table = pa.table({"n": range(rows_), "s": pa.array(map(str, range(rows_))).dictionary_encode()})
    frame = encode(table)
    assert frame.data_csv == "n,s\n" + "".join(f"{n},{n}\n" for n in range(rows_))
    assert frame.arrow_ipc == ""
    assert_same(decode(frame), table)


def test_decode_restores_large_cells() -> None:
    table = pa.table({"a": ["x," * 2_000_000, None, "y"], "b": range(3)})
    assert_same(decode(encode(table)), table)
    assert infer(encode(table).data_csv).equals(table)


def test_decode_restores_the_number_of_rows_without_columns() -> None:
    table = pa.table({"a": [1, 2, 3]}).select([])
    assert decode(encode(table)).num_rows == table.num_rows == 3


# Columns with and without Arrow IPC data


def dictionary(values: list[object], indices_: list[int | None]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices_, pa.int8()), pa.array(values))


EXACT_AS_TEXT = {
    "floats": pa.array([1.5, -0.0, float("inf"), None]),
    "halves": pa.array([1.0, 0.1, None, -0.0], pa.float16()),
    "integers": pa.array([1, None, 2**63, 4], pa.uint64()),
    "booleans": pa.array([True, None, False, True]),
    "strings": pa.array(["", None, "NA", 'a,"\r\n😀']),
    "views": pa.array(["", None, "NA", "a"], pa.string_view()),
    "nulls": pa.nulls(4),
    "dates": pa.array([0, -1, None, 19000], pa.int32()).view(pa.date32()),
    "dates64": pa.array([0, -86_400_000, None, 0]).view(pa.date64()),
    "times": pa.array([0, 1, None, 86_399_999_999]).view(pa.time64("us")),
    "timestamps": pa.array([0, -1, None, 10**15]).view(pa.timestamp("ns")),
    "times in a zone": pa.array([0, -1, None, 10**9]).view(pa.timestamp("s", "Europe/Berlin")),
    "durations": pa.array([0, -1, None, 2**62]).view(pa.duration("ms")),
    "decimals": pa.array([Decimal("1.20"), None, Decimal("0.00"), Decimal("-9.99")]),
    "categories": dictionary(["z", "unused", "", "a"], [3, None, 0, 2]),
    "ordered categories": pa.DictionaryArray.from_arrays(
        pa.array([1, 0, None, 1], pa.uint8()), pa.array(["low", "high"]), ordered=True
    ),
    "integer categories": dictionary([3, 1, 2], [2, None, 0, 0]),
    "date categories": dictionary([date(2024, 1, 1), date(2023, 1, 1)], [1, None, 0, 0]),
}


@pytest.mark.parametrize("name", EXACT_AS_TEXT)
def test_text_restores_ordinary_columns(name: str) -> None:
    table = pa.table({"a": EXACT_AS_TEXT[name], "b": range(4)})
    assert encode(table).arrow_ipc == ""
    assert_same(decode(encode(table)), table)


def test_text_restores_a_single_column_of_strings_without_nulls() -> None:
    assert encode(pa.table({"a": ["x", ""]})).arrow_ipc == ""
    assert encode(pa.table({"a": ["x", None]})).arrow_ipc != ""
    assert encode(pa.table({"a": [1.5, None]})).arrow_ipc == ""


def test_text_restores_columns_without_rows() -> None:
    lists = pa.array([], pa.list_(pa.dictionary(pa.int8(), pa.string())))
    table = pa.table({"a": pa.nulls(0), "b": lists, "c": dictionary(["x"], [])})
    assert encode(table).arrow_ipc == ""
    assert_same(decode(encode(table)), table)
    assert decode(encode(table))["c"].chunk(0).dictionary.to_pylist() == ["x"]


INEXACT_AS_TEXT = {
    "NaN beside null": (pa.array([float("nan"), None]), ["", ""]),
    "NaN": (pa.array([float("nan"), 1.0]), ["", "1.0"]),
    "binary": (pa.array([b"\x00\xff", None]), ["00ff", ""]),
    "fixed binary": (pa.array([b"ab", None], pa.binary(2)), ["6162", ""]),
    "binary view": (pa.array([b"ab", None], pa.binary_view()), ["6162", ""]),
    "lists": (pa.array([[1, None], None]), ["[1,null]", ""]),
    "floats": (pa.array([[0.5, 2, float("inf")], []]), ["[0.5,2.0,Infinity]", "[]"]),
    "fixed lists": (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), ["[1,2]", ""]),
    "list views": (pa.array([["a"], None], pa.list_view(pa.string())), ['["a"]', ""]),
    "structs": (
        pa.array([{"a": 'x"\\\n', "b": True}, None]),
        ['{"a":"x\\"\\\\\\u000a","b":true}', ""],
    ),
    "empty structs": (pa.array([{}, None], pa.struct([])), ["{}", ""]),
    "maps": (
        pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8())),
        ['[{"key":"k","value":1}]', ""],
    ),
    "deep": (
        pa.array(
            [[{"at": [datetime(2024, 1, 1, tzinfo=UTC)]}], [None]],
            pa.list_(pa.struct([("at", pa.list_(pa.timestamp("ns")))])),
        ),
        ['[{"at":["2024-01-01 00:00:00"]}]', "[null]"],
    ),
    "NUL": (pa.array(["a\0b", "c"]), ["a\ufffdb", "c"]),
    "no UTF-8": (pa.array([b"a\xffb", b"c"]).view(pa.string()), ["a\ufffdb", "c"]),
    "far years": (pa.array([2**40, 0]).view(pa.timestamp("s")), None),
    "impossible times": (pa.array([-1, 0]).view(pa.time64("us")), None),
    "categories twice": (dictionary(["a", "a"], [0, 1]), ["a", "a"]),
    "null category": (dictionary(["a", None], [0, 1]), ["a", ""]),
    "NaN category": (dictionary([1.0, float("nan")], [0, 1]), ["1.0", ""]),
}


@pytest.mark.parametrize("name", INEXACT_AS_TEXT)
def test_frame_has_arrow_ipc_if_text_cannot_restore_the_table(name: str) -> None:
    column, text = INEXACT_AS_TEXT[name]
    table = pa.table({"a": column, "b": range(2)})
    frame = encode(table)
    assert frame.arrow_ipc
    assert_same(decode(frame), table)
    header, *cells_ = rows(frame.data_csv)
    assert header == ["a", "b"]
    assert [row[1] for row in cells_] == ["0", "1"]
    assert text is None or [row[0] for row in cells_] == text


@MODERATE
@given(st.integers(0, 5).flatmap(lambda rows: nested(rows=rows)))
def test_nested_columns_are_json(column: pa.Array) -> None:
    table = pa.table({"a": column, "b": range(len(column))})
    for row, value in zip(rows(encode(table).data_csv)[1:], column, strict=True):
        assert not row[0] if not value.is_valid else isinstance(json.loads(row[0]), list | dict)


def test_decode_restores_chunks_with_different_categories() -> None:
    chunks = [dictionary(["a", "b"], [0, 1]), dictionary(["b", "a"], [0, 1])]
    table = pa.table({"a": pa.chunked_array(chunks), "b": range(4)})
    assert encode(table).data_csv == "a,b\na,0\nb,1\nb,2\na,3\n"
    assert_same(decode(encode(table)), table)


def test_decode_restores_the_bits_of_nan() -> None:
    table = pa.table({"a": pa.array([0x7FF8000000000001, -1, 0]).view(pa.float64()), "b": range(3)})
    assert bits(decode(encode(table))["a"]) == [0x7FF8000000000001, -1, 0]


@pytest.mark.parametrize(
    "column",
    [
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())),
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', None, ""])),
        pa.ExtensionArray.from_storage(
            pa.uuid(), pa.array([b"0123456789abcdef", None, None], pa.binary(16))
        ),
        pa.array(pd.period_range("2024-01", periods=3, freq="M")),
        pa.array(pd.arrays.IntervalArray.from_breaks(range(4))),
    ],
    ids=lambda column: str(column.type),
)
def test_decode_restores_extension_types(column: pa.Array) -> None:
    table = pa.table({"a": column, "b": range(3)})
    assert_same(decode(encode(table)), table)


def test_encode_without_pandas_keeps_types_that_only_pandas_has(
    tmp_path: Path,
) -> None:
    period = pd.DataFrame({"a": pd.period_range("2024-01", periods=3, freq="M"), "b": range(3)})
    period.to_parquet(tmp_path / "period")
    child = (
        "import sys, json, pyarrow.parquet as pq\n"
        "from dataclasses import asdict\n"
        "from mdfactory.frames.codec import encode\n"
        "print(json.dumps(asdict(encode(pq.ParquetFile(sys.argv[1]).read()))))\n"
    )
    frame = Frame(**json.loads(without_pandas(child, tmp_path / "period")))
    assert frame.arrow_ipc == ""
    assert_frame_equal(decode(frame).to_pandas(), period)


def without_pandas(child: str, *paths: Path) -> str:
    command = [sys.executable, "-c", child, *map(str, paths)]
    here = Path(__file__).parent
    return subprocess.run(command, cwd=here, capture_output=True, text=True, check=True).stdout


def test_arrow_schema_is_readable_by_arrow() -> None:
    schema = ORDINARY.schema.with_metadata({"unit": "nm"})
    serialized = base64.b64decode(encode(ORDINARY.cast(schema)).arrow_schema)
    assert pa.ipc.read_schema(pa.py_buffer(serialized)).equals(schema, check_metadata=True)
    numbers = pa.table({"a": [1], "b": [1.5]})
    assert base64.b64decode(encode(numbers).arrow_schema) == numbers.schema.serialize().to_pybytes()


def test_decode_restores_a_slice() -> None:
    table = pa.concat_tables([ORDINARY, ORDINARY]).slice(1, 3)
    lists = pa.array([["a"], None, [], ["b,", None], ["c"]])
    table = table.append_column("list", lists.slice(1, 3))
    table = table.append_column("hex", pa.array([b"x", b"y", None, b"z"]).slice(1))
    assert_same(decode(encode(table)), table)
    assert [row[-2:] for row in rows(encode(table).data_csv)[1:]] == [
        ["", "79"],
        ["[]", ""],
        ['["b,",null]', "7a"],
    ]


# Corruption


@pytest.mark.parametrize(
    "changed",
    [
        replace(encode(ORDINARY), data_csv=ORDINARY_TEXT.replace("SOL", "SOK")),
        replace(encode(ORDINARY), data_csv=""),
        replace(encode(ORDINARY), data_csv="\ud800"),
        replace(encode(ORDINARY), csv_sha256="0" * 64),
        replace(encode(ORDINARY), arrow_schema=""),
        replace(encode(ORDINARY), arrow_schema="?"),
        replace(encode(ORDINARY), arrow_schema=encode(pa.table({"a": [1]})).arrow_schema),
        replace(
            encode(ORDINARY),
            arrow_schema=encode(ORDINARY.select([0, 0, 2, 3, 4, 5, 6, 7, 8, 9])).arrow_schema,
        ),
        replace(encode(ORDINARY), arrow_ipc="AAAA"),
        replace(encode(ORDINARY), arrow_ipc=encode(ORDINARY).arrow_schema[:200]),
        replace(encode(ORDINARY), arrow_schema=encode(ORDINARY).arrow_schema[:-100]),
    ],
)
def test_decode_refuses_a_changed_frame(changed: Frame) -> None:
    with pytest.raises(FrameCorruptError, match="data_csv"):
        decode(changed)


@pytest.mark.parametrize("end", [4, 400, 800])
def test_decode_refuses_truncated_arrow_ipc(end: int) -> None:
    frame = encode(pa.table({"a": [list(range(500))], "b": [1]}))
    assert len(frame.arrow_ipc) > 800
    with pytest.raises(FrameCorruptError, match="Arrow data does not match data_csv"):
        decode(replace(frame, arrow_ipc=frame.arrow_ipc[:end]))


def test_codec_does_not_import_pandas(tmp_path: Path) -> None:
    columns_ = {**EXACT_AS_TEXT, **{name: column for name, (column, _) in INEXACT_AS_TEXT.items()}}
    paths = []
    for name, column in columns_.items():
        table = pa.table({"a": column, "b": range(len(column))})
        paths.append(tmp_path / name)
        with pa.ipc.new_stream(paths[-1], table.schema) as writer:
            writer.write(table)
    child = (
        "import sys, pyarrow as pa\n"
        "from mdfactory.frames.codec import decode, encode, infer\n"
        "for path in sys.argv[1:]:\n"
        "    frame = encode(pa.ipc.open_stream(path).read_all())\n"
        "    decode(frame)\n"
        "    infer(frame.data_csv)\n"
        "print('pandas' in sys.modules)\n"
    )
    assert without_pandas(child, *paths) == "False\n"
