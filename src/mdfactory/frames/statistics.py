"""Statistics of the table of one simulation: means with the errors that correlation leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mdfactory.errors import QueryError, displayed
from mdfactory.frames.curves import (
    Curve,
    Drawing,
    Values,
    curves_of,
    drawing_of,
    reduced,
    scalar_values,
)
from mdfactory.frames.numeric import coded, numbers
from mdfactory.frames.planning.kinds import with_levels
from mdfactory.frames.planning.plan import Plan, PlotKind
from mdfactory.frames.reduction.cells import cell_means
from mdfactory.frames.reduction.figures import Figures, of_profile, of_series, of_value, of_values
from mdfactory.frames.reduction.layout import WITHOUT_AXIS, Layout

if TYPE_CHECKING:
    import numpy as np

EXPONENTS: Final = {
    "fs": -15,
    "ps": -12,
    "ns": -9,
    "us": -6,
    "µs": -6,  # the micro sign
    "\N{GREEK SMALL LETTER MU}s": -6,
    "ms": -3,
    "s": 0,
}
"""Unit of a time -> exponent of ten of its seconds."""

START: Final = re.compile(rf"\s*(\d+\.?\d*|\.\d+)\s*(%|{'|'.join(EXPONENTS)})\s*", re.ASCII)

ROUNDING: Final = 1e-9
"""Share of the time range by which a time may lie before the start and counts as at it."""


@dataclass(frozen=True, slots=True)
class Start:
    """What is left out of statistics as equilibration: by default nothing.

    Parameters
    ----------
    value
        First time that counts, as written in the trajectory; or, if `unit` is ``%``, the share of
        the time range before it, in percent.
    unit
        ``%``, or one of fs, ps, ns, us, ms, s.
    """

    value: float = 0
    unit: str = "%"

    def __str__(self) -> str:
        return f"{self.value:g}%" if self.unit == "%" else f"{self.value:g} {self.unit}"


WHOLE: Final = Start()
"""The start that leaves nothing out."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """Figures of one quantity of one group of a simulation; None where a figure has no meaning.

    Parameters
    ----------
    quantity, group
        As in `frames.curves.Curve`.
    mean, deviation
        Mean and standard deviation (ddof 1): of a series over time, of a map over its cells, of a
        population over its members, each of them a mean in time. The mean of bars and scalars is
        their value.
    error
        Error of the mean of a series, by blocks (`frames.reduction.blocks`); of bars and scalars
        that of the table.
    levelled
        Whether the error no longer grew with the size of the blocks.
    last, minimum, maximum
        Of a series; `minimum` and `maximum` of maps, `maximum` of profiles, too. A profile over
        the number of the row has the figures of values without an order, as maps have.
    drift
        Slope of a series, times its length, divided by the deviation.
    maximum_at, first_minimum, first_minimum_at, integral
        Of a profile: where its maximum is, the first minimum after it, and the integral. An axis of
        texts has no places, and no integral.
    """

    quantity: str
    group: tuple[str, ...]
    mean: float | None = None
    deviation: float | None = None
    error: float | None = None
    levelled: bool | None = None
    last: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    drift: float | None = None
    maximum_at: float | None = None
    first_minimum: float | None = None
    first_minimum_at: float | None = None
    integral: float | None = None


def parse_start(text: str) -> Start:
    """Return the start that a text says.

    Parameters
    ----------
    text
        A share of the time range or a time, such as ``20%``, ``200ps`` or ``0.2 ns``; ``0`` for
        nothing.

    Raises
    ------
    QueryError
        If the text is neither, or leaves nothing.

    Examples
    --------
    >>> from mdfactory.frames.statistics import parse_start
    >>> print(parse_start("0.2ns"))
    0.2 ns
    """
    if text.strip() == "0":
        return Start()
    parts = START.fullmatch(text)
    if not parts:
        raise QueryError(
            f"start {displayed(text)}: expected a share of the time range, such as 20%, or a time, "
            f"such as 200ps or 0.2ns (units: fs, ps, ns, us, ms, s)"
        )
    start = Start(float(parts[1]), parts[2])
    if start.unit == "%" and start.value >= 100:  # noqa: PLR2004 - percent
        raise QueryError(f"start {displayed(text)}: a share of 100% or more leaves nothing")
    return start


def start_note(plan: Plan, frame: pa.Table, start: Start) -> str:
    """Return why a start has no effect; empty if it has one.

    Parameters
    ----------
    plan
        The plan.
    frame
        A frame that fits it, for the types of its columns: that of any simulation.
    start
        The start.
    """
    if not start.value:
        return ""
    frame = with_levels(frame)
    time = _time(plan)
    if not time:
        return f"the start {start} has no effect: there is no time"
    if start.unit == "%":
        return ""
    kind = frame.schema.field(time).type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return f"the start {start} has no effect: {displayed(time)} is a date; give a share"
    if _exponent(plan, frame, time) is None:
        return f"the start {start} has no effect: {displayed(time)} has no unit of time"
    return ""


def summarise(plan: Plan, frame: pa.Table, start: Start = WHOLE) -> list[Statistic]:
    """Return the statistics of the frame of one simulation.

    Parameters
    ----------
    plan
        The plan, which fits the frame (`frames.plots.misfit`).
    frame
        The frame.
    start
        What is left out as equilibration; nothing if it has no effect (`start_note`). If it leaves
        no rows, there are no statistics.

    Returns
    -------
    list of Statistic
        One for each quantity and group, then one for each column of `Plan.scalars` and group.
    """
    kept = _kept_rows(plan, with_levels(frame), start)
    return statistics_of(plan, *reduced(plan, frame, kept))


def draw_and_summarise(
    plan: Plan, frame: pa.Table, start: Start = WHOLE
) -> tuple[Drawing, list[Statistic]]:
    """Return what `frames.curves.draw` and `summarise` return, from one look at the values.

    Parameters
    ----------
    plan, frame, start
        As for `summarise`.
    """
    parts = reduced(plan, frame)
    kept = _kept_rows(plan, parts[0], start)
    own = parts if kept is None else reduced(plan, frame, kept)
    return drawing_of(plan, *parts), statistics_of(plan, *own)


def statistics_of(
    plan: Plan, frame: pa.Table, places: Layout, values: Sequence[Values]
) -> list[Statistic]:
    """Return the statistics of a frame of which `frames.curves.reduced` made layout and values.

    Parameters
    ----------
    plan
        The plan.
    frame, places, values
        What `frames.curves.reduced` returns.
    """
    import numpy as np

    if not places.groups:
        return []
    scalars = scalar_values(plan, frame, places).items()
    with np.errstate(all="ignore"):  # values near the largest float: the figure is left out
        figures = [*_figures(plan, frame, places, values)]
    return [
        *(Statistic(quantity, group, **values) for quantity, group, values in figures),
        *(Statistic(quantity, group, mean=value) for (quantity, group), value in scalars),
    ]


def _kept_rows(plan: Plan, frame: pa.Table, start: Start) -> np.ndarray | None:
    """Return for each row whether it is after the start; None if the start has no effect."""
    import numpy as np

    if not start.value or start_note(plan, frame, start):
        return None
    time = _time(plan)
    times = numbers(frame.column(time))
    if not len(times):
        return None
    first, last = float(np.fmin.reduce(times)), float(np.fmax.reduce(times))
    if start.unit == "%":
        begin = first + (last - first) * start.value / 100
    else:
        begin = start.value * 10.0 ** (EXPONENTS[start.unit] - (_exponent(plan, frame, time) or 0))
    return times >= begin - ROUNDING * (last - first)


def _time(plan: Plan) -> str:
    """Return the column of the time of a plan; empty if it has none."""
    if plan.kind in {PlotKind.timeseries, PlotKind.population}:
        return plan.x[0] if plan.x else ""
    return plan.mean_over


def _exponent(plan: Plan, frame: pa.Table, time: str) -> int | None:
    """Return the exponent of ten of the seconds of a unit of time; None for a counter."""
    if pa.types.is_duration(frame.schema.field(time).type):
        return EXPONENTS["s"]
    return EXPONENTS.get(plan.units.get(time, ""))


def _figures(
    plan: Plan, frame: pa.Table, places: Layout, values: Sequence[Values]
) -> Iterator[tuple[str, tuple[str, ...], Figures]]:
    for part in values:
        if plan.kind == PlotKind.population:
            yield from _of_members(plan, frame, places, part.quantity)
            continue
        errors = [None] * len(part.y) if part.error is None else part.error.tolist()
        for number, curve in enumerate(curves_of(part, places)):
            if plan.kind in WITHOUT_AXIS:
                yield part.quantity, curve.group, of_value(float(curve.y[0]), errors[number])
            else:
                yield part.quantity, curve.group, _of_curve(plan, curve)


def _of_curve(plan: Plan, curve: Curve) -> Figures:
    if plan.kind == PlotKind.timeseries:
        return of_series(curve.x[0], curve.y)
    if plan.kind == PlotKind.profile and plan.x:
        return of_profile(curve.x[0], curve.y)
    return of_values(curve.y)


def _of_members(
    plan: Plan, frame: pa.Table, places: Layout, quantity: str
) -> Iterator[tuple[str, tuple[str, ...], Figures]]:
    """Yield the figures of a population: over its members, each of them a mean in time."""
    import numpy as np

    members, names = coded(frame.column(plan.entity))
    codes = places.groups_of_rows() * len(names) + places.of(members)
    present, cells = np.unique(codes, return_inverse=True)
    means = cell_means(cells, places.of(numbers(frame.column(quantity))), len(present))
    bounds = np.searchsorted(present, np.arange(len(places.groups) + 1) * len(names)).tolist()
    for number, group in enumerate(places.groups):
        own = means[bounds[number] : bounds[number + 1]]
        yield quantity, group, of_values(own, extremes=False)
