"""Queries: the rows and columns to read from a table, and their evaluation in Arrow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, TypeVar

import pyarrow as pa

from mdfactory.errors import QueryError
from mdfactory.records.arrow import Column, array
from mdfactory.records.tables import Table
from mdfactory.records.vocabulary import STATUSES_IN_ORDER


@dataclass(frozen=True, slots=True)
class OneOf:
    """Condition: the value of a column is one of several values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """Condition, case-sensitive: the value of a column starts with a text; '' matches all."""

    column: str
    text: str


Condition = OneOf | Prefix


@dataclass(frozen=True, slots=True)
class Sort:
    """Order of rows: by the values of one column.

    Numbers are sorted by value, statuses by progress, all other texts by their code points.
    """

    column: str
    descending: bool = False

    @property
    def first_values(self) -> tuple[str, ...]:
        """Values that come before all others, in their order: a status is sorted by progress."""
        return STATUSES_IN_ORDER if self.column == "status" else ()


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows and columns of a table to read.

    Parameters
    ----------
    where
        Conditions; a row is read if all of them hold.
    columns
        Columns to return, in this order; all columns if None or empty.
    sort
        Order of the rows; any order if None.
    limit
        Maximum number of rows; all rows if None.
    """

    where: tuple[Condition, ...] = ()
    columns: tuple[str, ...] | None = None
    sort: Sort | None = None
    limit: int | None = None

    def check(self, table: Table) -> None:
        """Check that the table has all columns of the query, and that the limit is valid.

        Raises
        ------
        QueryError
            If the table lacks a column, or the limit is negative or no whole number.
        """
        if self.limit is not None and not _is_count(self.limit):
            raise QueryError(
                f"the limit must be a whole number of rows, 0 or more, not {self.limit!r:.60}"
            )
        columns = [condition.column for condition in self.where]
        columns += self.columns or ()
        columns += [self.sort.column] if self.sort else []
        missing = [column for column in columns if column not in table.columns]
        if missing:
            known = ", ".join(table.columns)
            raise QueryError(f"{table.name} has no column {missing[0]!r}; it has {known}")

    def schema(self, table: Table) -> pa.Schema:
        """Return the schema of the rows that the query returns."""
        return pa.schema([table.schema.field(name) for name in self.columns or table.columns])

    def schema_with_sort(self, table: Table) -> pa.Schema:
        """Return the schema of the rows to read before they are sorted."""
        schema = self.schema(table)
        if self.sort is None or self.sort.column in schema.names:
            return schema
        return schema.append(table.schema.field(self.sort.column))


def _is_count(value: object) -> bool:
    """Return whether a value is a whole number, 0 or more; those of numpy are no ``int``."""
    return isinstance(value, Integral) and int(value) >= 0


Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)


def matches(condition: Condition, column: Column) -> Column:
    """Return for each text of a column whether it meets a condition, as booleans."""
    import pyarrow.compute as pc

    if isinstance(condition, Prefix):
        return pc.starts_with(column, condition.text)
    return pc.is_in(column, value_set=array(condition.values, pa.string()))


def sorted_indices(rows: pa.Table, sort: Sort) -> Column:
    """Return the positions of rows in an order; rows with equal values keep theirs.

    Parameters
    ----------
    rows
        Rows with the column of the order.
    sort
        The order; nulls come last in both directions.
    """
    import pyarrow.compute as pc

    values = rows[sort.column]
    columns = {"value": values}
    if sort.first_values:
        known: Any = pc.index_in(values, value_set=array(sort.first_values, values.type))
        ranks = pc.fill_null(known, len(sort.first_values))
        columns = {"rank": pc.if_else(pc.is_valid(values), ranks, None), **columns}
    direction: Literal["ascending", "descending"] = "descending" if sort.descending else "ascending"
    keys = [(name, direction) for name in columns]
    return pc.sort_indices(
        pa.Table.from_arrays([*columns.values()], names=[*columns]), sort_keys=keys
    )


def select_rows(rows: Rows, where: Iterable[Condition]) -> Rows:
    """Return the rows that meet all conditions."""
    for condition in where:
        rows = rows.filter(matches(condition, rows[condition.column]))
    return rows


def apply(query: Query, rows: pa.Table) -> pa.Table:
    """Evaluate a query on rows in memory. Stores must return what this function returns."""
    rows = select_rows(rows, query.where)
    if query.sort:
        rows = rows.take(sorted_indices(rows, query.sort))
    if query.limit is not None:
        rows = rows.slice(0, query.limit)
    return rows.select(list(query.columns)) if query.columns else rows
