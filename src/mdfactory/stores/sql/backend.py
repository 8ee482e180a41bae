"""The backend of SQL databases, on SQLAlchemy Core connections that each store opens."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from mdfactory.errors import MDFactoryError, StoreError
from mdfactory.records.arrow import batch
from mdfactory.records.query import Condition, Prefix, Query, Sort
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.backend import BATCH_ROWS, Backend
from mdfactory.stores.keys import Key, Values

MAX_BATCH_CHARACTERS: Final = 8 * 2**20
"""Characters of all texts in a batch; a batch ends with the row that exceeds this number."""

MAX_LIMIT: Final = 2**63 - 1
"""The largest number that a database accepts in ``LIMIT``."""

INTEGER: Final = re.compile(r"\s*[+-]?[0-9]{1,40}\s*")
"""Text of an integer, which Python would not refuse for its length."""

LAST_CHARACTER: Final = "\U0010ffff"
"""The last code point of Unicode."""


@contextmanager
def store_errors(
    translate_error: Callable[[BaseException], StoreError],
    *driver_errors: type[Exception],
    has_secret: bool = False,
) -> Iterator[None]:
    """Translate errors of the database.

    Parameters
    ----------
    translate_error
        Returns the error for an error of the driver.
    driver_errors
        Classes of errors that are translated although SQLAlchemy did not raise them.
    has_secret
        Whether an error may show a password, so that it must not be chained.
    """
    try:
        yield
    except MDFactoryError:
        raise
    except sa.exc.DBAPIError as error:
        raise translate_error(error.orig or error) from (None if has_secret else error)
    except driver_errors as error:
        raise translate_error(error) from (None if has_secret else error)


class SqlBackend(Backend):
    """The tables of one database connection, in one transaction.

    Parameters
    ----------
    connection
        A connection on which a transaction has begun.
    schemas
        Namespace -> schema with its tables; a namespace that does not exist is missing.
    location
        The store as a user would name it.
    translate_error
        Function that returns the `StoreError` for an error of the database driver.
    """

    insert: Callable[[sa.Table], Any]
    """The database's own ``INSERT``, which supports ``ON CONFLICT``."""

    text: sa.types.TypeEngine[Any]
    """Type of text columns."""

    integer: sa.types.TypeEngine[Any]
    """Type of integer columns."""

    def __init__(
        self,
        connection: sa.Connection,
        schemas: Mapping[Namespace, str],
        location: str,
        translate_error: Callable[[BaseException], StoreError],
    ) -> None:
        self.location = location
        self._translate_error = translate_error
        self._connection = connection
        self._schemas = schemas
        self._names_by_id: dict[str, dict[str, str]] = {}
        """Schema -> table name in lower case -> table name as it is spelt; a cache."""
        self._sql_tables: dict[tuple[str, str], sa.Table] = {}
        """Schema and table name -> the table as SQLAlchemy knows it; a cache."""

    def names(self, namespace: Namespace) -> Collection[str]:
        """Return the names of the tables in one schema."""
        return self._read_names(namespace).values()

    def make(self, table: Table) -> None:
        """Create a table whose columns are not nullable, with a unique key."""
        self._sql_table(table).create(self._connection)
        self._names_by_id.pop(self._schemas[table.namespace], None)

    def drop(self, table: Table) -> None:
        """Drop a table."""
        self._sql_table(table).drop(self._connection)
        self._names_by_id.pop(self._schemas[table.namespace], None)

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Stream the rows of a ``SELECT`` as batches."""
        schema = query.schema(table)
        for rows in self._select(table, query):
            yield _build_batch(rows, schema, table)

    def values(self, table: Table, query: Query) -> Iterator[Values]:
        """Stream the rows of a ``SELECT`` as tuples.

        Values are those of the driver. They are converted only if a column has values of another
        type than the declared one, since SQLite does not enforce types.
        """
        schema = query.schema(table)
        types = [{int if field.type == pa.int64() else str} for field in schema]
        for rows in self._select(table, query):
            columns = list(zip(*rows, strict=True))
            if all(map(set.issuperset, types, (map(type, column) for column in columns))):
                yield from zip(*columns, strict=True)
            else:
                yield from map(tuple, _cast_rows(rows, schema, table))

    def _select(self, table: Table, query: Query) -> Iterator[Sequence[sa.Row[Any]]]:
        """Yield the rows of a ``SELECT`` in batches of bounded size."""
        source = self._sql_table(table)
        names = query.columns or table.columns
        select = sa.select(*(source.c[name] for name in names))
        select = select.where(*(_build_clause(source, condition) for condition in query.where))
        if query.sort:
            keys = _sort_keys(source.c[query.sort.column], query.sort)
            select = select.order_by(
                *(key.desc() if query.sort.descending else key for key in keys)
            )
        if query.limit is not None:
            select = select.limit(min(query.limit, MAX_LIMIT))
        has_large_cells = not set(table.large).isdisjoint(names)
        select = select.execution_options(yield_per=1 if has_large_cells else BATCH_ROWS)
        try:
            with self._connection.execute(select) as rows:
                yield from _divide_by_size(rows) if has_large_cells else rows.partitions()
        # The error is translated here, and not only at the end of the transaction: a caller may
        # skip a table that cannot be read, and read the others.
        except sa.exc.DBAPIError as error:
            raise self._translate_error(error.orig or error) from error

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Insert rows with ``INSERT ... ON CONFLICT DO UPDATE``."""
        upsert = self._upsert(self.insert(self._sql_table(table)), table)
        self._execute(upsert, {name: rows[name].to_pylist() for name in table.columns})

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Delete the rows with these keys."""
        if not keys:
            return
        source = self._sql_table(table)
        has_key = (source.c[name] == sa.bindparam(name) for name in table.key)
        values = dict(zip(table.key, zip(*keys, strict=True), strict=True))
        self._execute(sa.delete(source).where(*has_key), values)

    def _upsert(self, insert: Any, table: Table) -> Any:
        """Return an ``INSERT`` by which a row replaces the stored row of the same key."""
        # A table that consists of its key updates the key, to the same values.
        names = [name for name in table.columns if name not in table.key] or table.key
        values = {name: insert.excluded[name] for name in names}
        return insert.on_conflict_do_update(index_elements=table.key, set_=values)

    def _execute(
        self, statement: sa.Insert | sa.Delete, values: Mapping[str, Sequence[Any]]
    ) -> None:
        """Execute a statement once for each row of values.

        The rows bypass SQLAlchemy, which would process each value in Python.

        Parameters
        ----------
        statement
            The statement.
        values
            Name of a parameter -> its value in each row.
        """
        compiled = statement.compile(dialect=self._connection.dialect)
        rows = list(zip(*(values[name] for name in compiled.positiontup or ()), strict=True))
        if rows:
            self._connection.exec_driver_sql(str(compiled), rows)

    def _read_names(self, namespace: Namespace) -> dict[str, str]:
        """Return table name in lower case -> table name as the database spells it."""
        schema = self._schemas.get(namespace)
        if schema is None:
            return {}
        if schema not in self._names_by_id:
            names = sa.inspect(self._connection).get_table_names(schema=schema)
            self._names_by_id[schema] = {name.lower(): name for name in names}
        return self._names_by_id[schema]

    def _sql_table(self, table: Table) -> sa.Table:
        """Return the SQLAlchemy table of a record table, named as the database spells it.

        Each table has only one object, because SQLAlchemy's cache of compiled statements compares
        tables by identity.
        """
        schema = self._schemas[table.namespace]
        name = self._read_names(table.namespace).get(table.id, table.name)
        if (schema, name) not in self._sql_tables:
            columns = (
                sa.Column(
                    field.name,
                    self.integer if field.type == pa.int64() else self.text,
                    nullable=False,
                )
                for field in table.schema
            )
            unique = sa.UniqueConstraint(*table.key)
            self._sql_tables[schema, name] = sa.Table(
                name, sa.MetaData(), *columns, unique, schema=schema
            )
        return self._sql_tables[schema, name]


def _build_clause(source: sa.Table, condition: Condition) -> sa.ColumnElement[bool]:
    """Return the ``WHERE`` clause of a condition."""
    column = source.c[condition.column]
    if isinstance(condition, Prefix):
        # Unlike LIKE, a range is case-sensitive and uses the index of the key.
        end = _end_of_prefix(condition.text)
        return sa.and_(column >= condition.text, column < end if end else sa.true())
    # One expanding parameter for all values: SQLAlchemy would process many parameters in Python.
    values: sa.BindParameter[Any] = sa.bindparam(None, condition.values, expanding=True)
    return column.in_(values)


def _sort_keys(column: sa.ColumnElement[Any], sort: Sort) -> Iterator[sa.ColumnElement[Any]]:
    """Yield what to order by: the rank of the values that come first, and the values."""
    ranks = {str(value): rank for rank, value in enumerate(sort.first_values)}
    if ranks:
        yield sa.case(ranks, value=column, else_=len(ranks))
    yield column


def _end_of_prefix(prefix: str) -> str:
    """Return the first text after all those that start with a prefix; empty if there is none.

    Its characters are near those of the prefix: not every encoding has all of Unicode.
    """
    head = prefix.rstrip(LAST_CHARACTER)
    if not head:
        return ""
    following = chr(ord(head[-1]) + 1)
    return head[:-1] + ("\ue000" if following == "\ud800" else following)  # surrogates are no text


def _divide_by_size(rows: Iterable[sa.Row[Any]]) -> Iterator[list[sa.Row[Any]]]:
    """Divide rows into lists; each ends with the row that exceeds `MAX_BATCH_CHARACTERS`."""
    part, characters = [], 0
    for row in rows:
        part.append(row)
        characters += sum(len(value) for value in row if isinstance(value, str))
        if characters > MAX_BATCH_CHARACTERS or len(part) == BATCH_ROWS:
            yield part
            part, characters = [], 0
    if part:
        yield part


def _build_batch(rows: Sequence[sa.Row[Any]], schema: pa.Schema, table: Table) -> pa.RecordBatch:
    """Return rows as a batch; values of another type than the declared one are converted."""
    try:
        return batch(rows, schema)
    except TypeError:
        return batch(_cast_rows(rows, schema, table), schema)


def _cast_rows(rows: Sequence[sa.Row[Any]], schema: pa.Schema, table: Table) -> Iterator[list[Any]]:
    """Convert values that another program stored in untyped columns to the declared types.

    Raises
    ------
    StoreError
        If a value cannot be converted.
    """
    for row in rows:
        values = []
        for value, field in zip(row, schema, strict=True):
            try:
                values.append((_to_integer if field.type == pa.int64() else _to_text)(value))
            except ValueError as error:
                raise StoreError(
                    f"{table.name}: {field.name} of the record {_to_text(row[0], 'replace')!r:.60} "
                    f"is {_to_text(value, 'replace')!r:.40}, {error}. Clear this record with "
                    "--purge and push it again"
                ) from error
        yield values


def _to_integer(value: object) -> int:
    """Return an integer that another program may have stored as a text, a float or bytes."""
    text = _to_text(value).removesuffix(".0")
    if not INTEGER.fullmatch(text):
        raise ValueError("not a number")
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("too large for an integer of 64 bits")
    return number


def _to_text(value: object, errors: str = "strict") -> str:
    """Return a value as text; NULL is empty, and bytes are decoded with `errors` as UTF-8."""
    if isinstance(value, bytes):
        try:
            return value.decode(errors=errors)
        except UnicodeDecodeError:
            raise ValueError("not UTF-8") from None
    return "" if value is None else str(value)
