"""Read and parse the text of one CSV file: its header, and byte ranges of whole records."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pacsv

from mdfactory.errors import StoreChangedError, StoreError, one_line
from mdfactory.records.arrow import batch
from mdfactory.records.tables import Table
from mdfactory.stores.csv.text import (
    CRLF,
    LF,
    PART_BYTES,
    complete_length,
    first_record_length,
    max_record_bytes,
)

MAX_HEADER_BYTES: Final = 2**16
"""Largest number of bytes that are read to find the first line."""

PREFETCH_BYTES: Final = 2 * PART_BYTES
"""Largest amount of text that is read and parsed ahead of the caller."""

Text = bytes | memoryview
"""UTF-8 text of a file; a memoryview is a part of a longer text, without a copy."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """The open file of a table, as it was when the transaction began.

    Parameters
    ----------
    name
        Name of the table in the spelling of the file.
    path
        Path of the file.
    handle
        File descriptor: of the file, or of the staged file that is about to replace it.
    status
        File state of `handle` when it was opened.
    """

    name: str
    path: Path
    handle: int
    status: os.stat_result

    def has_status(self, status: os.stat_result) -> bool:
        """Whether a file state is that of this file, and no other program has changed it."""
        fields = ("st_ino", "st_dev", "st_mtime_ns", "st_size")
        return all(getattr(self.status, name) == getattr(status, name) for name in fields)


@dataclass(frozen=True, slots=True)
class Span:
    """A byte range of an open file that holds whole records.

    Parameters
    ----------
    handle
        File descriptor.
    offset, length
        In bytes.
    """

    handle: int
    offset: int
    length: int

    def divide(self, start: int = 0) -> Iterator[Span]:
        """Yield the parts from an offset in this range on, of at most `PART_BYTES`."""
        for offset in range(start, self.length, PART_BYTES):
            length = min(PART_BYTES, self.length - offset)
            yield Span(self.handle, self.offset + offset, length)


class CsvReader:
    """Reads byte ranges of the files of a table, and parses them to string columns.

    Parameters
    ----------
    table
        Table whose records the files hold.
    path
        Path of the table's file, for messages.
    old
        The file as it was when the transaction began; None for a new table. Staged files have the
        same header.
    outcome
        Text that error messages add, such as ``; nothing was changed``.

    Attributes
    ----------
    columns
        Column names in the order of the file.
    header_length
        Bytes of the first line of the old file, newline included.
    newline
        Line end of the file, as an Arrow scalar.

    Raises
    ------
    StoreError
        If the header is malformed, or its columns are not those of the table.
    """

    def __init__(self, table: Table, path: Path, old: OpenFile | None, outcome: str) -> None:
        self._table = table
        self._path = path
        self._old = old
        self._outcome = outcome
        self.columns = list(table.columns)
        self.header_length = 0
        self.newline = LF
        if old:
            self._read_header(old)

    def read(self, span: Span) -> bytes:
        """Return the bytes of a range.

        Raises
        ------
        StoreChangedError
            If another program has changed the old file since it was opened.
        """
        text = b""
        while rest := os.pread(span.handle, span.length - len(text), span.offset + len(text)):
            text += rest
        if self._old and not self._old.has_status(os.fstat(self._old.handle)):
            raise StoreChangedError(
                f"{self._path} was changed by another program while it was read{self._outcome}. "
                "Try again"
            )
        if b"\0" in text:
            line = self._line_of(span) + text[: text.index(b"\0")].count(b"\n")
            raise self._malformed(f"line {line} contains a NUL, which is no text")
        return text

    def split(self, old: OpenFile) -> Iterator[tuple[Span, Text]]:
        """Divide the records of the old file into parts of at most `PART_BYTES`.

        A longer record is a part by itself.

        Yields
        ------
        tuple
            Byte range of whole records, and its text.

        Raises
        ------
        StoreError
            If a record does not end, or is longer than any that a store writes.
        """
        offset, size = self.header_length, old.status.st_size
        while offset < size:
            span = next(Span(old.handle, offset, size - offset).divide())
            text = self.read(span)
            is_last = offset + len(text) >= size
            if is_last and text.count(b'"') % 2:
                raise self._unterminated(span)
            length = len(text) if is_last else complete_length(text)
            if not length:
                span = self._find_long_record(Span(old.handle, offset, size - offset))
                text = self.read(span)
                length = span.length
            # A slice of bytes would copy.
            yield Span(old.handle, offset, length), memoryview(text)[:length]
            offset += length

    def _find_long_record(self, rest: Span) -> Span:
        """Return the byte range of the first record of a range, without holding its text."""
        limit, length, in_quotes = max_record_bytes(self._table), 0, False
        for part in rest.divide():
            text = self.read(part)
            end = first_record_length(text, in_quotes=in_quotes)
            length += end or len(text)
            if length > limit:
                raise self._malformed(
                    f"the record in line {self._line_of(rest)} is longer than {limit >> 20} MiB, "
                    "the longest that a store writes"
                )
            if end:
                return Span(rest.handle, rest.offset, length)
            in_quotes ^= text.count(b'"') % 2 == 1
        if in_quotes:
            raise self._unterminated(rest)
        return rest

    def parse(self, span: Span, text: Text, columns: Sequence[str]) -> pa.RecordBatch:
        """Parse some columns of whole records.

        Parameters
        ----------
        span, text
            A byte range, and its text from `read`.
        columns
            Names of the columns.

        Returns
        -------
        pyarrow.RecordBatch
            String columns in the order of `columns`.

        Raises
        ------
        StoreError
            If the text is malformed; the message names the line.
        """
        try:
            rows = pacsv.read_csv(
                pa.BufferReader(text),  # type: ignore[arg-type]  # the stubs: no NativeFile
                pacsv.ReadOptions(
                    column_names=self.columns, block_size=len(text) + 1, use_threads=False
                ),
                pacsv.ParseOptions(newlines_in_values=True),
                pacsv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()),
                    include_columns=list(columns),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            reason = self._find_malformed_line(span, text, one_line(error))
            raise self._malformed(reason) from error
        batches = rows.combine_chunks().to_batches()
        return batches[0] if batches else batch([], rows.schema)

    def read_and_parse(self, span: Span, columns: Sequence[str]) -> pa.RecordBatch:
        """Read a byte range and parse some of its columns; see `read` and `parse`."""
        return self.parse(span, self.read(span), columns)

    def parse_ahead(
        self, parts: Iterable[tuple[Span, Text]], columns: Sequence[str]
    ) -> Iterator[tuple[Span, pa.RecordBatch]]:
        """Parse texts in a second thread, while the calling thread reads and uses others.

        At most `PREFETCH_BYTES` of text are in the queue, or a single longer text.
        """
        with ThreadPoolExecutor(1) as executor:
            queue: deque[tuple[Span, Future[pa.RecordBatch]]] = deque()
            for span, text in parts:
                queue.append((span, executor.submit(self.parse, span, text, columns)))
                del text  # the executor frees it once it is parsed
                while sum(queued.length for queued, _ in queue) > PREFETCH_BYTES:
                    yield _pop_parsed(queue)
            while queue:
                yield _pop_parsed(queue)

    def _read_header(self, old: OpenFile) -> None:
        text = os.pread(old.handle, MAX_HEADER_BYTES, 0)
        line, newline, _ = text.partition(b"\n")
        try:
            cells = csv.reader([line.decode("utf-8-sig").rstrip("\r")])
            self.columns = next(cells, [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise self._malformed(f"its first line is no header: {error}") from error
        if not self.columns:
            raise self._malformed("it has no header")
        self.header_length = len(line) + len(newline)
        if line.endswith(b"\r"):
            self.newline = CRLF
        if b"\0" in line:
            raise self._malformed("line 1 contains a NUL, which is no text")
        required = self._table.columns
        problems = {
            "missing": [name for name in required if name not in self.columns],
            "unexpected": [name or "(no name)" for name in self.columns if name not in required],
            "duplicate": [name for name in required if self.columns.count(name) > 1],
        }
        differences = [f"{kind} {', '.join(names)}" for kind, names in problems.items() if names]
        if differences:
            raise StoreError(
                f"{self._path}: its columns are not those of {self._table.name}: "
                f"{'; '.join(differences)}{self._outcome}. Required columns: {', '.join(required)}"
            )

    def _find_malformed_line(self, span: Span, text: Text, reason: str) -> str:
        """Return which line is malformed, and why, after an error of Arrow's reader.

        Unlike that one, Python's counts lines. It is slow, and only used after an error.
        """
        first_line = self._line_of(span)
        if len(text) > PART_BYTES:  # a single record, for which that reader takes much memory
            return f"the record in line {first_line}: {reason}"
        limit = csv.field_size_limit(sys.maxsize)
        try:
            lines = io.StringIO(bytes(text).decode(errors="surrogateescape"), newline="")
            reader, line = csv.reader(lines), first_line
            for cells in reader:
                if cells and len(cells) != len(self.columns):
                    expected = len(self.columns)
                    return f"the record in line {line} has {len(cells)} columns, not {expected}"
                if any("\udc80" <= letter <= "\udcff" for cell in cells for letter in cell):
                    return f"the record in line {line} is not in UTF-8"
                line = first_line + reader.line_num
        except csv.Error as error:
            return f"line {line}: {error}"
        finally:
            csv.field_size_limit(limit)
        return reason

    def _line_of(self, span: Span) -> int:
        """Return the number of the line in which a range begins."""
        before = Span(span.handle, 0, span.offset)
        return 1 + sum(self.read(part).count(b"\n") for part in before.divide())

    def _unterminated(self, span: Span) -> StoreError:
        return self._malformed(
            "it ends in the middle of a quoted cell, which begins in line "
            f"{self._line_of(span)} or below"
        )

    def _malformed(self, reason: str) -> StoreError:
        return StoreError(
            f"{self._path}: {reason}{self._outcome}. Repair the file, or restore a copy of it"
        )


def _pop_parsed(
    queue: deque[tuple[Span, Future[pa.RecordBatch]]],
) -> tuple[Span, pa.RecordBatch]:
    span, parsed = queue.popleft()
    return span, parsed.result()
