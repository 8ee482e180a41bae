"""Budget: how a page becomes small enough to be sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from mdfactory.errors import OutputError, counted
from mdfactory.records.vocabulary import ResultType
from mdfactory.report.analyses import Detail
from mdfactory.report.campaign.artifacts import (
    PICTURE_SIZES,
    TOO_MANY,
    ShownPictures,
    artifacts_data,
)
from mdfactory.report.campaign.molecules import draw_molecules
from mdfactory.report.campaign.snapshot import to_seconds
from mdfactory.report.content import Content
from mdfactory.report.page import build
from mdfactory.report.payload import encode, to_json

FEWER_POINTS: Final = (100, 50)
"""Maximum numbers of points of a curve, as the budget gives way."""

SAMPLES: Final = (1000, 300, 100, 30)
"""Numbers of simulations with curves, and of pictures, as the budget gives way."""


class Step(NamedTuple):
    """A step by which a page becomes smaller.

    Parameters
    ----------
    detail
        How much of the curves it has.
    picture_size
        Maximum width and height of pictures.
    pictures
        Maximum number of pictures; all if None.
    left_out
        Sentences on what the page lacks.
    """

    detail: Detail
    picture_size: int = PICTURE_SIZES[0]
    pictures: int | None = None
    left_out: tuple[str, ...] = ()


def fit(content: Content, max_bytes: int, bundle: str | None = None) -> tuple[bytes, Step]:
    """Return the page as it should be, or the first that is small enough.

    Parameters
    ----------
    content
        What was read.
    max_bytes
        Maximum size of the page.
    bundle
        As for `page.build`.

    Raises
    ------
    OutputError
        If what must stay is larger than the maximum.
    """
    encoded = {"molecules": encode(to_json(draw_molecules(content.snapshot.molecules)))}
    detail: Detail | None = None
    size = curves = 0
    steps = list(_steps(content))
    for step in steps:
        if step.detail != detail:
            detail = step.detail
            encoded |= dict(content.analyses.encoded(detail))
            curves = sum(map(len, encoded.values())) - len(encoded.get("artifacts", ""))
        if curves > max_bytes and step is not steps[-1]:
            continue  # without the page, whose texts take memory
        shown = ShownPictures(step.picture_size, step.pictures)
        data = artifacts_data(content.entries, content.snapshot.privacy, to_seconds, shown)
        encoded["artifacts"] = encode(to_json(data))
        left_out, counts = list(step.left_out), _artifact_counts(content, data)
        page = build(content.core | {"left_out": left_out, "artifacts": counts}, encoded, bundle)
        size = len(page)
        if size <= max_bytes:
            return page, step
    raise OutputError(
        f"the report of {counted(len(content.snapshot.hashes), 'simulation')} takes {size:,} bytes "
        f"without all that can be left out, more than the {max_bytes:,} of --max-size; "
        "nothing was written"
    )


def _steps(content: Content) -> Iterator[Step]:
    """Yield how a page becomes smaller, the first as it should be."""
    notes = [file.note for entry in content.entries for file in entry.files]
    unread = ("pictures are too many to be read",) if TOO_MANY in notes else ()
    steps = [Step(Detail(), left_out=unread)]
    steps += _steps_of_curves(content, steps[0])
    yield from steps
    if content.pictures:
        yield from _steps_of_pictures(content, steps[-1])


def _steps_of_curves(content: Content, step: Step) -> Iterator[Step]:
    """Yield the steps after a step by which curves become smaller, if there are any."""
    if not content.analyses.curves:
        return
    total, least = len(content.snapshot.hashes), FEWER_POINTS[-1]
    for points in FEWER_POINTS:
        texts = (*step.left_out, f"curves have at most {points} points")
        yield step._replace(detail=Detail(points), left_out=texts)
    for sample in SAMPLES:
        if sample < total:
            text = f"curves of a sample of {sample:,} of {total:,} simulations"
            yield step._replace(detail=Detail(least, sample), left_out=(*texts, text))


def _steps_of_pictures(content: Content, step: Step) -> Iterator[Step]:
    """Yield the steps after a step by which pictures become smaller, then fewer."""
    texts = (*step.left_out, f"pictures have at most {PICTURE_SIZES[1]} pixels")
    step = step._replace(picture_size=PICTURE_SIZES[1], left_out=texts)
    yield step
    for pictures in (*SAMPLES, 0):
        if pictures < content.pictures:
            text = f"{pictures:,} of {content.pictures:,} pictures"
            yield step._replace(pictures=pictures, left_out=(*texts, text))


def _artifact_counts(content: Content, data: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the member ``artifacts`` of the page's data; `data` has what is shown of them."""
    completed = {
        column.name.lower(): column.completed
        for column in content.snapshot.results.columns
        if column.item is ResultType.artifact
    }
    pictures: Counter[str] = Counter()
    for entry in data:
        pictures[entry["name"]] += sum(bool(file["picture"]) for file in entry["files"])
    return [
        {"name": name, "completed": completed[name.lower()], "pictures": pictures[name]}
        for name in content.artifact_names
        if completed.get(name.lower())
    ]
