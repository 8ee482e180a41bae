"""Filters that match nothing: a hash that no record has, a value that nobody writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from mdfactory.errors import QueryError, listed, suggestion
from mdfactory.records.query import Prefix, Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table, enumerations_of
from mdfactory.records.tags import INPUT_COLUMN
from mdfactory.records.where import Comparison
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.search import Search, Subject

MAX_TAG_VALUES: Final = 1000
"""Maximum number of values of a tag that are compared with one that no simulation has."""

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


def check_conditions(
    transaction: Transaction, table: Table, comparisons: Iterable[Comparison]
) -> None:
    """Check that each condition ``COLUMN = VALUE`` has a value that is known.

    Raises
    ------
    QueryError
        If a value is unknown, such as a misspelt one.
    """
    for comparison in comparisons:
        column, value = comparison.field.text, comparison.value
        owner = table if column in table.columns else SIMULATIONS
        is_equal = comparison.operator == "=" and isinstance(value, str)
        if is_equal and column in enumerations_of(owner):
            reason = unknown_value(transaction, owner, column, str(value))
            if reason:
                raise QueryError(f"--where {comparison.text!r:.200}: {reason}")


def unknown_tags(
    transaction: Transaction, search: Search, others: Iterable[Subject] = ()
) -> Iterator[str]:
    """Yield a note on each tag of a search that no simulation has; what there is, and was meant.

    Parameters
    ----------
    transaction
        A transaction of the store.
    search
        The search.
    others
        Simulations that the store does not have, whose tags count, too.
    """
    missing = dict.fromkeys(search.tags)
    values: dict[str, set[str]] = defaultdict(set)
    for tags in chain((subject.tags for subject in others), _stored_tags(transaction, missing)):
        for key, value in tags.items():
            if len(values[key]) < MAX_TAG_VALUES:
                values[key].add(str(value))
            missing.pop((key, None), None)
            missing.pop((key, value), None)
        if not missing:
            return
    for key, value in missing:
        given = key if value is None else f"{key}={value}"
        if key in values and value is not None:
            known = sorted(values[key])
            meant = suggestion(value, known) or f"; it is {', '.join(listed(known))}"
        elif values:
            bare = key.removeprefix("tags.")
            colon = next((name for name in values if bare.startswith(f"{name}:")), bare)
            meant = suggestion(colon, values) or f"; there are {', '.join(listed(sorted(values)))}"
        else:
            meant = ", nor any other"
        yield f"no simulation has the tag {given!r:.200}{meant}"


def _stored_tags(
    transaction: Transaction, wanted: Collection[object]
) -> Iterator[Mapping[str, Any]]:
    """Yield the tags of each stored simulation, if any tags are wanted."""
    if wanted and transaction.has(SIMULATIONS):
        columns = ("hash", INPUT_COLUMN)
        for row in transaction.values(SIMULATIONS, Query(columns=columns)):
            yield Subject(dict(zip(columns, row, strict=True))).tags


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
