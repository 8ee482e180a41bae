"""Axes of plots: the time, or what completes the key of the rows beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import Final

from mdfactory.frames.planning.names import named_pairs
from mdfactory.frames.planning.plan import MAX_AXES, PlotKind
from mdfactory.frames.planning.roles import MAX_GROUPS, Roles
from mdfactory.frames.planning.samples import Sample

GRID_AXES: Final = frozenset({"x", "y", "z"})

RECURRENCE: Final = 1.5
"""Rows for each value of a grid, at least. The places of moving atoms hardly recur."""


@dataclass(frozen=True, slots=True)
class Axes:
    """What the rows of a plot are placed by.

    Parameters
    ----------
    kind, x, groups, entity, mean_over
        As in `frames.planning.plan.Plan`.
    """

    kind: PlotKind
    x: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    entity: str = ""
    mean_over: str = ""

    @property
    def used(self) -> list[str]:
        """The columns, without those of the groups twice."""
        names = (*self.x, *self.groups, self.entity, self.mean_over)
        return [name for name in dict.fromkeys(names) if name]


def axes_of(sample: Sample, roles: Roles) -> Iterator[Axes]:
    """Yield the axes that the frames may have, the best first."""
    if max(sample.rows) == 1:
        yield Axes(PlotKind.scalars)
        return
    found = _with_time(sample, roles) if roles.time else _without_time(sample, roles)
    for axes in found:
        yield without_states(sample, axes)


def _with_time(sample: Sample, roles: Roles) -> Iterator[Axes]:
    series = Axes(PlotKind.timeseries, (roles.time,), tuple(roles.groups))
    if not sample.is_key(series.used):
        for more in _few_curves(sample, roles):
            axes = replace(series, groups=(*series.groups, *more))
            if _completes(sample, series, axes):
                yield axes
        yield from completing(sample, roles)
        yield from _numbered_curves(sample, roles, series)
    yield series


def _numbered_curves(sample: Sample, roles: Roles, series: Axes) -> Iterator[Axes]:
    """Yield curves whose groups are a small integer that occurs at most places of the axis."""
    for name in roles.numbers:
        is_small = sample.column(name).is_integer and sample.values(name) <= MAX_GROUPS
        axes = replace(series, groups=(*series.groups, name))
        is_axis = is_small and name not in series.x and sample.half_fills([series.x[0], name])
        if is_axis and sample.is_key(axes.used):
            yield axes


def _few_curves(sample: Sample, roles: Roles) -> Iterator[tuple[str, ...]]:
    """Yield each index, and all of them if they divide the rows into few curves."""
    yield from ((name,) for name in roles.indices)
    if len(roles.indices) > 1 and prod(map(sample.values, roles.indices)) <= MAX_GROUPS:
        yield tuple(roles.indices)


def _without_time(sample: Sample, roles: Roles) -> Iterator[Axes]:
    rows = Axes(PlotKind.profile, groups=tuple(roles.groups))
    if rows.groups and sample.completes([], rows.groups):
        yield replace(rows, kind=PlotKind.bars)
    yield from completing(sample, roles)
    measured = [name for name in roles.numbers if name not in roles.errors]
    named = [name for name in measured if sample.column(name).base.strip("0123456789_")]
    for name in (*roles.rows, *named):
        if sample.is_monotone(name, rows.groups):
            yield replace(rows, x=(name,))
    for name in roles.coordinates:
        yield from _numbered_curves(sample, roles, replace(rows, x=(name,)))
    for pair in combinations(measured[:MAX_GROUPS], 2):
        if sample.fills_grid(pair):
            yield _map(rows, pair)
    yield rows


def grid_of_three(sample: Sample, roles: Roles) -> tuple[str, ...]:
    """Return the three columns ``x, y, z`` that only together complete the key; else nothing."""
    columns = {column.base: column for column in sample.columns if column.is_numeric}
    if not GRID_AXES.issubset(columns):
        return ()
    names = tuple(sorted(columns[base].name for base in GRID_AXES))
    base = [*roles.groups, *filter(None, [roles.time])]
    if base and sample.is_nearly_key(base):
        return ()
    recur = all(sample.recurs([*base, name], RECURRENCE) for name in names)
    pairs = (sample.completes(base, pair) for pair in combinations(names, MAX_AXES))
    is_grid = recur and not any(pairs) and sample.completes(base, names)
    return names if is_grid else ()


def completing(sample: Sample, roles: Roles) -> Iterator[Axes]:
    """Yield the axes that complete the key, in the order in which they count."""
    base = Axes(PlotKind.profile, groups=tuple(roles.groups), mean_over=roles.time)
    return (axes for axes in _candidates(sample, roles, base) if _completes(sample, base, axes))


def _completes(sample: Sample, base: Axes, axes: Axes) -> bool:
    more = [name for name in axes.used if name not in base.used]
    return sample.completes([name for name in axes.used if name in base.used], more)


def _candidates(sample: Sample, roles: Roles, base: Axes) -> Iterator[Axes]:
    order = [column.name for column in sample.columns]
    points = sorted([*roles.coordinates, *roles.indices], key=order.index)
    is_restart = bool(roles.time) and not sample.recurs(base.used, RECURRENCE)
    grids = [name for name in points if not is_restart and _is_grid(sample, roles, name)]
    yield from (replace(base, x=(name,)) for name in grids)
    yield from _with_small_indices(sample, base, grids)
    yield from () if is_restart else _maps(sample, base)
    for name in roles.ids:
        yield from _of_members(sample, roles, base, name)
    pairs = [*combinations(roles.ids, 2), *((name, id_) for name in grids for id_ in roles.ids)]
    yield from (_map(base, pair) for pair in pairs)
    if not roles.time:
        yield from (replace(base, x=(name,)) for name in points if name not in grids)


def _with_small_indices(sample: Sample, base: Axes, grids: list[str]) -> Iterator[Axes]:
    """Yield axes with groups for indices of few values: one, then all but the longest."""
    parts = [*combinations(grids, 2), *([tuple(grids)] if len(grids) > MAX_AXES else [])]
    for part in parts:
        *small, name = sorted(part, key=sample.values)
        if max(map(sample.values, small)) <= MAX_GROUPS:
            small.sort(key=grids.index)
            yield replace(base, x=(name,), groups=(*base.groups, *small))


def _is_grid(sample: Sample, roles: Roles, name: str) -> bool:
    """Whether the values of a coordinate are points of an axis, and not a measured quantity."""
    column = sample.column(name)
    if column.is_level or sample.recurs([name], RECURRENCE):
        return True
    return not roles.time and (column.is_integer or sample.is_monotone(name, roles.groups))


def _maps(sample: Sample, base: Axes) -> Iterator[Axes]:
    for pair in named_pairs(sample.columns):
        columns = list(map(sample.column, pair))
        measured = [c.name for c in columns if c.is_numeric and not c.is_integer]
        if all(sample.recurs([name], RECURRENCE) for name in measured):
            yield _map(base, pair)


def _map(base: Axes, pair: tuple[str, str]) -> Axes:
    groups = tuple(name for name in base.groups if name not in pair)
    return replace(base, kind=PlotKind.map, x=pair, groups=groups)


def _of_members(sample: Sample, roles: Roles, base: Axes, name: str) -> Iterator[Axes]:
    """Yield the axes of a population in time; without time its members are the axis."""
    members = replace(base, x=(name,))
    parts: list[str] = []
    if roles.time:
        members = Axes(PlotKind.population, (roles.time,), base.groups, entity=name)
        parts = [index for index in roles.indices if sample.determines([name], index)]
    yield replace(members, groups=(*base.groups, *parts))
    for index in roles.indices:
        yield replace(members, groups=(*base.groups, index))
    yield members


def without_states(sample: Sample, axes: Axes) -> Axes:
    """Return axes without groups that are states: they alternate along a curve or in a map."""
    if axes.kind not in {PlotKind.timeseries, PlotKind.profile, PlotKind.map} or not axes.x:
        return axes
    for name in reversed(axes.groups):
        others = tuple(group for group in axes.groups if group != name)
        rest = replace(axes, groups=others)
        if not sample.column(name).is_level and (
            sample.is_nearly_key(rest.used)
            and not sample.determines(others, name)
            and not sample.is_in_stretches(name)
        ):
            axes = rest
    return axes
