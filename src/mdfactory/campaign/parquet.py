"""Parquet files of analyses, read within bounds: what a few kilobytes hold may be gigabytes.

Parquet says a repeated value once, and Arrow repeats it. So a file that may hold too much is
first measured, a portion at a time, with its texts as categories: these are not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import ColumnChunkMetaData, FileMetaData, ParquetFile

from mdfactory.errors import FrameTooLargeError

__all__ = ["read_frame"]

WIDTHS: Final = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
"""Bytes that a value takes in Arrow, at most."""

FIXED: Final = "FIXED_LEN_BYTE_ARRAY"
FRONT: Final = "DELTA_BYTE_ARRAY"
"""The encoding in which a text shares its beginning with the one before."""

REPEATING: Final = {"RLE_DICTIONARY", "PLAIN_DICTIONARY", FRONT}
"""Encodings in which a text may take less room than it has characters."""

PORTION: Final = 1 << 20
"""Values that are measured at a time."""

TEXTS: Final = (pa.StringArray, pa.LargeStringArray, pa.BinaryArray, pa.LargeBinaryArray)
"""Columns whose values are of different lengths."""

ROOM: Final = 2**30
"""Bytes that columns of bytes of one width may take in memory, where null takes as many."""


def read_frame(path: Path, limit: int) -> pa.Table:
    """Read a Parquet file, unless it surely takes more than `limit` bytes as text.

    Raises
    ------
    FrameTooLargeError
        If it does. It was not held in memory.
    OSError, ValueError, pyarrow.ArrowException
        If it cannot be read.
    """
    with ParquetFile(path) as file:
        if not _is_small(file, limit):
            _check_size(file, limit)
            if sum(map(_most, _chunks(file.metadata))) > limit:
                _measure(path, file.metadata, limit)
        return file.read()


def _is_small(file: ParquetFile, limit: int) -> bool:
    """Whether even with each value as long as the whole file it cannot be large: it mostly is."""
    metadata = file.metadata
    size = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    kinds = file.schema_arrow.types
    if any(map(pa.types.is_nested, kinds)) or any(map(pa.types.is_fixed_size_binary, kinds)):
        return False
    return metadata.num_rows * (size + metadata.num_columns) <= limit


def _chunks(metadata: FileMetaData) -> Iterator[ColumnChunkMetaData]:
    for at in range(metadata.num_row_groups):
        group = metadata.row_group(at)
        yield from map(group.column, range(group.num_columns))


def _check_size(file: ParquetFile, limit: int) -> None:
    """Refuse what its metadata alone shows to be too large."""
    metadata, columns = file.metadata, len(file.schema_arrow)
    if metadata.num_rows * columns > limit:  # each takes a separator at least
        raise FrameTooLargeError(limit, f"{metadata.num_rows:,} rows of {columns:,} columns")
    values, fixed = [0] * metadata.num_columns, 0
    for at, chunk in enumerate(_chunks(metadata)):
        leaf = at % metadata.num_columns
        values[leaf] += chunk.num_values
        if chunk.physical_type == FIXED:
            fixed += chunk.num_values * (metadata.schema.column(leaf).length or 0)
    # A row of a list has a value if it is empty, too; all further ones are items with a comma.
    items = max(values, default=0) - metadata.num_rows
    if items * 2 > limit:
        raise FrameTooLargeError(limit)
    if fixed > ROOM:
        raise ValueError(f"its bytes of fixed length take more than {ROOM >> 30} GiB in memory")


def _most(chunk: ColumnChunkMetaData) -> int:
    """Return how many bytes a part of a column takes in memory at most."""
    if chunk.physical_type in WIDTHS:
        return chunk.num_values * WIDTHS[chunk.physical_type]
    repeated = chunk.num_values if REPEATING.intersection(chunk.encodings) else 1
    return chunk.total_uncompressed_size * repeated


def _measure(path: Path, metadata: FileMetaData, limit: int) -> None:
    """Refuse a file whose text is too long, holding little of it."""
    chunks = list(_chunks(metadata))
    texts = {chunk.path_in_schema for chunk in chunks if chunk.physical_type == "BYTE_ARRAY"}
    fronts = {chunk.path_in_schema for chunk in chunks if FRONT in chunk.encodings}
    # Arrow makes no categories of these; each may be as long as all that is said of them.
    longest = [chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in fronts]
    rows = min(PORTION // max(1, metadata.num_columns), limit // (8 * max([1, *longest])))
    least = 0
    with ParquetFile(path, read_dictionary=sorted(texts - fronts)) as file:
        for batch in file.iter_batches(batch_size=max(1, rows)):
            least += batch.num_rows * batch.num_columns + sum(map(_least_text, batch.columns))
            if least > limit:
                raise FrameTooLargeError(limit)


def _least_text(column: pa.Array[Any]) -> int:
    """Return how many characters the values of a column have, at least."""
    if isinstance(column, pa.ExtensionArray):
        return _least_text(column.storage)
    if pa.types.is_nested(column.type):
        return sum(map(_least_text, _parts(column)))
    if isinstance(column, TEXTS):
        return _sum(pc.binary_length(column))
    if isinstance(column, pa.DictionaryArray) and isinstance(column.dictionary, TEXTS):
        return _sum(pc.binary_length(column.dictionary).take(column.indices))
    return _least_digits(column)


def _parts(column: pa.Array[Any]) -> list[pa.Array[Any]]:
    """Return the fields of structures, or the items of lists; a map is a list of structures."""
    if isinstance(column, pa.StructArray):
        return column.flatten()
    kind = column.type
    if pa.types.is_map(kind):
        entry = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
        return _parts(column.cast(pa.list_(entry)))
    return [pc.list_flatten(column)]


def _least_digits(column: pa.Array[Any]) -> int:
    kind, present = column.type, len(column) - column.null_count
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):  # 0.0, inf; NaN is not written
        return 3 * (present - pc.is_nan(column).true_count)
    if pa.types.is_boolean(kind):
        return 4 * present
    return present if pa.types.is_integer(kind) or pa.types.is_temporal(kind) else 0


def _sum(lengths: pa.Array[Any]) -> int:
    return int(pc.sum(lengths.cast(pa.int64())).as_py() or 0)
