"""Figures of one curve: means, drifts, and the extremes of a profile."""

from __future__ import annotations

from math import isfinite, sqrt
from typing import TYPE_CHECKING, Final, TypedDict

from mdfactory.frames.reduction.blocks import error_of_mean

if TYPE_CHECKING:
    import numpy as np

CONSTANT_SPREAD: Final = 1e-9
"""Largest spread of a constant, as a share of its value."""

MIN_RISE: Final = 0.05
"""Rise after a minimum that is no noise, as a share of its depth below the maximum."""

NOISE_FACTOR: Final = 6
"""The same in standard deviations of the noise, if that is less: about its range in 200 points."""


class Figures(TypedDict, total=False):
    """The figures of `frames.statistics.Statistic`; one that is not given has no meaning."""

    mean: float | None
    deviation: float | None
    error: float | None
    levelled: bool | None
    last: float | None
    minimum: float | None
    maximum: float | None
    drift: float | None
    maximum_at: float | None
    first_minimum: float | None
    first_minimum_at: float | None
    integral: float | None


def of_series(x: np.ndarray, y: np.ndarray) -> Figures:
    """Return the figures of a series over time.

    Parameters
    ----------
    x
        The times, of shape (points,).
    y
        The values, of the same shape. Those that are not finite are left out.
    """
    x, y = _finite(x, y)
    if not len(y):
        return {}
    mean = y.mean()
    from_mean = y - mean
    deviation = _deviation(from_mean)
    error, levelled = error_of_mean(y) or (None, None)
    return Figures(
        mean=_figure(mean),
        deviation=_figure(deviation),
        error=_figure(error),
        levelled=levelled,
        last=float(y[-1]),
        minimum=float(y.min()),
        maximum=float(y.max()),
        drift=_drift(x, from_mean, deviation, max(abs(float(y.max())), abs(float(y.min())))),
    )


def of_values(y: np.ndarray, *, extremes: bool = True) -> Figures:
    """Return the figures of values that are in no order: cells of a map, members of a population.

    Parameters
    ----------
    y
        The values, of shape (values,). Those that are not finite are left out.
    extremes
        Whether the minimum and the maximum are among the figures.
    """
    y, _ = _finite(y, y)
    if not len(y):
        return {}
    minimum, maximum = (float(y.min()), float(y.max())) if extremes else (None, None)
    return Figures(
        mean=_figure(y.mean()),
        deviation=_figure(_deviation(y - y.mean())),
        minimum=minimum,
        maximum=maximum,
    )


def of_value(value: float, error: float | None) -> Figures:
    """Return the figures of one value, and of its error if the table has one.

    Parameters
    ----------
    value, error
        The value and its error; not finite if there is none.
    """
    return Figures(mean=_figure(value), error=_figure(error))


def of_profile(x: np.ndarray, y: np.ndarray) -> Figures:
    """Return the figures of a profile.

    Parameters
    ----------
    x
        The axis, of shape (points,): sorted numbers, or texts.
    y
        The values, of the same shape. Those that are not finite are left out.
    """
    import numpy as np

    x, y = _finite(x, y)
    if not len(y):
        return {}
    top = int(y.argmax())
    low = first_minimum(y, top)
    is_number = x.dtype != object
    area = np.dot(np.diff(x), y[1:] + y[:-1]) / 2 if is_number and len(y) > 1 else None
    return Figures(
        maximum=float(y[top]),
        maximum_at=float(x[top]) if is_number else None,
        first_minimum=None if low is None else float(y[low]),
        first_minimum_at=None if low is None or not is_number else float(x[low]),
        integral=_figure(area),
    )


def first_minimum(y: np.ndarray, start: int) -> int | None:
    """Return where the first minimum after a maximum is; None if the curve only falls.

    A minimum counts if the curve then rises by more than noise: by 5 % of the depth below the
    maximum, or by 6 standard deviations of the noise, if that is less. The noise is estimated from
    the second differences of neighbours (median, divided by 0.67 and the square root of 6), which
    are small where a curve is smooth.

    Parameters
    ----------
    y
        Finite values, of shape (points,).
    start
        Place of the maximum.
    """
    import numpy as np

    after = y[start:]
    if len(after) < 3:  # noqa: PLR2004 - maximum, minimum, rise
        return None
    second = np.abs(after[2:] - 2 * after[1:-1] + after[:-2])
    noise = float(np.median(second)) / (0.6745 * sqrt(6))
    lowest = np.minimum.accumulate(after)
    rise = np.minimum(MIN_RISE * (after[0] - lowest), NOISE_FACTOR * noise)
    risen = (after - lowest > rise) & (lowest < after[0])
    if not risen.any():
        return None
    return start + int(after[: int(risen.argmax())].argmin())


def _finite(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    finite = np.isfinite(y)
    return (x, y) if finite.all() else (x[finite], y[finite])


def _deviation(from_mean: np.ndarray) -> float | None:
    if len(from_mean) < 2:  # noqa: PLR2004 - ddof 1
        return None
    return sqrt(float(from_mean @ from_mean) / (len(from_mean) - 1))


def _drift(x: np.ndarray, y: np.ndarray, deviation: float | None, largest: float) -> float | None:
    """Return slope (least squares) times length, in deviations; None of a constant.

    `y` are distances from their mean, `largest` is the largest absolute value.
    """
    if x.dtype == object:
        return None
    if not deviation or float(y.max() - y.min()) <= CONSTANT_SPREAD * largest:
        return None
    from_mean = x - x.mean()
    spread = float(from_mean @ from_mean)
    if not spread:
        return None
    slope = float(from_mean @ y) / spread
    return _figure(slope * float(x.max() - x.min()) / deviation)


def _figure(value: float | np.floating | None) -> float | None:
    """Return a figure; None if it is not finite."""
    return float(value) if value is not None and isfinite(value) else None
