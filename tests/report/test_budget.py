"""What gives way to the maximum size of a page, in which order, and what is said of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mdfactory.errors import OutputError
from mdfactory.report.analyses import Analyses, Detail
from mdfactory.report.budget import Step, fit
from mdfactory.report.campaign.artifacts import ArtifactEntry, ArtifactFile, ArtifactRecord
from mdfactory.report.campaign.molecule_lists import MoleculeLists
from mdfactory.report.campaign.privacy import Privacy
from mdfactory.report.campaign.results import ResultColumns
from mdfactory.report.campaign.snapshot import Snapshot
from mdfactory.report.content import Content
from mdfactory.report.payload import encode
from mdfactory.testing.records import EARLY_TIME

SIMULATIONS = 2_000
HASHES = [f"{number:040X}" for number in range(SIMULATIONS)]
NUMBERS = random.Random(1)  # noqa: S311  # bytes that are not compressed
UNLIMITED = 10**9


@dataclass(slots=True)
class RandomCurves(Analyses):
    """Curves of 10 bytes a point and simulation, which cannot be compressed."""

    def encoded(self, detail: Detail) -> Iterator[tuple[str, str]]:
        simulations = min(SIMULATIONS, detail.simulations or SIMULATIONS)
        size = 10 * detail.points * simulations // 10
        yield "analysis-0", encode(random.Random(2).randbytes(size))  # noqa: S311  # not for secrets


def _snapshot() -> Snapshot:
    texts = [""] * SIMULATIONS
    return Snapshot(
        hashes=HASHES,
        types=texts,
        statuses=texts,
        directories=texts,
        times=texts,
        compositions=list(texts),
        told=[False] * SIMULATIONS,
        tags=texts,
        molecules=MoleculeLists(),
        fields=[],
        same=[],
        others={},
        results=ResultColumns([]),
        privacy=Privacy([]),
        as_of=None,
        skipped=[],
    )


def _content(curves: int, pictures: int) -> Content:
    snapshot = _snapshot()
    record = ArtifactRecord(0, "snapshot", "/x", {}, EARLY_TIME)
    files = [
        ArtifactFile("a.png", 9, "", (NUMBERS.randbytes(20_000), NUMBERS.randbytes(5_000)))
        for _ in range(pictures)
    ]
    core: dict[str, Any] = {
        "version": "0",
        "title": "t",
        "as_of": "",
        "store": "store",
        "filters": [],
        "start": "",
        "skipped": [],
        "statuses": [],
        "simulations": snapshot.simulations(),
        "colour": None,
        "results": [],
        "progress": [],
        "attention": [],
        "commands": "",
        "analyses": [],
    }
    entries = [ArtifactEntry(record, files)]
    return Content(snapshot, RandomCurves(curves=curves), ["snapshot"], entries, core)


def _steps(content: Content) -> list[tuple[Step, int]]:
    """Return each step by which a page becomes smaller, and its size."""
    steps = []
    size = UNLIMITED
    while True:
        try:
            page, step = fit(content, size)
        except OutputError:
            return steps
        assert len(page) <= size
        steps.append((step, len(page)))
        size = len(page) - 1


def test_curves_give_way_before_pictures() -> None:
    steps = _steps(_content(curves=2_000, pictures=40))
    shown = [
        (step.detail.points, step.detail.simulations, step.picture_size, step.pictures)
        for step, _ in steps
    ]
    assert shown == [
        (200, None, 480, None),
        (100, None, 480, None),
        (50, None, 480, None),
        (50, 1000, 480, None),
        (50, 300, 480, None),
        (50, 100, 480, None),
        (50, 30, 480, None),
        (50, 30, 240, None),
        (50, 30, 240, 30),
        (50, 30, 240, 0),
    ]
    assert steps[0][0].left_out == ()
    assert steps[-1][0].left_out == (
        "curves have at most 50 points",
        "curves of a sample of 30 of 2,000 simulations",
        "pictures have at most 240 pixels",
        "0 of 40 pictures",
    )


def test_what_is_not_there_does_not_give_way() -> None:
    assert [step.left_out for step, _ in _steps(_content(curves=0, pictures=0))] == [()]
    small = "pictures have at most 240 pixels"
    pictures = [step.left_out for step, _ in _steps(_content(curves=0, pictures=5))]
    assert pictures == [(), (small,), (small, "0 of 5 pictures")]


def test_what_must_stay_names_the_size_that_is_needed() -> None:
    content = _content(curves=2_000, pictures=5)
    smallest = _steps(content)[-1][1]
    with pytest.raises(OutputError, match=f"takes {smallest:,} bytes without all that can be left"):
        fit(content, smallest - 1)
    assert len(fit(content, smallest)[0]) == smallest


def test_the_same_content_gives_the_same_page() -> None:
    content = _content(curves=10, pictures=1)
    assert fit(content, UNLIMITED)[0] == fit(content, UNLIMITED)[0]
