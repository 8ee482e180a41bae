"""Clear: remove records from a store."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mdfactory.errors import StoreChangedError, counted
from mdfactory.records.query import Condition, Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.keys import Key, keys_of
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Note, find, matching_hashes, no_note
from mdfactory.sync.overview import mark_as_cleared
from mdfactory.sync.pull import conditions
from mdfactory.sync.results import require_result, require_results
from mdfactory.sync.search import EVERYTHING, Search


@dataclass(frozen=True, slots=True)
class Selection:
    """Records to be removed from some tables: all of them, or those of some simulations.

    Parameters
    ----------
    tables
        Table -> number of its records to be removed.
    hash_prefix
        First digits of the simulations' hashes; all simulations if None.
    search
        How to narrow these records.
    """

    tables: dict[Table, int]
    hash_prefix: str | None
    search: Search = EVERYTHING

    def __str__(self) -> str:
        return ", ".join(self.lines) or "no records"

    @property
    def lines(self) -> list[str]:
        """One line for each table that has records to be removed, with their number."""
        filter_text = f" with hash {self.hash_prefix.upper()}..." if self.hash_prefix else ""
        filter_text += " that meet the conditions" if self.search.narrows else ""
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
    search: Search = EVERYTHING,
    note: Note = no_note,
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
    search
        How to narrow these records. Where simulations are selected, too, their own records decide
        which results are.
    note
        Function that is called with each note about the search.

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
        chosen = [
            table
            for table in transaction.tables()
            if table.id in selected_ids or table.result_type in result_types
        ]
        if search.narrows:
            keys = _find_keys(transaction, chosen, where, search, note)
            counts = {table: len(keys[table]) for table in chosen}
        else:
            counts = {table: transaction.count(table, where) for table in chosen}
        return Selection(counts, hash_prefix, search)


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
    where, search = conditions(selection.hash_prefix, {}), selection.search
    with store.operation(command, purge=purge) as transaction:
        if search.narrows:
            # All keys are found before the first record is removed: simulations decide on results.
            keys = _find_keys(transaction, selection.tables, where, search)
            removed = {
                table: transaction.delete(table, where, keys[table]) for table in selection.tables
            }
        else:
            removed = {table: transaction.delete(table, where) for table in selection.tables}
        if removed != selection.tables:
            current = Selection(removed, selection.hash_prefix, search)
            raise StoreChangedError(
                f"the store has changed: the selection is now {current}; nothing was cleared"
            )
        result_tables = [table for table in removed if table.result_type]
        if result_tables and OVERVIEW not in selection.tables:
            mark_as_cleared(transaction, where, result_tables, keys if search.narrows else None)
    return {table.name: number for table, number in removed.items()}


def _find_keys(
    transaction: Transaction,
    tables: Iterable[Table],
    where: tuple[Condition, ...],
    search: Search,
    note: Note = no_note,
) -> dict[Table, list[Key]]:
    """Return the keys of the records that meet a search, by table."""
    tables = list(tables)
    if SIMULATIONS.id not in {table.id for table in tables}:
        return {
            table: [
                key
                for rows in find(transaction, table, Query(where, table.key), search, note).batches
                for key in keys_of(rows, table.key)
            ]
            for table in tables
        }
    hashes = set(matching_hashes(transaction, search, where, note))
    return {
        table: [
            key for key in transaction.values(table, Query(where, table.key)) if key[0] in hashes
        ]
        for table in tables
    }
