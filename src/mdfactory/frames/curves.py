"""Curves: what a plan draws of the table of one simulation, thinned to what a screen shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mdfactory.errors import counted, displayed, listed
from mdfactory.frames.numeric import numbers, without_infinities
from mdfactory.frames.planning.kinds import with_levels
from mdfactory.frames.planning.plan import Plan, PlotKind
from mdfactory.frames.reduction.cells import cell_band, group_values
from mdfactory.frames.reduction.figures import CONSTANT_SPREAD
from mdfactory.frames.reduction.layout import Layout, layout
from mdfactory.frames.reduction.thinning import shown_points

if TYPE_CHECKING:
    import numpy as np

MAX_POINTS: Final = 200
"""Maximum number of points of a curve."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity of one group of a simulation.

    Parameters
    ----------
    quantity
        Column of the values.
    group
        Values of the group columns as text, in the order of the plan.
    x
        The axis: one array of float64, in the unit of its column; two of a map, for each cell its
        place; texts where the axis is no number; none for bars and scalars, which have one value.
        Timestamps are seconds since 1970.
    y
        The values: float64, of the same length. Not a number where the table has no finite value.
    low, high
        Ends of the band of 5 to 95 % of the members of a population, or of the error bars; None if
        there are none. The error of a mean over rows is the mean of their errors: they are seldom
        independent.
    """

    quantity: str
    group: tuple[str, ...]
    x: tuple[np.ndarray, ...]
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """All curves of a simulation, and what they leave out.

    Parameters
    ----------
    curves
        The curves, that of the plan's first quantity and first group first.
    scalars
        Column of `Plan.scalars` and group -> its one value.
    notes
        Sentences: gaps, repeated times, constants, points that were thinned.
    """

    curves: tuple[Curve, ...]
    scalars: dict[tuple[str, tuple[str, ...]], float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Values:
    """One quantity of a frame at all cells of its layout.

    Parameters
    ----------
    quantity
        Column of the values.
    y, low, high
        As in `Curve`, for the cells of all groups.
    error
        The errors of `y`, if the frame has them.
    rows, gaps
        Number of values of which these are made, and of those among them that are not finite.
    """

    quantity: str
    y: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    error: np.ndarray | None
    rows: int
    gaps: int


def draw(plan: Plan, frame: pa.Table, points: int = MAX_POINTS) -> Drawing:
    """Return what a plan draws of the frame of one simulation.

    Parameters
    ----------
    plan
        The plan, which fits the frame (`frames.plots.misfit`).
    frame
        The frame.
    points
        Maximum number of points of a curve, at least `frames.reduction.thinning.MIN_POINTS`. Maps
        keep all cells.
    """
    return drawing_of(plan, *reduced(plan, frame), points)


def reduced(
    plan: Plan, frame: pa.Table, kept: np.ndarray | None = None
) -> tuple[pa.Table, Layout, list[Values]]:
    """Return a frame with its levels, where its rows belong, and the values of all quantities.

    Parameters
    ----------
    plan, frame
        As for `draw`.
    kept
        For each row, whether it is used; None for all.
    """
    frame = with_levels(frame)
    places = layout(plan, frame, kept)
    names = plan.y if places.groups else ()
    return frame, places, [values_of(plan, frame, places, quantity) for quantity in names]


def drawing_of(
    plan: Plan,
    frame: pa.Table,
    places: Layout,
    values: Sequence[Values],
    points: int = MAX_POINTS,
) -> Drawing:
    """Return what a plan draws of a frame that is `reduced`.

    Parameters
    ----------
    plan, points
        As for `draw`.
    frame, places, values
        What `reduced` returns.
    """
    curves = [curve for part in values for curve in curves_of(part, places)]
    notes = [*places.notes, *_remarks(values, places)]
    longest = max((len(curve.y) for curve in curves), default=0)
    if longest > points and plan.kind != PlotKind.map:
        curves = [thin(curve, points) for curve in curves]
        notes.append(f"thinned: at most {points} of {longest:,} points")
    return Drawing(tuple(curves), scalar_values(plan, frame, places), tuple(notes))


def thin(curve: Curve, points: int = MAX_POINTS) -> Curve:
    """Return a curve with fewer points, among them its ends and its extremes.

    Parameters
    ----------
    curve
        The curve, with or without a band.
    points
        As for `draw`.
    """
    if len(curve.y) <= points:
        return curve
    shown = shown_points(curve.y, points)
    low, high = (None if end is None else end[shown] for end in (curve.low, curve.high))
    x = tuple(places[shown] for places in curve.x)
    return Curve(curve.quantity, curve.group, x, curve.y[shown], low, high)


def values_of(plan: Plan, frame: pa.Table, places: Layout, quantity: str) -> Values:
    """Return the values of a quantity at all cells.

    Parameters
    ----------
    plan, frame
        As for `draw`.
    places
        Where the rows belong.
    quantity
        Column of the values.
    """
    import numpy as np

    values = places.of(numbers(frame.column(quantity)))
    gaps = len(values) - int(np.count_nonzero(np.isfinite(values)))
    y = places.means(values)
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    error: np.ndarray | None = None
    if plan.kind == PlotKind.population and places.cells is not None:
        low, high = cell_band(places.cells, values, len(y))
    elif quantity in plan.errors:
        error = np.abs(places.means(places.of(numbers(frame.column(plan.errors[quantity])))))
        with np.errstate(over="ignore"):
            low, high = without_infinities(y - error), without_infinities(y + error)
    return Values(quantity, y, low, high, error, len(values), gaps)


def curves_of(values: Values, places: Layout) -> Iterator[Curve]:
    """Yield the curve of each group.

    Parameters
    ----------
    values
        What `values_of` returns.
    places
        Where the rows belong.
    """
    for number, group in enumerate(places.groups):
        own = slice(places.bounds[number], places.bounds[number + 1])
        low, high = (None if end is None else end[own] for end in (values.low, values.high))
        x = tuple(axis[own] for axis in places.x)
        yield Curve(values.quantity, group, x, values.y[own], low, high)


def scalar_values(
    plan: Plan, frame: pa.Table, places: Layout
) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the value of each column of `Plan.scalars` in each group, a mean if it varies.

    Parameters
    ----------
    plan, frame, places
        As for `values_of`.
    """
    if not (plan.scalars and places.groups):
        return {}
    groups = places.groups_of_rows()
    values: dict[tuple[str, tuple[str, ...]], float] = {}
    for name in plan.scalars:
        means = group_values(groups, places.of(numbers(frame.column(name))), len(places.groups))
        pairs = zip(places.groups, means.tolist(), strict=True)
        values |= {(name, group): mean for group, mean in pairs if isfinite(mean)}
    return values


def _remarks(values: Sequence[Values], places: Layout) -> list[str]:
    """Return sentences about gaps and constants, one for all quantities of which it holds."""
    facts: dict[str, list[str]] = {}
    for part in values:
        if part.gaps:
            are = "is a gap" if part.gaps == 1 else "are gaps"
            fact = f"{part.gaps:,} of {counted(part.rows, 'value')} {are}"
            facts.setdefault(fact, []).append(displayed(part.quantity))
        if constants := _number_of_constants(part.y, places.bounds):
            few = f" in {constants} of {len(places.groups)} groups"
            fact = f"constant{few if constants < len(places.groups) else ''}"
            facts.setdefault(fact, []).append(displayed(part.quantity))
    return [f"{', '.join(listed(names))}: {fact}" for fact, names in facts.items()]


def _number_of_constants(y: np.ndarray, bounds: Sequence[int]) -> int:
    """Return the number of groups with several values, all the same."""
    import numpy as np

    if len(y) == len(bounds) - 1:  # bars, and curves of one point
        return 0
    starts = bounds[:-1]
    high, low = np.fmax.reduceat(y, starts), np.fmin.reduceat(y, starts)
    with np.errstate(all="ignore"):
        is_constant = high - low <= CONSTANT_SPREAD * np.maximum(np.abs(high), np.abs(low))
    if not is_constant.any():
        return 0
    several = np.add.reduceat(np.isfinite(y).astype(np.int64), starts) > 1
    return int(np.count_nonzero(is_constant & several))
