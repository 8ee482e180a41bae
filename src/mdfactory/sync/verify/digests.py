"""Damage: what digests tell of a record, down to one character that was changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from string import printable
from typing import Final

from mdfactory.records.digests import record_digest
from mdfactory.stores.keys import Key

__all__ = ["Patterns", "damage_of"]


def damage_of(content: str, time: str, kept: Sequence[str] | None) -> str | None:
    """Tell whether a record is as it was written.

    Parameters
    ----------
    content
        The digest of its content, as it is now.
    time
        Its time.
    kept
        The content digest and the record digest that are kept of it, if any are.

    Returns
    -------
    str or None
        What is wrong, empty if nothing is; None if another program has written it, so that
        nobody can tell.
    """
    if kept is None:
        return None
    was, digest = kept
    if record_digest(was, time) == digest:
        return "" if was == content else "it was changed since it was written"
    if record_digest(content, time) == digest:
        return DIGEST
    return _judge_time(content, time, digest) if was == content else None


def _judge_time(content: str, time: str, digest: str) -> str | None:
    """Tell a time that was changed from one at which another program wrote the same again."""
    if _differ_in_one(record_digest(content, time), digest):
        return DIGEST
    if any(record_digest(content, one) == digest for one in _near(time)):
        return "its time was changed since it was written"
    return None


DIGEST: Final = "the digest that is kept of it was changed"


def _near(text: str) -> Iterator[str]:
    """Yield the texts that differ in one character."""
    for position in range(len(text)):
        for letter in printable:
            yield f"{text[:position]}{letter}{text[position + 1 :]}"


def _differ_in_one(one: str, other: str) -> bool:
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


class Patterns:
    """Finds keys that differ in one character from some others.

    Parameters
    ----------
    keys
        Those others, each with something that belongs to it.
    """

    def __init__(self, keys: Iterable[tuple[Key, str]]) -> None:
        self._known: dict[tuple[int, str], list[tuple[Key, str]]] = defaultdict(list)
        for key, value in keys:
            for pattern in _patterns(key):
                self._known[pattern].append((key, value))

    def near(self, key: Key) -> Iterator[tuple[Key, str]]:
        """Yield those that differ from a key in one character."""
        for pattern in _patterns(key):
            yield from self._known.get(pattern, ())


def _patterns(key: Key) -> Iterator[tuple[int, str]]:
    text = "\0".join(key)
    return ((position, text[:position] + text[position + 1 :]) for position in range(len(text)))
