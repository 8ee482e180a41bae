"""Each command works the same on every store."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mdfactory import Simulation
from mdfactory.cli.app import run
from mdfactory.records.tables import analysis_table

from .conftest import on, on_each

Program = Callable[..., Any]

FIRST = "9696455838C189BE031418DE5280D6042B243D8D"


def _lines(result: Any) -> list[dict[str, str]]:
    names, *rows = (line.split("\t") for line in result.out.splitlines())
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.mark.usefixtures("kind")
def test_a_campaign_goes_in_and_comes_back(
    mdfactory: Program, campaign: Path, tmp_path: Path
) -> None:
    assert "mdfactory sync init all" in mdfactory("sync", "push", "all", campaign).err
    for tables in ("systems", "analysis", "artifacts", "all"):
        assert mdfactory("sync", "init", tables).code == 0
    assert mdfactory("sync", "push", "systems", campaign).out.startswith("8 inserted")
    assert mdfactory("sync", "push", "analysis", campaign).out.startswith("19 inserted")
    assert mdfactory("sync", "push", "artifacts", campaign).out.startswith("6 inserted")
    assert mdfactory("sync", "push", "systems", campaign).code == 1
    assert mdfactory("sync", "push", "all", campaign, "--diff").out.startswith(
        "0 inserted, 0 updated, 0 unchanged, 33 skipped"
    )
    assert mdfactory("sync", "push", "all", campaign, "--update").out.startswith(
        "0 inserted, 0 updated, 33 unchanged"
    )
    assert mdfactory("sync", "push", "all", campaign, "--force").out.startswith(
        "0 inserted, 33 updated"
    )
    rows = _lines(mdfactory("sync", "pull", "systems", "--status", "completed"))
    assert len(rows) == 4
    rows = _lines(mdfactory("sync", "pull", "systems", "--hash", "cc4d", "--full"))
    built = Simulation.open(campaign / rows[0]["hash"]).build_input
    assert rows[0]["input_data"] == built.canonical_json
    assert len(_lines(mdfactory("sync", "pull", "analysis", "--status", "completed"))) == 19
    assert len(_lines(mdfactory("sync", "pull", "artifacts", "--overview"))) == 16
    file = tmp_path / "rdf.parquet"
    pull = ("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen", "--hash", FIRST)
    assert mdfactory(*pull, "--data", "--output", file).code == 0
    own = pq.read_table(campaign / FIRST / ".analysis" / "rdf_oxygen.parquet")
    assert pq.read_table(file).drop_columns("hash").equals(own)
    file = tmp_path / "plots.json"
    pull = ("sync", "pull", "artifacts", "--artifact-name", "density_plot", "--output", file)
    assert mdfactory(*pull).code == 0
    assert len([json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]) == 3


@pytest.mark.usefixtures("kind")
def test_a_store_is_checked(mdfactory: Program) -> None:
    result = mdfactory("sync", "init", "check")
    assert result.code == 1
    assert "NO  table RUN_DATABASE: missing. Run: mdfactory sync init systems" in result.out
    assert "NO  tables of 12 known analyses: missing: ANALYSIS_system_chemistry, " in result.out
    mdfactory("sync", "init", "systems")
    mdfactory("sync", "init", "artifacts")
    result = mdfactory("sync", "init", "check")
    assert result.code == 1
    assert result.out.count("NO") == 1
    mdfactory("sync", "init", "analysis")
    result = mdfactory("sync", "init", "check", "--json")
    assert result.code == 0
    assert result.json["sound"]
    assert [check["what"] for check in result.json["checks"]][-6:] == [
        "read access and format",
        "write access",
        "table RUN_DATABASE",
        "table ANALYSIS_OVERVIEW",
        "tables of 12 known analyses",
        "tables of 4 known artifacts",
    ]


def test_a_check_reports_the_problems_of_the_store(mdfactory: Program, tmp_path: Path) -> None:
    config = tmp_path / "a.ini"
    config.write_text("[database]\nTYPE = csv\n[csv]\nANALYSIS_DB_PATH = a\n", encoding="utf-8")
    mdfactory("sync", "init", "all", "--config", config)
    theirs = tmp_path / "a" / "ANALYSIS_LIPID_RG.csv"
    theirs.write_text("hash\n", encoding="utf-8")
    result = mdfactory("sync", "init", "check", "--config", config)
    assert result.code == 1
    assert "NO  read access" in result.out
    assert f"{theirs} and {tmp_path}/a/ANALYSIS_lipid_rg.csv differ only in case" in result.out
    config.write_text(
        "[database]\nTYPE = postgres\n[postgres]\nURL = postgresql://127.0.0.1:1/lab\n", "utf-8"
    )
    result = mdfactory("sync", "init", "check", "--config", config)
    assert result.code == 1
    assert "NO  read access" in result.out
    assert "connection" in result.out


def _twice(folder: Path, theirs: str, ours: str) -> Path:
    """Make a CSV store with one analysis in two files, each with records of these hashes."""
    config = folder / "a.ini"
    config.write_text("[database]\nTYPE = csv\n[csv]\nANALYSIS_DB_PATH = a\n", encoding="utf-8")
    run(["sync", "init", "all", "--config", str(config)])
    names = ",".join(analysis_table("lipid_rg").columns)
    for name, hashes in (("LIPID_RG", theirs), ("lipid_rg", ours)):
        lines = [names, *(f'{hash_},/x,bilayer,1,[],"x\n1\n",d,t' for hash_ in hashes)]
        file = folder / "a" / f"ANALYSIS_{name}.csv"
        file.write_text("\n".join(lines), encoding="utf-8")  # without a newline at its end
    return config


def test_a_check_prints_the_command_that_merges_two_files_of_one_table(
    mdfactory: Program, tmp_path: Path
) -> None:
    config = _twice(tmp_path, "AB", "C")
    result = mdfactory("sync", "init", "check", "--config", config, "--json")
    (failed,) = result.json["checks"]
    subprocess.run(["sh", "-c", failed["command"]], check=True)
    pull = ("sync", "pull", "analysis", "--analysis-name", "lipid_rg", "--config", config)
    assert [row["hash"] for row in _lines(mdfactory(*pull))] == ["A", "B", "C"]
    assert not (tmp_path / "a" / "ANALYSIS_lipid_rg.csv").exists()
    assert mdfactory("sync", "init", "check", "--config", config).code == 0


def test_a_check_names_records_that_are_in_both_files(mdfactory: Program, tmp_path: Path) -> None:
    result = mdfactory("sync", "init", "check", "--config", _twice(tmp_path, "AB", "BA"))
    assert "2 records of the same key in both files (A, B)" in result.out


@pytest.mark.usefixtures("kind")
@on("sqlite", "postgres")
def test_cleared_records_are_removed(mdfactory: Program, campaign: Path) -> None:
    mdfactory("sync", "init", "all")
    mdfactory("sync", "push", "all", campaign)
    clear = ("sync", "clear", "analysis", "--yes")
    assert mdfactory(*clear, "--analysis-name", "rdf_oxygen").code == 0
    rows = _lines(mdfactory("sync", "pull", "analysis", "--status", "completed"))
    assert len(rows) == 15
    assert mdfactory(*clear, "--artifact-name", "density_plot", "--hash", "CC").code == 0
    for flag in ("--analyses", "--artifacts", "--overview", "--all"):
        assert mdfactory(*clear, flag).code == 0
    assert mdfactory("sync", "clear", "systems", "--yes").out == (
        "RUN_DATABASE: 8 records removed\n"
    )
    assert mdfactory("sync", "clear", "all", "--yes").out == "no records to remove\n"
    result = mdfactory("sync", "init", "all", "--force", "--json")
    assert all(table["existed"] and not table["removed"] for table in result.json["tables"])


FLAGS = ["--diff", "--update", "--force"]
SAMPLE = {("sqlite", "--update"), ("csv", "--diff"), ("postgres", "--force"), ("foundry", "--diff")}
"""Stores and conflict modes that each run tests."""

PUSHES = """
import io, os, sys
from contextlib import redirect_stdout
from mdfactory.cli.app import run

flag, folder, *sources = sys.argv[1:]
run(["sync", "push", "all", sources[0], flag, "--dry-run", "--quiet"])  # loads what a push needs
for number, source in enumerate(sources):
    if not os.fork():
        with open(f"{folder}/{number}.json", "w") as file, redirect_stdout(file):
            code = run(["sync", "push", "all", source, flag, "--json"])
        os._exit(code)
sys.exit(any(os.wait()[1] for _ in sources))
"""
"""Eight programs that push at the same time; each is its own process."""


@on_each("flag", FLAGS, SAMPLE)
@pytest.mark.usefixtures("kind")
def test_eight_processes_that_push_at_once_lose_nothing(
    mdfactory: Program, campaign: Path, tmp_path: Path, flag: str
) -> None:
    """Four push all of the campaign, four a quarter of it each."""
    mdfactory("sync", "init", "all")
    folders = sorted(path for path in campaign.iterdir() if path.is_dir())
    quarters = [folders[start::4] for start in range(4)]
    for number, quarter in enumerate(quarters):
        (campaign.parent / f"{number}.yaml").write_text(
            json.dumps({"system_directory": list(map(str, quarter))}), encoding="utf-8"
        )
    sources = [campaign] * 4 + [campaign.parent / f"{number}.yaml" for number in range(4)]
    reports = tmp_path / "reports"
    reports.mkdir()
    command = [sys.executable, "-c", PUSHES, flag, str(reports), *map(str, sources)]
    pushed = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert pushed.returncode == 0, pushed.stderr
    result = [json.loads(path.read_text(encoding="utf-8")) for path in reports.iterdir()]
    assert len(result) == 8
    assert sum(report["counts"]["inserted"] for report in result) == 33
    counted = {"--diff": "skipped", "--update": "unchanged", "--force": "updated"}[flag]
    assert sum(report["counts"][counted] for report in result) == 4 * 33
    assert len(_lines(mdfactory("sync", "pull", "systems"))) == 8
    overview = _lines(mdfactory("sync", "pull", "analysis", "--status", "completed"))
    assert len(overview) == 19
    again = mdfactory("sync", "push", "all", campaign, "--update", "--json").json["counts"]
    assert again == {"inserted": 0, "updated": 0, "unchanged": 33, "skipped": 0}


@pytest.fixture(params=["sqlite", "csv"])
def existing(request: pytest.FixtureRequest, data: Path, tmp_path: Path) -> Path:
    """The configuration of a store that an existing installation made."""
    kind, suffix = request.param, {"sqlite": ".db", "csv": ""}[request.param]
    folder = tmp_path / "store"
    shutil.copytree(data / "existing_stores" / kind, folder, copy_function=shutil.copyfile)
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o755)
    config = tmp_path / "a.ini"
    config.write_text(
        f"[database]\nTYPE = {kind}\n[{kind}]\nRUN_DB_PATH = store/runs.{suffix[1:] or 'csv'}\n"
        f"ANALYSIS_DB_PATH = store/analysis{suffix}\n",
        encoding="utf-8",
    )
    return config


def test_a_store_of_an_existing_installation_is_read_and_extended(
    mdfactory: Program, campaign: Path, existing: Path
) -> None:
    """Its files keep their names, so that the existing installation finds them."""
    before = {path.name for path in existing.parent.rglob("store/**/*.csv")}
    common = ("--config", existing)
    assert mdfactory("sync", "init", "check", *common).code == 0
    assert len(_lines(mdfactory("sync", "pull", "systems", *common))) == 8
    pull = ("sync", "pull", "analysis", "--analysis-name", "box_size_timeseries", "--sort", "hash")
    theirs = _lines(mdfactory(*pull, "--full", *common))
    assert len(theirs) == 4
    push = ("sync", "push", "all", campaign, "--json", *common)
    new = mdfactory(*push, "--diff").json["counts"]
    assert new["inserted"] + new["skipped"] == 33
    renewed = mdfactory(*push, "--update").json["counts"]
    assert (renewed["updated"], renewed["unchanged"]) == (new["skipped"], new["inserted"])
    assert mdfactory(*push, "--update").json["counts"]["unchanged"] == 33
    ours = _lines(mdfactory(*pull, "--full", *common))
    assert [row["data_csv"] for row in ours] == [row["data_csv"] for row in theirs]
    assert {row["directory"] for row in ours} == {str(campaign / row["hash"]) for row in ours}
    after = {path.name for path in existing.parent.rglob("store/**/*.csv")}
    assert before <= after
    assert len({name.lower() for name in after}) == len(after)


def test_a_password_appears_nowhere(
    mdfactory: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = "postgresql://me:s3cret@127.0.0.1:1/lab"
    monkeypatch.setenv("MDFACTORY_POSTGRES_URL", url)
    config = tmp_path / "a.ini"
    config.write_text("[database]\nTYPE = postgres\n", encoding="utf-8")
    for command in (["config", "show"], ["config", "show", "--json"], ["sync", "pull", "systems"]):
        result = mdfactory(*command, "--debug", "--config", config)
        assert "s3cret" not in result.out + result.err
    assert result.code == 1
    assert "PostgreSQL store me@127.0.0.1:1/lab cannot be read" in result.err


@pytest.mark.parametrize("url", ["postgresql://me:s3@cret@h/lab", "postgresql://me:s3/cret@h/lab"])
def test_a_url_whose_password_is_not_escaped_is_not_repeated(
    mdfactory: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.setenv("MDFACTORY_POSTGRES_URL", url)
    config = tmp_path / "a.ini"
    config.write_text("[database]\nTYPE = postgres\n", encoding="utf-8")
    for command in (["config", "show"], ["sync", "pull", "systems", "--wait", "1"]):
        result = mdfactory(*command, "--debug", "--config", config)
        assert "cret" not in result.out + result.err
        assert "s3" not in result.out + result.err
    assert result.code == 1


@pytest.mark.parametrize("status", [200, 401, 403, 500])
def test_a_token_appears_nowhere(
    mdfactory: Program, campaign: Path, foundry: Any, tmp_path: Path, status: int
) -> None:
    config = tmp_path / "a.ini"
    config.write_text("[database]\nTYPE = foundry\n", encoding="utf-8")
    mdfactory("sync", "init", "all", "--config", config)
    if status != 200:
        foundry.faults.answer(".", status, times=None)
    for command in (
        ["config", "show"],
        ["sync", "init", "check"],
        ["sync", "push", "all", campaign],
        ["sync", "pull", "systems", "--status", "completed"],
        ["sync", "status", campaign],
        ["sync", "clear", "all", "--yes"],
    ):
        result = mdfactory(*command, "--debug", "--config", config)
        assert foundry.token not in result.out + result.err
        assert "Bearer" not in result.out + result.err
        assert (result.code == 0) == (status == 200 or command[0] == "config")


def test_a_url_is_needed_for_postgres(mdfactory: Program, tmp_path: Path) -> None:
    config = tmp_path / "a.ini"
    for url, said in (
        ("", "[postgres] URL is not set"),
        ("nonsense//", "no URL that libpq accepts"),
    ):
        config.write_text(f"[database]\nTYPE = postgres\n[postgres]\nURL = {url}\n", "utf-8")
        result = mdfactory("sync", "pull", "systems", "--config", config)
        assert result.code == 1
        assert said in result.err
        assert f"mdfactory --config {config} config edit" in result.err
