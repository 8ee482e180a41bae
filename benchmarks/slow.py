"""Pushes from a slow disk, beside the time that its calls take at least."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.bench import Bench, push
from benchmarks.measure import PROGRAM, Work

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


def slow(bench: Bench, size: int, delay: float) -> Iterator[Slow]:
    """Measure pushes of a campaign from a disk that is slow, with one reader and with several.

    Parameters
    ----------
    bench
        Where to measure.
    size
        Folders of the campaign.
    delay
        Milliseconds of each call.
    """
    campaign, none = bench.campaign(size), bench.records(0)
    for jobs, flags in _jobs():
        push_ = bench.ours(*push(campaign, *flags), start=none)
        command = [*SLOW, str(delay), str(campaign), "--", *push_.command[len(PROGRAM) :]]
        runs = [_once(replace(push_, command=command)) for _ in range(bench.repeats)]
        seconds, calls = map(statistics.median, zip(*runs, strict=True))
        work = f"push systems -j {jobs}, {size:,} folders, {delay:g} ms a call"
        yield Slow(work, seconds, round(calls), calls * delay / 1000 / jobs)


def _jobs() -> list[tuple[int, tuple[str, ...]]]:
    """Return numbers of readers and the flags for them; one and none if it cannot be told."""
    asked = [*PROGRAM, *push(Path(), "--help")]
    if "--jobs" not in subprocess.run(asked, capture_output=True, text=True, check=True).stdout:
        return [(1, ())]
    return [(jobs, ("--jobs", str(jobs))) for jobs in JOBS]


def _once(work: Work) -> tuple[float, int]:
    """Return the seconds that a push took, and its calls."""
    work.before()
    environment = os.environ | (work.environment or {})
    begun = time.perf_counter()
    done = subprocess.run(work.command, capture_output=True, text=True, env=environment, check=True)
    seconds = time.perf_counter() - begun
    return seconds, int(done.stderr.splitlines()[-1].split()[0])
