"""Texts of records for specifications: cleaned, since names and values may hold any characters.

The converter aborts the process if a text has characters that XML forbids, and Vega writes titles
into expressions. Each text of a record passes `clean` or `clean_title` first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from unicodedata import category

MAX_CHARACTERS: Final = 80
"""Maximum number of characters of a text in a plot."""

SPACES: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
"""Whitespace, line separators and controls: shown as one space."""

UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Cn"})
"""Unicode categories that are left out: controls, also those of direction, halves of surrogate
pairs, and code points that are no characters, such as U+FFFE.
"""

PROPERTIES: Final = frozenset(
    {"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString"}
    | {"toString", "valueOf", "__proto__", "__defineGetter__", "__defineSetter__"}
    | {"__lookupGetter__", "__lookupSetter__"}
)
"""Properties of every object in JavaScript: Vega takes such a category for one of its own."""

TITLE_CHARACTERS: Final = str.maketrans({'"': "”", "'": "’", "`": "’", "\\": "∖"})  # noqa: RUF001
"""Quotes and backslashes, which would end a text of an expression -> what is shown for them."""

UNIT_SUFFIX: Final = re.compile(
    "_(fs|ps|ns|us|nm2?|ang|g_cm3|kg_m3|k|bar|kj_mol|kcal_mol|deg|percent)$", re.IGNORECASE
)
"""Suffixes of names that are units."""

UNIT_IN_BRACKETS: Final = re.compile(r"\s*[\[(][^\[\]()]*[\])]$")

LABEL: Final = re.compile(r"'([^']*)'")
LABELS: Final = re.compile(r"\('[^']*'(?:, '[^']*')+\)")
"""A tuple of texts, as Arrow names a column whose label has several levels."""

RADIAL_DISTRIBUTION: Final = frozenset({"g_r", "gr"})
"""Names of the radial distribution function, which is written g(r)."""

WITHOUT_UNIT: Final = re.compile(
    "(.*_)?(g_r|gr|rdf|counts?|number|n|n_.*|probability|fractions?|ratio|occupancy|order_parameter"
    "|scd|(auto)?correlation)"
)
"""Names of quantities that have no unit."""


def clean(text: object, limit: int = MAX_CHARACTERS) -> str:
    r"""Return a text of a record as a value of a specification.

    Controls become spaces. Controls of direction and code points that are no characters are left
    out. A text of more characters than the limit is cut. One of the `PROPERTIES` ends in a space.

    Examples
    --------
    >>> from mdfactory.report.plots.texts import clean
    >>> clean("POPC\x00\nupper")
    'POPC upper'
    """
    raw = str(text)[: 16 * limit]  # a text of megabytes is not searched
    spaced = SPACES.sub(" ", raw)
    if not spaced.isprintable():
        spaced = "".join(letter for letter in spaced if category(letter) not in UNSHOWN)
    spaced = " ".join(spaced.split())
    if spaced in PROPERTIES:
        return f"{spaced}\N{NO-BREAK SPACE}"
    return spaced if len(spaced) <= limit else f"{spaced[: limit - 1]}…"


def clean_title(text: object) -> str:
    """Return a text of a record as a title: `clean`, without quotes and backslashes."""
    return clean(text).translate(TITLE_CHARACTERS)


def sentences(texts: Iterable[str], limit: int) -> list[str]:
    """Return sentences as lines of a title, at most a number of them; the last counts the rest."""
    lines = list(dict.fromkeys(filter(None, (_sentence(text) for text in texts))))
    if len(lines) <= limit:
        return lines
    return [*lines[: limit - 1], f"and {len(lines) - limit + 1} more notes"]


def axis_title(column: str, unit: str) -> str:
    """Return the title of an axis: the name of a column without its suffix, and the unit.

    Examples
    --------
    >>> from mdfactory.report.plots.texts import axis_title
    >>> axis_title("density_g_cm3", "g/cm³")
    'density (g/cm³)'
    """
    name = quantity_name(column, unit)
    return clean_title(f"{name} ({unit})" if unit else name)


def quantity_name(column: str, unit: str = "") -> str:
    """Return the name of a column in words; the suffix of its unit is left out."""
    match = (UNIT_SUFFIX.search(column) or UNIT_IN_BRACKETS.search(column)) if unit else None
    stem = column[: match.start()] if match and match.start() else column
    if LABELS.fullmatch(stem):  # the label of a column that has several levels
        stem = " ".join(LABEL.findall(stem))
    if stem.lower() in RADIAL_DISTRIBUTION:
        return "g(r)"
    return clean_title(stem.replace("_", " "))


def has_no_unit(column: str) -> bool:
    """Whether a quantity has no unit by its name: a number of things, a share of them."""
    return bool(WITHOUT_UNIT.fullmatch(column.lower()[:MAX_CHARACTERS]))


def _sentence(text: str) -> str:
    """Return a note for a subtitle; it may be longer than a name."""
    return clean(text, 2 * MAX_CHARACTERS).translate(TITLE_CHARACTERS)
