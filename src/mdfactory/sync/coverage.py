"""Coverage: which results the simulations of a push have in the store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.records.vocabulary import ResultId, SimulationStatus, SimulationType
from mdfactory.sync.completeness import ResultCounts, expect
from mdfactory.sync.overview import fold_name

Combination = tuple[SimulationType, SimulationStatus, frozenset[ResultId]]
"""Type and status of simulations, and their results in the store."""


@dataclass(slots=True)
class Coverage:
    """How many simulations have which results.

    Simulations are counted by their combination of type, status and results: there are few of
    them, however large a campaign is.

    Parameters
    ----------
    combinations
        Combination -> number of simulations.
    without_results
        Hashes of the completed simulations that have no result.
    """

    combinations: Counter[Combination] = field(default_factory=Counter)
    without_results: list[str] = field(default_factory=list)

    def add(
        self,
        hash_: str,
        simulation_type: SimulationType,
        status: SimulationStatus,
        results: Iterable[ResultId],
    ) -> None:
        """Add a simulation with its results in the store."""
        done = frozenset(results)
        self.combinations[simulation_type, status, done] += 1
        if status is SimulationStatus.completed and not done:
            self.without_results.append(hash_)

    def counts(self, catalogue: Catalogue) -> dict[ResultId, ResultCounts]:
        """Return how many simulations have each result, and how many miss it.

        A result is missing where the matrix of ``pull analysis`` marks it; see `completeness`.
        Names that the catalogue lacks are expected if they are usual among these simulations.
        """
        completed: Counter[tuple[str, str, str]] = Counter()
        for (simulation_type, _, done), number in self.combinations.items():
            for result_type, name in done:
                completed[simulation_type, result_type, name] += number
        expectations = expect(catalogue, completed)
        counts: dict[ResultId, ResultCounts] = defaultdict(ResultCounts)
        for (simulation_type, status, done), number in self.combinations.items():
            folded = frozenset(map(fold_name, done))
            for result, is_done in expectations.judge(simulation_type, status, folded).items():
                counts[result].completed += number * is_done
                counts[result].missing += number * (not is_done)
        return dict(sorted(counts.items(), key=lambda item: fold_name(item[0])))
