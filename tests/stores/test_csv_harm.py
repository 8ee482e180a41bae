"""The CSV store under harm: no rights, no room, kills at any instant, many at once."""

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

from mdfactory.records.tables import SIMULATIONS

RIGHTLESS = Path(__file__).parent.parent / "rightless.py"
FORK = "ignore:This process:DeprecationWarning"
"""Python warns of a fork beside threads; a child here only writes, and dies."""

COMMON = """
import os, sys, time
from pathlib import Path
from mdfactory.errors import MDFactoryError
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, Namespace, SIMULATIONS, analysis_table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.csv.store import CsvStore
from mdfactory.testing.records import overview, records, run

store = CsvStore(Path(sys.argv[1]) / "runs.csv", Path(sys.argv[1]) / "analysis", wait=10)
hashes = [f"{number:05}" for number in range(3000)]

def batches(text):
    yield SIMULATIONS, records(SIMULATIONS, *(run(one, input_data=text * 100) for one in hashes))
    yield OVERVIEW, records(OVERVIEW, *(overview(one, "rdf", status=text) for one in hashes))

def seen():
    # the letters in each file, of one transaction
    with store.transaction() as one:
        letters = [{row[0] for rows in one.read(table, Query(columns=(name,)))
                    for row in rows[name].to_pylist()}
                   for table, name in ((SIMULATIONS, "input_data"), (OVERVIEW, "status"))]
        return ["".join(sorted(some)) for some in letters]

def tried(action):
    try:
        print(action(), flush=True)
    except MDFactoryError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
"""


def _run(script: str, *arguments: str | Path, rightless: bool = False) -> str:
    done = subprocess.run(
        _command(script, *arguments, rightless=rightless),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout


def _command(script: str, *arguments: str | Path, rightless: bool = False) -> list[str]:
    launcher = [str(RIGHTLESS)] if rightless else []
    return [sys.executable, *launcher, "-W", FORK, "-c", COMMON + script, *map(str, arguments)]


def _made(folder: Path) -> None:
    _run(
        "[store.create(table) for table in (SIMULATIONS, OVERVIEW)]; "
        "store.write(batches('a'), ConflictMode.refuse)",
        folder,
    )


def _letters(folder: Path) -> list[set[str]]:
    """What lies in each file, read past the store."""
    letters = []
    files = {folder / "runs.csv": 4, folder / "analysis" / "ANALYSIS_OVERVIEW.csv": 5}
    for file, column in files.items():
        with file.open(encoding="utf-8", newline="") as lines:
            _, *rows = csv.reader(lines)
        assert len(rows) == 3000
        letters.append({row[column][0] for row in rows})
    return letters


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def existing(tmp_path: Path, data: Path) -> Path:
    return Path(shutil.copytree(data / "existing_stores" / "csv", tmp_path / "store"))


def _protect(folder: Path, *, on: bool) -> None:
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            path.chmod(0o555 if on else 0o755)
        else:
            path.chmod(0o444 if on else 0o644)


def test_who_may_only_read_can_read(existing: Path) -> None:
    files = _files(existing)
    _protect(existing, on=True)
    script = "tried(lambda: store.count(SIMULATIONS)); tried(lambda: store.delete(SIMULATIONS))"
    counted, refused = _run(script, existing, rightless=True).splitlines()
    _protect(existing, on=False)
    assert counted == "8"
    assert refused.startswith("StoreError: ")
    assert str(existing) in refused
    assert "nothing was changed" in refused
    assert _files(existing) == files


def test_a_file_that_must_not_be_written_is_not_replaced(existing: Path) -> None:
    """The folder would allow it."""
    (existing / "runs.csv").chmod(0o444)
    refused = _run("tried(lambda: store.delete(SIMULATIONS))", existing, rightless=True)
    assert refused.startswith("StoreError: ")
    assert str(existing / "runs.csv") in refused
    assert "nothing was changed" in refused
    assert _run("tried(lambda: store.count(SIMULATIONS))", existing) == "8\n"


@pytest.mark.parametrize("hidden", ["runs.csv", "analysis"])
def test_what_must_not_be_read_is_an_error(existing: Path, hidden: str) -> None:
    (existing / hidden).chmod(0)
    script = "tried(lambda: store.count(SIMULATIONS)); tried(store.tables)"
    for said in _run(script, existing, rightless=True).splitlines():
        assert said.startswith("StoreError: ")
        assert str(existing / hidden) in said
    (existing / hidden).chmod(0o755)


def test_a_folder_that_must_not_be_written_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    said = _run("tried(lambda: store.create(SIMULATIONS))", tmp_path, rightless=True)
    tmp_path.chmod(0o755)
    assert said.startswith("StoreError: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("room", [100_000, 500_000, 900_000])
def test_when_there_is_no_room_left_the_store_is_as_before(tmp_path: Path, room: int) -> None:
    _made(tmp_path)
    files = _files(tmp_path)
    script = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
tried(lambda: store.write(batches('b' * 30), ConflictMode.force))
"""
    said = _run(script, tmp_path, str(room))
    assert said.startswith("StoreError: ")
    assert "nothing was changed" in said
    assert "ulimit" in said
    assert _letters(tmp_path) == [{"a"}, {"a"}]
    assert _files(tmp_path) == files


STEPS = """
import shutil, signal

def killed(step):
    # before the call of a file operation with this number
    steps = iter(range(step))
    for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (os, "mkdir")):
        setattr(owner, name, dying(getattr(owner, name), steps))
    with store.transaction(write=True) as one:
        one.write([(SIMULATIONS, records(SIMULATIONS, run("A", status="b"))),
                   (OVERVIEW, records(OVERVIEW, overview("A", "rdf", status="b")))],
                  ConflictMode.force)
        one.create(analysis_table("fresh"))
        one.drop(analysis_table("old"))

def dying(call, steps):
    def step(*args, **kwargs):
        if next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return step

def state():
    with store.transaction() as one:
        letters = [rows["status"].to_pylist() for table in (SIMULATIONS, OVERVIEW)
                   for rows in one.read(table)]
        names = {table.name.removeprefix("ANALYSIS_") for table in one.tables()}
    [[letter], [same]] = letters
    known = {"a": {"OVERVIEW", "old", "RUN_DATABASE"}, "b": {"OVERVIEW", "fresh", "RUN_DATABASE"}}
    return letter if letter == same and names == known[letter] else "torn"

def protect(on):
    for path in [*Path(sys.argv[1]).rglob("*"), Path(sys.argv[1])]:
        path.chmod(path.stat().st_mode & 0o555 | (0 if on else 0o200))

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
        killed(step)
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    protect(True)
    seen = [state()]
    protect(False)
    seen += [state(), store.create(SIMULATIONS), state()]
    left = [path for path in Path(sys.argv[1]).rglob("*.staged")]
    print(step, ended, *seen, len(left))
    if not ended:
        break
"""


def test_a_kill_at_each_step_of_a_commit_is_before_or_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two folders, a table that is made and one that goes; read by who may write, and may not."""
    said = [line.split()[1:] for line in _run(STEPS, tmp_path, rightless=True).splitlines()]
    *kills, last = said
    assert last == ["0", "b", "b", "0", "b", "0"]
    assert {kill[0] for kill in kills} == {str(int(signal.SIGKILL))}
    assert {tuple(kill[1:]) for kill in kills} == {tuple("aa0a0"), tuple("bb0b0")}
    assert kills == sorted(kills)
    counts = dict(Counter(kill[1] for kill in kills))
    with capsys.disabled():
        print(f"\n{len(kills)} kills, one at each step: {counts}")  # noqa: T201  # a result


def test_a_decision_that_cannot_be_found_is_an_error(tmp_path: Path) -> None:
    """The results belong to a write that another folder decides, and that folder is gone."""
    _made(tmp_path)
    record = tmp_path / "analysis" / ".mdfactory" / "commit"
    values = json.loads(record.read_bytes())
    values |= {
        "id": "other",
        "decided_by": str(tmp_path / "elsewhere"),
        "change": {"moves": {"1.staged": "ANALYSIS_OVERVIEW.csv"}, "drops": []},
    }
    record.write_text(json.dumps(values), encoding="utf-8")
    said = _run("tried(seen); tried(lambda: store.delete(SIMULATIONS))", tmp_path)
    assert said.count("StoreError: ") == 2
    assert said.count("elsewhere") == 2
    (tmp_path / "elsewhere").mkdir()
    assert _run("tried(seen)", tmp_path) == "['a', 'a']\n"


HOLD = """
with store.transaction(write=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_program_that_holds_the_store_is_named(
    tmp_path: Path, running: Callable[..., Any]
) -> None:
    _made(tmp_path)
    with running(_command(HOLD, tmp_path), stdin=PIPE, stdout=PIPE) as holder:
        holder.stdout.readline()
        said = _run(
            "store.wait = 0.1; tried(lambda: store.delete(SIMULATIONS)); tried(seen)", tmp_path
        )
    refused, seen = said.splitlines()
    assert refused.startswith("StoreLockedError: ")
    assert f"process {holder.pid} " in refused
    assert f" on {os.uname().nodename}" in refused
    assert "waited 0.1 s" in refused
    assert seen == "['a', 'a']"
    assert SIMULATIONS.name
