"""Initialise: create the tables of a store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.records.query import OneOf
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Namespace, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.results import result_tables


@dataclass(frozen=True, slots=True)
class Initialised:
    """The outcome of an initialisation for one table.

    Parameters
    ----------
    table
        Name of the table.
    existed
        Whether the table existed before.
    removed
        Number of records that were removed.
    """

    table: str
    existed: bool
    removed: int


def initialise(
    store: Store,
    *,
    simulations: bool = False,
    results: Collection[ResultType] = (),
    catalogue: Catalogue = Catalogue(),  # noqa: B008  # frozen
    force: bool = False,
    command: str = "init --force",
) -> list[Initialised]:
    """Create the missing tables of a store, in one transaction.

    Parameters
    ----------
    store
        The store.
    simulations
        Whether to create the table of simulations.
    results
        Result types. For each of them, the tables in the catalogue are created. If there is any,
        the overview is created, too.
    catalogue
        The results whose tables are created.
    force
        Also remove the records of all existing tables of the chosen kinds, in the catalogue or
        not, and the overview rows of these result types. This can be undone.
    command
        The command as the user typed it, for the log. Without `force`, there is no log entry.

    Returns
    -------
    list of Initialised
        The outcome for each table.
    """
    namespaces = {Namespace.runs} if simulations else set()
    namespaces |= {Namespace.results} if results else set()
    opened = (
        store.operation(command, create=namespaces)
        if force
        else store.transaction(write=True, create=namespaces)
    )
    with opened as transaction:
        outcomes = [_create(transaction, SIMULATIONS, force=force)] if simulations else []
        if results:
            outcomes.append(_create_overview(transaction, results, force=force))
        for result_type in results:
            tables = {table.id: table for table in catalogue.tables(result_type)}
            stored = result_tables(transaction, result_type).values()
            tables |= {table.id: table for table in stored}
            outcomes += [_create(transaction, table, force=force) for table in tables.values()]
    return outcomes


def _create(transaction: Transaction, table: Table, *, force: bool) -> Initialised:
    existed = transaction.has(table)
    return Initialised(table.name, existed, transaction.create(table, replace=force))


def _create_overview(
    transaction: Transaction, result_types: Collection[ResultType], *, force: bool
) -> Initialised:
    """Create the overview; with `force`, remove only its rows of the given result types."""
    existed = transaction.has(OVERVIEW)
    transaction.create(OVERVIEW)
    where = (OneOf("item_type", tuple(map(str, result_types))),)
    removed = transaction.delete(OVERVIEW, where) if force else 0
    return Initialised(OVERVIEW.name, existed, removed)
