"""Pull: from a store to whoever asked, filtered by the store and streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import hexdigits

import pyarrow as pa

from mdfactory.errors import QueryError
from mdfactory.records.query import Condition, OneOf, Prefix, Query, Sort
from mdfactory.records.tables import Table
from mdfactory.stores.store import Store
from mdfactory.sync.results import require_result

__all__ = ["conditions", "pull"]


def conditions(hash_prefix: str | None, equal: Mapping[str, str | None]) -> tuple[Condition, ...]:
    """Return the conditions of a filter; what is None does not filter.

    Parameters
    ----------
    hash_prefix
        First digits of a hash, in any case.
    equal
        Column -> the value that it must have.
    """
    if hash_prefix and not set(hash_prefix) <= set(hexdigits):
        raise QueryError(f"{hash_prefix!r} is not the beginning of a hash, which is hexadecimal")
    prefix = (Prefix("hash", hash_prefix.upper()),) if hash_prefix else ()
    return prefix + tuple(OneOf(name, (value,)) for name, value in equal.items() if value)


def pull(
    store: Store,
    table: Table,
    *,
    hash_prefix: str | None = None,
    equal: Mapping[str, str | None] | None = None,
    columns: tuple[str, ...] | None = None,
    sort: str | None = None,
    limit: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """Stream records of one table.

    Parameters
    ----------
    store, table
        Where to read.
    hash_prefix, equal
        Which records; see `conditions`.
    columns
        Which columns, in this order; all if None.
    sort
        A column to sort by, ``-column`` for descending; the store's own order if None.
    limit
        Number of records at most.

    Raises
    ------
    NotInitialisedError
        If the store has no such table.
    UnknownNameError
        If it has other analyses or artifacts, but none of this name.
    QueryError
        If a column is none of the table's, or the limit is negative.
    """
    query = Query(conditions(hash_prefix, equal or {}), columns, ordered(sort), limit)
    with store.transaction() as transaction:
        require_result(transaction, table)
        yield from transaction.read(table, query)


def ordered(sort: str | None) -> Sort | None:
    """Return the order that ``column`` or ``-column`` asks for."""
    return Sort(sort.removeprefix("-"), sort.startswith("-")) if sort else None
