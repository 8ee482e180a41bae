"""Pull: stream records of a store, which filters and sorts them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Final

from mdfactory.errors import QueryError
from mdfactory.records.query import Condition, OneOf, Prefix, Query, Sort
from mdfactory.records.tables import Table, enumerations_of
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Found, Note, find, no_note
from mdfactory.sync.results import require_result
from mdfactory.sync.search import EVERYTHING, Search
from mdfactory.sync.unmatched import unknown_value

HASH_PREFIX: Final = re.compile("[0-9A-Fa-f]{1,40}")


def conditions(hash_prefix: str | None, equal: Mapping[str, str | None]) -> tuple[Condition, ...]:
    """Return the conditions of a query for the given filters.

    Parameters
    ----------
    hash_prefix
        First digits of the hash, in upper or lower case; any hash if None.
    equal
        Column -> value that it must have; any value if None.

    Raises
    ------
    QueryError
        If `hash_prefix` is not hexadecimal, or if a filter is no text, or empty: it would select
        everything where a variable was forgotten.
    """
    given = {name: value for name, value in equal.items() if value is not None}
    filters: Mapping[str, object] = given if hash_prefix is None else {"hash": hash_prefix, **given}
    for name, value in filters.items():
        if not value:
            raise QueryError(f"{_option(name)} is empty. Leave it out to select all records")
        if not isinstance(value, str):
            raise QueryError(f"{_option(name)} takes one text, not {value!r:.60}")
    prefix = (Prefix("hash", parse_hash_prefix(hash_prefix)),) if hash_prefix else ()
    return prefix + tuple(OneOf(name, (value,)) for name, value in given.items())


def parse_hash_prefix(text: str, option: str = "--hash") -> str:
    """Return the first digits of a hash in upper case; `option` is named in the error.

    Raises
    ------
    QueryError
        If the text is empty, not hexadecimal, or longer than a hash.
    """
    if not HASH_PREFIX.fullmatch(text):
        raise QueryError(
            f"{option} {text!r:.60} is not a hash prefix: expected 1 to 40 hexadecimal digits"
        )
    return text.upper()


def _option(column: str) -> str:
    """Return the option that filters by a column; errors of the Python API name its argument."""
    return f"--{column.replace('_', '-')}"


def check_values(transaction: Transaction, table: Table, equal: Mapping[str, str | None]) -> None:
    """Check that each filter has a value that this version or the store knows.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table that is read.
    equal
        Column -> value that it must have; any value if None.

    Raises
    ------
    QueryError
        If a value is unknown, such as a misspelt one; the message lists the values that there are.
    """
    for column in enumerations_of(table).keys() & equal.keys():
        value = equal[column]
        reason = "" if value is None else unknown_value(transaction, table, column, value)
        if reason:
            raise QueryError(f"{_option(column)} {value!r:.60}: {reason}")


@contextmanager
def open_pull(
    store: Store,
    table: Table,
    *,
    hash_prefix: str | None = None,
    equal: Mapping[str, str | None] | None = None,
    search: Search = EVERYTHING,
    columns: tuple[str, ...] | None = None,
    sort: str | None = None,
    limit: int | None = None,
    extend: Callable[[Transaction, Table, Found], Found] | None = None,
    note: Note = no_note,
) -> Iterator[Found]:
    """Open records of one table; use it in a ``with`` statement.

    Parameters
    ----------
    store
        The store to read.
    table
        The table to read.
    hash_prefix, equal
        Filters of the records; see `conditions`.
    search
        How to narrow these records by their simulations, and which fields to add as columns.
    columns
        Columns to return, in this order; all if None.
    sort
        Column or field to sort by; ``-column`` for descending order. Default: no particular order.
    limit
        Maximum number of records.
    extend
        Function that adds columns to the records, such as `sync.frames.extend_with_extras`.
    note
        Function that is called with each note for the user.

    Yields
    ------
    Found
        The records, valid inside the block.

    Raises
    ------
    NotInitialisedError
        If the table is missing.
    UnknownNameError
        If the store has other analyses or artifacts, but none of this name.
    QueryError
        If `hash_prefix` is not hexadecimal, a filter has an unknown value, the table lacks a column
        of the query, the limit is negative, or no simulation has a field of the search.
    """
    query = Query(conditions(hash_prefix, equal or {}), columns, sort_order(sort), limit)
    with store.transaction() as transaction:
        require_result(transaction, table)
        check_values(transaction, table, equal or {})
        found = find(transaction, table, query, search, note)
        with closing(found.batches):  # before the transaction, also after an error
            yield extend(transaction, table, found) if extend else found


def sort_order(sort: str | None) -> Sort | None:
    """Parse ``column`` (ascending) or ``-column`` (descending).

    Raises
    ------
    QueryError
        If it is no text.
    """
    if not sort:
        return None
    given: object = sort
    if not isinstance(given, str):
        raise QueryError(f"{_option('sort')} takes the name of a column, not {given!r:.60}")
    return Sort(given.removeprefix("-"), given.startswith("-"))
