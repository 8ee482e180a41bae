"""What a plan must be, and how cases of tables and plans are written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mdfactory.campaign.recording import to_arrow
from mdfactory.frames.plots import PlotKind

ROOT = Path(__file__).parent.parent
CAMPAIGN = ROOT.parent / "examples" / "water_methanol"
FRAMES = ROOT / "data" / "frames"

Frames = Sequence[pa.Table]


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be in a plan; None stands for what is left open.

    Parameters
    ----------
    kind, x, groups, entity, mean_over, first_group, scalars, errors
        As in the plan.
    first
        The first quantity.
    y
        All quantities, in any order.
    together
        Quantities that share a plot.
    units
        Column -> its unit, empty if none is recorded; other columns are left open.
    notes
        Words of the notes.
    drawn
        Words of the notes on what is drawn of each simulation.
    """

    kind: PlotKind
    x: tuple[str, ...] = ()
    first: str = ""
    groups: tuple[str, ...] = ()
    entity: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    y: frozenset[str] | None = None
    together: tuple[str, ...] = ()
    mean_over: str | None = ""
    first_group: str = ""
    scalars: tuple[str, ...] | None = None
    errors: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """An analysis, and its plan.

    Parameters
    ----------
    name
        Name of the case.
    rule
        Number of the rule in the specification that decides, or what a scientist would say.
    expected
        The plan.
    frames
        The tables of its simulations.
    analysis
        Name of the analysis, if it is not that of the case.
    extras
        Extras of each registry entry.
    """

    name: str
    rule: str
    expected: Expected
    frames: Callable[[], Frames]
    analysis: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)


def case(
    name: str,
    rule: str,
    expected: Expected,
    frames: Callable[[], Frames | pd.DataFrame | pa.Table],
    analysis: str = "",
    **extras: Any,
) -> Case:
    """Return a case; its tables are made when they are needed."""

    @cache
    def tables() -> Frames:
        made = frames()
        several = made if isinstance(made, (list, tuple)) else [made]
        return [to_arrow(name, frame) for frame in several]

    return Case(name, rule, expected, tables, analysis or name, extras)


def real(name: str, rule: str, expected: Expected, analysis: str = "", **extras: Any) -> Case:
    """Return a case whose tables are files of this folder."""
    files = [*FRAMES.glob(f"{name}.parquet"), *sorted(FRAMES.glob(f"{name}--*.parquet"))]
    return case(name, rule, expected, lambda: [*map(pq.read_table, files)], analysis, **extras)


def example(name: str, rule: str, expected: Expected, **extras: Any) -> Case:
    """Return a case whose tables are those of the example campaign."""
    files = sorted(CAMPAIGN.glob(f"*/.analysis/{name}.parquet"))
    return case(
        f"{name}_example", rule, expected, lambda: [*map(pq.read_table, files)], name, **extras
    )


def series(*x: str, **given: Any) -> Expected:
    return _expected(PlotKind.timeseries, x, given)


def profile(*x: str, **given: Any) -> Expected:
    return _expected(PlotKind.profile, x, given)


def map_over(*x: str, **given: Any) -> Expected:
    return _expected(PlotKind.map, x, given)


def population(x: str, entity: str, **given: Any) -> Expected:
    return _expected(PlotKind.population, (x,), given | {"entity": entity})


def bars(**given: Any) -> Expected:
    return _expected(PlotKind.bars, (), given)


def _expected(kind: PlotKind, x: tuple[str, ...], given: dict[str, Any]) -> Expected:
    y = given.pop("y", None)
    return Expected(kind, x, y=None if y is None else frozenset(y), **given)
