"""Encodings of Vega-Lite: axes, colours and tooltips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mdfactory.report.plots.axes import Range
from mdfactory.report.plots.colour import OTHERS
from mdfactory.report.plots.themes import CATEGORIES, OTHER
from mdfactory.report.plots.view import ColourKind, View

Json = dict[str, Any]

LABEL_ANGLE: Final = -35
"""Angle of texts on a horizontal axis."""

STEEP_NAMES: Final = 12
"""Number of texts on an axis above which they are upright."""

STEEP_LABELS: Final[Json] = {"labelAngle": -90, "labelOverlap": "greedy", "labelFontSize": 10}

NUMBER_LABEL: Final = (
    "datum.value !== 0 && (abs(datum.value) >= 1e6 || abs(datum.value) < 1e-4)"
    " ? replace(format(datum.value, '.12~e'), 'e+', 'e') : datum.label"
)
"""Label of a number on an axis: numbers with many zeros have an exponent."""

NUMBER_AXIS: Final[Json] = {"labelExpr": NUMBER_LABEL}

TICK_WIDTH: Final = 55
"""Approximate distance of the ticks of an axis of curves."""

FIELD_TICKS: Final = 5
"""Approximate number of ticks of the axis of a field: its numbers may be long."""

TITLE_OVERHANG: Final = 60
"""Length by which the title of an axis may be longer than the axis."""

SYMBOLS: Final[Json] = {
    "symbolType": "circle",
    "symbolSize": 90,
    "symbolOpacity": 1,
    "symbolStrokeWidth": 0,
}
"""Symbols of a legend, the same for lines and points."""


def x_axis(view: View, width: int) -> Json:
    """Return the axis of curves, of a width."""
    x: Json = {"field": "x", "type": view.x_type, "title": view.x_title}
    if view.x_type == "nominal":
        is_steep = view.names > STEEP_NAMES
        return x | {"sort": None, "axis": STEEP_LABELS if is_steep else {"labelAngle": LABEL_ANGLE}}
    ticks: Json = {"tickCount": round(width / TICK_WIDTH), "titleLimit": width}
    if view.x_type == "temporal":
        return x | {"scale": {"type": "utc", "nice": False}, "axis": ticks}
    scale: Json = {"zero": view.has_zero, "nice": False}
    return x | {"scale": scale, "axis": ticks | whole(view.ticks[0]) | NUMBER_AXIS}


def whole(ticks: Sequence[int]) -> Json:
    """Return the ticks of an axis; nothing if it has its own."""
    return {"values": list(ticks), "format": "d"} if ticks else {}


def value_axis(title: str | None, own: Range, size: Json, ticks: Sequence[int] = ()) -> Json:
    """Return the axis of a quantity, without its field.

    Parameters
    ----------
    title
        Title of the axis; None if it has none.
    own
        Its range.
    size
        Width and height of the panel.
    ticks
        Its ticks, if they are given.
    """
    scale: Json = {"zero": False}
    if own.low is not None:
        ends = {"domainMin": own.low} if own.high is None else {"domain": [own.low, own.high]}
        scale |= ends | {"nice": own.high is None}
    axis: Json = NUMBER_AXIS | {"titleLimit": size["height"] + TITLE_OVERHANG}
    axis |= whole(ticks)
    return {"type": "quantitative", "title": title, "scale": scale, "axis": axis}


def field_axis(view: View) -> Json:
    """Return the axis of the field that colours the simulations."""
    if view.colour_kind is ColourKind.number:
        return {
            "field": "value",
            "type": "quantitative",
            "title": view.colour_title,
            "scale": {"zero": False, "nice": False, "padding": 12},
            "axis": {"tickCount": FIELD_TICKS} | NUMBER_AXIS,
        }
    return {
        "field": "value",
        "type": "nominal",
        "title": view.colour_title if view.categories else "simulation",
        "axis": {"labelAngle": LABEL_ANGLE} if view.categories else STEEP_LABELS,
        "sort": list(view.categories) or None,
    }


def colour(view: View, *, has_legend: bool = True) -> Json:
    """Return the colour of a simulation; what lacks the field is grey.

    Parameters
    ----------
    view
        What is shown.
    has_legend
        Whether there is a legend. One layer without a legend would remove that of all others.
    """
    if view.colour_kind is ColourKind.none:
        return {"color": {"value": CATEGORIES[0]}}
    own: Json = {
        "field": "colour",
        "title": view.colour_title,
        "condition": {"test": "datum.colour === null", "value": OTHER},
        "legend": _legend(view) if has_legend else None,
    }
    if view.colour_kind is ColourKind.number:
        return {"color": own | {"type": "quantitative"}}
    pairs = zip(view.categories, CATEGORIES, strict=False)
    colours = [OTHER if text == OTHERS else colour for text, colour in pairs]
    scale = {"domain": list(view.categories), "range": colours}
    return {"color": own | {"type": "nominal", "scale": scale}}


def _legend(view: View) -> Json:
    """Return the legend: a symbol for each category, or for some numbers."""
    legend: Json = {"type": "symbol", **SYMBOLS}
    if view.colour_kind is ColourKind.number:
        legend["format"] = ".6~g"
    if view.legend_values:
        legend["values"] = list(view.legend_values)
    return legend


def tooltip(view: View) -> list[Json]:
    """Return the fields that are shown of a simulation below the pointer."""
    fields: list[Json] = [{"field": "name", "title": "simulation"}]
    if view.colour_kind is not ColourKind.none:
        fields.append({"field": "colour", "title": view.colour_title})
    return fields
