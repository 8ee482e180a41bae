"""The tables of analyses and artifacts in a store, and errors for missing ones."""

from __future__ import annotations

from typing import Final

from mdfactory.errors import NotInitialisedError, UnknownNameError
from mdfactory.records.query import OneOf
from mdfactory.records.tables import OVERVIEW, Table, result_table
from mdfactory.records.vocabulary import ResultId, ResultType
from mdfactory.stores.transaction import Transaction

PLURALS: Final = {
    None: "systems",
    ResultType.analysis: "analyses",
    ResultType.artifact: "artifacts",
}
"""Result type of a table (None for simulations) -> plural of what its records are."""


def require_tables(transaction: Transaction) -> list[Table]:
    """Return the tables of a store.

    Raises
    ------
    NotInitialisedError
        If it has none.
    """
    tables = transaction.tables()
    if not tables:
        raise NotInitialisedError("", transaction.location)
    return tables


def require_results(transaction: Transaction, result_type: ResultType) -> None:
    """Check that a store was initialised for results of a type.

    Raises
    ------
    NotInitialisedError
        If it has no overview, or no table of this result type.
    """
    example = result_table(result_type, "name")
    if not transaction.has(OVERVIEW):
        require_tables(transaction)
        raise NotInitialisedError(OVERVIEW.name, transaction.location, example.command)
    if not any(table.result_type is result_type for table in transaction.tables()):
        name = example.name.replace("name", "<name>")
        raise NotInitialisedError(name, transaction.location, example.command)


def require_result(transaction: Transaction, table: Table) -> None:
    """Check that a store has the table of an analysis or artifact; other tables always pass.

    Raises
    ------
    UnknownNameError
        If the store has no result of this name; the message lists the names that it has.
    NotInitialisedError
        If the store was not initialised for results of this type.
    """
    if table.result_type is None or transaction.has(table):
        return
    require_results(transaction, table.result_type)
    names = names_with_records(transaction, table.result_type)
    (other,) = set(ResultType) - {table.result_type}
    has_other = transaction.has(result_table(other, table.result_name))
    raise UnknownNameError(
        table.result_type,
        table.result_name,
        transaction.location,
        names,
        other if has_other else "",
    )


def names_with_records(transaction: Transaction, result_type: ResultType) -> list[str]:
    """Return the names of the results of which a store has records; if there are none, all names.

    The tables of all results in the catalogue are made at first, also of those that no simulation
    of the store can have.
    """
    tables = {name: table for (_, name), table in result_tables(transaction, result_type).items()}
    used = [name for name, table in tables.items() if transaction.count(table, limit=1)]
    return sorted(used or tables)


def result_tables(
    transaction: Transaction, result_type: ResultType | None = None
) -> dict[ResultId, Table]:
    """Return the tables of results that a store has.

    Parameters
    ----------
    transaction
        A transaction of the store.
    result_type
        The type of the results; both types if None.

    Returns
    -------
    dict of ResultId to Table
        Result, with its name as the store spells it -> table.
    """
    return {
        (table.result_type, _result_name(transaction, table)): table
        for table in transaction.tables()
        if table.result_type is not None and result_type in {None, table.result_type}
    }


def _result_name(transaction: Transaction, table: Table) -> str:
    """Return the name of a result as the store spells it.

    Some installations spell all table names in upper case. An upper-case name is therefore taken
    as the spelling of the result only if the overview has it. Otherwise the name is lower case.
    """
    table_spelling = table.name.partition("_")[2]
    if table_spelling == table.result_name or not transaction.has(OVERVIEW):
        return table.result_name
    where = (OneOf("item_type", (str(table.result_type),)), OneOf("item_name", (table_spelling,)))
    in_overview = transaction.count(OVERVIEW, where, limit=1)
    return table_spelling if in_overview else table.result_name
