"""The benchmarks run; what they measure is not asserted here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_benchmarks_print_a_row_for_each_work(tmp_path: Path) -> None:
    sizes = ["--sizes", "12", "--many", "30", "--repeats", "1", "--folder", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks", *sizes]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 3 + 4 + 1
    assert all(len(row.split("|")) == len(rows[0].split("|")) for row in rows)
