"""Clear: remove records from a store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mdfactory.errors import StoreChangedError, counted
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.store import Store
from mdfactory.sync.overview import mark_as_cleared
from mdfactory.sync.pull import conditions
from mdfactory.sync.results import require_result, require_results


@dataclass(frozen=True, slots=True)
class Selection:
    """Records to be removed from some tables: all of them, or those of some simulations.

    Parameters
    ----------
    tables
        Table -> number of its records to be removed.
    hash_prefix
        First digits of the simulations' hashes; all simulations if None.
    """

    tables: dict[Table, int]
    hash_prefix: str | None

    def __str__(self) -> str:
        return ", ".join(self.lines) or "no records"

    @property
    def lines(self) -> list[str]:
        """One line for each table that has records to be removed, with their number."""
        filter_text = f" with hash {self.hash_prefix.upper()}..." if self.hash_prefix else ""
        return [
            f"{counted(number, 'record')} of {table.name}{filter_text}"
            for table, number in self.tables.items()
            if number
        ]

    @property
    def total(self) -> int:
        """The number of records to be removed."""
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
    """Count the records that `clear` would remove.

    Parameters
    ----------
    store
        The store.
    simulations, overview
        Whether to select the table of simulations, and the overview.
    result_types
        Result types whose tables are all selected.
    tables
        Tables of single analyses and artifacts.
    hash_prefix
        First digits of the simulations' hashes; all simulations if None.

    Raises
    ------
    NotInitialisedError
        If a selected table is missing. If simulations and overview are both selected, missing
        tables are ignored unless the store has no tables at all.
    UnknownNameError
        If a table in `tables` is missing.
    QueryError
        If `hash_prefix` is not hexadecimal.
    """
    where = conditions(hash_prefix, {})
    selected = [SIMULATIONS] if simulations else []
    selected += [OVERVIEW] if overview else []
    with store.transaction() as transaction:
        everything = simulations and overview  # missing tables are then ignored
        if not (everything and transaction.tables()):
            for table in selected:
                transaction.require(table)
            for result_type in result_types:
                require_results(transaction, result_type)
        for table in tables:
            require_result(transaction, table)
        selected_ids = {table.id for table in (*selected, *tables)}
        counts = {
            table: transaction.count(table, where)
            for table in transaction.tables()
            if table.id in selected_ids or table.result_type in result_types
        }
        return Selection(counts, hash_prefix)


def clear(
    store: Store, selection: Selection, *, purge: bool = False, command: str = "clear"
) -> dict[str, int]:
    """Remove the selected records, in one transaction.

    The overview lists the removed results as not yet run, unless it is cleared itself.

    Parameters
    ----------
    store
        The store.
    selection
        The records to remove.
    purge
        Store no before-images, and remove those of earlier operations. Neither this operation
        nor any earlier one can be undone afterwards.
    command
        The command as the user typed it, for the log.

    Returns
    -------
    dict of str to int
        Table name -> number of records removed.

    Raises
    ------
    StoreChangedError
        If the numbers of records are no longer those of the selection. Nothing was removed.
    """
    where = conditions(selection.hash_prefix, {})
    with store.operation(command, purge=purge) as transaction:
        removed = {table: transaction.delete(table, where) for table in selection.tables}
        if removed != selection.tables:
            current = Selection(removed, selection.hash_prefix)
            raise StoreChangedError(
                f"the store has changed: the selection is now {current}; nothing was cleared"
            )
        result_tables = [table for table in removed if table.result_type]
        if result_tables and OVERVIEW not in selection.tables:
            mark_as_cleared(transaction, where, result_tables)
    return {table.name: number for table, number in removed.items()}
