"""One table in a CSV transaction: its old file, and a staged file with the new records."""

from __future__ import annotations

import errno
import os
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial, reduce
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.errors import StoreError
from mdfactory.records.arrow import array
from mdfactory.records.query import Condition, OneOf, Query, matches, select_rows
from mdfactory.records.tables import Table
from mdfactory.stores.csv.reader import CsvReader, OpenFile, Span, Text
from mdfactory.stores.csv.text import (
    copy_in_kernel,
    has_nul,
    max_record_bytes,
    render_rows,
    split_rows,
    write_all,
)
from mdfactory.stores.keys import Key, keys_of, take_rows

MAX_MEAN_CELL_BYTES: Final = 128
"""Largest mean cell size of a column that a repeated look-up loads for all records."""

MAX_COLUMN_CHUNKS: Final = 32
"""Largest number of Arrow chunks of a loaded column; more are merged into one."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Consecutive records of a table.

    Parameters
    ----------
    span
        Their byte range.
    first
        Number of the first record.
    rows
        Number of records.
    """

    span: Span
    first: int
    rows: int


class CsvTable:
    """The records of a table in one transaction.

    New records are written to a staged file. It begins with a copy of the old file, unless
    records of the old file were discarded before. If records are discarded later, `finish` writes
    the remaining records to another staged file.

    Records are numbered from 0: those of the old file in their order, then the new ones. All cells
    are strings. These data are in memory:

    - the *row groups*, which map byte ranges to numbers of records. The first pass over the whole
      old file finds them, and `put` adds to them;
    - an *alive flag* for each record. `discard` clears the flag and does not change a file; reads
      and `finish` skip records whose flag is cleared;
    - the *loaded columns*: some columns of all records, including discarded records. A look-up
      evaluates its conditions on them, and then parses only the row groups with matching records.
      `put` adds the new records only to the columns of the key.

    Parameters
    ----------
    path
        Path of the file.
    table
        Table whose records the file holds.
    old
        The file as it was when the transaction began; None for a new table.
    create_staged
        Function that creates an empty staged file, and returns its path and file descriptor.
    outcome
        Text that error messages add, such as ``; nothing was changed``.
    """

    def __init__(
        self,
        path: Path,
        table: Table,
        old: OpenFile | None,
        create_staged: Callable[[], tuple[Path, int]],
        outcome: str,
    ) -> None:
        self.path = path
        self.name = table.name
        self._table = table
        self._old = old
        self._create_staged = create_staged
        self._reader = CsvReader(table, path, old, outcome)
        self._groups: list[RowGroup] = []
        self._unsplit = old  # until its row groups are known
        self._alive = bytearray()
        self._loaded: dict[str, pa.ChunkedArray[Any]] = {}
        self._short_columns: set[str] = set()
        # The latest group is kept: the next look-up probably needs it again, maybe other columns.
        self._parse_group = lru_cache(maxsize=1)(
            partial(self._reader.read_and_parse, columns=self._reader.columns)
        )
        self._staged: tuple[Path, int] | None = None
        self._first_staged = 0
        self._handles = ExitStack()

    def close(self) -> None:
        """Close the staged file; the transaction closes the old one."""
        self._handles.close()

    # Reading

    def scan(self, query: Query, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the records that meet the conditions of a query, as strings, in file order."""
        if any(isinstance(part, OneOf) and part.column == "hash" for part in query.where):
            return self._look_up(columns, query.where)
        return self._stream(columns, query.where)

    def _stream(
        self, columns: Sequence[str], where: Collection[Condition]
    ) -> Iterator[pa.RecordBatch]:
        """Yield records in one pass over the file."""
        parsed = dict.fromkeys([*columns, *(condition.column for condition in where)])
        for group, rows in self._parse_groups(list(parsed)):
            matching = select_rows(self._filter_alive(group, rows), where)
            if matching.num_rows:
                yield matching.select(columns)

    def _look_up(
        self, columns: Sequence[str], where: Collection[Condition]
    ) -> Iterator[pa.RecordBatch]:
        """Yield records that are found in loaded columns."""
        numbers = self._find_numbers(where)
        # For a single look-up, loading the columns is slower than parsing row groups. A second
        # look-up usually means that many keys are looked up in batches: then loading columns of
        # short cells is faster.
        if numbers and self._short_columns.issuperset(columns):
            self._load(columns)
            loaded = [self._loaded[name] for name in columns]
            if numbers[-1] < min(map(len, loaded)):
                cells = [_take(column, numbers) for column in loaded]
                yield pa.RecordBatch.from_arrays(cells, list(columns))
                return
        eligible = set(columns).difference(self._table.large)
        for group, group_numbers in groupby(numbers, self._group_of):
            rows = self._parse_group(group.span).select(list(columns))
            max_bytes = MAX_MEAN_CELL_BYTES * rows.num_rows
            self._short_columns |= {name for name in eligible if rows[name].nbytes <= max_bytes}
            yield take_rows(rows, [number - group.first for number in group_numbers])

    def _find_numbers(self, where: Collection[Condition]) -> list[int]:
        """Return the numbers of the records that meet the conditions, ascending."""
        self._load({condition.column for condition in where}, len(self._alive))
        if not self._groups:  # pyarrow 21 crashes on a column without chunks
            return []
        masks = [matches(condition, self._loaded[condition.column]) for condition in where]
        numbers: list[Any] = pc.indices_nonzero(reduce(pc.and_, masks)).to_pylist()
        return [number for number in numbers if self._alive[number]]

    def _load(self, columns: Collection[str], records: int = 0) -> None:
        """Load columns into memory, unless they are loaded already for a number of records."""
        loaded = self._loaded
        missing = [name for name in columns if name not in loaded or len(loaded[name]) < records]
        if missing:
            batches = [rows for _, rows in self._parse_groups(missing)]
            loaded |= {name: _chunked([rows[name] for rows in batches]) for name in missing}

    def _parse_groups(self, columns: Sequence[str]) -> Iterator[tuple[RowGroup, pa.RecordBatch]]:
        """Parse columns of all row groups; the first complete pass finds the groups."""
        parts: Iterable[tuple[Span, Text]]
        if self._unsplit:
            parts = self._reader.split(self._unsplit)
        else:
            spans = [group.span for group in self._groups]  # `put` may add groups meanwhile
            parts = ((span, self._reader.read(span)) for span in spans)
        # The groups are stored only at the end: the caller may stop early, and an incomplete list
        # must not count as complete. Several first passes may run at the same time.
        groups: list[RowGroup] = []
        total = 0
        for span, rows in self._reader.parse_ahead(parts, columns):
            groups.append(RowGroup(span, total, rows.num_rows))
            total += rows.num_rows
            self._alive += b"\1" * (total - len(self._alive))  # none if an earlier pass was here
            yield groups[-1], rows
        if self._unsplit:
            self._groups, self._unsplit = groups, None

    def _filter_alive(self, group: RowGroup, rows: pa.RecordBatch) -> pa.RecordBatch:
        alive = self._flags(group)
        if 0 not in alive:
            return rows
        return take_rows(rows, [position for position, flag in enumerate(alive) if flag])

    def _flags(self, group: RowGroup) -> bytearray:
        return self._alive[group.first : group.first + group.rows]

    def _group_of(self, number: int) -> RowGroup:
        after = bisect_right(self._groups, number, key=lambda group: group.first)
        return self._groups[after - 1]

    # Writing

    def discard(self, keys: Collection[Key]) -> None:
        """Remove the records with these keys; keys without a record are ignored."""
        self._check_access()
        if not keys:
            return
        key_texts = {tuple(map(str, key)) for key in keys}
        key_columns = zip(self._table.key, zip(*key_texts, strict=True), strict=True)
        numbers = self._find_numbers(
            [OneOf(name, tuple(set(values))) for name, values in key_columns]
        )
        if not numbers:
            return
        # Each condition tests one column: records with another combination of values match too.
        columns = [_take(self._loaded[name], numbers).to_pylist() for name in self._table.key]
        for number, key in zip(numbers, zip(*columns, strict=True), strict=True):
            if key in key_texts:
                self._alive[number] = 0

    def put(self, rows: pa.RecordBatch) -> None:
        """Remove the records with the same keys, and append the new records."""
        self.discard(keys_of(rows, self._table.key))
        handle = self.open_staged()
        for part in split_rows(rows):
            cells = [pc.cast(part[name], pa.string()) for name in self._reader.columns]
            offset = os.lseek(handle, 0, os.SEEK_CUR)
            text = render_rows(cells, self._reader.newline)
            self._check_readable(text, part)
            length = write_all(handle, text)
            group = RowGroup(Span(handle, offset, length), len(self._alive), part.num_rows)
            self._groups.append(group)
            self._alive += b"\1" * part.num_rows
            for name in self._table.key:
                # Copied, because a view would keep the memory of a whole batch in use.
                copied = array(list(map(str, part[name].to_pylist())), pa.string())
                self._loaded[name] = _chunked([*self._loaded[name].chunks, copied])

    def _check_readable(self, text: pa.Buffer | bytes, rows: pa.RecordBatch) -> None:
        """Refuse to write what `CsvReader` would refuse to read."""
        limit = max_record_bytes(self._table)
        if rows.num_rows == 1 and len(memoryview(text)) > limit:
            reason = f"is longer than {limit >> 20} MiB as CSV"
        elif has_nul(text):
            has = [any("\0" in str(cell) for cell in row.values()) for row in rows.to_pylist()]
            rows = take_rows(rows, [has.index(True)])
            reason = "contains a NUL, which is no text in CSV"
        else:
            return
        key = " ".join(map(str, keys_of(rows, self._table.key)[0]))
        raise StoreError(f"{self.path}: the record {key!r:.80} {reason}; nothing was changed")

    def open_staged(self) -> int:
        """Return the handle of the staged file for new records; the first call creates it."""
        if self._staged:
            return self._staged[1]
        handle = self._create_file()
        if 0 in self._alive:
            self._first_staged = len(self._alive)
        elif self._old:
            start = self._reader.header_length
            self._copy(Span(self._old.handle, start, self._old.status.st_size - start), handle)
        return handle

    def finish(self) -> Path | None:
        """Complete the staged file, and flush it to disk.

        Returns
        -------
        pathlib.Path or None
            The staged file with all records of the table; None if nothing has changed.
        """
        must_rewrite = (
            1 in self._alive[: self._first_staged] or 0 in self._alive[self._first_staged :]
        )
        if must_rewrite:
            self._rewrite()
        if not self._staged:
            return None
        path, handle = self._staged
        os.fsync(handle)
        return path

    def _rewrite(self) -> None:
        """Write the alive records to another staged file.

        Only row groups with discarded records are parsed; all others are copied as bytes.
        """
        with self._handles.pop_all():
            handle = self._create_file()
            for group in self._groups:
                alive = self._flags(group)
                if 0 not in alive:
                    self._copy(group.span, handle)
                elif 1 in alive:
                    rows = self._reader.read_and_parse(group.span, self._reader.columns)
                    cells = self._filter_alive(group, rows).columns
                    write_all(handle, render_rows(cells, self._reader.newline))

    def _create_file(self) -> int:
        """Create a staged file with the header of the old file."""
        self._check_access()
        path, handle = self._create_staged()
        self._handles.callback(os.close, handle)
        self._staged = path, handle
        if self._old:
            self._copy(Span(self._old.handle, 0, self._reader.header_length), handle)
        else:
            write_all(handle, ",".join(self._table.columns).encode() + b"\n")
        return handle

    def _copy(self, span: Span, handle: int) -> None:
        """Append whole lines to a staged file, with a newline if the last line has none."""
        copied = copy_in_kernel(span.handle, handle, span.offset, span.length)
        for part in span.divide(copied):
            write_all(handle, self._reader.read(part))
        if span.length and os.pread(span.handle, 1, span.offset + span.length - 1) != b"\n":
            write_all(handle, self._reader.newline.as_buffer())

    def _check_access(self) -> None:
        """Refuse to replace a symlink or a read-only file.

        A rename would replace either of them, because it needs only write access to the folder.
        """
        if os.path.islink(self.path):
            raise StoreError(
                f"{self.path} is a symlink, which a write would replace by a file; nothing was "
                "changed. Put the file itself there, or link the whole folder"
            )
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path))


def _take(column: pa.ChunkedArray[Any], numbers: Sequence[int]) -> pa.Array[Any]:
    return column.take(array(numbers, pa.int64())).combine_chunks()


def _chunked(chunks: Sequence[pa.Array[Any]]) -> pa.ChunkedArray[Any]:
    column = pa.chunked_array(chunks, pa.string())
    if len(chunks) <= MAX_COLUMN_CHUNKS:
        return column
    return pa.chunked_array([column.combine_chunks()], pa.string())
