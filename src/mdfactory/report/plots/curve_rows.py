"""Rows of curves, and of bands in place of many curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mdfactory.frames.curves import MAX_POINTS, Curve, thin
from mdfactory.report.plots.bands import Band, bands_of, farthest, grid_of
from mdfactory.report.plots.paint import Paint, Row
from mdfactory.report.plots.panels import Member, Panel
from mdfactory.report.plots.texts import clean
from mdfactory.report.plots.view import View

if TYPE_CHECKING:
    import numpy as np

MIN_POINTS: Final = 24
"""Number of points that a curve keeps in a plot of many panels."""

MAX_FAR: Final = 20
"""Maximum number of curves beside the bands of all panels: those that are farthest from them."""

FAR_POINTS: Final = 60
"""Number of points of a curve that is drawn beside bands."""

PRECISION: Final = 20_000
"""Values are rounded to about this part of their range: finer than any screen."""

MAX_DIGITS: Final = 300
"""Digits behind the point to which numpy can round."""

MILLISECONDS: Final = 1000.0
"""Milliseconds of a second: Vega counts dates in them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is drawn.

    Parameters
    ----------
    curves
        Maximum number of curves in a panel; of more, bands are drawn.
    points
        Maximum number of points in all panels.
    """

    curves: int
    points: int


NamedCurve = tuple[str, Curve]
"""Hash of a simulation, and a curve of it."""


def curve_rows(
    view: View, members: Sequence[Member], paint: Paint, limits: Limits
) -> dict[str, list[Row]]:
    """Return the curves of all panels; bands in place of more curves than a panel shows.

    Parameters
    ----------
    view
        What is shown.
    members
        The simulations.
    paint
        Their colours.
    limits
        How much is drawn.
    """
    by_panel = [[*curves_in(panel, members)] for panel in view.panels]
    if max(map(len, by_panel), default=0) > limits.curves:
        return _band_rows(view, by_panel, paint)
    points = _points(sum(map(len, by_panel)), limits)
    return {"curves": [*_rows(view, by_panel, paint, points)], "far": [], "bands": []}


def band_notes(rows: Mapping[str, Sequence[Row]], view: View) -> tuple[str, ...]:
    """Return what bands mean, if there are any."""
    bands, far = rows.get("bands", ()), rows.get("far", ())
    if not bands:
        return ()
    bins = len({row["bin"] for row in bands})
    by_field = f" in {bins} bins of {view.colour_title}" if bins > 1 else ""
    note = f"bands: median and 5 to 95 % of the simulations{by_field}"
    return (f"{note}; thin lines: the farthest curves" if far else note,)


def curves_in(panel: Panel, members: Sequence[Member]) -> Iterator[NamedCurve]:
    """Yield the curves of a panel."""
    for member in members:
        for curve in member.drawing.curves:
            if panel.has(curve.quantity, curve.group) and len(curve.y):
                yield member.hash, curve


def _points(curves: int, limits: Limits) -> int:
    """Return the number of points of each of some curves."""
    return max(MIN_POINTS, min(MAX_POINTS, limits.points // max(curves, 1)))


def _rows(
    view: View, by_panel: Sequence[Sequence[NamedCurve]], paint: Paint, points: int
) -> Iterator[Row]:
    """Yield the row of each curve of each panel."""
    number = 0
    for place, curves in enumerate(by_panel):
        for hash_, curve in curves:
            thinned = thin(curve, points)
            row: Row = {"panel": place, "curve": number}
            row |= {"x": _axis(view, thinned.x), "y": rounded(thinned.y)}
            if view.has_spread and thinned.low is not None and thinned.high is not None:
                row |= {"low": rounded(thinned.low), "high": rounded(thinned.high)}
            yield row | paint.row(hash_, curve.group)
            number += 1


def _band_rows(
    view: View, by_panel: Sequence[Sequence[NamedCurve]], paint: Paint
) -> dict[str, list[Row]]:
    """Return the bands of all panels, and the curves that are farthest from them."""
    import numpy as np

    bands: list[Row] = []
    far: list[list[NamedCurve]] = []
    for number, curves in enumerate(by_panel):
        hashes = [hash_ for hash_, _ in curves]
        places, texts = _places(view, [curve for _, curve in curves])
        grid = np.arange(len(texts), dtype=np.float64) if texts else grid_of(places)
        found, distances = bands_of(grid, places, paint.bins(hashes))
        for bin_, band in enumerate(found):
            colour = paint.of_bin([hashes[place] for place in band.members])
            row = {"panel": number, "bin": bin_, "colour": colour}
            bands.append(row | _band(view, band, texts))
        room = MAX_FAR // len(by_panel)
        far.append([curves[place] for place in farthest(distances, room)])
    return {"curves": [], "far": [*_rows(view, far, paint, FAR_POINTS)], "bands": bands}


def _band(view: View, band: Band, texts: Sequence[str]) -> Row:
    """Return the lists of a band; its places have texts if the axis has."""
    x: list[Any] = [*texts] or rounded(band.x * _factor(view))
    values = {"y": band.median, "low": band.low, "high": band.high}
    return {"x": x} | {name: rounded(numbers) for name, numbers in values.items()}


def _places(
    view: View, curves: Sequence[Curve]
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[str]]:
    """Return curves in ascending order of the axis; texts on the axis are numbered."""
    import numpy as np

    ordered = []
    texts: dict[str, int] = {}
    for curve in curves:
        x = curve.x[0]
        if view.x_type == "nominal":
            x = np.array([texts.setdefault(clean(text), len(texts)) for text in x], dtype=float)
        if not (x[1:] < x[:-1]).any():
            ordered.append((x, curve.y))
            continue
        order = np.argsort(x, kind="stable")
        ordered.append((x[order], curve.y[order]))
    return ordered, [*texts]


def _axis(view: View, x: tuple[np.ndarray, ...]) -> list[Any]:
    """Return the places of a curve on the axis, in the unit of the axis."""
    if view.x_type == "nominal":
        return [clean(text) for text in x[0]]
    return rounded(x[0] * _factor(view))


def _factor(view: View) -> float:
    """Return the factor from seconds to the dates of Vega, or that of the unit."""
    return MILLISECONDS if view.x_type == "temporal" else view.x_factor


def rounded(values: np.ndarray) -> list[float | None]:
    """Return numbers with as many digits as are seen; None for what is no number."""
    import numpy as np

    finite = np.isfinite(values)
    if not finite.any():
        return [None] * len(values)
    own = values[finite]
    low, high = float(own.min()), float(own.max())
    spread = high - low or abs(high) or 1.0
    digits = int(np.ceil(np.log10(PRECISION) - np.log10(spread)))
    numbers: list[float] = (values if digits > MAX_DIGITS else np.round(values, digits)).tolist()
    if finite.all():
        return [*numbers]
    return [number if there else None for number, there in zip(numbers, finite, strict=True)]
