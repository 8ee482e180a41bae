"""Find: narrow records by the BuildInputs of their simulations, and add fields as columns.

The store filters first (`records.query`). What it returns is narrowed here, record by record, so
that the answer is the same on all stores and memory does not grow. Records of results are read in
the order of their hashes beside the simulations, and sorted afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pyarrow as pa

from mdfactory.errors import counted
from mdfactory.records.arrow import nullable_array, texts
from mdfactory.records.fields import as_cell
from mdfactory.records.query import Condition, Query, Sort
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.tags import INPUT_COLUMN
from mdfactory.stores.keys import take_rows
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.search import EVERYTHING, Judge, Search, Subject, parse_column
from mdfactory.sync.survey import Survey, survey
from mdfactory.sync.unmatched import check_conditions, unknown_tags

Note = Callable[[str], None]
"""Function that shows a note to the user."""


def no_note(_: str) -> None:
    """Show no note."""


def without_simulation(records: int) -> str:
    """Return the note on a number of records that a search cannot judge."""
    return f"{counted(records, 'record')} left out, whose simulation is not in the store"


@dataclass(frozen=True, slots=True)
class Found:
    """The records that a search has found, as a stream.

    Parameters
    ----------
    schema
        The columns of the query, then those of the fields.
    batches
        The records.
    """

    schema: pa.Schema
    batches: Generator[pa.RecordBatch]


def find(
    transaction: Transaction,
    table: Table,
    query: Query,
    search: Search = EVERYTHING,
    note: Note = no_note,
) -> Found:
    """Find records.

    Parameters
    ----------
    transaction
        A transaction of the store, open while the records are read.
    table
        The table to read.
    query
        What the store filters; its order may be that of a field.
    search
        How to narrow that, and which columns to add.
    note
        Function that is called with each note.

    Raises
    ------
    NotInitialisedError
        If the table does not exist.
    QueryError
        If a field of the search is in no simulation of the store, or is of another kind than the
        value that it is compared with; if the order is neither a column nor a field.
    StoreError
        If a BuildInput cannot be read.
    """
    is_column = query.sort is None or query.sort.column in table.columns
    if not search and is_column:
        return Found(query.schema(table), _stream(transaction.read(table, query)))
    replace(query, sort=query.sort if is_column else None).check(table)
    transaction.require(table)
    order = None if is_column or not query.sort else parse_column(query.sort.column, "--sort")
    surveyed = survey(transaction, table, search, order=order, where=query.where)
    check_conditions(transaction, table, search.where)
    for text in unknown_tags(transaction, search):
        note(text)
    return _Finder(transaction, table, query, search=search, surveyed=surveyed, note=note).find()


def _stream(batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
    """Yield batches; other than an iterator, this can be closed."""
    yield from batches


def matching_hashes(
    transaction: Transaction,
    search: Search,
    where: tuple[Condition, ...] = (),
    note: Note = no_note,
    others: Sequence[Mapping[str, Any]] = (),
) -> Iterator[str]:
    """Yield the hashes of the simulations that meet a search.

    Parameters
    ----------
    transaction
        A transaction of the store.
    search
        The search.
    where
        Conditions that the store evaluates.
    note
        Function that is called with each note.
    others
        Records of simulations that the store does not have, to be searched, too.

    Raises
    ------
    QueryError, StoreError
        As for `find`.
    """
    subjects = [Subject(record) for record in others]
    surveyed = survey(transaction, SIMULATIONS, search, where=where, others=subjects)
    check_conditions(transaction, SIMULATIONS, search.where)
    for text in unknown_tags(transaction, search, subjects):
        note(text)
    judge = Judge(search)
    yield from (subject.hash for subject in subjects if judge(subject))
    for text in judge.notes():
        note(text)
    if not transaction.has(SIMULATIONS):
        return
    query = Query(where, ("hash",))
    finder = _Finder(transaction, SIMULATIONS, query, search=search, surveyed=surveyed, note=note)
    for rows in finder.find().batches:
        yield from texts(rows["hash"])


class _Finder:
    """One search in one table; see `find`."""

    def __init__(
        self,
        transaction: Transaction,
        table: Table,
        query: Query,
        *,
        search: Search,
        surveyed: Survey,
        note: Note,
    ) -> None:
        self._transaction = transaction
        self._table = table
        self._query = query
        self._search = search
        self._judge = Judge(search)
        self._note = note
        self._without_simulation = 0
        shown = query.columns or table.columns
        columns = [column for column in surveyed.columns if column.field.text not in shown]
        self._own = [field.text for field in search.fields if field.text in table.columns]
        self._added = [column for column in columns if column.field.text not in self._own]
        names = {column.field.text for column in self._added}
        order = surveyed.order
        self._sorted = [order] if order and order.field.text not in names else []
        own = [name for name in dict.fromkeys(self._own) if name not in shown]
        self._shown = [*shown, *own]
        self._fields = [
            *(comparison.field for comparison in search.where),
            *(column.field for column in chain(self._added, self._sorted)),
        ]
        self.schema = pa.schema(
            [*map(table.schema.field, self._shown), *(column.arrow for column in self._added)]
        )

    def find(self) -> Found:
        """Return the records that were found."""
        return Found(self.schema, self._batches())

    def _batches(self) -> Generator[pa.RecordBatch]:
        rows = self._simulations() if self._table.id == SIMULATIONS.id else self._results()
        sort = self._query.sort
        if sort and not (self._is_sorted_by_store and self._table.id == SIMULATIONS.id):
            from mdfactory.stores.sorting import sort_rows

            rows = sort_rows(rows, sort)
        names = self.schema.names
        remaining = sys.maxsize if self._query.limit is None else self._query.limit
        for batch in rows if remaining else ():
            part = batch.slice(0, remaining)
            if part.num_rows:
                yield part.select(names)
            remaining -= part.num_rows
            if not remaining:
                return
        for text in self._notes():
            self._note(text)

    @property
    def _is_sorted_by_store(self) -> bool:
        sort = self._query.sort
        return sort is None or sort.column in self._table.columns

    def _notes(self) -> Iterator[str]:
        yield from self._judge.notes()
        if self._without_simulation and self._search.narrows:
            yield without_simulation(self._without_simulation)

    def _read_columns(self) -> tuple[str, ...]:
        """Return the columns of the table to read, those for conditions and order included."""
        names = [*self._shown, "hash", *(field.text for field in self._fields)]
        sort = self._query.sort
        names += [sort.column] if sort else []
        own = [name for name in dict.fromkeys(names) if name in self._table.columns]
        return tuple(own)

    def _simulations(self) -> Iterator[pa.RecordBatch]:
        """Yield the simulations that meet the search, in the order of the store."""
        columns = dict.fromkeys(self._read_columns())
        if self._needs_document:
            columns[INPUT_COLUMN] = None
        sort = self._query.sort if self._is_sorted_by_store else None
        limit = None if self._search.narrows or not self._is_sorted_by_store else self._query.limit
        query = Query(self._query.where, tuple(columns), sort, limit)
        needed = [name for name in columns if name in self._needed]
        for rows in self._transaction.read(self._table, query):
            values = (rows[name].to_pylist() for name in needed)
            subjects = (
                Subject(dict(zip(needed, row, strict=True))) for row in zip(*values, strict=True)
            )
            yield from self._select(rows, subjects)

    @property
    def _needs_document(self) -> bool:
        known = {*self._table.columns, *SIMULATIONS.columns}
        by_path = any(field.text not in known for field in self._fields)
        return bool(by_path or self._search.contains or self._search.tags)

    @property
    def _needed(self) -> set[str]:
        """Names of the columns of records that are looked at."""
        names = {"hash", *(field.text for field in self._fields)}
        return names | {INPUT_COLUMN} if self._needs_document else names

    def _results(self) -> Iterator[pa.RecordBatch]:
        """Yield the records of results whose simulations meet the search, by their hashes."""
        columns = self._read_columns()
        query = Query(self._query.where, columns, Sort("hash"))
        needed = [name for name in columns if name in self._needed]
        simulations = self._stored_simulations()
        current: Subject | None = next(simulations, None)

        def subjects(rows: pa.RecordBatch) -> Iterator[Subject | None]:
            nonlocal current
            for row in zip(*(rows[name].to_pylist() for name in needed), strict=True):
                own = dict(zip(needed, row, strict=True))
                while current and current.hash < own["hash"]:
                    current = next(simulations, None)
                is_there = current is not None and current.hash == own["hash"]
                yield current.of_result(own) if current and is_there else None

        for rows in self._transaction.read(self._table, query):
            yield from self._select(rows, subjects(rows))

    def _stored_simulations(self) -> Iterator[Subject]:
        """Yield the simulations that the store has, in the order of their hashes."""
        if not self._transaction.has(SIMULATIONS):
            return
        names = {"hash", *(name for name in SIMULATIONS.columns if name in self._needed)}
        columns = tuple(name for name in SIMULATIONS.columns if name in names)
        where = tuple(part for part in self._query.where if part.column == "hash")
        query = Query(where, columns, Sort("hash"))
        for row in self._transaction.values(SIMULATIONS, query):
            yield Subject(dict(zip(columns, row, strict=True)))

    def _select(
        self, rows: pa.RecordBatch, subjects: Iterator[Subject | None]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows that meet the search, with the columns of fields.

        Each subject is let go before the next one: thousands of parsed BuildInputs at a time cost
        twice the time, most of it in Python's garbage collector.
        """
        added = [*self._added, *self._sorted]
        cells: list[list[Any]] = [[] for _ in added]
        positions = []
        for position, subject in enumerate(subjects):
            if subject is None:
                self._without_simulation += 1
            if self._search.narrows and (subject is None or not self._judge(subject)):
                continue
            positions.append(position)
            for column, values in zip(added, cells, strict=True):
                value = None if subject is None else as_cell(subject.values(column.field))
                values.append(column.cell(value))
        if not positions:
            return
        rows = take_rows(rows, positions)
        arrays, fields = list(rows.columns), list(rows.schema)
        for column, values in zip(added, cells, strict=True):
            arrays.append(nullable_array(values, column.arrow.type))
            fields.append(column.arrow)
        yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
