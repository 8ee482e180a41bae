"""Rows of reports: of a few simulations, of many with frames, again, and of very many."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bench import Bench, Row
from benchmarks.frames import ANALYSES
from benchmarks.measure import PROGRAM, Work, cost

FEW = 8
"""Simulations of a small report."""


def report(bench: Bench, simulations: int, rows: int, many: int) -> Iterator[Row]:
    """Compare reports with what cannot be done without, and with each other."""
    few = _pushed(bench, FEW, rows)
    version = bench.ours("--version")
    first, again = (_report(bench, few, known=known) for known in (False, True))
    cost([again], 1)
    work = f"report, {FEW} simulations"
    yield bench.compare(f"{work}, to --version", "3 s more", first, version)
    yield bench.compare(f"{work}, with a cache, to --version", "2 s more", again, version)
    store = _pushed(bench, simulations, rows)
    first, again = (_report(bench, store, known=known) for known in (False, True))
    work = f"report, {simulations:,} simulations x {len(ANALYSES)} frames of {rows:,} rows"
    yield bench.compare(f"{work}, to their tables", "3", first, _tables(bench, store))
    cost([again], 1)
    yield bench.compare(f"{work}, nothing new, to the first", "0.2", again, first)
    alone = _report(bench, bench.records(many), known=False)
    yield bench.alone(f"report, {many:,} simulations", "60 s, 800 MB", alone)


def _pushed(bench: Bench, simulations: int, rows: int) -> str:
    """Prepare a store with all records of a campaign with results."""
    campaign = bench.results(simulations, len(ANALYSES), rows)
    return bench.pushed(campaign, "all", bench.empty())


def _report(bench: Bench, store: str, *, known: bool) -> Work:
    """Return a report of a prepared store, with the cache of earlier ones if it is `known`."""
    page = str(bench.root / "report.html")
    return bench.ours("report", page, start=store, known=known)


def _tables(bench: Bench, store: str) -> Work:
    """Return the process that writes the table of each analysis, one after the other."""
    output = str(bench.root / "output.parquet")
    commands = [
        [
            *PROGRAM,
            "sync",
            "pull",
            "analysis",
            "--analysis-name",
            name,
            "--data",
            "--output",
            output,
        ]
        for name in ANALYSES
    ]
    script = " && ".join(map(shlex.join, commands))
    return replace(bench.reads("--version", store=store), command=["sh", "-c", script])
