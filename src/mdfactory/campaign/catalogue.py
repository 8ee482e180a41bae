"""Which analyses and artifacts are known, for each type of simulation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mdfactory.records.tables import Table, result_table
from mdfactory.records.vocabulary import ResultId, ResultType, SimulationType

__all__ = ["Catalogue"]

BILAYER: Final = {
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
}

MIXEDBOX: Final = {
    ResultType.analysis: ("system_chemistry",),
    ResultType.artifact: ("last_frame_pdb",),
}

DIGEST_ROW_SCHEMA: Final[Mapping[SimulationType, Mapping[ResultType, tuple[str, ...]]]] = {
    SimulationType.bilayer: BILAYER,
    SimulationType.mixedbox: MIXEDBOX,
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The results that belong to each type of simulation, done or not.

    Parameters
    ----------
    added
        Names that a user's configuration adds: type of simulation -> kind -> names.
    """

    added: Mapping[SimulationType, Mapping[ResultType, Iterable[str]]] = field(default_factory=dict)

    def items(self, simulation_type: SimulationType) -> list[ResultId]:
        """Return what is expected of a type of simulation, analyses first."""
        known, added = (
            DIGEST_ROW_SCHEMA.get(simulation_type, {}),
            self.added.get(simulation_type, {}),
        )
        names = {kind: (*known.get(kind, ()), *added.get(kind, ())) for kind in ResultType}
        return list(dict.fromkeys((kind, name) for kind in ResultType for name in names[kind]))

    def all(self) -> list[ResultId]:
        """Return what is expected of any simulation."""
        items = (item for one in SimulationType for item in self.items(one))
        return sorted(dict.fromkeys(items), key=lambda item: item[0])

    def tables(self, kind: ResultType) -> list[Table]:
        """Return the tables of all analyses or all artifacts."""
        return [result_table(one, name) for one, name in self.all() if one is kind]
