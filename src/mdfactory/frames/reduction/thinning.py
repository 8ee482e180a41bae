"""Thinning: the points of a curve that a screen can show, with its extremes and its gaps."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

MIN_POINTS: Final = 8
"""Smallest number of points to which a curve is thinned: its ends, its extremes and its gaps."""

ABOVE_ALL_AND_BELOW: Final = (float("inf"), float("-inf"))
"""Values that gaps have when the minimum and when the maximum of a bucket are looked for."""


def shown_points(y: np.ndarray, points: int) -> np.ndarray:
    """Return the numbers of the points that are shown of a curve, in their order.

    The curve is divided into buckets of about equal numbers of points. The minimum and the maximum
    of each are shown, the first and the last point of the curve, and, between two of these, one
    point without a value if there is any.

    Parameters
    ----------
    y
        The values, of shape (rows,); not a number in gaps.
    points
        Maximum number of points, at least `MIN_POINTS`.

    Raises
    ------
    ValueError
        If `points` is too small.
    """
    import numpy as np

    if points < MIN_POINTS:
        raise ValueError(f"a curve has at least {MIN_POINTS} points, got {points}")
    if len(y) <= points:
        return np.arange(len(y))
    missing = np.isnan(y)
    has_gaps = bool(missing.any())
    buckets = _number_of_buckets(missing, points) if has_gaps else (points - 2) // 2
    rows = _bucket_rows(len(y), buckets)
    values = y[rows]
    low, high = (
        np.where(missing[rows], end, values) if has_gaps else values for end in ABOVE_ALL_AND_BELOW
    )
    shown = np.zeros(len(y), bool)
    place = np.arange(buckets)
    shown[rows[place, low.argmin(1)]] = True
    shown[rows[place, high.argmax(1)]] = True
    if has_gaps:
        shown &= ~missing
    shown[[0, -1]] = True
    if has_gaps:
        _show_gaps(shown, missing)
    return np.flatnonzero(shown)


def _number_of_buckets(missing: np.ndarray, points: int) -> int:
    """Return how many buckets leave enough points for the gaps.

    With B buckets, 2 B + 2 points have values or are ends. There are at most 2 B + 1 gaps between
    them, and not more than the curve has.
    """
    import numpy as np

    gaps = int(np.count_nonzero(missing[1:] & ~missing[:-1]))
    return max((points - 2 - gaps) // 2, (points - 3) // 4)


@lru_cache(maxsize=4)  # the curves of many simulations are of one length
def _bucket_rows(count: int, buckets: int) -> np.ndarray:
    """Return the numbers of the inner points of each bucket, the last of each repeated.

    Returns
    -------
    numpy.ndarray
        Shape (buckets, points of the largest bucket).
    """
    import numpy as np

    bounds = np.arange(buckets + 1) * (count - 2) // buckets + 1
    width = int((bounds[1:] - bounds[:-1]).max())
    rows: np.ndarray = np.minimum(bounds[:-1, None] + np.arange(width), bounds[1:, None] - 1)
    return rows


def _show_gaps(shown: np.ndarray, missing: np.ndarray) -> None:
    """Show the first missing point between two shown ones, unless one of them is missing."""
    import numpy as np

    places = np.flatnonzero(shown)
    before = np.cumsum(missing)
    crossed = (before[places[1:]] > before[places[:-1]]) & ~missing[places[1:]]
    crossed &= ~missing[places[:-1]]
    for start in places[:-1][crossed].tolist():
        shown[start + int(missing[start:].argmax())] = True
