"""Roles of columns: what their names and types say about time, groups, members and axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mdfactory.frames.planning.kinds import Column, is_generated, is_unnamed
from mdfactory.frames.planning.names import (
    SMILES,
    is_coordinate,
    is_counter,
    is_error,
    is_id,
    is_index,
    is_time,
)
from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.planning.samples import Sample

MAX_GROUPS: Final = 12
"""Maximum number of values of a column that divides the rows into curves."""


@dataclass(slots=True)
class Roles:
    """Columns by what they may be in a plot.

    Parameters
    ----------
    time
        Column of the time, or of a counter in its place; empty if there is none.
    single
        Columns of a key that have one value in each frame.
    groups
        Texts, categories, booleans and levels of few values.
    indices
        Integers called ``*_index`` that have few values.
    coordinates
        Numbers that may be an axis by their names.
    ids
        Columns that name members.
    numbers
        Numbers that may be quantities; coordinates and errors are among them.
    errors
        Numbers that are errors by their names.
    booleans
        Booleans, which are quantities if there is nothing else.
    rows
        Levels of the index that number the rows.
    unused
        Columns that are not drawn.
    """

    time: str = ""
    single: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    indices: list[str] = field(default_factory=list)
    coordinates: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    booleans: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def roles_of(sample: Sample) -> Roles:
    """Return the roles of the columns of frames."""
    roles = Roles()
    kinds = {ColumnKind.nothing, ColumnKind.other}
    roles.unused += [column.name for column in sample.columns if column.kind in kinds]
    drawn = [column for column in sample.columns if column.kind not in kinds]
    for column in _take_time(sample, drawn, roles):
        _take(sample, column, roles)
    if not roles.numbers:
        roles.groups = [name for name in roles.groups if name not in roles.booleans]
    return roles


def has_smiles(sample: Sample, roles: Roles) -> bool:
    """Whether frames describe molecules, and not what happens in time."""
    texts = (column.base for column in sample.columns if column.kind is ColumnKind.text)
    return not roles.time and SMILES in texts


# Time


def _take_time(sample: Sample, columns: Sequence[Column], roles: Roles) -> list[Column]:
    """Choose the time, and return the columns that are neither it nor say the same."""
    times = [column for column in columns if is_time(column, sample.units)]
    counters = [column for column in columns if is_counter(column) and column not in times]
    single = [column for column in (*times, *counters) if not _varies(sample, column)]
    roles.single += [column.name for column in single]
    times, counters, columns = (
        [column for column in part if column not in single] for part in (times, counters, columns)
    )
    if not times and _numbers_the_points(sample, columns, counters):
        return [column for column in columns if column not in counters]
    choice = [*sorted(times, key=lambda column: column.label == "T"), *counters]
    if not choice:
        return columns
    first = choice[0].name
    levels = [column for column in columns if column.is_level and not is_counter(column)]
    same = [
        other
        for other in dict.fromkeys((choice[0], *times, *levels))
        if sample.moves_with(first, other.name)
    ]
    roles.time = min(same, key=is_generated).name
    said = [other for other in counters if _says_the_same(sample, first, other.name)]
    return [column for column in columns if column not in {*same, *said}]


def _varies(sample: Sample, column: Column) -> bool:
    return sample.values(column.name) > 1


def _says_the_same(sample: Sample, time: str, counter: str) -> bool:
    """Whether a counter counts times or rows, and not something at each time."""
    counts_rows = sample.counts([counter]) == sample.rows
    return counts_rows or sample.is_key([time]) or sample.determines([time], counter)


def _numbers_the_points(
    sample: Sample, columns: Sequence[Column], counters: Sequence[Column]
) -> bool:
    """Whether the only counter is an ``index`` that numbers the points of a named axis."""
    if [counter.base for counter in counters] != ["index"]:
        return False
    return any(
        sample.is_monotone(column.name)
        for column in columns
        if column.kind is ColumnKind.number and (is_id(column) or is_coordinate(column))
    )


# Others


def _take(sample: Sample, column: Column, roles: Roles) -> None:
    """Put a column that is no time where its name and its type belong."""
    if column.kind is ColumnKind.boolean:
        roles.booleans.append(column.name)
    if column.kind is ColumnKind.timestamp:
        roles.unused.append(column.name)
    elif column.is_numeric:
        _take_number(sample, column, roles)
    elif not _varies(sample, column):
        roles.single.append(column.name)
    else:
        (roles.groups if _is_small(sample, column) else roles.ids).append(column.name)


def _is_small(sample: Sample, column: Column) -> bool:
    return sample.values(column.name) <= MAX_GROUPS


def _take_number(sample: Sample, column: Column, roles: Roles) -> None:
    if is_unnamed(column) and column.is_integer:
        roles.rows.append(column.name)
    elif column.is_level or is_id(column) or is_index(column) or is_counter(column):
        _part_of_key(sample, column, roles).append(column.name)
    else:
        roles.numbers.append(column.name)
        roles.coordinates += [column.name] if is_coordinate(column) else []
        roles.errors += [column.name] if is_error(column) else []


def _part_of_key(sample: Sample, column: Column, roles: Roles) -> list[str]:
    """Return the role of a number that is no quantity."""
    if not _varies(sample, column):
        return roles.single
    if is_id(column):
        return roles.ids
    if is_index(column) and _is_small(sample, column):
        return roles.indices
    is_group = column.is_level and (roles.time or not column.label)
    return roles.groups if is_group and _is_small(sample, column) else roles.coordinates
