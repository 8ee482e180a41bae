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

__all__ = ["Initialised", "initialise"]


@dataclass(frozen=True, slots=True)
class Initialised:
    """What an initialisation did with a table.

    Parameters
    ----------
    table
        Its name.
    existed
        Whether it was there before.
    removed
        Number of records that went.
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
    """Make the tables of a store that are missing, in one transaction.

    Parameters
    ----------
    store
        Where.
    simulations
        Whether to make the table of simulations.
    results
        For which results to make the tables of the catalogue, and the overview.
    catalogue
        The results that have a table before there is one.
    force
        Empty and make anew what is there: all tables of these kinds, and their part of the
        overview. That can be undone.
    command
        What was typed, for the log; what is only made is not told there.
    """
    namespaces = {Namespace.runs} if simulations else set()
    namespaces |= {Namespace.results} if results else set()
    opened = (
        store.operation(command, create=namespaces)
        if force
        else store.transaction(write=True, create=namespaces)
    )
    with opened as transaction:
        done = [_made(transaction, SIMULATIONS, force=force)] if simulations else []
        if results:
            existed = transaction.has(OVERVIEW)
            transaction.create(OVERVIEW)
            those = (OneOf("item_type", tuple(map(str, results))),)
            removed = transaction.delete(OVERVIEW, those) if force else 0
            done.append(Initialised(OVERVIEW.name, existed, removed))
        for kind in results:
            tables = {table.id: table for table in catalogue.tables(kind)}
            tables |= {table.id: table for table in result_tables(transaction, kind).values()}
            done += [_made(transaction, table, force=force) for table in tables.values()]
    return done


def _made(transaction: Transaction, table: Table, *, force: bool) -> Initialised:
    existed = transaction.has(table)
    return Initialised(table.name, existed, transaction.create(table, replace=force))
