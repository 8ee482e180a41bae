"""The commands for analyses and artifacts, end to end on SQLite."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mdfactory import Simulation

Program = Callable[..., Any]
Terminal = Callable[..., Any]

FIRST = "9696455838C189BE031418DE5280D6042B243D8D"


def _execute(mdfactory: Program, statement: str) -> None:
    """Change the store as another program would."""
    shown = mdfactory("config", "show", "--json").json["settings"]
    path = next(setting["value"] for setting in shown if setting["key"] == "ANALYSIS_DB_PATH")
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


def _table(text: str) -> list[dict[str, str]]:
    names, *lines = (line.split("\t") for line in text.splitlines())
    return [dict(zip(names, line, strict=True)) for line in lines]


def test_a_dry_run_reports_the_counts_of_each_table(mdfactory: Program, campaign: Path) -> None:
    mdfactory("sync", "init", "all")
    result = mdfactory("sync", "push", "analysis", campaign, "--dry-run")
    first, *tables = result.out.splitlines()
    assert first.endswith(": 19 inserted, 0 updated, 0 unchanged, 0 skipped")
    assert "  ANALYSIS_hydrogen_bonds: 3 inserted" in tables
    assert len(tables) == 5


def test_push_of_one_name_writes_one_table(mdfactory: Program, campaign: Path) -> None:
    mdfactory("sync", "init", "all")
    result = mdfactory(
        "sync", "push", "analysis", campaign, "--analysis-name", "rdf_oxygen",
        "--analysis-name", "DENSITY_timeseries", "--json",
    )  # fmt: skip
    assert set(result.json["tables"]) == {"ANALYSIS_rdf_oxygen", "ANALYSIS_density_timeseries"}
    result = mdfactory("sync", "push", "artifacts", campaign, "--artifact-name", "density_plot")
    assert result.out.startswith("3 inserted")


def test_a_bad_result_is_named_on_standard_error(mdfactory: Program, campaign: Path) -> None:
    mdfactory("sync", "init", "all")
    (campaign / FIRST / ".analysis" / "rdf_oxygen.parquet").unlink()
    result = mdfactory("sync", "push", "all", campaign)
    assert result.code == 3
    assert result.err == (
        f"skipped: {campaign / FIRST}: analysis rdf_oxygen: rdf_oxygen.parquet is missing. "
        "Record the analysis again\n"
    )
    assert result.out.startswith("32 inserted, 0 updated, 0 unchanged, 1 skipped (1 invalid")


@pytest.mark.parametrize("name", ["x; DROP TABLE y", "overview", "a" * 49, "é"])
def test_an_invalid_name_is_refused(mdfactory: Program, pushed_all: Path, name: str) -> None:
    for command in (["push", "analysis", pushed_all], ["pull", "analysis"], ["clear", "analysis"]):
        result = mdfactory("sync", *command, "--analysis-name", name)
        assert result.code in {1, 2}
        assert name in result.err
        assert "Traceback" not in result.err


def test_pull_shows_the_overview_by_rows_in_a_pipe(mdfactory: Program, pushed_all: Path) -> None:
    for flags in ([], ["--overview"]):
        rows = _table(mdfactory("sync", "pull", "analysis", *flags).out)
        assert len(rows) == 40
        assert {row["item_type"] for row in rows} == {"analysis"}
    rows = _table(mdfactory("sync", "pull", "artifacts", "--status", "completed").out)
    assert {(row["item_name"], row["file_count"]) for row in rows} == {
        ("last_frame_pdb", "1"),
        ("density_plot", "1"),
    }
    assert len(rows) == 6


def test_pull_shows_the_records_of_one_name(mdfactory: Program, pushed_all: Path) -> None:
    result = mdfactory("sync", "pull", "analysis", "--analysis-name", "RDF_oxygen", "--hash", "969")
    (row,) = _table(result.out)
    assert row == {
        "hash": FIRST,
        "directory": str(pushed_all / FIRST),
        "simulation_type": "mixedbox",
        "row_count": "105",
        "columns": '["r_nm", "g_r"]',
        "data_path": ".analysis/rdf_oxygen.parquet",
        "timestamp_utc": row["timestamp_utc"],
    }
    result = mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen", "--full")
    assert "data_csv" in _table(result.out)[0]
    result = mdfactory("sync", "pull", "artifacts", "--artifact-name", "density_plot")
    assert list(_table(result.out)[0]) == [
        "hash", "simulation_type", "file_count", "files", "checksums", "directory", "timestamp_utc"
    ]  # fmt: skip


def test_units_and_extras_are_the_last_columns(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    results = Simulation.open(pushed_all / FIRST).results
    frame = pa.table({"x": [1], "t": [2]})
    results.record_analysis("own", frame, units={"x": "nm"}, extras={"by": ["a\tb"]})
    mdfactory("sync", "push", "analysis", pushed_all, "--diff")
    pull = ("sync", "pull", "analysis", "--analysis-name", "own")
    plain = list(_table(mdfactory(*pull).out)[0])
    (row,) = mdfactory(*pull, "--json").json["rows"]
    assert list(row) == [*plain, "units", "extras"]
    assert (json.loads(row["units"]), json.loads(row["extras"])) == ({"x": "nm"}, {"by": ["a\tb"]})
    (full,) = _table(mdfactory(*pull, "--full").out)
    assert list(full)[-3:] == ["timestamp_utc", "units", "extras"]
    assert full["units"] == '{"x": "nm"}'
    mdfactory(*pull, "--output", tmp_path / "own.parquet")
    assert pq.read_schema(tmp_path / "own.parquet").names[-1] == "timestamp_utc"
    mdfactory(*pull, "--full", "--output", tmp_path / "own.parquet")
    assert pq.read_table(tmp_path / "own.parquet")["units"].to_pylist() == ['{"x": "nm"}']
    _execute(mdfactory, "UPDATE ANALYSIS_own SET timestamp_utc = '2026-01-01T00:00:00+00:00'")
    assert mdfactory(*pull, "--json").json["rows"][0]["units"] == "{}"


def test_units_are_metadata_of_the_fields(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    folders = [Simulation.open(folder).results for folder in sorted(pushed_all.iterdir())[:2]]
    for results, unit in zip(folders, ("nm", "pm"), strict=True):
        frame = pa.table({"x": [1], "t": [2], "hash": [3]})
        units = {"x": unit, "t": "ps", "hash": "1"}
        results.record_analysis("own", frame, units=units, extras={"run": unit, "by": "us"})
    mdfactory("sync", "push", "analysis", pushed_all, "--diff")
    pull = ("sync", "pull", "analysis", "--analysis-name", "own", "--data")
    result = mdfactory(*pull, "--output", tmp_path / "own.parquet")
    assert result.err.splitlines() == [
        "extra run: differs between simulations, left out",
        "unit of x: differs between simulations, left out",
    ]
    schema = pq.read_schema(tmp_path / "own.parquet")
    units = {field.name: (field.metadata or {}).get(b"unit") for field in schema}
    assert units == {"hash": None, "x": None, "t": b"ps", "hash_1": b"1"}


def test_records_are_written_with_all_columns(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    file = tmp_path / "rdf.json"
    mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen", "--output", file)
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 4
    assert all(row["data_csv"].startswith("r_nm,g_r\n") for row in rows)


def test_the_error_for_an_unknown_name_lists_the_names_in_the_store(
    mdfactory: Program, pushed_all: Path
) -> None:
    result = mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf")
    assert result.code == 1
    assert "no analysis named 'rdf'; it has " in result.err
    assert "rdf_oxygen" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["pull", "analysis", "--overview", "--analysis-name", "rdf_oxygen"],
        ["pull", "analysis", "--status", "completed", "--analysis-name", "rdf_oxygen"],
        ["pull", "analysis", "--status", "build"],
        ["pull", "analysis", "--data"],
        ["pull", "analysis", "--union"],
        ["pull", "artifacts", "--sort", "nothing"],
        ["clear", "analysis"],
        ["clear", "analysis", "--hash", "AB"],
        ["push", "artifacts"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(
    mdfactory: Program, pushed_all: Path, arguments: list[str]
) -> None:
    assert mdfactory("sync", *arguments).code == 2


@pytest.mark.parametrize("group", ["analysis", "artifacts"])
def test_without_init_the_error_names_the_command_to_run(mdfactory: Program, group: str) -> None:
    mdfactory("sync", "init", "systems")
    for arguments in ([], [f"--{'artifact' if group == 'artifacts' else group}-name", "x"]):
        result = mdfactory("sync", "pull", group, *arguments)
        assert result.code == 1
        assert "mdfactory sync init" in result.err


# The frames themselves


def test_the_frame_of_one_simulation_is_exact(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    results = Simulation.open(pushed_all / FIRST).results
    frame = pa.table(
        {"n": pa.array([1, None], pa.int8()), "t": pa.array([0, 1000], pa.time32("ms"))}
    )
    results.record_analysis("own", frame)
    mdfactory("sync", "push", "analysis", pushed_all, "--diff")
    file = tmp_path / "own.parquet"
    pull = ("sync", "pull", "analysis", "--analysis-name", "own", "--data")
    assert mdfactory(*pull, "--output", file).code == 0
    assert pq.read_table(file).drop(["hash"]).equals(frame)
    assert (
        mdfactory(*pull).out == f"hash\tn\tt\n{FIRST}\t1\t00:00:00.000\n{FIRST}\t\t00:00:01.000\n"
    )
    assert mdfactory(*pull, "--json").json["rows"] == [
        {"hash": FIRST, "n": 1, "t": "00:00:00.000"},
        {"hash": FIRST, "n": None, "t": "00:00:01.000"},
    ]


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_the_frames_of_all_simulations_are_one_table(
    mdfactory: Program, pushed_all: Path, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"rdf.{suffix}"
    pull = ("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen", "--data")
    assert mdfactory(*pull, "--output", file).out == f"420 records written to {file}\n"
    if suffix == "csv":
        lines = file.read_text(encoding="utf-8").splitlines()
        assert lines[0] == "hash,r_nm,g_r"
        assert len(lines) == 421
    assert len(_table(mdfactory(*pull).out)) == 420


def test_frames_of_different_columns_are_an_error_or_joined(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    for folder, frame in zip(
        sorted(pushed_all.iterdir())[:2], ({"x": [1]}, {"x": [1.5], "y": ["a"]}), strict=True
    ):
        Simulation.open(folder).results.record_analysis("own", pa.table(frame))
    mdfactory("sync", "push", "analysis", pushed_all, "--diff")
    pull = ("sync", "pull", "analysis", "--analysis-name", "own", "--data")
    result = mdfactory(*pull)
    assert result.code == 1
    assert "--union" in result.err
    file = tmp_path / "own.parquet"
    result = mdfactory(*pull, "--union", "--output", file)
    assert result.code == 0
    assert "x" in result.err
    assert pq.read_table(file).drop(["hash"]).to_pydict() == {"x": [1.0, 1.5], "y": [None, "a"]}


def test_the_types_of_a_frame_of_another_program_are_inferred_with_a_note(
    mdfactory: Program, data: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(data / "existing_stores" / "sqlite", tmp_path / "old")
    config = tmp_path / "old.ini"
    config.write_text(
        "[sqlite]\nRUN_DB_PATH = old/runs.db\nANALYSIS_DB_PATH = old/analysis.db\n",
        encoding="utf-8",
    )
    result = mdfactory(
        "sync", "pull", "analysis", "--analysis-name", "box_size_timeseries", "--data",
        "--hash", FIRST, "--json", "--config", config,
    )  # fmt: skip
    assert "the types of 1 frame are inferred" in result.err
    assert result.json["rows"][1]["frame"] == 1
    assert len(result.json["rows"]) == 36


def test_a_frame_that_was_changed_is_an_error(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    _execute(mdfactory, "UPDATE ANALYSIS_rdf_oxygen SET data_csv = replace(data_csv, '0.0', '1.0')")
    result = mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen", "--data")
    assert result.code == 1
    assert "ANALYSIS_rdf_oxygen: record " in result.err
    assert "data_csv was changed" in result.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("digest = 'x'", "extras in _mdfactory_frame were changed"),
        ("arrow_ipc = 'AAAA'", "extras in _mdfactory_frame were changed"),
        ("entry = 'no JSON'", "extras in _mdfactory_frame were changed"),
        ("arrow_schema = 'AAAA'", "arrow_schema is not an Arrow schema"),
    ],
)
def test_the_sidecar_of_a_frame_is_checked(
    mdfactory: Program, pushed_all: Path, change: str, message: str
) -> None:
    _execute(mdfactory, f"UPDATE _mdfactory_frame SET {change}")
    result = mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen", "--data")
    assert result.code == 1
    assert "ANALYSIS_rdf_oxygen: record 9696" in result.err
    assert message in result.err
    assert "Push it again with --force" in result.err
    assert "Traceback" not in result.err


def test_filters_take_values_that_only_the_store_knows(
    mdfactory: Program, pushed_all: Path
) -> None:
    """Newer installations write types of simulations that this one does not know."""
    newer = "UPDATE ANALYSIS_rdf_oxygen SET simulation_type = 'membrane' WHERE hash LIKE 'CC4D%'"
    _execute(mdfactory, newer)
    pull = ("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen")
    assert len(mdfactory(*pull, "--simulation-type", "membrane").rows) == 2
    for data in ([], ["--data"]):
        result = mdfactory(*pull, *data, "--simulation-type", "menbrane")
        assert result.code == 2
        assert ", and in the store membrane\n" in result.err


def test_an_invalid_count_is_named_with_its_record(mdfactory: Program, pushed_all: Path) -> None:
    _execute(mdfactory, "UPDATE ANALYSIS_rdf_oxygen SET row_count = 'many'")
    result = mdfactory("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen")
    assert "ANALYSIS_rdf_oxygen: row_count of the record '9696" in result.err
    assert "'many', not a number" in result.err


def test_a_closed_pipe_is_no_failure_of_the_store(mdfactory: Program, pushed_all: Path) -> None:
    pull = "sync pull analysis --analysis-name density_timeseries --data"
    for where, code in (("| head -1", 0), ("> /dev/full", 1)):
        command = f"set -o pipefail; {sys.executable} -m mdfactory {pull} {where}"
        result = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False
        )
        assert result.returncode == code
        assert "SQLite" not in result.stderr
        assert "Traceback" not in result.stderr


def test_text_that_is_not_utf8_is_shown_with_replacement_characters(
    mdfactory: Program, pushed_all: Path
) -> None:
    bytes_ = pa.array([b"good", b"b\xffd"])
    table = pa.table({"s": bytes_.cast(pa.binary()).view(pa.string())})
    Simulation.open(pushed_all / FIRST).results.record_analysis("own", table)
    mdfactory("sync", "push", "analysis", pushed_all, "--diff")
    pull = ("sync", "pull", "analysis", "--analysis-name", "own", "--data")
    assert mdfactory(*pull).out.splitlines()[2] == f"{FIRST}\tb\ufffdd"
    assert mdfactory(*pull, "--json").json["rows"][1]["s"] == "b\ufffdd"


# Clear


def test_clear_asks_shows_counts_and_declines_by_default(
    terminal: Terminal, pushed_all: Path
) -> None:
    question = "Remove these 19 records"
    shown = terminal("sync", "clear", "analysis", "--analyses", typed=[(question, "\n")])
    assert shown.code == 1
    assert "4 records of ANALYSIS_rdf_oxygen" in shown.text
    assert "nothing was cleared" in shown.text


def test_clear_all_leaves_nothing(mdfactory: Program, pushed_all: Path) -> None:
    result = mdfactory("sync", "clear", "all", "--yes", "--json")
    assert result.json["removed"]["RUN_DATABASE"] == 8
    assert sum(result.json["removed"].values()) == 8 + 19 + 6 + 56
    assert mdfactory("sync", "clear", "all", "--yes").out == "no records to remove\n"


# On a terminal


def test_the_overview_is_a_matrix_on_a_terminal(terminal: Terminal, pushed_all: Path) -> None:
    lines = terminal("sync", "pull", "analysis").text.splitlines()
    assert lines[2].split() == ["hash", "timeseries", "timeseries", "bonds", "oxygen", "chemistry"]
    rows = {line[:4]: line.split()[2:] for line in lines[3:11]}
    assert rows == {
        "0BDC": list("·····"),  # completed, without results
        "2071": [],  # neither built nor equilibrated simulations can have results
        "24BD": [],
        "D7EB": [],
        "E647": list("✓✓·✓✓"),
        **{hash_: list("✓✓✓✓✓") for hash_ in ("9696", "CC4D", "FD01")},
    }
    numbers = ["4 of 5", "4 of 5", "3 of 5", "4 of 5", "4 of 5"]
    assert re.split("  +", lines[11]) == ["8 simulations", *numbers]
    assert lines[12:] == ["", "✓ done  · missing  blank: not expected"]


def test_a_filter_by_status_selects_marks(terminal: Terminal, pushed_all: Path) -> None:
    lines = terminal("sync", "pull", "analysis", "--status", "not_yet_run").text.splitlines()
    assert [line.split()[0] for line in lines[3:6]] == ["0BDC04CC155D", "E6475BA8EB26", "2"]
    assert re.split("  +", lines[5])[3] == "2 missing"
    assert not any("✓" in line for line in lines)
    assert lines[-1] == "· missing  blank: done or not expected"
    lines = terminal("sync", "pull", "analysis", "--status", "completed").text.splitlines()
    assert re.split("  +", lines[7])[:4] == ["4 simulations", "4 done", "4 done", "3 done"]
    assert lines[-1] == "✓ done  blank: missing or not expected"


def test_a_matrix_may_be_empty(terminal: Terminal, pushed_all: Path) -> None:
    missing = terminal("sync", "pull", "analysis", "--hash", "FD01", "--status", "not_yet_run")
    assert missing.text == "no result is missing\n"
    fresh = terminal("sync", "pull", "analysis", "--hash", "2071").text
    assert fresh.splitlines()[-1] == "no result is expected"
    none = terminal("sync", "pull", "analysis", "--hash", "FFFF").text
    assert none == "no records\nno hash begins with FFFF\n"


def test_a_locale_without_the_marks_gets_others(terminal: Terminal, pushed_all: Path) -> None:
    text = terminal("sync", "pull", "analysis", env={"LC_ALL": "C"}).text
    assert text.isascii()
    assert re.search("^E6475BA8EB26 +mixedbox +[+] +[+] +- +[+] +[+]$", text, re.MULTILINE)
    assert text.splitlines()[-1] == "+ done  - missing  blank: not expected"


def test_a_name_of_the_configuration_is_missing(terminal: Terminal, pushed_all: Path) -> None:
    config = Path(os.environ["MDFACTORY_CONFIG_DIR"], "config.ini")
    config.parent.mkdir()
    config.write_text("[catalogue]\nMIXEDBOX_ANALYSES = absorption\n", encoding="utf-8")
    text = terminal("sync", "pull", "analysis").text
    assert "0 of 5" in text
    assert text.splitlines()[2].split()[-1] == "absorption"  # after those that there are


def test_names_that_do_not_fit_are_numbered(terminal: Terminal, pushed_all: Path) -> None:
    text = terminal("sync", "pull", "analysis", env={"COLUMNS": "50"}).text
    assert "1  2  3  4  5" in text.splitlines()[0]
    assert "  3  hydrogen_bonds       3 of 5" in text
    assert max(map(len, text.splitlines())) <= 50


def test_a_matrix_that_does_not_fit_is_shown_as_records(
    terminal: Terminal, pushed_all: Path
) -> None:
    text = terminal("sync", "pull", "analysis", env={"COLUMNS": "30"}).text
    lines = text.splitlines()
    assert lines[0].split() == ["hash", "item_…", "status"]
    assert sum(line.startswith("0BDC04CC") for line in lines) == 5
    assert max(map(len, lines[:41])) <= 30
    assert "terminal is too narrow: simulation_type, item_type, row_count" in lines[-1]


@pytest.mark.parametrize("flags", [["--full"], ["--sort", "item_name"], ["--limit", "3"]])
def test_options_show_the_overview_as_rows(
    terminal: Terminal, pushed_all: Path, flags: list[str]
) -> None:
    text = terminal("sync", "pull", "analysis", *flags, env={"COLUMNS": "250"}).text
    assert "item_name" in text.splitlines()[0]


@pytest.mark.parametrize("name", ["a; DROP TABLE x", "../a", "overview", "x" * 49])
@pytest.mark.parametrize(
    "command",
    [
        ("push", "analysis", ".", "--analysis-name"),
        ("push", "artifacts", ".", "--artifact-name"),
        ("pull", "analysis", "--analysis-name"),
        ("pull", "artifacts", "--artifact-name"),
        ("clear", "analysis", "--yes", "--analysis-name"),
    ],
)
def test_an_invalid_name_is_a_usage_error(
    mdfactory: Program, command: tuple[str, ...], name: str
) -> None:
    mdfactory("sync", "init", "all")
    result = mdfactory("sync", *command, name)
    assert result.code == 2
    assert name in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("clear", "systems", "--hash=", "--yes"),
        ("clear", "systems", "--hash", "", "--yes"),
        ("clear", "analysis", "--analysis-name=", "--yes"),
        ("clear", "analysis", "--analysis-name", "", "--yes"),
        ("pull", "systems", "--status="),
        ("pull", "systems", "--simulation-type", ""),
        ("push", "systems", "", "--force"),
        ("push", "analysis", ".", "--analysis-name="),
        ("status", ""),
        ("verify", "--since="),
        ("relocate", "", "elsewhere"),
        ("pull", "systems", "--config="),
        ("verify", "--since", " "),
        ("pull", "systems", "--output= "),
        ("relocate", "campaign", "\t"),
    ],
)
def test_an_empty_value_is_a_usage_error_and_selects_nothing(
    mdfactory: Program, pushed_all: Path, arguments: tuple[str, ...]
) -> None:
    """A variable of the shell is not set."""
    assert pushed_all
    before = mdfactory("sync", "pull", "systems").out
    result = mdfactory("sync", *arguments)
    assert result.code == 2
    assert "is empty; is a variable unset? Run: mdfactory" in result.err
    assert mdfactory("sync", "pull", "systems").out == before
    assert len(mdfactory("sync", "log", "--json").json["operations"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync", "push", "systems"),
        ("sync", "pull", "systems", "--hash"),
        ("sync", "pull", "systems", "--output"),
        ("sync", "pull", "systems", "--config"),
        ("sync", "relocate", "campaign"),
        ("sync", "undo"),
        ("check-csv",),
        ("prepare-build", "campaign.csv"),
    ],
)
def test_a_password_in_the_wrong_place_is_a_usage_error_that_does_not_show_it(
    mdfactory: Program, arguments: tuple[str, ...]
) -> None:
    result = mdfactory(*arguments, "postgresql://me:s3cret@h/db", "--debug")
    assert result.code == 2
    assert "is the URL of a database with its password" in result.err
    assert "s3cret" not in result.out + result.err
