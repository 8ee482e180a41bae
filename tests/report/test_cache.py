"""The cache of a report changes no byte of it, whatever becomes of its files."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import mdfactory
from mdfactory import Simulation
from mdfactory.campaign.collect import Scope
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.report.content import ReportOptions
from mdfactory.report.drawn.cache import FOLDER, Cache, key_of
from mdfactory.report.report import write_report
from mdfactory.stores.store import Store
from mdfactory.sync.push import push

ALL = Scope(simulations=True, results=list(ResultType))
OPTIONS = ReportOptions(artifacts=False)


@pytest.fixture
def campaign(pushed: Callable[[str], Path]) -> Path:
    """The example campaign, after a push into the configured store."""
    return pushed("all")


@pytest.fixture
def store(campaign: Path) -> Store:
    """The example campaign in the configured store."""
    assert campaign
    return mdfactory.open_store().store


@pytest.fixture
def folder() -> Path:
    """The folder of the cache, which does not exist yet."""
    return Path(os.environ["MDFACTORY_CACHE_DIR"]) / FOLDER


def report(store: Store, path: Path) -> bytes:
    write_report(store, path / "report.html", OPTIONS)
    return (path / "report.html").read_bytes()


def test_an_entry_is_what_was_put(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new")
    assert cache.get("plan", "a") is None
    cache.put("plan", "a", b"one\ntwo")
    assert cache.get("plan", "a") == b"one\ntwo"
    assert cache.get("plan", "b") is cache.get("picture", "a") is None
    cache.put("plan", "a", b"")
    assert cache.get("plan", "a") == b""


def test_without_a_folder_nothing_is_kept() -> None:
    cache = Cache(None)
    cache.put("plan", "a", b"one")
    assert cache.get("plan", "a") is None


def test_the_entries_that_were_not_used_for_long_are_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path, max_bytes=1200)
    for place, name in enumerate("abc"):
        cache.put("plan", name, bytes(300))
        (path,) = tmp_path.glob(f"plan-{name}.bin")
        os.utime(path, (place, place))
    assert cache.get("plan", "a") is not None
    cache.put("plan", "d", bytes(300))
    kept = [name for name in "abcd" if cache.get("plan", name) is not None]
    assert kept == ["a", "c", "d"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1200


def test_an_entry_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    Cache(tmp_path).put("plan", "a", bytes(1000))
    cache = Cache(tmp_path, max_entry_bytes=500)
    assert cache.get("plan", "a") is None
    cache.put("plan", "b", bytes(1000))
    assert Cache(tmp_path).get("plan", "b") is None


def test_keys_differ_in_each_part() -> None:
    keys = {key_of("a", [1, "x"]), key_of("a", [1, "y"]), key_of("b", [1, "x"]), key_of("a")}
    assert len(keys) == 4
    assert key_of("a", {"x": 1, "y": 2}) == key_of("a", {"y": 2, "x": 1})


def test_a_report_with_a_cache_is_that_without_one(
    store: Store, tmp_path: Path, folder: Path
) -> None:
    first = report(store, tmp_path)
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {
        "curves",
        "picture",
        "plan",
        "summaries",
    }
    assert report(store, tmp_path) == first
    for path in folder.iterdir():
        path.unlink()
    assert report(store, tmp_path) == first


def test_with_a_cache_no_frame_is_read(store: Store, tmp_path: Path) -> None:
    first = report(store, tmp_path)
    _change_frames(store, keep_times=True)
    assert report(store, tmp_path) == first


def test_a_record_that_another_program_wrote_is_read_again(store: Store, tmp_path: Path) -> None:
    assert set(_densities(store, tmp_path)) != {1.5}
    _change_frames(store, keep_times=False)
    assert _densities(store, tmp_path) == [1.5] * 4


def _densities(store: Store, tmp_path: Path) -> list[float]:
    """Return the mean densities in the statistics of a report."""
    file = tmp_path / "statistics.csv"
    write_report(store, tmp_path / "report.html", OPTIONS, statistics=file)
    rows = pd.read_csv(file)
    return list(rows[rows["analysis"] == "density_timeseries"]["mean"])


def _database(store: Store) -> Path:
    """Return the file of the analyses of the configured SQLite store."""
    paths = Path(os.environ["MDFACTORY_DATA_DIR"]).rglob("*.db")
    for path in sorted(paths):
        with closing(sqlite3.connect(path)) as database:
            names = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
        if "ANALYSIS_density_timeseries" in names:
            return path
    raise AssertionError(store.location)


def _change_frames(store: Store, *, keep_times: bool) -> None:
    """Change the frames of the densities as another program does, with or without their times."""
    time = "timestamp_utc" if keep_times else "'2027-01-01T00:00:00+00:00'"
    text = "time_ps,density_g_cm3\n0.0,1.5\n1.0,1.5\n"
    with closing(sqlite3.connect(_database(store))) as database, database:
        database.execute(
            f"UPDATE ANALYSIS_density_timeseries SET data_csv = ?, timestamp_utc = {time}",
            (text,),
        )


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _replace_by_text(path: Path) -> None:
    path.write_text("no entry of a cache", encoding="utf-8")


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage", [_truncate, _flip, _replace_by_text, _replace_by_folder, _replace_by_pipe, _empty]
)
def test_a_damaged_cache_changes_no_byte(
    store: Store, tmp_path: Path, folder: Path, damage: Callable[[Path], None]
) -> None:
    first = report(store, tmp_path)
    for path in list(folder.iterdir()):
        damage(path)
    assert report(store, tmp_path) == first
    assert report(store, tmp_path) == first


def test_a_cache_that_is_no_folder_changes_no_byte(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = report(store, tmp_path)
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    monkeypatch.setenv("MDFACTORY_CACHE_DIR", str(file))
    assert report(store, tmp_path) == first


def test_two_reports_at_once_are_the_same(store: Store, tmp_path: Path) -> None:
    pages: dict[int, bytes] = {}

    def write(number: int) -> None:
        path = tmp_path / str(number)
        path.mkdir()
        pages[number] = report(mdfactory.open_store().store, path)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pages[0] == pages[1] == report(store, tmp_path)


def test_a_new_frame_is_added_to_those_that_are_known(
    store: Store, campaign: Path, tmp_path: Path, folder: Path
) -> None:
    report(store, tmp_path)
    known = {path.name: path.stat().st_mtime_ns for path in folder.glob("summaries-*")}
    frame = pd.DataFrame({"time_ps": [0.0, 1.0], "density_g_cm3": [0.9, 1.0]})
    hash_ = "0BDC04CC155D827D3BEE561E9C8A023DAF3A3226"
    Simulation.open(campaign / hash_).results.record_analysis("density_timeseries", frame)
    push(store, str(campaign), ConflictMode.update, ALL)
    with_cache = report(store, tmp_path)
    changed = [path for path in folder.glob("summaries-*") if path.name not in known]
    assert len(changed) <= 1
    for path in folder.iterdir():
        path.unlink()
    assert report(store, tmp_path) == with_cache
