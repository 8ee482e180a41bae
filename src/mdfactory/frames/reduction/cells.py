"""Values of several rows in one: means, and bands between quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mdfactory.frames.numeric import without_infinities

if TYPE_CHECKING:
    import numpy as np

POPULATION_BAND: Final = (0.05, 0.95)
"""Shares of the members that lie below the ends of the band of a population."""


def cell_means(cells: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return the mean of the finite values of each cell; not a number where there is none.

    Parameters
    ----------
    cells
        The cell of each value.
    values
        The values, of the same shape.
    count
        Number of cells.
    """
    import numpy as np

    finite = np.isfinite(values)
    if not finite.all():
        cells, values = cells[finite], values[finite]
    with np.errstate(all="ignore"):
        means = np.bincount(cells, values, count) / np.bincount(cells, minlength=count)
    return without_infinities(means)


def group_values(groups: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return the one finite value of each group; its mean if there are several.

    Parameters
    ----------
    groups, values, count
        As the cells of `cell_means`.
    """
    import numpy as np

    finite = np.isfinite(values)
    groups, values = groups[finite], values[finite]
    value = np.full(count, np.nan)
    value[groups] = values  # a mean of equal values would be rounded
    varies = value[groups] != values
    return cell_means(groups, values, count) if varies.any() else value


def cell_band(cells: np.ndarray, values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the band of the finite values of each cell, by linear interpolation.

    Parameters
    ----------
    cells, values, count
        As for `cell_means`.
    """
    import numpy as np

    finite = np.isfinite(values)
    cells, values = cells[finite], values[finite]
    ordered = np.append(values[np.lexsort((values, cells))], np.nan)
    sizes = np.bincount(cells, minlength=count)
    starts = np.cumsum(sizes) - sizes
    low, high = (_quantile(ordered, starts, sizes, share) for share in POPULATION_BAND)
    return low, high


def _quantile(
    ordered: np.ndarray, starts: np.ndarray, sizes: np.ndarray, share: float
) -> np.ndarray:
    import numpy as np

    place = share * np.maximum(sizes - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(sizes - 1, 0))
    lower, upper = ordered[starts + below], ordered[starts + above]
    with np.errstate(all="ignore"):
        values = lower + (upper - lower) * (place - below)
    return without_infinities(np.where(sizes > 0, values, np.nan))
