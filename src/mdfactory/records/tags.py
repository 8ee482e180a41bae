"""The tags of a simulation in the text of its record.

The column ``input_data`` holds the canonical JSON of a BuildInput. If the simulation has tags, they
are the last key: ``"tags":{...}``, sorted by key. The hash is that of the text without this key.
Other programs may write ``"tags":null``, or the tags in another order; both mean the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from typing import Final

INPUT_COLUMN: Final = "input_data"
"""The column of `tables.SIMULATIONS` that holds the tags."""

KEY: Final = ',"tags":'

STRING: Final = r'"(?:[^"\\]|\\.)*+"'
LAST_KEY: Final = re.compile(
    rf'{KEY}(null|\{{(?:{STRING}:{STRING}(?:,(?=")|(?=\}})))*+\}})\}}\Z', re.DOTALL
)
"""The key ``tags`` at the end of a JSON object: null, or a mapping of text to text."""


def join_tags(canonical_json: str, tags: Mapping[str, str]) -> str:
    """Return the canonical JSON of a BuildInput with its tags as last key, if it has any.

    Examples
    --------
    >>> from mdfactory.records.tags import join_tags
    >>> join_tags('{"engine":"gromacs"}', {"owner": "me", "group": "b"})
    '{"engine":"gromacs","tags":{"group":"b","owner":"me"}}'
    """
    if not tags:
        return canonical_json
    text = json.dumps(tags, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return f"{canonical_json.removesuffix('}')}{KEY}{text}}}"


def split_tags(input_data: str) -> tuple[str, dict[str, str]]:
    """Return the canonical JSON without its tags, and the tags.

    A text whose last key is not ``tags``, or whose tags are invalid, is returned as it is, without
    tags.

    Examples
    --------
    >>> from mdfactory.records.tags import split_tags
    >>> split_tags('{"engine":"gromacs","tags":null}')
    ('{"engine":"gromacs"}', {})
    """
    match = LAST_KEY.search(input_data)
    if match:
        with suppress(ValueError):  # an invalid escape, or half of a surrogate pair
            pairs = json.loads(match[1], object_pairs_hook=tuple) or ()
            tags = dict(pairs)
            "".join(chain.from_iterable(pairs)).encode()
            if len(tags) == len(pairs):  # no key comes twice
                return f"{input_data[: match.start()]}}}", tags
    return input_data, {}


def normalise_tags(input_data: str) -> str:
    """Return the text that has the same tags as mdfactory writes them: in order, or none."""
    return join_tags(*split_tags(input_data)) if KEY in input_data else input_data
