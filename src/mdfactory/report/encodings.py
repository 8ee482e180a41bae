"""Encodings of Vega-Lite: axes, colours and tooltips."""

from __future__ import annotations

from typing import Any, Final

from mdfactory.report.colour import OTHERS
from mdfactory.report.themes import CATEGORIES, OTHER
from mdfactory.report.view import ColourKind, View

Json = dict[str, Any]

LABEL_ANGLE: Final = -35
"""Angle of texts on a horizontal axis."""

TICK_WIDTH: Final = 55
"""Approximate distance of the ticks of an axis of curves."""

FIELD_TICKS: Final = 5
"""Approximate number of ticks of the axis of a field: its numbers may be long."""

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
        return x | {"sort": None, "axis": {"labelAngle": LABEL_ANGLE}}
    scale: Json = {"zero": view.has_zero, "nice": False}
    if view.x_type == "temporal":
        scale = {"type": "utc", "nice": False}
    return x | {"scale": scale, "axis": {"tickCount": round(width / TICK_WIDTH)}}


def value_axis(view: View, title: str | None) -> Json:
    """Return the axis of a quantity, without its field."""
    scale: Json = {"zero": False}
    if view.y_domain:
        scale |= {"domain": list(view.y_domain), "nice": False}
    return {"type": "quantitative", "title": title, "scale": scale}


def field_axis(view: View) -> Json:
    """Return the axis of the field that colours the simulations."""
    if view.colour_kind is ColourKind.number:
        return {
            "field": "value",
            "type": "quantitative",
            "title": view.colour_title,
            "scale": {"zero": False, "nice": False, "padding": 12},
            "axis": {"tickCount": FIELD_TICKS},
        }
    return {
        "field": "value",
        "type": "nominal",
        "title": view.colour_title if view.categories else "simulation",
        "axis": {"labelAngle": LABEL_ANGLE},
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
        legend["format"] = ".3~g"
    if view.legend_values:
        legend["values"] = list(view.legend_values)
    return legend


def tooltip(view: View) -> list[Json]:
    """Return the fields that are shown of a simulation below the pointer."""
    fields: list[Json] = [{"field": "name", "title": "simulation"}]
    if view.colour_kind is not ColourKind.none:
        fields.append({"field": "colour", "title": view.colour_title})
    return fields
