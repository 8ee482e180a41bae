"""Lost tables: those that a store lacks, although its digests, log or results refer to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext

from mdfactory.errors import counted
from mdfactory.records.query import Query
from mdfactory.records.tables import (
    FIRST_TABLES,
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    digest_table,
    result_table,
    table_named,
)
from mdfactory.stores.history.entries import lost_namespaces
from mdfactory.stores.transaction import Transaction


def lost_tables(
    transaction: Transaction,
    tables: Collection[Table],
    guard: Callable[[Table], AbstractContextManager[object]] = lambda _: nullcontext(),
) -> Iterator[tuple[Table, str]]:
    """Yield each lost table of a store, in its usual spelling, and what refers to it.

    Parameters
    ----------
    transaction
        A transaction of the store.
    tables
        The record tables of the store.
    guard
        Returns the context in which a table of digests is read.
    """
    reasons = {
        FIRST_TABLES[namespace].id: f"operation {operation} of the log has changed it"
        for namespace, operation in lost_namespaces(transaction).items()
    }
    for digests in filter(transaction.has, map(digest_table, Namespace)):
        with guard(digests):
            query = Query(columns=("record_table",))
            for (name,), number in Counter(transaction.values(digests, query)).items():
                reasons[name] = f"the store has digests of {counted(number, 'record')} in it"
    if not transaction.has(SIMULATIONS):
        results = [table for table in tables if table.result_type]
        if any(transaction.count(table, limit=1) for table in results):
            reasons[SIMULATIONS.id] = "the store has results of simulations"
    for name in sorted(reasons.keys() - {table.id for table in tables}):
        if (table := _usual_table(name)) is not None:
            yield table, reasons[name]


def _usual_table(name: str) -> Table | None:
    """Return the record table of this name, in its usual spelling; None if there is none."""
    for usual in (SIMULATIONS, OVERVIEW):
        if usual.id == name.lower():
            return usual
    table = table_named(name, Namespace.results)
    if table is None or table.result_type is None:
        return None
    return result_table(table.result_type, table.result_name)
