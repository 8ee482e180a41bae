"""Render specifications to pictures and pages, without a browser and without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final

from mdfactory.errors import ConfigError, UsageError

VEGALITE_MAJOR: Final = 6
"""Version of Vega-Lite whose specifications are written here."""

PIXELS: Final = 2.0
"""Pixels of a PNG for each unit of a specification."""

CLIP_ID: Final = re.compile(r"\b(clip|gradient_)(\d+)\b")
"""Ids in an SVG, which count on in a process."""

BUNDLE: Final = "window.vegaEmbed = vegaEmbed;"
"""What a page uses of the libraries."""

PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>mdfactory</title>
<style>body {{ margin: 1em; background: {background}; }}</style>
</head>
<body>
<div id="plot"></div>
<script>(function () {{ {bundle} }})();</script>
<script>
vegaEmbed("#plot", {specification},
  {{mode: "vega-lite", ast: true, renderer: "canvas", actions: false, defaultStyle: false,
    logLevel: 1}});
</script>
</body>
</html>
"""

Specification = Mapping[str, Any]


def require_libraries(what: str, *names: str) -> None:
    """Check that libraries of the extra ``report`` are installed.

    Parameters
    ----------
    what
        What needs them, for the message.
    names
        Names by which they are imported.

    Raises
    ------
    ConfigError
        If one is missing.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"{what} needs libraries that are not installed: {', '.join(missing)}",
            command="pip install 'mdfactory[report]'",
        )


def vegalite_version() -> str:
    """Return the newest version of Vega-Lite 6 that the converter has, such as ``6.4``."""
    import vl_convert

    versions = vl_convert.get_vegalite_versions()
    return max((text for text in versions if _numbers(text)[0] == VEGALITE_MAJOR), key=_numbers)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def to_png(specification: Specification) -> bytes:
    """Return a specification as a PNG."""
    import vl_convert

    # No URL is allowed: the converter would fetch data and images.
    return vl_convert.vegalite_to_png(
        _drawn(specification), vegalite_version(), scale=PIXELS, allowed_base_urls=[]
    )


def to_svg(specification: Specification) -> str:
    """Return a specification as an SVG; the same one each time."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(
        _drawn(specification), vegalite_version(), allowed_base_urls=[]
    )
    numbers: dict[str, int] = {}
    return CLIP_ID.sub(lambda match: f"{match[1]}{numbers.setdefault(match[0], len(numbers))}", svg)


def to_pdf(specification: Specification) -> bytes:
    """Return a specification as a PDF."""
    import vl_convert

    return vl_convert.vegalite_to_pdf(
        _drawn(specification), vegalite_version(), allowed_base_urls=[]
    )


def to_json(specification: Specification) -> str:
    """Return a specification as JSON in ASCII."""
    return json.dumps(specification, indent=1, allow_nan=False) + "\n"


def to_html(specification: Specification) -> str:
    """Return a specification as a page that needs no network.

    The page of the converter itself does not escape ``</script>``.
    """
    import vl_convert

    text = json.dumps(_drawn(specification), allow_nan=False).replace("<", "\\u003c")
    background = specification.get("config", {}).get("background", "#ffffff")
    bundle = vl_convert.javascript_bundle(BUNDLE, vegalite_version())
    return PAGE.format(bundle=bundle, specification=text, background=background)


WRITERS: Final[Mapping[str, Callable[[Specification], str | bytes]]] = {
    "svg": to_svg,
    "png": to_png,
    "pdf": to_pdf,
    "json": to_json,
    "html": to_html,
}
"""Ending of a file -> function that makes its content."""

INTERACTIVE: Final = frozenset({"json", "html"})
"""Endings of files that a browser draws, with more curves than a picture."""


def writer_of(name: str) -> tuple[str, Callable[[Specification], str | bytes]]:
    """Return the ending of a file name, and the function that makes the content.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending not in WRITERS:
        known = ", ".join(f".{known}" for known in WRITERS)
        raise UsageError(f"{name!r:.200}: a plot is saved as {known}")
    return ending, WRITERS[ending]


def _drawn(specification: Specification) -> dict[str, Any]:
    """Return what is drawn of a specification; names of columns in ``usermeta`` are not."""
    return {name: value for name, value in specification.items() if name != "usermeta"}
