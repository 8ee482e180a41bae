"""Where the rows of a frame belong in a plot: to which group, and to which place on the axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mdfactory.errors import displayed
from mdfactory.frames.numeric import coded, is_number, numbers, texts
from mdfactory.frames.planning.plan import Plan, PlotKind
from mdfactory.frames.reduction.cells import cell_means
from mdfactory.frames.reduction.rows import Rows, along_axis, by_group, drawn_rows

if TYPE_CHECKING:
    import numpy as np

RESTART_NOTE: Final = "time repeats (restart?)"
MIN_MOVING_SHARE: Final = 0.9
"""Share of rows with a place of their own from which the bins of a profile move in time."""

SAME_PLACE: Final = 1e-9
"""Distance of places that differ by rounding, as a share of the length of the axis."""

MEAN_NOTE: Final = "several rows for one value: their mean"
WITHOUT_AXIS: Final = frozenset({PlotKind.bars, PlotKind.scalars})
WITHOUT_CURVES: Final = frozenset({PlotKind.chemistry, PlotKind.table, PlotKind.empty})


@dataclass(frozen=True, slots=True)
class Layout:
    """Cells: the points of the curves of a frame, group after group.

    Parameters
    ----------
    groups
        The groups, as values of the group columns.
    bounds
        Group number ``g`` has the cells ``bounds[g]`` to ``bounds[g + 1]``.
    x
        For each axis the places of all cells, of shape (cells,).
    rows
        Numbers of the rows that are drawn, in the order of the cells if each is a cell; None for
        all rows in their order.
    cells
        For each of these rows its cell, whose value is a mean; None if each row is a cell.
    notes
        What the rows leave out or assume.
    """

    groups: tuple[tuple[str, ...], ...]
    bounds: list[int]
    x: tuple[np.ndarray, ...] = ()
    rows: np.ndarray | None = None
    cells: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the values of those rows that are drawn.

        Parameters
        ----------
        values
            A value for each row of the frame.
        """
        return values if self.rows is None else values[self.rows]

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the value of each cell, a mean if it has several rows.

        Parameters
        ----------
        values
            A value for each of the rows that are drawn.
        """
        return values if self.cells is None else cell_means(self.cells, values, self.bounds[-1])

    def groups_of_rows(self) -> np.ndarray:
        """Return the number of the group of each of the rows that are drawn."""
        import numpy as np

        cells = np.repeat(np.arange(len(self.groups)), np.diff(self.bounds))
        return cells if self.cells is None else cells[self.cells]


def layout(plan: Plan, frame: pa.Table, kept: np.ndarray | None = None) -> Layout:
    """Return where the rows of a frame belong.

    Parameters
    ----------
    plan
        The plan, which fits the frame.
    frame
        The frame.
    kept
        For each row, whether it is used; None for all.
    """
    if plan.kind in WITHOUT_CURVES:
        return Layout((), [0])
    axes = [axis(frame, name) for name in plan.x]
    rows = drawn_rows(plan, frame, axes, kept)
    if not rows.groups:
        return Layout((), [0], notes=rows.notes)
    if plan.kind in WITHOUT_AXIS:
        bounds = list(range(len(rows.groups) + 1))
        return _noted(Layout(rows.groups, bounds, (), rows.numbers, rows.codes, rows.notes))
    places = [rows.of(place) for place in axes or [_row_numbers(frame.num_rows)]]
    if plan.kind == PlotKind.population:
        return _of_population(plan, frame, rows, places)
    if plan.mean_over:
        return _in_time(plan, frame, rows, places)
    is_map = plan.kind == PlotKind.map
    return _noted(_means(rows, places)) if is_map else _series(plan, rows, places[0])


def axis(frame: pa.Table, name: str) -> np.ndarray:
    """Return a column as an axis: float64, or texts if it has no numbers.

    Parameters
    ----------
    frame
        The frame.
    name
        The column.
    """
    import numpy as np

    column = frame.column(name)
    if is_number(column.type):
        return numbers(column)
    return np.array(texts(column), dtype=object)


def _row_numbers(count: int) -> np.ndarray:
    import numpy as np

    return np.arange(count, dtype=np.float64)


def _noted(places: Layout) -> Layout:
    """Return a layout with a note if a cell has several rows."""
    if places.cells is None or len(places.cells) == places.bounds[-1]:
        return places
    return replace(places, notes=(*places.notes, MEAN_NOTE))


def _of_population(plan: Plan, frame: pa.Table, rows: Rows, places: Sequence[np.ndarray]) -> Layout:
    """Return the cells of a population, with a note if a member is twice in one of them."""
    import numpy as np

    means = _means(rows, places)
    members, names = coded(frame.column(plan.entity))
    if means.cells is not None:
        keys = means.cells * len(names) + rows.of(members)
        if len(np.unique(keys)) < len(keys):
            return replace(means, notes=(*means.notes, RESTART_NOTE))
    return means


def _in_time(plan: Plan, frame: pa.Table, rows: Rows, places: Sequence[np.ndarray]) -> Layout:
    """Return cells that are means in time.

    The bins of a profile may move with the size of the box, so that few places occur at two times.
    Then the first bins of all times make a cell, the second bins, and so on.
    """
    means = _means(rows, places)
    is_moving = means.bounds[-1] > MIN_MOVING_SHARE * len(rows.codes)
    if not is_moving or len(places) > 1 or places[0].dtype == object:
        return means
    return _by_rank(plan, frame, rows, places[0]) or means


def _by_rank(plan: Plan, frame: pa.Table, rows: Rows, place: np.ndarray) -> Layout | None:
    """Return cells by the order of places; None if there is one time, or not as many at each."""
    import numpy as np

    times, codes = _levels(rows.of(axis(frame, plan.mean_over)))
    keys = rows.codes * len(times) + codes
    sizes = np.unique(keys, return_counts=True)[1]
    size = int(sizes[0])
    if len(times) == 1 or size == 1 or (sizes != size).any():
        return None
    rank = np.empty(len(keys), np.int64)
    rank[np.lexsort((place, keys))] = np.arange(len(keys)) % size
    cells = rows.codes * size + rank
    bounds = [group * size for group in range(len(rows.groups) + 1)]
    x = cell_means(cells, place, bounds[-1])
    note = f"{displayed(plan.x[0])} moves in time: mean of the bins in their order"
    return Layout(rows.groups, bounds, (x,), rows.numbers, cells, (*rows.notes, note))


def _means(rows: Rows, places: Sequence[np.ndarray]) -> Layout:
    """Return cells that are means: one for each group and place, in the order of the places."""
    import numpy as np

    codes = rows.codes
    levels: list[np.ndarray] = []
    for place in places:
        different, own = _levels(place)
        codes = codes * len(different) + own
        levels.append(different)
    present, cells = np.unique(codes, return_inverse=True)
    x: list[np.ndarray] = []
    groups = present
    for different in reversed(levels):
        groups, own = np.divmod(groups, len(different))
        x.append(different[own])
    bounds = np.searchsorted(groups, np.arange(len(rows.groups) + 1)).tolist()
    return Layout(rows.groups, bounds, tuple(reversed(x)), rows.numbers, cells, rows.notes)


def _levels(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different places of an axis, sorted if they are numbers, and that of each row.

    Numbers that differ by rounding are the same place.
    """
    import numpy as np

    if places.dtype != object:
        different, own = np.unique(places, return_inverse=True)
        same = np.diff(different) <= SAME_PLACE * (different[-1] - different[0])
        if not same.any():
            return different, own
        starts = np.insert(~same, 0, values=True)
        return different[starts], (np.cumsum(starts) - 1)[own]
    codes: dict[str, int] = {}
    own = np.array([codes.setdefault(text, len(codes)) for text in places.tolist()])
    return np.array(list(codes), dtype=object), own


def _series(plan: Plan, rows: Rows, places: np.ndarray) -> Layout:
    """Return cells of one row each, in the order of the axis."""
    order, bounds = by_group(rows)
    is_series = plan.kind == PlotKind.timeseries
    notes = rows.notes
    if places.dtype != object:
        order, repeats = along_axis(places, order, bounds, keep_repeats=is_series)
        if repeats:
            note = RESTART_NOTE if is_series else f"{displayed(plan.x[0])} repeats"
            notes = (*notes, note)
    if order is None:
        return Layout(rows.groups, bounds, (places,), rows.numbers, None, notes)
    numbers_ = order if rows.numbers is None else rows.numbers[order]
    return Layout(rows.groups, bounds, (places[order],), numbers_, None, notes)
