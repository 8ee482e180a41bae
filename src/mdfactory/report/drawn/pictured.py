"""Pictures of analyses, which a page shows without JavaScript and prints."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from importlib.metadata import version as package_version
from io import BytesIO
from typing import Any, Final

from mdfactory.report.drawn.cache import Cache, key_of
from mdfactory.report.drawn.entries import AnalysisContent, forget_members
from mdfactory.report.plots.curve_rows import band_notes
from mdfactory.report.plots.fill import PICTURE
from mdfactory.report.plots.render import to_png, to_svg
from mdfactory.report.plots.specification import specification, with_data
from mdfactory.report.plots.themes import themed
from mdfactory.report.plots.view import view_of

MAX_SVG_ROWS: Final = 300
"""Maximum number of rows of data of an SVG; of more, a PNG is smaller."""

PNG_SHARE: Final = 0.75
"""Width and height of a PNG, relative to those of `render.to_png`."""

PNG_COLOURS: Final = 64


def picture(content: AnalysisContent, cache: Cache) -> str:
    """Return the picture of an analysis as a data URI; empty if it cannot be drawn.

    Parameters
    ----------
    content
        The analysis.
    cache
        Where pictures are kept.
    """
    key = key_of("picture", package_version("vl-convert-python"), _key(content))
    kept = cache.get("picture", key)
    if kept is not None:
        return kept.decode("ascii", "replace")
    made = themed(_drawn(content))
    forget_members()  # rendering takes memory, too
    rows = sum(map(len, made["datasets"].values()))
    try:
        if rows > MAX_SVG_ROWS:
            kind, data = "png", _smaller(to_png(made))
        else:
            kind, data = "svg+xml", to_svg(made).encode()
    except ValueError:  # of the converter; the page draws the plot by itself
        return ""
    text = f"data:image/{kind};base64,{b64encode(data).decode()}"
    cache.put("picture", key, text.encode())
    return text


def _key(content: AnalysisContent) -> list[Any]:
    """Return all that determines a picture."""
    view = content.views[0][1] if content.views else None
    simulations = content.simulations
    return [
        content.digest,
        content.notes,
        themed(specification(content.plan, view)) if view else [content.name, content.plan],
        [content.colour.field, dict(content.colour.values)],
        simulations.compositions,
    ]


def _smaller(png: bytes) -> bytes:
    """Return a PNG of fewer pixels and colours, a tenth of the bytes."""
    from PIL import Image

    image = Image.open(BytesIO(png)).convert("RGB")
    size = (round(image.width * PNG_SHARE), round(image.height * PNG_SHARE))
    small = image.resize(size, Image.Resampling.LANCZOS)
    file = BytesIO()
    small.quantize(PNG_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        file, "PNG", optimize=True
    )
    return file.getvalue()


def _drawn(content: AnalysisContent) -> dict[str, Any]:
    """Return the specification of the first view of an analysis, with its data."""
    if not content.views:
        view = view_of(content.name, content.plan, [], content.colour, ())
        return specification(content.plan, view)
    names, view = content.views[0]
    rows = content.rows(names, view, PICTURE)
    notes = (*view.notes, *content.notes, *band_notes(rows, view))
    return with_data(specification(content.plan, replace(view, notes=notes)), rows)
