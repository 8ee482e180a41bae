"""Rows of maps: the cells of some simulations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mdfactory.frames.curves import Curve
from mdfactory.report.plots.axes import MAX_CELLS
from mdfactory.report.plots.paint import Row
from mdfactory.report.plots.panels import Member
from mdfactory.report.plots.view import View

if TYPE_CHECKING:
    import numpy as np


def cell_rows(view: View, members: Sequence[Member]) -> list[Row]:
    """Return the cells of the maps of all panels.

    Parameters
    ----------
    view
        What is shown.
    members
        The simulations.
    """
    by_hash = {member.hash: member for member in members}
    return [
        {"panel": number, **row}
        for number, panel in enumerate(view.panels)
        for curve in by_hash[panel.hash].drawing.curves
        if panel.has(curve.quantity, curve.group)
        for row in _cells(curve)
    ]


def _cells(curve: Curve) -> Iterator[Row]:
    """Yield the cells of one map; of many cells, the means of blocks."""
    import numpy as np

    finite = np.isfinite(curve.y)
    if not finite.any():
        return
    (column, x_edges), (row, y_edges) = (_blocks(axis[finite]) for axis in curve.x)
    width = len(x_edges) - 1
    places, inverse = np.unique(row * width + column, return_inverse=True)
    means = np.bincount(inverse, weights=curve.y[finite]) / np.bincount(inverse)
    for place, mean in zip(places.tolist(), means.tolist(), strict=True):
        across, up = place % width, place // width
        yield {
            "x": float(x_edges[across]),
            "x2": float(x_edges[across + 1]),
            "y": float(y_edges[up]),
            "y2": float(y_edges[up + 1]),
            "z": mean,
        }


def _blocks(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the block of each place on an axis, and the edges of the blocks.

    An edge is in the middle between two places.
    """
    import numpy as np

    is_number = axis.dtype.kind in "fiub"
    places = axis if is_number else np.unique(axis.astype(str), return_inverse=True)[1]
    distinct, position = np.unique(places.astype(np.float64), return_inverse=True)
    half = np.diff(distinct)[[0, -1]] / 2 if len(distinct) > 1 else np.array([0.5, 0.5])
    middles = (distinct[1:] + distinct[:-1]) / 2
    edges = np.concatenate([[distinct[0] - half[0]], middles, [distinct[-1] + half[1]]])
    size = -(-len(distinct) // MAX_CELLS)
    return position // size, np.append(edges[:-1:size], edges[-1])
