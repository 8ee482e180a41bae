"""Which analyses and artifacts are known, for each type of simulation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mdfactory.records.tables import Table, item_table
from mdfactory.records.vocabulary import Item, ItemType, SimulationType

__all__ = ["Catalogue"]

BILAYER: Final = {
    ItemType.analysis: (
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
    ItemType.artifact: (
        "last_frame_pdb",
        "bilayer_snapshot",
        "bilayer_movie",
        "conformational_density",
    ),
}

MIXEDBOX: Final = {
    ItemType.analysis: ("system_chemistry",),
    ItemType.artifact: ("last_frame_pdb",),
}

KNOWN: Final[Mapping[SimulationType, Mapping[ItemType, tuple[str, ...]]]] = {
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

    added: Mapping[SimulationType, Mapping[ItemType, Iterable[str]]] = field(default_factory=dict)

    def items(self, simulation_type: SimulationType) -> list[Item]:
        """Return what is expected of a type of simulation, analyses first."""
        known, added = KNOWN.get(simulation_type, {}), self.added.get(simulation_type, {})
        names = {kind: (*known.get(kind, ()), *added.get(kind, ())) for kind in ItemType}
        return list(dict.fromkeys((kind, name) for kind in ItemType for name in names[kind]))

    def all(self) -> list[Item]:
        """Return what is expected of any simulation."""
        items = (item for one in SimulationType for item in self.items(one))
        return sorted(dict.fromkeys(items), key=lambda item: item[0])

    def tables(self, kind: ItemType) -> list[Table]:
        """Return the tables of all analyses or all artifacts."""
        return [item_table(one, name) for one, name in self.all() if one is kind]
