"""The page of a report: markup, style sheet, script and data in one file that needs no network."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from hashlib import sha256
from html import escape
from importlib.metadata import version as package_version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Final

from mdfactory.config.settings import cache_folder
from mdfactory.files import replacing
from mdfactory.report.payload import encode, to_json
from mdfactory.report.plots.render import BUNDLE, vegalite_version
from mdfactory.report.plots.themes import Theme, config
from mdfactory.report.still import still

POLICY: Final = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""Content security policy: nothing is loaded, and only the page's own scripts run."""

BUNDLE_NAME: Final = "vega-{version}.txt"
"""Name of the file in the cache folder that keeps Vega, by the version of the converter."""

SCRIPTS: Final = (
    *("data", "trends", "fill", "elements", "campaign", "molecules", "colours", "filter"),
    *("table", "analysis", "plots", "files", "overview", "matrix", "simulations", "analyses"),
    *("artifacts", "start"),
)
"""Names of the parts of the script, in order."""

Core = Mapping[str, Any]


def build(
    core: Core,
    blobs: Mapping[str, str],
    bundle: str | None = None,
) -> bytes:
    """Return the page of a report.

    Parameters
    ----------
    core
        The data that the page shows at once. A ``picture`` of an analysis, a data URI, becomes an
        image of the page.
    blobs
        Name -> other data, as `payload.encode` returns them.
    bundle
        JavaScript of Vega. Default: that of the converter, from the cache folder if it is there.
    """
    style, script = asset("page.css"), page_script()
    bundle = vega_bundle() if bundle is None else bundle
    policy = POLICY.format(scripts=" ".join(map(_source, (script, bundle))), styles=_source(style))
    pictures = {entry["name"]: entry["picture"] for entry in core["analyses"] if "picture" in entry}
    entries = [
        {key: value for key, value in entry.items() if key != "picture"}
        for entry in core["analyses"]
    ]
    data = {
        **blobs,
        "core": encode(to_json({**core, "analyses": entries})),
        "vega": _packed(bundle),
    }
    page = Template(asset("page.html")).substitute(
        policy=policy,
        style=style,
        script=script,
        still=still(core),
        pictures="\n".join(_pictures(pictures)),
        themes=_themes(),
        blobs="\n".join(_blobs(data)),
        **{name: escape(str(core[name])) for name in ("title", "version", "store", "as_of")},
    )
    return page.encode("utf-8", "replace")


@cache
def asset(name: str) -> str:
    """Return a file of this package: the template, the style sheet or a part of the script."""
    return files("mdfactory.report").joinpath(name).read_text("utf-8")


def page_script() -> str:
    """Return the script in a function of its own, since Vega declares short globals."""
    parts = "\n".join(asset(f"script/{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(function () {{\n{parts}}})();\n'


def vega_bundle() -> str:
    """Return the JavaScript of Vega in a function of its own, since it declares short globals.

    Making it takes a second. The cache folder keeps it, by the version of the converter.
    """
    folder = cache_folder()
    name = BUNDLE_NAME.format(version=package_version("vl-convert-python"))
    path = folder / name if folder else None
    if path is not None and (kept := _kept_bundle(path)):
        return kept
    bundle = _make_bundle()
    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with replacing(path) as file:
                file.write(f"{_digest(bundle)}\n{bundle}".encode())
    return bundle


def _kept_bundle(path: Path) -> str:
    """Return the bundle in a file, whose first line is its digest; empty if it is damaged."""
    with suppress(OSError, UnicodeDecodeError):
        digest, _, bundle = path.read_bytes().decode().partition("\n")
        return bundle if digest == _digest(bundle) else ""
    return ""


def _make_bundle() -> str:
    import vl_convert

    script = vl_convert.javascript_bundle(BUNDLE, vegalite_version())
    return f"(function () {{{script}\n}})();"


def _digest(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def _source(text: str) -> str:
    """Return a script or style sheet as a source of the content security policy."""
    return f"'sha256-{_digest(text)}'"


@lru_cache(maxsize=1)
def _packed(bundle: str) -> str:
    return encode(bundle.encode())


def _blobs(blobs: Mapping[str, str]) -> Iterator[str]:
    """Yield the data of the page as elements that a browser does not run."""
    for name, text in sorted(blobs.items()):
        yield f'<script type="application/x-mdfactory" id="data-{escape(name)}">{text}</script>'


def _themes() -> str:
    """Return the configurations of plots as JSON that ends no element."""
    themes = {str(theme): config(theme) for theme in Theme}
    return json.dumps(themes, separators=(",", ":")).replace("<", "\\u003c")


def _pictures(pictures: Mapping[str, str]) -> Iterator[str]:
    """Yield the static picture of each analysis, which is also printed."""
    for name, source in pictures.items():
        text = escape(name)
        yield (
            f'<figure><figcaption>{text}</figcaption><img src="{escape(source)}"'
            f' alt="plot of {text}"></figure>'
        )
