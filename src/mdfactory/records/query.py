"""What to read from a table: conditions that a store evaluates, and the same ones in Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from mdfactory.errors import QueryError
from mdfactory.records.tables import Table

__all__ = ["Condition", "OneOf", "Prefix", "Query", "Sort", "apply"]


@dataclass(frozen=True, slots=True)
class OneOf:
    """The column holds one of these values, exactly."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """The column starts with this text, in this case; the empty text matches all."""

    column: str
    text: str


Condition = OneOf | Prefix


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of an answer."""

    column: str
    descending: bool = False

    @property
    def key(self) -> tuple[str, Literal["ascending", "descending"]]:
        """The column and the direction, as Arrow takes them."""
        return self.column, "descending" if self.descending else "ascending"


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows and columns of a table to read.

    Parameters
    ----------
    where
        Conditions that must all hold.
    columns
        Columns to return, in this order; all of the table if None.
    sort
        Order of the rows; the store's own if None.
    limit
        Number of rows at most; all if None.
    """

    where: tuple[Condition, ...] = ()
    columns: tuple[str, ...] | None = None
    sort: Sort | None = None
    limit: int | None = None

    def check(self, table: Table) -> None:
        """Refuse columns that the table does not have, and a limit that is none.

        Raises
        ------
        QueryError
            If a column is unknown, or the limit is negative.
        """
        if self.limit is not None and self.limit < 0:
            raise QueryError(f"the limit is a number of rows, 0 or more; it is {self.limit}")
        named = [condition.column for condition in self.where]
        named += self.columns or ()
        named += [self.sort.column] if self.sort else []
        for column in named:
            if column not in table.columns:
                raise QueryError(
                    f"{table.name} has no column {column!r}; it has {', '.join(table.columns)}"
                )

    def schema(self, table: Table) -> pa.Schema:
        """Return the schema of the answer."""
        return pa.schema([table.schema.field(name) for name in self.columns or table.columns])


def apply(query: Query, rows: pa.Table) -> pa.Table:
    """Answer a query from rows in memory; the reference for what stores evaluate."""
    for condition in query.where:
        rows = rows.filter(_mask(condition, rows[condition.column]))
    if query.sort:
        rows = rows.sort_by([query.sort.key])
    if query.limit is not None:
        rows = rows.slice(0, query.limit)
    return rows.select(list(query.columns)) if query.columns else rows


def _mask(
    condition: Condition, column: pa.ChunkedArray[Any]
) -> pa.Array[pa.BooleanScalar] | pa.ChunkedArray[pa.BooleanScalar]:
    import pyarrow.compute as pc

    if isinstance(condition, Prefix):
        return pc.starts_with(column, condition.text)
    return pc.is_in(column, value_set=pa.array(condition.values, column.type))
