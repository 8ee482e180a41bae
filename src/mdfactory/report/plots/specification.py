"""Specifications: Vega-Lite of a plan and a view, with named data that are empty.

`report.plots.fill` fills the data, and so does the script of the page. Field names are neutral,
since Vega builds expressions from them; texts of records are only values and titles. The rows:

- ``curves``, ``far``: a curve each: ``panel, curve`` (numbers), ``x, y`` (lists), ``low, high``
  (lists; only of curves with a band), ``colour, name``.
- ``bands``: a bin of the colour each: ``panel, bin, x, y`` (the median), ``low, high, colour``.
- ``statistics``: a simulation each: ``panel, value`` (of the field), ``y, low, high`` (absent
  without an error), ``level`` (whether the error has levelled off), ``colour, name, text`` (the
  composition).
- ``cells``: a cell of a map each: ``panel, x, x2, y, y2, z``.
- ``bars``: a group each: ``panel, group, y, low, high, colour, name, offset`` (the bin).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, Final

from mdfactory.frames.plots import Plan, PlotKind
from mdfactory.report.plots.drawn_panels import (
    bars_panel,
    curves_panel,
    map_panel,
    statistics_panel,
    text_panel,
)
from mdfactory.report.plots.encodings import Json
from mdfactory.report.plots.render import VEGALITE_MAJOR
from mdfactory.report.plots.texts import sentences
from mdfactory.report.plots.view import View

MAX_NOTES: Final = 4
"""Maximum number of lines of the subtitle."""

SCHEMA: Final = f"https://vega.github.io/schema/vega-lite/v{VEGALITE_MAJOR}.json"

STATISTIC_WIDTH: Final = 260
MAP_STATISTIC: Final = {"width": 420, "height": 200}

SIZES: Final = (
    (1, 1, 420, 290),
    (2, 2, 300, 220),
    (3, 3, 230, 200),
    (4, 2, 300, 200),
    (6, 3, 230, 170),
    (12, 4, 170, 130),
)
"""Up to a number of panels: how many in a row, and their width and height."""


def specification(plan: Plan, view: View) -> Json:
    """Return the Vega-Lite specification of an analysis.

    Parameters
    ----------
    plan
        What is drawn.
    view
        What is shown of it.

    Returns
    -------
    dict
        The specification, without configuration. Its ``datasets`` are empty lists, by name.
    """
    body = _body(plan, view)
    return {
        "$schema": SCHEMA,
        "title": title(view.title, view.notes),
        "datasets": {name: [] for name in sorted(_data_names(body))},
        **body,
        "usermeta": {"mdfactory": usermeta(plan, view.notes)},
    }


def with_data(empty: Json, rows: Mapping[str, Sequence[Json]]) -> Json:
    """Return a specification with its data, and without layers that have none.

    Parameters
    ----------
    empty
        What `specification` returns.
    rows
        What `report.plots.fill.fill` returns.
    """
    names = {name for name in empty["datasets"] if not rows.get(name)}
    drawn: Json = _without_layers(empty, names)
    return drawn | {"datasets": empty["datasets"] | dict(rows)}


def _without_layers(part: Any, names: AbstractSet[str]) -> Any:
    """Return a part of a specification without the layers of some data."""
    if isinstance(part, list):
        return [_without_layers(child, names) for child in part]
    if not isinstance(part, dict):
        return part
    layers = part.get("layer", ())
    kept = [layer for layer in layers if layer.get("data", {}).get("name") not in names]
    own = part | {"layer": kept} if kept else part
    return {name: _without_layers(child, names) for name, child in own.items()}


def title(text: str, notes: Sequence[str]) -> Json:
    """Return the title of a specification; its notes are the subtitle."""
    subtitle = sentences(notes, MAX_NOTES)
    return {"text": text, "subtitle": subtitle} if subtitle else {"text": text}


def usermeta(plan: Plan, notes: Sequence[str]) -> Json:
    """Return what a specification says of its plan; the names are those of the columns."""
    several = list(plan.x) if plan.x else None
    return {
        "kind": str(plan.kind),
        "x": plan.x[0] if len(plan.x) == 1 else several,
        "y": list(plan.y),
        "groups": list(plan.groups),
        "entity": plan.entity,
        "notes": list(notes),
    }


def _body(plan: Plan, view: View) -> Json:
    """Return the part of a specification that depends on what is drawn."""
    if not view.panels:
        return text_panel(view)
    numbers = range(len(view.panels))
    match view.kind:
        case PlotKind.bars:
            return _stack([bars_panel(view, number) for number in numbers])
        case PlotKind.scalars:
            return _statistics(view)
        case PlotKind.map:
            return _maps(plan, view)
        case _:
            return _curves(plan, view)


def _curves(plan: Plan, view: View) -> Json:
    """Return the curves, and the statistics beside one panel or below several."""
    columns, size = _size(view)
    drawn = [
        curves_panel(view, number, size, has_title=_has_title(view, number, columns))
        for number, panel in enumerate(view.panels)
        if panel.quantity in plan.y
    ]
    curves = _grid(view, drawn, columns)
    if not view.has_statistics:
        return curves
    if len(view.panels) > 1:
        return _stack([curves, _statistics(view)])
    statistics = statistics_panel(view, 0, size | {"width": STATISTIC_WIDTH})
    return {"hconcat": [curves, statistics], "spacing": 36, **_shared("color")}


def _statistics(view: View) -> Json:
    """Return the statistics of all panels."""
    columns, size = _size(view)
    panels = [
        statistics_panel(view, number, size, has_title=_has_title(view, number, columns))
        for number in range(len(view.panels))
    ]
    return _grid(view, panels, columns)


def _maps(plan: Plan, view: View) -> Json:
    """Return the maps of some simulations, and below them the statistic of all."""
    columns, size = _size(view)
    size |= {"height": round(size["width"] * view.aspect)}
    numbers = range(len(view.panels))
    maps = _grid(view, [map_panel(plan, view, number, size) for number in numbers], columns)
    if not view.has_statistics:
        return maps
    untitled = replace(view, panels=(replace(view.panels[0], title=""),))
    parts = [maps, statistics_panel(untitled, 0, MAP_STATISTIC, has_legend=False)]
    independent = {"resolve": {"scale": {"color": "independent"}}}
    return {"vconcat": parts, "spacing": 28, **independent}


def _size(view: View) -> tuple[int, Json]:
    """Return the number of panels in a row, and their width and height."""
    number = len(view.panels)
    columns, width, height = next(size[1:] for size in SIZES if number <= size[0])
    return columns, {"width": width, "height": height}


def _has_title(view: View, number: int, columns: int) -> bool:
    """Whether the axis of a panel has a title: it does not repeat that on its left."""
    quantity = view.panels[number].quantity
    return not number % columns or view.panels[number - 1].quantity != quantity


def _grid(view: View, panels: Sequence[Json], columns: int) -> Json:
    """Return panels in rows, with one scale for all that can share one."""
    if len(panels) == 1:
        return panels[0]
    scales = ("x", "y", "color") if view.shares_y else ("x", "color")
    return {"concat": list(panels), "columns": columns, "spacing": 18, **_shared(*scales)}


def _stack(parts: Sequence[Json]) -> Json:
    if len(parts) == 1:
        return parts[0]
    return {"vconcat": list(parts), "spacing": 28, **_shared("color")}


def _shared(*scales: str) -> Json:
    return {"resolve": {"scale": dict.fromkeys(scales, "shared")}}


def _data_names(part: Any) -> set[str]:
    """Return the names of the data in a part of a specification."""
    if isinstance(part, list):
        return {name for child in part for name in _data_names(child)}
    if not isinstance(part, dict):
        return set()
    own = part.get("data")
    name = {own["name"]} if isinstance(own, dict) and "name" in own else set()
    return name | {name for child in part.values() for name in _data_names(child)}
