"""Views: what a plot shows of an analysis, in which units and colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mdfactory.frames.curves import Curve
from mdfactory.frames.plots import Plan, PlotKind
from mdfactory.report.plots.axes import (
    aspect_of,
    averaged_note,
    axis_of,
    axis_type,
    has_lone_point,
    whole_ticks,
)
from mdfactory.report.plots.colour import Colour
from mdfactory.report.plots.panel_axes import PanelAxes, with_axes
from mdfactory.report.plots.panels import (
    HASH_DIGITS,
    MAX_MAPS,
    Group,
    Member,
    Panel,
    group_text,
    hidden_note,
    map_panels,
    panels_of,
    sorted_groups,
)
from mdfactory.report.plots.remarks import (
    colour_notes,
    error_notes,
    lines_of,
    spread_notes,
    unit_notes,
)
from mdfactory.report.plots.texts import axis_title, clean, clean_title, quantity_name
from mdfactory.report.plots.themes import CATEGORIES

if TYPE_CHECKING:
    import numpy as np

MAX_LEGEND_VALUES: Final = 8
"""Maximum number of different values that a legend shows as symbols, and not as a scale."""

MAX_BARS: Final = 40
"""Maximum number of rows in a plot of bars, of all quantities."""

MIN_BARS: Final = 12
"""Maximum number of rows of each of many quantities."""

MAX_ERROR_BARS: Final = 120
"""Maximum number of simulations whose statistics have error bars."""

NO_PLOT: Final = frozenset({PlotKind.chemistry, PlotKind.table, PlotKind.empty})
"""Kinds that are described by a text."""

FIGURES: Final[Mapping[PlotKind, tuple[str, str, str]]] = {
    PlotKind.timeseries: ("mean", "error", "mean {}"),
    PlotKind.profile: ("maximum", "", "maximum of {}"),
    PlotKind.map: ("mean", "deviation", "mean {}"),
    PlotKind.population: ("mean", "deviation", "mean {}"),
    PlotKind.bars: ("mean", "error", "{}"),
    PlotKind.scalars: ("mean", "error", "{}"),
}
"""Kind -> statistic of a simulation that is shown, its error, and the title of its axis."""


ROW_FIGURES: Final = ("mean", "deviation", "mean {}")
"""As in `FIGURES`, of a profile over the number of the row, whose maximum says little."""


class ColourKind(StrEnum):
    """What the colours of a plot mean."""

    number = "number"
    category = "category"
    none = "none"


@dataclass(frozen=True, slots=True)
class View:
    """Settings of a specification, in addition to a plan.

    Parameters
    ----------
    title
        Title of the plot.
    kind
        Kind of what is drawn: that of the plan, or scalars if only scalars are shown.
    panels
        The small multiples.
    x_title, colour_title
        Titles of the axis and of the legend.
    figure, error
        Statistic of each simulation, and its error; empty if it has none.
    statistic
        Title of the axis of a statistic; ``{}`` stands for the quantity.
    x_type
        Type of the axis in Vega-Lite: ``quantitative``, ``temporal`` or ``nominal``.
    x_factor
        Factor from the unit of the column to that of the axis.
    has_zero
        Whether the axis begins at 0.
    ticks
        For each axis, its ticks if the places on it are a few whole numbers.
    names
        Number of different texts on the axis.
    colour_kind
        What the colours mean.
    by_group
        Whether the colours tell the groups of one simulation apart.
    bar_groups
        The groups that have a row, in a plot of bars.
    categories
        The categories of the legend, in order.
    legend_values
        The numbers of the legend, if there are few.
    shares_y
        Whether all panels have the same axis of values.
    aspect
        Height of a map, relative to its width.
    has_spread
        Whether bands or error bars of curves are drawn.
    has_points
        Whether curves have points that no line reaches, or texts on their axis.
    has_many
        Whether there are so many simulations that error bars are left out.
    has_statistics
        Whether the statistic of each simulation is drawn, against the field of the colour.
    lines
        Lines of text, for an analysis that is not drawn.
    notes
        Sentences for the subtitle.
    """

    title: str
    kind: PlotKind
    panels: tuple[Panel, ...] = ()
    x_title: str = ""
    colour_title: str = ""
    figure: str = "mean"
    error: str = ""
    statistic: str = "{}"
    x_type: str = "quantitative"
    x_factor: float = 1.0
    has_zero: bool = False
    ticks: tuple[tuple[int, ...], ...] = ((),)
    names: int = 0
    colour_kind: ColourKind = ColourKind.none
    by_group: bool = False
    bar_groups: tuple[Group, ...] = ()
    categories: tuple[str, ...] = ()
    legend_values: tuple[float, ...] = ()
    shares_y: bool = True
    aspect: float = 1.0
    has_spread: bool = False
    has_points: bool = False
    has_many: bool = False
    has_statistics: bool = False
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def view_of(
    name: str,
    plan: Plan,
    members: Sequence[Member],
    colour: Colour,
    quantities: Sequence[str],
    *,
    is_date: bool = False,
) -> View:
    """Return the view of an analysis.

    Parameters
    ----------
    name
        Name of the analysis.
    plan
        Its plan.
    members
        The simulations.
    colour
        The field that colours them.
    quantities
        The quantities to show; see `report.plots.panels.shown_quantities`.
    is_date
        Whether the axis is a date.
    """
    title = clean_title(name)
    if plan.kind in NO_PLOT or not (members and quantities):
        return View(title, plan.kind, lines=lines_of(plan, title))
    kind = plan.kind if set(quantities) & set(plan.y) else PlotKind.scalars
    groups = _groups(members, quantities)
    own = _tell_apart(colour, members)
    view = View(title, kind, by_group=_are_coloured(kind, members, groups))
    view = _with_panels(view, plan, own, quantities, groups)
    view = _with_axes(view, plan, members, quantities, groups, is_date=is_date)
    view = _with_colours(view, plan, own, groups)
    view = _with_statistics(view, plan, members, own, quantities)
    error = "" if view.has_many else view.error
    axes = PanelAxes(view.figure, error, shares_y=view.shares_y, has_spread=view.has_spread)
    return replace(view, panels=with_axes(axes, plan, members, view.panels))


def _are_coloured(kind: PlotKind, members: Sequence[Member], groups: Collection[Group]) -> bool:
    """Whether the groups of one simulation are told apart by colours."""
    is_single = len(members) == 1 and kind not in {PlotKind.map, PlotKind.bars}
    return is_single and 1 < len(groups) <= len(CATEGORIES)


def _with_panels(
    view: View,
    plan: Plan,
    colour: Colour,
    quantities: Sequence[str],
    groups: Mapping[Group, int],
) -> View:
    """Return a view with its small multiples."""
    if view.kind is PlotKind.map:
        panels, notes = map_panels(plan, [*colour.values], colour, quantities[0], [*groups])
    else:
        panels, notes = panels_of(plan, view.kind, quantities, groups, by_group=view.by_group)
    room = max(MIN_BARS, MAX_BARS // len(quantities))
    bars = tuple(groups)[:room] if view.kind is PlotKind.bars else ()
    if bars and len(bars) < len(groups):
        notes += (f"{len(bars)} of {len(groups):,} groups are shown",)
    if hidden := hidden_note(plan, quantities):
        notes += (hidden,)
    return replace(view, panels=panels, bar_groups=bars, notes=notes)


def _with_axes(
    view: View,
    plan: Plan,
    members: Sequence[Member],
    quantities: Sequence[str],
    groups: Collection[Group],
    *,
    is_date: bool,
) -> View:
    """Return a view with the axes of its curves."""
    curves = [curve for member in members for curve in member.drawing.curves]
    unit, factor, has_zero = axis_of(plan, curves)
    ticks = tuple(whole_ticks(_places(curves, axis)) for axis in range(max(len(plan.x), 1)))
    x_type = "temporal" if is_date else axis_type(view.kind, curves)
    number = len(groups) if view.by_group else len(members)
    has_spread, notes = spread_notes(view.kind, curves, number)
    if view.kind is PlotKind.map:
        notes += tuple(filter(None, [averaged_note(curves[:MAX_MAPS])]))
    return replace(
        view,
        x_title=axis_title(plan.x[0], unit) if plan.x else "row",
        x_type=x_type,
        x_factor=factor,
        has_zero=has_zero,
        ticks=ticks if factor == 1 and not is_date else ((),),
        names=len({text for x in _places(curves) for text in x}) if x_type == "nominal" else 0,
        shares_y=_shares_y(plan, quantities),
        aspect=aspect_of(curves) if view.kind is PlotKind.map else 1.0,
        has_spread=has_spread,
        has_points=x_type == "nominal" or any(map(has_lone_point, curves)),
        notes=(*view.notes, *notes),
    )


def _places(curves: Sequence[Curve], axis: int = 0) -> Iterator[np.ndarray]:
    """Yield the places of curves on an axis."""
    return (curve.x[axis] for curve in curves if len(curve.x) > axis)


def _with_colours(view: View, plan: Plan, colour: Colour, groups: Collection[Group]) -> View:
    """Return a view with its colours: of groups, or of the field."""
    if view.by_group:
        title = clean_title(" · ".join(map(quantity_name, plan.groups)))
        texts = tuple(map(group_text, groups))  # as in the rows of the curves
        return replace(view, colour_kind=ColourKind.category, colour_title=title, categories=texts)
    kind, categories, values = colour_scale(colour)
    title = clean_title(colour.title)
    has_colours = kind is not ColourKind.none
    return replace(
        view,
        colour_kind=kind,
        colour_title=title,
        categories=categories,
        legend_values=values,
        notes=view.notes + (colour_notes(title, colour.values.values()) if has_colours else ()),
    )


def _with_statistics(
    view: View, plan: Plan, members: Sequence[Member], colour: Colour, quantities: Sequence[str]
) -> View:
    """Return a view with its statistics, and notes about units and errors."""
    is_row = view.kind is PlotKind.profile and not plan.x
    figure, error, title = ROW_FIGURES if is_row else FIGURES[view.kind]
    has_statistics = _has_figure(figure, members) and (view.by_group or colour.varies)
    has_many = len(members) > MAX_ERROR_BARS
    notes = (*view.notes, *unit_notes(plan, quantities))
    if has_statistics and not has_many:
        notes += error_notes(view.kind, error, members, quantities)
    return replace(
        view,
        figure=figure,
        error=error,
        statistic=title,
        has_statistics=has_statistics,
        has_many=has_many,
        notes=notes,
    )


def colour_scale(colour: Colour) -> tuple[ColourKind, tuple[str, ...], tuple[float, ...]]:
    """Return the kind of a colour, its categories, and the few numbers that a legend shows."""
    numbers = sorted({value for value in colour.values.values() if isinstance(value, float)})
    if colour.is_number and len(numbers) > 1:
        few = tuple(numbers) if len(numbers) <= MAX_LEGEND_VALUES else ()
        return ColourKind.number, (), few
    if not colour.is_number and colour.varies:
        return ColourKind.category, tuple(map(clean, colour.categories)), ()
    return ColourKind.none, (), ()


def hash_colour(colour: Colour, hashes: Sequence[str]) -> Colour:
    """Return a colour that tells simulations apart by their hashes, if no field does.

    One simulation has no colour, and neither have many.
    """
    if colour.varies or not 1 < len(hashes) <= len(CATEGORIES):
        return colour
    return Colour("simulation", {hash_: hash_[:HASH_DIGITS] for hash_ in hashes})


def _tell_apart(colour: Colour, members: Sequence[Member]) -> Colour:
    """Return the values of a colour for the simulations that are drawn."""
    values = {member.hash: colour.values.get(member.hash) for member in members}
    return Colour(colour.field, values, is_number=colour.is_number)


def _groups(members: Sequence[Member], quantities: Sequence[str]) -> dict[Group, int]:
    """Return all groups of the shown quantities, in order, and the number of their points."""
    sizes: Counter[Group] = Counter()
    for member in members:
        for curve in member.drawing.curves:
            sizes[curve.group] += len(curve.y) if curve.quantity in quantities else 0
        groups = (part.group for part in member.statistics if part.quantity in quantities)
        sizes.update(dict.fromkeys(groups, 0))
    return {group: sizes[group] for group in sorted_groups(sizes)}


def _shares_y(plan: Plan, quantities: Sequence[str]) -> bool:
    return len(quantities) == 1 or any(set(quantities) <= set(names) for names in plan.together)


def _has_figure(figure: str, members: Sequence[Member]) -> bool:
    return any(
        getattr(part, figure) is not None for member in members for part in member.statistics
    )
