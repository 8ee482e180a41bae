"""Pushes from a slow disk, beside the time that its calls take at least."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.bench import Bench, push
from benchmarks.measure import PROGRAM, Work
from benchmarks.rows import ANALYSES

COLUMNS = ("work", "ratio", "seconds", "calls", "calls x delay / jobs")

JOBS = (1, 8)
"""How many folders are read at a time."""

SLOW = [sys.executable, "-m", "benchmarks.slowdisk"]


@dataclass(frozen=True)
class Slow:
    """One line of the table.

    Parameters
    ----------
    work
        What was done.
    seconds
        What it took.
    calls
        To the file system, on the campaign.
    least
        Seconds that these would take alone.
    """

    work: str
    seconds: float
    calls: int
    least: float

    def __str__(self) -> str:
        ratio = f"{self.seconds / self.least:.2f}" if self.least else ""
        return f"| {self.work} | {ratio} | {self.seconds:.2f} | {self.calls:,} | {self.least:.2f} |"


def slow(bench: Bench, size: int, simulations: int, rows: int, delay: float) -> Iterator[Slow]:
    """Measure pushes of campaigns from a disk that is slow, with one reader and with several.

    Parameters
    ----------
    bench
        Where to measure.
    size
        Folders of a campaign without results, which is pushed for the first time.
    simulations, rows
        Folders of a campaign with results, and rows of each frame: it is pushed again unchanged.
    delay
        Milliseconds of each call.
    """
    campaign, none = bench.campaign(size), bench.records(0)
    results, empty = bench.results(simulations, ANALYSES, rows), bench.empty()
    again = push(results, "--update", what="all")
    works = {
        f"push systems, {size:,} folders": (bench.ours(*push(campaign), start=none), campaign),
        f"again all --update, {simulations * ANALYSES:,} frames unchanged": (
            bench.ours(*again, start=bench.pushed(results, "all", empty), known=True),
            results,
        ),
    }
    for what, (work, folder) in works.items():
        for jobs in JOBS:
            arguments = [*work.command[len(PROGRAM) :], "-j", str(jobs)]
            slowed = [*SLOW, str(delay), str(folder), "--", *arguments]
            runs = [_once(replace(work, command=slowed)) for _ in range(bench.repeats)]
            seconds, calls = map(statistics.median, zip(*runs, strict=True))
            least = calls * delay / 1000 / jobs
            yield Slow(f"{what} -j {jobs}, {delay:g} ms a call", seconds, round(calls), least)


def _once(work: Work) -> tuple[float, int]:
    """Return the seconds that a push took, and its calls."""
    work.before()
    environment = os.environ | (work.environment or {})
    begun = time.perf_counter()
    done = subprocess.run(work.command, capture_output=True, text=True, env=environment, check=True)
    seconds = time.perf_counter() - begun
    return seconds, int(done.stderr.splitlines()[-1].split()[0])
