"""The SQLite store without permissions, and on a full disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from mdfactory.errors import StoreError
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.stores.sql.super_journal import recover_moved_commit
from mdfactory.testing.records import run
from scripted import run_here
from tracing import NEEDS_STRACE, traced

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
    run_here(
        f"{SCRIPT_START}[store.create(table) for table in (SIMULATIONS, OVERVIEW)]; "
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
        run_here(f"{SCRIPT_START}store.delete(SIMULATIONS, ())", existing)
        rows = "records(SIMULATIONS, *map(run, 'abcdefgh'))"
        write = f"store.write([(SIMULATIONS, {rows})], ConflictMode.refuse)"
        run_here(SCRIPT_START + write, existing)
    for file in existing.iterdir():
        file.chmod(0o444)
    existing.chmod(0o555)
    script = "report(lambda: store.count(SIMULATIONS)); report(lambda: store.delete(SIMULATIONS))"
    count, error = _run(script, existing, rightless=True).splitlines()
    existing.chmod(0o755)
    assert count == "8"
    assert error.startswith("StoreError: ")
    assert str(existing / "runs.db") in error
    assert "nothing was changed: you have no permission to write these files" in error
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


# Files that are moved after a kill

COMMIT_CALLS = "pwrite64,fdatasync,fsync,unlink"
"""System calls by which SQLite commits."""

MAGIC = bytes.fromhex("d9d505f920a163d7")
"""The end of a journal that names a super-journal; alone, it is the start of each journal."""

REWRITE = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1] + "/runs.db", isolation_level=None)
database.execute("ATTACH ? AS results", (sys.argv[1] + "/analysis.db",))
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE RUN_DATABASE SET input_data = 'b'")
database.execute("UPDATE results.ANALYSIS_OVERVIEW SET status = 'b'")
database.execute("COMMIT")
"""
"""A commit of SQLite to two files, which starts faster than the program."""


def _kill_writer(folder: Path, step: int) -> bool:
    """Kill a writer at one of the system calls of its commit; return whether it got there."""
    kill = f"--inject={COMMIT_CALLS}:signal=KILL:when={step}"
    command = [*traced(COMMIT_CALLS, kill), "-I", "-S", "-c", REWRITE, str(folder)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode != 0


@pytest.fixture
def small_store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    run_here(
        f"{SCRIPT_START}hashes = hashes[:20]; "
        "[store.create(table) for table in (SIMULATIONS, OVERVIEW)]; "
        "store.write(batches('a'), ConflictMode.refuse)",
        folder,
    )
    return folder


def _renew(folder: Path, original: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)


def _read_letters(folder: Path) -> set[str]:
    """Return the letters of all records of both files, as the store reads them."""
    store = SqliteStore(folder / "runs.db", folder / "analysis.db", wait=1)
    with store.transaction() as transaction:
        simulations = transaction.values(SIMULATIONS, Query(columns=("input_data",)))
        overviews = transaction.values(OVERVIEW, Query(columns=("status",)))
        return {text[0] for (text,) in [*simulations, *overviews]}


@NEEDS_STRACE
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.long)])
def test_a_store_that_is_moved_after_a_kill_is_as_before_or_as_after(
    small_store: Path, tmp_path: Path, every: int
) -> None:
    """The writer is killed at each step of its commit, then the folder is renamed."""
    folder, moved = tmp_path / "live", tmp_path / "moved"
    left: list[str] = []
    for step in range(1, 1000, every):
        _renew(folder, small_store)
        shutil.rmtree(moved, ignore_errors=True)
        was_killed = _kill_writer(folder, step)
        folder.rename(moved)
        (letter,) = _read_letters_or_complete(moved)
        left.append(letter)
        assert _read_letters(moved) == {letter}
        _read_values(moved)
        if not was_killed:
            break
    assert left[0] == "a"
    assert left[-1] == "b"
    assert left == sorted(left)  # from one step on, the write is complete


def _read_letters_or_complete(folder: Path) -> set[str]:
    """Return the letters; if it cannot be told whether a write was complete, do as the error says.

    These are the files of a whole folder: without a super-journal, the write was complete.
    """
    try:
        return _read_letters(folder)
    except StoreError as error:
        assert not list(folder.glob("*-mj*"))
        _, _, journals = str(error).partition("delete ")
        for journal in journals.split(", "):
            Path(journal).unlink()
        return _read_letters(folder)


def _leave_super_journal(folder: Path, moved: Path) -> None:
    shutil.copytree(folder, moved, ignore=shutil.ignore_patterns("*-mj*"))
    shutil.rmtree(folder)


def _open_runs_first(folder: Path, moved: Path) -> None:
    folder.rename(moved)
    _open_alone(moved / "runs.db")


def _open_results_first(folder: Path, moved: Path) -> None:
    folder.rename(moved)
    _open_alone(moved / "analysis.db")


def _open_results_as_a_store_of_one_file(folder: Path, moved: Path) -> None:
    folder.rename(moved)
    file = moved / "analysis.db"
    with suppress(StoreError), SqliteStore(file, file, wait=1).transaction() as transaction:
        transaction.tables()


def _move_the_results(folder: Path, moved: Path) -> None:
    """Move one of the two files, and put a link in its place."""
    results = moved.with_name("results")
    results.mkdir()
    for path in list(folder.glob("analysis.db*")):
        path.rename(results / path.name)
    (folder / "analysis.db").symlink_to(results / "analysis.db")
    moved.symlink_to(folder)


def _open_alone(database: Path) -> None:
    """Open one of the files with SQLite, as its shell does."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()


@NEEDS_STRACE
@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "harm",
    [
        _leave_super_journal,
        _open_runs_first,
        _open_results_first,
        _open_results_as_a_store_of_one_file,
        _move_the_results,
    ],
)
def test_a_commit_whose_files_were_parted_after_a_kill_is_never_half_stored(
    small_store: Path, tmp_path: Path, harm: Callable[[Path, Path], None], every: int
) -> None:
    """The store is as before, as after, or refused, with the journals named."""
    folder, moved = tmp_path / "live", tmp_path / "moved"
    was_killed = True
    for step in count(1, every):
        for path in (folder, moved, tmp_path / "results"):
            path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(small_store, folder)
        was_killed = _kill_writer(folder, step)
        if len(_naming_journals(folder)) == 1 and harm is _open_runs_first:
            continue  # SQLite leaves no trace of what it takes for a complete commit
        harm(folder, moved)
        for _ in range(2):
            names = [path.name for path in tmp_path.glob("*/*-journal")]
            try:
                letters = _read_letters(moved)
            except StoreError as error:
                message = str(error)
            else:
                message = ""
                assert len(letters) == 1
            assert not message or any(name in message for name in names)
        if not was_killed:
            break


def _naming_journals(folder: Path) -> list[Path]:
    """Return the journals that name a super-journal."""
    return [path for path in folder.glob("*-journal") if path.read_bytes().endswith(MAGIC)]


def _kill_before_commit_is_complete(folder: Path, original: Path, journals: int = 2) -> Path:
    """Kill a writer when some journals name the super-journal, and return the latter's path."""
    for step in range(1, 1000):
        _renew(folder, original)
        _kill_writer(folder, step)
        if len(_naming_journals(folder)) == journals:
            return next(folder.glob("*-mj*"))
    raise AssertionError


@NEEDS_STRACE
def test_files_of_an_interrupted_commit_that_were_copied_in_part_are_refused(
    small_store: Path, tmp_path: Path
) -> None:
    folder, copied = tmp_path / "live", tmp_path / "copied"
    super_journal = _kill_before_commit_is_complete(folder, small_store)
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("*-mj*"))
    assert _read_letters(copied) == {"a"}  # the super-journal is where it was
    shutil.rmtree(copied)
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("*-mj*"))
    super_journal.unlink()
    for _ in range(2):
        with pytest.raises(StoreError, match="copied") as caught:
            _read_letters(copied)
        assert "runs.db-journal" in str(caught.value)
        assert "analysis.db-journal" in str(caught.value)


@NEEDS_STRACE
def test_a_commit_that_only_one_journal_knows_is_rolled_back(
    small_store: Path, tmp_path: Path
) -> None:
    folder, copied = tmp_path / "live", tmp_path / "copied"
    super_journal = _kill_before_commit_is_complete(folder, small_store, journals=1)
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("*-mj*"))
    super_journal.unlink()
    assert _read_letters(copied) == {"a"}


@NEEDS_STRACE
def test_a_journal_is_not_judged_while_somebody_holds_the_database(
    small_store: Path, tmp_path: Path
) -> None:
    """A live writer, under another mount, leaves the same files."""
    folder, moved = tmp_path / "live", tmp_path / "moved"
    name = _kill_before_commit_is_complete(folder, small_store).name
    folder.rename(moved)
    holder = (
        "import fcntl, os, sys; file = open(sys.argv[1], 'r+b'); "
        "fcntl.lockf(file, fcntl.LOCK_EX, 1, 0x40000001); "  # SQLite's RESERVED lock
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, moved / "analysis.db"], stdin=PIPE, stdout=PIPE
    ) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        recover_moved_commit([moved / "runs.db", moved / "analysis.db"])
        assert (moved / name).exists()
        process.stdin.close()
    assert _read_letters(moved) == {"a"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MAGIC,
        MAGIC + bytes(504) + MAGIC,
        bytes(512) + (10**9).to_bytes(4, "big") + bytes(4) + MAGIC,
        bytes(512) + (400).to_bytes(4, "big") + bytes(4) + MAGIC,
        b"x" * 512 + (400).to_bytes(4, "big") + bytes(4) + MAGIC,
    ],
    ids=["empty", "start", "no name", "a longer name", "no path", "another checksum"],
)
def test_a_journal_that_names_no_super_journal_is_left_to_sqlite(
    tmp_path: Path, content: bytes
) -> None:
    """A live writer may also change a journal while it is read."""
    paths = [tmp_path / "runs.db", tmp_path / "analysis.db"]
    for path in paths:
        path.touch()
        path.with_name(f"{path.name}-journal").write_bytes(content)
    recover_moved_commit(paths)
    assert {path.with_name(f"{path.name}-journal").read_bytes() for path in paths} == {content}


def _write_journal(database: Path, super_journal: Path) -> None:
    """Write a journal that SQLite plays back: it names a super-journal and has no pages."""
    name = bytes(super_journal)
    trailer = len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big") + MAGIC
    header = MAGIC + bytes(4) + bytes(4) + (1).to_bytes(4, "big") + (512).to_bytes(4, "big")
    content = header + (4096).to_bytes(4, "big") + bytes(484) + bytes(4) + name + trailer
    database.with_name(f"{database.name}-journal").write_bytes(content)


@pytest.mark.parametrize("where", ["store", "elsewhere"])
def test_a_planted_journal_deletes_no_file(small_store: Path, tmp_path: Path, where: str) -> None:
    """SQLite deletes the file that a journal names, and reads it as a list of journals."""
    victim = tmp_path / where / "victim.txt"
    victim.parent.mkdir(exist_ok=True)
    victim.write_text("of somebody else")
    for name in ("runs.db", "analysis.db"):
        _write_journal(small_store / name, victim)
    with pytest.raises(StoreError, match=r"runs\.db-journal was not written by SQLite"):
        _read_letters(small_store)
    assert victim.read_text() == "of somebody else"


def test_a_pipe_in_place_of_a_journal_is_an_error(small_store: Path) -> None:
    os.mkfifo(small_store / "runs.db-journal")
    with pytest.raises(StoreError, match=r"runs\.db-journal is no journal of SQLite"):
        _read_letters(small_store)
