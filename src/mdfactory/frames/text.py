"""Tables as CSV text, which Arrow writes many rows at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.records.arrow import array, coalesce, if_else, join

BATCH_BYTES = 1 << 21
"""Approximate bytes of a batch of `text_batches`, and of each intermediate copy of it."""

END_POSITION = 1 << 10
"""A position after the last character of any number or time."""

TEXT_TYPE = pa.large_string()

TextArray: TypeAlias = "pa.Array[pa.Scalar[pa.lib.LargeStringType]]"
"""An array of type `TEXT_TYPE`."""

Fractions: TypeAlias = Any
"""Whether the times of a column have fractions of seconds; a list for the children of a column."""

QUOTED_CHARACTERS = '[",\r\n]'
"""Characters for which a field is quoted. The empty string is quoted, too."""


def is_csv_value(data_type: pa.DataType) -> bool:
    """Whether Arrow's CSV reader reads values of this type back exactly."""
    others = {pa.null(), pa.bool_(), pa.float32(), pa.float64()}
    return pa.types.is_integer(data_type) or data_type in others


def is_exact(data_type: pa.DataType) -> bool:
    """Whether values of this type are restored exactly from their text, if it is not null."""
    return is_csv_value(data_type) or data_type in {pa.string(), pa.large_string()}


def to_csv(table: pa.Table, *, header: bool) -> bytes:
    """Return a table as CSV in UTF-8, formatted like `frames.codec.Frame.data_csv`.

    Parameters
    ----------
    table
        The table, or some of its rows.
    header
        Whether to write the names of the columns first.
    """
    first_line = csv_header(table.schema.names) if header else b""
    return to_storable(b"".join([first_line, *(lines for _, _, lines in text_batches(table))]))[1]


def text_batches(table: pa.Table) -> Iterator[tuple[pa.RecordBatch, list[TextArray], bytes]]:
    """Yield batches of a table, each with its columns as in `to_text`, and as CSV lines."""
    if not table.num_columns:
        return
    rows = max(1 << 10, BATCH_BYTES * table.num_rows // max(1, table.get_total_buffer_size()))
    # buffers hold each category once, but the text repeats it in each row
    category_bytes = max(1, *map(_longest_category_bytes, table.columns))
    rows = max(1, min(rows, BATCH_BYTES // category_bytes))
    fractions = [_fractions(column.chunks) for column in table.columns]
    for batch in table.to_batches(max_chunksize=rows):
        cells = list(map(to_text, batch.columns, fractions))
        yield batch, cells, _csv_lines(cells, batch.schema.types)


def _longest_category_bytes(column: pa.ChunkedArray[Any]) -> int:
    """Return the bytes of the longest category in the first chunk; 0 if there are none."""
    chunk = column.chunks[0] if column.num_chunks else None
    if not isinstance(chunk, pa.DictionaryArray):
        return 0
    lengths: pa.Array[Any] = pc.binary_length(to_text(chunk.dictionary))  # type: ignore[call-overload]
    return pc.max(lengths).as_py() or 0


def to_storable(data: bytes) -> tuple[str, bytes]:
    """Return a text that every store accepts, decoded from UTF-8, and the UTF-8 of that text.

    U+FFFD replaces NUL and bytes that are not UTF-8.
    """
    text = data.decode(errors="replace").replace("\0", "\ufffd")
    return text, text.encode() if "\ufffd" in text else data


def csv_header(names: Iterable[str]) -> bytes:
    """Return the header line of column names."""
    return (",".join(map(_quoted_name, names)) + "\n").encode()


def _quoted_name(name: str) -> str:
    if name and not re.search(f"{QUOTED_CHARACTERS}|\ufeff", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def _csv_lines(cells: Sequence[TextArray], types: Sequence[pa.DataType]) -> bytes:
    """Return rows as CSV lines; a row of one empty field is ``""``, not an empty line."""
    *fields, last = (
        column if pa.types.is_primitive(data_type) else _quote(column)
        for column, data_type in zip(cells, types, strict=True)
    )
    blank = "" if fields else '""'
    ends = join(last, NEWLINE, separator=EMPTY, null_handling="replace", null_replacement=blank)
    return _joined_bytes(join(*fields, ends, separator=COMMA, null_handling="replace"))


def _quote(text: TextArray) -> TextArray:
    """Quote the cells that need it."""
    data, empty = _joined_bytes(text), pc.equal(text, EMPTY)
    if not empty.true_count and not any(mark in data for mark in (b",", b'"', b"\n", b"\r")):
        return text  # much faster than the search for the cells
    quoted = concatenate('"', pc.replace_substring(text, '"', '""'), '"')
    return if_else(pc.match_substring_regex(text, f"^$|{QUOTED_CHARACTERS}"), quoted, text)


def to_text(column: pa.Array[Any], fractions: Fractions | None = None) -> TextArray:
    """Return the text that ``data_csv`` has for each value, without quotes; null if missing or NaN.

    Parameters
    ----------
    column
        The column.
    fractions
        Which times are written with fractions of seconds. Default: those of which a value in
        `column` has one.
    """
    fractions = _fractions([column]) if fractions is None else fractions
    for kinds, convert in TEXT_CONVERTERS.items():
        if isinstance(column, kinds):
            return convert(column, fractions).cast(TEXT_TYPE)
    return column.cast(TEXT_TYPE)


def _fractions(chunks: Sequence[pa.Array[Any]]) -> Fractions:
    """Return which times of a column have fractions of seconds.

    All values of a column, or of a child of a nested column, are written alike: programs that read
    the text refuse times of several formats.
    """
    if children := list(zip(*map(child_columns, chunks), strict=True)):
        return list(map(_fractions, children))
    return any(map(_has_fraction, chunks))


def child_columns(column: pa.Array[Any]) -> Sequence[pa.Array[Any]]:
    """Return the columns of which the text of a column consists; none if it is not nested.

    Parameters
    ----------
    column
        The column; a map counts as a list of structures.
    """
    match column:
        case pa.ExtensionArray():
            return [column.storage]
        case pa.DictionaryArray():
            return [column.dictionary]
        case pa.StructArray():
            return column.flatten()
        case pa.lib.BaseListArray():
            return [pc.list_flatten(_maps_as_lists(column))]
    return []


def _maps_as_lists(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return maps as lists of key and value; other lists unchanged."""
    data_type = column.type
    if not isinstance(data_type, pa.MapType):
        return column
    entry = pa.struct([("key", data_type.key_type), ("value", data_type.item_type)])
    return column.cast(pa.list_(entry))


def _has_fraction(column: pa.Array[Any]) -> bool:
    if pa.types.is_timestamp(column.type):
        try:
            column.cast(pa.timestamp("s", column.type.tz))
        except pa.ArrowInvalid:
            return True
    return False


def _floats_to_text(column: pa.Array[Any], _: Fractions) -> pa.Array[Any]:
    """Return floats with a ``.0`` for whole numbers and null for NaN."""
    if column.type == pa.float16():
        column = column.cast(pa.float32())
    # Arrow writes fractions as wanted: return early if there are no whole numbers and no NaN
    if pc.greater(column, pc.floor(column)).true_count == len(column) - column.null_count:
        return column
    text = column.cast(TEXT_TYPE)
    whole = pc.ascii_is_decimal(pc.ascii_ltrim(text, "-"))
    text = if_else(whole, _append(text, ".0"), text)
    nan = pc.is_nan(column)
    return if_else(nan, NULL_TEXT, text) if nan.true_count else text


def _timestamps_to_text(column: pa.Array[Any], fractions: Fractions) -> TextArray:
    """Return times as text, in UTC if they have a zone."""
    times = column.view(pa.timestamp(column.type.unit))
    text = (times if fractions else times.cast(pa.timestamp("s"))).cast(TEXT_TYPE)
    return _append(text, "Z") if column.type.tz else text


def _binary_to_hex(column: pa.Array[Any], _: Fractions) -> TextArray:
    text = array([(cell or b"").hex() for cell in column.to_pylist()], TEXT_TYPE)
    return if_else(column.is_valid(), text, NULL_TEXT)


def _structs_to_json(column: pa.StructArray, fractions: Fractions) -> TextArray:
    pieces: list[TextArray | str] = []
    for position, (field, cells) in enumerate(zip(column.type, child_columns(column), strict=True)):
        name = ("," if position else "") + json.dumps(field.name) + ":"
        pieces += [name, _values_to_json(cells, fractions[position])]
    return if_else(column.is_valid(), concatenate("{", *pieces, "}"), NULL_TEXT)


def _lists_to_json(column: pa.Array[Any], fractions: Fractions) -> TextArray:
    column = _maps_as_lists(column)
    lengths = coalesce(pc.list_value_length(column).cast(pa.int64()), ZERO[0])
    ends = cast("pa.Int64Array", pa.concat_arrays([ZERO, pc.cumulative_sum(lengths)]))
    values = _values_to_json(pc.list_flatten(column), fractions[0])
    items: TextArray = pc.binary_join(pa.LargeListArray.from_arrays(ends, values), COMMA)  # type: ignore[assignment]  # the stubs: or a scalar
    return if_else(column.is_valid(), concatenate("[", items, "]"), NULL_TEXT)


def _values_to_json(column: pa.Array[Any], fractions: Fractions) -> TextArray:
    data_type, text = column.type, to_text(column, fractions)
    if pa.types.is_boolean(data_type):
        text = pc.ascii_lower(text)
    elif pa.types.is_floating(data_type):
        text = pc.replace_substring(text, "inf", "Infinity")
    elif not any(is_kind(data_type) for is_kind in WRITTEN_BARE):
        for raw, escaped in JSON_ESCAPES.items():
            text = pc.replace_substring(text, raw, escaped)
        text = concatenate('"', text, '"')
    return coalesce(text, JSON_NULL)


def _append(text: TextArray, suffix: str) -> TextArray:
    """Return short texts with a suffix, inserted at a position after their last character."""
    return pc.binary_replace_slice(text, END_POSITION, END_POSITION, suffix)


def concatenate(*parts: TextArray | str) -> TextArray:
    """Concatenate columns and texts row by row; null where one of the columns is null."""
    operands = (array([part], TEXT_TYPE)[0] if isinstance(part, str) else part for part in parts)
    return join(*operands, separator=EMPTY)


def _joined_bytes(text: TextArray) -> bytes:
    """Return the UTF-8 of all cells, one after the other."""
    _, offsets, data = text.buffers()
    if not offsets or not data:
        return b""
    ends = memoryview(offsets).cast("q")
    return bytes(data[ends[text.offset] : ends[text.offset + len(text)]])


NULL_TEXT = pa.nulls(1, TEXT_TYPE)[0]

EMPTY, COMMA, NEWLINE, TRUE, FALSE, JSON_NULL = array(
    ["", ",", "\n", "True", "False", "null"], TEXT_TYPE
)

ZERO = array([0], pa.int64())

WRITTEN_BARE = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_nested)
"""Types whose text is JSON already."""

JSON_ESCAPES = {"\\": "\\\\", '"': '\\"', **{chr(code): f"\\u{code:04x}" for code in range(32)}}
"""Character -> its escape in a JSON string; backslash first, since other escapes contain it."""

DECIMAL_ARRAYS = (pa.Decimal32Array, pa.Decimal64Array, pa.Decimal128Array, pa.Decimal256Array)

BINARY_ARRAYS = (pa.BinaryArray, pa.LargeBinaryArray, pa.FixedSizeBinaryArray, pa.BinaryViewArray)

TEXT_CONVERTERS: dict[Any, Callable[[Any, Any], pa.Array[Any]]] = {
    pa.ExtensionArray: lambda column, fractions: to_text(column.storage, fractions[0]),
    pa.DictionaryArray: lambda column, fractions: to_text(column.dictionary, fractions[0]).take(
        column.indices
    ),
    pa.IntegerArray: lambda column, _: column,
    pa.BooleanArray: lambda column, _: if_else(column, TRUE, FALSE),
    pa.FloatingPointArray: _floats_to_text,
    pa.TimestampArray: _timestamps_to_text,
    pa.DurationArray: lambda column, _: _append(
        column.cast(pa.int64()).cast(TEXT_TYPE), f" {column.type.unit}"
    ),
    DECIMAL_ARRAYS: lambda column, _: column,  # they are fixed-size binaries, too
    BINARY_ARRAYS: _binary_to_hex,
    pa.StructArray: _structs_to_json,
    pa.lib.BaseListArray: _lists_to_json,
}
"""Class of arrays -> conversion to cells. Arrow casts columns of other types to text."""
