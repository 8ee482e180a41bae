"""Filters that match nothing: a hash that no record has, a value that nobody writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mdfactory.errors import suggestion
from mdfactory.records.query import Prefix, Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table, enumerations_of
from mdfactory.records.where import Comparison
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction

NO_MATCH: Final = "no records match the filters"


def unknown_value(transaction: Transaction, table: Table, column: str, value: str) -> str:
    """Return why a value of a column is unknown; empty if this version or the store knows it.

    Newer versions and other programs may write values that this version does not know.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table that is read.
    column
        A column of `enumerations_of` this table.
    value
        The value.
    """
    values = enumerations_of(table)[column]
    known = {*values}
    if value in known:
        return ""
    # The status of a result and that of a simulation are not the same.
    tables = {table} if column == "status" else {table, SIMULATIONS, OVERVIEW}
    query = Query(columns=(column,))
    stored = {
        text
        for source in tables
        if column in source.columns and transaction.has(source)
        for (text,) in transaction.values(source, query)
    }
    if value in stored:
        return ""
    others = ", ".join(sorted(stored - known))
    return (
        f"no {column} is called that{suggestion(value, known | stored)}; "
        f"there are {', '.join(values)}{others and f', and in the store {others}'}"
    )


def unknown_values(
    transaction: Transaction, table: Table, comparisons: Iterable[Comparison]
) -> Iterator[str]:
    """Yield a note on each condition ``COLUMN = VALUE`` whose value is unknown."""
    for comparison in comparisons:
        column, value = comparison.field.text, comparison.value
        owner = table if column in table.columns else SIMULATIONS
        is_equal = comparison.operator == "=" and isinstance(value, str)
        if is_equal and column in enumerations_of(owner):
            reason = unknown_value(transaction, owner, column, str(value))
            if reason:
                yield f"--where {comparison.text!r:.200}: {reason}"


def hash_note(store: Store, hash_prefix: str | None) -> str:
    """Return the note that no record of a store has such a hash; empty if one has it."""
    if not hash_prefix:
        return ""
    where = (Prefix("hash", hash_prefix.upper()),)
    with store.transaction() as transaction:
        if any(transaction.count(table, where, limit=1) for table in transaction.tables()):
            return ""
    return f"no hash begins with {hash_prefix.upper()}"


def has_records(store: Store, table: Table) -> bool:
    """Return whether a table of a store has any records."""
    with store.transaction() as transaction:
        return bool(transaction.count(table, limit=1))
