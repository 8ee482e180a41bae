"""Every table of the corpus is drawn, whatever its plan."""

from __future__ import annotations

import json
import struct
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
from hypothesis import given, settings

from corpus.plot_cases import Case
from corpus.plots import CASES
from frames.plotted import planned
from mdfactory.frames.curves import draw
from mdfactory.frames.plots import Plan, misfit, plan
from mdfactory.frames.statistics import summarise
from mdfactory.report.plots.colour import Colour
from mdfactory.report.plots.fill import PICTURE, fill
from mdfactory.report.plots.panels import Member, shown_quantities
from mdfactory.report.plots.render import to_png, to_svg
from mdfactory.report.plots.specification import specification
from mdfactory.report.plots.themes import Theme, themed
from mdfactory.report.plots.view import view_of

MAX_PIXELS = 8_000_000


def _drawn(name: str, planned_: Plan, members: list[Member]) -> dict[str, object]:
    """Return the specification of simulations, with the data of a picture."""
    values = {member.hash: float(place) for place, member in enumerate(members)}
    colour = Colour("system.species.MEO.fraction", values, is_number=True)
    view = view_of(name, planned_, members, colour, shown_quantities(planned_))
    made = specification(planned_, view)
    rows = fill(view, members, colour, {}, PICTURE)
    assert {*rows} == {*made["datasets"]}
    return made | {"datasets": rows}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=() if at % 3 == 0 else pytest.mark.long)
        for at, case in enumerate(CASES)
    ],
)  # in a browser, each table is drawn in each run: tests/report/test_page.py
def test_each_table_has_a_picture_of_a_usual_size(case: Case) -> None:
    frames = case.frames()
    made = plan(case.analysis, frames, [case.extras] * len(frames))
    members = [
        Member(f"{place:08X}", draw(made, frame), summarise(made, frame))
        for place, frame in enumerate(frames)
        if not misfit(made, frame, case.extras)
    ]
    picture = to_png(themed(_drawn(case.analysis, made, members), Theme.dark))
    width, height = struct.unpack(">II", picture[16:24])
    assert width * height < MAX_PIXELS


@settings(deadline=None)
@given(planned())
def test_any_frame_of_any_plan_is_a_specification_that_is_drawn(
    pair: tuple[Plan, pa.Table],
) -> None:
    planned_, frame = pair
    members = [
        Member(f"{place:08X}", draw(planned_, frame), summarise(planned_, frame))
        for place in range(2)
    ]
    made = _drawn("any", planned_, members)
    json.dumps(made, allow_nan=False)
    ET.fromstring(to_svg(themed(made)))  # noqa: S314  # our own
