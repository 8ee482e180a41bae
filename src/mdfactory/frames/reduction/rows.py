"""Rows of a frame that are drawn: their groups, and their order along the axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa

from mdfactory.errors import counted, displayed
from mdfactory.frames.numeric import coded, in_order
from mdfactory.frames.planning.plan import Plan

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a frame that are drawn.

    Parameters
    ----------
    numbers
        Their numbers; None for all rows of the frame.
    groups
        The groups, as values of the group columns.
    codes
        For each row the number of its group.
    notes
        What is left out.
    """

    numbers: np.ndarray | None
    groups: tuple[tuple[str, ...], ...]
    codes: np.ndarray
    notes: tuple[str, ...]

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the values of these rows, of one for each row of the frame."""
        return values if self.numbers is None else values[self.numbers]


def drawn_rows(
    plan: Plan, frame: pa.Table, axes: Sequence[np.ndarray], kept: np.ndarray | None
) -> Rows:
    """Return the rows that have a place on each axis.

    Parameters
    ----------
    plan, frame, kept
        As for `frames.reduction.layout.layout`.
    axes
        For each column of `Plan.x`, the places of all rows of the frame.
    """
    import numpy as np

    notes: list[str] = []
    for name, places in zip(plan.x, axes, strict=True):
        if places.dtype == object:
            continue
        placed = np.isfinite(places)
        if missing := len(places) - int(np.count_nonzero(placed)):
            notes.append(f"{counted(missing, 'row')} without a value of {displayed(name)} left out")
            kept = placed if kept is None else kept & placed
    rows = None if kept is None or kept.all() else np.flatnonzero(kept)
    codes, groups = _groups(plan, frame, rows)
    return Rows(rows, groups, codes, tuple(notes))


def by_group(rows: Rows) -> tuple[np.ndarray | None, list[int]]:
    """Return the order of rows by group, and the bounds of the groups in it.

    Parameters
    ----------
    rows
        The rows.

    Returns
    -------
    order : numpy.ndarray or None
        Places among the rows; None if they are in this order.
    bounds : list of int
        As in `frames.reduction.layout.Layout`.
    """
    import numpy as np

    codes, count = rows.codes, len(rows.groups)
    if count == 1:
        return None, [0, len(codes)]
    bounds = [0, *np.cumsum(np.bincount(codes, minlength=count)).tolist()]
    if (codes[1:] >= codes[:-1]).all():
        return None, bounds
    small = codes.astype(np.int16) if count <= np.iinfo(np.int16).max else codes  # radix sort
    return np.argsort(small, kind="stable"), bounds


def along_axis(
    places: np.ndarray, order: np.ndarray | None, bounds: list[int], *, keep_repeats: bool
) -> tuple[np.ndarray | None, bool]:
    """Return the order of rows by group and place, and whether a place repeats in a group.

    Parameters
    ----------
    places
        The place of each row on the axis.
    order, bounds
        What `by_group` returns.
    keep_repeats
        Whether the rows of a group stay in their order if a place repeats: sorted, the parts before
        and after a restart would be mixed.
    """
    import numpy as np

    along = places if order is None else places[order]
    rises = along[1:] > along[:-1]
    rises[np.array(bounds[1:-1], np.int64) - 1] = True  # from one group to the next
    if rises.all():
        return order, False
    repeated = False
    order = np.arange(len(places)) if order is None else order.copy()
    for start, end in pairwise(bounds):
        if rises[start : end - 1].all():
            continue
        by_place = np.argsort(along[start:end], kind="stable")
        own = along[start:end][by_place]
        repeats = bool((own[1:] == own[:-1]).any())
        repeated |= repeats
        if not (repeats and keep_repeats):
            order[start:end] = order[start:end][by_place]
    return order, repeated


def _groups(
    plan: Plan, frame: pa.Table, rows: np.ndarray | None
) -> tuple[np.ndarray, tuple[tuple[str, ...], ...]]:
    """Return the group of each row, and the groups, the first of the plan before the others."""
    import numpy as np

    count = frame.num_rows if rows is None else len(rows)
    codes = np.zeros(count, np.int64)
    if not count:
        return codes, ()
    labels: list[tuple[str, ...]] = [()]
    for name in plan.groups:
        own, values = coded(frame.column(name))
        own = own if rows is None else own[rows]
        codes, present = in_order(codes * len(values) + own, len(labels) * len(values))
        pairs = (divmod(code, len(values)) for code in present.tolist())
        labels = [(*labels[group], values[value]) for group, value in pairs]
    if not plan.first_group:
        return codes, tuple(labels)
    ranked = sorted(range(len(labels)), key=lambda code: -labels[code].count(plan.first_group))
    return np.argsort(ranked)[codes], tuple(labels[code] for code in ranked)
