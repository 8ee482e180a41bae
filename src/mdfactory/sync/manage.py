"""Manage: make the tables of a store, and empty them."""

from __future__ import annotations

from dataclasses import dataclass

from mdfactory.errors import StoreChangedError, counted
from mdfactory.records.tables import RUNS, Table
from mdfactory.stores.base import Store
from mdfactory.sync.pull import conditions

__all__ = ["Initialised", "Selection", "clear", "init_systems", "select_systems"]


@dataclass(frozen=True, slots=True)
class Initialised:
    """What an initialisation did.

    Parameters
    ----------
    table
        Name of the table.
    existed
        Whether it was there before.
    removed
        Number of records that went.
    """

    table: str
    existed: bool
    removed: int


def init_systems(store: Store, *, force: bool = False) -> Initialised:
    """Make the table of simulations if it is missing.

    Parameters
    ----------
    store
        Where.
    force
        Empty and make it anew if it is there.
    """
    with store.transaction(write=True, create={RUNS.place}) as transaction:
        existed = transaction.has(RUNS)
        return Initialised(RUNS.name, existed, transaction.create(RUNS, replace=force))


@dataclass(frozen=True, slots=True)
class Selection:
    """Records that a clear would remove: of each table, those of some simulations.

    Parameters
    ----------
    tables
        The tables, each with the number of records to remove.
    hash_prefix
        First digits of the simulations' hashes; all simulations if None.
    """

    tables: dict[Table, int]
    hash_prefix: str | None

    def __str__(self) -> str:
        counts = (
            f"{counted(number, 'record')} of {table.name}" for table, number in self.tables.items()
        )
        of_some = f" with hash {self.hash_prefix.upper()}..." if self.hash_prefix else ""
        return ", ".join(counts) + of_some

    @property
    def total(self) -> int:
        """The number of records to remove."""
        return sum(self.tables.values())


def select_systems(store: Store, hash_prefix: str | None = None) -> Selection:
    """Count the records of simulations that a clear would remove.

    Raises
    ------
    NotInitialisedError
        If the store has no table for them.
    """
    return Selection({RUNS: store.count(RUNS, conditions(hash_prefix, {}))}, hash_prefix)


def clear(store: Store, selection: Selection) -> dict[str, int]:
    """Remove the selected records, in one transaction.

    Returns
    -------
    dict
        Table name -> the number of records removed.

    Raises
    ------
    StoreChangedError
        If the numbers are no longer those of the selection. Nothing was removed.
    """
    where = conditions(selection.hash_prefix, {})
    with store.transaction(write=True) as transaction:
        removed = {table: transaction.delete(table, where) for table in selection.tables}
        if removed != selection.tables:
            now = Selection(removed, selection.hash_prefix)
            raise StoreChangedError(f"the store has changed: it is now {now}; nothing was cleared")
    return {table.name: number for table, number in removed.items()}
