"""Check the footer of a Parquet file of another program before Arrow reads its pages.

A file of some kilobytes may announce gigabytes: a page is decompressed as a whole, and a value that
is stored once may be repeated any number of times.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyarrow.parquet import ColumnChunkMetaData, FileMetaData

MAX_FOOTER_BYTES: Final = 2**25
"""Largest footer; that of a hundred thousand columns takes 18 MB."""

TEXT_TYPE: Final = "BYTE_ARRAY"
FIXED_WIDTH_TYPE: Final = "FIXED_LEN_BYTE_ARRAY"
DICTIONARY_ENCODINGS: Final = {"RLE_DICTIONARY", "PLAIN_DICTIONARY"}

PREFIX_ENCODING: Final = "DELTA_BYTE_ARRAY"
"""Encoding that leaves out the prefix that a text shares with the previous text."""


def read_footer(file: IO[bytes]) -> FileMetaData:
    """Return the footer of a Parquet file, unless it is very large.

    Raises
    ------
    OSError, ValueError, pyarrow.ArrowException
        If the file cannot be read, or its footer is too large.
    """
    from pyarrow.parquet import read_metadata

    end = file.seek(0, 2)
    file.seek(max(0, end - 8))
    length = struct.unpack("<I4x", file.read(8).rjust(8))[0]
    # Arrow names what is wrong with a file that ends differently, or is shorter than its footer.
    if MAX_FOOTER_BYTES < length < end:
        raise ValueError(f"its footer takes more than {MAX_FOOTER_BYTES >> 20} MiB")
    return read_metadata(file)


def column_chunks(metadata: FileMetaData) -> Iterator[ColumnChunkMetaData]:
    """Yield the column chunks of all row groups; the columns have the same order in each group."""
    for group_number in range(metadata.num_row_groups):
        group = metadata.row_group(group_number)
        yield from map(group.column, range(group.num_columns))


def page_bytes(chunk: ColumnChunkMetaData) -> int:
    """Return the bytes of all pages of a column chunk, as its footer announces them."""
    return max(chunk.total_uncompressed_size, chunk.total_compressed_size)
