"""Rows of values: the statistic of each simulation, and bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mdfactory.frames.curves import Curve
from mdfactory.frames.plots import PlotKind
from mdfactory.frames.statistics import Statistic
from mdfactory.report.plots.bands import quantiles
from mdfactory.report.plots.curve_rows import Limits, NamedCurve, curves_in
from mdfactory.report.plots.paint import Paint, Row
from mdfactory.report.plots.panels import Group, Member, group_text
from mdfactory.report.plots.view import View


def statistic_rows(view: View, members: Sequence[Member], paint: Paint) -> list[Row]:
    """Return the statistic of each simulation in each panel, with its error.

    Parameters
    ----------
    view
        What is shown.
    members
        The simulations.
    paint
        Their colours.
    """
    panels = view.panels[:1] if view.kind is PlotKind.map else view.panels
    return [
        {"panel": number, **row, **paint.row(member.hash, part.group)}
        for number, panel in enumerate(panels)
        for member in members
        for part in member.statistics
        if panel.has(part.quantity, part.group)
        for row in _statistic(view, member.hash, part, paint)
    ]


def _statistic(view: View, hash_: str, part: Statistic, paint: Paint) -> Iterator[Row]:
    """Yield the row of a statistic, if it has a figure."""
    y: float | None = getattr(part, view.figure)
    if y is None:
        return
    has_bar = view.error and not view.has_many
    spread: float | None = getattr(part, view.error) if has_bar else None
    row: Row = {"value": paint.value(hash_, part.group), "y": y}
    if spread is not None:
        row |= {"low": number_or_none(y - spread), "high": number_or_none(y + spread)}
    level = view.has_many or part.levelled is not False
    yield row | {"level": level, "text": paint.composition(hash_)}


def bar_rows(view: View, members: Sequence[Member], paint: Paint, limits: Limits) -> list[Row]:
    """Return the value of each group of each simulation; of many, median and 5 to 95 %.

    Parameters
    ----------
    view, members, paint
        As for `statistic_rows`.
    limits
        How much is drawn.
    """
    rows: list[Row] = []
    shown = {*view.bar_groups}
    for number, panel in enumerate(view.panels):
        curves = [pair for pair in curves_in(panel, members) if pair[1].group in shown]
        if len(members) <= limits.curves:
            own = [_bar(paint, hash_, curve) for hash_, curve in curves]
        else:
            own = _bar_bands(paint, [member.hash for member in members], curves)
        rows += [{"panel": number, **row} for row in own]
    return rows


def _bar(paint: Paint, hash_: str, curve: Curve) -> Row:
    row: Row = {"group": group_text(curve.group), "y": number_or_none(curve.y[0]), "offset": 0}
    if curve.low is not None and curve.high is not None:
        row |= {"low": number_or_none(curve.low[0]), "high": number_or_none(curve.high[0])}
    return row | paint.row(hash_)


def _bar_bands(paint: Paint, hashes: Sequence[str], curves: Sequence[NamedCurve]) -> list[Row]:
    """Return median and 5 to 95 % of each group in each bin of the colour."""
    import numpy as np

    bins = dict(zip(hashes, paint.bins(hashes).tolist(), strict=True))
    values: dict[tuple[Group, int], list[tuple[str, float]]] = {}
    for hash_, curve in curves:
        values.setdefault((curve.group, bins[hash_]), []).append((hash_, float(curve.y[0])))
    rows = []
    for (group, bin_), pairs in values.items():
        low, median, high = quantiles(np.array([[value] for _, value in pairs]))[:, 0]
        row: Row = {"group": group_text(group), "offset": bin_, "y": number_or_none(median)}
        row |= {"low": number_or_none(low), "high": number_or_none(high), "name": ""}
        rows.append(row | {"colour": paint.of_bin([hash_ for hash_, _ in pairs])})
    return rows


def number_or_none(value: float) -> float | None:
    """Return a number for JSON, which has no infinities."""
    number = float(value)
    return number if abs(number) < float("inf") else None
