"""The text of CSV files (RFC 4180): how records become text, and where they end in it."""

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

__all__ = [
    "CRLF",
    "LF",
    "MARK",
    "PART",
    "complete",
    "copy",
    "divided",
    "header_line",
    "integers",
    "rendered",
    "write",
]

log = logging.getLogger(__name__)

PART: Final = 15 * 2**16
"""Bytes that are read, parsed or written together; more if one record is longer.

Less than a MiB: blocks of memory from there on come fresh from the system each time, see
`cli.session`, which would cost as much as the parsing.
"""

MARK: Final = b"\xef\xbb\xbf"
"""What some programs write before UTF-8."""

COMMA, QUOTE, NOTHING, LF, CRLF = array([",", '"', "", "\n", "\r\n"], pa.string())
"""Arrow scalars; `pyarrow.scalar` would import pandas."""

AWKWARD: Final = '[",\r\n]'
"""What a cell is quoted for."""


def header_line(table: Table) -> bytes:
    """Return the first line of a new file."""
    return ",".join(table.columns).encode() + b"\n"


def rendered(texts: Sequence[pa.Array[Any]], newline: pa.StringScalar) -> pa.Buffer | bytes:
    """Return rows, given by their columns, as CSV; like pandas, quote only what must be."""
    lines = join(join(*map(_quoted, texts), separator=COMMA), NOTHING, separator=newline)
    return lines.buffers()[2] or b""


def _quoted(texts: pa.Array[Any]) -> pa.Array[Any]:
    awkward = pc.match_substring_regex(texts, AWKWARD)
    if not pc.any(awkward).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return if_else(awkward, join(QUOTE, doubled, QUOTE, separator=NOTHING), texts)


def divided(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Divide rows into batches that become parts of a file."""
    if rows.nbytes <= PART or rows.num_rows <= 1:
        if rows.num_rows:
            yield rows
        return
    half = rows.num_rows // 2
    yield from divided(rows.slice(0, half))
    yield from divided(rows.slice(half))


def complete(text: bytes) -> int:
    """Return the length of the whole records of a text: up to its last newline outside quotes."""
    end, inside = len(text), text.count(b'"') % 2
    while end >= 0:
        quote = text.rfind(b'"', 0, end)
        newline = -1 if inside else text.rfind(b"\n", quote + 1, end)
        if newline >= 0:
            return newline + 1
        end, inside = quote, not inside
    return 0


def integers(texts: pa.Array[Any], path: Path, column: str) -> pa.Array[Any]:
    """Return texts as 64-bit integers; pandas may have written them as ``7.0``.

    Raises
    ------
    StoreError
        If one is no integer.
    """
    try:
        return pc.cast(texts, pa.int64())
    except pa.ArrowInvalid:
        try:
            return pc.cast(pc.replace_substring_regex(texts, r"\.0*$", ""), pa.int64())
        except pa.ArrowInvalid as error:
            raise StoreError(f"{path}: column {column}: {one_line(error)}") from error


def write(handle: int, text: bytes | pa.Buffer) -> int:
    """Write a text to an open file, whole, and return its length in bytes."""
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(handle, rest) :]
    return len(memoryview(text))


def copy(source: int, target: int, offset: int, length: int) -> None:
    """Append a stretch of one file to another, in the kernel where it can."""
    end = offset + length
    try:
        while offset < end:
            copied = os.copy_file_range(source, target, end - offset, offset)
            if not copied:
                break
            offset += copied
    except (AttributeError, OSError) as error:
        log.debug("copying by hand: %s", error)
    while offset < end:
        text = os.pread(source, min(PART, end - offset), offset)
        if not text:
            raise EOFError("a file became shorter while it was copied")
        write(target, text)
        offset += len(text)
