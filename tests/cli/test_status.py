"""The commands that compare disk and store, and relocate."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mdfactory import Simulation
from mdfactory.config import load
from mdfactory.records.arrow import batch
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores import open_store
from mdfactory.sync.status import EDITED_TEXT

from .conftest import on

Program = Callable[..., Any]

BUILD = "2071DE6353CF75B3049856E059488D3CE307F956"
STATES = ("new", "changed", "unchanged", "gone_from_disk", "only_in_store", "edited_in_store")
NONE = dict.fromkeys(STATES, 0)
DONE = "CC4D89E0997487E23A5CA417BC302361B5440904"


def _status(mdfactory: Program, *arguments: object) -> Any:
    return mdfactory("sync", "status", *arguments, "--json").json


def _rows(compared: Any) -> list[tuple[str, str, str, list[str]]]:
    return sorted(
        (row["state"], row["table"], row["hash"], row["what"]) for row in compared["rows"]
    )


@pytest.mark.usefixtures("kind")
@on("csv", "postgres")
def test_status_update_status_ends_in_step(mdfactory: Program, campaign: Path) -> None:
    mdfactory("sync", "init", "all")
    result = mdfactory("sync", "status", campaign, "--exit-code")
    assert result.code == 4
    assert result.out.splitlines()[1].split() == ["systems", "8", "0", "0", "0", "0", "0"]
    assert f"mdfactory sync push all {campaign} --update" in result.out
    assert mdfactory("sync", "status", campaign).code == 0
    assert mdfactory("sync", "push", "all", campaign, "--update").code == 0
    for source in ([campaign], []):
        result = mdfactory("sync", "status", *source, "--exit-code")
        assert ("to search for new folders, give a SOURCE" in result.err) is not bool(source)
        assert result.code == 0
        assert result.out.splitlines()[-2:] == [
            "To compare the files of artifacts with their checksums: mdfactory sync verify",
            "in step",
        ]
    (campaign / BUILD / "prod.xtc").touch()
    results = Simulation.open(campaign / DONE).results
    results.record_analysis("rdf_oxygen", pa.table({"r": [1.0, 2.0]}))
    results.remove_artifact("density_plot")
    compared = _status(mdfactory, campaign)
    written = mdfactory("sync", "push", "all", campaign, "--update", "-n", "--json").json
    assert sum(counts["changed"] for counts in compared["counts"].values()) == 2
    assert written["counts"]["updated"] == 2
    assert _rows(compared) == [
        ("changed", "ANALYSIS_rdf_oxygen", DONE, ["row_count: 105 -> 2", "columns", "data"]),
        ("changed", "RUN_DATABASE", BUILD, ["status: build -> production"]),
        ("only_in_store", "ARTIFACT_density_plot", DONE, []),
    ]
    mdfactory("sync", "push", "all", campaign, "--update")
    assert [row[0] for row in _rows(_status(mdfactory, campaign))] == ["only_in_store"]


def test_status_lists_changes(mdfactory: Program, pushed_all: Path) -> None:
    results = Simulation.open(pushed_all / DONE).results
    frame = pq.read_table(pushed_all / DONE / ".analysis" / "rdf_oxygen.parquet")
    results.record_analysis("rdf_oxygen", frame, extras={"by": "nm"})
    picture = pushed_all / DONE / ".analysis" / "picture.png"
    picture.write_bytes(b"another")
    results.record_artifact("density_plot", picture, move=True)
    moved = shutil.move(pushed_all / BUILD, pushed_all / "elsewhere")
    compared = _rows(_status(mdfactory, pushed_all))
    assert compared == [
        ("changed", "ANALYSIS_rdf_oxygen", DONE, ["types or extras"]),
        ("changed", "ARTIFACT_density_plot", DONE, ["files", "checksums"]),
        ("changed", "RUN_DATABASE", BUILD, [f"directory: {pushed_all / BUILD} -> {moved}"]),
    ]
    output = mdfactory("sync", "status", pushed_all, "--long").out
    assert f"changed  RUN_DATABASE  {BUILD}  {moved}: directory: " in output


def test_status_lists_changes_in_lines_that_fit_a_terminal(
    terminal: Callable[..., Any], pushed_all: Path
) -> None:
    (pushed_all / BUILD / "prod.xtc").touch()
    text = terminal("sync", "status", pushed_all, "--long", env={"COLUMNS": "80"}).text
    (line,) = [line for line in text.splitlines() if line.startswith("changed")]
    assert line.startswith("changed  simulation  2071DE6353CF  ")
    assert line.endswith("  status: build -> production")
    assert len(line) <= 80


def test_status_lists_records_gone_from_disk(mdfactory: Program, pushed_all: Path) -> None:
    shutil.rmtree(pushed_all / DONE)
    compared = _status(mdfactory, pushed_all)
    assert not compared["in_step"]
    assert compared["counts"]["systems"] == NONE | {"unchanged": 7, "gone_from_disk": 1}
    assert {row[2] for row in _rows(compared)} == {DONE}
    assert _status(mdfactory)["counts"] == compared["counts"]
    assert f"mdfactory sync relocate {pushed_all / DONE} NEW" in mdfactory("sync", "status").out


@pytest.mark.parametrize("number", [2, 5])
def test_status_names_each_folder_to_relocate(
    mdfactory: Program, pushed_all: Path, number: int
) -> None:
    folders = sorted(pushed_all.glob("[0-9A-F]*"))[:number]
    for folder in folders:
        shutil.rmtree(folder)
    output = mdfactory("sync", "status").out
    assert "OLD NEW" not in output
    for folder in folders:
        assert (f"  mdfactory sync relocate {folder} NEW\n" in output) is (number == 2)
    moved = "If folders were moved (NEW is the path that each has now)"
    push = f"{moved}: mdfactory sync push all NEW --update"
    assert (push in output) is (number == 5)


def test_status_without_a_source_names_the_folders_to_push(
    mdfactory: Program, pushed_all: Path
) -> None:
    for hash_, folder in ((BUILD, pushed_all / BUILD), (DONE, pushed_all)):
        results = Simulation.open(pushed_all / hash_).results
        results.record_analysis("new", pa.table({"r": [1.0]}))
        output = mdfactory("sync", "status").out
        assert f"changed records: mdfactory sync push all {folder} --update\n" in output


@pytest.mark.parametrize("moved", ["", DONE])
def test_a_relocation_to_the_folder_above_the_new_path_names_that_path(
    mdfactory: Program, pushed_all: Path, tmp_path: Path, moved: str
) -> None:
    """As in ``mv OLD FOLDER``, after which FOLDER is not the new path."""
    old, archive = pushed_all / moved, tmp_path / "archive"
    archive.mkdir()
    shutil.move(old, archive)
    for options in ((), ("--dry-run",)):
        result = mdfactory("sync", "relocate", old, archive, *options)
        command = f"mdfactory sync relocate {old} {archive / old.name}"
        assert result.code == 1
        assert result.err == (
            f"error: {archive}: {old.name} is in this folder now; NEW is the new path of OLD. "
            f"Run: {command}\n"
        )
    assert mdfactory(*command.split()[1:]).code == 0
    assert mdfactory("sync", "status", "--exit-code").code == 0


def test_a_folder_above_another_campaign_is_not_relocated(
    mdfactory: Program, pushed_all: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed command is the one for the campaign that was moved."""
    top = pushed_all.parent
    other = top / "other" / "one"
    shutil.move(pushed_all / DONE, other)
    assert mdfactory("sync", "push", "all", other, "--update").code == 0
    monkeypatch.chdir(top)
    (top / "archive").mkdir()
    shutil.move("campaign", "archive/campaign")
    refused = mdfactory("sync", "push", "all", "archive/campaign")
    assert refused.code == 1
    command = f"mdfactory sync relocate {pushed_all} {top}/archive/campaign"
    assert f"If the folders were moved, run: {command}\n" in refused.err
    assert mdfactory(*shlex.split(command)[1:]).code == 0
    assert mdfactory("sync", "status", "--exit-code").code == 0


def test_commands_of_messages_work_as_printed(
    mdfactory: Program, campaign: Path, tmp_path: Path
) -> None:
    """Without --config they would change another store."""
    config = tmp_path / "my\n'lab'.ini"
    config.write_text("[database]\nTYPE = csv\n", encoding="utf-8")
    table = tmp_path / "campaign.csv"
    row = "simulation_type,system.species.SOL.smiles,system.species.SOL.count\nmixedbox,O,5\n"
    table.write_text(row, encoding="utf-8")
    assert mdfactory("prepare-build", table, campaign).code == 0
    for option in ([], ["--json"]):
        check = mdfactory("sync", "init", "check", "--config", config, *option)
        assert check.code == 1
        assert "mdfactory sync" not in check.out
        assert " sync init systems" in check.out
    mdfactory("sync", "init", "all", "--config", config)
    by_csv = ["--csv", table, "--csv-root", campaign]
    for source in (by_csv, [campaign]):
        status = mdfactory("sync", "status", *source, "--config", config)
        command = status.out.partition("changed records: ")[2]
        line = command.replace("mdfactory", f"{sys.executable} -m mdfactory", 1)
        pushed = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert pushed.returncode == 0, (command, pushed.stderr)
        assert "in step" in mdfactory("sync", "status", *source, "--config", config).out
    (campaign / BUILD / f"{BUILD}.yaml").unlink()
    for words in ("status", "verify"):
        hint = mdfactory("sync", words, "--config", config).out
        assert hint.count("mdfactory ") == hint.count("mdfactory --config $'") > 0


def test_paths_that_begin_with_a_hyphen_are_no_options_of_printed_commands(
    mdfactory: Program, campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(campaign.parent)
    campaign.rename("-camp")
    Path("-my.ini").write_text("[database]\nTYPE = csv\n", encoding="utf-8")
    config = ("--config", "./-my.ini")
    mdfactory("sync", "init", "all", *config)
    for source in (["./-camp"], ["--csv", "./-camp/campaign.csv", "--csv-root", "./-camp"]):
        out = mdfactory("sync", "status", *source, *config).out
        command = out.partition("changed records: mdfactory ")[2].splitlines()[0]
        assert mdfactory(*shlex.split(command), "--dry-run").code == 0, command


def test_a_deleted_build_input_is_answered_with_the_command_that_writes_it_again(
    mdfactory: Program, pushed_all: Path
) -> None:
    (pushed_all / DONE / f"{DONE}.yaml").unlink()  # with a run in it
    for file in (pushed_all / BUILD).iterdir():  # with nothing else, as a new folder
        file.unlink()
    command, other = (
        f"mdfactory prepare-build --from-store {hash_} {pushed_all / hash_}"
        for hash_ in (DONE, BUILD)
    )
    pushed = mdfactory("sync", "push", "all", pushed_all, "--update", "--quiet").err
    assert "2 simulations left out, whose BuildInput was deleted, and is in the store" in pushed
    assert f"To write it again, run:\n  {other}\n  {command}\n" in pushed
    assert "adopt" not in pushed
    (pushed_all / DONE / "topology.top").unlink()  # what is left is no run
    assert mdfactory("sync", "push", "all", pushed_all, "--update", "--quiet").err == pushed
    lines = mdfactory("sync", "status", pushed_all).out
    assert f"lost:\n  {other}\n  {command}" in lines
    assert "clear" not in lines
    for hash_ in (DONE, BUILD):
        single = mdfactory("sync", "push", "all", pushed_all / hash_, "--update")
        assert single.code == 1
        assert f"--from-store {hash_} {pushed_all / hash_}" in single.err
    for line in (command, other):
        assert mdfactory(*line.split()[1:]).code == 0
    assert mdfactory("sync", "status", pushed_all).out.splitlines()[-1] == "in step"


def test_status_ignores_records_of_folders_outside_the_source(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    second = tmp_path / "campaign2"
    shutil.copytree(pushed_all / BUILD, second / BUILD)
    compared = _status(mdfactory, second)
    assert compared["counts"]["systems"] == NONE | {"changed": 1}
    assert _status(mdfactory, pushed_all / DONE)["in_step"]
    summary = tmp_path / "summary.yaml"
    summary.write_text(json.dumps({"system_directory": [str(pushed_all / DONE)]}), encoding="utf-8")
    compared = _status(mdfactory, summary)
    assert compared["in_step"]
    assert compared["counts"]["systems"] == NONE | {"unchanged": 1}


def test_status_names_invalid_folders(mdfactory: Program, pushed_all: Path) -> None:
    (pushed_all / BUILD / f"{BUILD}.yaml").write_text("system: 1\n", encoding="utf-8")
    result = mdfactory("sync", "status", pushed_all)
    assert result.code == 3
    assert f"skipped: {pushed_all / BUILD}: " in result.err
    assert _rows(_status(mdfactory, pushed_all)) == [("only_in_store", "RUN_DATABASE", BUILD, [])]


def test_status_prints_a_command_for_each_result_that_is_only_in_the_store(
    mdfactory: Program, pushed_all: Path
) -> None:
    results = Simulation.open(pushed_all / DONE).results
    results.remove_artifact("density_plot")
    results.remove_analysis("rdf_oxygen")
    lines = mdfactory("sync", "status", pushed_all).out.splitlines()[-3:]
    assert lines[0] == "To remove records that are only in the store:"
    for command in lines[1:]:
        assert command.startswith("  mdfactory sync clear analysis --a")
        assert mdfactory(*command.split()[1:], "--yes").code == 0
    assert mdfactory("sync", "status", pushed_all).out.splitlines()[-1] == "in step"


def test_status_of_an_invalid_folder_does_not_advise_to_remove_its_record(
    mdfactory: Program, pushed_all: Path
) -> None:
    (pushed_all / BUILD / f"{BUILD}.yaml").write_text("system: 1\n", encoding="utf-8")
    assert "clear" not in mdfactory("sync", "status", pushed_all).out


@pytest.mark.parametrize("end", ["", "/"])
def test_status_leaves_out_the_records_of_a_folder_of_an_unknown_type(
    mdfactory: Program, pushed_all: Path, end: str
) -> None:
    """Other programs may end a directory with a slash."""
    folder = pushed_all / BUILD
    values = {"simulation_type": "membrane", "system": {}}
    (folder / f"{BUILD}.yaml").write_text(json.dumps(values), encoding="utf-8")
    with open_store(load()).transaction(write=True) as transaction:
        query = Query((OneOf("hash", (BUILD,)),))
        [record] = [
            row for rows in transaction.read(SIMULATIONS, query) for row in rows.to_pylist()
        ]
        record["directory"] += end
        rows = batch([tuple(record.values())], SIMULATIONS.schema)
        transaction.write([(SIMULATIONS, rows)], ConflictMode.force)
    for source in ([], [pushed_all], [folder]):
        result = mdfactory("sync", "status", *source, "--exit-code")
        assert result.code == 3
        assert f"skipped: {folder}" in result.err
        assert result.out.splitlines()[-1] == "in step, apart from what was skipped"


def test_status_names_the_unused_folder_of_a_simulation_in_two_folders(
    mdfactory: Program, pushed_all: Path
) -> None:
    shutil.copytree(pushed_all / DONE, pushed_all / "copy")
    result = mdfactory("sync", "status", pushed_all)
    assert result.code == 3
    assert f"skipped: {pushed_all / 'copy'}: simulation {DONE} is also in" in result.err
    assert result.out.splitlines()[-1] == "in step, apart from what was skipped"


@pytest.mark.usefixtures("kind")
@on("csv")
def test_status_counts_simulations_that_were_edited_in_the_store(
    mdfactory: Program, pushed_all: Path
) -> None:
    """Another program changes a status, and keeps the time."""
    with open_store(load()).transaction(write=True) as transaction:
        query = Query((OneOf("hash", (DONE,)),))
        (row,) = next(iter(transaction.backend.scan(SIMULATIONS, query))).to_pylist()
        values = [(row | {"status": "build"})[name] for name in SIMULATIONS.columns]
        transaction.backend.remove(SIMULATIONS, [(DONE,)])
        transaction.backend.put(SIMULATIONS, batch([values], SIMULATIONS.schema))
    for source in ([pushed_all], [pushed_all, "--no-cache"], []):
        compared = _status(mdfactory, *source)
        assert compared["counts"]["systems"] == NONE | {"unchanged": 7, "edited_in_store": 1}
        assert _rows(compared) == [("edited_in_store", "RUN_DATABASE", DONE, [EDITED_TEXT])]
    assert mdfactory("sync", "push", "all", pushed_all, "--update", "--json").json["counts"] == {
        "inserted": 0,
        "updated": 0,
        "unchanged": 33,
        "skipped": 0,
    }
    result = mdfactory("sync", "status", pushed_all, "--exit-code")
    assert result.code == 4
    assert f"mdfactory sync push systems {pushed_all} --force" in result.out
    assert mdfactory("sync", "push", "systems", pushed_all, "--force").code == 0
    assert mdfactory("sync", "status", pushed_all, "--exit-code").code == 0


def test_a_store_of_another_installation_is_compared(
    mdfactory: Program, campaign: Path, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(data / "existing_stores" / "sqlite", folder, copy_function=shutil.copyfile)
    config = tmp_path / "old.ini"
    config.write_text(
        "[sqlite]\nRUN_DB_PATH=old/runs.db\nANALYSIS_DB_PATH=old/analysis.db\n", "utf-8"
    )
    compared = _status(mdfactory, campaign, "--config", config)
    assert compared["counts"]["systems"] == NONE | {"changed": 8}
    rows = [row for row in compared["rows"] if "ANALYSIS" in row["table"]]
    differences = {difference for row in rows for difference in row["what"]}
    assert "exact types not stored yet: another program wrote it" in differences


def test_status_of_a_store_without_records_says_that_nothing_was_compared(
    mdfactory: Program,
) -> None:
    mdfactory("sync", "init", "all")
    result = mdfactory("sync", "status")
    assert result.code == 0
    assert "the store has no records, so nothing was compared; give a SOURCE" in result.err
    assert result.out.splitlines()[-1] == "nothing was compared"


def test_a_store_without_tables_is_an_error(mdfactory: Program, campaign: Path) -> None:
    result = mdfactory("sync", "status", campaign)
    assert result.code == 1
    assert "mdfactory sync init all" in result.err


def test_a_build_input_goes_to_the_current_folder_if_that_of_the_record_cannot_be_made(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    mdfactory("sync", "relocate", pushed_all, "/proc/none")
    rightless = Path(__file__).parent.parent / "rightless.py"
    line = [sys.executable, rightless, "-m", "mdfactory", "prepare-build", "--from-store", DONE]
    refused = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    command = f"mdfactory prepare-build --from-store {DONE} {DONE}"
    assert refused.stderr.endswith(f"Run: {command}\n")
    line = [sys.executable, "-m", *command.split()]
    assert subprocess.run(line, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert (tmp_path / DONE / f"{DONE}.yaml").exists()


# Relocate


@pytest.mark.usefixtures("kind")
@on("sqlite")
def test_relocated_records_are_the_same_but_for_their_directory(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    before = _records(mdfactory)
    new = str(shutil.move(pushed_all, tmp_path / "archive" / "campaign"))
    move = ("sync", "relocate", pushed_all, new)
    planned = mdfactory(*move, "--dry-run", "--json").json
    assert _records(mdfactory) == before
    result = mdfactory(*move, "--json").json
    assert result["tables"] == planned["tables"]
    assert sum(result["tables"].values()) == 89
    after = _records(mdfactory)
    assert after == [
        {name: str(value).replace(str(pushed_all), new) for name, value in row.items()}
        for row in before
    ]
    assert mdfactory("sync", "status", new, "--exit-code").code == 0
    assert mdfactory("sync", "status", "--exit-code").code == 0
    file = tmp_path / "rdf.parquet"
    pull = ("sync", "pull", "analysis", "--analysis-name", "rdf_oxygen", "--hash", DONE)
    assert mdfactory(*pull, "--data", "--output", file).code == 0
    own = pq.read_table(Path(new) / DONE / ".analysis" / "rdf_oxygen.parquet")
    assert pq.read_table(file).drop_columns("hash").equals(own)


def _records(mdfactory: Program) -> list[dict[str, str]]:
    commands = [
        ("systems", "--full"),
        ("analysis", "--full"),
        ("artifacts", "--full"),
        ("analysis", "--analysis-name", "rdf_oxygen", "--full"),
    ]
    rows = []
    for arguments in commands:
        result = mdfactory("sync", "pull", *arguments, "--json")
        rows += [{name: str(value) for name, value in row.items()} for row in result.json["rows"]]
    return sorted(rows, key=lambda row: json.dumps({**row, "directory": ""}, sort_keys=True))


def test_relocate_names_what_a_typo_may_have_meant_and_how_to_undo_it(
    mdfactory: Program, pushed_all: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(pushed_all, pushed_all.parent / "archive")
    monkeypatch.chdir(pushed_all.parent)
    slip = mdfactory("sync", "relocate", "campain", "archive")
    assert f"nor below it (did you mean '{pushed_all.name}'?)" in slip.err
    moved = mdfactory("sync", "relocate", pushed_all.name, "./archiv")
    assert "does not exist on this machine (did you mean './archive'?)" in moved.err
    operation = int(moved.err.partition("operation ")[2].partition(";")[0])
    assert f"to undo it: mdfactory sync undo {operation}" in moved.err
    again = mdfactory("sync", "relocate", pushed_all.name, "archive")
    by = f"relocated by operation {operation}: mdfactory sync relocate campaign ./archiv"
    assert by in again.err
    assert mdfactory("sync", "undo", operation).code == 0
    assert mdfactory("sync", "relocate", pushed_all.name, "archive").code == 0
    other = mdfactory("sync", "relocate", "/mnt/other", "archive").err
    assert f"it has some of {pushed_all.parent / 'archive'}. OLD comes first" in other
    other = mdfactory("sync", "relocate", "/mnt/other", "/mnt/more").err
    assert f"; it has some in {pushed_all.parent / 'archive'}" in other


def test_relocate_does_not_touch_a_folder_with_the_same_prefix(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    start = str(pushed_all)[:-2]
    for options in ((), ("--dry-run",)):
        result = mdfactory("sync", "relocate", start, tmp_path / "elsewhere", *options)
        assert (result.code, result.out) == (1, "")
        assert f"{start}: the store has no records of this folder" in result.err
    result = mdfactory("sync", "relocate", f"{pushed_all / DONE}/", tmp_path / "new", "--json").json
    assert result["tables"]["RUN_DATABASE"] == 1
    shown = mdfactory("sync", "pull", "systems", "--hash", DONE, "--json").json["rows"]
    assert [row["directory"] for row in shown] == [str(tmp_path / "new")]


def test_relocate_resolves_paths_as_the_operating_system_does(
    mdfactory: Program, pushed_all: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pushed_all.parent
    (folder / "real" / "deep").mkdir(parents=True)
    (folder / "link").symlink_to("real/deep")
    monkeypatch.chdir(folder)
    old = f"link/../../{pushed_all.name}"
    result = mdfactory("sync", "relocate", old, "link/../moved", "--json").json
    assert result["tables"]["RUN_DATABASE"] == 8
    rows = mdfactory("sync", "pull", "systems", "--json").json["rows"]
    assert {Path(row["directory"]).parent for row in rows} == {folder / "real" / "moved"}


def test_relocate_to_the_same_folder_is_refused(mdfactory: Program, pushed_all: Path) -> None:
    result = mdfactory("sync", "relocate", pushed_all, f"{pushed_all}/.")
    assert result.code == 2
    assert "are the same folder" in result.err


@pytest.mark.parametrize("seconds", [-(2**31), -(10**10), 10**11], ids=str)
def test_files_with_times_far_in_the_past_or_future_are_compared(
    mdfactory: Program, campaign: Path, seconds: int
) -> None:
    mdfactory("sync", "init", "all")
    for path in [*campaign.rglob("*"), campaign]:
        os.utime(path, (seconds, seconds))
    for words in (["push", "all"], ["status", "--exit-code"], ["push", "all", "--diff"]):
        result = mdfactory("sync", *words, campaign)
        assert (result.code, result.err) == (0, "")


def _edit(folder: Path) -> str:
    """Edit the BuildInput of a folder; return its new hash."""
    file = folder / f"{folder.name}.yaml"
    file.write_text(file.read_text().replace("target_density: 0.9", "target_density: 0.8"))
    return Simulation.open(folder).hash


def test_each_way_out_of_an_edited_build_input_ends_the_warning(
    mdfactory: Program, pushed_all: Path
) -> None:
    folder = pushed_all / BUILD
    new = _edit(folder)
    assert new != BUILD
    warning = mdfactory("sync", "status", pushed_all).err.removeprefix("warning: ").rstrip()
    (pushed,) = mdfactory("sync", "push", "all", pushed_all, "--update", "--json").json["warnings"]
    assert pushed == warning
    file = folder / f"{BUILD}.yaml"
    back = f"mdfactory prepare-build --from-store {BUILD} {folder}"
    clear = f"mdfactory sync clear all --hash {BUILD}"
    assert warning == (
        f"{folder}: the folder is named after another hash; its BuildInput has {new}: an edited "
        f"BuildInput is another simulation. The store has the earlier one. To go back to it, move "
        f"{file} away, and run:\n  {back}\n"
        f"If the edit was meant, rename the folder to {new}, and run:\n  {clear}"
    )
    found = mdfactory("sync", "verify").out
    assert f"away, and {back}\n" in found
    assert f"rename the folder to {new}, and {clear}\n" in found
    file.rename(folder / "edited.txt")
    assert mdfactory(*back.split()[1:]).code == 0
    assert _status(mdfactory, pushed_all)["warnings"] == []

    _edit(folder)
    last = mdfactory("sync", "status", pushed_all).out.splitlines()[-1]
    assert last == f"To remove records that are only in the store: {clear}"
    assert mdfactory(*clear.split()[1:], "--yes").code == 0
    (cleared,) = _status(mdfactory, pushed_all)["warnings"]
    assert "clear" not in cleared
    assert cleared.endswith(
        f"If the edit was meant, rename the folder to {new}; if not, restore the file from a backup"
    )
    folder.rename(pushed_all / new)
    assert _status(mdfactory, pushed_all)["warnings"] == []
    assert mdfactory("sync", "push", "all", pushed_all, "--update").code == 0
    assert _status(mdfactory, pushed_all)["in_step"]


def test_a_copy_that_was_edited_does_not_advise_to_clear_the_original(
    mdfactory: Program, pushed_all: Path
) -> None:
    copy = Path(shutil.copytree(pushed_all / BUILD, pushed_all / "copies" / BUILD))
    _edit(copy)
    (warning,) = _status(mdfactory, pushed_all)["warnings"]
    assert "clear" not in warning
