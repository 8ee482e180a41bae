"""Bands of many curves: a median and 5 to 95 % for each bin of the colour, and the outliers.

The script of the page computes the same, from the same thinned curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

MAX_BINS: Final = 5
"""Maximum number of bins of the colour."""

GRID_POINTS: Final = 100
"""Number of points of a band."""

QUANTILES: Final = (0.05, 0.5, 0.95)
"""Lower end, median and upper end of a band."""


@dataclass(frozen=True, slots=True)
class Band:
    """The curves of one bin.

    Parameters
    ----------
    members
        Positions of its curves.
    x, low, median, high
        Arrays of one length. Not a number where no curve of the bin reaches.
    """

    members: np.ndarray
    x: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray


def quantile_bins(values: np.ndarray, count: int = MAX_BINS) -> np.ndarray:
    """Return the bin of each number: its place among the quantiles of all.

    A bin ends at a quantile, and has it. So equal numbers are in one bin. Values that are no
    numbers are in a last bin of their own.

    Parameters
    ----------
    values
        Numbers, shape (n,).
    count
        Maximum number of bins.

    Returns
    -------
    numpy.ndarray
        Integers from 0, shape (n,); no bin is empty.
    """
    import numpy as np

    bins = np.full(len(values), count, dtype=np.int64)
    finite = np.isfinite(values)
    if finite.any():
        own = count - (not finite.all())
        numbers = values[finite]
        distinct = np.unique(numbers)
        edges = distinct[:-1]
        if len(distinct) > own:
            edges = np.unique(np.quantile(numbers, np.arange(1, own) / own))
        bins[finite] = np.searchsorted(edges, numbers, side="left")
    return np.unique(bins, return_inverse=True)[1]


def grid_of(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return `GRID_POINTS` places over the range of all curves."""
    import numpy as np

    low = min((float(x[0]) for x, _ in curves if len(x)), default=0.0)
    high = max((float(x[-1]) for x, _ in curves if len(x)), default=1.0)
    return np.linspace(low, high, GRID_POINTS)


def on_grid(grid: np.ndarray, curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Interpolate curves linearly on a grid.

    Parameters
    ----------
    grid
        Places on the axis, shape (m,).
    curves
        Axis, in ascending order, and values of each of n curves.

    Returns
    -------
    numpy.ndarray
        Shape (n, m); not a number outside of the range of a curve and in its gaps.
    """
    import numpy as np

    values = np.full((len(curves), len(grid)), np.nan)
    for row, (x, y) in zip(values, curves, strict=True):
        if len(x):
            row[:] = np.interp(grid, x, y, left=np.nan, right=np.nan)
    return values


def quantiles(values: np.ndarray) -> np.ndarray:
    """Return the `QUANTILES` of each column, by linear interpolation between its numbers.

    Parameters
    ----------
    values
        Numbers, shape (n, m); what is no number does not count.

    Returns
    -------
    numpy.ndarray
        Shape (3, m); not a number where a column has no number.
    """
    import numpy as np

    ordered = np.sort(values, axis=0)
    last = np.isfinite(values).sum(axis=0) - 1
    columns = np.arange(values.shape[1])
    result = np.full((len(QUANTILES), values.shape[1]), np.nan)
    for row, share in zip(result, QUANTILES, strict=True):
        place = np.maximum(last, 0) * share
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(last, 0))
        first = ordered[below, columns]
        row[:] = first + (ordered[above, columns] - first) * (place - below)
    return result


def bands_of(
    grid: np.ndarray, curves: Sequence[tuple[np.ndarray, np.ndarray]], bins: np.ndarray
) -> tuple[list[Band], np.ndarray]:
    """Return a band for each bin, and how far each curve is from the median of its bin.

    Parameters
    ----------
    grid
        Places of the bands on the axis.
    curves
        Axis, in ascending order, and values of each curve.
    bins
        Bin of each curve, from 0.

    Returns
    -------
    list of Band
        One for each bin.
    numpy.ndarray
        Mean distance of each curve from the median, shape (n,); 0 for a curve without numbers.
    """
    import numpy as np

    values = on_grid(grid, curves)
    bands = []
    distances = np.zeros(len(curves))
    for number in range(int(bins.max(initial=-1)) + 1):
        members = np.flatnonzero(bins == number)
        low, median, high = quantiles(values[members])
        bands.append(Band(members, grid, low, median, high))
        apart = np.abs(values[members] - median)
        there = np.isfinite(apart)
        sums = np.where(there, apart, 0.0).sum(axis=1)
        distances[members] = sums / np.maximum(there.sum(axis=1), 1)
    return bands, distances


def farthest(distances: np.ndarray, count: int) -> list[int]:
    """Return the positions of the curves that are farthest from their medians, in order."""
    import numpy as np

    order = np.argsort(-distances, kind="stable")[:count]
    return sorted(int(position) for position in order if distances[position] > 0)
