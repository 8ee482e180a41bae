"""The commands that work on a campaign CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Program = Callable[..., Any]
BAD = "simulation_type,system.total_count\nplasma,1\nmixedbox,many\n"


def test_check_counts_the_valid_rows(mdfactory: Program, campaign: Path, hashes: list[str]) -> None:
    file = campaign / "campaign.csv"
    result = mdfactory("check-csv", file)
    assert (result.code, result.out) == (0, f"{file}: 8 valid rows (8 mixedbox)\n")
    rows = mdfactory("check-csv", file, "--json").json["rows"]
    assert sorted(row["hash"] for row in rows) == hashes
    assert rows[0].items() >= {"row": 1, "line": 2, "simulation_type": "mixedbox"}.items()


@pytest.mark.parametrize("command", ["check-csv", "prepare-build"])
def test_all_invalid_rows_are_listed_and_nothing_is_written(
    mdfactory: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text(BAD, encoding="utf-8")
    result = mdfactory(command, "bad.csv")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        "error: bad.csv: 2 invalid rows; nothing was written:\n  row 1 (line 2): "
    )
    assert "\n  row 2 (line 3): system.species: is missing" in result.err
    problems = mdfactory(command, "bad.csv", "--json").json["problems"]
    assert [(problem["row"], problem["line"]) for problem in problems] == [(1, 2), (2, 3)]
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


@pytest.mark.parametrize("command", ["check-csv", "prepare-build"])
def test_a_missing_file_is_named(mdfactory: Program, command: str) -> None:
    result = mdfactory(command, "/no/such.csv")
    assert (result.code, result.out) == (1, "")
    assert "/no/such.csv" in result.err


def test_unknown_columns_cause_a_warning(mdfactory: Program, campaign: Path) -> None:
    file = campaign / "campaign.csv"
    lines = [f"{line},x" for line in file.read_text(encoding="utf-8").splitlines()]
    file.write_text("\n".join(lines), encoding="utf-8")
    result = mdfactory("check-csv", file)
    assert result.code == 0
    assert result.err == f"warning: {file}: ignored unknown columns: x\n"


def test_a_campaign_from_table_to_store(
    store: Program,
    campaign: Path,
    tmp_path: Path,
    hashes: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = campaign / "campaign.csv"
    result = store("prepare-build", file, tmp_path / "new")
    assert result.code == 0
    assert result.out == (
        f"8 folders created, 0 already existed; build summary: {tmp_path}/new/campaign.yaml\n"
    )
    again = store("prepare-build", file, tmp_path / "new", "--json").json
    assert (again["made"], len(again["kept"]), again["backup"]) == ([], 8, None)
    monkeypatch.chdir(tmp_path / "new")
    pushed = store("sync", "push", "systems", "--csv", file, "--json")
    assert (pushed.code, pushed.json["counts"]["inserted"]) == (0, 8)
    rows = store("sync", "pull", "systems", "--json", "--sort", "hash").json["rows"]
    assert [row["directory"] for row in rows] == [str(tmp_path / "new" / name) for name in hashes]


def test_rows_without_a_folder_are_named_with_exit_code_3(store: Program, campaign: Path) -> None:
    file = campaign / "campaign.csv"
    result = store(
        "sync",
        "push",
        "systems",
        "--csv",
        file,
        "--csv-root",
        campaign / "CC4D89E0997487E23A5CA417BC302361B5440904",
    )
    assert result.code == 3
    assert result.out == (
        "1 inserted, 0 updated, 0 unchanged, 7 skipped (7 invalid, not found or duplicate)\n"
    )
    assert result.err.count("skipped: ") == 7
    assert (
        f"{file}: row 2 (line 3): no simulation with hash 0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
        in result.err
    )


@pytest.mark.parametrize(
    "arguments",
    [[], ["a", "--csv", "b"], ["a", "--csv-root", "b"], ["--csv-root", "b"]],
)
def test_exactly_one_source_is_taken(store: Program, arguments: list[str]) -> None:
    result = store("sync", "push", "systems", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "--csv" in result.err
