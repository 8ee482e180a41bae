"""The scan index: it never tells anything but what is on disk now."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mdfactory.campaign.discover import discover
from mdfactory.campaign.scan_index import Reading, ScanIndex
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.records.digests import digest
from opened import opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "scan.db"


def _scan(
    source: Path, file: Path, jobs: int | None = 1, *, settled_after: float = 0, **options: Any
) -> list[Simulation | Skipped]:
    """Scan a folder; files count as old enough to be kept."""
    with ScanIndex(file, settled_after=settled_after, **options) as index:
        return list(discover(str(source), Reading(index, jobs)))


def _yamls(campaign: Path) -> list[str]:
    """Return the BuildInputs of a campaign, and its summary."""
    return sorted(map(str, campaign.rglob("*.yaml")))


def _own(folder: Path) -> Path:
    return next(iter(folder.glob("*.yaml")))


def test_what_has_not_changed_is_not_read_again(campaign: Path, file: Path) -> None:
    plain = list(discover(str(campaign)))
    with opened(campaign) as files:
        assert _scan(campaign, file) == plain
        assert files.names() == _yamls(campaign)
        assert _scan(campaign, file) == plain
        assert files.names() == []


def test_only_the_digest_is_told_where_that_is_enough(campaign: Path, file: Path) -> None:
    plain = [one for one in discover(str(campaign)) if isinstance(one, Simulation)]
    _scan(campaign, file)
    with ScanIndex(file, settled_after=0) as index:
        found = list(discover(str(campaign), Reading(index, 1, digests_only=True)))
    for one, whole in zip(found, plain, strict=True):
        assert isinstance(one, Simulation)
        assert (one.hash, one.path, one.status) == (whole.hash, whole.path, whole.status)
        assert one.digest == digest(whole.content)
        with pytest.raises(ValueError, match="read as a digest only"):
            _ = one.content


def _edit(path: Path) -> None:
    """Change a character, and nothing else that the usual programs would show."""
    before = path.stat()
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("count: 4", "count: 5", 1), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    copy = path.with_suffix(".new")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def _grow(path: Path) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}\n", encoding="utf-8")


@pytest.mark.parametrize("change", [_edit, _replace, _grow, Path.touch])
def test_a_file_that_has_changed_is_read_again(
    campaign: Path, file: Path, change: Callable[[Path], None]
) -> None:
    first = _scan(campaign, file)[0]
    assert isinstance(first, Simulation)
    changed = _own(first.directory)
    change(changed)
    with opened(campaign) as files:
        again = _scan(campaign, file)
        assert files.names() == [str(changed)]
    assert again == list(discover(str(campaign)))


def test_the_status_is_never_from_before(campaign: Path, file: Path) -> None:
    first = _scan(campaign, file)[0]
    assert isinstance(first, Simulation)
    for name in ("prod.gro", "prod.xtc", "min.gro", "nvt.gro", "npt.gro"):
        (first.directory / name).unlink(missing_ok=True)
    assert first.status.value != "build"
    again = _scan(campaign, file)[0]
    assert isinstance(again, Simulation)
    assert again.status.value == "build"


def test_a_file_that_has_just_been_written_is_not_kept(campaign: Path, file: Path) -> None:
    """It may change again without a change of its times."""
    _scan(campaign, file, settled_after=1_000)
    with opened(campaign) as files:
        _scan(campaign, file, settled_after=1_000)
        assert files.names() == _yamls(campaign)


def test_two_seconds_after_a_change_another_one_shows(settled: Path, file: Path) -> None:
    for _ in range(2):
        with opened(settled) as files, ScanIndex(file) as index:
            list(discover(str(settled), Reading(index)))
            read = files.names()
    assert read == []


def test_a_folder_that_was_moved_is_read_again(campaign: Path, file: Path, tmp_path: Path) -> None:
    _scan(campaign, file)
    moved = campaign.rename(tmp_path / "moved")
    with opened(moved) as files:
        found = _scan(moved, file)
        assert files.names() == _yamls(moved)
    assert found == list(discover(str(moved)))


def test_a_yaml_that_has_gone_is_gone(campaign: Path, file: Path) -> None:
    first = _scan(campaign, file)[0]
    assert isinstance(first, Simulation)
    _own(first.directory).unlink()
    assert _scan(campaign, file) == list(discover(str(campaign)))


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _garbage(file: Path) -> None:
    file.write_bytes(os.urandom(10_000))


def _torn(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    file.write_bytes(data)


def _older(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE meta SET version = '0 mdfactory 0.0.1 rdkit 1'")
        database.execute("UPDATE read SET content = replace(content, 'gromacs', 'other')")


def _foreign(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE read (a, b)")


def _changed(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE read SET content = replace(content, 'gromacs', 'grumacs')")


def _changed_at_length(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE read SET long = replace(long, 'gromacs', 'grumacs')")


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "harm",
    [_empty, _garbage, _torn, _older, _foreign, _changed, _changed_at_length, _folder],
)
def test_an_index_that_cannot_be_trusted_is_thrown_away(
    campaign: Path, file: Path, harm: Callable[[Path], None]
) -> None:
    plain = _scan(campaign, file)
    harm(file)
    for _ in range(2):
        assert _scan(campaign, file) == plain


def test_where_nothing_can_be_kept_all_is_read(campaign: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    assert _scan(campaign, tmp_path / "cache" / "scan.db") == list(discover(str(campaign)))


def test_another_process_that_writes_is_not_waited_for_long(campaign: Path, file: Path) -> None:
    _scan(campaign, file)
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert _scan(campaign, file, lock_timeout=0.1) == list(discover(str(campaign)))
    assert file.is_file()


def test_several_processes_use_one_index_at_once(
    campaign: Path, file: Path, tmp_path: Path
) -> None:
    for number in range(30):
        shutil.copytree(campaign, tmp_path / "many" / str(number))
    script = """
import sys
from pathlib import Path
from mdfactory.campaign.discover import discover
from mdfactory.campaign.scan_index import Reading, ScanIndex
for _ in range(3):
    with ScanIndex(Path(sys.argv[2]), settled_after=0) as index:
        print(len(list(discover(sys.argv[1], Reading(index, 4)))))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "many"), str(file)]
    programs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    expected = str(len(list(discover(str(tmp_path / "many")))))
    for program in programs:
        out, err = program.communicate(timeout=60)
        assert out.split() == [expected] * 3, err
    assert _scan(tmp_path / "many", file) == list(discover(str(tmp_path / "many")))


@pytest.mark.parametrize("jobs", [1, 2, 16, None])
def test_threads_find_the_same_in_the_same_order(
    campaign: Path, file: Path, tmp_path: Path, jobs: int | None
) -> None:
    for number in range(10):
        shutil.copytree(campaign, tmp_path / "many" / str(number))
    (tmp_path / "many" / "loop").symlink_to(tmp_path / "many")
    (tmp_path / "many" / "3" / "again").symlink_to(tmp_path / "many" / "4")
    plain = list(discover(str(tmp_path / "many")))
    assert len(plain) >= 80
    for _ in range(2):
        assert _scan(tmp_path / "many", file, jobs) == plain
