"""Results: which simulations have which analyses and artifacts, as columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import OVERVIEW
from mdfactory.records.vocabulary import ResultId, ResultStatus, ResultType
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.completeness import RESULT_TYPES, RUN_STATUSES, Expectations, expect
from mdfactory.sync.overview import fold_name

NOT_EXPECTED: Final = " "
MISSING: Final = "."
STORED: Final = "x"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One analysis or artifact of all simulations.

    Parameters
    ----------
    item, name
        Type and name of the result.
    states
        A character for each simulation: `NOT_EXPECTED`, `MISSING` or `STORED`.
    times
        Number of a simulation -> time at which the result was stored.
    """

    item: ResultType
    name: str
    states: str
    times: dict[int, str]

    @property
    def completed(self) -> int:
        """Number of simulations that have it."""
        return self.states.count(STORED)

    @property
    def expected(self) -> int:
        """Number of simulations that have it or miss it."""
        return len(self.states) - self.states.count(NOT_EXPECTED)


@dataclass(frozen=True, slots=True)
class ResultColumns:
    """All results of the simulations of a report.

    Parameters
    ----------
    columns
        The results, analyses first, by their names.
    all_times
        The distinct times of all results of the store.
    """

    columns: list[ResultColumn]
    all_times: Collection[str] = ()


def read_results(
    transaction: Transaction,
    catalogue: Catalogue,
    hashes: Sequence[str],
    types: Sequence[str],
    statuses: Sequence[str],
) -> ResultColumns:
    """Read the results of simulations from the overview; none without an overview.

    What is expected depends on all simulations of the store; see `sync.completeness`.

    Parameters
    ----------
    transaction
        A transaction of the store.
    catalogue
        The results that are expected of each type.
    hashes, types, statuses
        Columns of the simulations.
    """
    if not transaction.has(OVERVIEW):
        return ResultColumns([])
    positions = {hash_: index for index, hash_ in enumerate(hashes)}
    counts: Counter[tuple[str, str, str]] = Counter()
    times: defaultdict[ResultId, dict[int, str]] = defaultdict(dict)
    known: dict[str, str] = {}
    query = Query(
        (OneOf("status", (ResultStatus.completed.value,)),),
        ("hash", "simulation_type", "item_type", "item_name", "updated_at"),
    )
    for hash_, simulation_type, item_type, name, updated_at in transaction.values(OVERVIEW, query):
        counts[str(simulation_type), str(item_type), str(name)] += 1
        time = known.setdefault(str(updated_at), str(updated_at))
        position = positions.get(str(hash_))
        if item_type in RESULT_TYPES and position is not None:
            result = fold_name((ResultType(item_type), str(name)))
            times[result][position] = time
    expectations = expect(catalogue, counts)
    states = _judge(expectations, times, types, statuses)
    columns = [
        ResultColumn(item, expectations.names.get((item, name), (item, name))[1], text, own)
        for (item, name), text in sorted(states.items())
        if (own := times.get((item, name), {})) or text.strip()
    ]
    return ResultColumns(columns, known)


def _judge(
    expectations: Expectations,
    times: dict[ResultId, dict[int, str]],
    types: Sequence[str],
    statuses: Sequence[str],
) -> dict[ResultId, str]:
    """Return the states of each result, with its name in lower case."""
    done: list[list[ResultId]] = [[] for _ in types]
    for result in sorted(times):
        for position in times[result]:
            done[position].append(result)

    @lru_cache(maxsize=100_000)
    def judge(
        simulation_type: str, status: str | None, own: tuple[ResultId, ...]
    ) -> tuple[tuple[ResultId, bool], ...]:
        judged = expectations.judge(simulation_type, status, own)
        return tuple((fold_name(result), is_done) for result, is_done in judged.items())

    states: defaultdict[ResultId, bytearray] = defaultdict(
        lambda: bytearray(NOT_EXPECTED.encode() * len(types))
    )
    for position, simulation_type in enumerate(types):
        status = statuses[position] if statuses[position] in RUN_STATUSES else None
        for result, is_done in judge(simulation_type, status, tuple(done[position])):
            states[result][position] = ord(STORED if is_done else MISSING)
    return {result: column.decode() for result, column in states.items()}
