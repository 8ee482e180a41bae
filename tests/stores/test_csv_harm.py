"""Failures of the CSV store: missing access rights, a full disk, kills at any step."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from forking import FORK_WARNING_FILTER
from mdfactory.records.tables import SIMULATIONS
from scripted import run_here

RIGHTLESS = Path(__file__).parent.parent / "rightless.py"

COMMON_SCRIPT = """
import os, sys, time
from pathlib import Path
from mdfactory.errors import MDFactoryError
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import OVERVIEW, Namespace, SIMULATIONS, analysis_table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.csv.store import CsvStore
from mdfactory.testing.records import overview, records, run

store = CsvStore(Path(sys.argv[1]) / "runs.csv", Path(sys.argv[1]) / "analysis", wait=10)
hashes = [f"{number:05}" for number in range(3000)]

def batches(text):
    runs = (run(hash_, input_data=text * 100) for hash_ in hashes)
    yield SIMULATIONS, records(SIMULATIONS, *runs)
    yield OVERVIEW, records(OVERVIEW, *(overview(hash_, "rdf", status=text) for hash_ in hashes))

def read_letters():
    # The first letters of the cells of each table, in one transaction.
    with store.transaction() as transaction:
        letters = [{cell[0] for rows in transaction.read(table, Query(columns=(name,)))
                    for cell in rows[name].to_pylist()}
                   for table, name in ((SIMULATIONS, "input_data"), (OVERVIEW, "status"))]
        return ["".join(sorted(table_letters)) for table_letters in letters]

def attempt(action):
    try:
        print(action(), flush=True)
    except MDFactoryError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
"""


def _run_script(
    script: str, *arguments: str | Path, apart: bool = False, rightless: bool = False
) -> str:
    """Run a script, and return its output.

    Parameters
    ----------
    script
        What comes after `COMMON_SCRIPT`.
    arguments
        Its arguments, of which the first is the folder of the store.
    apart
        Whether it may hang, crash or change its process: it has one of its own.
    rightless
        Whether it has no rights of root, which also takes a process of its own.
    """
    if not (apart or rightless):
        return run_here(COMMON_SCRIPT + script, *arguments)
    completed = subprocess.run(
        _command(script, *arguments, rightless=rightless),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not completed.stderr, completed.stderr
    return completed.stdout


def _command(script: str, *arguments: str | Path, rightless: bool = False) -> list[str]:
    launcher = [str(RIGHTLESS)] if rightless else []
    return [
        sys.executable,
        *launcher,
        "-W",
        FORK_WARNING_FILTER,
        "-c",
        COMMON_SCRIPT + script,
        *map(str, arguments),
    ]


def _create_store(folder: Path) -> None:
    _run_script(
        "[store.create(table) for table in (SIMULATIONS, OVERVIEW)]; "
        "store.write(batches('a'), ConflictMode.refuse)",
        folder,
    )


def _read_letters(folder: Path) -> list[set[str]]:
    """Return the first letters of the cells of each file, read without the store."""
    letters = []
    files = {folder / "runs.csv": 4, folder / "analysis" / "ANALYSIS_OVERVIEW.csv": 5}
    for file, column in files.items():
        with file.open(encoding="utf-8", newline="") as lines:
            _, *rows = csv.reader(lines)
        assert len(rows) == 3000
        letters.append({row[column][0] for row in rows})
    return letters


def _list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def existing(tmp_path: Path, data: Path) -> Path:
    return Path(shutil.copytree(data / "existing_stores" / "csv", tmp_path / "store"))


def _set_read_only(folder: Path, *, on: bool) -> None:
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            path.chmod(0o555 if on else 0o755)
        else:
            path.chmod(0o444 if on else 0o644)


def test_a_read_only_store_can_be_read_and_not_written(existing: Path) -> None:
    files = _list_files(existing)
    _set_read_only(existing, on=True)
    script = "attempt(lambda: store.count(SIMULATIONS)); attempt(lambda: store.delete(SIMULATIONS))"
    counted, refused = _run_script(script, existing, rightless=True).splitlines()
    _set_read_only(existing, on=False)
    assert counted == "8"
    assert refused.startswith("StoreError: ")
    assert str(existing) in refused
    assert "nothing was changed" in refused
    assert _list_files(existing) == files


def test_a_read_only_file_in_a_writable_folder_is_not_replaced(existing: Path) -> None:
    (existing / "runs.csv").chmod(0o444)
    refused = _run_script("attempt(lambda: store.delete(SIMULATIONS))", existing, rightless=True)
    assert refused.startswith("StoreError: ")
    assert str(existing / "runs.csv") in refused
    assert "nothing was changed" in refused
    assert _run_script("attempt(lambda: store.count(SIMULATIONS))", existing) == "8\n"


@pytest.mark.parametrize("hidden", ["runs.csv", "analysis"])
def test_an_unreadable_path_is_an_error_that_names_it(existing: Path, hidden: str) -> None:
    (existing / hidden).chmod(0)
    script = "attempt(lambda: store.count(SIMULATIONS)); attempt(store.tables)"
    for message in _run_script(script, existing, rightless=True).splitlines():
        assert message.startswith("StoreError: ")
        assert str(existing / hidden) in message
    (existing / hidden).chmod(0o755)


def test_creating_a_table_in_a_read_only_folder_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    output = _run_script("attempt(lambda: store.create(SIMULATIONS))", tmp_path, rightless=True)
    tmp_path.chmod(0o755)
    assert output.startswith("StoreError: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("room", [100_000, 500_000, 900_000])
def test_a_full_disk_leaves_the_store_unchanged(tmp_path: Path, room: int) -> None:
    _create_store(tmp_path)
    files = _list_files(tmp_path)
    script = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
attempt(lambda: store.write(batches('b' * 30), ConflictMode.force))
"""
    output = _run_script(script, tmp_path, str(room), apart=True)
    assert output.startswith("StoreError: ")
    assert "nothing was changed" in output
    assert "ulimit" in output
    assert _read_letters(tmp_path) == [{"a"}, {"a"}]
    assert _list_files(tmp_path) == files


KILL_SCRIPT = """
import shutil, signal

def write_until_killed(calls):
    # Write, and be killed before the file operation that follows this number of them.
    calls_left = iter(range(calls))
    for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (os, "mkdir")):
        setattr(owner, name, kill_after(calls_left, getattr(owner, name)))
    with store.transaction(write=True) as transaction:
        transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A", status="b"))),
                           (OVERVIEW, records(OVERVIEW, overview("A", "rdf", status="b")))],
                          ConflictMode.force)
        transaction.create(analysis_table("fresh"))
        transaction.backend.drop(analysis_table("old"))

def kill_after(calls_left, operation):
    def counted(*args, **kwargs):
        if next(calls_left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return operation(*args, **kwargs)
    return counted

def read_state():
    with store.transaction() as transaction:
        letters = [rows["status"].to_pylist() for table in (SIMULATIONS, OVERVIEW)
                   for rows in transaction.read(table)]
        names = {table.name.removeprefix("ANALYSIS_") for table in transaction.tables()}
    [[run_letter], [overview_letter]] = letters
    expected = {"a": {"OVERVIEW", "old", "RUN_DATABASE"},
                "b": {"OVERVIEW", "fresh", "RUN_DATABASE"}}
    is_one_state = run_letter == overview_letter and names == expected[run_letter]
    return run_letter if is_one_state else "torn"

def set_read_only(on):
    for path in [*Path(sys.argv[1]).rglob("*"), Path(sys.argv[1])]:
        path.chmod(path.stat().st_mode & 0o555 | (0 if on else 0o200))

def write_next():
    if sys.argv[2] == "same":
        store.create(SIMULATIONS)
    else:
        other = CsvStore(Path(sys.argv[1]) / "runs.csv", Path(sys.argv[1]) / "elsewhere", wait=10)
        other.write([(SIMULATIONS, records(SIMULATIONS, run("B")))], ConflictMode.refuse)
        other.delete(SIMULATIONS, (OneOf("hash", ("B",)),))

store.create(SIMULATIONS)
for table in (OVERVIEW, analysis_table("old")):
    store.create(table)
store.write([(SIMULATIONS, records(SIMULATIONS, run("A", status="a"))),
             (OVERVIEW, records(OVERVIEW, overview("A", "rdf", status="a")))], ConflictMode.refuse)
shutil.copytree(sys.argv[1], sys.argv[1] + ".copy")
for step in range(200):
    shutil.rmtree(sys.argv[1])
    shutil.copytree(sys.argv[1] + ".copy", sys.argv[1])
    child = os.fork()
    if not child:
        write_until_killed(step)
        os._exit(0)
    exit_status = os.waitpid(child, 0)[1]
    set_read_only(True)
    states = [read_state()]
    set_read_only(False)
    states += [read_state(), write_next(), read_state()]
    store.create(SIMULATIONS)
    staged = [path for path in Path(sys.argv[1]).rglob("*.staged")]
    print(step, exit_status, *states, len(staged))
    if not exit_status:
        break
"""


@pytest.mark.parametrize("next_writer", ["same", "other"])
def test_a_kill_at_any_step_of_a_commit_leaves_the_state_before_or_after(
    next_writer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commit is to two folders, and creates a table and drops one.

    After each kill a read-only user reads the store first, and then a writer does: one of the
    same store, or of another one that shares only the file of the simulations.
    """
    lines = _run_script(KILL_SCRIPT, tmp_path, next_writer, rightless=True).splitlines()
    *kills, last = [line.split()[1:] for line in lines]
    assert last == ["0", "b", "b", "None", "b", "0"]
    assert {kill[0] for kill in kills} == {str(int(signal.SIGKILL))}
    states = {("a", "a", "None", "a", "0"), ("b", "b", "None", "b", "0")}
    assert {tuple(kill[1:]) for kill in kills} == states
    assert kills == sorted(kills)
    counts = dict(Counter(kill[1] for kill in kills))
    with capsys.disabled():
        print(f"\n{len(kills)} kills, one at each step: {counts}")  # noqa: T201  # a result


def test_a_missing_deciding_folder_is_an_error(tmp_path: Path) -> None:
    """The commit record of the results names a deciding folder that does not exist."""
    _create_store(tmp_path)
    record = tmp_path / "analysis" / ".mdfactory" / "commit"
    values = json.loads(record.read_bytes())
    values |= {
        "id": "other",
        "decided_by": str(tmp_path / "elsewhere.mdfactory"),
        "change": {"moves": {"1.staged": "ANALYSIS_OVERVIEW.csv"}, "drops": []},
    }
    record.write_text(json.dumps(values), encoding="utf-8")
    output = _run_script(
        "attempt(read_letters); attempt(lambda: store.delete(SIMULATIONS))", tmp_path
    )
    assert output.count("StoreError: ") == 2
    assert output.count("elsewhere") == 2
    (tmp_path / "elsewhere.mdfactory").mkdir()
    assert _run_script("attempt(read_letters)", tmp_path) == "['a', 'a']\n"


# What others may plant


CHANGES_OUTSIDE_THE_STORE = [
    {"moves": {"x": "../../profile"}, "drops": []},
    {"moves": {"1.staged": "../profile"}, "drops": []},
    {"moves": {"../../1.staged": "ANALYSIS_OVERVIEW.csv"}, "drops": []},
    {"moves": {"1.staged": "notes.csv"}, "drops": []},
    {"moves": {}, "drops": ["../profile"]},
    {"moves": {}, "drops": ["{folder}/profile"]},
    {"moves": {}, "drops": ["notes.csv"]},
    {"moves": {}, "drops": [".mdfactory/../../profile"]},
]
"""Changes in a commit record that concern files of others."""


@pytest.mark.parametrize("change", CHANGES_OUTSIDE_THE_STORE, ids=str)
def test_a_planted_commit_record_changes_no_file_of_others(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    _create_store(tmp_path)
    hidden = tmp_path / "analysis" / ".mdfactory"
    others = [tmp_path / "profile", tmp_path / "analysis" / "notes.csv"]
    for path in others:
        path.write_text("mine", encoding="utf-8")
    for name in ("x", "1.staged"):
        (hidden / name).write_text("theirs", encoding="utf-8")
    values = {"format": 1, "generation": 9, "id": "z", "change": change}
    text = json.dumps(values | {"decided_by": "", "also": ""})
    (hidden / "commit").write_text(text.replace("{folder}", str(tmp_path)), encoding="utf-8")
    output = _run_script(
        "attempt(read_letters); attempt(lambda: store.delete(SIMULATIONS))", tmp_path
    )
    assert output.count("is not a commit record") == 2
    assert [path.read_text(encoding="utf-8") for path in others] == ["mine", "mine"]


def test_a_deeply_nested_commit_record_is_an_error(tmp_path: Path) -> None:
    _create_store(tmp_path)
    (tmp_path / "analysis" / ".mdfactory" / "commit").write_text("[" * 200_000, encoding="utf-8")
    output = _run_script("attempt(read_letters)", tmp_path, apart=True)
    assert "is not a commit record" in output


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("name", ["lock", "commit"])
def test_a_planted_link_in_a_hidden_folder_changes_no_file_of_others(
    tmp_path: Path, name: str, link: str
) -> None:
    _create_store(tmp_path)
    path, profile = tmp_path / "analysis" / ".mdfactory" / name, tmp_path / "profile"
    path.unlink(missing_ok=True)
    profile.write_text("mine", encoding="utf-8")
    getattr(path, link)(profile)
    _run_script("attempt(lambda: store.delete(OVERVIEW))", tmp_path)
    assert profile.read_text(encoding="utf-8") == "mine"


def test_a_planted_staged_link_does_not_become_a_table(tmp_path: Path) -> None:
    _create_store(tmp_path)
    hidden = tmp_path / "analysis" / ".mdfactory"
    (tmp_path / "secret").write_text("s3cret", encoding="utf-8")
    (hidden / "1.staged").symlink_to(tmp_path / "secret")
    change = {"moves": {"1.staged": "ANALYSIS_OVERVIEW.csv"}, "drops": []}
    values = {"format": 1, "generation": 9, "id": "z", "change": change}
    record = json.dumps(values | {"decided_by": "", "also": ""})
    (hidden / "commit").write_text(record, encoding="utf-8")
    output = _run_script(
        "attempt(read_letters); attempt(lambda: store.delete(SIMULATIONS))", tmp_path
    )
    assert output.count("StoreError: ") == 2
    assert "s3cret" not in output
    assert not (tmp_path / "analysis" / "ANALYSIS_OVERVIEW.csv").is_symlink()


def test_a_pipe_in_place_of_a_table_is_an_error(tmp_path: Path) -> None:
    _create_store(tmp_path)
    path = tmp_path / "analysis" / "ANALYSIS_OVERVIEW.csv"
    path.unlink()
    os.mkfifo(path)
    assert "is not a file" in _run_script("attempt(read_letters)", tmp_path, apart=True)


def test_a_pipe_in_place_of_a_lock_is_an_error(tmp_path: Path) -> None:
    _create_store(tmp_path)
    path = tmp_path / "analysis" / ".mdfactory" / "lock"
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    output = _run_script("attempt(lambda: store.delete(OVERVIEW))", tmp_path, apart=True)
    assert f"StoreError: {path}: " in output
    assert "nothing was changed: it is not a file; remove it" in output


HOLD_SCRIPT = """
with store.transaction(write=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_process_that_holds_the_lock_is_named(
    tmp_path: Path, running: Callable[..., Any]
) -> None:
    _create_store(tmp_path)
    with running(_command(HOLD_SCRIPT, tmp_path), stdin=PIPE, stdout=PIPE) as holder:
        holder.stdout.readline()
        output = _run_script(
            "store.wait = 0.1; attempt(lambda: store.delete(SIMULATIONS)); attempt(read_letters)",
            tmp_path,
            apart=True,
        )
    refused, letters = output.splitlines()
    assert refused.startswith("StoreLockedError: ")
    assert f"process {holder.pid} " in refused
    assert f" on {os.uname().nodename}" in refused
    assert "waited 0.1 s" in refused
    assert letters == "['a', 'a']"
    assert SIMULATIONS.name
