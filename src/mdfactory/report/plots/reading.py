"""Read an analysis of many simulations: plan it, draw it and summarise it, frame by frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import pyarrow as pa

from mdfactory.errors import counted
from mdfactory.frames.plots import Plan, misfit, plan
from mdfactory.frames.statistics import WHOLE, Start, draw_and_summarise, start_note
from mdfactory.records.tables import Table
from mdfactory.report.plots.frames import ReadFrame, first_frames, read_frames, released
from mdfactory.report.plots.panels import Member, shown_quantities
from mdfactory.report.plots.view import NO_PLOT
from mdfactory.stores.transaction import Transaction

MAX_CORRUPT: Final = 3
"""Maximum number of frames that notes name, because they cannot be read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An analysis of many simulations.

    Parameters
    ----------
    plan
        What is drawn.
    quantities
        The quantities that are shown, and were drawn.
    members
        The simulations, in the order of their keys.
    is_date
        Whether the axis is a date.
    notes
        Sentences about the frames: those that differ or cannot be read, gaps, thinned curves.
    corrupt
        A sentence for each frame that cannot be read.
    """

    plan: Plan
    quantities: tuple[str, ...]
    members: tuple[Member, ...]
    is_date: bool
    notes: tuple[str, ...]
    corrupt: tuple[str, ...]


def read_analysis(
    transaction: Transaction,
    table: Table,
    hashes: Sequence[str],
    y: str | Sequence[str] | None = None,
    start: Start = WHOLE,
) -> Reading:
    """Read the frames of an analysis; each is let go when it is drawn.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table of the analysis.
    hashes
        The simulations, sorted.
    y
        The quantities to show. Default: the first of the plan.
    start
        What statistics leave out.

    Raises
    ------
    QueryError
        If the analysis has no such quantity.
    """
    corrupt: dict[str, str] = {}
    read = read_frames(transaction, table, hashes, corrupt)
    first = first_frames(read)
    frames, extras = [one.frame for one in first], [one.extras for one in first]
    planned = plan(table.result_name, frames, extras)
    quantities = shown_quantities(planned, y)
    is_date = _is_date(planned, frames)
    members: list[Member] = []
    remarks: Counter[str] = Counter()
    misfits: Counter[str] = Counter()
    if planned.kind not in NO_PLOT:
        shown = _restricted(planned, quantities)
        for one in chain(released(first), read):
            reason = misfit(planned, one.frame, one.extras)
            if reason:
                misfits[reason] += 1
                continue
            member, notes = _member(shown, one, start)
            members.append(member)
            remarks.update(notes)
    notes = (
        *planned.notes,
        *_misfit_notes(misfits, len(hashes)),
        *_corrupt_notes([*corrupt.values()]),
        *_remark_notes(remarks, len(members)),
    )
    return Reading(planned, quantities, tuple(members), is_date, notes, tuple(corrupt.values()))


def _restricted(planned: Plan, quantities: Sequence[str]) -> Plan:
    """Return a plan of the shown quantities only."""
    y = tuple(name for name in planned.y if name in quantities)
    scalars = tuple(name for name in planned.scalars if name in quantities)
    return replace(planned, y=y, scalars=scalars)


def _member(shown: Plan, read: ReadFrame, start: Start) -> tuple[Member, Sequence[str]]:
    """Return what is drawn of a frame, and notes about it."""
    drawing, statistics = draw_and_summarise(shown, read.frame, start)
    note = start_note(shown, read.frame, start)
    if start.value and not note:
        note = f"statistics leave out the first {start}"
    notes = (*drawing.notes, *([note] if note else []))
    return Member(read.hash, drawing, statistics), notes


def _is_date(planned: Plan, frames: Sequence[pa.Table]) -> bool:
    """Whether the axis is a column of timestamps."""
    if len(planned.x) != 1:
        return False
    types = (
        frame.schema.field(name).type
        for frame in frames
        for name in planned.x
        if frame.schema.get_field_index(name) >= 0
    )
    return any(map(_is_timestamp, types))


def _is_timestamp(data_type: pa.DataType) -> bool:
    return pa.types.is_timestamp(data_type) or pa.types.is_date(data_type)


def _misfit_notes(misfits: Mapping[str, int], total: int) -> Iterator[str]:
    for reason, number in sorted(misfits.items(), key=lambda item: (-item[1], item[0])):
        yield f"{number:,} of {total:,} are not drawn: {reason}"


def _corrupt_notes(corrupt: Sequence[str]) -> Iterator[str]:
    if corrupt:
        yield f"{counted(len(corrupt), 'frame')} cannot be read: {corrupt[0]}"


def _remark_notes(remarks: Mapping[str, int], members: int) -> Iterator[str]:
    """Yield the notes about single frames; those that differ in numbers only are one."""
    for note, number in sorted(remarks.items(), key=lambda item: (-item[1], item[0])):
        yield note if number == members else f"{note} ({number:,} of {members:,} simulations)"
