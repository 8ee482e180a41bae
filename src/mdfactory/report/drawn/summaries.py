"""Summaries: what a report keeps of each frame, its thinned curves and statistics, as bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from mdfactory.frames.curves import Curve, Drawing
from mdfactory.frames.plots import Plan, PlotKind, misfit
from mdfactory.frames.statistics import Start, Statistic, draw_and_summarise, start_note
from mdfactory.report.drawn.curve_data import PackedCurve, pack_curves, unpack_curves
from mdfactory.report.payload import clean, to_json
from mdfactory.report.plots.axes import averaged_note
from mdfactory.report.plots.panels import Group, Member
from mdfactory.report.plots.view import NO_PLOT

if TYPE_CHECKING:
    import numpy as np

MAX_QUANTITIES: Final = 40
"""Maximum number of quantities of an analysis that are shown."""

MAX_CURVES: Final = 400
"""Maximum number of curves of one simulation."""

MAX_ROWS: Final = 50
"""Maximum number of rows of a frame that is shown as a table."""

MAX_COLUMNS: Final = 30
"""Maximum number of columns of such a frame."""

MAX_CELL_CHARACTERS: Final = 200

MAX_MAP_CELLS: Final = 40
"""Maximum number of cells of a map along an axis; of more, the means of blocks are kept."""

FIGURES: Final = tuple(field.name for field in fields(Statistic))[2:]
"""Names of the figures of a statistic."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept of one frame.

    Parameters
    ----------
    misfit
        Why it is not drawn; empty if it is.
    notes
        Sentences about it.
    groups
        The groups of its curves and statistics.
    statistics
        Number of the quantity, number of the group, and the `FIGURES` of each statistic.
    rows
        Rows of a frame that is shown as a table.
    curves
        Its curves; see `curve_data.pack_curves`.
    count
        Number of its curves.
    """

    misfit: str = ""
    notes: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    statistics: tuple[Sequence[Any], ...] = ()
    rows: tuple[Sequence[Any], ...] = ()
    curves: bytes = b""
    count: int = 0

    def to_bytes(self) -> bytes:
        """Return this summary as bytes."""
        parts = (self.misfit, self.notes, self.groups, self.statistics, self.rows, self.count)
        text = to_json(parts)
        return struct.pack("<I", len(text)) + text + self.curves

    @classmethod
    def from_bytes(cls, data: bytes) -> Summary:
        """Return the summary of which `to_bytes` made bytes."""
        (length,) = struct.unpack_from("<I", data)
        reason, notes, groups, statistics, rows, count = json.loads(data[4 : 4 + length])
        names = tuple(map(tuple, groups))
        curves = data[4 + length :]
        return cls(reason, tuple(notes), names, tuple(statistics), tuple(rows), curves, count)

    def member(self, hash_: str, names: Sequence[str], wanted: Sequence[str]) -> Member:
        """Return what is drawn of some quantities.

        Parameters
        ----------
        hash_
            Hash of the simulation.
        names
            The quantities of the analysis, in the order of their numbers.
        wanted
            The quantities to draw.
        """
        numbers = {number for number, name in enumerate(names) if name in wanted}
        curves = tuple(
            Curve(
                names[curve.quantity],
                self.groups[curve.group],
                _axes(curve),
                curve.y,
                curve.low,
                curve.high,
            )
            for curve in (unpack_curves(self.curves, numbers) if self.curves else ())
        )
        statistics = [
            Statistic(names[quantity], self.groups[group], *figures)
            for quantity, group, *figures in self.statistics
            if quantity in numbers
        ]
        return Member(hash_, Drawing(curves, {}), statistics)


def _axes(curve: PackedCurve) -> tuple[np.ndarray, ...]:
    """Return the axes of a curve; none of a bar, whose axis has empty texts."""
    first = curve.x[0]
    is_empty = first.dtype.kind not in "fiub" and not any(first)
    return () if is_empty else tuple(curve.x)


def restricted(plan: Plan) -> Plan:
    """Return a plan of the quantities that a report shows."""
    y = plan.y[:MAX_QUANTITIES]
    scalars = plan.scalars[: MAX_QUANTITIES - len(y)]
    total = len(plan.y) + len(plan.scalars)
    few = (f"{MAX_QUANTITIES} of {total:,} quantities are shown",) if total > MAX_QUANTITIES else ()
    return replace(plan, y=y, scalars=scalars, notes=(*plan.notes, *few))


def summary_of(plan: Plan, frame: pa.Table, extras: Mapping[str, Any], start: Start) -> Summary:
    """Return the summary of a frame.

    Parameters
    ----------
    plan
        The plan of the analysis; see `restricted`.
    frame
        The frame of one simulation.
    extras
        The extras of its registry entry.
    start
        What statistics leave out.
    """
    reason = misfit(plan, frame, extras)
    if reason:
        return Summary(reason)
    if plan.kind in NO_PLOT:
        return Summary(notes=tuple(_cuts(frame)), rows=tuple(_rows(frame)))
    drawing, statistics = draw_and_summarise(plan, frame, start)
    curves = drawing.curves[:MAX_CURVES]
    notes = [*drawing.notes, start_note(plan, frame, start)]
    if len(drawing.curves) > MAX_CURVES:
        notes.append(f"{MAX_CURVES} of {len(drawing.curves):,} curves are shown")
    if len(statistics) > MAX_CURVES:
        notes.append(f"{MAX_CURVES} of {len(statistics):,} statistics are shown")
    if plan.kind is PlotKind.map:
        notes.append(averaged_note(curves))
    names = {name: number for number, name in enumerate((*plan.y, *plan.scalars))}
    groups: dict[Group, int] = {}
    packed = [_packed(plan, curve, names, groups) for curve in curves]
    figures = [
        (names[one.quantity], groups.setdefault(one.group, len(groups)), *_figures(one))
        for one in statistics[:MAX_CURVES]
    ]
    return Summary(
        "",
        tuple(filter(None, notes)),
        tuple(groups),
        tuple(figures),
        curves=pack_curves(packed) if packed else b"",
        count=len(packed),
    )


def _packed(
    plan: Plan, curve: Curve, names: Mapping[str, int], groups: dict[Group, int]
) -> PackedCurve:
    if plan.kind is PlotKind.map:
        curve = coarse(curve)
    group = groups.setdefault(curve.group, len(groups))
    x = curve.x or (_no_axis(len(curve.y)),)
    return PackedCurve(0, names[curve.quantity], group, x, curve.y, curve.low, curve.high)


def _no_axis(length: int) -> np.ndarray:
    """Return the axis of bars, which have none."""
    import numpy as np

    return np.full(length, "", dtype=object)


def coarse(curve: Curve) -> Curve:
    """Return a map of at most `MAX_MAP_CELLS` cells along each axis, the means of blocks."""
    import numpy as np

    blocks, sizes = zip(*map(_blocks, curve.x), strict=True)
    if max(sizes) <= MAX_MAP_CELLS:
        return curve
    finite = np.isfinite(curve.y)
    _, first, cells = np.unique(
        blocks[1] * sizes[0] + blocks[0], return_index=True, return_inverse=True
    )
    counts = np.bincount(cells)
    weights = np.bincount(cells, weights=finite)
    with np.errstate(all="ignore"):
        y = np.bincount(cells, weights=np.where(finite, curve.y, 0.0)) / weights
    x = tuple(
        np.bincount(cells, weights=places) / counts
        if places.dtype.kind in "fiub"
        else places[first]
        for places in curve.x
    )
    return Curve(curve.quantity, curve.group, x, y)


def _blocks(places: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the block of each place on an axis of a map, and the number of distinct places."""
    import numpy as np

    values = places if places.dtype.kind in "fiub" else places.astype(str)
    distinct, numbers = np.unique(values, return_inverse=True)
    return numbers // -(-len(distinct) // MAX_MAP_CELLS), len(distinct)


def _figures(statistic: Statistic) -> Iterator[float | bool | None]:
    """Yield the figures of a statistic; None for those that JSON cannot hold."""
    for name in FIGURES:
        value = getattr(statistic, name)
        if value is None or isinstance(value, bool):
            yield value
        else:
            yield float(value) if isfinite(value) else None


def _cuts(frame: pa.Table) -> Iterator[str]:
    """Yield what the page leaves out of a frame that is shown as a table."""
    if frame.num_rows > MAX_ROWS:
        yield f"at most {MAX_ROWS} rows of a simulation are shown"
    if frame.num_columns > MAX_COLUMNS:
        yield f"{MAX_COLUMNS} of {frame.num_columns:,} columns are shown"


def _rows(frame: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield the first rows of a frame that is shown as a table."""
    head = frame.select(list(range(min(frame.num_columns, MAX_COLUMNS)))).slice(0, MAX_ROWS)
    yield from zip(*map(_cells, head.columns), strict=True)


def _cells(column: pa.ChunkedArray[Any]) -> list[Any]:
    """Return the values of a column; those that Python cannot hold as Arrow writes them."""
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        values = list(map(str, column))
    return list(map(_cell, values))


def _cell(value: Any) -> Any:
    """Return a value of a table for JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 2**53 else clean(str(value))
    return clean(str(value)[:MAX_CELL_CHARACTERS])
