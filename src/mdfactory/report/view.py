"""Views: what a plot shows of an analysis, in which units and colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from mdfactory.errors import displayed
from mdfactory.frames.plots import Plan, PlotKind
from mdfactory.report.axes import (
    aspect_of,
    axis_of,
    axis_type,
    constant_domain,
    has_lone_point,
)
from mdfactory.report.colour import Colour
from mdfactory.report.panels import (
    HASH_DIGITS,
    Group,
    Member,
    Panel,
    group_text,
    map_panels,
    panels_of,
)
from mdfactory.report.texts import axis_title, clean, clean_title
from mdfactory.report.themes import CATEGORIES

MAX_LEGEND_VALUES: Final = 6
"""Maximum number of different values that a legend shows as symbols, and not as a scale."""

MAX_BARS: Final = 40
"""Maximum number of rows in a plot of bars."""

MAX_ERROR_BARS: Final = 120
"""Maximum number of simulations whose statistics have error bars."""

MAX_SPREADS: Final = 8
"""Maximum number of simulations whose curves have bands or error bars."""

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


ERROR_WORDS: Final[Mapping[PlotKind, str]] = {
    PlotKind.timeseries: "error of the mean by blocks",
    PlotKind.map: "standard deviation of the cells",
    PlotKind.population: "standard deviation of the members",
    PlotKind.bars: "as recorded",
    PlotKind.scalars: "as recorded",
}
"""Kind -> what its error bars are."""


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
    statistic
        Title of the axis of a statistic; ``{}`` stands for the quantity.
    x_type
        Type of the axis in Vega-Lite: ``quantitative``, ``temporal`` or ``nominal``.
    x_factor
        Factor from the unit of the column to that of the axis.
    has_zero
        Whether the axis begins at 0.
    y_domain
        Range of the values, if all are the same; None for their own range.
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
    statistic: str = "{}"
    x_type: str = "quantitative"
    x_factor: float = 1.0
    has_zero: bool = False
    y_domain: tuple[float, float] | None = None
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
        The quantities to show; see `report.panels.shown_quantities`.
    is_date
        Whether the axis is a date.
    """
    title = clean_title(name)
    if plan.kind in NO_PLOT or not (members and quantities):
        return View(title, plan.kind, lines=_lines(plan, title))
    kind = plan.kind if set(quantities) & set(plan.y) else PlotKind.scalars
    groups = _groups(members, quantities)
    own = _tell_apart(colour, members)
    view = View(title, kind, by_group=_are_coloured(kind, members, groups))
    view = _with_panels(view, plan, own, quantities, groups)
    view = _with_axes(view, plan, members, quantities, is_date=is_date)
    view = _with_colours(view, plan, own, groups)
    return _with_statistics(view, plan, members, own, quantities)


def _are_coloured(kind: PlotKind, members: Sequence[Member], groups: Sequence[Group]) -> bool:
    """Whether the groups of one simulation are told apart by colours."""
    is_single = len(members) == 1 and kind not in {PlotKind.map, PlotKind.bars}
    return is_single and 1 < len(groups) <= len(CATEGORIES)


def _with_panels(
    view: View, plan: Plan, colour: Colour, quantities: Sequence[str], groups: Sequence[Group]
) -> View:
    """Return a view with its small multiples."""
    if view.kind is PlotKind.map:
        panels, notes = map_panels(plan, [*colour.values], colour, quantities[0], groups)
    else:
        panels, notes = panels_of(plan, view.kind, quantities, groups, by_group=view.by_group)
    bars = tuple(groups[:MAX_BARS]) if view.kind is PlotKind.bars else ()
    if bars and len(bars) < len(groups):
        notes += (f"{len(bars)} of {len(groups):,} groups are shown",)
    return replace(view, panels=panels, bar_groups=bars, notes=notes)


def _with_axes(
    view: View, plan: Plan, members: Sequence[Member], quantities: Sequence[str], *, is_date: bool
) -> View:
    """Return a view with the axes of its curves."""
    curves = [curve for member in members for curve in member.drawing.curves]
    unit, factor, has_zero = axis_of(plan, curves)
    x_type = "temporal" if is_date else axis_type(view.kind, curves)
    has_spread = any(curve.low is not None for curve in curves)
    notes = view.notes
    if has_spread and len(members) > MAX_SPREADS:
        has_spread = False
        notes += (f"bands of the curves are drawn of at most {MAX_SPREADS} simulations",)
    return replace(
        view,
        x_title=axis_title(plan.x[0], unit) if plan.x else "row",
        x_type=x_type,
        x_factor=factor,
        has_zero=has_zero,
        y_domain=constant_domain(curves, quantities),
        shares_y=_shares_y(plan, quantities),
        aspect=aspect_of(curves) if view.kind is PlotKind.map else 1.0,
        has_spread=has_spread,
        has_points=x_type == "nominal" or any(map(has_lone_point, curves)),
        notes=notes,
    )


def _with_colours(view: View, plan: Plan, colour: Colour, groups: Sequence[Group]) -> View:
    """Return a view with its colours: of groups, or of the field."""
    if view.by_group:
        title = clean_title(" · ".join(plan.groups))
        texts = tuple(map(group_text, groups))
        return replace(view, colour_kind=ColourKind.category, colour_title=title, categories=texts)
    kind, categories, values = colour_scale(colour)
    title = clean_title(colour.title)
    return replace(
        view, colour_kind=kind, colour_title=title, categories=categories, legend_values=values
    )


def _with_statistics(
    view: View, plan: Plan, members: Sequence[Member], colour: Colour, quantities: Sequence[str]
) -> View:
    """Return a view with its statistics, and notes about units and errors."""
    figure, _, title = FIGURES[view.kind]
    has_statistics = _has_figure(figure, members) and (view.by_group or colour.varies)
    has_many = len(members) > MAX_ERROR_BARS
    notes = view.notes
    unitless = [displayed(name) for name in quantities if not plan.units.get(name)]
    if unitless:
        notes += (f"unit not recorded: {', '.join(unitless)}",)
    if has_statistics and not has_many:
        notes += _error_notes(view.kind, members, quantities)
    return replace(
        view, statistic=title, has_statistics=has_statistics, has_many=has_many, notes=notes
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


def _groups(members: Sequence[Member], quantities: Sequence[str]) -> list[Group]:
    """Return all groups of the shown quantities, in the order in which they are seen."""
    groups: dict[Group, None] = {}
    for member in members:
        curves, statistics = member.drawing.curves, member.statistics
        groups |= {curve.group: None for curve in curves if curve.quantity in quantities}
        groups |= {part.group: None for part in statistics if part.quantity in quantities}
    return [*groups]


def _shares_y(plan: Plan, quantities: Sequence[str]) -> bool:
    return len(quantities) == 1 or any(set(quantities) <= set(names) for names in plan.together)


def _has_figure(figure: str, members: Sequence[Member]) -> bool:
    return any(
        getattr(part, figure) is not None for member in members for part in member.statistics
    )


def _error_notes(
    kind: PlotKind, members: Sequence[Member], quantities: Sequence[str]
) -> tuple[str, ...]:
    """Return what error bars and open symbols mean."""
    error = FIGURES[kind][1]
    parts = [
        part
        for member in members
        for part in member.statistics
        if part.quantity in quantities and error and getattr(part, error) is not None
    ]
    if not parts:
        return ()
    note = f"error bars: {ERROR_WORDS[kind]}"
    is_open = any(part.levelled is False for part in parts)
    return (f"{note}; open symbols: it has not levelled off" if is_open else note,)


def _lines(plan: Plan, title: str) -> tuple[str, ...]:
    """Return what is said of an analysis that is not drawn."""
    reasons = {
        PlotKind.empty: "The tables of this analysis have no rows.",
        PlotKind.chemistry: "This analysis is a table of molecules.",
        PlotKind.table: "This analysis has no plot.",
    }
    reason = reasons.get(plan.kind, "No simulation could be drawn.")
    return (reason, f"To read its tables: open_store().analysis({title})")
