"""Remarks of views: what bands, error bars and symbols mean, and why nothing is drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from mdfactory.errors import counted, listed
from mdfactory.frames.curves import Curve
from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.plots import Plan, PlotKind
from mdfactory.report.plots.panels import Member
from mdfactory.report.plots.texts import has_no_unit, quantity_name

MAX_SPREADS: Final = 3
"""Maximum number of curves of a panel that have bands: more would be a solid block."""

MAX_UNITLESS: Final = 6
"""Maximum number of quantities that are named because they lack a unit."""

ERROR_WORDS: Final[Mapping[PlotKind, str]] = {
    PlotKind.timeseries: "error of the mean by blocks",
    PlotKind.map: "standard deviation of the cells",
    PlotKind.profile: "standard deviation of the rows",
    PlotKind.population: "standard deviation of the members",
    PlotKind.bars: "as recorded",
    PlotKind.scalars: "as recorded",
}
"""Kind -> what its error bars are."""

SPREAD_WORDS: Final[Mapping[PlotKind, str]] = {
    PlotKind.population: "5 to 95 % of the members",
}
"""Kind -> what the bands of its curves are; recorded errors if it is not listed."""


def spread_notes(
    kind: PlotKind, curves: Sequence[Curve], number: int
) -> tuple[bool, tuple[str, ...]]:
    """Return whether curves have bands, and what the bands are.

    Parameters
    ----------
    kind
        Kind of the plot.
    curves
        The curves.
    number
        Number of curves of a panel.
    """
    if kind is PlotKind.bars or all(curve.low is None for curve in curves):
        return False, ()
    words = SPREAD_WORDS.get(kind, "the recorded error")
    if number <= MAX_SPREADS:
        return True, (f"bands: {words}",)
    return False, (f"bands ({words}) are left out: more than {MAX_SPREADS} curves",)


def unit_notes(plan: Plan, quantities: Sequence[str]) -> tuple[str, ...]:
    """Return which quantities lack a unit."""
    names = [quantity_name(name) for name in quantities if _lacks_unit(plan, name)]
    named = ", ".join(listed(names, MAX_UNITLESS))
    return (f"unit not recorded: {named}",) if names else ()


def _lacks_unit(plan: Plan, name: str) -> bool:
    """Whether the unit of a quantity is missing; numbers of things have none."""
    is_plain = plan.columns.get(name) is ColumnKind.boolean or has_no_unit(name)
    return not (plan.units.get(name) or is_plain)


def colour_notes(title: str, values: Collection[object]) -> tuple[str, ...]:
    """Return how many simulations have no value of the field that colours them.

    Parameters
    ----------
    title
        The field in words.
    values
        Its value for each simulation; None if it has none.
    """
    lacking = sum(value is None for value in values)
    if not lacking:
        return ()
    return (f"grey: {lacking:,} of {counted(len(values), 'simulation')} without {title}",)


def error_notes(
    kind: PlotKind, error: str, members: Sequence[Member], quantities: Sequence[str]
) -> tuple[str, ...]:
    """Return what error bars and open symbols mean."""
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
    return (f"{note}; open symbols: the run is too short for a sure error" if is_open else note,)


def lines_of(plan: Plan, title: str) -> tuple[str, ...]:
    """Return what is said of an analysis that is not drawn."""
    reasons = {
        PlotKind.empty: "The tables of this analysis have no rows.",
        PlotKind.chemistry: "This analysis is a table of molecules.",
        PlotKind.table: "This analysis has no plot.",
    }
    reason = reasons.get(plan.kind, "No simulation could be drawn.")
    return (reason, f"To read its tables: open_store().analysis({title})")
