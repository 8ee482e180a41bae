"""The text form of CSV files (RFC 4180): render records, find record ends, copy bytes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.errors import StoreError, one_line
from mdfactory.records.arrow import array, if_else, join
from mdfactory.records.tables import Table

log = logging.getLogger(__name__)

PART_BYTES: Final = 15 * 2**16
"""Bytes of text that are read, parsed or written at once; a longer record is a part by itself.

The size is below 1 MiB: the allocator returns larger blocks to the system and requests them again
each time (see `cli.tune_process`), which would take as long as the parsing.
"""

MAX_LARGE_RECORD_BYTES: Final = 2**30
"""Longest record of a table with large cells.

A cell has at most 256 MiB (`campaign.results`), twice that if each character is a quote. The
before-image of an analysis holds two such cells in base64.
"""

MAX_RECORD_BYTES: Final = 2**28
"""Longest record of any other table."""

COMMA, QUOTE, EMPTY, LF, CRLF = array([",", '"', "", "\n", "\r\n"], pa.string())
"""Arrow scalars, taken from an array because `pyarrow.scalar` would import pandas."""

SPECIAL_CHARACTERS: Final = '[",\r\n]'
"""Regular expression for the characters that require quotes around a cell."""


def max_record_bytes(table: Table) -> int:
    """Return the length of the longest record that a file of a table may hold."""
    return MAX_LARGE_RECORD_BYTES if table.large else MAX_RECORD_BYTES


def render_rows(columns: Sequence[pa.Array[Any]], newline: pa.StringScalar) -> pa.Buffer | bytes:
    """Return string columns as lines of CSV.

    As in pandas, only cells with special characters are quoted.
    """
    lines = join(join(*map(_quote, columns), separator=COMMA), EMPTY, separator=newline)
    return lines.buffers()[2] or b""


def _quote(cells: pa.Array[Any]) -> pa.Array[Any]:
    is_special = pc.match_substring_regex(cells, SPECIAL_CHARACTERS)
    if not pc.any(is_special).as_py():
        return cells
    doubled = pc.replace_substring(cells, '"', '""')
    return if_else(is_special, join(QUOTE, doubled, QUOTE, separator=EMPTY), cells)


def split_rows(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield rows in batches of at most `PART_BYTES`, or of a single longer row."""
    if rows.nbytes <= PART_BYTES or rows.num_rows <= 1:
        if rows.num_rows:
            yield rows
        return
    half = rows.num_rows // 2
    yield from split_rows(rows.slice(0, half))
    yield from split_rows(rows.slice(half))


def complete_length(text: bytes) -> int:
    """Return the length of the complete records at the start of a text.

    The last complete record ends at the last newline outside quotes.
    """
    end = len(text)
    in_quotes = text.count(b'"') % 2 == 1
    # Search backwards, from quote to quote: the last newline is usually near the end.
    while end >= 0:
        quote = text.rfind(b'"', 0, end)
        newline = -1 if in_quotes else text.rfind(b"\n", quote + 1, end)
        if newline >= 0:
            return newline + 1
        end, in_quotes = quote, not in_quotes
    return 0


def has_nul(text: bytes | pa.Buffer) -> bool:
    """Whether a text contains a NUL."""
    view = memoryview(text)
    starts = range(0, len(view), PART_BYTES)
    return any(b"\0" in view[start : start + PART_BYTES].tobytes() for start in starts)


def first_record_length(text: bytes, *, in_quotes: bool) -> int:
    """Return the length of the rest of a record at the start of a text; 0 if it does not end.

    Parameters
    ----------
    text
        Text whose start is inside a record.
    in_quotes
        Whether its start is inside quotes.
    """
    # Two quotes in a row stand for a character of a cell, and end nothing.
    parts = text.replace(b'""', b"__").split(b'"')
    length = 0
    for part in parts:
        newline = -1 if in_quotes else part.find(b"\n")
        if newline >= 0:
            return length + newline + 1
        length += len(part) + 1
        in_quotes = not in_quotes
    return 0


def parse_integers(cells: pa.Array[Any], path: Path, column: str) -> pa.Array[Any]:
    """Return cells as 64-bit integers; ``7.0``, which pandas may have written, is 7.

    Parameters
    ----------
    cells
        Strings.
    path, column
        File and column of the cells, for the message.

    Raises
    ------
    StoreError
        If a cell is not an integer.
    """
    try:
        return pc.cast(cells, pa.int64())
    except pa.ArrowInvalid:
        try:
            return pc.cast(pc.replace_substring_regex(cells, r"\.0*$", ""), pa.int64())
        except pa.ArrowInvalid as error:
            raise StoreError(f"{path}: column {column}: {one_line(error)}") from error


def write_all(handle: int, text: bytes | pa.Buffer) -> int:
    """Write a whole text to an open file, and return its length in bytes."""
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(handle, rest) :]
    return len(memoryview(text))


def copy_in_kernel(source: int, target: int, offset: int, length: int) -> int:
    """Append bytes of one open file to another inside the kernel, if it supports that.

    Returns
    -------
    int
        The number of bytes that were copied: all, or fewer if the kernel or disk cannot do more.
    """
    copied = 0
    try:
        while count := os.copy_file_range(source, target, length - copied, offset + copied):
            copied += count
    except (AttributeError, OSError) as error:
        log.debug("cannot copy inside the kernel: %s", error)
    return copied
