"""Fill the named data of a specification with what is drawn of simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mdfactory.frames.plots import PlotKind
from mdfactory.report.plots.cell_rows import cell_rows
from mdfactory.report.plots.colour import Colour
from mdfactory.report.plots.curve_rows import Limits, curve_rows
from mdfactory.report.plots.paint import Paint, Row
from mdfactory.report.plots.panels import Member
from mdfactory.report.plots.value_rows import bar_rows, statistic_rows
from mdfactory.report.plots.view import View

SCREEN: Final = Limits(curves=120, points=120 * 200)
"""Limits of what a browser draws."""

PICTURE: Final = Limits(curves=60, points=60 * 60)
"""Limits of a picture that is drawn without a browser, which holds memory for each point."""


def fill(
    view: View,
    members: Sequence[Member],
    colour: Colour,
    compositions: Mapping[str, str] | None = None,
    limits: Limits = SCREEN,
) -> dict[str, list[Row]]:
    """Return the rows of the named data of a specification; see `report.plots.specification`.

    Parameters
    ----------
    view
        That of the specification.
    members
        The simulations.
    colour
        The field that colours them.
    compositions
        Hash -> composition.
    limits
        How much is drawn.
    """
    if not view.panels:
        return {}
    paint = Paint(colour, view, compositions)
    if view.kind is PlotKind.bars:
        return {"bars": bar_rows(view, members, paint, limits)}
    rows: dict[str, list[Row]] = {}
    if view.has_statistics or view.kind is PlotKind.scalars:
        rows["statistics"] = statistic_rows(view, members, paint)
    if view.kind is PlotKind.map:
        rows["cells"] = cell_rows(view, members)
    elif view.kind is not PlotKind.scalars:
        rows |= curve_rows(view, members, paint, limits)
    return rows
