"""The benchmarks run; what they measure is not asserted here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TINY = [
    *("--repeats", "1", "--sizes", "100", "--many", "30", "--simulations", "10", "--rows", "5"),
    *("--table", "1", "--gigabytes", "0.001", "--records", "30"),
]
"""Small, and so that rows share what is made for them."""

ROWS = {
    "sqlite": {"start": 3, "systems": 4, "few": 2, "results": 1, "pull": 3, "memory": 2},
    "csv": {"append": 1},
    "postgres": {"pull": 3},
}
"""Groups to run, and their rows: of the others, what differs from SQLite."""


@pytest.mark.parametrize("kind", ROWS)
def test_the_benchmarks_print_a_row_for_each_work(kind: str, tmp_path: Path) -> None:
    expected = ROWS[kind]
    command = [sys.executable, "-m", "benchmarks", "--stores", kind, "--folder", str(tmp_path)]
    command += ["--only", *expected, *TINY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + sum(expected.values())
    assert all(len(row.split("|")) == len(rows[0].split("|")) for row in rows)


def test_the_requests_to_foundry_are_counted() -> None:
    command = [sys.executable, "-m", "benchmarks.foundry", "--sizes", "120", "--megabytes", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 8
    assert all(int(row[2]) > 0 for row in rows[1:])
