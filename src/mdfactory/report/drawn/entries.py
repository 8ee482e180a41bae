"""Entries: what a page shows of an analysis, beside its curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any, Final

from mdfactory.errors import counted
from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.plots import Plan, PlotKind
from mdfactory.frames.statistics import WHOLE, Start
from mdfactory.report.campaign.privacy import Privacy
from mdfactory.report.drawn.curve_data import with_labels
from mdfactory.report.drawn.plan_data import with_names
from mdfactory.report.drawn.summaries import FIGURES, Summary
from mdfactory.report.payload import clean, clean_all
from mdfactory.report.plots.colour import Colour
from mdfactory.report.plots.curve_rows import Limits
from mdfactory.report.plots.fill import fill
from mdfactory.report.plots.panels import (
    HASH_DIGITS,
    MAX_PANELS,
    Group,
    Member,
    Panel,
    group_text,
    shown_quantities,
)
from mdfactory.report.plots.remarks import colour_notes
from mdfactory.report.plots.specification import specification
from mdfactory.report.plots.texts import axis_title, clean_title
from mdfactory.report.plots.view import NO_PLOT, View, hash_colour, view_of

MAX_TABLE_ROWS: Final = 500
"""Maximum number of rows of an analysis that is shown as a table."""

TIMES: Final = frozenset({PlotKind.timeseries, PlotKind.population})
"""Kinds whose axis is a time or a counter."""


@dataclass(frozen=True, slots=True)
class Simulations:
    """What the plots of a report need of its simulations.

    Parameters
    ----------
    numbers
        Hash of each -> its number.
    colour
        The field that colours them.
    statuses
        The status of each.
    compositions
        Hash -> composition.
    privacy
        What may be shown of texts.
    start
        What statistics leave out.
    """

    numbers: Mapping[str, int]
    colour: Colour
    statuses: Sequence[str]
    compositions: Mapping[str, str]
    privacy: Privacy
    start: Start = WHOLE


@dataclass(frozen=True, eq=False)
class AnalysisContent:
    """An analysis of all simulations of a report.

    Parameters
    ----------
    name
        Its name.
    plan
        What is drawn.
    summaries
        Hash -> summary of each frame that is drawn.
    notes
        Sentences about the frames.
    others
        Sentences about frames that are not drawn.
    simulations
        The simulations.
    digest
        Digest of all summaries, and of their curves as they are shown.
    """

    name: str
    plan: Plan
    summaries: Mapping[str, Summary]
    notes: tuple[str, ...]
    others: tuple[str, ...]
    simulations: Simulations
    digest: str

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """The quantities, those of curves first."""
        return () if self.plan.kind in NO_PLOT else (*self.plan.y, *self.plan.scalars)

    @cached_property
    def colour(self) -> Colour:
        """The field that colours the simulations, or their hashes."""
        own = self.simulations.colour
        values = {hash_: own.values.get(hash_) for hash_ in self.summaries}
        return hash_colour(Colour(own.field, values, is_number=own.is_number), [*self.summaries])

    @cached_property
    def groups(self) -> dict[Group, int]:
        """All groups with their numbers, those that are shown first."""
        panels = self.views[0][1].panels if self.views else ()
        shown = [panel.group for panel in panels if panel.group is not None]
        seen = (group for summary in self.summaries.values() for group in summary.groups)
        return {group: number for number, group in enumerate(dict.fromkeys((*shown, *seen)))}

    @cached_property
    def views(self) -> list[tuple[tuple[str, ...], View]]:
        """Quantities and view of each plot."""
        return [(names, self._view(names)) for names in _shown_together(self.plan, self.quantities)]

    @cached_property
    def number_of_curves(self) -> int:
        """Number of curves of all simulations."""
        return sum(summary.count for summary in self.summaries.values())

    def members(self, names: Sequence[str]) -> list[Member]:
        """Return what is drawn of some quantities."""
        return _members(self, tuple(names))

    def rows(self, names: Sequence[str], view: View, limits: Limits) -> dict[str, list[Any]]:
        """Return the data of a view; see `report.plots.fill.fill`."""
        members = self.members(names)
        return fill(view, members, self.colour, self.simulations.compositions, limits)

    def entry(self) -> dict[str, Any]:
        """Return the entry of the page's data, without curves."""
        plan, text = self.plan, self.simulations.privacy.text
        views = [self._view_data(names, view) for names, view in self.views]
        notes = [*self.notes, *(note for _, view in self.views[:1] for note in view.notes)]
        total = sum(len(summary.rows) for summary in self.summaries.values())
        if total > MAX_TABLE_ROWS:
            notes.append(f"the first {MAX_TABLE_ROWS} of {total:,} rows are shown")
        # The page says it of the colour that is chosen.
        grey = {*colour_notes(clean_title(self.colour.title), self.colour.values.values())}
        return {
            "name": clean(self.name),
            "drawn": len(self.summaries),
            "kind": str(plan.kind),
            "reason": _reason(plan, has_members=bool(self.summaries)),
            "notes": list(dict.fromkeys(text(note) for note in notes if note not in grey)),
            "caption": list(map(text, plan.notes)),
            "quantities": [self._quantity(name) for name in self.quantities],
            "groups": list(map(clean, plan.groups)),
            "group_values": [list(group) for group in self.groups],
            "group_texts": list(map(group_text, self.groups)),
            "x": _axis(plan, self.views[0][1]) if self.views else None,
            "views": views,
            **({"statistics": statistics} if (statistics := self._statistics()) else {}),
            **({"rows": self._table()} if plan.kind in NO_PLOT else {}),
            "others": list(map(text, self.others)),
        }

    def _view(self, names: tuple[str, ...]) -> View:
        x = self.plan.columns.get(self.plan.x[0]) if len(self.plan.x) == 1 else None
        members = self.members(names)
        is_date = x is ColumnKind.timestamp
        return view_of(self.name, self.plan, members, self.colour, names, is_date=is_date)

    def _view_data(self, names: Sequence[str], view: View) -> dict[str, Any]:
        """Return a plot of the page: its panels and its specification."""
        # The page makes the maps of other simulations from the first.
        panels = view.panels[:1] if view.kind is PlotKind.map else view.panels
        shown = replace(view, panels=panels, notes=(*view.notes, *self.notes))
        made = specification(self.plan, shown)
        return {
            "quantity": self.quantities.index(names[0]),
            "kind": str(view.kind),
            "by_group": view.by_group,
            "figure": view.figure,
            "error": view.error,
            "bar_groups": [self.groups[group] for group in view.bar_groups if group in self.groups],
            "panels": [self._panel(panel) for panel in panels],
            "specification": made | {"usermeta": clean_all(made["usermeta"])},
        }

    def _panel(self, panel: Panel) -> dict[str, Any]:
        group = None if panel.group is None else self.groups.get(panel.group, 0)
        quantity = self.quantities.index(panel.quantity)
        return {"quantity": quantity, "group": group, "title": panel.title}

    def _quantity(self, name: str) -> dict[str, Any]:
        unit = self.plan.units.get(name, "")
        quantity: dict[str, Any] = {
            "name": clean(name),
            "title": axis_title(name, unit),
            "unit": clean(unit),
        }
        return quantity | ({"scalar": True} if name in self.plan.scalars else {})

    def _statistics(self) -> dict[str, list[Any]]:
        """Return the statistics of all simulations as columns; empty columns are left out."""
        numbers, groups = self.simulations.numbers, self.groups
        rows = [
            (numbers[hash_], quantity, groups[summary.groups[group]], *figures)
            for hash_, summary in self.summaries.items()
            for quantity, group, *figures in summary.statistics
        ]
        names = ("simulation", "quantity", "group", *FIGURES)
        columns = zip(names, zip(*rows, strict=True), strict=True) if rows else ()
        return {
            name: list(values)
            for name, values in columns
            if any(value is not None for value in values)
        }

    def _table(self) -> dict[str, Any]:
        """Return the first rows of frames that have no plot."""
        text = self.simulations.privacy.text
        columns = [clean(name) for name in self.plan.columns]
        rows: list[list[Any]] = []
        for hash_, summary in self.summaries.items():
            rows += (
                [
                    hash_[:HASH_DIGITS],
                    *(text(cell) if isinstance(cell, str) else cell for cell in row),
                ]
                for row in summary.rows[: MAX_TABLE_ROWS - len(rows)]
            )
        width = max(map(len, rows), default=0)
        return {"columns": ["simulation", *columns][:width], "rows": rows}


def forget_members() -> None:
    """Let go of what was decoded last."""
    _members.cache_clear()


@lru_cache(maxsize=2)
def _members(content: AnalysisContent, names: tuple[str, ...]) -> list[Member]:
    """Return what is drawn of some quantities; the view and the data of a plot need the same."""
    return [
        summary.member(hash_, content.quantities, names)
        for hash_, summary in content.summaries.items()
    ]


def content_of(
    name: str,
    plan: Plan,
    summaries: Mapping[str, bytes],
    corrupt: Sequence[str],
    simulations: Simulations,
) -> AnalysisContent:
    """Return an analysis of all simulations of a report.

    Parameters
    ----------
    name, plan, simulations
        As for `AnalysisContent`.
    summaries
        Hash -> summary of each frame as bytes.
    corrupt
        A sentence for each frame that cannot be read.
    """
    text = simulations.privacy.text
    shown = replace(with_names(plan, text), notes=tuple(map(text, plan.notes)))
    drawn: dict[str, Summary] = {}
    digest = sha256()
    remarks: Counter[str] = Counter()
    misfits: Counter[str] = Counter()
    for hash_, data in summaries.items():
        digest.update(hash_.encode() + data)
        summary = Summary.from_bytes(data)
        if summary.misfit:
            misfits[summary.misfit] += 1
            continue
        drawn[hash_] = replace(
            summary,
            groups=tuple(tuple(map(text, group)) for group in summary.groups),
            curves=with_labels(summary.curves, text),
        )
        digest.update(drawn[hash_].curves)  # with what is shown of their texts
        remarks.update(summary.notes)
    total = len(summaries) + len(corrupt)
    others = [f"{count:,} of {total:,} {text(why)}" for why, count in _counted(misfits)]
    if corrupt:
        others.append(f"{counted(len(corrupt), 'frame')} cannot be read")
    notes = [
        note if count == len(drawn) else f"{note} ({count:,} of {len(drawn):,} simulations)"
        for note, count in _counted(remarks)
    ]
    return AnalysisContent(
        name, shown, drawn, tuple(notes), tuple(others), simulations, digest.hexdigest()
    )


def _counted(texts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield texts and their numbers, the most frequent first."""
    yield from sorted(texts.items(), key=lambda item: (-item[1], item[0]))


def _shown_together(plan: Plan, quantities: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the quantities of each plot: each quantity is in one."""
    left = list(quantities)
    if left and plan.kind in {PlotKind.bars, PlotKind.scalars}:
        first = shown_quantities(plan) or tuple(left[:1])
        yield first
        left = [name for name in left if name not in first]
    while left:
        own = next((names for names in plan.together if left[0] in names), (left[0],))
        shown = tuple(name for name in own if name in left)[:MAX_PANELS]
        yield shown
        left = [name for name in left if name not in shown]


def _reason(plan: Plan, *, has_members: bool) -> str:
    """Return why an analysis has no plot; empty if it has one."""
    if plan.kind is PlotKind.table:
        return plan.notes[0] if plan.notes else "no plot"
    if plan.kind is PlotKind.empty:
        return "no rows"
    return "" if has_members else "no frame could be drawn"


def _axis(plan: Plan, view: View) -> dict[str, Any] | None:
    """Return the axis of all curves."""
    if view.kind in {PlotKind.bars, PlotKind.scalars}:
        return None
    scale = 1000.0 if view.x_type == "temporal" else view.x_factor
    return {
        "title": view.x_title,
        "scale": scale,
        "type": view.x_type,
        "time": plan.kind in TIMES,
    }
