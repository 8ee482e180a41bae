"""Axes of the panels of a plot, from what is drawn in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING

from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.plots import Plan
from mdfactory.frames.statistics import Statistic
from mdfactory.report.plots.axes import Range, constant_range, statistic_range, whole_ticks
from mdfactory.report.plots.panels import Member, Panel

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class PanelAxes:
    """What the axes of panels must show.

    Parameters
    ----------
    figure, error
        Statistic of each simulation, and its error; empty if no error bars are drawn.
    shares_y
        Whether all panels have the same axis of values.
    has_spread
        Whether bands of the curves are drawn.
    """

    figure: str
    error: str
    shares_y: bool
    has_spread: bool


def with_axes(
    axes: PanelAxes, plan: Plan, members: Sequence[Member], panels: Sequence[Panel]
) -> tuple[Panel, ...]:
    """Return panels that know their axes.

    Parameters
    ----------
    axes
        What the axes must show.
    plan
        The plan of the analysis.
    members
        The simulations.
    panels
        The panels.
    """
    parts = [[*panels]] if axes.shares_y else [[panel] for panel in panels]
    return tuple(panel for part in parts for panel in _with_shared_axes(axes, plan, members, part))


def _with_shared_axes(
    axes: PanelAxes, plan: Plan, members: Sequence[Member], panels: Sequence[Panel]
) -> Iterator[Panel]:
    """Yield panels that have the same axes of values."""
    y_range = constant_range(_values(members, panels, has_spread=axes.has_spread))
    of_statistics = _statistic_range(axes, members, panels)
    ticks = whole_ticks(_values(members, panels))
    for panel in panels:
        is_boolean = plan.columns.get(panel.quantity) is ColumnKind.boolean
        own = replace(panel, y_range=y_range, statistic_range=of_statistics, ticks=ticks)
        yield replace(own, is_boolean=is_boolean)


def _values(
    members: Sequence[Member], panels: Sequence[Panel], *, has_spread: bool = False
) -> Iterator[np.ndarray]:
    for member in members:
        for curve in member.drawing.curves:
            if any(panel.has(curve.quantity, curve.group) for panel in panels):
                ends = (curve.low, curve.high) if has_spread else ()
                yield from (values for values in (curve.y, *ends) if values is not None)


def _statistic_range(axes: PanelAxes, members: Sequence[Member], panels: Sequence[Panel]) -> Range:
    """Return the range of the statistics of panels, with their error bars."""
    import numpy as np

    parts = [
        part
        for member in members
        for part in member.statistics
        if any(panel.has(part.quantity, part.group) for panel in panels)
    ]
    is_positive = all(
        bool((values >= 0)[np.isfinite(values)].all()) for values in _values(members, panels)
    )
    errors = _figures(parts, axes.error) if axes.error else []
    return statistic_range(_figures(parts, axes.figure), errors, is_positive=is_positive)


def _figures(parts: Sequence[Statistic], name: str) -> list[float]:
    values: list[float | None] = [getattr(part, name) for part in parts]
    return [value for value in values if value is not None and isfinite(value)]
