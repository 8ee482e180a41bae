"""Digests: detect that a record was changed after it was written, even in one character."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from string import printable
from typing import Final

from mdfactory.records.digests import record_digest
from mdfactory.stores.keys import Key

DIGEST_CHANGED: Final = "its stored digest was changed"


def damage_of(content: str, time: str, stored: Sequence[str] | None) -> str | None:
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
        Its stored content digest and record digest; None if it has none.

    Returns
    -------
    str or None
        What is wrong; empty if nothing is. None if another program wrote the record: it then has
        no valid digests, and cannot be checked.
    """
    if stored is None:
        return None
    stored_content, stored_record = stored
    if record_digest(stored_content, time) == stored_record:
        return "" if stored_content == content else "it was changed after it was written"
    if record_digest(content, time) == stored_record:
        return DIGEST_CHANGED
    if stored_content != content:
        return None
    return _damage_of_time(content, time, stored_record)


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


class SimilarKeys:
    """Finds keys that differ from a given key in one character.

    Each key is indexed once for each position, by its text without the character at this position.
    Two keys that share such an index entry differ in at most one character.

    Parameters
    ----------
    keys
        The keys to search, each with the content digest of its record.
    """

    def __init__(self, keys: Iterable[tuple[Key, str]]) -> None:
        self._entries: dict[tuple[int, str], list[tuple[Key, str]]] = defaultdict(list)
        for key, content in keys:
            for pattern in _patterns(key):
                self._entries[pattern].append((key, content))

    def similar_to(self, key: Key) -> Iterator[tuple[Key, str]]:
        """Yield the keys that differ from the given one in one character, and their digests."""
        for pattern in _patterns(key):
            yield from self._entries.get(pattern, ())


def _patterns(key: Key) -> Iterator[tuple[int, str]]:
    """Yield each position of a key, and its text without the character at this position."""
    text = "\0".join(key)
    return ((position, text[:position] + text[position + 1 :]) for position in range(len(text)))
