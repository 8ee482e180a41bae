"""Digests: detect that a record was changed after it was written, even in one character."""

from __future__ import annotations

from collections.abc import Iterator
from operator import ne
from string import printable
from typing import Final

from mdfactory.records.digests import DigestRow, record_digest

DIGEST_CHANGED: Final = "its stored digest was changed"


def damage_of(content: str, time: str, stored: DigestRow | None) -> str | None:
    """Compare a record with its stored digests.

    The record digest is computed from the content digest and the time. If only one of content,
    time, content digest and record digest was changed, the other three still match, and so show
    which one. If another program has rewritten the record, both content and time differ.

    Parameters
    ----------
    content
        Content digest of the record as it is now.
    time
        Time of the record as it is now.
    stored
        Its stored digests; None if it has none.

    Returns
    -------
    str or None
        What is wrong; empty if nothing is. None if another program wrote the record: it then has
        no valid digests, and cannot be checked.
    """
    if stored is None:
        return None
    if stored.is_valid(time):
        return "" if stored.content == content else "it was changed after it was written"
    expected = record_digest(content, time)
    if expected == stored.digest:
        return DIGEST_CHANGED
    if stored.content != content:
        return None
    # The time and the record digest do not match. A difference in one character of either is
    # damage. Otherwise, another program has written the same content at another time.
    if len(expected) == len(stored.digest) and sum(map(ne, expected, stored.digest)) == 1:
        return DIGEST_CHANGED
    is_time = any(record_digest(content, text) == stored.digest for text in _similar_texts(time))
    return "its time was changed after it was written" if is_time else None


def _similar_texts(text: str) -> Iterator[str]:
    """Yield all texts that differ from the given one in at most one printable character."""
    for position in range(len(text)):
        for character in printable:
            yield f"{text[:position]}{character}{text[position + 1 :]}"
