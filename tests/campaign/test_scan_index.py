"""`ScanIndex`: its entries always agree with the files on disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mdfactory.campaign.discover import discover
from mdfactory.campaign.scan_index import (
    WRITE_BATCH_ENTRIES,
    Reading,
    ScanIndex,
    file_state_at,
)
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.records.digests import digest
from opened import opened
from tracing import NEEDS_STRACE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "scan.db"


def _scan(
    source: Path, file: Path, jobs: int | None = 1, *, settled_after: float = 0, **options: Any
) -> list[Simulation | Skipped]:
    """Scan a folder; by default, files get an entry however young they are."""
    with ScanIndex(file, settled_after=settled_after, **options) as index:
        return list(discover(str(source), Reading(index, jobs)))


def _yaml_paths(campaign: Path) -> list[str]:
    """Return the paths of the BuildInputs of a campaign, and of its summary."""
    return sorted(map(str, campaign.rglob("*.yaml")))


def _build_input(folder: Path) -> Path:
    return next(iter(folder.glob("*.yaml")))


def test_an_index_in_a_folder_of_a_group_belongs_to_the_group(file: Path) -> None:
    file.parent.parent.chmod(0o770)
    umask = os.umask(0o077)
    try:
        ScanIndex(file).__exit__()
    finally:
        os.umask(umask)
    assert [stat.filemode(path.stat().st_mode)[4:7] for path in (file.parent, file)] == [
        "rwx",
        "rw-",
    ]


def test_unchanged_files_are_not_read_again(campaign: Path, file: Path) -> None:
    expected = list(discover(str(campaign)))
    with opened(campaign) as files:
        assert _scan(campaign, file) == expected
        assert files.names() == _yaml_paths(campaign)
        assert _scan(campaign, file) == expected
        assert files.names() == []


def test_digests_only_gives_unchanged_simulations_by_their_digest(
    campaign: Path, file: Path
) -> None:
    simulations = [item for item in discover(str(campaign)) if isinstance(item, Simulation)]
    _scan(campaign, file)
    with ScanIndex(file, settled_after=0) as index:
        indexed = list(discover(str(campaign), Reading(index, 1, digests_only=True)))
    for simulation, full in zip(indexed, simulations, strict=True):
        assert isinstance(simulation, Simulation)
        assert simulation.path == full.path
        assert (simulation.hash, simulation.status) == (full.hash, full.status)
        assert simulation.digest == digest(full.content)
        with pytest.raises(ValueError, match="read as a digest only"):
            _ = simulation.content


def _edit_in_place(path: Path) -> None:
    """Change one character, and neither the size nor the modification time."""
    before = path.stat()
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("count: 4", "count: 5", 1), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace_by_copy(path: Path) -> None:
    copy = path.with_suffix(".new")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def _append_line(path: Path) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}\n", encoding="utf-8")


@pytest.mark.parametrize("change", [_edit_in_place, _replace_by_copy, _append_line, Path.touch])
def test_a_changed_file_is_read_again(
    campaign: Path, file: Path, change: Callable[[Path], None]
) -> None:
    first = _scan(campaign, file)[0]
    assert isinstance(first, Simulation)
    changed = _build_input(first.directory)
    change(changed)
    with opened(campaign) as files:
        again = _scan(campaign, file)
        assert files.names() == [str(changed)]
    assert again == list(discover(str(campaign)))


def test_the_status_never_comes_from_the_index(campaign: Path, file: Path) -> None:
    first = _scan(campaign, file)[0]
    assert isinstance(first, Simulation)
    for name in ("prod.gro", "prod.xtc", "min.gro", "nvt.gro", "npt.gro"):
        (first.directory / name).unlink(missing_ok=True)
    assert first.status.value != "build"
    again = _scan(campaign, file)[0]
    assert isinstance(again, Simulation)
    assert again.status.value == "build"


def test_a_file_that_has_just_been_written_gets_no_entry(campaign: Path, file: Path) -> None:
    """A young file may change again without a change of its times."""
    _scan(campaign, file, settled_after=1_000)
    with opened(campaign) as files:
        _scan(campaign, file, settled_after=1_000)
        assert files.names() == _yaml_paths(campaign)


def test_the_age_of_a_file_counts_when_its_state_was_taken(tmp_path: Path, file: Path) -> None:
    """Reading may take long: a file that was young before it must not get an entry after it."""
    path = str(tmp_path / "frame.parquet")
    Path(path).touch()
    state = file_state_at(path)
    assert state
    for age, texts in ((1_000_000_000, None), (3_000_000_000, ["digest"])):
        with ScanIndex(file) as index:
            index.add(path, state._replace(age=age), ["digest"])
        with ScanIndex(file) as index:
            entry = index.find(path)
        assert (entry and entry.texts) == texts


def test_a_file_older_than_two_seconds_gets_an_entry(settled: Path, file: Path) -> None:
    for _ in range(2):
        with opened(settled) as files, ScanIndex(file) as index:
            list(discover(str(settled), Reading(index)))
            opened_files = files.names()
    assert opened_files == []


def test_a_moved_folder_is_read_again(campaign: Path, file: Path, tmp_path: Path) -> None:
    _scan(campaign, file)
    moved = campaign.rename(tmp_path / "moved")
    with opened(moved) as files:
        simulations = _scan(moved, file)
        assert files.names() == _yaml_paths(moved)
    assert simulations == list(discover(str(moved)))


def test_a_deleted_yaml_is_not_served_from_the_index(campaign: Path, file: Path) -> None:
    first = _scan(campaign, file)[0]
    assert isinstance(first, Simulation)
    _build_input(first.directory).unlink()
    assert _scan(campaign, file) == list(discover(str(campaign)))


def _truncate(file: Path) -> None:
    file.write_bytes(b"")


def _overwrite(file: Path) -> None:
    file.write_bytes(os.urandom(10_000))


def _overwrite_all_but_first_page(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    file.write_bytes(data)


def _set_older_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE meta SET version = '0 mdfactory 0.0.1 rdkit 1'")
        database.execute("UPDATE read SET content = replace(content, 'gromacs', 'other')")


def _replace_by_other_database(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE read (a, b)")


def _change_content(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE read SET content = replace(content, 'gromacs', 'grumacs')")


def _change_long_text(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE read SET long = replace(long, 'gromacs', 'grumacs')")


def _replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _overwrite,
        _overwrite_all_but_first_page,
        _set_older_version,
        _replace_by_other_database,
        _change_content,
        _change_long_text,
        _replace_by_folder,
    ],
)
def test_a_damaged_or_foreign_index_is_not_used(
    campaign: Path, file: Path, damage: Callable[[Path], None]
) -> None:
    expected = _scan(campaign, file)
    damage(file)
    for _ in range(2):
        assert _scan(campaign, file) == expected


def test_without_a_writable_cache_every_file_is_read(campaign: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    assert _scan(campaign, tmp_path / "cache" / "scan.db") == list(discover(str(campaign)))


def test_without_a_writable_cache_entries_are_not_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    state = file_state_at(str(tmp_path / "cache"))
    assert state
    with ScanIndex(tmp_path / "cache" / "scan.db", settled_after=0) as index:
        for number in range(2 * WRITE_BATCH_ENTRIES):
            index.add(f"/campaign/{number}", state, [""])
        assert len(index._unwritten) < WRITE_BATCH_ENTRIES


def test_an_index_of_unchanged_files_is_not_locked_for_a_write(campaign: Path, file: Path) -> None:
    expected = _scan(campaign, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with opened(campaign) as files:
            assert _scan(campaign, file, lock_timeout=60) == expected
            assert files.names() == []


def test_a_locked_index_is_kept_and_not_waited_for_long(campaign: Path, file: Path) -> None:
    _scan(campaign, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert _scan(campaign, file, lock_timeout=0.1) == list(discover(str(campaign)))
    assert file.is_file()


def test_several_processes_use_one_index_at_the_same_time(
    campaign: Path, file: Path, tmp_path: Path
) -> None:
    for number in range(30):
        shutil.copytree(campaign, tmp_path / "many" / str(number))
    script = """
import sys
from pathlib import Path
from mdfactory.campaign.discover import discover
from mdfactory.campaign.scan_index import (
    WRITE_BATCH_ENTRIES,
    Reading,
    ScanIndex,
    file_state_at,
)
for _ in range(3):
    with ScanIndex(Path(sys.argv[2]), settled_after=0) as index:
        print(len(list(discover(sys.argv[1], Reading(index, 4)))))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "many"), str(file)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    expected = str(len(list(discover(str(tmp_path / "many")))))
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert out.split() == [expected] * 3, err
    assert _scan(tmp_path / "many", file) == list(discover(str(tmp_path / "many")))


@pytest.mark.parametrize("jobs", [1, 2, 16, None])
def test_threads_give_the_same_simulations_in_the_same_order(
    campaign: Path, file: Path, tmp_path: Path, jobs: int | None
) -> None:
    for number in range(10):
        shutil.copytree(campaign, tmp_path / "many" / str(number))
    (tmp_path / "many" / "loop").symlink_to(tmp_path / "many")
    (tmp_path / "many" / "3" / "again").symlink_to(tmp_path / "many" / "4")
    expected = list(discover(str(tmp_path / "many")))
    assert len(expected) >= 80
    for _ in range(2):
        assert _scan(tmp_path / "many", file, jobs) == expected


WAIT_FOR_LOCKS = """
import sys
sys.path.append(sys.argv[2])
from pathlib import Path
from mdfactory.campaign.scan_index import ScanIndex
from tracing import tamper

tamper("fcntl:error=ENOLCK")
with ScanIndex(Path(sys.argv[1]), lock_timeout=10_000) as index:
    print(index.find("/no/such/file"))
"""


@NEEDS_STRACE
def test_an_index_on_a_file_system_without_locks_is_not_waited_for(file: Path) -> None:
    tests = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", WAIT_FOR_LOCKS, str(file), tests]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.stderr) == ("None\n", "")
