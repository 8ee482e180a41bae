"""The SQLite store under harm: no rights, no room, and kills at any instant."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from mdfactory.testing.records import run

RIGHTLESS = Path(__file__).parent.parent / "rightless.py"

COMMON = """
import sys
from pathlib import Path
from mdfactory.errors import MDFactoryError
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.testing.records import overview, records, run

store = SqliteStore(Path(sys.argv[1]) / "runs.db", Path(sys.argv[1]) / "analysis.db", wait=1)
hashes = [f"{number:05}" for number in range(3000)]

def batches(text):
    yield SIMULATIONS, records(SIMULATIONS, *(run(one, input_data=text * 100) for one in hashes))
    yield OVERVIEW, records(OVERVIEW, *(overview(one, "rdf", status=text) for one in hashes))

def tried(action):
    try:
        print(action())
    except MDFactoryError as error:
        print(f"{type(error).__name__}: {error}")
"""


def _run(script: str, *arguments: str | Path, rightless: bool = False) -> str:
    launcher = [str(RIGHTLESS)] if rightless else []
    command = [sys.executable, *launcher, "-c", COMMON + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert not done.stderr, done.stderr
    return done.stdout


def _made(folder: Path) -> None:
    _run(
        "[store.create(table) for table in (SIMULATIONS, OVERVIEW)]; "
        "store.write(batches('a'), ConflictMode.refuse)",
        folder,
    )


def _state(folder: Path) -> dict[str, set[str]]:
    """What lies in each file; opening it rolls back what a killed writer left."""
    state = {}
    for file, question in {
        "runs.db": "SELECT DISTINCT substr(input_data, 1, 1) FROM RUN_DATABASE",
        "analysis.db": "SELECT DISTINCT status FROM ANALYSIS_OVERVIEW",
    }.items():
        with closing(sqlite3.connect(folder / file)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            state[file] = {row[0] for row in database.execute(question)}
    return state


@pytest.fixture
def existing(tmp_path: Path, data: Path) -> Path:
    return Path(shutil.copytree(data / "existing_stores" / "sqlite", tmp_path / "store"))


@pytest.mark.parametrize("wal", [True, False])
def test_who_may_only_read_can_read(existing: Path, *, wal: bool) -> None:
    if not wal:
        _run("store.delete(SIMULATIONS, ())", existing)
        rows = "records(SIMULATIONS, *map(run, 'abcdefgh'))"
        _run(f"store.write([(SIMULATIONS, {rows})], ConflictMode.refuse)", existing)
    for file in existing.iterdir():
        file.chmod(0o444)
    existing.chmod(0o555)
    script = "tried(lambda: store.count(SIMULATIONS)); tried(lambda: store.delete(SIMULATIONS))"
    counted, refused = _run(script, existing, rightless=True).splitlines()
    existing.chmod(0o755)
    assert counted == "8"
    assert refused.startswith("StoreError: ")
    assert str(existing / "runs.db") in refused
    assert "nothing was changed" in refused
    assert sorted(path.name for path in existing.iterdir()) == ["analysis.db", "runs.db"]


def test_who_may_only_read_never_takes_a_mixture_for_the_whole(
    existing: Path, running: Callable[..., Any]
) -> None:
    """Without the right to lock a file in WAL mode, what is read may change meanwhile."""
    with closing(sqlite3.connect(existing / "runs.db")) as owner:
        many = [tuple(run(f"{number:040}").values()) for number in range(9_000)]
        owner.executemany(f"INSERT INTO RUN_DATABASE VALUES ({', '.join('?' * 9)})", many)
        owner.commit()
    for path in [*existing.iterdir(), existing]:
        path.chmod(0o555)
    script = """
rows = store.read(SIMULATIONS)
next(rows)
print("reading", flush=True)
sys.stdin.readline()
tried(lambda: sum(len(one) for one in rows))
"""
    command = [sys.executable, str(RIGHTLESS), "-c", COMMON + script, str(existing)]
    with running(command, stdin=PIPE, stdout=PIPE, text=True) as reader:
        assert reader.stdout.readline() == "reading\n"
        with closing(sqlite3.connect(existing / "runs.db")) as owner:
            owner.execute("UPDATE RUN_DATABASE SET status = 'completed'")
            owner.commit()
        said, _ = reader.communicate("go on\n", timeout=60)
    existing.chmod(0o755)
    assert said.startswith("StoreError: ")


def test_a_file_that_must_not_be_read_is_an_error(existing: Path) -> None:
    (existing / "runs.db").chmod(0)
    said = _run("tried(lambda: store.count(SIMULATIONS))", existing, rightless=True)
    assert said.startswith("StoreError: ")
    assert str(existing / "runs.db") in said


def test_a_folder_that_must_not_be_written_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    said = _run("tried(lambda: store.create(SIMULATIONS))", tmp_path, rightless=True)
    tmp_path.chmod(0o755)
    assert said.startswith("StoreError: ")
    assert list(tmp_path.iterdir()) == []


def test_when_there_is_no_room_left_the_store_is_as_before(tmp_path: Path) -> None:
    _made(tmp_path)
    script = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
tried(lambda: store.write(batches('b' * 30), ConflictMode.force))
"""
    said = _run(script, tmp_path)
    assert said.startswith("StoreError: ")
    assert "nothing was changed" in said
    assert _state(tmp_path) == {"runs.db": {"a"}, "analysis.db": {"a"}}
