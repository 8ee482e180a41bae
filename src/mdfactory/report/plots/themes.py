"""Themes: how plots look on a light and on a dark background.

Colours can be told apart by those who cannot see red and green: viridis for numbers, the colours
of Okabe and Ito for categories (https://jfly.uni-koeln.de/color).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"

CATEGORIES: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8A000")
"""The colours of Okabe and Ito; yellow is darker, since it is not seen on white."""

OTHER: Final = "#8a8a8a"
"""Colour of what has no value of its own, readable on both backgrounds."""


class Theme(StrEnum):
    """Background of a plot."""

    light = "light"
    dark = "dark"


def config(theme: Theme) -> dict[str, Any]:
    """Return the Vega-Lite configuration of a theme."""
    is_dark = theme is Theme.dark
    text, line, grid = ("#e8e8e8", "#9a9a9a", "#3a3f44") if is_dark else ("#222", "#777", "#e4e4e4")
    # The end of the scale that is next to the background is left out.
    extent = [0.32, 1] if is_dark else [0, 0.88]
    scale = {"scheme": "viridis", "extent": extent}
    return {
        "background": "#16191d" if is_dark else "#ffffff",
        "font": FONT,
        "padding": 14,
        "view": {"stroke": None},
        "axis": {
            "labelColor": text,
            "titleColor": text,
            "domainColor": line,
            "tickColor": line,
            "gridColor": grid,
            "labelFontSize": 12,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelFlush": False,
        },
        "axisY": {"minExtent": 38},
        "legend": {
            "labelColor": text,
            "titleColor": text,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titleLimit": 240,
            "gradientLength": 160,
        },
        "title": {
            "color": text,
            "subtitleColor": line if is_dark else "#666",
            "fontSize": 15,
            "fontWeight": 600,
            "subtitleFontSize": 12,
            "subtitlePadding": 4,
            "anchor": "start",
            "frame": "bounds",
            "offset": 12,
        },
        "text": {"color": text},
        # Otherwise a line without a number for its colour is not drawn.
        "scale": {"invalid": {"color": {"value": OTHER}}},
        "range": {
            "category": list(CATEGORIES),
            "ramp": scale,
            "heatmap": scale,
            "ordinal": scale,
        },
    }


def themed(specification: Mapping[str, Any], theme: Theme = Theme.light) -> dict[str, Any]:
    """Return a specification with the configuration of a theme."""
    return {**specification, "config": config(theme)}
