"""Digests: detect that a record was changed after it was written, even in one character."""

from __future__ import annotations

from collections.abc import Iterator
from string import printable
from typing import Final

from mdfactory.records.digests import RecordDigests, record_digest

DIGEST_CHANGED: Final = "its stored digest was changed"


def damage_of(content: str, time: str, stored: RecordDigests | None) -> str | None:
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
    if record_digest(content, time) == stored.digest:
        return DIGEST_CHANGED
    if stored.content != content:
        return None
    return _damage_of_time(content, time, stored.digest)


def _damage_of_time(content: str, time: str, stored_record: str) -> str | None:
    """Return what is wrong with a record whose time does not match its record digest.

    A difference in one character of the digest or of the time is reported as damage. Otherwise
    None is returned: another program has written the same content at another time.
    """
    if _differ_in_one_character(record_digest(content, time), stored_record):
        return DIGEST_CHANGED
    if any(record_digest(content, similar) == stored_record for similar in _similar_texts(time)):
        return "its time was changed after it was written"
    return None


def _similar_texts(text: str) -> Iterator[str]:
    """Yield all texts that differ from the given one in at most one printable character."""
    for position in range(len(text)):
        for character in printable:
            yield f"{text[:position]}{character}{text[position + 1 :]}"


def _differ_in_one_character(first: str, second: str) -> bool:
    if len(first) != len(second):
        return False
    return sum(a != b for a, b in zip(first, second, strict=True)) == 1
