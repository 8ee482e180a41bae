"""The analyses and artifacts that each type of simulation is expected to have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from mdfactory.records.tables import Table, result_table
from mdfactory.records.vocabulary import ResultId, ResultType, SimulationType

BOX_RESULTS: Final[Mapping[ResultType, tuple[str, ...]]] = {
    ResultType.analysis: ("system_chemistry",),
    ResultType.artifact: ("last_frame_pdb",),
}
"""Type of result -> names of the results of each system in a box of liquid."""

RESULT_NAMES: Final[Mapping[SimulationType, Mapping[ResultType, tuple[str, ...]]]] = {
    SimulationType.bilayer: {
        ResultType.analysis: (
            "area_per_lipid",
            "density_distribution",
            "cholesterol_tilt",
            "tail_end_to_end",
            "headgroup_hydration",
            "interdigitation",
            "leaflet_distribution",
            "tail_order_parameter",
            "bilayer_thickness_map",
            "box_size_timeseries",
            "lipid_rg",
            "system_chemistry",
        ),
        ResultType.artifact: (
            "last_frame_pdb",
            "bilayer_snapshot",
            "bilayer_movie",
            "conformational_density",
        ),
    },
    SimulationType.mixedbox: BOX_RESULTS,
    SimulationType.proteinbox: BOX_RESULTS,
    SimulationType.protein_mixedbox: BOX_RESULTS,
}
"""Type of simulation -> type of result -> names of the results."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The results that each type of simulation is expected to have.

    Parameters
    ----------
    added
        Names from the user's configuration: type of simulation -> type of result -> names.
    """

    added: Mapping[SimulationType, Mapping[ResultType, Iterable[str]]] = field(default_factory=dict)

    def results(self, simulation_type: SimulationType) -> list[ResultId]:
        """Return the results expected of a type of simulation, analyses first."""
        results = (
            (result_type, name)
            for result_type in ResultType
            for source in (RESULT_NAMES, self.added)
            for name in source.get(simulation_type, {}).get(result_type, ())
        )
        return list(dict.fromkeys(results))

    def all_results(self) -> list[ResultId]:
        """Return the results expected of any type of simulation, analyses first."""
        results = chain.from_iterable(map(self.results, SimulationType))
        return sorted(dict.fromkeys(results), key=lambda result: result[0])

    def tables(self, result_type: ResultType) -> list[Table]:
        """Return the tables of all analyses or all artifacts."""
        return [result_table(*result) for result in self.all_results() if result[0] is result_type]
