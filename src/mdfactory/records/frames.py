"""A frame as plain CSV text, and what is kept beside the text to get the same frame back.

The text is written and read by Arrow, many rows at a time. A missing value is an empty field
and the empty string is ``""``; other fields are quoted only where a reader would take them
apart. Whether the text gives a column back is found by looking: numbers, booleans and strings
differ only where a cell has no text of its own (NaN); all others are restored and compared.

Nothing here calls `pyarrow.array` or `pyarrow.scalar`, not even by handing a Python value to
a kernel: they import pandas, which takes half a second.
"""

from __future__ import annotations

import csv
import io
import json
import re
from array import array as numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from operator import is_
from typing import Any, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, WriteOptions, read_csv, write_csv

from mdfactory.errors import FrameCorruptError, FrameTooLargeError
from mdfactory.records.arrow import coalesce, if_else, join
from mdfactory.records.digests import digest
from mdfactory.records.packed import base64, pack, stream, unpack
from mdfactory.records.tables import nulls

__all__ = [
    "Frame",
    "beside_digest",
    "decode",
    "empty_of",
    "encode",
    "infer",
    "text_of",
    "to_csv",
]

TIMES = {"created_at", "updated_at"}
"""Keys of a registry entry that say nothing of the result."""

PORTION = 1 << 21
"""Bytes of a table that become text at a time: intermediate copies are of this size."""

FEW = 1 << 10
"""Categories among which one may be much longer than the others."""

LARGEST_BLOCK = (1 << 31) - 1

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

MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
    *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""What pandas takes for a missing value."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A table in the form in which stores keep it.

    Parameters
    ----------
    data_csv
        The table as plain CSV, for every reader.
    arrow_schema
        Its Arrow schema in base64, as `pyarrow.ipc.read_schema` takes it. Where types do not
        say all, as with categories, it goes on as an IPC stream of no rows.
    csv_sha256
        SHA-256 of `data_csv`, 64 lower-case hex digits.
    arrow_ipc
        The table as compressed Arrow IPC stream in base64; empty where the text and the
        schema give the table.
    """

    data_csv: str
    arrow_schema: str
    csv_sha256: str
    arrow_ipc: str


def encode(table: pa.Table, *, limit: int | None = None) -> Frame:
    """Turn a table into what `decode` turns into the same table.

    Raises
    ------
    FrameTooLargeError
        If a text would be longer than `limit` bytes.
    """
    data, faithful = _csv(table, limit)
    text, stored = _storable(data)
    ipc = "" if faithful and stored is data else pack(table)
    if limit is not None and len(ipc) > limit:
        raise FrameTooLargeError(limit)
    return Frame(
        data_csv=text,
        arrow_schema=base64(_schema(table.slice(0, 0))),
        csv_sha256=sha256(stored).hexdigest(),
        arrow_ipc=ipc,
    )


def beside_digest(arrow_schema: str, arrow_ipc: str, entry: Mapping[str, Any]) -> str:
    """Return the digest of what is kept beside a frame, without the times of its entry."""
    said = {key: value for key, value in entry.items() if key not in TIMES}
    return digest((arrow_schema, arrow_ipc, json.dumps(said, sort_keys=True)))


def decode(frame: Frame) -> pa.Table:
    """Return the table that was encoded.

    Raises
    ------
    FrameCorruptError
        If the text is not the one that was encoded, or the rest does not fit it.
    """
    data = frame.data_csv.encode(errors="replace")
    if sha256(data).hexdigest() != frame.csv_sha256:
        raise FrameCorruptError("data_csv was changed: its SHA-256 is not csv_sha256")
    try:
        table = unpack(frame.arrow_ipc or frame.arrow_schema).read_all()
        return table if frame.arrow_ipc else _read(data, table)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise FrameCorruptError(f"what is kept beside data_csv does not fit: {error}") from error


def empty_of(arrow_schema: str) -> pa.Table:
    """Return a table like a frame that was encoded, without rows, from `Frame.arrow_schema`.

    Raises
    ------
    FrameCorruptError
        If it is none.
    """
    try:
        return unpack(arrow_schema).read_all()
    except (ValueError, OSError, pa.ArrowException) as error:
        raise FrameCorruptError(f"arrow_schema is not an Arrow schema: {error}") from error


def infer(data_csv: str) -> pa.Table:
    """Return a table from text alone, with the types that pandas would infer.

    Raises
    ------
    FrameCorruptError
        If the text is not CSV.
    """
    data = data_csv.lstrip("\r\n").encode(errors="replace")
    try:
        first = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""))
        names = next(first, [])
        rows = _rows(data, [pa.string()] * len(names), missing=MISSING, quoted=True)
    except (csv.Error, pa.ArrowException) as error:
        raise FrameCorruptError(f"data_csv is not CSV: {error}") from error
    return pa.Table.from_arrays([_inferred(column) for column in rows.columns], names=names)


def to_csv(table: pa.Table, *, header: bool) -> bytes:
    """Return a table as the text that `Frame.data_csv` would be, in UTF-8.

    Parameters
    ----------
    table
        The table, or some rows of one that is written portion by portion.
    header
        Whether the names of the columns stand in front.
    """
    lines = [_lines(cells, batch.schema.types) for batch, cells in _portions(table)]
    names = _header(table.schema.names) if header else b""
    return _storable(b"".join([names, *lines]))[1]


def _csv(table: pa.Table, limit: int | None) -> tuple[bytes, bool]:
    """Return the text of a table, and whether it and the schema give the table back."""
    faithful, empty = _shows_all_rows(table), table.slice(0, 0).columns
    text = io.BytesIO()
    text.write(_header(table.schema.names))
    for batch, cells in _portions(table):
        faithful = faithful and all(map(_gives_back, cells, batch.columns, empty))
        text.write(_lines(cells, batch.schema.types))
        if limit is not None and text.tell() > limit:
            raise FrameTooLargeError(limit)
    return text.getvalue(), faithful


def _portions(table: pa.Table) -> Iterator[tuple[pa.RecordBatch, list[pa.Array[Any]]]]:
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


def _storable(data: bytes) -> tuple[str, bytes]:
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


def _shows_all_rows(table: pa.Table) -> bool:
    """Tell whether the text has all rows, and a lone missing string does not look empty."""
    if table.num_columns != 1:
        return bool(table.num_columns or not table.num_rows)
    return table.schema.types[0].id in VALUES or not table.column(0).null_count


def _header(names: Iterable[str]) -> bytes:
    return (",".join(map(_name, names)) + "\n").encode()


def _name(name: str) -> str:
    if name and not re.search(f"{AWKWARD}|\ufeff", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def _lines(cells: Sequence[pa.Array[Any]], kinds: Sequence[pa.DataType]) -> pa.Buffer | bytes:
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
    return _characters(_joined(rows, NEWLINE))


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
    quoted = _joined(QUOTE, pc.replace_substring(text, '"', '""'), QUOTE)
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
    return _joined(*pieces, _string("}"))


def _json_lists(column: pa.Array[Any]) -> Texts:
    lengths = coalesce(pc.list_value_length(column).cast(pa.int64()), ZERO[0])
    ends = cast("pa.Int64Array", pa.concat_arrays([ZERO, pc.cumulative_sum(lengths)]))
    cells = pa.LargeListArray.from_arrays(ends, _json_values(pc.list_flatten(column)))
    items: Texts = pc.binary_join(cells, COMMA)  # type: ignore[assignment]  # the stubs: or a scalar
    return _joined(_where(column, "["), items, _string("]"))


def _json_values(column: pa.Array[Any]) -> Texts:
    kind, text = column.type, text_of(column)
    if pa.types.is_boolean(kind):
        text = pc.ascii_lower(text)
    elif pa.types.is_floating(kind):
        text = pc.replace_substring(text, "inf", "Infinity")
    elif not (pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_nested(kind)):
        for raw, escaped in ESCAPES.items():
            text = pc.replace_substring(text, raw, escaped)
        text = _joined(QUOTE, text, QUOTE)
    return coalesce(text, NULL)


def _where(column: pa.Array[Any], text: str) -> Texts:
    """Return the text where the column is not null, and null elsewhere."""
    return if_else(column.is_valid(), _string(text), NOTHING)


def _suffixed(number: Texts, suffix: str) -> Texts:
    return pc.binary_replace_slice(number, END, END, suffix)


def _joined(*parts: Texts | pa.Scalar[Any]) -> Texts:
    return join(*parts, separator=EMPTY)


def _characters(text: Texts) -> bytes:
    """Return the text of all cells without a break."""
    _, offsets, data = text.buffers()
    if not offsets or not data:
        return b""
    ends = memoryview(offsets).cast("q")
    return bytes(data[ends[text.offset] : ends[text.offset + len(text)]])


def _schema(empty: pa.Table) -> pa.Buffer:
    if all(kind.id in EXACT for kind in empty.schema.types):
        return empty.schema.serialize()
    columns = [_like(column) for column in empty.columns]
    return stream(pa.RecordBatch.from_arrays(columns, schema=empty.schema))


def _gives_back(cells: pa.Array[Any], column: pa.Array[Any], empty: pa.ChunkedArray[Any]) -> bool:
    if cells.null_count != column.null_count:
        return False
    if column.type.id in EXACT:
        return True
    try:
        return _restored(cells, _like(empty)).equals(column)
    except pa.ArrowException:
        return False


def _like(empty: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    """Return a column without rows as one array, with its categories."""
    return empty.chunks[0] if empty.num_chunks else nulls(0, empty.type)


def _restored(cells: pa.Array[Any], like: pa.Array[Any]) -> pa.Array[Any]:
    """Turn cells into values of the type and the categories of `like`."""
    kind, text = like.type, cells.cast(TEXT)
    if isinstance(like, pa.ExtensionArray):
        return like.type.wrap_array(_restored(text, like.storage))
    if isinstance(like, pa.DictionaryArray):
        indices = pc.index_in(text, value_set=text_of(like.dictionary)).cast(kind.index_type)
        return pa.DictionaryArray.from_arrays(indices, like.dictionary, ordered=kind.ordered)
    if pa.types.is_duration(kind):
        return pc.replace_substring(text, f" {kind.unit}", "").cast(pa.int64()).cast(kind)
    if pa.types.is_time(kind):
        return _joined(EPOCH, text).cast(pa.timestamp(kind.unit)).cast(kind)
    return text.cast(kind)


def _read(data: bytes, empty: pa.Table) -> pa.Table:
    """Read text into a table like the empty one."""
    kinds = [kind if kind.id in VALUES else pa.string() for kind in empty.schema.types]
    rows = _rows(data, kinds, missing=("",), quoted=pa.string() not in kinds)
    if not rows.num_rows:
        return empty
    columns = map(_column, rows.columns, empty.columns)
    return pa.Table.from_arrays(list(columns), schema=empty.schema)


def _column(cells: pa.ChunkedArray[Any], empty: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    if cells.type == empty.type:
        return cells
    like = _like(empty)
    return pa.chunked_array([_restored(chunk, like) for chunk in cells.chunks], like.type)


def _rows(
    data: bytes, kinds: Sequence[pa.DataType], *, missing: Sequence[str], quoted: bool
) -> pa.Table:
    """Read the rows of a text as columns of these types, named by their position."""
    names = [str(position) for position in range(len(kinds))]
    if not names:
        return pa.Table.from_arrays([], names)
    return read_csv(
        pa.BufferReader(data),  # type: ignore[arg-type]  # the stubs: no NativeFile
        ReadOptions(
            column_names=names,
            skip_rows_after_names=1,
            block_size=min(len(data) + 1, LARGEST_BLOCK),
        ),
        ParseOptions(newlines_in_values=True),
        ConvertOptions(
            column_types=dict(zip(names, kinds, strict=True)),
            null_values=list(missing),
            true_values=["True"],
            false_values=["False"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=quoted,
        ),
    )


def _inferred(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Give a column of text the type that all of its values have."""
    if column.null_count == len(column):
        return column.cast(pa.float64()) if len(column) else column
    values = pc.ascii_trim_whitespace(column)
    for pattern, kinds in GUESSES.items():
        if pc.all(pc.match_substring_regex(values, pattern)).as_py():
            return _first_cast(values, kinds)
    return column


def _first_cast(values: pa.ChunkedArray[Any], kinds: Iterable[pa.DataType]) -> pa.ChunkedArray[Any]:
    for kind in kinds:
        try:
            return values.cast(kind)
        except pa.ArrowInvalid:
            continue
    return values


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

GUESSES = {
    "^-?[0-9]+$": (pa.int64(), pa.uint64()),
    r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i:inf(inity)?))$": (pa.float64(),),
    "^(?i:true|false)$": (pa.bool_(),),
}
"""What all values of a column look like -> types to try, in order."""
