"""Transactions of SQL databases, through SQLAlchemy Core; how one is opened is their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from mdfactory.errors import StoreError
from mdfactory.records.arrow import batch
from mdfactory.records.query import Condition, Prefix, Query
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.keys import Key, Values
from mdfactory.stores.transaction import Transaction

__all__ = ["SqlTransaction"]

BATCH: Final = 2048
"""Rows of one batch of an answer."""

LARGEST: Final = 8 * 2**20
"""Characters of the texts of one batch, beyond which no row is added."""

MOST: Final = 2**63 - 1
"""The largest number that a database takes as a limit."""

BEYOND: Final = "\U0010ffff"
"""The last character: no text that starts with a prefix sorts after the prefix and this."""


class SqlTransaction(Transaction):
    """A transaction on one database connection.

    Parameters
    ----------
    connection
        A connection on which a transaction has begun.
    schemas
        Place -> the schema that holds its tables; places that do not exist are absent.
    location
        The store as a user would name it.
    error
        Makes an error of ours of one of the database.
    """

    insert: Callable[[sa.Table], Any]
    """The database's own ``INSERT``, which can replace."""

    text: sa.types.TypeEngine[Any]
    integer: sa.types.TypeEngine[Any]
    """Types of columns."""

    def __init__(
        self,
        connection: sa.Connection,
        schemas: Mapping[Namespace, str],
        location: str,
        error: Callable[[BaseException], StoreError],
    ) -> None:
        self.location = location
        self._error = error
        self._connection = connection
        self._schemas = schemas
        self._spelling: dict[str, dict[str, str]] = {}
        self._described: dict[tuple[str, str], sa.Table] = {}

    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of the tables in one schema."""
        return self._spelt(namespace).values()

    def make(self, table: Table) -> None:
        """Create a table whose columns may not be null, with a unique key."""
        self._sql(table).create(self._connection)
        self._spelling.pop(self._schemas[table.namespace], None)

    def drop(self, table: Table) -> None:
        """Drop a table."""
        self._sql(table).drop(self._connection)
        self._spelling.pop(self._schemas[table.namespace], None)

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Stream the answer to a ``SELECT``."""
        schema = query.schema(table)
        for some in self._answer(table, query):
            yield _batch(some, schema, table)

    def values(self, table: Table, query: Query) -> Iterator[Values]:
        """Stream the answer as the database gives it, where its columns are of our types."""
        schema = query.schema(table)
        kinds = [{int if one.type == pa.int64() else str} for one in schema]
        for some in self._answer(table, query):
            columns = list(zip(*some, strict=True))
            if all(map(set.issuperset, kinds, (map(type, column) for column in columns))):
                yield from zip(*columns, strict=True)
            else:
                yield from map(tuple, _cast(some, schema, table))

    def _answer(self, table: Table, query: Query) -> Iterator[Sequence[sa.Row[Any]]]:
        """Yield the rows of a ``SELECT``, some at a time."""
        source = self._sql(table)
        names = query.columns or table.columns
        select = sa.select(*(source.c[name] for name in names))
        select = select.where(*(_clause(source, condition) for condition in query.where))
        if query.sort:
            column = source.c[query.sort.column]
            select = select.order_by(column.desc() if query.sort.descending else column)
        if query.limit is not None:
            select = select.limit(min(query.limit, MOST))
        large = set(table.large) & set(names)
        select = select.execution_options(yield_per=1 if large else BATCH)
        try:
            with self._connection.execute(select) as rows:
                yield from _bounded(rows) if large else rows.partitions()
        except sa.exc.DBAPIError as error:  # here, so that others can be read all the same
            raise self._error(error.orig or error) from error

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Insert rows, replacing those whose key exists."""
        insert = self.insert(self._sql(table))
        values = {name: insert.excluded[name] for name in table.columns if name not in table.key}
        upsert = (
            insert.on_conflict_do_update(index_elements=table.key, set_=values)
            if values
            else insert.on_conflict_do_nothing(index_elements=table.key)
        )
        self._execute(upsert, {name: rows[name].to_pylist() for name in table.columns})

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Delete the rows with these keys."""
        if not keys:
            return
        source = self._sql(table)
        same = (source.c[name] == sa.bindparam(f"key_{name}") for name in table.key)
        names = (f"key_{name}" for name in table.key)
        columns = zip(*keys, strict=True)
        self._execute(sa.delete(source).where(*same), dict(zip(names, columns, strict=False)))

    def _execute(
        self, statement: sa.Insert | sa.Delete, values: Mapping[str, Sequence[Any]]
    ) -> None:
        """Execute a statement for each row of values, given by the name of its parameter.

        The driver gets tuples: SQLAlchemy would look at each value of each row.
        """
        compiled = statement.compile(dialect=self._connection.dialect)
        rows = list(zip(*(values[name] for name in compiled.positiontup or ()), strict=True))
        if rows:
            self._connection.exec_driver_sql(str(compiled), rows)

    def _spelt(self, namespace: Namespace) -> dict[str, str]:
        """Return the names of tables by their lower-case form."""
        schema = self._schemas.get(namespace)
        if schema is None:
            return {}
        if schema not in self._spelling:
            names = sa.inspect(self._connection).get_table_names(schema=schema)
            self._spelling[schema] = {name.lower(): name for name in names}
        return self._spelling[schema]

    def _sql(self, table: Table) -> sa.Table:
        """Describe a table to SQLAlchemy, under the name by which the database has it.

        Once, since SQLAlchemy knows a statement again by the table that it is about.
        """
        schema = self._schemas[table.namespace]
        name = self._spelt(table.namespace).get(table.id, table.name)
        if (schema, name) not in self._described:
            columns = (
                sa.Column(one.name, self._type(one.type), nullable=False) for one in table.schema
            )
            unique = sa.UniqueConstraint(*table.key)
            self._described[schema, name] = sa.Table(
                name, sa.MetaData(), *columns, unique, schema=schema
            )
        return self._described[schema, name]

    def _type(self, kind: pa.DataType) -> sa.types.TypeEngine[Any]:
        return self.integer if kind == pa.int64() else self.text


def _clause(source: sa.Table, condition: Condition) -> sa.ColumnElement[bool]:
    column = source.c[condition.column]
    if isinstance(condition, Prefix):
        # A range, not LIKE: it is exact about case and uses the index of the key.
        return sa.and_(column >= condition.text, column <= condition.text + BEYOND)
    # One parameter for all values, so that they are not looked at one by one.
    values: sa.BindParameter[Any] = sa.bindparam(None, condition.values, expanding=True)
    return column.in_(values)


def _bounded(rows: Iterable[sa.Row[Any]]) -> Iterator[list[sa.Row[Any]]]:
    """Divide rows into parts whose texts are not much longer than `LARGEST` together."""
    part, size = [], 0
    for row in rows:
        part.append(row)
        size += sum(len(value) for value in row if isinstance(value, str))
        if size > LARGEST or len(part) == BATCH:
            yield part
            part, size = [], 0
    if part:
        yield part


def _batch(rows: Sequence[sa.Row[Any]], schema: pa.Schema, table: Table) -> pa.RecordBatch:
    try:
        return batch(rows, schema)
    except TypeError:
        return batch(_cast(rows, schema, table), schema)


def _cast(rows: Sequence[sa.Row[Any]], schema: pa.Schema, table: Table) -> Iterator[list[Any]]:
    """Bring values that another program stored in untyped columns to the declared types."""
    for row in rows:
        yield [
            _integer(value, f"{table.name}: {field.name} of the record {row[0]!r:.60}")
            if field.type == pa.int64()
            else ("" if value is None else str(value))
            for value, field in zip(row, schema, strict=True)
        ]


def _integer(value: object, what: str) -> int:
    """Return a number that another program may have stored as a text, or as a float."""
    try:
        return int(str(value).removesuffix(".0"))
    except ValueError as error:
        raise StoreError(
            f"{what} is {value!r:.40}, not a number. Clear that record, and push it again"
        ) from error
