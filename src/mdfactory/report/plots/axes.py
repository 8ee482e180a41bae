"""Axes of a view: units of time, ranges and types, from the curves of all simulations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mdfactory.frames.curves import Curve
from mdfactory.frames.plots import Plan, PlotKind

if TYPE_CHECKING:
    import numpy as np

LONGEST_TIME: Final = 2000
"""A time is shown in the smallest unit in which the longest run is at most this number."""

TIME_UNITS: Final = {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "µs": 1e6}
"""Unit in which a time is shown -> picoseconds."""

LONG_UNITS: Final = {"ms": 1e9, "s": 1e12}
"""Other units of time -> picoseconds. Such a time is shown in them if it is too long for µs."""

MICROSECONDS: Final = frozenset({"us", "\N{GREEK SMALL LETTER MU}s"})
"""Other spellings of µs."""

CONSTANT_SPREAD: Final = 1e-9
"""A spread, relative to the value, below which values are constant."""

CONSTANT_MARGIN: Final = 0.01
"""Margin of the axis of a constant, relative to its value."""

MIN_ASPECT: Final = 0.4
MAX_ASPECT: Final = 1.6

SMALLEST: Final = 1e-290
"""Numbers below this one are shown as 0: the steps between the ticks of an axis would be lost."""

MAX_CELLS: Final = 40
"""Maximum number of cells of a map along an axis; of more, the means of blocks are shown."""

MAX_WHOLE_TICKS: Final = 10
"""Length of an axis of whole numbers up to which each has a tick; longer ones have no others."""

NEAR_ZERO: Final = 0.1
"""An axis whose first value is below this part of its last one begins at 0."""


@dataclass(frozen=True, slots=True)
class Range:
    """Range of an axis; None for an end that follows from the values."""

    low: float | None = None
    high: float | None = None


OWN_RANGE: Final = Range()
"""The range that follows from the values."""


FROM_ZERO: Final = Range(0.0)
"""The range of values that are never negative, but whose error bars would be."""


def time_scale(unit: str, longest: float) -> tuple[str, float]:
    """Return the unit in which a time is shown, and the factor from its own unit.

    Parameters
    ----------
    unit
        Unit of the time. Units that are no time stay what they are.
    longest
        The longest time, in this unit.
    """
    own = "µs" if unit in MICROSECONDS else unit
    known = TIME_UNITS | LONG_UNITS
    if own not in known:
        return unit, 1.0
    for shown, picoseconds in TIME_UNITS.items():
        factor = known[own] / picoseconds
        if longest * factor <= LONGEST_TIME * (1 + CONSTANT_SPREAD):
            return shown, factor
    return (own, 1.0) if own in LONG_UNITS else ("µs", known[own] / known["µs"])


def axis_of(plan: Plan, curves: Sequence[Curve]) -> tuple[str, float, bool]:
    """Return the unit of the axis, the factor to it, and whether it begins at 0."""
    ends = [
        curve.x[0][[0, -1]]
        for curve in curves
        if curve.x and len(curve.x[0]) and curve.x[0].dtype.kind in "fiub"
    ]
    first = min((float(pair.min()) for pair in ends), default=0.0)
    last = max((float(pair.max()) for pair in ends), default=0.0)
    unit = plan.units.get(plan.x[0], "") if len(plan.x) == 1 else ""
    shown, factor = time_scale(unit, max(abs(first), abs(last)))
    return shown, factor, 0 <= first < NEAR_ZERO * last


def axis_type(kind: PlotKind, curves: Sequence[Curve]) -> str:
    """Return the type of the axis of curves in Vega-Lite."""
    x: np.ndarray | None = next((curve.x[0] for curve in curves if curve.x), None)
    if kind is PlotKind.map or x is None or x.dtype.kind in "fiub":
        return "quantitative"
    return "nominal"


def has_lone_point(curve: Curve) -> bool:
    """Whether a curve has a point between gaps, which no line shows."""
    import numpy as np

    finite = np.isfinite(curve.y)
    if len(finite) > 1 and finite.all():
        return False
    around = np.concatenate([[False], finite, [False]])
    return bool((finite & ~around[:-2] & ~around[2:]).any())


def aspect_of(curves: Sequence[Curve]) -> float:
    """Return the height of a map, relative to its width: that of the box, if it has numbers."""
    spans = [
        [float(places.max() - places.min()) for places in curve.x]
        for curve in curves
        if len(curve.y) and all(places.dtype.kind in "fiub" for places in curve.x)
    ]
    width, height = map(max, zip(*spans, strict=True)) if spans else (1.0, 1.0)
    return min(max(height / width if width else 1.0, MIN_ASPECT), MAX_ASPECT)


def constant_range(arrays: Iterable[np.ndarray]) -> Range:
    """Return the range of an axis whose values are all the same; its own range if they differ.

    Parameters
    ----------
    arrays
        The values.
    """
    import numpy as np

    low, high = np.inf, -np.inf
    for values in arrays:
        finite = values[np.isfinite(values)]
        if not len(finite):
            continue
        low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        largest = max(abs(low), abs(high))
        if high - low > CONSTANT_SPREAD * largest and largest > SMALLEST:
            return OWN_RANGE
    if low > high:
        return OWN_RANGE
    largest = max(abs(low), abs(high))
    margin = CONSTANT_MARGIN * (largest if largest > SMALLEST else 1.0)
    return Range(low - margin, high + margin)


def statistic_range(
    values: Sequence[float], errors: Sequence[float], *, is_positive: bool
) -> Range:
    """Return the range of the axis of a statistic.

    Error bars of values that are never negative end at 0.

    Parameters
    ----------
    values
        The statistic of each simulation.
    errors
        The errors, of those that have one.
    is_positive
        Whether no value of the quantity is negative.
    """
    import numpy as np

    if not errors:
        return constant_range([np.array(values)])
    lowest = min(values, default=0.0) - max(errors)
    if is_positive and lowest < 0:
        return FROM_ZERO
    ends = [np.array(values) + sign * max(errors) for sign in (1, -1)]
    return constant_range(ends)


def whole_ticks(arrays: Iterable[np.ndarray]) -> tuple[int, ...]:
    """Return the ticks of an axis of a few whole numbers; none for an axis of other numbers.

    Ticks between the numbers of a counter would say nothing.
    """
    import numpy as np

    low, high = np.inf, -np.inf
    for array in arrays:
        if array.dtype.kind not in "fiub":
            return ()
        finite = array[np.isfinite(array)]
        if not len(finite):
            continue
        low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        if high - low > MAX_WHOLE_TICKS or (np.rint(finite) != finite).any():
            return ()
    return tuple(range(int(low), int(high) + 1)) if high > low else ()


def averaged_note(curves: Sequence[Curve]) -> str:
    """Return how many cells of maps one shown cell is the mean of; empty if it is one."""
    import numpy as np

    sizes = [
        [-(-len(np.unique(places)) // MAX_CELLS) for places in _numbered(curve)] for curve in curves
    ]
    across, up = map(max, zip(*sizes, strict=True)) if sizes else (1, 1)
    return f"each cell is the mean of {across} x {up} cells" if across * up > 1 else ""


def _numbered(curve: Curve) -> list[np.ndarray]:
    """Return the axes of the finite values of a map; texts as they are."""
    import numpy as np

    finite = np.isfinite(curve.y)
    axes = [places[finite] for places in curve.x]
    return [places if places.dtype.kind in "fiub" else places.astype(str) for places in axes]
