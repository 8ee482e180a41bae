"""The overview: which results of which simulations are in the store.

The overview is derived from the records. It is never pushed. Names of results are compared in lower
case, as stores compare the names of their tables. In this module, the name in a `ResultId` is lower
case, unless the documentation of a parameter says otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    SimulationType,
)
from mdfactory.stores.keys import Values
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.results import result_tables

BATCH_SIMULATIONS: Final = 500
"""Number of simulations whose rows are read and written together."""

COUNT_COLUMNS: Final = {ResultType.analysis: "row_count", ResultType.artifact: "file_count"}
"""Result type -> column with the number of rows or files of a result."""

NOT_IN_STORE: Final = {"status": ResultStatus.not_yet_run.value, "row_count": 0, "file_count": 0}
"""Values of a row whose result is not in the store."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VisitedSimulation:
    """A simulation that a push has found on disk."""

    hash: str
    simulation_type: SimulationType
    directory: str


def outdated_rows(
    transaction: Transaction,
    visited: Iterable[VisitedSimulation],
    catalogue: Catalogue,
    pushed: Mapping[ResultId, Collection[SimulationType]],
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
    visited
        The simulations.
    catalogue
        The results that are expected of each type of simulation.
    pushed
        Result, with its name as the registry spells it -> types of the simulations that have it.

    Yields
    ------
    list of dict
        Rows of some simulations, without their times; it may be empty. Rows of these simulations
        may be written before the next list is taken.
    """
    if not transaction.has(OVERVIEW):
        return
    remaining = iter(visited)
    overview = _OverviewRows(transaction, catalogue, pushed)
    while simulations := list(islice(remaining, BATCH_SIMULATIONS)):
        yield overview.outdated(simulations)


def derive_overview(
    transaction: Transaction,
    visited: Iterable[VisitedSimulation],
    catalogue: Catalogue,
    pushed: Mapping[ResultId, Collection[SimulationType]],
    time: str,
) -> None:
    """Write the `outdated_rows` of the visited simulations, with the time of the push."""
    for rows in outdated_rows(transaction, visited, catalogue, pushed):
        _write(transaction, rows, time)


def mark_as_cleared(
    transaction: Transaction,
    where: tuple[Condition, ...],
    cleared: Collection[Table],
    time: str,
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
    time
        Time of the clear: ISO 8601 in UTC.
    """
    if not transaction.has(OVERVIEW):
        return
    completed = OneOf("status", (ResultStatus.completed.value,))
    results = {(table.result_type, table.result_name.lower()) for table in cleared}
    # All rows are read before the first is written: both are in the same table.
    for rows in list(transaction.read(OVERVIEW, Query((*where, completed)))):
        changed = [
            row | NOT_IN_STORE
            for row in rows.to_pylist()
            if (row["item_type"], row["item_name"].lower()) in results
        ]
        _write(transaction, changed, time)


def correct_rows(transaction: Transaction, hashes: Iterable[str], time: str) -> None:
    """Correct the overview rows of simulations, where they do not match the records."""
    overview = _OverviewRows(transaction, Catalogue(), {})
    remaining = iter(hashes)
    while hashes_batch := tuple(islice(remaining, BATCH_SIMULATIONS)):
        _write(transaction, overview.corrected(OneOf("hash", hashes_batch)), time)


def wrong_rows(transaction: Transaction, hashes: Iterable[str]) -> list[Row]:
    """Return corrected copies of the overview rows that do not match the records.

    Only rows of the given simulations are compared. Their status and counts are corrected.
    """
    overview = _OverviewRows(transaction, Catalogue(), {})
    return overview.corrected(OneOf("hash", tuple(hashes)))


def _write(transaction: Transaction, rows: Iterable[Row], time: str) -> None:
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
        catalogue: Catalogue,
        pushed: Mapping[ResultId, Collection[SimulationType]],
    ) -> None:
        self._transaction = transaction
        tables = result_tables(transaction)  # with names as the store spells them
        self._tables = {
            _lower(result): table
            for result, table in tables.items()
            if transaction.count(table, limit=1)
        }
        # Later names replace earlier ones: the spelling of the catalogue takes precedence, then
        # that of the push.
        self._spelling = {
            _lower((result_type, name)): name
            for result_type, name in (*tables, *pushed, *catalogue.all_results())
        }
        self._expected = self._expected_results(catalogue, pushed)
        self._values_without_records = {
            simulation_type: {result: self._result_values(result, None) for result in results}
            for simulation_type, results in self._expected.items()
        }

    def _expected_results(
        self, catalogue: Catalogue, pushed: Mapping[ResultId, Collection[SimulationType]]
    ) -> dict[SimulationType, set[ResultId]]:
        """Return simulation type -> results for which each simulation of this type has a row.

        A simulation also has a row for each other result of it that is in the store.
        """
        unlisted = self._spelling.keys() - set(map(_lower, catalogue.all_results()))
        return {
            simulation_type: {
                *map(_lower, catalogue.results(simulation_type)),
                *unlisted,
                *(_lower(result) for result, types in pushed.items() if simulation_type in types),
            }
            for simulation_type in SimulationType
        }

    def outdated(self, simulations: Sequence[VisitedSimulation]) -> list[Row]:
        """Return the missing and the corrected rows of the given simulations.

        Most rows are up to date. All of them are therefore compared as sets of tuples first, which
        is fast. Only simulations with a difference are then compared row by row.
        """
        hashes = OneOf("hash", tuple(simulation.hash for simulation in simulations))
        counts = self._read_counts(hashes)
        differences = self._read_values(hashes) ^ self._usual_values(simulations, counts)
        differing = {hash_ for hash_, *_ in differences}
        if not differing:
            return []
        stored = self._read_rows(OneOf("hash", tuple(differing)))
        return [
            row
            for simulation in simulations
            if simulation.hash in differing
            for row in self._outdated_of(simulation, counts, stored[simulation.hash])
        ]

    def _outdated_of(
        self,
        simulation: VisitedSimulation,
        counts: Mapping[tuple[str, ResultId], int],
        stored: Mapping[ResultId, Row],
    ) -> Iterator[Row]:
        """Yield the missing and the corrected rows of one simulation."""
        recorded = {result for result in self._tables if (simulation.hash, result) in counts}
        expected = self._expected[simulation.simulation_type]
        for result in sorted(expected | stored.keys() | recorded):
            row = stored.get(result)
            # A stored row keeps its spelling of the name.
            derived = (row or {"item_name": self._spelling[result]}) | {
                "hash": simulation.hash,
                "simulation_type": simulation.simulation_type.value,
                "directory": simulation.directory,
                "item_type": result[0].value,
                **_result_state(result, counts.get((simulation.hash, result))),
            }
            if derived != row:
                yield derived

    def corrected(self, hashes: OneOf) -> list[Row]:
        """Return corrected copies of the stored rows that do not match the records."""
        counts = self._read_counts(hashes)
        pairs = (
            (row, row | _result_state(result, counts.get((hash_, result))))
            for hash_, stored in self._read_rows(hashes).items()
            for result, row in stored.items()
        )
        return [corrected for row, corrected in pairs if corrected != row]

    def _usual_values(
        self,
        simulations: Iterable[VisitedSimulation],
        counts: Mapping[tuple[str, ResultId], int],
    ) -> set[Values]:
        """Return the values of the rows that the given simulations usually have, without the time.

        Two kinds of stored rows are valid but not among these values: rows with another spelling of
        the name, and additional rows. `outdated` compares their simulations row by row.
        """
        recorded: dict[str, dict[ResultId, Values]] = defaultdict(dict)
        for (hash_, result), count in counts.items():
            recorded[hash_][result] = self._result_values(result, count)
        usual: set[Values] = set()
        for simulation in simulations:
            values_by_result = self._values_without_records[simulation.simulation_type]
            if simulation.hash in recorded:
                values_by_result = values_by_result | recorded[simulation.hash]
            own = (simulation.hash, simulation.simulation_type.value, simulation.directory)
            usual |= {own + values for values in values_by_result.values()}
        return usual

    def _result_values(self, result: ResultId, count: int | None) -> Values:
        """Return the values of a row from ``item_type`` to ``file_count``."""
        return result[0].value, self._spelling[result], *_result_state(result, count).values()

    def _read_values(self, hashes: OneOf) -> set[Values]:
        """Return the values of stored rows, without the time, which is the last column."""
        return set(self._transaction.values(OVERVIEW, Query((hashes,), OVERVIEW.columns[:-1])))

    def _read_rows(self, hashes: OneOf) -> dict[str, dict[ResultId, Row]]:
        """Return hash -> result -> stored row; rows of unknown result types are left out."""
        stored: dict[str, dict[ResultId, Row]] = defaultdict(dict)
        for rows in self._transaction.read(OVERVIEW, Query((hashes,))):
            for row in rows.to_pylist():
                if row["item_type"] in COUNT_COLUMNS:
                    result = _lower((ResultType(row["item_type"]), row["item_name"]))
                    stored[row["hash"]][result] = row
        return stored

    def _read_counts(self, hashes: OneOf) -> dict[tuple[str, ResultId], int]:
        """Return hash and result -> number of rows or files, for each result in the store."""
        counts: dict[tuple[str, ResultId], int] = {}
        for result, table in self._tables.items():
            columns = ("hash", COUNT_COLUMNS[result[0]])
            values = self._transaction.values(table, Query((hashes,), columns))
            counts |= {(hash_, result): count for hash_, count in values}
        return counts


def _lower(result: ResultId) -> ResultId:
    result_type, name = result
    return result_type, name.lower()


def _result_state(result: ResultId, count: int | None) -> Row:
    """Return status and counts of a result; `count` is None if the store has no record of it."""
    if count is None:
        return NOT_IN_STORE
    completed = {"status": ResultStatus.completed.value, COUNT_COLUMNS[result[0]]: count}
    return NOT_IN_STORE | completed
