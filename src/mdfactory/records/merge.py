"""The conflict rules: what to insert, replace, leave or refuse, decided once and purely."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from mdfactory.records.vocabulary import ConflictMode

__all__ = ["Counts", "Resolution", "resolve"]


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records of a write."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.skipped + other.skipped,
        )


@dataclass(frozen=True, slots=True)
class Resolution:
    """Positions of incoming rows, by what is to become of them."""

    insert: list[int] = field(default_factory=list)
    replace: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    skip: list[int] = field(default_factory=list)
    refuse: list[int] = field(default_factory=list)

    @property
    def counts(self) -> Counts:
        """The number of rows in each part; refused ones are not counted."""
        return Counts(len(self.insert), len(self.replace), len(self.unchanged), len(self.skip))


K = TypeVar("K", bound=Hashable)


def resolve(
    existing: Mapping[K, str | None],
    keys: Sequence[K],
    contents: Sequence[str],
    mode: ConflictMode,
    left: Collection[K] = (),
) -> Resolution:
    """Decide what becomes of each incoming row.

    Parameters
    ----------
    existing
        Keys that are in the store already -> their content digest; the digests are only
        looked at in mode ``update``, and of keys in `left`.
    keys, contents
        Key and content digest of each incoming row.
    mode
        What to do with a key that exists.
    left
        Keys whose stored record is one that a write left which was cut short: if nothing has
        changed, that write is being repeated, and the record is unchanged in every mode.
    """
    resolution = Resolution()
    others = {
        ConflictMode.refuse: resolution.refuse,
        ConflictMode.skip: resolution.skip,
        ConflictMode.force: resolution.replace,
        ConflictMode.update: resolution.replace,
    }[mode]
    for position, (key, content) in enumerate(zip(keys, contents, strict=True)):
        if key not in existing:
            resolution.insert.append(position)
        elif existing[key] == content and (mode is ConflictMode.update or key in left):
            resolution.unchanged.append(position)
        else:
            others.append(position)
    return resolution
