"""Initialise: create the tables of a store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.records.query import OneOf
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Namespace
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.store import Store
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
    outcomes: list[Initialised] = []
    with opened as transaction:
        tables = [SIMULATIONS] if simulations else []
        tables += [OVERVIEW] if results else []
        for result_type in results:
            stored = result_tables(transaction, result_type).values()
            by_id = {table.id: table for table in (*catalogue.tables(result_type), *stored)}
            tables += by_id.values()
        for table in tables:
            existed = transaction.has(table)
            removed = transaction.create(table, replace=force and table is not OVERVIEW)
            if force and table is OVERVIEW:  # it may have rows of the other result type
                where = (OneOf("item_type", tuple(map(str, results))),)
                removed = transaction.delete(OVERVIEW, where)
            outcomes.append(Initialised(table.name, existed, removed))
    return outcomes
