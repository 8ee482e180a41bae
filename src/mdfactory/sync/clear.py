"""Clear: remove records from a store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from mdfactory.errors import NotInitialisedError, StoreChangedError, counted
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.store import Store
from mdfactory.sync.overview import reset
from mdfactory.sync.pull import conditions
from mdfactory.sync.results import require_result, require_results

__all__ = ["Selection", "clear", "select"]


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
        return ", ".join(self.lines) or "no records"

    @property
    def lines(self) -> list[str]:
        """What would go of each table that has any of it."""
        of_some = f" with hash {self.hash_prefix.upper()}..." if self.hash_prefix else ""
        return [
            f"{counted(number, 'record')} of {table.name}{of_some}"
            for table, number in self.tables.items()
            if number
        ]

    @property
    def total(self) -> int:
        """The number of records to remove."""
        return sum(self.tables.values())


def select(
    store: Store,
    *,
    simulations: bool = False,
    overview: bool = False,
    result_types: Collection[ResultType] = (),
    tables: Collection[Table] = (),
    hash_prefix: str | None = None,
) -> Selection:
    """Count the records that a clear would remove.

    Parameters
    ----------
    store
        Where.
    simulations, overview
        Whether the table of simulations, the overview.
    result_types
        Kinds of results, all tables of each.
    tables
        Tables of single analyses and artifacts.
    hash_prefix
        First digits of the simulations' hashes; all simulations if None.

    Raises
    ------
    NotInitialisedError
        If the store has none of the tables that were asked for.
    UnknownNameError
        If it has no table of a name that was asked for.
    """
    where = conditions(hash_prefix, {})
    with store.transaction() as transaction:
        own = [
            table for table, asked in ((SIMULATIONS, simulations), (OVERVIEW, overview)) if asked
        ]
        if not (simulations and overview and transaction.tables()):  # of "all", any table will do
            for table in own:
                transaction.require(table)
            for result_type in result_types:
                require_results(transaction, result_type)
        for table in tables:
            require_result(transaction, table)
        asked = {table.id for table in (*own, *tables)}
        selected = [
            table
            for table in transaction.tables()
            if table.id in asked or table.result_type in result_types
        ]
        if not selected:
            raise NotInitialisedError(SIMULATIONS.name, store.location, "mdfactory sync init all")
        counts = {table: transaction.count(table, where) for table in selected}
        return Selection(counts, hash_prefix)


def clear(
    store: Store, selection: Selection, *, purge: bool = False, command: str = "clear"
) -> dict[str, int]:
    """Remove the selected records, in one transaction.

    The overview, unless it is cleared itself, says of results that go that they are not in
    the store.

    Parameters
    ----------
    store
        Where.
    selection
        What to remove.
    purge
        Keep nothing, so that neither this nor anything before it can be undone.
    command
        What was typed, for the log.

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
    now = datetime.now(UTC).isoformat()
    with store.operation(command, purge=purge) as transaction:
        removed = {table: transaction.delete(table, where) for table in selection.tables}
        if removed != selection.tables:
            found = Selection(removed, selection.hash_prefix)
            raise StoreChangedError(
                f"the store has changed: it is now {found}; nothing was cleared"
            )
        results = [table for table in removed if table.result_type]
        if results and OVERVIEW not in selection.tables:
            reset(transaction, where, results, now)
    return {table.name: number for table, number in removed.items()}
