"""Errors of the means of correlated series, by blocks."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

MIN_BLOCKS: Final = 8
"""Smallest number of blocks from which an error is estimated."""

MIN_ERROR_POINTS: Final = 16
"""Smallest number of points of a series that has an error."""

MIN_LEVELLED_LENGTHS: Final = 3
"""Length of the largest block, in statistical inefficiencies, from which an error has levelled."""


def error_of_mean(y: np.ndarray) -> tuple[float, bool] | None:
    """Return the standard error of the mean of a series, and whether it has levelled off.

    The series is divided into blocks of 1, 2, 4, ... points, as long as there are 8 of them. The
    error from blocks of one size is the standard deviation of their means (ddof 1), divided by the
    square root of their number [1]_. In a correlated series it grows with the size, until the
    blocks are longer than the correlation. The largest is returned.

    The error has levelled off if the largest block is at least 3 statistical inefficiencies long.
    The statistical inefficiency is the number of points that are worth one independent point: the
    square of the largest error, divided by that from single points. In a series without independent
    points, it is the size of the largest block itself.

    In AR(1) series, this holds for 1 of 100 series that are worth 10 independent points, whose
    error is some 35 % too small, for 9 of 10 that are worth 50 (5 %), and for all that are worth
    100. The largest of several estimates is too large by up to 15 % in long series.

    Parameters
    ----------
    y
        Finite values at equal distances in time, of shape (points,).

    Returns
    -------
    tuple of float and bool, or None
        The error in the unit of the values, and whether it has levelled off; None below 16 points.

    References
    ----------
    .. [1] H. Flyvbjerg and H. G. Petersen, "Error estimates on averages of correlated data",
       J. Chem. Phys. 91, 461 (1989), https://doi.org/10.1063/1.457480
    """
    if len(y) < MIN_ERROR_POINTS:
        return None
    means = y - y.mean()
    size = 1
    squares = [_square(means)]
    while len(means) >= 2 * MIN_BLOCKS:
        pairs = len(means) // 2 * 2
        means = (means[0:pairs:2] + means[1:pairs:2]) / 2
        size *= 2
        squares.append(_square(means))
    largest = max(squares)
    return sqrt(largest), size * squares[0] >= MIN_LEVELLED_LENGTHS * largest


def _square(means: np.ndarray) -> float:
    """Return the square of the error of the mean of independent values."""
    count = len(means)
    total = float(means.sum())
    return max(float(means @ means) - total * total / count, 0) / (count * (count - 1))
