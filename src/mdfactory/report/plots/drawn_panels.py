"""Panels in Vega-Lite: curves, statistics, maps, bars and texts, of named data."""

from __future__ import annotations

from typing import Final

from mdfactory.frames.plots import Plan
from mdfactory.report.plots.axes import FROM_ZERO
from mdfactory.report.plots.encodings import (
    NUMBER_AXIS,
    Json,
    colour,
    field_axis,
    tooltip,
    value_axis,
    whole,
    x_axis,
)
from mdfactory.report.plots.texts import axis_title
from mdfactory.report.plots.view import View

# Without clips, and without opacity of whole marks: either doubles the time of a picture.
LINE: Final[Json] = {"type": "line", "strokeJoin": "round"}
AREA: Final[Json] = {"type": "area", "fillOpacity": 0.17}
RULE: Final[Json] = {"type": "rule", "strokeWidth": 1.4}

POINT: Final[Json] = {"type": "point", "size": 45, "opacity": 1, "strokeWidth": 1.6}
FILLED: Final[Json] = {"filled": True}
SMALL_POINT: Final[Json] = {"type": "point", "size": 8, "filled": True}
MANY_POINTS: Final[Json] = {
    "type": "point",
    "size": 16,
    "opacity": 1,
    "fillOpacity": 0.6,
    "strokeWidth": 0,
}

OVERLAP: Final = 0.04
"""Part of a cell of a map by which it overlaps the next one."""

BAR_TICKS: Final = 6
"""Approximate number of ticks of the axis of bars."""

BARS_WIDTH: Final = 480
FEW_BARS: Final = 12
BAR_STEP: Final = 40
SMALL_BAR_STEP: Final = 26
"""Distance of the rows of bars: of few of them, and of more."""

LINE_HEIGHT: Final = 22
"""Height of a line of text."""


def curves_panel(view: View, number: int, size: Json, *, has_title: bool = True) -> Json:
    """Return a panel with the curves of the simulations, or with bands of them.

    Parameters
    ----------
    view
        What is shown.
    number
        Number of the panel.
    size
        Its width and height.
    has_title
        Whether the axis of the values has a title.
    """
    panel = view.panels[number]
    title = panel.y_title if has_title else None
    y = value_axis(title, panel.y_range, size, panel.ticks)
    x = x_axis(view, size["width"])
    line = {"x": x, "y": {"field": "y", **y}, **colour(view)}
    band = {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}}
    band |= colour(view)
    curve = {"detail": {"field": "curve", "type": "nominal"}}
    bin_ = {"detail": {"field": "bin", "type": "nominal"}}
    thin, strong = {"strokeWidth": 0.5}, {"strokeWidth": 2.4}
    style = {"strokeWidth": 1.3, "point": view.has_points}
    path = LINE | ({"interpolate": "step-after"} if panel.is_boolean else {})
    marks = [AREA, path | thin, path | strong, path | style]
    if view.x_type == "nominal":  # between names is nothing
        marks = [RULE, SMALL_POINT, POINT | FILLED, POINT | FILLED]
    told = {"tooltip": tooltip(view)}
    layers = [
        _band_layer("bands", number) | {"mark": marks[0], "encoding": band | bin_},
        _line_layer("far", number) | {"mark": marks[1], "encoding": line | curve},
        _line_layer("bands", number) | {"mark": marks[2], "encoding": line | bin_},
        _line_layer("curves", number) | {"mark": marks[3], "encoding": line | curve | told},
    ]
    if view.has_spread:
        own = _band_layer("curves", number) | {"mark": marks[0], "encoding": band | curve}
        layers.insert(3, own)
    return size | _title(view, number, size["width"]) | {"layer": layers}


def _line_layer(name: str, number: int) -> Json:
    """Return the data of lines: the lists of a row become a row for each element."""
    transform = [_of_panel(number), {"flatten": ["x", "y"]}]
    return {"data": {"name": name}, "transform": transform}


def _band_layer(name: str, number: int) -> Json:
    """Return the data of bands; rows without a band are left out."""
    has_band = {"filter": "isArray(datum.low)"}
    transform = [_of_panel(number), has_band, {"flatten": ["x", "low", "high"]}]
    return {"data": {"name": name}, "transform": transform}


def statistics_panel(
    view: View, number: int, size: Json, *, has_title: bool = True, has_legend: bool = True
) -> Json:
    """Return a panel with the statistic of each simulation, against the field of the colour.

    A symbol is open if the error of its mean has not levelled off.

    Parameters
    ----------
    view, number, size, has_title
        As for `curves_panel`.
    has_legend
        Whether the colours have a legend.
    """
    panel = view.panels[number]
    title = view.statistic.format(panel.y_title) if has_title else None
    y = value_axis(title, panel.statistic_range, size)
    point: Json = {"x": field_axis(view), "y": {"field": "y", **y}}
    point |= {"tooltip": [*tooltip(view), {"field": "text", "title": "composition"}]}
    rule = {"x": field_axis(view), "y": {"field": "low", **y}, "y2": {"field": "high"}}
    point |= colour(view, has_legend=has_legend)
    rule |= colour(view, has_legend=has_legend)
    mark = MANY_POINTS if view.has_many else POINT
    bar = RULE | ({"clip": True} if panel.statistic_range == FROM_ZERO else {})
    layers = [
        _filtered("isNumber(datum.low)") | {"mark": bar, "encoding": rule},
        _filtered("datum.level") | {"mark": mark | FILLED, "encoding": point},
        _filtered("!datum.level") | {"mark": mark | {"filled": False}, "encoding": point},
    ]
    data = {"data": {"name": "statistics"}, "transform": [_of_panel(number)], "layer": layers}
    return size | _title(view, number, size["width"]) | data


def map_panel(plan: Plan, view: View, number: int, size: Json) -> Json:
    """Return a panel with the map of one simulation.

    Parameters
    ----------
    plan
        The plan, which has two axes.
    view, number, size
        As for `curves_panel`.
    """
    title = view.panels[number].y_title
    z: Json = {"field": "z", "type": "quantitative", "title": title, "scale": {"zero": False}}
    scale = {"zero": False, "nice": False}
    encoding: Json = {
        name: {
            "field": name,
            "type": "quantitative",
            "title": axis_title(column, plan.units.get(column, "")),
            "scale": scale,
            "axis": whole(ticks) | NUMBER_AXIS,
        }
        for name, column, ticks in zip("xy", plan.x, view.ticks, strict=True)
    }
    encoding |= {"x2": {"field": "x2"}, "y2": {"field": "y2"}, "color": z}
    encoding |= {"tooltip": [{"field": "z", "title": title, "format": ".4~g"}]}
    mark = {"type": "rect", "strokeWidth": 0}
    # Cells overlap a little: gaps are seen between those that only touch.
    overlaps = [
        {"calculate": f"datum.{end}2 + {OVERLAP} * (datum.{end}2 - datum.{end})", "as": f"{end}2"}
        for end in "xy"
    ]
    data = {"data": {"name": "cells"}, "transform": [_of_panel(number), *overlaps]}
    return size | _title(view, number, size["width"]) | data | {"mark": mark, "encoding": encoding}


def bars_panel(view: View, number: int) -> Json:
    """Return a panel with a row for each group, and a mark for each simulation.

    Parameters
    ----------
    view, number
        As for `curves_panel`.
    """
    panel = view.panels[number]
    x = value_axis(panel.y_title, panel.y_range, {"height": BARS_WIDTH})
    x["axis"] |= {"tickCount": BAR_TICKS}
    step = BAR_STEP if len(view.bar_groups) <= FEW_BARS else SMALL_BAR_STEP
    place = {
        "y": {"field": "group", "type": "nominal", "title": None, "sort": None},
        "yOffset": {"field": "offset", "type": "nominal"},
    }
    point = {"x": {"field": "y", **x}, **place, **colour(view)}
    point |= {"tooltip": [{"field": "y", "format": ".4~g", "title": "value"}, *tooltip(view)]}
    rule = {"x": {"field": "low", **x}, "x2": {"field": "high"}, **place, **colour(view)}
    layers = [
        _filtered("isNumber(datum.low)") | {"mark": RULE, "encoding": rule},
        {"mark": POINT | FILLED, "encoding": point},
    ]
    return {
        "data": {"name": "bars"},
        "transform": [_of_panel(number)],
        "width": BARS_WIDTH,
        "height": {"step": step, "for": "position"},
        "layer": layers,
    }


def text_panel(view: View) -> Json:
    """Return lines of text, in place of a plot."""
    mark = {"type": "text", "align": "left", "baseline": "top", "fontSize": 13}
    origin = {"x": {"value": 0}, "y": {"value": 0}}
    return {
        "data": {"values": [{}]},
        "width": 600,
        "height": LINE_HEIGHT * max(1, len(view.lines)),
        "mark": mark | {"lineHeight": LINE_HEIGHT},
        "encoding": {"text": {"value": list(view.lines)}, **origin},
    }


def _filtered(test: str) -> Json:
    """Return the data of a layer: the rows that pass a test."""
    return {"transform": [{"filter": test}]}


def _of_panel(number: int) -> Json:
    return {"filter": f"datum.panel === {number}"}


def _title(view: View, number: int, width: int) -> Json:
    """Return the title of a panel, if there is one; it is cut at the width of the panel."""
    title = view.panels[number].title
    style = {"limit": width, "fontSize": 12, "fontWeight": "normal", "offset": 6, "frame": "group"}
    return {"title": {"text": title, **style}} if title else {}
