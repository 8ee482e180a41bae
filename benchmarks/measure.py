"""Whole processes, measured: wall time, CPU time, peak memory, calls to the file system."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = [sys.executable, "-m", "mdfactory"]
FLOOR = [sys.executable, "-m", "benchmarks.floors"]


@dataclass(frozen=True)
class Cost:
    """Medians of a process.

    Parameters
    ----------
    seconds
        Wall time.
    cpu
        User and system time, in seconds.
    megabytes
        Peak resident memory.
    """

    seconds: float
    cpu: float
    megabytes: float


@dataclass(frozen=True)
class Work:
    """Something to measure.

    Parameters
    ----------
    command
        The process.
    before
        Done before each run, not measured.
    environment
        Variables of the process beside those of this one.
    """

    command: Sequence[str]
    before: Callable[[], object] = lambda: None
    environment: dict[str, str] | None = None


def cost(works: Sequence[Work], repeats: int) -> list[Cost]:
    """Measure works in turn, `repeats` times, so that noise meets all of them alike."""
    runs: list[list[tuple[float, float, float]]] = [[] for _ in works]
    for _ in range(repeats):
        for work, measured in zip(works, runs, strict=True):
            work.before()
            measured.append(_once(work))
    return [Cost(*map(statistics.median, zip(*one, strict=True))) for one in runs]


def _once(work: Work) -> tuple[float, float, float]:
    begun = time.perf_counter()
    process = subprocess.Popen(
        work.command,
        stdout=subprocess.DEVNULL,
        env=os.environ | (work.environment or {}),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, work.command)
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def calls_below(work: Work, root: Path) -> dict[str, int]:
    """Count the file-system calls of a process on a campaign, with strace."""
    work.before()
    command = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "-e",
        "trace=%file,getdents64,read,fstat",
        *work.command,
    ]
    environment = os.environ | (work.environment or {})
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=True, errors="replace"
    )
    calls: dict[str, int] = {}
    for line in done.stderr.splitlines():
        name = re.match(r"(?:\[pid +\d+\] )?(\w+)\(", line)
        if name and str(root) in line:
            calls[name[1]] = calls.get(name[1], 0) + 1
    return calls
