"""The benchmarks run; what they measure is not asserted here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.__main__ import STORES
from benchmarks.bench import COLUMNS
from benchmarks.foundry import COLUMNS as FOUNDRY
from benchmarks.page import PAGE, renewed, table

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

TEXT = """\
before

<!-- table: one -->
1. a machine
2. another

| work | seconds | run |
|---|---|---|
| first | 1 | 1 |
| second |  | 2 |
| third | 3 | 1 |

<!-- end -->

between
<!-- table: two -->
Not measured yet.
<!-- end -->
after
"""


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


def test_rows_of_a_page_are_renewed_where_they_stand_and_others_are_kept() -> None:
    page = renewed(
        TEXT, "one", ("work", "seconds"), ["| second | 2 |", "| fourth | 4 |"], "a third"
    )
    assert page == TEXT.replace("2. another", "2. a third").replace(
        "| second |  | 2 |", "| second | 2 | 2 |"
    ).replace("| third | 3 | 1 |", "| third | 3 | 1 |\n| fourth | 4 | 2 |")


def test_a_run_is_named_above_a_table_as_long_as_a_row_comes_from_it() -> None:
    rows = ["| first | 0 |", "| third | 0 |"]
    page = renewed(TEXT, "one", ("work", "seconds"), rows, "a third")
    assert "1. a third\n2. another\n\n" in page
    assert "| second |  | 2 |" in page


def test_a_table_without_rows_is_filled() -> None:
    page = renewed(TEXT, "two", ("work",), ["| new |"], "a run")
    filled = "1. a run\n\n| work | run |\n|---|---|\n| new | 1 |\n\n"
    assert page == TEXT.replace("Not measured yet.\n", filled)


def test_rows_under_other_columns_are_not_kept() -> None:
    page = renewed(TEXT, "one", ("work", "minutes"), ["| new | 1 |"], "a run")
    assert "first" not in page
    assert "| work | minutes | run |\n|---|---|---|\n| new | 1 | 1 |\n\n<!-- end -->" in page


def test_a_page_without_the_table_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(TEXT, encoding="utf-8")
    with (
        pytest.raises(LookupError, match="table: three"),
        table("three", ("work",), command="it", repeats=1, page=page),
    ):
        pytest.fail("measured")


def _failing(folder: Path) -> Iterator[str]:
    yield "| new |"
    os.listdir(folder / "absent")


def test_rows_are_kept_when_a_measurement_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(TEXT, encoding="utf-8")
    kept = table("two", ("work",), command="it --all", repeats=5, page=page)
    with pytest.raises(FileNotFoundError), kept as add:
        deque(map(add, _failing(tmp_path)))
    text = page.read_text(encoding="utf-8")
    assert "| new | 1 |" in text
    assert "; 5 runs of each; `it --all`; load average " in text


def test_the_page_has_each_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, columns in (dict.fromkeys(STORES, COLUMNS) | {"foundry": FOUNDRY}).items():
        assert renewed(text, name, columns, (), "") == text
