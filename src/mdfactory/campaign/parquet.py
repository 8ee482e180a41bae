"""Bounded reads of the Parquet files of analyses.

A Parquet file of a few kilobytes may take gigabytes in memory: Parquet stores a repeated value
once, and Arrow repeats it. `read_frame` therefore refuses a file whose values would exceed a limit
when they are written as text. The size is estimated in two steps, from cheap to expensive:

1. The footer of the file may show that its text exceeds the limit (`_check_metadata`), or that
   its columns take less memory than the limit (`_max_chunk_bytes`), as those of most files.
2. Otherwise the file is read once in small batches, with texts as dictionaries, which do not
   repeat values, and the lengths are added up (`_check_text_size`).

A frame is refused only if its text surely exceeds the limit, with two exceptions: fixed-width byte
columns may not take more than `MAX_FIXED_WIDTH_BYTES` in memory, and unused categories count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow.parquet import ColumnChunkMetaData, FileMetaData, ParquetFile

from mdfactory.campaign.parquet_types import restored
from mdfactory.errors import FrameTooLargeError
from mdfactory.frames.size import min_characters
from mdfactory.records.ipc import SPARE_BYTES
from mdfactory.records.parquet import (
    DICTIONARY_ENCODINGS,
    FIXED_WIDTH_TYPE,
    PREFIX_ENCODING,
    TEXT_TYPE,
    column_chunks,
    page_bytes,
    read_footer,
)

MAX_VALUE_BYTES: Final = {
    "BOOLEAN": 1,
    "INT32": 4,
    "FLOAT": 4,
    "INT64": 8,
    "DOUBLE": 8,
    "INT96": 12,
}
"""Physical type of Parquet -> largest size of a value in Arrow's memory."""

REPEATING_ENCODINGS: Final = {*DICTIONARY_ENCODINGS, PREFIX_ENCODING}
"""Encodings in which a text may take fewer bytes than it has characters."""

BATCH_VALUES: Final = 1 << 20
"""Number of values that are measured at a time."""

MAX_FIXED_WIDTH_BYTES: Final = 2**30
"""Memory that all fixed-width byte columns of a file may take. A null takes as much as a value."""


def read_frame(path: Path, limit: int) -> pa.Table:
    """Read a Parquet file, unless it surely takes more than `limit` bytes as text.

    Parameters
    ----------
    path
        The Parquet file.
    limit
        Bytes that the frame may take as text.

    Raises
    ------
    FrameTooLargeError
        If the text surely exceeds the limit. The frame was never completely in memory.
    OSError, ValueError, pyarrow.ArrowException
        If the file cannot be read.
    """
    with ParquetFile(path, metadata=read_frame_footer(path)) as file:
        _check_metadata(file, limit)
        if sum(map(_max_chunk_bytes, column_chunks(file.metadata))) > limit:
            _check_text_size(path, file.metadata, limit)
        frame = file.read()
    frame.schema.names  # noqa: B018  # raises an error if a name is not UTF-8
    return restored(frame)


def read_frame_footer(path: Path) -> FileMetaData:
    """Return the footer of a Parquet file; see `records.parquet.read_footer`."""
    with path.open("rb") as file:
        return read_footer(file)


def _check_metadata(file: ParquetFile, limit: int) -> None:
    """Raise an error if the metadata alone shows that the frame is too large."""
    metadata, column_count = file.metadata, len(file.schema_arrow)
    if metadata.num_rows * column_count > limit:  # each value takes at least a separator
        raise FrameTooLargeError(limit, f"{metadata.num_rows:,} rows of {column_count:,} columns")
    # A column of structures or lists has several leaf columns in Parquet.
    leaf_values, fixed_width_bytes, all_page_bytes = [0] * metadata.num_columns, 0, 0
    for number, chunk in enumerate(column_chunks(metadata)):
        leaf = number % metadata.num_columns
        leaf_values[leaf] += chunk.num_values
        all_page_bytes += page_bytes(chunk)
        if chunk.physical_type == FIXED_WIDTH_TYPE:
            fixed_width_bytes += chunk.num_values * (metadata.schema.column(leaf).length or 0)
    # Even an empty list has one value. Each further value is an item: a character and a comma.
    extra_items = max(leaf_values, default=0) - metadata.num_rows
    if extra_items * 2 > limit:
        raise FrameTooLargeError(limit)
    # A page holds the text of its values, with the length of each, or numbers of at most 8 bytes.
    if all_page_bytes > limit + 8 * sum(leaf_values) + SPARE_BYTES:
        raise FrameTooLargeError(limit)
    if fixed_width_bytes > MAX_FIXED_WIDTH_BYTES:
        raise ValueError(
            f"its fixed-width columns take more than {MAX_FIXED_WIDTH_BYTES >> 30} GiB in memory"
        )


def _max_chunk_bytes(chunk: ColumnChunkMetaData) -> int:
    """Return an upper bound of the memory that a column chunk takes in Arrow."""
    if chunk.physical_type in MAX_VALUE_BYTES:
        return chunk.num_values * MAX_VALUE_BYTES[chunk.physical_type]
    repeats = chunk.num_values if REPEATING_ENCODINGS.intersection(chunk.encodings) else 1
    return chunk.total_uncompressed_size * repeats


def _check_text_size(path: Path, metadata: FileMetaData, limit: int) -> None:
    """Read a file in small batches, and raise an error if its text is too long."""
    chunks = list(column_chunks(metadata))
    texts = {chunk.path_in_schema for chunk in chunks if chunk.physical_type == TEXT_TYPE}
    prefixed = {chunk.path_in_schema for chunk in chunks if PREFIX_ENCODING in chunk.encodings}
    # pyarrow cannot read prefix-encoded columns as dictionaries. Each of their texts may be as long
    # as the whole chunk, so they limit the rows of a batch.
    prefixed_bytes = [
        chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in prefixed
    ]
    batch_rows = min(
        BATCH_VALUES // max(1, metadata.num_columns), limit // (8 * max([1, *prefixed_bytes]))
    )
    characters, dictionaries = 0, sorted(texts - prefixed)
    with ParquetFile(path, metadata=metadata, read_dictionary=dictionaries) as file:
        for batch in file.iter_batches(batch_size=max(1, batch_rows)):
            characters += min_characters(batch)
            if characters > limit:
                raise FrameTooLargeError(limit)
