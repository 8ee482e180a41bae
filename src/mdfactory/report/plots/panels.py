"""Panels: which quantities and groups of an analysis a plot shows, as small multiples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from mdfactory.errors import QueryError, displayed, suggestion
from mdfactory.frames.curves import Drawing
from mdfactory.frames.plots import Plan, PlotKind
from mdfactory.frames.statistics import Statistic
from mdfactory.report.plots.axes import OWN_RANGE, Range
from mdfactory.report.plots.colour import Colour
from mdfactory.report.plots.texts import axis_title, clean_title, quantity_name

MAX_PANELS: Final = 12
"""Maximum number of small multiples."""

MAX_MAPS: Final = 6
"""Maximum number of simulations whose maps are shown."""

MAX_VALUES: Final = 6
"""Maximum number of quantities of bars and scalars that are shown at once."""

HASH_DIGITS: Final = 8
"""Digits of a hash that name a simulation in a plot."""

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """What is drawn of one simulation.

    Parameters
    ----------
    hash
        Hash of the simulation.
    drawing
        Its curves.
    statistics
        Statistics of its quantities and groups.
    """

    hash: str
    drawing: Drawing
    statistics: Sequence[Statistic] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the small multiples of a plot.

    Parameters
    ----------
    quantity
        What it shows of each simulation.
    group
        The group that it shows; all groups if None.
    title
        Its title; empty if there is nothing to tell apart.
    y_title
        The quantity with its unit.
    hash
        The simulation that it shows alone, in a plot of maps.
    y_range, statistic_range
        Ranges of the axes of the curves and of the statistics.
    is_boolean
        Whether the values are 0 and 1.
    ticks
        Ticks of the axis of the curves, if the values are a few whole numbers.
    """

    quantity: str
    group: Group | None = ()
    title: str = ""
    y_title: str = ""
    hash: str = ""
    y_range: Range = OWN_RANGE
    statistic_range: Range = OWN_RANGE
    is_boolean: bool = False
    ticks: tuple[int, ...] = ()

    def has(self, quantity: str, group: Group) -> bool:
        """Whether the panel shows a group of a quantity."""
        return quantity == self.quantity and self.group in {None, group}


def shown_quantities(plan: Plan, y: str | Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the quantities that a plot shows: those given, or the first with what shares its plot.

    Raises
    ------
    QueryError
        If an analysis has no such quantity; the message lists those that it has.
    """
    if y is None:
        first = plan.y[:1]
        if plan.kind in {PlotKind.bars, PlotKind.scalars}:
            return plan.y[:MAX_VALUES]
        together = (names for names in plan.together if set(first) <= set(names))
        return next(together, first)[:MAX_PANELS]
    known = (*plan.y, *plan.scalars)
    given = (y,) if isinstance(y, str) else tuple(y)
    for name in given:
        if name not in known:
            quantities = ", ".join(map(displayed, known)) or "none"
            raise QueryError(
                f"y={name!r:.200}: the analysis has no such quantity"
                f"{suggestion(str(name), known)}; it has {quantities}"
            )
    chosen = tuple(dict.fromkeys(given))
    if len(chosen) > MAX_PANELS:
        raise QueryError(f"y has {len(chosen)} quantities: a plot shows at most {MAX_PANELS}")
    return chosen


def hidden_note(plan: Plan, quantities: Sequence[str]) -> str:
    """Return how many of the quantities that share a plot are shown; empty if all are.

    Parameters
    ----------
    plan
        The plan of the analysis.
    quantities
        Those that are shown.
    """
    shown = {*quantities}
    parts = [plan.y] if plan.kind in {PlotKind.bars, PlotKind.scalars} else plan.together
    limits = {MAX_VALUES, MAX_PANELS}
    cut = (part for part in parts if shown < {*part} and len(shown) in limits)
    return next((f"{len(shown)} of {len(part)} quantities are shown" for part in cut), "")


def panels_of(
    plan: Plan,
    kind: PlotKind,
    quantities: Sequence[str],
    groups: Mapping[Group, int],
    *,
    by_group: bool,
) -> tuple[tuple[Panel, ...], tuple[str, ...]]:
    """Return the small multiples of a plot, and notes about what they do not show.

    Parameters
    ----------
    plan
        The plan of the analysis.
    kind
        Kind of what is drawn.
    quantities
        The quantities to show.
    groups
        All groups, in order, with the number of their points. If some are not shown, they are those
        with fewest points.
    by_group
        Whether the groups are told apart by colours, and so share a panel.
    """
    if by_group or kind is PlotKind.bars:
        return tuple(_panel(plan, quantity, None, "") for quantity in quantities), ()
    all_shown, notes = _first_groups(plan, [*groups])
    room = max(1, MAX_PANELS // len(quantities))
    largest = sorted(all_shown, key=lambda group: -groups[group])[:room]
    shown = [group for group in all_shown if group in largest]
    if len(shown) < len(all_shown):
        notes.append(f"{room} of {len(all_shown)} groups are shown")
    has_several = len(all_shown) > 1
    titles = {group: group_title(plan, group) if has_several else "" for group in shown}
    panels = tuple(
        _panel(plan, quantity, group, titles[group]) for quantity in quantities for group in titles
    )
    return panels, tuple(notes)


def map_panels(
    plan: Plan, hashes: Sequence[str], colour: Colour, quantity: str, groups: Sequence[Group]
) -> tuple[tuple[Panel, ...], tuple[str, ...]]:
    """Return a panel for each of some simulations, spread over the values of the colour.

    Parameters and notes are those of `panels_of`; `hashes` are those of all simulations.
    """
    shown, notes = _first_groups(plan, groups)
    if len(shown) > 1:
        notes.append(f"shown: {group_text(shown[0])}, of {len(groups)} groups")
    ordered = sorted(hashes, key=lambda hash_: _rank(colour.values.get(hash_)))
    count = min(len(ordered), MAX_MAPS)
    steps = max(count - 1, 1)
    chosen = [ordered[round(place * (len(ordered) - 1) / steps)] for place in range(count)]
    if count < len(ordered):
        notes.append(f"maps of {count} of {len(ordered):,} simulations")
    panels = tuple(
        Panel(
            quantity,
            (shown or [()])[0],
            _map_title(colour, hash_) if count > 1 else "",
            axis_title(quantity, plan.units.get(quantity, "")),
            hash_,
        )
        for hash_ in chosen
    )
    return panels, tuple(notes)


def group_text(group: Group) -> str:
    """Return the values of a group as one text."""
    return clean_title(" · ".join(group)) or "all"


def group_title(plan: Plan, group: Group) -> str:
    """Return the values of a group; those that say nothing alone have the name of their column."""
    names = plan.groups[: len(group)]
    parts = [_named_value(plan, *pair) for pair in zip(names, group, strict=True)]
    return clean_title(" · ".join(parts)) or "all"


def _named_value(plan: Plan, name: str, value: str) -> str:
    has_words = _number(value) is None and value not in {"true", "false"}
    if has_words:
        return value
    unit = plan.units.get(name, "")
    return f"{quantity_name(name, unit)} {value}{f' {unit}' if unit else ''}"


def sorted_groups(groups: Iterable[Group]) -> list[Group]:
    """Return groups in the order of the numbers in them; texts stay in their order."""
    different = list(dict.fromkeys(groups))
    for place in reversed(range(min(map(len, different), default=0))):
        numbers = {group: _number(group[place]) for group in different}
        ranks = {group: number for group, number in numbers.items() if number is not None}
        if len(ranks) == len(different):
            different.sort(key=ranks.__getitem__)
    return different


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _panel(plan: Plan, quantity: str, group: Group | None, title: str) -> Panel:
    return Panel(quantity, group, title, axis_title(quantity, plan.units.get(quantity, "")))


def _first_groups(plan: Plan, groups: Sequence[Group]) -> tuple[list[Group], list[str]]:
    """Return the groups that are shown: those of ``all``, if there are any; and a note about it."""
    ranks = {group: group.count(plan.first_group) for group in groups}
    most = max(ranks.values(), default=0)
    if not (plan.first_group and most):
        return [*groups], []
    shown = [group for group in groups if ranks[group] == most]
    if len(shown) == len(groups):
        return shown, []
    names = "; ".join(map(group_text, shown))
    return shown, [f"shown: {names}, of {len(groups)} groups"]


def _map_title(colour: Colour, hash_: str) -> str:
    value = colour.values.get(hash_)
    if isinstance(value, float):
        return clean_title(f"{colour.title} {value:.6g}")
    return clean_title(hash_[:HASH_DIGITS] if value is None else value)


def _rank(value: float | str | None) -> tuple[int, float, str]:
    """Return what sorts numbers, then texts, then nothing."""
    if value is None:
        return 2, 0.0, ""
    return (1, 0.0, value) if isinstance(value, str) else (0, value, "")
