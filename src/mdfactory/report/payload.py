"""Payload: the data of the page as texts in its markup, the same text for the same data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

MAX_TEXT_CHARACTERS: Final = 2_000
"""Maximum number of characters of a text of a record in the page."""

COMPRESSION_LEVEL: Final = 7
"""Level 9 takes four times as long for half a percent: 16.9 MB in 4.2 and 1.1 s."""

CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Controls and separators of lines; a space is shown for each."""

UNSHOWN: Final = re.compile(
    "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
"""Controls of direction, halves of surrogate pairs, and code points that are no characters."""

SPARSE_SHARE: Final = 0.75
"""Share of the most common value above which only the others are written."""

Column = Any
"""A column as JSON: a list, or a mapping with ``codes`` or ``rest``; see `to_column`."""


def clean(text: str) -> str:
    r"""Return a text of a record as the page shows it: without controls, and of bounded length.

    Examples
    --------
    >>> from mdfactory.report.payload import clean
    >>> clean("POPC\x00upper")
    'POPC upper'
    """
    if len(text) > MAX_TEXT_CHARACTERS:
        text = f"{text[: MAX_TEXT_CHARACTERS - 1]}…"
    if text.isprintable():
        return text
    return UNSHOWN.sub("", CONTROLS.sub(" ", text))


def clean_all(value: Any) -> Any:
    """Return a value of JSON whose texts and names are cleaned, at any depth."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(name)): clean_all(child) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [clean_all(child) for child in value]
    return value


def to_column(values: Sequence[Any]) -> Column:
    """Return the values of all simulations as a column of the page.

    Parameters
    ----------
    values
        The values: null, texts, numbers, booleans, or any that can be keys. True and 1, which are
        equal in Python, must not be in one column.

    Returns
    -------
    list or dict
        The values; ``{"values", "codes"}`` if few of them differ; or, if most of them are the same,
        ``{"rest", "steps", "values"}``.

    Examples
    --------
    >>> from mdfactory.report.payload import to_column
    >>> to_column(["build", "build", "completed", "completed"])
    {'values': ['build', 'completed'], 'codes': [0, 0, 1, 1]}
    """
    numbers: dict[Any, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    return column_of_codes(list(numbers), codes)


def column_of_codes(values: Sequence[Any], codes: Sequence[int]) -> Column:
    """Return a column whose value i is ``values[codes[i]]``; see `to_column`."""
    import numpy as np

    counts = np.bincount(np.asarray(codes, dtype=np.int64), minlength=1)
    common = int(counts.argmax())
    if SPARSE_SHARE * len(codes) < counts[common]:
        at = np.flatnonzero(np.asarray(codes) != common)
        # Steps from one place to the next, since small numbers are compressed five times as well.
        steps = np.diff(at, prepend=0).tolist()
        return {
            "rest": values[common],
            "steps": steps,
            "values": [values[codes[i]] for i in at.tolist()],
        }
    if 2 * len(values) <= max(len(codes), 2):
        return {"values": list(values), "codes": list(codes)}
    return [values[code] for code in codes]


def values_of_column(column: Column, count: int) -> list[Any]:
    """Return the values of a column of `count` simulations, as the script of the page does."""
    if isinstance(column, list):
        return column
    if "codes" in column:
        return [column["values"][code] for code in column["codes"]]
    values = [column["rest"]] * count
    for index, value in zip(accumulate(column["steps"]), column["values"], strict=True):
        values[index] = value
    return values


def to_json(value: Any) -> bytes:
    """Return a value as JSON in UTF-8, without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def encode(data: bytes) -> str:
    """Return the base64 of compressed bytes, as they stand in the page."""
    from base64 import b64encode
    from zlib import compress

    return b64encode(compress(data, COMPRESSION_LEVEL)).decode()


def decode(text: str) -> bytes:
    """Return the bytes that `encode` was given."""
    from base64 import b64decode
    from zlib import decompress

    return decompress(b64decode(text))
