"""The plan of each table of the corpus is that which a scientist expects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from corpus.plot_cases import FRAMES, Case
from corpus.plots import CASES
from mdfactory.frames.curves import draw
from mdfactory.frames.plots import Plan, PlotKind, misfit, plan

WITHOUT_CURVES = {PlotKind.chemistry, PlotKind.table, PlotKind.empty}

MAX_FILE_BYTES = 30_000
MAX_TOTAL_BYTES = 400_000


def _plan(case: Case) -> Plan:
    frames = case.frames()
    return plan(case.analysis, frames, [case.extras] * len(frames))


def _plain(unit: str) -> str:
    """Return a unit as it is typed, whatever typography shows it."""
    for shown, typed in (("²", "2"), ("³", "3"), ("^", ""), ("°", "deg")):
        unit = unit.replace(shown, typed)
    return unit


def _units(plan_: Plan, units: Mapping[str, str]) -> dict[str, str]:
    return {column: _plain(plan_.units.get(column, "")) for column in units}


def _differences(case: Case) -> list[str]:
    """Return the parts of the plan that are not as expected."""
    made, expected = _plan(case), case.expected
    notes = " ".join(made.notes)
    pairs = {
        "kind": (made.kind, expected.kind),
        "x": (made.x, expected.x),
        "first": ("".join(made.y[:1]), expected.first),
        "y": (frozenset(made.y), expected.y),
        "groups": (made.groups, expected.groups),
        "entity": (made.entity, expected.entity),
        "mean_over": (made.mean_over, expected.mean_over),
        "first_group": (made.first_group, expected.first_group),
        "scalars": (made.scalars, expected.scalars),
        "errors": (dict(made.errors), expected.errors),
        "units": (_units(made, expected.units), dict(expected.units)),
        "together": (
            any({*expected.together} <= {*shared} for shared in made.together),
            bool(expected.together) or None,
        ),
        "notes": ([word for word in expected.notes if word in notes], [*expected.notes]),
    }
    return [
        f"{part}: got {got!r}, expected {wanted!r}"
        for part, (got, wanted) in pairs.items()
        if wanted is not None and got != wanted
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan_is_that_which_a_scientist_expects(case: Case) -> None:
    differences = _differences(case)
    assert not differences, f"rule {case.rule}\n" + "\n".join([*differences, repr(_plan(case))])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_frames_from_which_a_plan_was_made_fit_it(case: Case) -> None:
    made = _plan(case)
    assert [misfit(made, frame, case.extras) for frame in case.frames()] == [""] * len(
        case.frames()
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_draw_makes_curves_of_the_first_quantity_with_numbers(case: Case) -> None:
    made = _plan(case)
    for frame in case.frames():
        drawing = draw(made, frame)
        curves = drawing.curves
        if case.expected.kind in WITHOUT_CURVES:
            assert not curves
            continue
        assert all(word in " ".join(drawing.notes) for word in case.expected.drawn), drawing.notes
        assert curves[0].quantity == case.expected.first
        assert any(np.isfinite(curve.y).any() for curve in curves)
        assert all(len(axis) == len(curve.y) for curve in curves for axis in curve.x)


def test_files_are_small_and_each_is_used() -> None:
    files = sorted(FRAMES.glob("*.parquet"))
    sizes = [file.stat().st_size for file in files]
    used = (FRAMES.parent.parent / "corpus" / "plots_measured.py").read_text(encoding="utf-8")
    assert max(sizes) < MAX_FILE_BYTES
    assert sum(sizes) < MAX_TOTAL_BYTES
    assert [file.name for file in files if f'"{file.stem.split("--")[0]}' not in used] == []
