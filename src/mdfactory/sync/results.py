"""Analyses and artifacts as a store knows them: by the names of their tables."""

from __future__ import annotations

from mdfactory.errors import NotInitialisedError, UnknownNameError
from mdfactory.records.query import OneOf
from mdfactory.records.tables import OVERVIEW, RUNS, Table, item_table
from mdfactory.records.vocabulary import Item, ItemType
from mdfactory.stores.transaction import Transaction

__all__ = ["item_tables", "require_item", "require_items", "require_tables"]


def require_tables(transaction: Transaction) -> list[Table]:
    """Return the tables that a store has.

    Raises
    ------
    NotInitialisedError
        If it has none.
    """
    tables = transaction.tables()
    if not tables:
        raise NotInitialisedError(RUNS.name, transaction.location, "mdfactory sync init all")
    return tables


def require_items(transaction: Transaction, kind: ItemType) -> None:
    """Refuse a store that was not initialised for results of this kind.

    Raises
    ------
    NotInitialisedError
        If it has no overview, or not one table of this kind.
    """
    example = item_table(kind, "name")
    missing = example.name.replace("name", "<name>")
    if not transaction.has(OVERVIEW):
        missing = OVERVIEW.name
    elif any(table.item is kind for table in transaction.tables()):
        return
    raise NotInitialisedError(missing, transaction.location, example.command)


def require_item(transaction: Transaction, table: Table) -> None:
    """Refuse to go on without the table of an analysis or artifact.

    Raises
    ------
    UnknownNameError
        If the store has no table of this name; the message lists those that it has.
    NotInitialisedError
        If it was not initialised for results of this kind.
    """
    if table.item is None or transaction.has(table):
        return
    require_items(transaction, table.item)
    names = sorted(name for _, name in item_tables(transaction, table.item))
    raise UnknownNameError(table.item, table.item_name, transaction.location, names)


def item_tables(transaction: Transaction, kind: ItemType | None = None) -> dict[Item, Table]:
    """Return the tables of results that the store has, by what their records are about.

    A name in upper case may be that of the table alone: installations spell tables so. What
    the overview says counts then.
    """
    found: dict[Item, Table] = {}
    for table in transaction.tables():
        if table.item is not None and kind in {None, table.item}:
            found[table.item, _spelt(transaction, table)] = table
    return found


def _spelt(transaction: Transaction, table: Table) -> str:
    written = table.name.partition("_")[2]
    if written == table.item_name or not transaction.has(OVERVIEW):
        return table.item_name
    said = (OneOf("item_type", (str(table.item),)), OneOf("item_name", (written,)))
    return written if transaction.count(OVERVIEW, said, limit=1) else table.item_name
