"""The overview: which results of which simulations are in the store.

The overview is derived from the records. It is never pushed. Names of results are compared in lower
case, as stores compare the names of their tables. In this module, the name in a `ResultId` is lower
case, unless the documentation of a parameter says otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.records.arrow import batch
from mdfactory.records.query import Condition, OneOf, Query
from mdfactory.records.tables import OVERVIEW, Table
from mdfactory.records.vocabulary import (
    ConflictMode,
    ResultId,
    ResultStatus,
    ResultType,
    SimulationStatus,
    SimulationType,
)
from mdfactory.stores.keys import Key, Values
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.inventory import Inventory, VisitedSimulation
from mdfactory.sync.results import result_tables

BATCH_SIMULATIONS: Final = 500
"""Number of simulations whose rows are read and written together."""

COUNT_COLUMNS: Final = {ResultType.analysis: "row_count", ResultType.artifact: "file_count"}
"""Result type -> column with the number of rows or files of a result."""

NOT_IN_STORE: Final = {"status": ResultStatus.not_yet_run.value, "row_count": 0, "file_count": 0}
"""Values of a row whose result is not in the store."""

Row = dict[str, Any]

SeeResults = Callable[[str, SimulationType, SimulationStatus, Iterable[ResultId]], None]
"""Function that is called with hash, type and status of a simulation, and its results in the store.

The names of these results are spelt as in the overview.
"""


def outdated_rows(
    transaction: Transaction,
    inventory: Inventory,
    catalogue: Catalogue,
    see: SeeResults = lambda *_: None,
) -> Iterator[list[Row]]:
    """Yield the missing and the outdated overview rows of the visited simulations, corrected.

    A simulation has a row for each of these results:

    - results that the catalogue lists for its type,
    - results that the push has found in any simulation of its type,
    - results that the catalogue lists for no type, and that have a table in the store or were
      found by the push in any simulation,
    - results of which the store has a record of this simulation.

    Parameters
    ----------
    transaction
        A transaction of the store. Nothing is yielded if the store has no overview.
    inventory
        The simulations and results that the push has found.
    catalogue
        The results that are expected of each type of simulation.
    see
        Called with each visited simulation and its results in the store.

    Yields
    ------
    list of dict
        Rows of some simulations, without their times; it may be empty. Rows of these simulations
        may be written before the next list is taken.
    """
    if not transaction.has(OVERVIEW):
        return
    remaining = inventory.visited()
    overview = _OverviewRows(transaction, inventory, catalogue, see)
    while simulations := list(islice(remaining, BATCH_SIMULATIONS)):
        yield list(overview.outdated(simulations))


def mark_as_cleared(
    transaction: Transaction,
    where: tuple[Condition, ...],
    cleared: Collection[Table],
    keys: Mapping[Table, Collection[Key]] | None = None,
) -> None:
    """Mark results as not yet run after their records were removed.

    Parameters
    ----------
    transaction
        The transaction of the clear; nothing is written if the store has no overview.
    where
        Conditions that select the simulations.
    cleared
        Tables of results whose records were removed.
    keys
        Table -> the keys of these records; all of the simulations if None.
    """
    if not transaction.has(OVERVIEW):
        return
    now = datetime.now(UTC).isoformat()
    completed = OneOf("status", (ResultStatus.completed.value,))
    results = {
        (table.result_type, table.result_name.lower()): keys
        and {hash_ for hash_, *_ in keys[table]}
        for table in cleared
    }
    # All rows are read before the first is written: both are in the same table.
    for rows in list(transaction.read(OVERVIEW, Query((*where, completed)))):
        changed = []
        for row in rows.to_pylist():
            hashes = results.get((row["item_type"], row["item_name"].lower()), ())
            if hashes is None or row["hash"] in hashes:
                changed.append(row | NOT_IN_STORE)
        write_rows(transaction, changed, now)


def wrong_rows(transaction: Transaction, hashes: Iterable[str]) -> Iterator[list[Row]]:
    """Yield corrected copies of the overview rows that do not match the records.

    Only rows of the given simulations are compared. Their status and counts are corrected. A row
    with a status that this version does not know is left as it is: a newer version wrote it.

    Yields
    ------
    list of dict
        As for `outdated_rows`.
    """
    tables, known = _filled_tables(transaction), set(ResultStatus)
    remaining = iter(hashes)
    while hashes_batch := tuple(islice(remaining, BATCH_SIMULATIONS)):
        condition = OneOf("hash", hashes_batch)
        counts = _read_counts(transaction, tables, condition)
        pairs = (
            (row, row | _result_state(result, counts[hash_].get(result)))
            for hash_, stored in _read_rows(transaction, condition).items()
            for result, row in stored.items()
            if row["status"] in known
        )
        yield [corrected for row, corrected in pairs if corrected != row]


def write_rows(transaction: Transaction, rows: Iterable[Row], time: str) -> None:
    """Write rows of the overview, in place of stored ones.

    Parameters
    ----------
    transaction
        A writing transaction of a store with an overview.
    rows
        The rows; their times are not used.
    time
        The time that they get: ISO 8601 in UTC.
    """
    *columns, _ = OVERVIEW.columns  # the last one is the time
    values = [(*(row[name] for name in columns), time) for row in rows]
    if values:
        changed = batch(values, OVERVIEW.schema)
        transaction.write([(OVERVIEW, changed)], ConflictMode.force)


class _OverviewRows:
    """Derives the rows that the overview must have, and compares them with the stored ones."""

    def __init__(
        self,
        transaction: Transaction,
        inventory: Inventory,
        catalogue: Catalogue,
        see: SeeResults,
    ) -> None:
        self._transaction = transaction
        self._see = see
        self._tables = _filled_tables(transaction)
        pushed, listed = inventory.results, list(catalogue.all_results())
        # Later names replace earlier ones: the spelling of the catalogue takes precedence, then
        # that of the push, then that of the store.
        results = (*result_tables(transaction), *pushed, *listed)
        self._spelling = {fold_name(result): result[1] for result in results}
        unlisted = self._spelling.keys() - set(map(fold_name, listed))
        # Simulation type -> result for which each simulation of this type has a row -> values of
        # this row if the store has no record of the result.
        self._expected = {
            simulation_type: {
                result: self._result_values(result, None)
                for result in (
                    *map(fold_name, catalogue.results(simulation_type)),
                    *unlisted,
                    *(
                        fold_name(found)
                        for found, types in pushed.items()
                        if simulation_type in types
                    ),
                )
            }
            for simulation_type in SimulationType
        }

    def outdated(self, simulations: Sequence[VisitedSimulation]) -> Iterator[Row]:
        """Yield the missing and the corrected rows of the given simulations.

        Most rows are up to date. All of them are therefore compared as sets of tuples first, which
        is fast. Only simulations with a difference are then compared row by row.
        """
        hashes = OneOf("hash", tuple(simulation.hash for simulation in simulations))
        counts = _read_counts(self._transaction, self._tables, hashes)
        for hash_, simulation_type, _, status in simulations:
            recorded = ((result[0], self._spelling[result]) for result in counts.get(hash_, ()))
            self._see(hash_, simulation_type, status, recorded)
        # All columns but the last one, the time.
        query = Query((hashes,), OVERVIEW.columns[:-1])
        stored_values = set(self._transaction.values(OVERVIEW, query))
        differing = {hash_ for hash_, *_ in stored_values ^ self._usual_values(simulations, counts)}
        if not differing:
            return
        stored = _read_rows(self._transaction, OneOf("hash", tuple(differing)))
        for hash_, simulation_type, directory, _ in simulations:
            if hash_ not in differing:
                continue
            own = stored[hash_]
            results = {*self._expected[simulation_type], *own, *counts[hash_]}
            for result in sorted(results):
                # A stored row keeps its spelling of the name.
                derived = (own.get(result) or {"item_name": self._spelling[result]}) | {
                    "hash": hash_,
                    "simulation_type": simulation_type.value,
                    "directory": directory,
                    "item_type": result[0].value,
                    **_result_state(result, counts[hash_].get(result)),
                }
                if derived != own.get(result):
                    yield derived

    def _usual_values(
        self,
        simulations: Iterable[VisitedSimulation],
        counts: Mapping[str, Mapping[ResultId, int]],
    ) -> set[Values]:
        """Return the values of the rows that the given simulations usually have, without the time.

        Two kinds of stored rows are valid but not among these values: rows with another spelling of
        the name, and additional rows. `outdated` compares their simulations row by row.
        """
        usual: set[Values] = set()
        for hash_, simulation_type, directory, _ in simulations:
            values_by_result = self._expected[simulation_type]
            if hash_ in counts:
                recorded = counts[hash_].items()
                values_by_result = values_by_result | {
                    result: self._result_values(result, count) for result, count in recorded
                }
            own = (hash_, simulation_type.value, directory)
            usual |= {own + values for values in values_by_result.values()}
        return usual

    def _result_values(self, result: ResultId, count: int | None) -> Values:
        """Return the values of a row from ``item_type`` to ``file_count``."""
        return result[0].value, self._spelling[result], *_result_state(result, count).values()


def _filled_tables(transaction: Transaction) -> dict[ResultId, Table]:
    """Return the tables of results that have records."""
    tables = result_tables(transaction).items()
    return {
        fold_name(result): table for result, table in tables if transaction.count(table, limit=1)
    }


def _read_rows(transaction: Transaction, hashes: OneOf) -> dict[str, dict[ResultId, Row]]:
    """Return hash -> result -> stored row; rows of unknown result types are left out."""
    stored: dict[str, dict[ResultId, Row]] = defaultdict(dict)
    for rows in transaction.read(OVERVIEW, Query((hashes,))):
        for row in rows.to_pylist():
            if row["item_type"] in COUNT_COLUMNS:
                result = fold_name((ResultType(row["item_type"]), row["item_name"]))
                stored[row["hash"]][result] = row
    return stored


def _read_counts(
    transaction: Transaction, tables: Mapping[ResultId, Table], hashes: OneOf
) -> dict[str, dict[ResultId, int]]:
    """Return hash -> result in the store -> number of its rows or files."""
    counts: dict[str, dict[ResultId, int]] = defaultdict(dict)
    for result, table in tables.items():
        query = Query((hashes,), ("hash", COUNT_COLUMNS[result[0]]))
        for hash_, count in transaction.values(table, query):
            counts[hash_][result] = count
    return counts


def fold_name(result: ResultId) -> ResultId:
    """Return a result with its name in lower case, for comparisons."""
    result_type, name = result
    return result_type, name.lower()


def _result_state(result: ResultId, count: int | None) -> Row:
    """Return status and counts of a result; `count` is None if the store has no record of it."""
    if count is None:
        return NOT_IN_STORE
    completed = {"status": ResultStatus.completed.value, COUNT_COLUMNS[result[0]]: count}
    return NOT_IN_STORE | completed
