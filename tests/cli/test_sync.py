"""The sync commands, end to end on SQLite."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mdfactory.cli.app import SYNC_COMMANDS
from mdfactory.testing.records import run
from opened import opened

from .conftest import on

Program = Callable[..., Any]
FIRST = "0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
ZERO = {"inserted": 0, "updated": 0, "unchanged": 0, "skipped": 0}


def _break(campaign: Path) -> Path:
    broken = campaign / FIRST / f"{FIRST}.yaml"
    broken.write_text("simulation_type: mixedbox\n", encoding="utf-8")
    return broken.parent


def test_init_creates_the_table_once(mdfactory: Program) -> None:
    place = f"(SQLite store {os.environ['MDFACTORY_DATA_DIR']}/runs.db)"
    assert mdfactory("sync", "init", "systems").out == f"RUN_DATABASE: created {place}\n"
    assert mdfactory("sync", "init", "systems").out == f"RUN_DATABASE: already exists {place}\n"


def test_init_force_removes_the_records_and_counts_them(store: Program, campaign: Path) -> None:
    store("sync", "push", "systems", campaign)
    result = store("sync", "init", "systems", "--force")
    assert result.code == 0
    assert result.out.startswith("RUN_DATABASE: recreated, 8 records removed (SQLite store ")
    assert store("sync", "pull", "systems", "--json").json["rows"] == []


def test_init_reports_its_tables_as_json(store: Program) -> None:
    result = store("sync", "init", "systems", "--reset", "--json")
    assert result.json == {
        "command": "sync init systems",
        "tables": [{"table": "RUN_DATABASE", "existed": True, "removed": 0}],
        "files": None,
    }


@pytest.mark.parametrize("verb", ["push", "pull", "clear"])
def test_without_init_the_error_names_the_command_to_run(
    mdfactory: Program, campaign: Path, verb: str
) -> None:
    arguments = {"push": [campaign], "pull": [], "clear": ["--yes"]}[verb]
    result = mdfactory("sync", verb, "systems", *arguments)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: No store yet. Run: mdfactory config init\nor for the ")
    assert result.err.endswith("runs.db): mdfactory sync init all\n")


def test_a_store_that_a_file_chooses_is_named_without_a_choice(
    mdfactory: Program, tmp_path: Path
) -> None:
    config = tmp_path / "own.ini"
    config.write_text("[database]\nTYPE = csv\n", encoding="utf-8")
    result = mdfactory("sync", "log", "--config", config)
    data = Path(os.environ["MDFACTORY_DATA_DIR"])
    location = f"CSV store {data}/runs.csv has no tables"
    command = f"mdfactory --config {config} sync init all"
    assert result.err == f"error: No store yet: {location}. Run: {command}\n"


def test_a_store_with_some_tables_names_what_it_lacks(store: Program, campaign: Path) -> None:
    for kind, table in (("analysis", "ANALYSIS_OVERVIEW"), ("all", "ANALYSIS_OVERVIEW")):
        result = store("sync", "push", kind, campaign)
        assert f" has no table {table}. Run: mdfactory sync init {kind}\n" in result.err


def test_copying_from_an_empty_store_names_it_and_no_command(
    store: Program, tmp_path: Path
) -> None:
    result = store("sync", "copy", "--from", tmp_path / "typo", "--to", "sqlite")
    problem = f"SQLite store {tmp_path}/typo/runs.db does not exist"
    assert (result.code, result.err) == (1, f"error: {problem}\n")


def test_push_reports_counts(store: Program, campaign: Path) -> None:
    result = store("sync", "push", "systems", campaign / "campaign.yaml")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("8 inserted, 0 updated, 0 unchanged, 0 skipped\n")


@pytest.mark.parametrize(
    ("flag", "counts"),
    [
        ("--diff", {"skipped": 8}),
        ("--skip-existing", {"skipped": 8}),
        ("--update", {"unchanged": 8}),
        ("--force", {"updated": 8}),
    ],
)
def test_push_again_does_what_the_flag_says(
    store: Program, campaign: Path, flag: str, counts: dict[str, int]
) -> None:
    store("sync", "push", "systems", campaign)
    result = store("sync", "push", "systems", campaign, flag, "--json")
    assert result.code == 0
    store_path = Path(os.environ["MDFACTORY_DATA_DIR"]) / "runs.db"
    assert result.json == {
        "command": "sync push systems",
        "dry_run": False,
        "counts": ZERO | counts,
        "tables": {"RUN_DATABASE": ZERO | counts},
        "simulations": {"build": 2, "equilibrated": 1, "production": 1, "completed": 4},
        "results": [],
        "completed_without_results": [],
        "files": None,
        "operation": 2 if counts.get("updated") else None,
        "skipped": [],
        "warnings": [],
        "store": f"SQLite store {store_path}",
    }


def test_push_again_without_a_flag_writes_nothing_and_names_the_flags(
    store: Program, campaign: Path
) -> None:
    store("sync", "push", "systems", campaign / FIRST)
    result = store("sync", "push", "systems", campaign)
    assert (result.code, result.out) == (1, "")
    assert "nothing new" not in result.err
    for word in (FIRST[:12], "--diff", "--update", "--force", "nothing was written"):
        assert word in result.err
    assert len(store("sync", "pull", "systems", "--json").json["rows"]) == 1


@pytest.mark.parametrize("flag", ["-n", "--dry-run"])
def test_a_dry_run_writes_nothing(store: Program, campaign: Path, flag: str) -> None:
    result = store("sync", "push", "systems", campaign, flag)
    assert result.code == 0
    assert result.out.startswith("dry run, nothing was written. Without --dry-run: 8 inserted")
    assert store("sync", "pull", "systems", "--json").json["rows"] == []


def test_an_invalid_folder_is_named_with_exit_code_3(store: Program, campaign: Path) -> None:
    broken = _break(campaign)
    result = store("sync", "push", "systems", campaign)
    assert result.code == 3
    skipped = "1 skipped (1 invalid, not found or duplicate, named above)"
    assert result.out.startswith(f"7 inserted, 0 updated, 0 unchanged, {skipped}\n")
    assert result.err == f"skipped: {broken}: {FIRST}.yaml: system: is missing\n"


def test_skipped_folders_are_in_the_json(store: Program, campaign: Path) -> None:
    broken = _break(campaign)
    result = store("sync", "push", "systems", campaign, "--json", "--quiet")
    assert result.code == 3
    assert result.json["counts"] == ZERO | {"inserted": 7, "skipped": 1}
    assert result.json["skipped"] == [
        {"path": str(broken), "reason": f"{FIRST}.yaml: system: is missing"}
    ]


def test_a_name_with_control_characters_cannot_write_to_the_terminal(
    store: Program, tmp_path: Path
) -> None:
    folder = tmp_path / "red\x1b[31m\nerror: fake"
    folder.mkdir()
    (folder / "build.yaml").write_text("{}", encoding="utf-8")
    result = store("sync", "push", "systems", tmp_path)
    assert result.code == 3
    (line,) = result.err.splitlines()
    assert "red\\x1b[31m\\nerror: fake: build.yaml" in line


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_a_missing_source_is_named(store: Program, json_: list[str]) -> None:
    result = store("sync", "push", "systems", "/no/such/place", *json_)
    assert result.code == 1
    assert result.err.startswith("error: /no/such/place: there is no such folder")
    if json_:
        assert result.json["error"].startswith("/no/such/place: ")


def test_a_pipe_gets_tab_separated_values(
    store: Program, campaign: Path, hashes: list[str]
) -> None:
    store("sync", "push", "systems", campaign)
    result = store("sync", "pull", "systems", "--sort", "hash")
    assert result.rows[0] == ["hash", "simulation_type", "parametrization", "status", "directory"]
    assert [row[0] for row in result.rows[1:]] == hashes
    assert result.rows[1] == [FIRST, "mixedbox", "smirnoff", "completed", str(campaign / FIRST)]


def test_a_pipe_gets_one_line_a_record_whatever_is_in_it(store: Program, tmp_path: Path) -> None:
    folder = tmp_path / "tab\tnew\nback\\slash"
    folder.mkdir()
    text = "simulation_type: mixedbox\nsystem: {species: [{smiles: O, resname: SOL, count: 1}]}\n"
    (folder / "build.yaml").write_text(text, encoding="utf-8")
    store("sync", "push", "systems", tmp_path)
    _, row = store("sync", "pull", "systems").rows
    assert row[-1] == f"{tmp_path}/tab\\tnew\\nback\\\\slash"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--status", "completed"], 4),
        (["--status", "production"], 1),
        (["--status", "equilibrated"], 1),
        (["--status", "build"], 2),
        (["--simulation-type", "mixedbox"], 8),
        (["--simulation-type", "bilayer"], 0),
        (["--parametrization", "smirnoff"], 8),
        (["--parametrization", "cgenff"], 0),
        (["--engine", "gromacs"], 8),
        (["--hash", "0bdc"], 1),
        (["--hash", FIRST], 1),
        (["--hash", "2"], 2),
        (["--hash", "2", "--status", "completed"], 0),
        (["--limit", "3"], 3),
        (["--limit", "0"], 0),
    ],
)
def test_filters_choose_records(
    store: Program, campaign: Path, filters: list[str], expected: int
) -> None:
    store("sync", "push", "systems", campaign)
    result = store("sync", "pull", "systems", *filters)
    assert result.code == 0
    assert len(result.rows) == 1 + expected
    reason = "" if "--limit" in filters else " match the filters"
    assert result.err == ("" if expected else f"no records{reason}\n")


def test_sort_orders_in_both_directions(store: Program, campaign: Path, hashes: list[str]) -> None:
    store("sync", "push", "systems", campaign)
    for order, expected in (("hash", hashes), ("-hash", hashes[::-1])):
        result = store("sync", "pull", "systems", "--sort", order, "--limit", "5")
        assert [row[0] for row in result.rows[1:]] == expected[:5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--status", "done"], "there are build, equilibrated, production, completed"),
        (["--simulation-type", "plasma"], "there are mixedbox, bilayer, lnp"),
        (["--parametrization", "amber"], "there are cgenff, smirnoff"),
        (["--engine", "namd"], "there are gromacs"),
        (["--sort", "colour"], "'colour'; it has hash, engine"),
        (["--limit", "-1"], "0 or more"),
        (["--limit", "few"], "few"),
        (["--limit", "1.5"], "1.5"),
        (["--hash", ""], "empty"),
        (["--hash", "0BDG"], "hexadecimal"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_a_wrong_command_line_lists_the_valid_values(
    store: Program, arguments: list[str], message: str
) -> None:
    result = store("sync", "pull", "systems", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.replace("│", " ").split())


@pytest.mark.parametrize(
    "flags", [["--diff", "--force"], ["--update", "--force"], ["--diff", "--update"]]
)
def test_at_most_one_conflict_flag_is_taken(store: Program, flags: list[str]) -> None:
    result = store("sync", "push", "systems", ".", *flags)
    assert result.code == 2
    assert all(flag in result.err for flag in flags)


def test_full_adds_all_columns(store: Program, campaign: Path) -> None:
    store("sync", "push", "systems", campaign)
    result = store("sync", "pull", "systems", "--full", "--hash", FIRST)
    header, row = result.rows
    assert len(header) == 9
    assert json.loads(dict(zip(header, row, strict=True))["input_data"])["engine"] == "gromacs"


def test_json_rows_are_one_object(store: Program, campaign: Path, hashes: list[str]) -> None:
    store("sync", "push", "systems", campaign)
    answer = store("sync", "pull", "systems", "--json", "--sort", "hash").json
    assert answer["command"] == "sync pull systems"
    assert [row["hash"] for row in answer["rows"]] == hashes
    assert list(answer["rows"][0]) == [
        "hash", "simulation_type", "parametrization", "status", "directory",
    ]  # fmt: skip
    full = store("sync", "pull", "systems", "--json", "--full").json
    assert {len(row) for row in full["rows"]} == {9}


@pytest.mark.parametrize("full", [[], ["--full"]])
def test_output_writes_all_columns(
    store: Program, campaign: Path, tmp_path: Path, full: list[str]
) -> None:
    store("sync", "push", "systems", campaign)
    path = tmp_path / "systems.csv"
    result = store("sync", "pull", "systems", *full, "--output", path, "--status", "completed")
    assert (result.code, result.out) == (0, f"4 records written to {path}\n")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {len(row) for row in rows} == {9}
    assert {row["status"] for row in rows} == {"completed"}


def test_output_of_nothing_is_a_header_and_a_note(store: Program, tmp_path: Path) -> None:
    path = tmp_path / "systems.csv"
    result = store("sync", "pull", "systems", "--output", path)
    assert result.code == 0
    assert "no records" in result.err
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


def test_output_does_not_replace_the_store(store: Program, campaign: Path) -> None:
    store("sync", "push", "systems", campaign)
    database = Path(os.environ["MDFACTORY_DATA_DIR"]) / "runs.db"
    result = store("sync", "pull", "systems", "--output", database)
    assert result.code == 1
    assert f"{database} is a file of the store" in result.err
    assert len(store("sync", "pull", "systems").rows) == 9


def test_output_that_breaks_off_is_still_one_json_object(store: Program) -> None:
    """The last record, which another program wrote, cannot be read."""
    path = Path(os.environ["MDFACTORY_DATA_DIR"]) / "runs.db"
    with closing(sqlite3.connect(path)) as database, database:
        marks = ", ".join("?" * 9)
        rows = [tuple(run(f"{number:040}").values()) for number in range(3_000)]
        database.executemany(f"INSERT INTO RUN_DATABASE VALUES ({marks})", rows)
        database.execute(
            "UPDATE RUN_DATABASE SET directory = CAST(x'ff' AS TEXT) WHERE hash > ?", (rows[-2][0],)
        )
    result = store("sync", "pull", "systems", "--json")
    assert result.code == 1
    assert len(result.json["rows"]) == 2_048
    assert "runs.db" in result.json["error"]


def test_clear_needs_a_yes(store: Program, campaign: Path) -> None:
    store("sync", "push", "systems", campaign)
    result = store("sync", "clear", "systems")
    assert (result.code, result.out) == (1, "")
    assert "--yes" in result.err
    assert len(store("sync", "pull", "systems").rows) == 9


@pytest.mark.parametrize("yes", ["--yes", "-y"])
def test_clear_removes_and_counts(store: Program, campaign: Path, yes: str) -> None:
    store("sync", "push", "systems", campaign)
    result = store("sync", "clear", "systems", yes, "--hash", "2")
    assert (result.code, result.out) == (0, "RUN_DATABASE: 2 records removed\n")
    result = store("sync", "clear", "systems", yes, "--json")
    assert result.json == {"command": "sync clear systems", "removed": {"RUN_DATABASE": 6}}


def test_clear_with_an_empty_hash_clears_nothing(store: Program, campaign: Path) -> None:
    store("sync", "push", "systems", campaign)
    assert store("sync", "clear", "systems", "--yes", "--hash", "").code == 2
    assert len(store("sync", "pull", "systems").rows) == 9


def test_clearing_nothing_asks_nothing(store: Program) -> None:
    result = store("sync", "clear", "systems")
    assert (result.code, result.out) == (0, "RUN_DATABASE: 0 records removed\n")


def test_a_locked_store_is_reported(
    store: Program, campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MDFACTORY_DATA_DIR", str(tmp_path / "data"))
    store("sync", "init", "systems")
    with closing(sqlite3.connect(tmp_path / "data" / "runs.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        result = store("sync", "push", "systems", campaign, "--wait", "0.1")
    assert (result.code, result.out) == (1, "")
    assert "--wait" in result.err


def test_the_command_to_run_next_has_the_same_config(mdfactory: Program, tmp_path: Path) -> None:
    config = tmp_path / "own settings.ini"
    config.touch()
    result = mdfactory("sync", "pull", "systems", "--config", config)
    assert f"Run: mdfactory --config '{config}' config init\nor " in result.err
    assert result.err.endswith(f": mdfactory --config '{config}' sync init all\n")


@pytest.mark.parametrize(
    "arguments", [["--json", "foo"], ["sync", "pull", "systems", "--json", "--limit", "few"]]
)
def test_a_wrong_command_line_is_one_json_object_too(
    mdfactory: Program, arguments: list[str]
) -> None:
    result = mdfactory(*arguments)
    assert result.code == 2
    assert result.json["error"]
    assert "--help" in result.err


@pytest.mark.parametrize("arguments", [["sync"], ["sync", "pull"], ["config"]])
def test_half_a_command_is_a_wrong_command_line(mdfactory: Program, arguments: list[str]) -> None:
    assert mdfactory(*arguments).code == 2
    assert mdfactory(*arguments, "--help").code == 0


@pytest.mark.parametrize("before", [True, False])
def test_common_options_stand_before_or_after_the_command(
    mdfactory: Program, tmp_path: Path, *, before: bool
) -> None:
    config = tmp_path / "own.ini"
    config.write_text("[sqlite]\nRUN_DB_PATH = own.db\n", encoding="utf-8")
    common, command = ["--config", config, "--json"], ["sync", "init", "systems"]
    result = mdfactory(*([*common, *command] if before else [*command, *common]))
    assert result.json["command"] == "sync init systems"
    assert (tmp_path / "own.db").exists()


def test_an_existing_installation_s_store_is_used_as_it_is(
    mdfactory: Program, campaign: Path, tmp_path: Path, data: Path
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("runs.db", "analysis.db"):
        (folder / name).write_bytes((data / "existing_stores" / "sqlite" / name).read_bytes())
    config = folder / "config.ini"
    text = "[sqlite]\nRUN_DB_PATH = runs.db\nANALYSIS_DB_PATH = analysis.db\n[slurm]\nqueue = 50%\n"
    config.write_text(text, encoding="utf-8")
    ours = ["--config", config]
    assert len(mdfactory("sync", "pull", "systems", *ours).rows) == 9
    pushed = mdfactory("sync", "push", "systems", campaign, "--update", "--json", *ours)
    assert pushed.json["counts"] == ZERO | {"updated": 8}
    again = mdfactory("sync", "push", "systems", campaign, "--update", "--json", *ours)
    assert again.json["counts"] == ZERO | {"unchanged": 8}
    assert (
        mdfactory("sync", "clear", "systems", "--yes", *ours).out
        == "RUN_DATABASE: 8 records removed\n"
    )


def test_an_unchanged_campaign_is_not_read_again_without_no_cache(
    store: Program, settled: Path
) -> None:
    index = Path(os.environ["MDFACTORY_CACHE_DIR"]) / "scan.db"
    assert store("sync", "push", "systems", settled, "--no-cache").code == 0
    assert not index.exists()
    for jobs in ("1", "4"):
        result = store("sync", "push", "systems", settled, "--update", "--jobs", jobs)
        assert result.out.startswith("0 inserted, 0 updated, 8 unchanged")
    assert index.exists()
    with opened(settled) as files:
        result = store("sync", "push", "systems", settled, "--update")
        assert result.out.startswith("0 inserted, 0 updated, 8 unchanged")
        assert "8" in store("sync", "status", settled).out
        assert [name for name in files.names() if name.endswith(".yaml")] == []


@pytest.mark.usefixtures("kind")
@on("csv", "postgres")
def test_the_scan_index_is_used_with_every_store(mdfactory: Program, settled: Path) -> None:
    mdfactory("sync", "init", "all")
    update = ("sync", "push", "all", settled, "--update", "--json")
    everything = 8 + 19 + 6
    assert mdfactory(*update).json["counts"] == ZERO | {"inserted": everything}
    assert mdfactory(*update).json["counts"] == ZERO | {"unchanged": everything}
    assert mdfactory("sync", "status", settled, "--json").json["in_step"]
    mdfactory("sync", "clear", "analysis", "--analysis-name", "rdf_oxygen", "--yes")
    (next(settled.glob("*/prod.xtc")).parent / "prod.gro").touch()
    report = mdfactory(*update).json
    assert report["tables"]["ANALYSIS_rdf_oxygen"] == ZERO | {"inserted": 4}
    assert report["counts"]["inserted"] == 4
    assert mdfactory("sync", "verify", "--json").code == 0
    plain = mdfactory(*update, "--no-cache", "--dry-run").json
    assert plain["counts"] == ZERO | {"unchanged": everything}


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "1000"])
def test_an_invalid_number_of_jobs_is_refused(store: Program, campaign: Path, jobs: str) -> None:
    result = store("sync", "push", "systems", campaign, "--jobs", jobs)
    assert result.code == 2
    assert "jobs" in result.err


def test_the_error_for_an_unknown_command_lists_all(mdfactory: Program) -> None:
    result = mdfactory("sync", "nowhere")
    assert result.code == 2
    head, _, names = result.err.partition("; there are ")
    assert head == "error: there is no command 'sync nowhere'"
    names, _, rest = names.partition(". ")
    assert {*names.split(", ")} == {*SYNC_COMMANDS.split()}
    assert rest == "Run: mdfactory sync --help\n"
