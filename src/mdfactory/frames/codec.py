"""Frames as plain CSV text, with the Arrow data that restores the same table from the text.

Arrow writes and reads the text, many rows at a time. A missing value is an empty field, and the
empty string is ``""``. Other fields have quotes only if they need them.

If text and schema cannot restore every value, the frame also contains the whole table as an Arrow
IPC stream. Columns of integers, of 32- and 64-bit floats, of booleans and of strings are restored
exactly, except NaN, which has no text, and characters that `to_storable` replaces. For columns of
other types, `encode` restores the values from the text, and compares them.

This module does not call `pyarrow.array` or `pyarrow.scalar`, and passes no Python values to
compute functions, which would call them. These two import pandas, which takes half a second.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

from mdfactory.errors import FrameCorruptError, FrameTooLargeError
from mdfactory.frames.size import min_characters
from mdfactory.frames.text import (
    TEXT_TYPE,
    TextArray,
    concatenate,
    csv_header,
    is_csv_value,
    is_exact,
    text_batches,
    to_storable,
    to_text,
)
from mdfactory.records.arrow import base64, nulls, pack, stream, unpack
from mdfactory.records.digests import digest
from mdfactory.records.ipc import MAX_RATIO

ENTRY_TIME_KEYS = {"created_at", "updated_at"}
"""Keys of the times in a registry entry, which are no property of the result."""

MAX_CSV_BLOCK_BYTES = (1 << 31) - 1

PANDAS_MISSING_VALUES = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
    *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""Texts that pandas reads as missing values."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A table in the form in which stores hold it.

    Parameters
    ----------
    data_csv
        The table as plain CSV, which any program can read.
    arrow_schema
        The Arrow schema in base64, for `pyarrow.ipc.read_schema`. If a column has a type for which
        `is_exact` is false, this is an IPC stream without rows: it begins with the schema, and
        contains the categories.
    csv_sha256
        SHA-256 of `data_csv`, 64 lower-case hex digits.
    arrow_ipc
        The table as a compressed Arrow IPC stream in base64; empty if the text and the schema
        are enough to restore the table.
    """

    data_csv: str
    arrow_schema: str
    csv_sha256: str
    arrow_ipc: str


def encode(table: pa.Table, *, limit: int = sys.maxsize) -> Frame:
    """Return a table as a frame, from which `decode` restores the same table.

    Parameters
    ----------
    table
        The table.
    limit
        Maximum length of `Frame.data_csv` and of `Frame.arrow_ipc`, in bytes.

    Raises
    ------
    FrameTooLargeError
        If one of them is longer.
    """
    is_restorable, lines = _are_rows_unambiguous(table), io.BytesIO()
    empty = _empty_columns(table)
    lines.write(csv_header(table.schema.names))
    for batch, cells, batch_lines in text_batches(table):
        is_restorable = is_restorable and all(map(_is_restorable, cells, batch.columns, empty))
        lines.write(batch_lines)
        if lines.tell() > limit:
            raise FrameTooLargeError(limit)
    data = lines.getvalue()
    text, stored = to_storable(data)
    schema = base64(_serialized_schema(table.schema, empty))
    ipc = "" if is_restorable and stored == data else pack(table, len(stored) + len(schema))
    if max(len(stored), len(ipc)) > limit:
        raise FrameTooLargeError(limit)
    return Frame(
        data_csv=text,
        arrow_schema=schema,
        csv_sha256=sha256(stored).hexdigest(),
        arrow_ipc=ipc,
    )


def sidecar_digest(arrow_schema: str, arrow_ipc: str, entry: Mapping[str, Any]) -> str:
    """Return the digest of the sidecar of a frame.

    Parameters
    ----------
    arrow_schema, arrow_ipc
        The attributes of the frame.
    entry
        The entry of the registry file; its times are not part of the digest.
    """
    compared = {key: value for key, value in entry.items() if key not in ENTRY_TIME_KEYS}
    return digest((arrow_schema, arrow_ipc, json.dumps(compared, sort_keys=True)))


def decode(frame: Frame) -> pa.Table:
    """Return the table that was encoded as this frame.

    Raises
    ------
    FrameCorruptError
        If the text has changed since it was encoded, or the Arrow data does not match it.
    """
    data = frame.data_csv.encode(errors="replace")  # a lone surrogate then fails the check
    if sha256(data).hexdigest() != frame.csv_sha256:
        raise FrameCorruptError("data_csv was changed: its SHA-256 differs from csv_sha256")
    try:
        if frame.arrow_ipc:
            return _read_stream(frame, len(data))
        return _read_table(data, _read_schema(frame.arrow_schema))
    except (ValueError, OSError, pa.ArrowException) as error:
        raise FrameCorruptError(f"the Arrow data does not match data_csv: {error}") from error


def empty_table(arrow_schema: str) -> pa.Table:
    """Return a table without rows that has the schema of a frame, from `Frame.arrow_schema`.

    Raises
    ------
    FrameCorruptError
        If this is not an Arrow schema.
    """
    try:
        return _read_schema(arrow_schema)
    except ValueError as error:
        raise FrameCorruptError(f"arrow_schema is not an Arrow schema: {error}") from error


def infer(data_csv: str) -> pa.Table:
    """Return a table from CSV text alone, with the types that pandas would infer.

    Raises
    ------
    FrameCorruptError
        If the text is not CSV.
    """
    # pandas skips empty lines before the header, too
    data = data_csv.lstrip("\r\n").encode(errors="replace")
    try:
        lines = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""))
        names = next(lines, [])
        types = [pa.string()] * len(names)
        rows = _parse_csv(data, types, missing=PANDAS_MISSING_VALUES, quoted=True)
    except (csv.Error, pa.ArrowException) as error:
        raise FrameCorruptError(f"data_csv is not CSV: {error}") from error
    return pa.Table.from_arrays([_infer_type(column) for column in rows.columns], names=names)


def _are_rows_unambiguous(table: pa.Table) -> bool:
    """Whether the text contains all rows, and distinguishes missing strings from empty ones.

    The text of a table without columns contains no rows. In a table of one column, a missing string
    and an empty string are both written as ``""``, since a row must not be an empty line.
    """
    if table.num_columns != 1:
        return bool(table.num_columns or not table.num_rows)
    return is_csv_value(table.schema.types[0]) or not table.column(0).null_count


def _empty_columns(table: pa.Table) -> list[pa.Array[Any]]:
    """Return the columns of a table without their rows, but with their categories."""
    return [
        column.chunks[0] if column.num_chunks else nulls(0, column.type)
        for column in table.slice(0, 0).columns
    ]


def _serialized_schema(schema: pa.Schema, empty: list[pa.Array[Any]]) -> pa.Buffer:
    """Return a schema, with the categories of its empty columns if they may have any."""
    if all(map(is_exact, schema.types)):
        return schema.serialize()
    return stream(pa.RecordBatch.from_arrays(empty, schema=schema))


def _is_restorable(text: TextArray, column: pa.Array[Any], like: pa.Array[Any]) -> bool:
    """Whether the text is enough to restore a column of the type and categories of `like`."""
    if text.null_count != column.null_count:
        return False
    if is_exact(column.type):
        return True
    try:
        return _restore(text, like).equals(column)
    except pa.ArrowException:
        return False


def _restore(text: pa.Array[Any], like: pa.Array[Any]) -> pa.Array[Any]:
    """Return text as values that have the type and the categories of `like`."""
    data_type, text = like.type, text.cast(TEXT_TYPE)
    if isinstance(like, pa.ExtensionArray):
        return like.type.wrap_array(_restore(text, like.storage))
    if isinstance(like, pa.DictionaryArray):
        indices = pc.index_in(text, value_set=to_text(like.dictionary)).cast(data_type.index_type)
        return pa.DictionaryArray.from_arrays(indices, like.dictionary, ordered=data_type.ordered)
    if pa.types.is_fixed_size_binary(data_type) and data_type.byte_width > MAX_RATIO:
        raise pa.ArrowInvalid("nulls would take much more memory than text")
    if pa.types.is_duration(data_type):
        return pc.replace_substring(text, f" {data_type.unit}", "").cast(pa.int64()).cast(data_type)
    if pa.types.is_time(data_type):
        return concatenate("1970-01-01 ", text).cast(pa.timestamp(data_type.unit)).cast(data_type)
    return text.cast(data_type)


def _read_schema(arrow_schema: str) -> pa.Table:
    """Return a table without rows that has a stored schema."""
    table = unpack(arrow_schema)
    table.schema.names  # noqa: B018  # raises an error if a name is not UTF-8
    if table.num_rows:
        raise ValueError("it has rows")
    if table.get_total_buffer_size() > len(arrow_schema):  # categories are stored uncompressed
        raise ValueError("it is compressed")
    return table


def _read_stream(frame: Frame, text_bytes: int) -> pa.Table:
    """Return the table in the Arrow IPC stream of a frame."""
    table = unpack(frame.arrow_ipc, text_bytes + len(frame.arrow_schema))
    if table.num_rows * table.num_columns > text_bytes or min_characters(table) > text_bytes:
        raise ValueError(f"its {table.num_rows:,} rows have more text")
    return table


def _read_table(data: bytes, empty: pa.Table) -> pa.Table:
    """Read CSV as a table that has the schema and the categories of an empty table."""
    types = [
        data_type if is_csv_value(data_type) else pa.string() for data_type in empty.schema.types
    ]
    rows = _parse_csv(data, types, missing=("",), quoted=pa.string() not in types)
    if not rows.num_rows:
        return empty
    columns = [
        cells
        if cells.type == like.type
        else pa.chunked_array([_restore(chunk, like) for chunk in cells.chunks], like.type)
        for cells, like in zip(rows.columns, _empty_columns(empty), strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=empty.schema)


def _parse_csv(
    data: bytes, types: Sequence[pa.DataType], *, missing: Sequence[str], quoted: bool
) -> pa.Table:
    """Read CSV as columns of these types, named by their positions.

    Parameters
    ----------
    data
        The text, header included.
    types
        The type of each column.
    missing
        Texts of missing values.
    quoted
        Whether quoted fields can be missing values, too.
    """
    names = [str(position) for position in range(len(types))]
    if not names:
        return pa.Table.from_arrays([], names)
    return read_csv(
        pa.BufferReader(data),  # type: ignore[arg-type]  # the stubs: no NativeFile
        ReadOptions(
            column_names=names,
            skip_rows_after_names=1,
            # one block: Arrow refuses rows that span several, and cells may have many megabytes
            block_size=min(len(data) + 1, MAX_CSV_BLOCK_BYTES),
        ),
        ParseOptions(newlines_in_values=True),
        ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=list(missing),
            true_values=["True"],
            false_values=["False"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=quoted,
        ),
    )


def _infer_type(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Return a text column, converted to a type that fits all of its values."""
    if column.null_count == len(column):
        return column.cast(pa.float64()) if len(column) else column
    values = pc.ascii_trim_whitespace(column)
    for pattern, types in TYPES_BY_PATTERN.items():
        if pc.all(pc.match_substring_regex(values, pattern)).as_py():
            for data_type in types:
                with suppress(pa.ArrowInvalid):
                    return values.cast(data_type)
            return values
    return column


TYPES_BY_PATTERN = {
    "^-?[0-9]+$": (pa.int64(), pa.uint64()),
    r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i:inf(inity)?))$": (pa.float64(),),
    "^(?i:true|false)$": (pa.bool_(),),
}
"""Pattern that all values of a column match -> types to try, in order."""
