"""Units and other extras of registry entries, which any program may have written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mdfactory.errors import displayed
from mdfactory.frames.groups import common_items


@dataclass(slots=True)
class CommonExtras:
    """The units and extras that the analyses of all simulations share.

    Parameters
    ----------
    units
        Arrow name of a column, or name of an index level -> unit.
    extras
        The other extras.
    differing
        Names of units and extras that differ, or that only some simulations have.
    has_units
        Whether any simulation has units.
    is_empty
        Whether no analysis was added yet.
    """

    units: dict[str, str] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)
    differing: set[str] = field(default_factory=set)
    has_units: bool = False
    is_empty: bool = True

    def add(self, entry: str) -> None:
        """Add the analysis of a simulation.

        Parameters
        ----------
        entry
            Its registry entry as JSON; empty if there is none.
        """
        units, extras = extras_of(entry)
        self.has_units |= bool(units)
        if self.is_empty:
            self.units, self.extras, self.is_empty = units, extras, False
            return
        self.units = self._common("unit of ", self.units, units)
        self.extras = self._common("extra ", self.extras, extras)

    def _common(
        self, kind: str, first: dict[str, Any], second: Mapping[str, Any]
    ) -> dict[str, Any]:
        if first == second:
            return first
        common = common_items(first, second)
        self.differing |= {kind + displayed(name) for name in {*first, *second} - {*common}}
        return common

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what was left out."""
        return tuple(
            f"{name}: differs between simulations, left out" for name in sorted(self.differing)
        )


def extras_of(entry: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the units in a registry entry, and its other extras; what is no unit is left out.

    Parameters
    ----------
    entry
        The entry as JSON; both are empty if it is not valid.
    """
    try:
        extras = json.loads(entry)["extras"]
        others = {name: value for name, value in extras.items() if name != "units"}
        units = extras.get("units")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}, {}
    given = units.items() if isinstance(units, dict) else ()
    return {name: unit for name, unit in given if isinstance(unit, str)}, others
