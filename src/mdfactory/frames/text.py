"""A table as plain CSV text, written by Arrow many rows at a time."""

from __future__ import annotations

import json
import re
from array import array as numbers
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from operator import is_
from typing import Any, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import WriteOptions, write_csv

from mdfactory.records.arrow import coalesce, if_else, join

__all__ = [
    "EPOCH",
    "EXACT",
    "TEXT",
    "VALUES",
    "concatenated",
    "header_line",
    "lines_of",
    "portions",
    "storable",
    "text_of",
    "to_csv",
]

PORTION = 1 << 21
"""Bytes of a table that become text at a time: intermediate copies are of this size."""

FEW = 1 << 10
"""Categories among which one may be much longer than the others."""

END = 1 << 10
"""A position behind the last character of any number or time."""

TEXT = pa.large_string()

Texts: TypeAlias = "pa.Array[pa.Scalar[pa.lib.LargeStringType]]"
"""An array of type `TEXT`."""

INTEGERS = {
    kind.id
    for kind in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    )
}

VALUES = INTEGERS | {pa.null().id, pa.bool_().id, pa.float32().id, pa.float64().id}
"""Types that Arrow's CSV reader reads exactly from what is written here."""

EXACT = VALUES | {pa.string().id, pa.large_string().id}
"""Types whose text always gives the value, if there is text."""

AWKWARD = '[",\r\n]'
"""What is quoted, besides the empty string."""


def to_csv(table: pa.Table, *, header: bool) -> bytes:
    """Return a table as the text that `Frame.data_csv` would be, in UTF-8.

    Parameters
    ----------
    table
        The table, or some rows of one that is written portion by portion.
    header
        Whether the names of the columns stand in front.
    """
    lines = [lines_of(cells, batch.schema.types) for batch, cells in portions(table)]
    names = header_line(table.schema.names) if header else b""
    return storable(b"".join([names, *lines]))[1]


def portions(table: pa.Table) -> Iterator[tuple[pa.RecordBatch, list[pa.Array[Any]]]]:
    """Yield a table some rows at a time, each with the text of its cells."""
    rows = max(1 << 10, PORTION * table.num_rows // max(1, table.get_total_buffer_size()))
    rows = max(1, min(rows, PORTION // max(1, *map(_longest, table.columns), 1)))
    for batch in table.to_batches(max_chunksize=rows) if table.num_columns else ():
        yield batch, [_cells(column) for column in batch.columns]


def _longest(column: pa.ChunkedArray[Any]) -> int:
    """Return the bytes of the longest category, which few bytes of a column may repeat."""
    first = column.chunks[0] if column.num_chunks else None
    if not isinstance(first, pa.DictionaryArray):
        return 0
    values = first.dictionary
    return values.nbytes // (2 if len(values) < FEW else len(values))


def storable(data: bytes) -> tuple[str, bytes]:
    """Return the text that stores take, and its UTF-8: `data` itself if they take all of it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
    else:
        if "\0" not in text:
            return text, data
    text = text.replace("\0", "\ufffd")
    return text, text.encode()


def header_line(names: Iterable[str]) -> bytes:
    """Return the first line of the text: the names of the columns."""
    return (",".join(map(_name, names)) + "\n").encode()


def _name(name: str) -> str:
    if name and not re.search(f"{AWKWARD}|\ufeff", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def lines_of(cells: Sequence[pa.Array[Any]], kinds: Sequence[pa.DataType]) -> pa.Buffer | bytes:
    """Return the rows as text; a row of one field is never an empty line."""
    fields = [
        column if pa.types.is_primitive(kind) else _quoted(column)
        for column, kind in zip(cells, kinds, strict=True)
    ]
    if len(fields) > 1 and all(map(is_, fields, cells)):
        return _unquoted_lines(fields)
    rows = join(
        *(field.cast(TEXT) for field in fields),
        separator=COMMA,
        null_handling="replace",
        null_replacement="" if len(fields) > 1 else '""',
    )
    return _characters(concatenated(rows, NEWLINE))


def _unquoted_lines(fields: Sequence[pa.Array[Any]]) -> pa.Buffer:
    """Let Arrow write the rows: faster, but it would quote all strings or none."""
    sink = pa.BufferOutputStream()
    names = [str(position) for position in range(len(fields))]
    write_csv(pa.RecordBatch.from_arrays(fields, names), sink, UNQUOTED)
    return sink.getvalue()


def _quoted(text: Texts) -> Texts:
    """Quote the cells that need it; return the very same array if there are none."""
    data, empty = _characters(text), pc.equal(text, EMPTY)
    if not empty.true_count and not any(mark in data for mark in (b",", b'"', b"\n", b"\r")):
        return text
    quoted = concatenated(QUOTE, pc.replace_substring(text, '"', '""'), QUOTE)
    return if_else(pc.match_substring_regex(text, f"^$|{AWKWARD}"), quoted, text)


def _cells(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return text, or what Arrow writes as that text; null where there is nothing to say."""
    if isinstance(column, pa.ExtensionArray):
        return text_of(column.storage)
    if isinstance(column, pa.DictionaryArray):
        return text_of(column.dictionary).take(column.indices)
    return WRITERS.get(column.type.id, _cast)(column)


def text_of(column: pa.Array[Any]) -> Texts:
    """Return the text that ``data_csv`` has for each value, before quotes; null where none."""
    return _cells(column).cast(TEXT)


def _cast(column: pa.Array[Any]) -> pa.Array[Any]:
    try:
        return column.cast(TEXT)
    except pa.ArrowNotImplementedError:
        cells = (column[row : row + 1] for row in range(len(column)))
        return _strings([cell.to_string(skip_new_lines=True) for cell in cells])


def _itself(column: pa.Array[Any]) -> pa.Array[Any]:
    return column


def _booleans(column: pa.Array[Any]) -> pa.Array[Any]:
    return if_else(column, TRUE, FALSE)


def _floats(column: pa.Array[Any]) -> pa.Array[Any]:
    """Write whole numbers as floats, too, and NaN as nothing."""
    if pc.greater(column, pc.floor(column)).true_count == len(column) - column.null_count:
        return column
    text = column.cast(TEXT)
    whole = pc.ascii_is_decimal(pc.ascii_ltrim(text, "-"))
    text = if_else(whole, _suffixed(text, ".0"), text)
    nan = pc.is_nan(column)
    return if_else(nan, NOTHING, text) if nan.true_count else text


def _halves(column: pa.Array[Any]) -> pa.Array[Any]:
    return _floats(column.cast(pa.float32()))


def _timestamps(column: pa.Array[Any]) -> Texts:
    """Write fractions of seconds only if there are some; times in a zone as UTC."""
    stamps = column.view(pa.timestamp(column.type.unit))
    with suppress(pa.ArrowInvalid):
        stamps = stamps.cast(pa.timestamp("s"))
    text = stamps.cast(TEXT)
    return _suffixed(text, "Z") if column.type.tz else text


def _durations(column: pa.Array[Any]) -> Texts:
    return _suffixed(column.cast(pa.int64()).cast(TEXT), f" {column.type.unit}")


def _hex(column: pa.Array[Any]) -> Texts:
    text = _strings((cell or b"").hex() for cell in column.to_pylist())
    return if_else(column.is_valid(), text, NOTHING)


def _json(column: pa.Array[Any]) -> Texts:
    if isinstance(column, pa.StructArray):
        return _json_objects(column)
    kind = column.type
    if pa.types.is_map(kind):
        entry = pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])
        return _json_lists(column.cast(pa.list_(entry)))
    return _json_lists(column)


def _json_objects(column: pa.StructArray) -> Texts:
    pieces: list[Texts | pa.Scalar[Any]] = [_where(column, "{")]
    for position, (field, cells) in enumerate(zip(column.type, column.flatten(), strict=True)):
        name = ("," if position else "") + json.dumps(field.name) + ":"
        pieces += [_string(name), _json_values(cells)]
    return concatenated(*pieces, _string("}"))


def _json_lists(column: pa.Array[Any]) -> Texts:
    lengths = coalesce(pc.list_value_length(column).cast(pa.int64()), ZERO[0])
    ends = cast("pa.Int64Array", pa.concat_arrays([ZERO, pc.cumulative_sum(lengths)]))
    cells = pa.LargeListArray.from_arrays(ends, _json_values(pc.list_flatten(column)))
    items: Texts = pc.binary_join(cells, COMMA)  # type: ignore[assignment]  # the stubs: or a scalar
    return concatenated(_where(column, "["), items, _string("]"))


def _json_values(column: pa.Array[Any]) -> Texts:
    kind, text = column.type, text_of(column)
    if pa.types.is_boolean(kind):
        text = pc.ascii_lower(text)
    elif pa.types.is_floating(kind):
        text = pc.replace_substring(text, "inf", "Infinity")
    elif not (pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_nested(kind)):
        for raw, escaped in ESCAPES.items():
            text = pc.replace_substring(text, raw, escaped)
        text = concatenated(QUOTE, text, QUOTE)
    return coalesce(text, NULL)


def _where(column: pa.Array[Any], text: str) -> Texts:
    """Return the text where the column is not null, and null elsewhere."""
    return if_else(column.is_valid(), _string(text), NOTHING)


def _suffixed(number: Texts, suffix: str) -> Texts:
    return pc.binary_replace_slice(number, END, END, suffix)


def concatenated(*parts: Texts | pa.Scalar[Any]) -> Texts:
    """Return the texts of several columns, concatenated row by row; null where one is null."""
    return join(*parts, separator=EMPTY)


def _characters(text: Texts) -> bytes:
    """Return the text of all cells without a break."""
    _, offsets, data = text.buffers()
    if not offsets or not data:
        return b""
    ends = memoryview(offsets).cast("q")
    return bytes(data[ends[text.offset] : ends[text.offset + len(text)]])


def _strings(values: Iterable[str]) -> Texts:
    texts = [value.encode() for value in values]
    ends = numbers("q", accumulate(map(len, texts), initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(TEXT, len(texts), buffers)


def _string(value: str) -> pa.Scalar[pa.lib.LargeStringType]:
    return _strings([value])[0]


UNQUOTED = WriteOptions(include_header=False, quoting_style="none")

NOTHING = pa.nulls(1, TEXT)[0]

EMPTY, COMMA, NEWLINE, QUOTE, TRUE, FALSE, EPOCH, NULL = _strings(
    ["", ",", "\n", '"', "True", "False", "1970-01-01 ", "null"]
)

ZERO = pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(bytes(8))])

ESCAPES = {"\\": "\\\\", '"': '\\"', **{chr(code): f"\\u{code:04x}" for code in range(32)}}
"""What JSON does not take in a string; the backslash first, since the others have one."""

WRITERS: dict[int, Callable[[pa.Array[Any]], pa.Array[Any]]] = {
    **dict.fromkeys(INTEGERS, _itself),
    pa.bool_().id: _booleans,
    **dict.fromkeys((pa.float32().id, pa.float64().id), _floats),
    pa.float16().id: _halves,
    pa.timestamp("s").id: _timestamps,
    pa.duration("s").id: _durations,
    **dict.fromkeys((pa.binary().id, pa.large_binary().id), _hex),
    **dict.fromkeys((pa.binary(1).id, pa.binary_view().id), _hex),
    **dict.fromkeys((pa.list_(TEXT).id, pa.large_list(TEXT).id, pa.list_(TEXT, 1).id), _json),
    **dict.fromkeys((pa.list_view(TEXT).id, pa.large_list_view(TEXT).id), _json),
    **dict.fromkeys((pa.map_(TEXT, TEXT).id, pa.struct([]).id), _json),
}
"""How the text of a type is written, where a cast is not it."""
