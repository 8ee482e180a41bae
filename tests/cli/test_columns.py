"""Records stay one line each on a terminal of any width."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.cells import cell_len

from mdfactory.cli.layout import table_lines
from mdfactory.records.tables import SIMULATIONS

Terminal = Callable[..., Any]

HASH = "0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
SYSTEM = {
    "hash": HASH,
    "simulation_type": "protein_mixedbox",
    "parametrization": "smirnoff",
    "status": "equilibrated",
    "directory": f"/scratch/groups/solvents/2026/water_methanol/{HASH}",
    "composition": "SOL 405 + MEO 45 + ACT 12 + 氷 7",
    "system.target_density": "0.98",
}


def _lines(
    record: dict[str, str], width: int, **options: Any
) -> tuple[list[str], list[list[str]], list[str]]:
    """Return the lines of a table of one record, its cells, and the columns that are left out."""
    rows = pa.record_batch([pa.array([value]) for value in record.values()], names=[*record])
    left_out: list[str] = []
    options = {
        "required": SIMULATIONS.summary,
        "colour": False,
        "leave_out": left_out.extend,
    } | options
    lines = list(table_lines([rows], [*record], width, **options))
    return lines, [line.split() for line in lines], left_out


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_record_is_one_line_that_fits(width: int) -> None:
    lines, _, _ = _lines(SYSTEM, width)
    assert len(lines) == 2
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_the_columns_of_the_summary_always_stay(width: int) -> None:
    summary = {name: SYSTEM[name] for name in SIMULATIONS.summary}
    lines, cells, left_out = _lines(summary, width)
    assert max(map(len, lines)) <= width
    assert [len(row) for row in cells] == [5, 5]
    assert HASH.startswith(cells[1][0])
    assert len(cells[1][0]) >= 8
    assert left_out == []


def test_paths_are_shortened_before_the_names_of_columns() -> None:
    summary = {name: SYSTEM[name] for name in SIMULATIONS.summary}
    lines, _, _ = _lines(summary, 100)
    assert lines[0].split() == [*SIMULATIONS.summary]
    assert lines[1].endswith("/0BDC04CC155D…")
    lines, _, _ = _lines(summary, 72)
    assert lines[0].split()[2] == "paramet…"
    assert lines[1].split()[:4] == ["0BDC04CC155D", "protein_mixedbox", "smirnoff", "equilibrated"]


def test_columns_that_do_not_fit_are_left_out_from_the_last_and_named_at_the_end() -> None:
    _, cells, left_out = _lines(SYSTEM, 60)
    assert len(cells[0]) == 5
    assert left_out == ["composition", "system.target_density"]


def test_columns_that_were_asked_for_are_left_out_last() -> None:
    record = {"hash": HASH, "files": "x" * 50, "timestamp_utc": "2026-01-02T03:04", "pH": "7.0"}
    lines, _, left_out = _lines(record, 30, required=["hash"], wanted=["pH"])
    assert lines == ["hash          files        pH", "0BDC04CC155D  xxxxxxxxxx…  7.0"]
    assert left_out == ["timestamp_utc"]


def test_a_number_is_never_cut() -> None:
    record = {"hash": HASH, "system.target_density": "0.98765432101", "count": "-1e-05"}
    _, cells, _ = _lines(record, 35, required=["hash"])
    assert cells == [["hash", "…rget_density", "count"], [HASH[:12], "0.98765432101", "-1e-05"]]
    _, cells, left_out = _lines(record, 34, required=["hash"])
    assert cells[1] == [HASH[:12], "0.98765432101"]
    assert left_out == ["count"]


def test_full_shows_columns_that_do_not_fit_in_lines_of_their_own() -> None:
    lines, _, left_out = _lines(SYSTEM, 100, blocks=True)
    assert lines[:2] == [f"{'hash':21}  {HASH}", f"{'simulation_type':21}  protein_mixedbox"]
    assert len(lines) == len(SYSTEM) + 1
    assert left_out == []
    assert len(_lines(SYSTEM, 200, blocks=True)[0]) == 2


@pytest.mark.parametrize("width", ["60", "80", "120"])
def test_pull_systems_has_one_line_for_each_simulation(
    terminal: Terminal, pushed_all: Path, width: str
) -> None:
    assert pushed_all.exists()
    fields = ["--field", "composition", "--field", "system.target_density"]
    words = ["sync", "pull", "systems", *fields, "--sort", "status"]
    lines = terminal(*words, env={"COLUMNS": width}).text.splitlines()
    statuses = ["build"] * 2 + ["equilibrated", "production"] + ["completed"] * 4
    shown = [line.split()[3].rstrip("…") for line in lines[1:9]]
    assert all(map(str.startswith, statuses, shown))
    assert all(len(status) >= 4 for status in shown)
    assert all(" SOL " in line for line in lines[1:9])
    assert [line for line in lines[:9] if len(line) > int(width)] == []
    assert lines[9].startswith("8 simulations: ")


def test_the_overview_of_a_narrow_terminal_names_the_results(
    terminal: Terminal, pushed_all: Path
) -> None:
    assert pushed_all.exists()
    words = ["sync", "pull", "analysis", "--sort", "status", "--limit", "3"]
    lines = terminal(*words, env={"COLUMNS": "60"}).text.splitlines()
    assert [line.split()[3].partition("_")[0] for line in lines[:4]] == [
        "item",
        "box",
        "density",
        "hydrogen",
    ]
    assert lines[4] == (
        "columns left out, because the terminal is too narrow: row_count, file_count, directory, "
        "updated_at. --full shows all columns"
    )


def test_required_columns_make_room_for_columns_that_were_asked_for() -> None:
    record = {name: SYSTEM[name] for name in SIMULATIONS.summary} | {"species.DMS.fraction": "0.45"}
    lines, cells, left_out = _lines(record, 60, wanted=["species.DMS.fraction"])
    assert left_out == []
    assert cells[0][-1] == "….DMS.fraction"
    assert cells[1] == [HASH[:12], "pro…", "smi…", "equilibrated", "…5D…", "0.45"]
    assert max(map(len, lines)) <= 60


def test_columns_that_were_asked_for_are_shortened_last() -> None:
    wanted = {"composition": "SOL 450 + ETH 50", "species.ETH.fraction": "0.1"}
    record = {name: SYSTEM[name] for name in SIMULATIONS.summary} | wanted
    lines, _, left_out = _lines(record, 80, wanted=[*wanted])
    assert left_out == []
    assert lines[0].endswith("dir…  composition       …es.ETH.fraction")
    assert "SOL 450 + ETH 50" in lines[1]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("width", "wanted", "shown"),
    [
        (60, {"composition": "SOL 135 + MEO 315 + ACT"}, "SOL 135 + MEO 315 + ACT"),
        (
            80,
            {
                "composition": "SOL 450 + ETH 50",
                "species.SOL.count": "450",
                "parametrization_config.forcefield": "amber99sb-ildn",
            },
            "SOL 450 + ETH 50  450       amber99sb-ildn",
        ),
        (80, {"composition": "SOL 135 + MEO 315", "a.b": "1", "c.d": "a longer text"}, "MEO 315"),
    ],
)
def test_columns_that_were_asked_for_are_whole_before_hash_and_status(
    width: int, wanted: dict[str, str], shown: str
) -> None:
    record = {name: SYSTEM[name] for name in SIMULATIONS.summary} | wanted
    lines, cells, left_out = _lines(record, width, wanted=[*wanted])
    assert left_out == []
    assert shown in lines[1]
    assert cells[1][1] == "pro…"
    assert HASH.startswith(cells[1][0])
    assert len(cells[1][0]) >= 8
    assert max(map(len, lines)) <= width


def test_the_width_of_a_column_is_that_of_the_records_of_several_batches() -> None:
    texts = ["SOL 1", "SOL 405 + MEO 45 + ACT 12"]
    batches = [pa.record_batch([pa.array([text])], names=["composition"]) for text in texts]
    assert [*table_lines(batches, ["composition"], 80, colour=False)] == ["composition", *texts]


def test_status_of_a_narrow_terminal_has_headings_of_several_lines(
    terminal: Terminal, pushed_all: Path
) -> None:
    for width, height in (("60", 3), ("100", 1)):
        screen = terminal("sync", "status", pushed_all, "--quiet", env={"COLUMNS": width})
        lines = screen.text.splitlines()
        assert lines[height].startswith("systems ")
        assert " ".join(lines[height - 1].split()).startswith("new changed unchanged")
        assert max(map(len, lines[: height + 3])) <= int(width)
