"""The text of frames: other programs read it, and text of other programs gets types."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mdfactory.errors import FrameCorruptError
from mdfactory.frames.codec import decode, encode, infer
from mdfactory.testing.frames import (
    MODERATE,
    TEXT,
    assert_same,
)
from stacking import parquet

MAIN = Path(__file__).parents[2]
CAMPAIGN = sorted((MAIN / "examples/water_methanol").glob("*/.analysis/*.parquet"))
EXISTING = MAIN / "tests/data/existing_stores/sqlite/analysis.db"


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def existing_text(path: Path) -> str:
    """Return the text that an existing installation stored for a Parquet file."""
    query = f'SELECT data_csv FROM "ANALYSIS_{path.stem.upper()}" WHERE hash = ?'
    uri = f"file:{EXISTING}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as store:
        return str(store.execute(query, (path.parts[-3],)).fetchone()[0])


@pytest.mark.parametrize("path", CAMPAIGN, ids=lambda path: f"{path.parts[-3][:6]}-{path.stem}")
def test_text_equals_that_of_existing_installations(path: Path) -> None:
    text, expected = encode(pq.ParquetFile(path).read()).data_csv, existing_text(path)
    assert text.splitlines()[0] == expected.splitlines()[0]
    assert text.count("\n") == expected.count("\n")
    for row, expected_row in zip(rows(text), rows(expected), strict=True):
        assert [number(cell) for cell in row] == [number(cell) for cell in expected_row]


exact_pandas = pytest.mark.skipif(
    tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1),
    reason="older versions of pandas round some numbers that they read",
)


@exact_pandas
@pytest.mark.parametrize("path", CAMPAIGN, ids=lambda path: f"{path.parts[-3][:6]}-{path.stem}")
def test_infer_reads_text_of_existing_installations_as_pandas(path: Path) -> None:
    text = existing_text(path)
    expected = pd.read_csv(io.StringIO(text))
    assert_frame_equal(infer(text).to_pandas(), expected, check_exact=True)


def number(cell: str) -> str | float:
    """Return a float for comparison, since a number may have several texts; integers stay text."""
    try:
        return float(cell) if not cell.isdecimal() else cell
    except ValueError:
        return cell


def test_text_has_no_unneeded_quotes() -> None:
    table = pa.table({"a": ["x y", "é;😀'"], "b": [1, 2], "c": [0.5, 2.0]})
    assert encode(table).data_csv == "a,b,c\nx y,1,0.5\né;😀',2,2.0\n"


def test_pandas_reads_the_text() -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "x": [0.1, float("nan"), 5.0],
            "s": ["a,b", 'c "d"', "e\nf"],
            "b": [True, False, True],
            "t": pd.to_datetime(["2024-01-01", "2024-01-02 03:04:05.678", None], format="ISO8601"),
        }
    )
    text = encode(parquet(frame)).data_csv
    assert_frame_equal(
        pd.read_csv(io.StringIO(text), parse_dates=["t"]).astype(frame.dtypes), frame
    )


def chunks_of_times() -> dict[str, pa.ChunkedArray]:
    """Return columns of times, of which only the second chunk needs fractions of seconds."""
    seconds = [
        pa.array([number * 10**9, None]).view(pa.timestamp("ns", "UTC")) for number in (1, 2)
    ]
    fractions = pa.array([1, 10**9]).view(pa.timestamp("ns", "UTC"))
    chunks = [seconds[0], fractions, seconds[1]]
    fields = [pa.StructArray.from_arrays([chunk, seconds[0]], ["a", "b"]) for chunk in chunks]
    lists = [pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), chunk) for chunk in chunks]
    return {
        "plain": pa.chunked_array(chunks),
        "categories": pa.chunked_array([chunk.dictionary_encode() for chunk in chunks]),
        "structures": pa.chunked_array(fields),
        "lists": pa.chunked_array(lists),
    }


def test_all_times_of_a_column_have_fractions_of_seconds_if_one_needs_them() -> None:
    columns_ = chunks_of_times()
    texts = [
        "1970-01-01 00:00:01.000000000Z",
        "",
        "1970-01-01 00:00:00.000000001Z",
        "1970-01-01 00:00:01.000000000Z",
        "1970-01-01 00:00:02.000000000Z",
        "",
    ]
    in_json = [f'"{text}"' if text else "null" for text in texts]
    in_structures = [
        f'{{"a":{text},"b":{other}}}'
        for text, other in zip(in_json, ['"1970-01-01 00:00:01Z"', "null"] * 3, strict=True)
    ]
    expected = [texts, texts, in_structures, [f"[{text}]" for text in in_json]]
    table = pa.table(columns_)
    assert rows(encode(table).data_csv)[1:] == list(map(list, zip(*expected, strict=True)))
    assert_same(decode(encode(table)), table)
    read = pd.read_csv(io.StringIO(encode(table).data_csv), parse_dates=["plain"])
    assert str(read["plain"].dtype) == "datetime64[ns, UTC]"


def test_a_long_column_of_times_is_written_alike() -> None:
    times = pa.array([10**9] * 600_000 + [1]).view(pa.timestamp("ns"))
    first = encode(pa.table({"t": times})).data_csv.splitlines()[1]
    assert first == "1970-01-01 00:00:01.000000000"
    whole_seconds = encode(pa.table({"t": times.slice(0, 9)})).data_csv.splitlines()
    assert whole_seconds[1:] == ["1970-01-01 00:00:01"] * 9


@MODERATE
@given(st.lists(TEXT, min_size=2, max_size=3), st.data())
def test_csv_module_reads_names_and_strings(names: list[str], data: st.DataObject) -> None:
    cell = st.lists(st.none() | TEXT, min_size=len(names), max_size=len(names))
    cells = data.draw(st.lists(cell, max_size=4))
    columns_ = [pa.array([row[at] for row in cells], pa.string()) for at in range(len(names))]
    frame = encode(pa.Table.from_arrays(columns_, names))
    expected = [names, *([cell or "" for cell in row] for row in cells)]
    assert rows(frame.data_csv) == [
        [cell.replace("\0", "\ufffd") for cell in row] for row in expected
    ]
    assert "\0" not in frame.data_csv


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([1, None, 3]), '1\n""\n3\n'),
        (pa.nulls(2), '""\n""\n'),
        (pa.array(["a", None, ""]), 'a\n""\n""\n'),
        (pa.array([None, float("nan")]), '""\n""\n'),
    ],
)
def test_a_row_of_one_field_is_never_an_empty_line(column: pa.Array, text: str) -> None:
    table = pa.table({"a": column})
    assert encode(table).data_csv == f"a\n{text}"
    assert len(pd.read_csv(io.StringIO(f"a\n{text}"))) == len(column)
    assert_same(decode(encode(table)), table)


@pytest.mark.parametrize(
    ("names", "header"),
    [
        (["a", "a"], "a,a"),
        (["", "b"], '"",b'),
        ([""], '""'),
        (['"', ",", "\n"], '"""",",","\n"'),
        (["\ufeffa", "b"], '"\ufeffa",b'),
        (["('x', 1)", "0"], "\"('x', 1)\",0"),
    ],
)
def test_unusual_names_are_quoted(names: list[str], header: str) -> None:
    table = pa.Table.from_arrays([pa.array([1, 2])] * len(names), names)
    frame = encode(table)
    assert frame.data_csv.startswith(header + "\n")
    assert frame.arrow_ipc == ""
    assert_same(decode(frame), table)


def test_text_of_no_columns_is_an_empty_line() -> None:
    assert encode(pa.table({})).data_csv == "\n"
    assert decode(encode(pa.table({}))).equals(pa.table({}))
    assert infer("\n").num_columns == infer("").num_columns == 0


# Types inferred from text

TOKENS = ["", "NA", "nan", "None", "1", "-2", "001", "1.5", "5.0", "1e3", ".5", "inf", "True"]
TOKENS += ["false", "x", " y", "2024-01-01", "12:00", "0x1F", "1_0", "a,b", '"', "\n", "é", "1 2"]
TOKENS += ["9223372036854775808", "123456789012345678901234567890", "-Infinity", "1e400"]


@exact_pandas
@MODERATE
@given(st.lists(st.lists(st.sampled_from(TOKENS), min_size=3, max_size=3), min_size=1, max_size=5))
def test_infer_finds_the_types_that_pandas_finds(cells_: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows([["a", "b", "c"], *cells_])
    expected = pd.read_csv(io.StringIO(file.getvalue()))
    inferred = infer(file.getvalue()).to_pandas()
    for name in expected:
        if has_large_integers(expected[name]):
            continue
        # in columns of objects, pandas has NaN as missing value and Arrow has None
        actual, column = inferred[name], expected[name]
        if column.dtype == object:
            actual = actual.where(actual.notna(), None)
            column = column.where(column.notna(), None)
        assert_frame_equal(actual.to_frame(), column.to_frame(), check_exact=True)


def has_large_integers(column: pd.Series) -> bool:
    """Whether a column may have integers beyond 64 bits, which pandas reads as several types."""
    return any(len(str(value)) > 18 and str(value).isdecimal() for value in column)


@pytest.mark.parametrize(
    ("cells_", "kind"),
    [
        (["1", "2"], pa.int64()),
        (["001", "2"], pa.int64()),
        (["1", "NA"], pa.int64()),
        (["18446744073709551615", "1"], pa.uint64()),
        (["123456789012345678901234", "1"], pa.string()),
        (["1", "2.5"], pa.float64()),
        ([" 1.0", "1e5"], pa.float64()),
        (["", ""], pa.float64()),
        (["True", "false"], pa.bool_()),
        (["True", ""], pa.bool_()),
        (["True", "1"], pa.string()),
        (["0x1F", "1"], pa.string()),
        (["2024-01-01", "2024-01-02"], pa.string()),
        (["12:00", "13:00"], pa.string()),
        (["1;2", "x"], pa.string()),
    ],
)
def test_infer_gives_a_column_the_type_of_its_values(cells_: list[str], kind: pa.DataType) -> None:
    column = infer("a,b\n" + "".join(f"{cell},x\n" for cell in cells_)).column(0)
    assert column.type == kind
    if kind == pa.string():
        assert column.to_pylist() == cells_


def test_infer_reads_any_line_ends_and_names() -> None:
    assert infer("a,b\r\n1,x\r\n").to_pydict() == {"a": [1], "b": ["x"]}
    assert infer("\ufeffa,b\n1,x").to_pydict() == {"a": [1], "b": ["x"]}
    assert infer('"a\n""b""",\n1,"x\ny"\n').to_pydict() == {'a\n"b"': [1], "": ["x\ny"]}
    assert infer("a,a\n1,2\n").column_names == ["a", "a"]
    assert infer("\n\na,b\n1,x\n").to_pydict() == {"a": [1], "b": ["x"]}
    assert infer("a,b\n").to_pydict() == {"a": [], "b": []}
    assert infer('a\n""\n1\n').to_pydict() == {"a": [None, 1]}


@pytest.mark.parametrize("text", ["a,b\n1\n", "a\n1,2\n", 'a,b\n"1,2\n', "a" * 200_000])
def test_infer_refuses_text_that_is_not_csv(text: str) -> None:
    with pytest.raises(FrameCorruptError, match="data_csv is not CSV"):
        infer(text)
