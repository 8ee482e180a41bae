"""Completeness: which results of which simulations are in the store, and which are missing.

The overview has a row for every result that a simulation might have. Most rows that are not
completed are no gaps: the simulation has not run yet, or one user has tried an analysis once. This
module decides which of them are missing. Everything that tells people what is missing asks it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.records.query import Condition, OneOf, Query, Sort
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.records.vocabulary import (
    ResultId,
    ResultStatus,
    ResultType,
    SimulationStatus,
    SimulationType,
)
from mdfactory.stores.keys import keys_of
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Note, find, no_note
from mdfactory.sync.overview import fold_name
from mdfactory.sync.pull import check_values, conditions
from mdfactory.sync.search import EVERYTHING, Search

RUN_STATUSES: Final = frozenset({SimulationStatus.production, SimulationStatus.completed})
"""Statuses of simulations that have run, and so can have results."""

MIN_SIMULATIONS: Final = 2
"""A name that the catalogue lacks is expected of a type if so many of its simulations have it."""

RESULT_TYPES: Final = frozenset(ResultType)

DONE_BY_STATUS: Final[Mapping[str | None, Collection[bool]]] = {
    None: {True, False},
    ResultStatus.completed.value: {True},
    ResultStatus.not_yet_run.value: {False},
}
"""Filter by the status of results -> which results it selects: those that are there, or missing."""


class SimulationResults(NamedTuple):
    """The results of a simulation that are in the store, and those that are missing.

    Parameters
    ----------
    hash, simulation_type
        The simulation.
    results
        Result -> True if it is in the store, False if it is missing. Results that are not
        expected of the simulation are left out.
    """

    hash: str
    simulation_type: str
    results: dict[ResultId, bool]


@dataclass(frozen=True, slots=True)
class Expectations:
    """The results that are expected of simulations that have run, by their type.

    Results are compared without regard to the case of their names.

    Parameters
    ----------
    results
        Type of simulation -> expected results, in lower case.
    names
        Result in lower case -> the result with its name as it is shown.
    """

    results: Mapping[str, Collection[ResultId]]
    names: Mapping[ResultId, ResultId] = field(default_factory=dict)

    def judge(
        self, simulation_type: str, status: str | None, done: Collection[ResultId]
    ) -> dict[ResultId, bool]:
        """Return the results of a simulation that are in the store, and those that are missing.

        Parameters
        ----------
        simulation_type, status
            Type and status of the simulation; None if the status is not known. A simulation that
            has some results can have the others, too, whatever its status is.
        done
            Its results in the store, in lower case.

        Returns
        -------
        dict of ResultId to bool
            As in `SimulationResults`.
        """
        can_have_results = bool(done) or status in RUN_STATUSES
        expected = self.results.get(simulation_type, ()) if can_have_results else ()
        return {
            self.names.get(result, result): result in done for result in sorted({*done, *expected})
        }


def expect(catalogue: Catalogue, completed: Mapping[tuple[str, str, str], int]) -> Expectations:
    """Return what is expected of simulations, given the results that are in a store.

    Parameters
    ----------
    catalogue
        The results that are expected of each type.
    completed
        Simulation type, result type and name -> number of simulations that have this result.
    """
    names = {fold_name(result): result for result in catalogue.all_results()}
    expected: dict[str, set[ResultId]] = defaultdict(set)
    for type_ in SimulationType:
        expected[type_] |= set(map(fold_name, catalogue.results(type_)))
    numbers: Counter[tuple[str, ResultId]] = Counter()
    for (simulation_type, item_type, name), number in completed.items():
        if item_type in RESULT_TYPES:
            result = ResultType(item_type), name
            names.setdefault(fold_name(result), result)
            numbers[simulation_type, fold_name(result)] += number
    for (simulation_type, result), number in numbers.items():
        if number >= MIN_SIMULATIONS:
            expected[simulation_type].add(result)
    return Expectations(expected, names)


@dataclass(slots=True)
class ResultCounts:
    """Number of simulations that have a result, and of those that miss it."""

    completed: int = 0
    missing: int = 0


def count_results(completeness: Iterable[SimulationResults]) -> dict[ResultId, ResultCounts]:
    """Return the counts of each result, in the order of their types and names."""
    counts: dict[ResultId, ResultCounts] = defaultdict(ResultCounts)
    for simulation in completeness:
        for result, is_done in simulation.results.items():
            counts[result].completed += is_done
            counts[result].missing += not is_done
    return dict(sorted(counts.items(), key=lambda item: fold_name(item[0])))


def read_completeness(
    store: Store,
    catalogue: Catalogue,
    *,
    item_type: str | None = None,
    hash_prefix: str | None = None,
    simulation_type: str | None = None,
    status: str | None = None,
    search: Search = EVERYTHING,
    note: Note = no_note,
) -> Iterator[SimulationResults]:
    """Stream the simulations of the overview, each with its results.

    What is expected of a simulation depends on all simulations of the store, not only on those that
    the filters select.

    Parameters
    ----------
    store
        The store to read.
    catalogue
        The results that are expected of each type.
    item_type
        Select results of this type.
    hash_prefix, simulation_type
        Select simulations; see `sync.pull.conditions`.
    status
        Select results that are in the store (``completed``) or missing (``not_yet_run``).
    search
        How to narrow the simulations.
    note
        Function that is called with each note about the search.

    Yields
    ------
    SimulationResults
        The simulations in the order of their hashes; with `status`, only those with such results.

    Raises
    ------
    NotInitialisedError
        If the store has no overview.
    QueryError
        If a filter is invalid.
    """
    equal = {"item_type": item_type, "simulation_type": simulation_type, "status": status}
    conditions(hash_prefix, equal)  # none is empty
    where = conditions(hash_prefix, {"simulation_type": simulation_type})
    with store.transaction() as transaction:
        transaction.require(OVERVIEW)
        check_values(transaction, OVERVIEW, equal)
        expectations = _read_expectations(transaction, catalogue)
        for simulation in _judge_all(
            transaction,
            expectations,
            where,
            _read_runs(transaction, where, search, note),
            only_stored=search.narrows,
        ):
            results = {
                result: done
                for result, done in simulation.results.items()
                if item_type in {None, result[0]} and done in DONE_BY_STATUS.get(status, ())
            }
            if results or status is None:
                yield simulation._replace(results=results)


def _read_expectations(transaction: Transaction, catalogue: Catalogue) -> Expectations:
    """Return what is expected of the simulations of a store."""
    completed = OneOf("status", (ResultStatus.completed.value,))
    query = Query((completed,), ("simulation_type", "item_type", "item_name"))
    return expect(catalogue, Counter(transaction.values(OVERVIEW, query)))


def _read_runs(
    transaction: Transaction, where: tuple[Condition, ...], search: Search, note: Note
) -> Iterator[tuple[str, ...]]:
    """Yield hash and status of the simulations that meet a search, by their hashes."""
    if transaction.has(SIMULATIONS):
        query = Query(where, ("hash", "status"), Sort("hash"))
        for rows in find(transaction, SIMULATIONS, query, search, note).batches:
            yield from keys_of(rows, ("hash", "status"))


def _judge_all(
    transaction: Transaction,
    expectations: Expectations,
    where: tuple[Condition, ...],
    runs: Iterable[tuple[str, ...]],
    *,
    only_stored: bool,
) -> Iterator[SimulationResults]:
    """Yield each simulation of the overview with all of its results.

    Parameters
    ----------
    runs
        Hash and status of simulations, in the order of their hashes.
    only_stored
        Whether to leave out simulations that are not among these.
    """
    columns = ("hash", "simulation_type", "item_type", "item_name", "status")
    rows = transaction.values(OVERVIEW, Query(where, columns, Sort("hash")))
    remaining = iter(runs)
    hash_, status = "", None
    for own_hash, group in groupby(rows, key=itemgetter(0)):
        while hash_ < own_hash and (run := next(remaining, None)):
            hash_, status = run
        if only_stored and hash_ != own_hash:
            continue
        own_rows = list(group)
        done = {
            fold_name((ResultType(item_type), name))
            for _, _, item_type, name, result_status in own_rows
            if result_status == ResultStatus.completed and item_type in RESULT_TYPES
        }
        simulation_type = own_rows[0][1]
        own_status = status if hash_ == own_hash else None
        results = expectations.judge(simulation_type, own_status, done)
        yield SimulationResults(own_hash, simulation_type, results)
