"""Plans: how the table of any analysis is drawn, from its columns, its index and its extras."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from mdfactory.errors import ResultError, displayed, listed, one_line
from mdfactory.frames.planning.axes import Axes, axes_of, grid_of_three
from mdfactory.frames.planning.keys import codes_of
from mdfactory.frames.planning.kinds import columns_of, kind_of, level_labels, with_levels
from mdfactory.frames.planning.names import has_no_part_in_a_key
from mdfactory.frames.planning.plan import ColumnKind, Plan, PlotKind
from mdfactory.frames.planning.quantities import (
    errors_of,
    first_group_of,
    in_order,
    quantities_of,
    scalars_of,
    together_of,
)
from mdfactory.frames.planning.recorded_axes import said_axes
from mdfactory.frames.planning.recorded_plot import Said, said_of
from mdfactory.frames.planning.roles import Roles, has_smiles, roles_of
from mdfactory.frames.planning.samples import (
    Sample,
    most_common,
    sample_of,
    units_of_kinds,
)

__all__ = ["Plan", "PlotKind", "misfit", "plan"]

MAX_NOTE_NAMES: Final = 6

EMPTY: Final[Mapping[str, Any]] = {}

WITHOUT_AXES: Final = frozenset({PlotKind.chemistry, PlotKind.table, PlotKind.empty})


def plan(name: str, frames: Sequence[pa.Table], extras: Sequence[Mapping[str, Any]] = ()) -> Plan:
    """Plan how the frames of an analysis are drawn.

    The plan is a function of what the frames hold. Frames with other columns than most don't count.

    Parameters
    ----------
    name
        Name of the analysis.
    frames
        Frames of some simulations; about 50 are enough.
    extras
        Extras of their registry entries, in the same order; fewer if the others have none. `units`,
        `length_unit` and `plot` are read.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from mdfactory.frames.plots import plan
    >>> frame = pa.table({"time_ps": [0.0, 1.0], "density_g_cm3": [0.98, 0.99]})
    >>> density = plan("density", [frame])
    >>> density.kind, density.x, density.y, density.units["time_ps"]
    (<PlotKind.timeseries: 'timeseries'>, ('time_ps',), ('density_g_cm3',), 'ps')
    """
    sample = sample_of(frames, extras)
    columns = {column.name: column.kind for column in sample.columns}
    if not any(sample.rows):
        return Plan(PlotKind.empty, notes=("no rows",), columns=columns)
    roles = roles_of(sample)
    drawn = _planned(name, sample, roles)
    if drawn.kind in WITHOUT_AXES:
        return replace(drawn, columns=columns)
    notes = (*drawn.notes, *_left_out(sample, roles, drawn))
    return replace(
        drawn,
        columns=columns,
        units=sample.units,
        single=tuple(name for name in roles.single if name not in drawn.drawn),
        notes=tuple(one_line(note) for note in notes),
    )


def _planned(name: str, sample: Sample, roles: Roles) -> Plan:
    """Return the plan that the registry entries record, else the plan of names and types."""
    said, notes = _said(sample)
    if said is not None:
        try:
            return _with_notes(_as_said(name, sample, roles, said), notes)
        except ResultError as error:
            notes.append(f"the recorded plot is ignored: {error}")
    return _with_notes(_guessed(name, sample, roles), notes)


def _with_notes(drawn: Plan, notes: Sequence[str]) -> Plan:
    return replace(drawn, notes=(*drawn.notes, *notes))


# Guessed


def _guessed(name: str, sample: Sample, roles: Roles) -> Plan:
    if has_smiles(sample, roles):
        return Plan(PlotKind.chemistry)
    if grid := grid_of_three(sample, roles):
        return Plan(PlotKind.table, notes=(f"a grid in three dimensions: {_names(grid)}",))
    for axes in axes_of(sample, roles):
        if y := quantities_of(sample, roles, axes):
            return _finished(name, sample, axes, y)
    return Plan(PlotKind.table, notes=(_why_table(sample),))


def _why_table(sample: Sample) -> str:
    has_numbers = any(column.is_numeric for column in sample.columns)
    reason = "no number is left to draw" if has_numbers else "no column has numbers"
    return f"{reason}: {_names([column.name for column in sample.columns])}"


def _finished(
    name: str, sample: Sample, axes: Axes, numbers: Sequence[str], *, is_said: bool = False
) -> Plan:
    """Return the plan that draws numbers over axes."""
    errors = errors_of(sample, numbers)
    y = [number for number in numbers if number not in {*errors.values()}]
    scalars = [] if is_said else scalars_of(sample, axes, y)
    y = [number for number in y if number not in scalars]
    ordered = y if is_said else in_order(name, sample, y)
    return Plan(
        axes.kind,
        axes.x,
        tuple(ordered),
        axes.groups,
        axes.entity,
        axes.mean_over,
        {number: error for number, error in errors.items() if number in y},
        tuple(scalars),
        tuple(together_of(sample, ordered, sample.units)),
        first_group_of(sample, axes.groups),
        notes=tuple(_notes(sample, axes)),
    )


# Said


def _said(sample: Sample) -> tuple[Said | None, list[str]]:
    """Return the plot that most registry entries record, and why others are ignored."""
    plots = [entry["plot"] for entry in sample.extras if "plot" in entry]
    texts = [json.dumps(plot, default=repr) for plot in plots]
    if not texts:
        return None, []
    usual = most_common(texts)
    other = sum(text != usual for text in texts)
    notes = [f"{other} of {len(texts)} record another plot"] if other else []
    names = {c.label: c.name for c in sample.columns} | {c.name: c.name for c in sample.columns}
    try:
        return said_of(plots[texts.index(usual)], names), notes
    except ResultError as error:
        return None, [*notes, f"the recorded plot is ignored: {error}"]


def _as_said(name: str, sample: Sample, roles: Roles, said: Said) -> Plan:
    """Return the plan that is recorded; what it does not say is guessed.

    Raises
    ------
    ResultError
        If it does not fit the columns.
    """
    if said.kind in WITHOUT_AXES:
        return Plan(said.kind, notes=(f"recorded as {said.kind}",))
    axes = said_axes(sample, roles, said)
    numbers = said.y or quantities_of(sample, roles, axes)
    if not numbers:
        raise ResultError("plot: no number is left to draw")
    return _finished(name, sample, axes, numbers, is_said=bool(said.y))


# Notes


def _notes(sample: Sample, axes: Axes) -> list[str]:
    """Return sentences about the axes of a plot."""
    notes = []
    if axes.kind is PlotKind.profile and not axes.x:
        notes.append("x is the number of the row")
    if axes.mean_over:
        notes.append(f"mean over {sample.column(axes.mean_over).base or axes.mean_over}")
    return notes


def _left_out(sample: Sample, roles: Roles, drawn: Plan) -> list[str]:
    """Return sentences about columns that a plot does not show."""
    used = drawn.drawn
    single = {name: sample.texts(name) for name in roles.single if name not in used}
    notes = [_caption(name, texts) for name, texts in single.items() if texts]
    rest = (*roles.groups, *roles.indices, *roles.coordinates, *roles.ids, *roles.booleans)
    names = [*dict.fromkeys((*rest, *roles.unused, *sample.left_out, *roles.single))]
    names = [name for name in names if name not in used and not single.get(name)]
    return [*notes, f"not drawn: {_names(names)}"] if names else notes


def _names(names: Sequence[str]) -> str:
    return ", ".join(listed(list(map(displayed, names)), MAX_NOTE_NAMES))


def _caption(name: str, texts: Sequence[str]) -> str:
    """Return the caption of a column that has one value in each frame."""
    return f"{displayed(name)}: {texts[0] if len(texts) == 1 else 'one value in each simulation'}"


# Frames that do not fit


def misfit(plan: Plan, frame: pa.Table, extras: Mapping[str, Any] = EMPTY) -> str:
    """Return why a frame cannot be drawn as the plan says; empty if it can.

    A frame may have more numbers than the plan draws. Units that differ, or that only one of them
    has, do not fit. Whether time repeats is said by `frames.curves.draw`.

    Parameters
    ----------
    plan
        The plan of the analysis.
    frame
        The frame of a simulation.
    extras
        The extras of its registry entry.
    """
    if plan.kind is PlotKind.empty or not frame.num_rows:
        return "" if plan.kind is PlotKind.empty and not frame.num_rows else _of_rows(frame)
    frame = with_levels(frame)
    schema = frame.schema
    drawn = plan.drawn
    kinds = dict(zip(schema.names, map(kind_of, schema.types), strict=True))
    if kinds != plan.columns or len(kinds) < len(schema.names):
        reason = _other_columns(plan, frame, drawn)
        if reason:
            return reason
    own = {name: plan.columns[name] for name in drawn}
    units = units_of_kinds(own, level_labels(schema), extras)
    if units != {name: unit for name, unit in plan.units.items() if name in drawn}:
        return "has other units"
    several = (name for name in plan.single if name in kinds and _has_several(frame[name]))
    return next((f"has several values of {displayed(name)}" for name in several), "")


def _of_rows(frame: pa.Table) -> str:
    return "has rows" if frame.num_rows else "has no rows"


def _other_columns(plan: Plan, frame: pa.Table, drawn: set[str]) -> str:
    """Return whether a frame lacks a column that is drawn, or has one that may divide the rows."""
    columns = {column.name: column for column in columns_of(frame)}
    if plan.kind in WITHOUT_AXES:
        return "" if columns.keys() == plan.columns.keys() else "has other columns"
    missing = drawn - columns.keys()
    others = [column for name, column in columns.items() if name not in plan.columns]
    if missing or not all(map(has_no_part_in_a_key, others)):
        return "has other columns"
    kinds = (
        (plan.columns[name], columns[name].kind) for name in drawn | {*plan.single} & {*columns}
    )
    return (
        "" if all(own in {kind, ColumnKind.nothing} for kind, own in kinds) else "has other types"
    )


def _has_several(column: pa.ChunkedArray[Any]) -> bool:
    """Whether a column has several values; missing ones don't count."""
    if pa.types.is_floating(column.type) or pa.types.is_dictionary(column.type):
        return int(codes_of(column).max(initial=-1)) > 0
    values = column.unique()  # several times as fast
    return len(values) - values.null_count > 1
