"""Axes of a recorded plot: those that it names, and for the rest those that are guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mdfactory.errors import ResultError, displayed
from mdfactory.frames.planning.axes import Axes, axes_of, completing, without_states
from mdfactory.frames.planning.plan import MAX_AXES, ColumnKind, PlotKind
from mdfactory.frames.planning.recorded_plot import Said
from mdfactory.frames.planning.roles import Roles
from mdfactory.frames.planning.samples import Sample


def said_axes(sample: Sample, roles: Roles, said: Said) -> Axes:
    """Return the axes of a recorded plot.

    Raises
    ------
    ResultError
        If columns lack the values that the plot needs, or if none are left for its axes.
    """
    _check(sample, said)
    own = _without(roles, said)
    kind = said.kind or _implied_kind(own, said)
    groups = tuple(own.groups)
    if kind is None:
        axes = next(axes_of(sample, own))
        return replace(axes, groups=tuple(dict.fromkeys((*axes.groups, *(said.groups or ())))))
    if said.x or said.entity or kind in {PlotKind.bars, PlotKind.scalars}:
        axes = _named(own, said, kind, groups)
    else:
        time = tuple(filter(None, [own.time]))
        guessed = [*axes_of(sample, own), *completing(sample, own), Axes(kind, time, groups)]
        axes = next(axes for axes in guessed if axes.kind is kind)
    if said.groups is None:
        axes = without_states(sample, axes)
    _check_axes(axes)
    return axes


def _check(sample: Sample, said: Said) -> None:
    """Refuse columns whose values do not suit their part in the plot."""
    kinds = {column.name: column.kind for column in sample.columns}
    numbers = {ColumnKind.number, ColumnKind.boolean, ColumnKind.duration}
    _refuse("y", [name for name in said.y if kinds[name] not in numbers])
    places = numbers | {ColumnKind.timestamp}
    is_series = said.kind in {PlotKind.timeseries, PlotKind.population} or said.entity
    places |= set() if is_series else {ColumnKind.text}
    _refuse("x", [name for name in said.x if kinds[name] not in places])
    members = (*(said.groups or ()), said.entity) if said.entity else said.groups or ()
    nothing = {ColumnKind.nothing, ColumnKind.other}
    _refuse("groups", [name for name in members if kinds[name] in nothing])


def _refuse(key: str, unfit: list[str]) -> None:
    if unfit:
        raise ResultError(f"plot: {key}: the values of {displayed(unfit[0])} cannot be drawn")


def _without(roles: Roles, said: Said) -> Roles:
    """Return the roles of the columns that a recorded plot leaves."""
    used = {*said.x, *said.y, said.entity, *(said.groups or ())}
    left: dict[str, Any] = {
        name: [column for column in getattr(roles, name) if column not in used]
        for name in ("groups", "indices", "coordinates", "ids", "numbers", "booleans", "rows")
    }
    if said.groups is not None:
        left["groups"] = [*said.groups]
    return replace(roles, time="" if roles.time in used - {*said.x} else roles.time, **left)


def _implied_kind(roles: Roles, said: Said) -> PlotKind | None:
    if said.entity:
        return PlotKind.population
    if len(said.x) == MAX_AXES:
        return PlotKind.map
    if said.x:
        return PlotKind.timeseries if said.x == (roles.time,) else PlotKind.profile
    return None


def _named(roles: Roles, said: Said, kind: PlotKind, groups: tuple[str, ...]) -> Axes:
    if kind is PlotKind.scalars:
        return Axes(kind, groups=said.groups or ())
    if kind is PlotKind.bars:
        return Axes(kind, groups=groups)
    x = said.x or tuple(filter(None, [roles.time]))
    if kind is PlotKind.population:
        return Axes(kind, x, groups, said.entity or next(iter(roles.ids), ""))
    is_mean = kind in {PlotKind.profile, PlotKind.map} and roles.time not in x
    return Axes(kind, x, groups, mean_over=roles.time if is_mean else "")


def _check_axes(axes: Axes) -> None:
    """Refuse axes that have too few or too many columns for the kind of the plot.

    Raises
    ------
    ResultError
        If they have.
    """
    is_map = axes.kind is PlotKind.map
    if is_map != (len(axes.x) == MAX_AXES):
        raise ResultError(f"plot: x: a {axes.kind} has {'two columns' if is_map else 'one column'}")
    if axes.kind is PlotKind.population and not (axes.x and axes.entity):
        raise ResultError("plot: a population needs x and entity")
