"""Plans: what is drawn of the tables of an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class PlotKind(StrEnum):
    """Kind of a plot."""

    timeseries = "timeseries"
    profile = "profile"
    map = "map"
    population = "population"
    bars = "bars"
    scalars = "scalars"
    chemistry = "chemistry"
    table = "table"
    empty = "empty"


MAX_AXES: Final = 2
"""A map has two axes, other plots have one at most."""


class ColumnKind(StrEnum):
    """Kind of the values of a column."""

    number = "number"
    boolean = "boolean"
    text = "text"
    timestamp = "timestamp"
    duration = "duration"
    nothing = "nothing"
    other = "other"


@dataclass(frozen=True, slots=True)
class Plan:
    """How the tables of one analysis are drawn.

    All names are those of Arrow columns, which hold index levels, too. A level that is a named
    range of numbers is a column of `frames.planning.kinds.with_levels`.

    Parameters
    ----------
    kind
        Kind of the plot.
    x
        Columns of the axis: one; two of a map; none if the axis is the number of the row, or if
        the plot has no axis (bars, scalars, chemistry, table, empty).
    y
        Columns of the quantities. That which is shown first comes first.
    groups
        Columns whose values divide the rows into curves.
    entity
        Column of the members of a population; empty for other kinds.
    mean_over
        Column of the time over which a profile or a map is a mean; empty if there is none.
    errors
        Quantity -> column of its error.
    scalars
        Columns that have one value for each group: shown as text, and offered as quantities.
    together
        Quantities that share a plot, such as the three lengths of a box.
    first_group
        Value of a group, such as ``all``, whose curve is shown first; empty if there is none.
    units
        Column -> unit, where one is recorded or named.
    notes
        Sentences about what the plot leaves out or assumes.
    columns
        Column of the frames -> kind of its values; those that are not drawn are among them.
    single
        Columns of texts and identifiers that have one value in each frame.
    """

    kind: PlotKind
    x: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    entity: str = ""
    mean_over: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    scalars: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    first_group: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    columns: Mapping[str, ColumnKind] = field(default_factory=dict)
    single: tuple[str, ...] = ()

    @property
    def drawn(self) -> set[str]:
        """The columns that a drawing reads."""
        key = {*self.x, *self.groups, self.entity, self.mean_over} - {""}
        return key | {*self.y, *self.errors.values(), *self.scalars}
