"""Tables as CSV text, which Arrow writes many rows at a time."""

from __future__ import annotations

import json
import re
from array import array as c_array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from operator import is_
from typing import Any, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import WriteOptions, write_csv

from mdfactory.records.arrow import coalesce, if_else, join

BATCH_BYTES = 1 << 21
"""Approximate bytes of a batch of `text_batches`, and of each intermediate copy of it."""

FEW_CATEGORIES = 1 << 10
"""Number of categories below which one of them is assumed to have half of their bytes."""

END_POSITION = 1 << 10
"""A position after the last character of any number or time."""

TEXT_TYPE = pa.large_string()

TextArray: TypeAlias = "pa.Array[pa.Scalar[pa.lib.LargeStringType]]"
"""An array of type `TEXT_TYPE`."""

INTEGER_TYPE_IDS = {
    data_type.id
    for data_type in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    )
}

BINARY_TYPE_IDS = {
    data_type.id for data_type in (pa.binary(), pa.large_binary(), pa.binary(1), pa.binary_view())
}

NESTED_TYPE_IDS = {
    data_type.id
    for data_type in (
        *(pa.list_(TEXT_TYPE), pa.large_list(TEXT_TYPE), pa.list_(TEXT_TYPE, 1)),
        *(pa.list_view(TEXT_TYPE), pa.large_list_view(TEXT_TYPE)),
        *(pa.map_(TEXT_TYPE, TEXT_TYPE), pa.struct([])),
    )
}

CSV_VALUE_TYPE_IDS = {
    *INTEGER_TYPE_IDS,
    *(pa.null().id, pa.bool_().id, pa.float32().id, pa.float64().id),
}
"""Types whose values Arrow's CSV reader reads back exactly."""

EXACT_TYPE_IDS = CSV_VALUE_TYPE_IDS | {pa.string().id, pa.large_string().id}
"""Types whose values are restored exactly from their text, if the text is not null."""

QUOTED_CHARACTERS = '[",\r\n]'
"""Characters for which a field is quoted. The empty string is quoted, too."""


def to_csv(table: pa.Table, *, header: bool) -> bytes:
    """Return a table as CSV in UTF-8, formatted like `frames.codec.Frame.data_csv`.

    Parameters
    ----------
    table
        The table, or some of its rows.
    header
        Whether to write the names of the columns first.
    """
    lines = [csv_lines(cells, batch.schema.types) for batch, cells in text_batches(table)]
    first_line = csv_header(table.schema.names) if header else b""
    return to_storable(b"".join([first_line, *lines]))[1]


def text_batches(table: pa.Table) -> Iterator[tuple[pa.RecordBatch, list[pa.Array[Any]]]]:
    """Yield batches of a table, each with its columns as cells for `csv_lines`."""
    if not table.num_columns:
        return
    rows = max(1 << 10, BATCH_BYTES * table.num_rows // max(1, table.get_total_buffer_size()))
    # buffers hold each category once, but the text repeats it in each row
    category_bytes = max(1, *map(_longest_category_bytes, table.columns))
    rows = max(1, min(rows, BATCH_BYTES // category_bytes))
    for batch in table.to_batches(max_chunksize=rows):
        yield batch, [_to_cells(column) for column in batch.columns]


def _longest_category_bytes(column: pa.ChunkedArray[Any]) -> int:
    """Return an estimate of the bytes of the longest category; 0 if the column has none.

    The estimate is the mean length. With few categories, it is half of their bytes, since one may
    be much longer than the others.
    """
    chunk = column.chunks[0] if column.num_chunks else None
    if not isinstance(chunk, pa.DictionaryArray):
        return 0
    values = chunk.dictionary
    return values.nbytes // (2 if len(values) < FEW_CATEGORIES else len(values))


def to_storable(data: bytes) -> tuple[str, bytes]:
    """Return a text that every store accepts, decoded from UTF-8, and the UTF-8 of that text.

    U+FFFD replaces NUL and bytes that are not UTF-8. If there are none, the second value is the
    object `data` itself, so callers can compare by identity.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
    else:
        if "\0" not in text:
            return text, data
    text = text.replace("\0", "\ufffd")
    return text, text.encode()


def csv_header(names: Iterable[str]) -> bytes:
    """Return the header line of column names."""
    return (",".join(map(_quoted_name, names)) + "\n").encode()


def _quoted_name(name: str) -> str:
    if name and not re.search(f"{QUOTED_CHARACTERS}|\ufeff", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def csv_lines(cells: Sequence[pa.Array[Any]], types: Sequence[pa.DataType]) -> pa.Buffer | bytes:
    """Return rows as CSV lines; a row of one empty field is ``""``, not an empty line.

    Parameters
    ----------
    cells
        The columns as `text_batches` yields them.
    types
        The types that the columns have in the table.
    """
    fields = [
        column if pa.types.is_primitive(data_type) else _quote(column)
        for column, data_type in zip(cells, types, strict=True)
    ]
    no_quotes = all(map(is_, fields, cells))
    if len(fields) > 1 and no_quotes:
        return _unquoted_lines(fields)
    rows = join(
        *(field.cast(TEXT_TYPE) for field in fields),
        separator=COMMA,
        null_handling="replace",
        null_replacement="" if len(fields) > 1 else '""',
    )
    return _joined_bytes(concatenate(rows, NEWLINE))


def _unquoted_lines(fields: Sequence[pa.Array[Any]]) -> pa.Buffer:
    """Return rows as CSV lines, written by Arrow.

    Arrow's CSV writer is faster than `join`, but quotes all strings or none. So this function is
    for rows without fields that need quotes.
    """
    sink = pa.BufferOutputStream()
    names = [str(position) for position in range(len(fields))]
    write_csv(pa.RecordBatch.from_arrays(fields, names), sink, UNQUOTED_ROWS)
    return sink.getvalue()


def _quote(text: TextArray) -> TextArray:
    """Quote the cells that need it; return the same array object if none does."""
    data, empty = _joined_bytes(text), pc.equal(text, EMPTY)
    if not empty.true_count and not any(mark in data for mark in (b",", b'"', b"\n", b"\r")):
        return text
    quoted = concatenate(QUOTE, pc.replace_substring(text, '"', '""'), QUOTE)
    return if_else(pc.match_substring_regex(text, f"^$|{QUOTED_CHARACTERS}"), quoted, text)


def _to_cells(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return a column as text, or in a type that Arrow's CSV writer writes as that text.

    Missing values, NaN included, are null.
    """
    if isinstance(column, pa.ExtensionArray):
        return to_text(column.storage)
    if isinstance(column, pa.DictionaryArray):
        return to_text(column.dictionary).take(column.indices)
    return TEXT_CONVERTERS.get(column.type.id, _cast_to_text)(column)


def to_text(column: pa.Array[Any]) -> TextArray:
    """Return the text that ``data_csv`` has for each value, without quotes; null if missing."""
    return _to_cells(column).cast(TEXT_TYPE)


def _cast_to_text(column: pa.Array[Any]) -> pa.Array[Any]:
    try:
        return column.cast(TEXT_TYPE)
    except pa.ArrowNotImplementedError:
        cells = (column[row : row + 1] for row in range(len(column)))
        return _text_array([cell.to_string(skip_new_lines=True) for cell in cells])


def _unchanged(column: pa.Array[Any]) -> pa.Array[Any]:
    return column


def _booleans_to_text(column: pa.Array[Any]) -> pa.Array[Any]:
    return if_else(column, TRUE, FALSE)


def _floats_to_text(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return floats with a ``.0`` for whole numbers and null for NaN."""
    # Arrow writes fractions as wanted: return early if there are no whole numbers and no NaN
    if pc.greater(column, pc.floor(column)).true_count == len(column) - column.null_count:
        return column
    text = column.cast(TEXT_TYPE)
    whole = pc.ascii_is_decimal(pc.ascii_ltrim(text, "-"))
    text = if_else(whole, _append(text, ".0"), text)
    nan = pc.is_nan(column)
    return if_else(nan, NULL_TEXT, text) if nan.true_count else text


def _half_floats_to_text(column: pa.Array[Any]) -> pa.Array[Any]:
    return _floats_to_text(column.cast(pa.float32()))


def _timestamps_to_text(column: pa.Array[Any]) -> TextArray:
    """Return times as text, in UTC if they have a zone; all have a fraction if one needs it."""
    times = column.view(pa.timestamp(column.type.unit))
    with suppress(pa.ArrowInvalid):  # raised if a time has a fraction of a second
        times = times.cast(pa.timestamp("s"))
    text = times.cast(TEXT_TYPE)
    return _append(text, "Z") if column.type.tz else text


def _durations_to_text(column: pa.Array[Any]) -> TextArray:
    return _append(column.cast(pa.int64()).cast(TEXT_TYPE), f" {column.type.unit}")


def _binary_to_hex(column: pa.Array[Any]) -> TextArray:
    text = _text_array((cell or b"").hex() for cell in column.to_pylist())
    return if_else(column.is_valid(), text, NULL_TEXT)


def _nested_to_json(column: pa.Array[Any]) -> TextArray:
    if isinstance(column, pa.StructArray):
        return _structs_to_json(column)
    data_type = column.type
    if pa.types.is_map(data_type):
        key, value = pa.field("key", data_type.key_type), pa.field("value", data_type.item_type)
        entry = pa.struct([key, value])
        return _lists_to_json(column.cast(pa.list_(entry)))
    return _lists_to_json(column)


def _structs_to_json(column: pa.StructArray) -> TextArray:
    pieces: list[TextArray | pa.Scalar[Any]] = [_text_where_valid(column, "{")]
    for position, (field, cells) in enumerate(zip(column.type, column.flatten(), strict=True)):
        name = ("," if position else "") + json.dumps(field.name) + ":"
        pieces += [_text_scalar(name), _values_to_json(cells)]
    return concatenate(*pieces, _text_scalar("}"))


def _lists_to_json(column: pa.Array[Any]) -> TextArray:
    lengths = coalesce(pc.list_value_length(column).cast(pa.int64()), ZERO[0])
    ends = cast("pa.Int64Array", pa.concat_arrays([ZERO, pc.cumulative_sum(lengths)]))
    cells = pa.LargeListArray.from_arrays(ends, _values_to_json(pc.list_flatten(column)))
    items: TextArray = pc.binary_join(cells, COMMA)  # type: ignore[assignment]  # the stubs: or a scalar
    return concatenate(_text_where_valid(column, "["), items, _text_scalar("]"))


def _values_to_json(column: pa.Array[Any]) -> TextArray:
    data_type, text = column.type, to_text(column)
    if pa.types.is_boolean(data_type):
        text = pc.ascii_lower(text)
    elif pa.types.is_floating(data_type):
        text = pc.replace_substring(text, "inf", "Infinity")
    elif not _is_written_bare(data_type):
        for raw, escaped in JSON_ESCAPES.items():
            text = pc.replace_substring(text, raw, escaped)
        text = concatenate(QUOTE, text, QUOTE)
    return coalesce(text, JSON_NULL)


def _is_written_bare(data_type: pa.DataType) -> bool:
    """Whether the text of values of this type is JSON already."""
    is_number = pa.types.is_integer(data_type) or pa.types.is_decimal(data_type)
    return is_number or pa.types.is_nested(data_type)


def _text_where_valid(column: pa.Array[Any], text: str) -> TextArray:
    """Return a text for each value of the column; null where the column is null."""
    return if_else(column.is_valid(), _text_scalar(text), NULL_TEXT)


def _append(text: TextArray, suffix: str) -> TextArray:
    """Return short texts with a suffix, inserted at a position after their last character."""
    return pc.binary_replace_slice(text, END_POSITION, END_POSITION, suffix)


def concatenate(*parts: TextArray | pa.Scalar[Any]) -> TextArray:
    """Concatenate the texts of several columns row by row; null where one of them is null."""
    return join(*parts, separator=EMPTY)


def _joined_bytes(text: TextArray) -> bytes:
    """Return the UTF-8 of all cells, one after the other."""
    _, offsets, data = text.buffers()
    if not offsets or not data:
        return b""
    ends = memoryview(offsets).cast("q")
    return bytes(data[ends[text.offset] : ends[text.offset + len(text)]])


def _text_array(values: Iterable[str]) -> TextArray:
    texts = [value.encode() for value in values]
    ends = c_array("q", accumulate(map(len, texts), initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(TEXT_TYPE, len(texts), buffers)


def _text_scalar(value: str) -> pa.Scalar[pa.lib.LargeStringType]:
    return _text_array([value])[0]


UNQUOTED_ROWS = WriteOptions(include_header=False, quoting_style="none")

NULL_TEXT = pa.nulls(1, TEXT_TYPE)[0]

EMPTY, COMMA, NEWLINE, QUOTE, TRUE, FALSE, EPOCH, JSON_NULL = _text_array(
    ["", ",", "\n", '"', "True", "False", "1970-01-01 ", "null"]
)

ZERO = pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(bytes(8))])

JSON_ESCAPES = {"\\": "\\\\", '"': '\\"', **{chr(code): f"\\u{code:04x}" for code in range(32)}}
"""Character -> its escape in a JSON string; backslash first, since other escapes contain it."""

TEXT_CONVERTERS: dict[int, Callable[[pa.Array[Any]], pa.Array[Any]]] = {
    **dict.fromkeys(INTEGER_TYPE_IDS, _unchanged),
    pa.bool_().id: _booleans_to_text,
    **dict.fromkeys((pa.float32().id, pa.float64().id), _floats_to_text),
    pa.float16().id: _half_floats_to_text,
    pa.timestamp("s").id: _timestamps_to_text,
    pa.duration("s").id: _durations_to_text,
    **dict.fromkeys(BINARY_TYPE_IDS, _binary_to_hex),
    **dict.fromkeys(NESTED_TYPE_IDS, _nested_to_json),
}
"""Type id -> conversion to cells. Arrow casts columns of other types to text."""
