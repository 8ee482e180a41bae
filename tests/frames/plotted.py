"""Strategies for frames with a plan of their columns, whatever their types."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import strategies as st

from mdfactory.frames.planning.plan import Plan, PlotKind
from mdfactory.testing.frames import INTEGERS, categories, cells, columns

NUMBERS = (*INTEGERS, pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.decimal128(38, 20))
LABELS = (pa.string(), pa.int64(), pa.bool_(), pa.float64())
LENGTHS = st.one_of(st.integers(0, 6), st.integers(20, 60))


@st.composite
def planned(draw: st.DrawFn) -> tuple[Plan, pa.Table]:
    """Draw a frame, and a plan in which columns of any type have any role."""
    rows = draw(LENGTHS)
    few = st.sampled_from(range(4))
    names = [f"c{number}" for number in range(8)]
    parts = [
        draw(st.one_of(cells(draw(st.sampled_from(NUMBERS)), rows=rows), columns(rows)))
        for _ in names[:5]
    ]
    parts += [draw(st.one_of(_labels(rows), categories(rows=rows))) for _ in names[5:]]
    if draw(st.booleans()):  # a key that repeats
        parts[0] = pa.array(draw(st.lists(few, min_size=rows, max_size=rows)), pa.int64())
    kind = draw(st.sampled_from(list(PlotKind)))
    count = {"map": 2, "timeseries": 1, "profile": draw(st.integers(0, 1)), "population": 1}
    x = count.get(kind.value, 0)
    plan = Plan(
        kind,
        x=tuple(names[:x]),
        y=tuple(names[2 : draw(st.integers(3, 4))]),
        groups=tuple(names[5 : draw(st.integers(5, 7))]),
        entity="c7" if kind == PlotKind.population else "",
        mean_over="c4" if draw(st.booleans()) and kind in {"map", "profile"} else "",
        errors={"c2": "c3"} if draw(st.booleans()) else {},
        scalars=("c4",) if draw(st.booleans()) else (),
        first_group=draw(st.sampled_from(["", "all", "0"])),
        units={"c0": "ps"} if draw(st.booleans()) else {},
    )
    return plan, pa.table(parts, names=names)


@st.composite
def _labels(draw: st.DrawFn, rows: int) -> pa.Array:
    kind = draw(st.sampled_from(LABELS))
    return draw(cells(kind, rows=rows))
