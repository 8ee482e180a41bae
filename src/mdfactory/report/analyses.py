"""Analyses: what a page shows of the frames of a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mdfactory.frames.statistics import Start
from mdfactory.records.tables import analysis_table
from mdfactory.report.campaign.snapshot import Snapshot
from mdfactory.report.drawn.cache import Cache, key_of, user_cache
from mdfactory.report.drawn.curve_data import merge_curves
from mdfactory.report.drawn.entries import AnalysisContent, Simulations, content_of, forget_members
from mdfactory.report.drawn.pictured import picture
from mdfactory.report.drawn.sample import colour_of, spread_over
from mdfactory.report.drawn.stored import stored_frames
from mdfactory.report.drawn.summarising import summarise_frames
from mdfactory.report.payload import clean, encode
from mdfactory.report.plots.fill import SCREEN
from mdfactory.report.plots.panels import HASH_DIGITS
from mdfactory.stores.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of the curves a page has.

    Parameters
    ----------
    points
        Maximum number of points of a curve.
    simulations
        Maximum number of simulations whose curves are in the page; all if None.
    """

    points: int = 200
    simulations: int | None = None


FULL_DETAIL: Final = Detail()


@dataclass(slots=True)
class Analyses:
    """The analyses of a page.

    Parameters
    ----------
    entries
        The member ``analyses`` of the page's data, without curves.
    skipped
        Sentences on frames that could not be read.
    curves
        Number of curves of all simulations.
    contents
        What is drawn of each entry.
    cache
        Where encoded curves are kept.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    curves: int = 0
    contents: list[AnalysisContent] = field(default_factory=list)
    cache: Cache = Cache(None)  # noqa: RUF009  # frozen
    _bands: dict[int, dict[str, Any]] = field(default_factory=dict)

    def blobs(self, detail: Detail) -> Iterator[tuple[str, bytes]]:
        """Yield the curves at some detail: name of the data, such as ``analysis-0``, and bytes."""
        for number, content in enumerate(self.contents):
            if content.number_of_curves:
                yield f"analysis-{number}", self._curves(number, content, detail)

    def encoded(self, detail: Detail) -> Iterator[tuple[str, str]]:
        """Yield what `blobs` does as `payload.encode` returns it, from the cache if it is there."""
        for number, content in enumerate(self.contents):
            if not content.number_of_curves:
                continue
            key = _curves_key(content, detail)
            kept = self.cache.get("curves", key)
            if kept is None:
                kept = encode(self._curves(number, content, detail)).encode()
                self.cache.put("curves", key, kept)
            yield f"analysis-{number}", kept.decode()

    def _curves(self, number: int, content: AnalysisContent, detail: Detail) -> bytes:
        """Return the curves of an analysis."""
        simulations, groups = content.simulations, content.groups
        hashes = [hash_ for hash_, summary in content.summaries.items() if summary.curves]
        chosen = spread_over(hashes, simulations, detail.simulations)
        is_sample = len(chosen) < len(hashes)
        parts = (
            (
                simulations.numbers[hash_],
                [groups[group] for group in content.summaries[hash_].groups],
                content.summaries[hash_].curves,
            )
            for hash_ in chosen
        )
        bands = self._bands_of(number, content) if is_sample else None
        return merge_curves(parts, detail.points, sample=is_sample, bands=bands)

    def _bands_of(self, number: int, content: AnalysisContent) -> dict[str, Any]:
        """Return the bands of all simulations in each view, which are made once."""
        if number not in self._bands:
            rows = (content.rows(names, view, SCREEN) for names, view in content.views)
            numbers = {hash_[:HASH_DIGITS]: n for hash_, n in content.simulations.numbers.items()}
            self._bands[number] = {
                str(place): {
                    "bands": own["bands"],
                    "far": [row | {"row": numbers[row["name"]]} for row in own["far"]],
                }
                for place, own in enumerate(rows)
                if own.get("bands")
            }
            forget_members()
        return self._bands[number]


def read_analyses(
    transaction: Transaction,
    snapshot: Snapshot,
    names: Sequence[str],
    *,
    colour: str | None,
    start: Start,
    cache: Cache | None = None,
) -> Analyses:
    """Read the analyses of the simulations of a report.

    Parameters
    ----------
    transaction
        A transaction of the store.
    snapshot
        The simulations.
    names
        Names of the analyses.
    colour
        Path of the field by which curves are coloured.
    start
        What is left out of statistics as equilibration.
    cache
        Where summaries of frames and pictures are kept. Default: the user's.
    """
    cache = user_cache() if cache is None else cache
    simulations = _simulations(snapshot, colour, start)
    analyses = Analyses(cache=cache)
    for name in names:
        table = analysis_table(name)
        stored = stored_frames(transaction, table, simulations.numbers)
        summarised = summarise_frames(transaction, table, stored, start, cache)
        corrupt = [*summarised.corrupt.values()]
        content = content_of(name, summarised.plan, summarised.summaries, corrupt, simulations)
        entry = {**content.entry(), "records": len(stored)}
        if drawn := picture(content, cache):
            entry["picture"] = drawn
        analyses.entries.append(entry)
        analyses.contents.append(content)
        analyses.skipped += corrupt
        analyses.curves += content.number_of_curves
    forget_members()
    return analyses


def _curves_key(content: AnalysisContent, detail: Detail) -> str:
    """Return the key of all that determines the curves of an analysis."""
    simulations = content.simulations
    places = [simulations.numbers[hash_] for hash_ in content.summaries]
    parts: list[Any] = [content.digest, places, list(content.groups), detail.points]
    if detail.simulations is not None:  # the colour decides which, and there are bands
        colour = [content.colour.field, dict(content.colour.values), simulations.compositions]
        views = [[*map(str, view.panels)] for _, view in content.views]
        parts += [detail.simulations, simulations.statuses, colour, views]
    return key_of("curves", parts)


def _simulations(snapshot: Snapshot, colour: str | None, start: Start) -> Simulations:
    """Return what plots need of the simulations."""
    compositions: Mapping[str, str] = {
        hash_: clean(text or "")
        for hash_, text in zip(snapshot.hashes, snapshot.compositions, strict=True)
    }
    return Simulations(
        {hash_: number for number, hash_ in enumerate(snapshot.hashes)},
        colour_of(snapshot, colour),
        snapshot.statuses,
        compositions,
        snapshot.privacy,
        start,
    )
