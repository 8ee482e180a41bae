"""The benchmarks run; what they measure is not asserted here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

TINY = [
    *("--repeats", "1", "--sizes", "100", "--many", "30", "--simulations", "10", "--rows", "5"),
    *("--table", "1", "--gigabytes", "0.001", "--records", "30"),
]
"""Small, and so that rows share what is made for them."""

ROWS = {"start": 3, "systems": 5, "results": 2, "pull": 3, "memory": 2}


def test_the_benchmarks_print_a_row_for_each_work(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", *ROWS, "--folder", str(tmp_path)]
    done = subprocess.run([*command, *TINY], cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + sum(ROWS.values())
    assert all(len(row.split("|")) == len(rows[0].split("|")) for row in rows)
