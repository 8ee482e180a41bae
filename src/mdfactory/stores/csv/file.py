"""One CSV file of records: found, read and appended to in parts of bounded size.

How several files become one store, and how they are replaced, stands in `stores.csvfiles`.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from mdfactory.errors import StoreChangedError, StoreError, one_line
from mdfactory.records.arrow import Column, array
from mdfactory.records.query import Condition, OneOf, Prefix
from mdfactory.records.tables import Table
from mdfactory.stores.csv.text import CRLF, LF, MARK, PART, complete, copy, divided, rendered, write

__all__ = ["CsvFile"]

LIGHT: Final = 128
"""Mean bytes of a column's cells, up to which the column of a whole file is kept in memory."""

CHUNKS: Final = 32
"""Arrays of a column that is kept, beyond which they become one."""

AHEAD: Final = 2 * PART
"""Bytes of the texts that may be read before they are asked for."""

SHORT: Final = 2 * PART
"""Bytes of a part of which all columns may be held."""

Text = bytes | memoryview


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Whole records that lie together in a file.

    Parameters
    ----------
    offset, length
        Where, in bytes.
    first
        Number of the first record.
    rows
        Number of the records.
    """

    offset: int
    length: int
    first: int
    rows: int


class CsvFile:
    """A file of records, open for reading, and for appending if it is ours alone.

    All cells are texts here. Records are numbered in the order in which they lie in the file;
    of those that were discarded only `alive` tells, until the file is written anew.

    Parameters
    ----------
    handle
        The open file; it is closed with this object.
    path
        Its name, for messages.
    table
        Whose records it holds.
    note
        What messages say beside what is wrong.
    """

    def __init__(self, handle: int, path: Path, table: Table, note: str = "") -> None:
        self._handle = handle
        self._path = path
        self._note = note
        self._table = table
        self._parts: list[RowGroup] = []
        self._kept: dict[str, pa.ChunkedArray[Any]] = {}
        self._parsed: tuple[RowGroup, pa.RecordBatch] | None = None
        self._heavy: frozenset[str] | None = None
        self._asked = False
        self._state = _state(handle)
        self.header, self.start, self._newline = self._head()
        self.alive = bytearray()
        self.size = os.fstat(handle).st_size
        self._complete = self.start == self.size

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    # Reading

    def stream(
        self, columns: Sequence[str], where: Collection[Condition] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records that are alive and meet the conditions, in the order of the file."""
        needed = dict.fromkeys([*columns, *(condition.column for condition in where)])
        for part, rows in self._batches(list(needed)):
            found = self._living(part, rows)
            for condition in where:
                found = found.filter(_mask(condition, found[condition.column]))
            if found.num_rows:
                yield found.select(columns)

    def find(self, where: Collection[Condition]) -> list[int]:
        """Return the numbers of the records that are alive and meet the conditions.

        The columns of the conditions are read once and kept in memory.
        """
        self.keep({condition.column for condition in where})
        masks = [_mask(condition, self._kept[condition.column]) for condition in where]
        numbers: list[Any] = pc.indices_nonzero(reduce(pc.and_, masks)).to_pylist()
        return [number for number in numbers if self.alive[number]] if self.gone else numbers

    def fetch(self, numbers: Sequence[int], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some records, these columns of them, by their numbers in ascending order.

        Columns with short cells are kept in memory when they are asked for again.
        """
        if not numbers:
            return
        if self._asked and not set(columns) & self._bulky():
            self.keep(columns)
        self._asked = True
        if set(columns) <= self._kept.keys():
            wanted = array(numbers, pa.int64())
            taken = [self._kept[name].take(wanted).combine_chunks() for name in columns]
            yield pa.RecordBatch.from_arrays(taken, list(columns))
            return
        for part, some in groupby(numbers, self._part_of):
            rows = self._some(part, columns)
            yield rows.take(array([one - part.first for one in some], pa.int64()))

    def keep(self, columns: Collection[str]) -> None:
        """Hold columns of all records in memory."""
        missing = [name for name in dict.fromkeys(columns) if name not in self._kept]
        if self._complete and not missing:
            return
        missing = missing or list(self._table.key[:1])
        arrays: dict[str, list[pa.Array[Any]]] = {name: [] for name in missing}
        for _, rows in self._batches(missing):
            for name in missing:
                arrays[name].append(rows[name])
        for name in missing:
            self._kept[name] = _one_chunk(pa.chunked_array(arrays[name], pa.string()))

    @property
    def rows(self) -> int:
        """The number of records; all of the file must have been read."""
        return self._parts[-1].first + self._parts[-1].rows if self._parts else 0

    @property
    def gone(self) -> bool:
        """Whether any record was discarded."""
        return 0 in self.alive

    def _batches(self, columns: Sequence[str]) -> Iterator[tuple[RowGroup, pa.RecordBatch]]:
        """Parse the file part by part; the parts are noted on the way."""

        def parse(part: RowGroup, text: Text) -> pa.RecordBatch:
            return self._parse(text, part, columns)

        if self._complete:
            known = list(self._parts)
            texts = ((part, self._read(part.offset, part.length)) for part in known)
            yield from _ahead(texts, parse)
            return
        parts: list[RowGroup] = []
        first = 0
        for part, rows in _ahead(self._texts(), parse):
            counted = replace(part, first=first, rows=rows.num_rows)
            parts.append(counted)
            first += rows.num_rows
            if len(self.alive) < first:
                self.alive += b"\1" * (first - len(self.alive))
            yield counted, rows
        self._parts, self._complete = parts, True

    def _check(self) -> None:
        if _state(self._handle) != self._state:
            raise StoreChangedError(
                f"{self._path} was written by another program while it was read{self._note}. "
                "Try again"
            )

    def _texts(self) -> Iterator[tuple[RowGroup, Text]]:
        """Divide the file into texts of whole records, which are not counted yet."""
        offset, length = self.start, PART
        while offset < self.size:
            text = self._read(offset, min(length, self.size - offset))
            end = len(text)
            if offset + end < self.size:
                end = complete(text)
                if not end:
                    length *= 2
                    continue
            elif text.count(b'"') % 2:
                raise self._malformed("it ends in the middle of a quoted cell")
            yield (
                RowGroup(offset, end, 0, 0),
                memoryview(text)[:end],
            )  # a copy would take as long again
            offset += end
            if length > PART and complete(text[:PART]):  # the long record has gone by
                length = PART

    def _read(self, offset: int, length: int) -> bytes:
        text = os.pread(self._handle, length, offset)
        while len(text) < length:
            more = os.pread(self._handle, length - len(text), offset + len(text))
            if not more:
                break
            text += more
        self._check()
        return text

    def _parse(self, text: Text, part: RowGroup, columns: Sequence[str]) -> pa.RecordBatch:
        try:
            rows = pacsv.read_csv(
                pa.BufferReader(text),  # type: ignore[arg-type]  # the stubs: no NativeFile
                pacsv.ReadOptions(
                    column_names=self.header, block_size=len(text) + 1, use_threads=False
                ),
                pacsv.ParseOptions(newlines_in_values=True),
                pacsv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()),
                    include_columns=list(columns),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            raise self._explained(text, part.offset, error) from error
        if not rows.num_rows:
            empty = [array([], pa.string()) for _ in columns]
            return pa.RecordBatch.from_arrays(empty, list(columns))
        return rows.combine_chunks().to_batches()[0]

    def _explained(self, text: Text, offset: int, error: Exception) -> StoreError:
        """Say in which line a text is malformed; only then is Python's reader asked."""
        before = 1 + sum(
            self._read(start, min(PART, offset - start)).count(b"\n")
            for start in range(0, offset, PART)
        )
        limit = csv.field_size_limit(sys.maxsize)
        try:
            lines = io.StringIO(bytes(text).decode(errors="surrogateescape"), newline="")
            reader, line = csv.reader(lines), before
            for row in reader:
                if row and len(row) != len(self.header):
                    what = f"{len(row)} columns instead of {len(self.header)}"
                    return self._malformed(f"the record in line {line} has {what}")
                if any("\udc80" <= letter <= "\udcff" for cell in row for letter in cell):
                    return self._malformed(f"the record in line {line} is not in UTF-8")
                line = before + reader.line_num
        except csv.Error as reason:
            return self._malformed(f"line {line}: {reason}")
        finally:
            csv.field_size_limit(limit)
        return self._malformed(one_line(error))

    def _malformed(self, reason: str) -> StoreError:
        return StoreError(
            f"{self._path}: {reason}{self._note}. Mend the file, or put back a copy of it"
        )

    def _head(self) -> tuple[list[str], int, pa.StringScalar]:
        """Return the columns of the file, where its records begin, and how its lines end."""
        text = os.pread(self._handle, 2**16, 0)
        line, newline, _ = text.partition(b"\n")
        try:
            names = next(csv.reader([line.removeprefix(MARK).decode().rstrip("\r")]), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise self._malformed(f"its first line is no header: {error}") from error
        if not names:
            raise self._malformed("it has no header")
        columns = self._table.columns
        missing = ", ".join(name for name in columns if name not in names)
        extra = ", ".join(dict.fromkeys(n for n in names if n not in columns or names.count(n) > 1))
        if missing or extra:
            wrong = [f"it lacks {missing}"] * bool(missing)
            wrong += [f"it also has {extra or 'unnamed ones'}"] * bool(extra)
            raise StoreError(
                f"{self._path}: its columns are not those of {self._table.name}: "
                f"{' and '.join(wrong)}{self._note}. It must have {', '.join(columns)}"
            )
        return names, len(line) + len(newline), CRLF if line.endswith(b"\r") else LF

    def _living(self, part: RowGroup, rows: pa.RecordBatch) -> pa.RecordBatch:
        mask = self.alive[part.first : part.first + part.rows]
        return rows.filter(_booleans(mask)) if 0 in mask else rows

    def _part_of(self, number: int) -> RowGroup:
        return self._parts[bisect_right(self._parts, number, key=lambda part: part.first) - 1]

    def _some(self, part: RowGroup, columns: Sequence[str]) -> pa.RecordBatch:
        """Parse columns of a part: all of a short one, kept since the next question is near."""
        if part.length > SHORT:
            return self._parse(self._read(part.offset, part.length), part, columns)
        if self._parsed is None or self._parsed[0] != part:
            text = self._read(part.offset, part.length)
            self._parsed = part, self._parse(text, part, self.header)
        return self._parsed[1].select(list(columns))

    def _bulky(self) -> frozenset[str]:
        """Return the columns that are too long to be kept, to judge by the first records."""
        if self._heavy is None:
            large = self._table.large
            rows = self._some(self._parts[0], [name for name in self.header if name not in large])
            names = (
                name for name in rows.schema.names if rows[name].nbytes > LIGHT * rows.num_rows
            )
            self._heavy = frozenset((*large, *names))
        return self._heavy

    # Writing

    def discard(self, keys: Collection[tuple[object, ...]]) -> None:
        """Note that the records with these keys are gone; those that are not there are no error."""
        texts = {tuple(map(str, key)) for key in keys}
        names = self._table.key
        where = [
            OneOf(name, tuple(set(values)))
            for name, values in zip(names, zip(*texts, strict=True), strict=False)
        ]
        if not where or (self._complete and not self._parts):
            return
        numbers = self.find(where)
        if not numbers:
            return
        wanted = array(numbers, pa.int64())
        columns = (self._kept[name].take(wanted).to_pylist() for name in names)
        for number, key in zip(numbers, zip(*columns, strict=True), strict=True):
            if key in texts:
                self.alive[number] = 0

    def append(self, rows: pa.RecordBatch) -> None:
        """Add records at the end of the file."""
        self.keep(self._kept.keys() | set(self._table.key))
        for some in divided(rows):
            texts = [pc.cast(some[name], pa.string()) for name in self.header]
            length = write(self._handle, rendered(texts, self._newline))
            self._parts.append(RowGroup(self.size, length, self.rows, some.num_rows))
            self.size += length
            self.alive += b"\1" * some.num_rows
            for name, column in self._kept.items():
                chunks = [*column.chunks, _copied(texts[self.header.index(name)])]
                self._kept[name] = _few_chunks(pa.chunked_array(chunks, pa.string()))
        self._state = _state(self._handle)

    def begin(self) -> bytes:
        """Return the first line of the file, as it is."""
        line = os.pread(self._handle, self.start, 0)
        return line if line.endswith(b"\n") else line + b"\n"

    def copy_records(self, target: CsvFile) -> None:
        """Append the records that are alive to another file, byte by byte where all are."""
        if not self.gone:
            target.copy_bytes(self._handle, self.start, self.size - self.start)
            return
        for part in self._parts:
            alive = self.alive[part.first : part.first + part.rows]
            if 0 not in alive:
                target.copy_bytes(self._handle, part.offset, part.length)
            elif 1 in alive:
                rows = self._parse(self._read(part.offset, part.length), part, self.header)
                target.append(self._living(part, rows))

    def copy_bytes(self, source: int, offset: int, length: int) -> None:
        """Append a stretch of another file, closing its last line; it is not read from here."""
        copy(source, self._handle, offset, length)
        self.size += length
        if length and os.pread(source, 1, offset + length - 1) != b"\n":
            self.size += write(self._handle, self._newline.as_buffer())
        self._state = _state(self._handle)
        if not self._parts:
            self.start = self.size

    def sync(self) -> None:
        """Bring the file to disk."""
        os.fsync(self._handle)


def _ahead(
    texts: Iterable[tuple[RowGroup, Text]], parse: Callable[[RowGroup, Text], pa.RecordBatch]
) -> Iterator[tuple[RowGroup, pa.RecordBatch]]:
    """Parse texts in another thread, while the next ones are read and these are looked at.

    Long ones are not held for that: a text counts, together with what is made of it.
    """
    with ThreadPoolExecutor(1) as worker:
        waiting: deque[tuple[RowGroup, Future[pa.RecordBatch]]] = deque()
        for part, text in texts:
            waiting.append((part, worker.submit(parse, part, text)))
            del text
            while sum(part.length for part, _ in waiting) > AHEAD:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)


def _first(
    waiting: deque[tuple[RowGroup, Future[pa.RecordBatch]]],
) -> tuple[RowGroup, pa.RecordBatch]:
    part, parsed = waiting.popleft()
    return part, parsed.result()


def _mask(condition: Condition, column: Column) -> Column:
    if isinstance(condition, Prefix):
        return pc.starts_with(column, condition.text)
    return pc.is_in(column, value_set=array(condition.values, pa.string()))


def _booleans(values: bytearray) -> pa.Array[Any]:
    buffers = [None, pa.py_buffer(bytes(values))]
    return pa.Array.from_buffers(pa.uint8(), len(values), buffers).cast(pa.bool_())


def _copied(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return a column that holds no more than itself: those of a batch may share one memory."""
    return array(column.to_pylist(), pa.string())


def _one_chunk(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    if column.num_chunks <= 1:
        return column
    return pa.chunked_array([column.combine_chunks()], pa.string())


def _few_chunks(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    return _one_chunk(column) if column.num_chunks > CHUNKS else column


def _state(handle: int) -> tuple[int, int]:
    """Return what changes if another program writes a file."""
    status = os.fstat(handle)
    return status.st_mtime_ns, status.st_size
