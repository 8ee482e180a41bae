"""The records of one CSV file, by number: filter, look up, discard, append and copy them."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.records.arrow import Column, array
from mdfactory.records.query import Condition, OneOf, Prefix
from mdfactory.records.tables import Table
from mdfactory.stores.csv.reader import CsvReader, Span
from mdfactory.stores.csv.text import PART_BYTES, copy_bytes, render_rows, split_rows, write_all

MAX_MEAN_CELL_BYTES: Final = 128
"""Largest mean cell size of a column that a repeated look-up loads for all records."""

MAX_COLUMN_CHUNKS: Final = 32
"""Largest number of Arrow chunks of a loaded column; more are merged into one."""

MAX_CACHED_GROUP_BYTES: Final = 2 * PART_BYTES
"""Text size up to which a row group is parsed with all columns, and cached."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Consecutive records of a file.

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

    @property
    def numbers(self) -> slice:
        """The numbers of the records, as a slice."""
        return slice(self.first, self.first + self.rows)


class CsvFile:
    """The records of an open file; a staged file can also be appended to.

    Records are numbered from 0 in the order of the file. All cells are strings. These data are in
    memory:

    - the *row groups*, which map byte ranges to numbers of records. The first pass over the whole
      file finds them, and `append` adds to them;
    - an *alive flag* for each record. `discard` clears the flag and does not change the file;
      reads and `copy_records` skip records whose flag is cleared;
    - the *loaded columns*: some columns of all records, including discarded records. A look-up
      evaluates its conditions on them, and then parses only the row groups with matching records.

    Parameters
    ----------
    handle
        File descriptor; `close` closes it.
    path
        Path of the file, for messages.
    table
        Table whose records the file holds.
    outcome
        Text that error messages add, such as ``; nothing was changed``.
    """

    def __init__(self, handle: int, path: Path, table: Table, outcome: str = "") -> None:
        self._handle = handle
        self._table = table
        self._reader = CsvReader(handle, path, table, outcome)
        self._header = self._reader.header
        self._start = self._header.length  # offset of record 0
        self._size = os.fstat(handle).st_size
        self._row_groups: list[RowGroup] = []
        self._has_all_groups = self._start == self._size
        self._alive = bytearray()
        self._loaded: dict[str, pa.ChunkedArray[Any]] = {}
        self._cached: tuple[RowGroup, pa.RecordBatch] | None = None
        self._long_columns: frozenset[str] | None = None
        self._had_look_up = False

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    @property
    def has_discarded(self) -> bool:
        """Whether any record was discarded."""
        return 0 in self._alive

    @property
    def has_records(self) -> bool:
        """Whether any record is alive; valid only after a pass over the whole file."""
        return 1 in self._alive

    @property
    def _is_empty(self) -> bool:
        """Whether the file is known to have no numbered records, discarded ones included."""
        return self._has_all_groups and not self._row_groups

    # Reading

    def stream(
        self, columns: Sequence[str], where: Collection[Condition] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records that meet the conditions, in file order, in one pass over the file."""
        parsed = dict.fromkeys([*columns, *(condition.column for condition in where)])
        for group, rows in self._parse_groups(list(parsed)):
            matching = self._filter_alive(group, rows)
            for condition in where:
                matching = matching.filter(_matches(condition, matching[condition.column]))
            if matching.num_rows:
                yield matching.select(columns)

    def look_up(
        self, columns: Sequence[str], where: Collection[Condition]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records that meet the conditions, in file order, found in loaded columns."""
        numbers = self._find_numbers(where)
        if not numbers:
            return
        # For a single look-up, loading the columns is slower than parsing row groups. A second
        # look-up usually means that many keys are looked up in batches: then loading columns of
        # short cells is faster.
        if self._had_look_up and not self._find_long_columns().intersection(columns):
            self._load(columns)
        self._had_look_up = True
        if self._loaded.keys() >= set(columns):
            cells = [self._take_loaded(name, numbers) for name in columns]
            yield pa.RecordBatch.from_arrays(cells, list(columns))
            return
        for group, group_numbers in groupby(numbers, self._group_of):
            rows = self._parse_group(group, columns)
            positions = [number - group.first for number in group_numbers]
            yield rows.take(array(positions, pa.int64()))

    def _find_numbers(self, where: Collection[Condition]) -> list[int]:
        """Return the numbers of the records that meet the conditions, ascending."""
        self._load({condition.column for condition in where})
        masks = [_matches(condition, self._loaded[condition.column]) for condition in where]
        if self._is_empty:  # pyarrow 21 crashes on a column without chunks
            return []
        numbers: list[Any] = pc.indices_nonzero(reduce(pc.and_, masks)).to_pylist()
        if not self.has_discarded:
            return numbers
        return [number for number in numbers if self._alive[number]]

    def _load(self, columns: Collection[str]) -> None:
        """Load columns of the whole file into memory, unless they are loaded already."""
        missing = [name for name in dict.fromkeys(columns) if name not in self._loaded]
        if not missing:
            return
        chunks: dict[str, list[pa.Array[Any]]] = {name: [] for name in missing}
        for _, rows in self._parse_groups(missing):
            for name in missing:
                chunks[name].append(rows[name])
        for name in missing:
            self._loaded[name] = _merge_chunks(pa.chunked_array(chunks[name], pa.string()))

    def _take_loaded(self, column: str, numbers: Sequence[int]) -> pa.Array[Any]:
        return self._loaded[column].take(array(numbers, pa.int64())).combine_chunks()

    def _parse_groups(self, columns: Sequence[str]) -> Iterator[tuple[RowGroup, pa.RecordBatch]]:
        """Parse columns of all row groups; the first complete pass finds the groups."""
        if not self._has_all_groups:
            yield from self._parse_and_find_groups(columns)
            return
        groups = list(self._row_groups)  # `append` may add to them before the pass ends
        parts = ((group.span, self._reader.read(group.span)) for group in groups)
        batches = self._reader.parse_ahead(parts, columns)
        for group, (_, rows) in zip(groups, batches, strict=True):
            yield group, rows

    def _parse_and_find_groups(
        self, columns: Sequence[str]
    ) -> Iterator[tuple[RowGroup, pa.RecordBatch]]:
        # The groups are stored only at the end: the caller may stop early, and an incomplete list
        # must not count as complete. Several first passes may run at the same time.
        groups: list[RowGroup] = []
        total = 0
        for span, rows in self._reader.parse_ahead(self._reader.split(self._size), columns):
            groups.append(RowGroup(span, total, rows.num_rows))
            total += rows.num_rows
            self._alive += b"\1" * (total - len(self._alive))  # none if an earlier pass was here
            yield groups[-1], rows
        self._row_groups, self._has_all_groups = groups, True

    def _filter_alive(self, group: RowGroup, rows: pa.RecordBatch) -> pa.RecordBatch:
        alive = self._alive[group.numbers]
        return rows.filter(_to_booleans(alive)) if 0 in alive else rows

    def _group_of(self, number: int) -> RowGroup:
        after = bisect_right(self._row_groups, number, key=lambda group: group.first)
        return self._row_groups[after - 1]

    def _parse_group(self, group: RowGroup, columns: Sequence[str]) -> pa.RecordBatch:
        """Parse columns of a row group.

        All columns of a short group are parsed and cached: the next look-up probably needs the
        same group.
        """
        if group.span.length > MAX_CACHED_GROUP_BYTES:
            return self._reader.read_and_parse(group.span, columns)
        if self._cached is None or self._cached[0] != group:
            rows = self._reader.read_and_parse(group.span, self._header.columns)
            self._cached = group, rows
        return self._cached[1].select(list(columns))

    def _find_long_columns(self) -> frozenset[str]:
        """Return the columns whose cells are too long to load, judged by the first row group."""
        if self._long_columns is None:
            large = self._table.large
            names = [name for name in self._header.columns if name not in large]
            rows = self._parse_group(self._row_groups[0], names)
            limit = MAX_MEAN_CELL_BYTES * rows.num_rows
            self._long_columns = frozenset(
                (*large, *(name for name in names if rows[name].nbytes > limit))
            )
        return self._long_columns

    # Writing

    def discard(self, keys: Collection[tuple[object, ...]]) -> None:
        """Discard the records with these keys; keys without a record are ignored."""
        if not keys or self._is_empty:
            return
        key_texts = {tuple(map(str, key)) for key in keys}
        key_columns = zip(self._table.key, zip(*key_texts, strict=True), strict=True)
        numbers = self._find_numbers(
            [OneOf(name, tuple(set(values))) for name, values in key_columns]
        )
        if not numbers:
            return
        # Each condition tests one column: records with another combination of values match too.
        columns = (self._take_loaded(name, numbers).to_pylist() for name in self._table.key)
        for number, key in zip(numbers, zip(*columns, strict=True), strict=True):
            if key in key_texts:
                self._alive[number] = 0

    def append(self, rows: pa.RecordBatch) -> None:
        """Append records, in the schema of the table, to the file."""
        self._load(self._table.key)
        for part in split_rows(rows):
            cells = {name: pc.cast(part[name], pa.string()) for name in self._header.columns}
            text = render_rows(list(cells.values()), self._header.newline)
            length = write_all(self._handle, text)
            span = Span(self._size, length)
            self._row_groups.append(RowGroup(span, len(self._alive), part.num_rows))
            self._size += length
            self._alive += b"\1" * part.num_rows
            for name, column in self._loaded.items():
                self._loaded[name] = _add_chunk(column, cells[name])
        self._reader.accept_changes()

    def read_header_line(self) -> bytes:
        """Return the first line of the file, with a newline added if it has none."""
        line = os.pread(self._handle, self._header.length, 0)
        return line if line.endswith(b"\n") else line + b"\n"

    def copy_records(self, target: CsvFile) -> None:
        """Append the alive records to another file.

        Only row groups with discarded records are parsed; all others are copied as bytes.
        """
        if not self.has_discarded:
            target.append_bytes(self._handle, Span(self._start, self._size - self._start))
            return
        for group in self._row_groups:
            alive = self._alive[group.numbers]
            if 0 not in alive:
                target.append_bytes(self._handle, group.span)
            elif 1 in alive:
                rows = self._reader.read_and_parse(group.span, self._header.columns)
                target.append(self._filter_alive(group, rows))

    def append_bytes(self, source: int, span: Span) -> None:
        """Append records of another open file as bytes.

        These records get no numbers, and reads of this object do not return them. A newline is
        added if the last record has none.
        """
        copy_bytes(source, self._handle, span.offset, span.length)
        self._size += span.length
        if span.length and os.pread(source, 1, span.offset + span.length - 1) != b"\n":
            self._size += write_all(self._handle, self._header.newline.as_buffer())
        if not self._row_groups:
            self._start = self._size
        self._reader.accept_changes()

    def sync(self) -> None:
        """Flush the file to disk."""
        os.fsync(self._handle)


def _matches(condition: Condition, column: Column) -> Column:
    """Return for each cell of a column whether it meets a condition, as booleans."""
    if isinstance(condition, Prefix):
        return pc.starts_with(column, condition.text)
    return pc.is_in(column, value_set=array(condition.values, pa.string()))


def _to_booleans(flags: bytearray) -> pa.Array[Any]:
    buffers = [None, pa.py_buffer(bytes(flags))]
    return pa.Array.from_buffers(pa.uint8(), len(flags), buffers).cast(pa.bool_())


def _add_chunk(column: pa.ChunkedArray[Any], cells: pa.Array[Any]) -> pa.ChunkedArray[Any]:
    # Copied, because the cells may be a view that keeps the memory of a whole batch in use.
    copied = array(cells.to_pylist(), pa.string())
    longer = pa.chunked_array([*column.chunks, copied], pa.string())
    return _merge_chunks(longer) if longer.num_chunks > MAX_COLUMN_CHUNKS else longer


def _merge_chunks(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    if column.num_chunks <= 1:
        return column
    return pa.chunked_array([column.combine_chunks()], pa.string())
