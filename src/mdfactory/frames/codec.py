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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

from mdfactory.errors import FrameCorruptError, FrameTooLargeError
from mdfactory.frames.text import (
    EPOCH,
    EXACT,
    TEXT,
    VALUES,
    concatenated,
    header_line,
    lines_of,
    portions,
    storable,
    text_of,
)
from mdfactory.records.arrow import base64, nulls, pack, stream, unpack
from mdfactory.records.digests import digest

__all__ = [
    "Frame",
    "decode",
    "empty_of",
    "encode",
    "infer",
    "sidecar_digest",
]

TIMES = {"created_at", "updated_at"}
"""Keys of a registry entry that say nothing of the result."""

LARGEST_BLOCK = (1 << 31) - 1

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
    text, stored = storable(data)
    ipc = "" if faithful and stored is data else pack(table)
    if limit is not None and len(ipc) > limit:
        raise FrameTooLargeError(limit)
    return Frame(
        data_csv=text,
        arrow_schema=base64(_schema(table.slice(0, 0))),
        csv_sha256=sha256(stored).hexdigest(),
        arrow_ipc=ipc,
    )


def sidecar_digest(arrow_schema: str, arrow_ipc: str, entry: Mapping[str, Any]) -> str:
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


def _csv(table: pa.Table, limit: int | None) -> tuple[bytes, bool]:
    """Return the text of a table, and whether it and the schema give the table back."""
    faithful, empty = _shows_all_rows(table), table.slice(0, 0).columns
    text = io.BytesIO()
    text.write(header_line(table.schema.names))
    for batch, cells in portions(table):
        faithful = faithful and all(map(_gives_back, cells, batch.columns, empty))
        text.write(lines_of(cells, batch.schema.types))
        if limit is not None and text.tell() > limit:
            raise FrameTooLargeError(limit)
    return text.getvalue(), faithful


def _shows_all_rows(table: pa.Table) -> bool:
    """Tell whether the text has all rows, and a lone missing string does not look empty."""
    if table.num_columns != 1:
        return bool(table.num_columns or not table.num_rows)
    return table.schema.types[0].id in VALUES or not table.column(0).null_count


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
        return concatenated(EPOCH, text).cast(pa.timestamp(kind.unit)).cast(kind)
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


GUESSES = {
    "^-?[0-9]+$": (pa.int64(), pa.uint64()),
    r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i:inf(inity)?))$": (pa.float64(),),
    "^(?i:true|false)$": (pa.bool_(),),
}
"""What all values of a column look like -> types to try, in order."""
