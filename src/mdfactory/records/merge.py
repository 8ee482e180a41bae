"""Conflict rules, by which a write inserts, replaces, skips or refuses each incoming row."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from operator import add
from typing import TypeVar

from mdfactory.records.vocabulary import ConflictMode


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of records that a write inserted, updated, found unchanged and skipped."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(add, astuple(self), astuple(other)))


@dataclass(frozen=True, slots=True)
class Resolution:
    """Positions of the incoming rows, grouped by what the write does with them."""

    insert: list[int] = field(default_factory=list)
    replace: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    skip: list[int] = field(default_factory=list)
    refuse: list[int] = field(default_factory=list)

    @property
    def counts(self) -> Counts:
        """The number of rows in each group; refused rows are not counted."""
        return Counts(len(self.insert), len(self.replace), len(self.unchanged), len(self.skip))


K = TypeVar("K", bound=Hashable)


def resolve(
    existing: Mapping[K, str | None],
    keys: Sequence[K],
    contents: Sequence[str],
    mode: ConflictMode,
) -> Resolution:
    """Decide what a write does with each incoming row.

    Parameters
    ----------
    existing
        Stored key -> comparison digest of its record; None if records are not compared. A row
        that equals its stored record is unchanged, in every mode.
    keys, contents
        Key and comparison digest of each incoming row.
    mode
        What to do with any other row whose key is stored.
    """
    resolution = Resolution()
    conflicting = {
        ConflictMode.refuse: resolution.refuse,
        ConflictMode.skip: resolution.skip,
        ConflictMode.force: resolution.replace,
        ConflictMode.update: resolution.replace,
    }[mode]
    for position, (key, content) in enumerate(zip(keys, contents, strict=True)):
        if key not in existing:
            resolution.insert.append(position)
        elif existing[key] == content:
            resolution.unchanged.append(position)
        else:
            conflicting.append(position)
    return resolution
