"""The SQLite store without permissions, and on a full disk."""

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
"""Launcher that gives up the rights of root, which may read and write everything."""

SCRIPT_START = """
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
    simulations = (run(hash_, input_data=text * 100) for hash_ in hashes)
    yield SIMULATIONS, records(SIMULATIONS, *simulations)
    yield OVERVIEW, records(OVERVIEW, *(overview(hash_, "rdf", status=text) for hash_ in hashes))

def report(action):
    try:
        print(action())
    except MDFactoryError as error:
        print(f"{type(error).__name__}: {error}")
"""


def _run(script: str, *arguments: str | Path, rightless: bool = False) -> str:
    launcher = [str(RIGHTLESS)] if rightless else []
    command = [sys.executable, *launcher, "-c", SCRIPT_START + script, *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert not process.stderr, process.stderr
    return process.stdout


def _create_store(folder: Path) -> None:
    _run(
        "[store.create(table) for table in (SIMULATIONS, OVERVIEW)]; "
        "store.write(batches('a'), ConflictMode.refuse)",
        folder,
    )


def _read_values(folder: Path) -> dict[str, set[str]]:
    """Return file -> values of one column, after SQLite's integrity check."""
    values = {}
    for file, query in {
        "runs.db": "SELECT DISTINCT substr(input_data, 1, 1) FROM RUN_DATABASE",
        "analysis.db": "SELECT DISTINCT status FROM ANALYSIS_OVERVIEW",
    }.items():
        with closing(sqlite3.connect(folder / file)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            values[file] = {row[0] for row in database.execute(query)}
    return values


@pytest.fixture
def existing(tmp_path: Path, data: Path) -> Path:
    return Path(shutil.copytree(data / "existing_stores" / "sqlite", tmp_path / "store"))


@pytest.mark.parametrize("wal", [True, False])
def test_count_works_and_delete_fails_without_write_permission(
    existing: Path, *, wal: bool
) -> None:
    if not wal:
        _run("store.delete(SIMULATIONS, ())", existing)
        rows = "records(SIMULATIONS, *map(run, 'abcdefgh'))"
        _run(f"store.write([(SIMULATIONS, {rows})], ConflictMode.refuse)", existing)
    for file in existing.iterdir():
        file.chmod(0o444)
    existing.chmod(0o555)
    script = "report(lambda: store.count(SIMULATIONS)); report(lambda: store.delete(SIMULATIONS))"
    count, error = _run(script, existing, rightless=True).splitlines()
    existing.chmod(0o755)
    assert count == "8"
    assert error.startswith("StoreError: ")
    assert str(existing / "runs.db") in error
    assert "nothing was changed" in error
    assert sorted(path.name for path in existing.iterdir()) == ["analysis.db", "runs.db"]


def test_read_without_a_lock_fails_if_the_file_is_written_meanwhile(
    existing: Path, running: Callable[..., Any]
) -> None:
    """A file in WAL mode cannot be locked without write permission."""
    with closing(sqlite3.connect(existing / "runs.db")) as owner:
        records = [tuple(run(f"{number:040}").values()) for number in range(9_000)]
        owner.executemany(f"INSERT INTO RUN_DATABASE VALUES ({', '.join('?' * 9)})", records)
        owner.commit()
    for path in [*existing.iterdir(), existing]:
        path.chmod(0o555)
    script = """
rows = store.read(SIMULATIONS)
next(rows)
print("reading", flush=True)
sys.stdin.readline()
report(lambda: sum(len(batch) for batch in rows))
"""
    command = [sys.executable, str(RIGHTLESS), "-c", SCRIPT_START + script, str(existing)]
    with running(command, stdin=PIPE, stdout=PIPE, text=True) as reader:
        assert reader.stdout.readline() == "reading\n"
        with closing(sqlite3.connect(existing / "runs.db")) as owner:
            owner.execute("UPDATE RUN_DATABASE SET status = 'completed'")
            owner.commit()
        output, _ = reader.communicate("go on\n", timeout=60)
    existing.chmod(0o755)
    assert output.startswith("StoreError: ")


def test_count_of_a_file_without_read_permission_is_an_error(existing: Path) -> None:
    (existing / "runs.db").chmod(0)
    output = _run("report(lambda: store.count(SIMULATIONS))", existing, rightless=True)
    assert output.startswith("StoreError: ")
    assert str(existing / "runs.db") in output


def test_create_in_a_folder_without_write_permission_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    output = _run("report(lambda: store.create(SIMULATIONS))", tmp_path, rightless=True)
    tmp_path.chmod(0o755)
    assert output.startswith("StoreError: ")
    assert list(tmp_path.iterdir()) == []


def test_write_to_a_full_disk_leaves_the_store_as_before(tmp_path: Path) -> None:
    _create_store(tmp_path)
    script = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
report(lambda: store.write(batches('b' * 30), ConflictMode.force))
"""
    output = _run(script, tmp_path)
    assert output.startswith("StoreError: ")
    assert "nothing was changed" in output
    assert _read_values(tmp_path) == {"runs.db": {"a"}, "analysis.db": {"a"}}
