"""The benchmarks run; what they measure is not asserted here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from benchmarks.__main__ import OWN, STORES
from benchmarks.bench import COLUMNS
from benchmarks.figures import Figure, keep, read
from benchmarks.foundry import COLUMNS as FOUNDRY
from benchmarks.growth import Growth, compared
from benchmarks.measure import Cost
from benchmarks.page import PAGE, renewed, table
from benchmarks.plot import draw, spread
from benchmarks.slowdisk import slow

from mdfactory.records.tables import SIMULATIONS
from mdfactory.stores import store_at

ROOT = Path(__file__).parent.parent

TINY = [
    *(
        "--repeats",
        "1",
        "--sizes",
        "100",
        "--runs",
        "3",
        "--many",
        "30",
        "--simulations",
        "10",
        "--rows",
        "5",
    ),
    *("--plotted", "10", "--points", "5", "--files", "10"),
    *("--table", "1", "--gigabytes", "0.001", "--records", "30"),
]
"""Small, and so that rows share what is made for them."""

ROWS = [
    ("sqlite", {"start": 3}),
    ("sqlite", {"systems": 8, "adopt": 1, "few": 2, "results": 2, "pull": 3, "memory": 2}),
    ("sqlite", {"plots": 2, "report": 5, "files": 2}),
    ("csv", {"append": 1}),
    ("postgres", {"pull": 3}),
]
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


@pytest.mark.parametrize(
    ("kind", "expected"),
    [ROWS[0], *(pytest.param(*rows, marks=pytest.mark.long) for rows in ROWS[1:])],
)
def test_the_benchmarks_print_a_row_for_each_work(
    kind: str, expected: dict[str, int], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "benchmarks", "--stores", kind, "--folder", str(tmp_path)]
    command += ["--only", *expected, *TINY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + sum(expected.values())
    assert all(len(row.split("|")) == len(rows[0].split("|")) for row in rows)


@pytest.mark.long
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
    for name, columns in (dict.fromkeys(STORES, COLUMNS) | OWN | {"foundry": FOUNDRY}).items():
        assert renewed(text, name, columns, (), "") == text


def _costs(*seconds: float) -> list[Cost]:
    return [Cost(one, one, 100) for one in seconds]


def test_growth_is_that_of_what_one_more_costs() -> None:
    start, small, large = _costs(0.5, 0.5 + 0.999, 0.5 + 1.5 * 99.999)
    grown = Growth("push", (1_000, 100_000), start, small, large)
    assert grown.each == pytest.approx((0.001, 0.0015))
    assert grown.ratio == pytest.approx(1.5)
    begins = "| growth of push, 1,000 -> 100,000 | 1.50 | 1.2 | 1.500 | 1.000 | 150.50 | 1.50 |"
    assert str(grown).startswith(begins)
    assert len(str(grown).split("|")) == len(OWN["growth"]) + 2


def test_growth_that_is_lost_in_the_start_has_no_ratio() -> None:
    start, small, large = _costs(0.5, 0.49, 0.6)
    grown = Growth("floor: listing", (10, 1_000), start, small, large)
    assert grown.ratio is None
    assert str(grown).startswith("| growth of floor: listing, 10 -> 1,000 |  |  |")


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((1, 100, 1_000, 10_000, 100_000), [(1_000, 100_000)]),
        ((1, 2, 4), [(2, 4)]),
        ((1, 50, 300, 40_000), [(300, 40_000)]),
        ((1, 5), []),
        ((1,), []),
    ],
)
def test_the_largest_size_is_compared_with_about_a_hundredth(
    sizes: tuple[int, ...], expected: list[tuple[int, int]]
) -> None:
    (one,) = _costs(1)
    assert [grown.sizes for grown in compared({"it": dict.fromkeys(sizes, one)})] == expected


def test_figures_of_the_same_size_and_work_are_replaced(tmp_path: Path) -> None:
    file = tmp_path / "figures.csv"
    keep(file, [Figure(1, "push", 0.5), Figure(10, "push", 1), Figure(1, "a floor, bare", 0.1)])
    keep(file, [Figure(10, "push", 2), Figure(2, "push", 0.75)])
    expected = [Figure(1, "a floor, bare", 0.1)]
    expected += [Figure(1, "push", 0.5), Figure(2, "push", 0.75), Figure(10, "push", 2)]
    assert read(file) == expected


def test_labels_are_moved_apart_in_their_order() -> None:
    assert spread([0.5, 0.1, 0.5, 0.52], 0.25) == [0.5, 0.1, 0.75, 1.0]


def test_the_same_figures_are_drawn_alike(tmp_path: Path) -> None:
    works = ("push systems", "floor of push systems", "pull systems")
    figures = [Figure(size, work, size / 10) for work in works for size in (1, 1_000)]
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    draw(figures, first)
    draw(figures, second)
    assert first.read_bytes() == second.read_bytes()
    assert all(f"<!-- {work} -->" in first.read_text(encoding="utf-8") for work in works)


def test_calls_below_a_folder_are_counted_in_all_threads(tmp_path: Path) -> None:
    root, beside = tmp_path / "root", tmp_path / "root_too"
    root.mkdir()
    beside.mkdir()
    file = root / "file"
    plain = os.stat, open
    with slow(root, 0) as counted:
        file.write_text("text", encoding="utf-8")
        os.close(os.open(file, os.O_RDONLY))
        open(file=bytes(file), encoding="utf-8").close()
        assert os.path.islink(file) is False
        assert not (root / "absent").exists()
        assert os.listdir(root) == ["file"]
        with os.scandir(root) as entries:
            assert all(entry.is_file() for entry in entries)
        (beside / "file").write_text("text", encoding="utf-8")
        os.listdir(beside)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(os.stat, [file] * 100))
    assert counted == {"open": 3, "lstat": 1, "stat": 101, "listdir": 1, "scandir": 1}
    assert (os.stat, open) == plain


def test_a_push_from_a_slow_disk_lists_and_opens_each_folder_once(campaign: Path) -> None:
    folders = len(list(campaign.glob("*/*.yaml")))
    (campaign / "campaign.yaml").unlink()  # read as well, as it could be a simulation's
    store_at(f"sqlite:///{os.environ['MDFACTORY_DATA_DIR']}").create(SIMULATIONS)
    command = [sys.executable, "-m", "benchmarks.slowdisk", "1", str(campaign), "--"]
    command += ["sync", "push", "systems", str(campaign)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    last = done.stderr.splitlines()[-1]
    assert f" open {folders}, " in last
    assert f" scandir {folders + 1}, " in last
