"""The frames that a plan is made from, and questions about their keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from mdfactory.frames.numeric import numbers
from mdfactory.frames.planning.keys import (
    Codes,
    codes_of,
    dictionary_of,
    is_monotone,
    is_one_valued,
    move_together,
    pair_codes,
)
from mdfactory.frames.planning.kinds import NUMERIC_KINDS, Column, columns_of, with_levels
from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.planning.units import units_of

MAX_ROWS: Final = 1_000_000
"""Maximum number of rows whose values are looked at, over all frames."""

REPEATED_SHARE: Final = 0.1
"""Maximum share of rows that repeat a key, as those at the joints of restarted runs."""

Signature = tuple[tuple[str, ColumnKind], ...]


@dataclass(slots=True)
class Sample:
    """Frames that have the same columns.

    Parameters
    ----------
    frames
        The frames that have rows; values are asked for of the first ones alone if they are large.
    columns
        The columns, those of the index first.
    units
        Column -> unit, as most frames have them.
    extras
        Extras of each of the frames.
    left_out
        Columns that no plan can name: they have no name, or one that occurs twice.
    """

    frames: list[pa.Table]
    columns: list[Column]
    units: dict[str, str]
    extras: list[Mapping[str, Any]]
    left_out: list[str] = field(default_factory=list)
    _codes: dict[tuple[int, tuple[str, ...]], Codes] = field(default_factory=dict)
    _counts: dict[tuple[str, ...], list[int]] = field(default_factory=dict)

    @property
    def rows(self) -> list[int]:
        """Number of rows of each frame."""
        return [frame.num_rows for frame in self.frames]

    def column(self, name: str) -> Column:
        """Return the column of a name."""
        return next(column for column in self.columns if column.name == name)

    def is_text(self, name: str) -> bool:
        """Whether a column has texts."""
        return self.column(name).kind is ColumnKind.text

    def codes(self, names: Sequence[str]) -> Iterator[Codes]:
        """Yield for each frame a number for each row; equal values have equal numbers.

        Numbers count from 0. A row has -1 if its value in a single column is missing.
        """
        return (self._codes_of(number, tuple(names)) for number in range(len(self.frames)))

    def _codes_of(self, number: int, names: tuple[str, ...]) -> Codes:
        key = (number, names)
        if key not in self._codes:
            self._codes[key] = self._encoded(number, names)
        return self._codes[key]

    def _encoded(self, number: int, names: tuple[str, ...]) -> Codes:
        import numpy as np

        frame = self.frames[number]
        if not names:
            return np.zeros(frame.num_rows, np.int64)
        if len(names) == 1:
            return codes_of(frame[names[0]])
        first, second = names[:-1], names[-1:]
        return pair_codes(self._codes_of(number, first), self._codes_of(number, second))

    def counts(self, names: Sequence[str]) -> list[int]:
        """Return the number of different rows of each frame in some columns."""
        key = tuple(names)
        if key not in self._counts:
            self._counts[key] = [
                int(codes.max(initial=-1)) + 1 + bool((codes < 0).any())
                for codes in self.codes(key)
            ]
        return self._counts[key]

    def values(self, name: str) -> int:
        """Return the largest number of values that a column has in a frame."""
        return max((int(codes.max(initial=-1)) + 1 for codes in self.codes((name,))), default=0)

    def is_key(self, names: Sequence[str]) -> bool:
        """Whether no two rows of a frame are alike in some columns."""
        return self.counts(names) == self.rows

    def completes(self, base: Sequence[str], more: Sequence[str]) -> bool:
        """Whether columns complete a key in most of the frames in which the base is none.

        A few rows may repeat a key, since runs are restarted.
        """
        failing = [
            rows - whole <= min(REPEATED_SHARE * rows, (rows - part) / 2)
            for rows, part, whole in zip(
                self.rows, self.counts(base), self.counts([*base, *more]), strict=True
            )
            if part < rows
        ]
        return 2 * sum(failing) > len(failing)

    def determines(self, names: Sequence[str], name: str) -> bool:
        """Whether rows that are alike in some columns are alike in another one."""
        return self.counts(names) == self.counts([*names, name])

    def moves_with(self, first: str, second: str) -> bool:
        """Whether two columns of numbers rise together, or one rises where the other falls."""
        return all(
            move_together(numbers(frame[first]), numbers(frame[second])) for frame in self.frames
        )

    def is_nearly_key(self, names: Sequence[str]) -> bool:
        """Whether few rows of each frame are alike in some columns."""
        pairs = zip(self.rows, self.counts(names), strict=True)
        return all(rows - different <= REPEATED_SHARE * rows for rows, different in pairs)

    def has_one_value(self, groups: Sequence[str], name: str) -> bool:
        """Whether a column has one value in each group of rows; missing ones don't count."""
        is_one = all(map(is_one_valued, self.codes(groups), self.codes((name,))))
        return is_one and any((codes >= 0).any() for codes in self.codes((name,)))

    def is_in_stretches(self, name: str) -> bool:
        """Whether rows of the same value stand in one stretch in each frame."""
        stretches = [int((codes[1:] != codes[:-1]).sum()) + 1 for codes in self.codes((name,))]
        return stretches == self.counts((name,))

    def recurs(self, names: Sequence[str], times: float) -> bool:
        """Whether values of some columns recur in most frames, so often on average."""
        recurs = [times * n <= rows for n, rows in zip(self.counts(names), self.rows, strict=True)]
        return 2 * sum(recurs) > len(recurs)

    def fills_grid(self, names: Sequence[str]) -> bool:
        """Whether two columns have a row for each pair of their values."""
        first, second = (self.counts([name]) for name in names)
        areas = [a * b if min(a, b) > 1 else -1 for a, b in zip(first, second, strict=True)]
        return areas == self.rows and self.is_key(names)

    def half_fills(self, names: Sequence[str]) -> bool:
        """Whether at least half of the pairs of the values of two columns have a row."""
        first, second = (self.counts([name]) for name in names)
        parts = zip(self.rows, first, second, strict=True)
        return all(2 * rows >= a * b and b > 1 for rows, a, b in parts)

    def is_monotone(self, name: str, groups: Sequence[str] = ()) -> bool:
        """Whether a column rises or falls strictly, within groups, in all frames."""
        return all(
            is_monotone(numbers(frame[name]), codes)
            for frame, codes in zip(self.frames, self.codes(groups), strict=True)
        )

    def texts(self, name: str) -> list[str]:
        """Return the values of a column as texts, in the order of their first rows."""
        from mdfactory.frames.json_types import valid_text

        texts: dict[str | None, None] = {}
        for frame in self.frames:
            values = dictionary_of(frame[name]).dictionary
            texts |= dict.fromkeys(valid_text(values).to_pylist())
        return [text for text in texts if text is not None]


def sample_of(frames: Sequence[pa.Table], extras: Sequence[Mapping[str, Any]] = ()) -> Sample:
    """Return the frames that have the columns that most frames have.

    Parameters
    ----------
    frames
        Frames of one analysis.
    extras
        Extras of their registry entries; fewer if the others have none.
    """
    given: list[Any] = [*extras, *[{}] * (len(frames) - len(extras))]
    entries = [entry if isinstance(entry, Mapping) else {} for entry in given]
    pairs = [*zip(map(with_levels, frames), entries, strict=False)]
    pairs = [pair for pair in pairs if pair[0].num_rows] or pairs
    usual = most_common(tuple(sorted(frame.schema.names)) for frame, _ in pairs)
    alike = [pair for pair in pairs if tuple(sorted(pair[0].schema.names)) == usual]
    columns = _usual_columns([columns_of(frame) for frame, _ in alike])
    kinds = _kinds(columns)
    counted = [pair for pair in alike if _agree(_kinds(columns_of(pair[0])), kinds)]
    units = [units_of_columns(columns, entry) for _, entry in counted]
    own = dict(most_common(tuple(each.items()) for each in units))
    sample = Sample(
        _small([frame for frame, _ in counted]), columns, own, [entry for _, entry in counted]
    )
    sample.left_out = sorted({*usual} - {column.name for column in columns})
    return sample


def most_common(values: Iterable[Any]) -> Any:
    """Return the most common of some values, the first of several; an empty tuple of none."""
    return next((value for value, _ in Counter(values).most_common(1)), ())


def units_of_columns(columns: Sequence[Column], extras: Mapping[str, Any]) -> dict[str, str]:
    """Return the units of the numbers among columns."""
    kinds = {column.name: column.kind for column in columns}
    return units_of_kinds(kinds, {column.name: column.label for column in columns}, extras)


def units_of_kinds(
    kinds: Mapping[str, ColumnKind], labels: Mapping[str, str], extras: Mapping[str, Any]
) -> dict[str, str]:
    """Return the units of columns of some kinds; the label of a column is its name if not given."""
    numeric = [(name, labels.get(name, name)) for name in kinds if kinds[name] in NUMERIC_KINDS]
    durations = [name for name, kind in kinds.items() if kind is ColumnKind.duration]
    return units_of(numeric, extras) | dict.fromkeys(durations, "s")


def _usual_columns(all_columns: Sequence[Sequence[Column]]) -> list[Column]:
    """Return the columns as most frames have them; one without values has the kind of others."""
    usual = most_common(tuple(_kinds(columns)) for columns in all_columns)
    by_name: dict[str, list[Column]] = {}
    for columns in all_columns:
        if _agree(_kinds(columns), usual):
            for column in columns:
                by_name.setdefault(column.name, []).append(column)
    valued = [
        [column for column in same if column.kind is not ColumnKind.nothing] or same
        for same in by_name.values()
    ]
    return [most_common(same) for same in valued]


def _kinds(columns: Sequence[Column]) -> list[ColumnKind]:
    """Return the kinds of columns in the order of their names."""
    return [column.kind for column in sorted(columns, key=lambda column: column.name)]


def _agree(first: Sequence[ColumnKind], second: Sequence[ColumnKind]) -> bool:
    """Whether columns have the same kinds of values, as far as they have values."""
    pairs = zip(first, second, strict=True)
    return all(a is b or ColumnKind.nothing in {a, b} for a, b in pairs)


def _small(frames: Sequence[pa.Table]) -> list[pa.Table]:
    """Return the first frames that have at most `MAX_ROWS` rows, or as many rows of the first."""
    kept: list[pa.Table] = []
    rows = 0
    for frame in frames:
        rows += frame.num_rows
        if rows > MAX_ROWS:
            break
        kept.append(frame)
    return kept or [frame.slice(0, MAX_ROWS) for frame in frames[:1]]
