"""Axes of a view: units of time, ranges and types, from the curves of all simulations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

NEAR_ZERO: Final = 0.1
"""An axis whose first value is below this part of its last one begins at 0."""


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


def constant_domain(
    curves: Iterable[Curve], quantities: Sequence[str]
) -> tuple[float, float] | None:
    """Return the range of an axis whose values are all the same; None if they differ."""
    import numpy as np

    low, high = np.inf, -np.inf
    ends = (
        values
        for curve in curves
        if curve.quantity in quantities
        for values in (curve.y, curve.low, curve.high)
        if values is not None
    )
    for values in ends:
        finite = values[np.isfinite(values)]
        if not len(finite):
            continue
        low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        if high - low > CONSTANT_SPREAD * max(abs(low), abs(high)):
            return None
    if low > high:
        return None
    margin = CONSTANT_MARGIN * (max(abs(low), abs(high)) or 1.0)
    return low - margin, high + margin
