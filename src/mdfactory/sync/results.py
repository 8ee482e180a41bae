"""Analyses and artifacts as a store knows them: by the names of their tables."""

from __future__ import annotations

from mdfactory.errors import NotInitialisedError, UnknownNameError
from mdfactory.records.query import OneOf
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table, result_table
from mdfactory.records.vocabulary import ResultId, ResultType
from mdfactory.stores.transaction import Transaction

__all__ = ["require_result", "require_results", "require_tables", "result_tables"]


def require_tables(transaction: Transaction) -> list[Table]:
    """Return the tables that a store has.

    Raises
    ------
    NotInitialisedError
        If it has none.
    """
    tables = transaction.tables()
    if not tables:
        raise NotInitialisedError(SIMULATIONS.name, transaction.location, "mdfactory sync init all")
    return tables


def require_results(transaction: Transaction, kind: ResultType) -> None:
    """Refuse a store that was not initialised for results of this kind.

    Raises
    ------
    NotInitialisedError
        If it has no overview, or not one table of this kind.
    """
    example = result_table(kind, "name")
    missing = example.name.replace("name", "<name>")
    if not transaction.has(OVERVIEW):
        missing = OVERVIEW.name
    elif any(table.result_type is kind for table in transaction.tables()):
        return
    raise NotInitialisedError(missing, transaction.location, example.command)


def require_result(transaction: Transaction, table: Table) -> None:
    """Refuse to go on without the table of an analysis or artifact.

    Raises
    ------
    UnknownNameError
        If the store has no table of this name; the message lists those that it has.
    NotInitialisedError
        If it was not initialised for results of this kind.
    """
    if table.result_type is None or transaction.has(table):
        return
    require_results(transaction, table.result_type)
    names = sorted(name for _, name in result_tables(transaction, table.result_type))
    raise UnknownNameError(table.result_type, table.result_name, transaction.location, names)


def result_tables(
    transaction: Transaction, kind: ResultType | None = None
) -> dict[ResultId, Table]:
    """Return the tables of results that the store has, by what their records are about.

    A name in upper case may be that of the table alone: installations spell tables so. What
    the overview says counts then.
    """
    found: dict[ResultId, Table] = {}
    for table in transaction.tables():
        if table.result_type is not None and kind in {None, table.result_type}:
            found[table.result_type, _spelt(transaction, table)] = table
    return found


def _spelt(transaction: Transaction, table: Table) -> str:
    written = table.name.partition("_")[2]
    if written == table.result_name or not transaction.has(OVERVIEW):
        return table.result_name
    said = (OneOf("item_type", (str(table.result_type),)), OneOf("item_name", (written,)))
    return written if transaction.count(OVERVIEW, said, limit=1) else table.result_name
