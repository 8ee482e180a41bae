"""Snapshot: unchanged files are not read again, and the outcome is the same as without an index."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from benchmarks.slowdisk import slow

from mdfactory import Simulation
from mdfactory.campaign.collect import Scope
from mdfactory.campaign.results import Results
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading, ScanIndex
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import ConflictError, DuplicateSimulationError
from mdfactory.records.merge import Counts
from mdfactory.records.query import OneOf
from mdfactory.records.tables import FRAME_SIDECARS, OVERVIEW, SIMULATIONS, analysis_table
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.stores.store import Store
from mdfactory.sync.initialise import initialise
from mdfactory.sync.inventory import CHANGED_REASON
from mdfactory.sync.log import history
from mdfactory.sync.push import push
from mdfactory.sync.pushed import Pushed
from mdfactory.sync.status import CampaignStatus, status
from mdfactory.testing import MemoryStore
from opened import opened

ALL = Scope(simulations=True, results=list(ResultType))
DENSITY = analysis_table("density_timeseries")
RECORDS = 8 + 19 + 6
SOME = "2071DE6353CF75B3049856E059488D3CE307F956"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "scan.db"


def _store(folder: Path) -> Store:
    folder.mkdir(exist_ok=True)
    store = SqliteStore(folder / "runs.db", folder / "analysis.db")
    initialise(store, simulations=True, results=list(ResultType))
    return store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return _store(tmp_path / "store")


@pytest.fixture
def other() -> Store:
    """A store that is pushed to without an index."""
    store = MemoryStore()
    initialise(store, simulations=True, results=list(ResultType))
    return store


@pytest.fixture
def both(store: Store, other: Store) -> tuple[Store, Store]:
    """A store that is pushed to with an index, and one without."""
    return store, other


@pytest.fixture
def both_in_files(store: Store, tmp_path: Path) -> tuple[Store, Store]:
    """The same, where other programs can change either."""
    return store, _store(tmp_path / "other")


def _index(file: Path) -> ScanIndex:
    """Return an index that takes all files for old enough to be entered."""
    return ScanIndex(file, settled_after=0)


def _push(
    store: Store, campaign: Path, mode: ConflictMode, file: Path | None, **rest: Any
) -> Pushed:
    if file is None:
        return push(store, str(campaign), mode, ALL, reading=DEFAULT_READING, **rest)
    with _index(file) as index:
        return push(store, str(campaign), mode, ALL, reading=Reading(index, 1), **rest)


def _status(store: Store, campaign: Path, file: Path | None) -> CampaignStatus:
    if file is None:
        return status(store, str(campaign))
    with _index(file) as index:
        return status(store, str(campaign), reading=Reading(index, 1))


def _all_but_times(store: Store) -> dict[str, list[str]]:
    """Return all records and their sidecars, without the times."""
    rows_by_table = {}
    with store.transaction() as transaction:
        for table in [*store.tables(), FRAME_SIDECARS]:
            names = [name for name in table.columns if name not in {"timestamp_utc", "updated_at"}]
            rows = [
                json.dumps({name: row[name] for name in names})
                for batch in transaction.read(table)
                for row in batch.to_pylist()
            ]
            rows_by_table[table.name] = sorted(rows)
    return rows_by_table


def _folder(campaign: Path) -> Path:
    """Return a simulation with results."""
    return min(path.parent for path in campaign.glob("*/.analysis"))


def test_no_file_of_an_unchanged_campaign_is_opened(
    store: Store, campaign: Path, file: Path
) -> None:
    (campaign / "campaign.yaml").unlink()  # it might be a BuildInput, and is looked into
    _push(store, campaign, ConflictMode.refuse, file)
    before = _all_but_times(store)
    with opened(campaign) as files:
        for mode, counts in (
            (ConflictMode.update, Counts(unchanged=RECORDS)),
            (ConflictMode.skip, Counts(skipped=RECORDS)),
        ):
            with slow(campaign, 0) as calls:
                assert _push(store, campaign, mode, file).counts == counts
            assert calls["scandir"] == 9
        assert _status(store, campaign, file).in_step
        assert files.names() == []
    assert _all_but_times(store) == before


# What has changed on disk


def _progress(campaign: Path) -> None:
    min(campaign.glob("*/prod.gro")).unlink()
    (campaign / SOME / "prod.gro").touch()


def _record(campaign: Path) -> None:
    frame = pa.table({"time_ns": [0.0, 1.0], "density": [1.0, 2.0]})
    Results(_folder(campaign)).record_analysis("density_timeseries", frame)


def _rewrite(campaign: Path) -> None:
    """Change a value of a frame, in place; the registry stays as it is."""
    path = _folder(campaign) / ".analysis" / "density_timeseries.parquet"
    frame = pa.parquet.read_table(path)
    changed = pa.array([123.0] * frame.num_rows)
    pa.parquet.write_table(frame.set_column(1, frame.column_names[1], changed), path)


def _annotate(campaign: Path) -> None:
    """Change the entry of a frame in the registry; the frame stays as it is."""
    path = _folder(campaign) / ".analysis" / "metadata.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["analyses"]["density_timeseries"]["extras"] = {"units": "other"}
    path.write_text(json.dumps(values), encoding="utf-8")


def _remove(campaign: Path) -> None:
    Results(_folder(campaign)).remove_analysis("density_timeseries")


def _lose(campaign: Path) -> None:
    (_folder(campaign) / ".analysis" / "density_timeseries.parquet").unlink()


def _tear(campaign: Path) -> None:
    (_folder(campaign) / ".analysis" / "density_timeseries.parquet").write_bytes(b"PAR1")


def _tear_registry(campaign: Path) -> None:
    (_folder(campaign) / ".analysis" / "metadata.json").write_text("{", encoding="utf-8")


def _lose_registry(campaign: Path) -> None:
    (_folder(campaign) / ".analysis" / "metadata.json").unlink()


def _lose_artifact(campaign: Path) -> None:
    next(campaign.glob("*/.analysis/artifacts/*/*")).unlink()


def _rename(campaign: Path) -> None:
    folder = _folder(campaign)
    folder.rename(folder.with_name("renamed"))


def _copy(campaign: Path) -> None:
    """Copy a simulation to a second folder."""
    shutil.copytree(_folder(campaign), campaign / "a_copy")


def _swap(campaign: Path) -> None:
    """Exchange the folders of two simulations with their results; no file is written."""
    first, second, *_ = sorted(path.parent for path in campaign.glob("*/.analysis"))
    spare = campaign / "spare"
    for old, new in ((first, spare), (second, first), (spare, second)):
        old.rename(new)


def _become(campaign: Path) -> None:
    """Turn a simulation with results into another one, by another BuildInput."""
    first, second, *_ = sorted(path.parent for path in campaign.glob("*/.analysis"))
    text = (second / f"{second.name}.yaml").read_text(encoding="utf-8")
    (first / f"{first.name}.yaml").write_text(text.replace("count: ", "count: 1"), encoding="utf-8")


ON_DISK = [
    _progress,
    _record,
    _rewrite,
    _annotate,
    _remove,
    _lose,
    _tear,
    _tear_registry,
    _lose_registry,
    _lose_artifact,
    _rename,
    _copy,
    _swap,
    _become,
]


def _push_outcome(pushed: Pushed) -> tuple[object, ...]:
    skipped = sorted(pushed.skipped, key=lambda skipped: (skipped.path, skipped.reason))
    tables = {table: counts for table, counts in pushed.tables.items() if counts != Counts()}
    return tables, skipped, sorted(pushed.warnings)


def _status_outcome(compared: CampaignStatus) -> tuple[object, ...]:
    skipped = sorted(compared.skipped, key=lambda skipped: (skipped.path, skipped.reason))
    differences = sorted(
        compared.differences,
        key=lambda difference: (difference.table, difference.hash, difference.state),
    )
    return compared.counts, differences, skipped, sorted(compared.warnings)


@pytest.mark.parametrize(
    "mode", [ConflictMode.update, pytest.param(ConflictMode.skip, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("change", ON_DISK, ids=lambda change: change.__name__)
def test_a_change_on_disk_has_the_same_outcome_with_and_without_an_index(
    both: tuple[Store, Store],
    campaign: Path,
    file: Path,
    change: Callable[[Path], None],
    mode: ConflictMode,
) -> None:
    store, other = both
    _push(store, campaign, ConflictMode.refuse, file)
    _push(other, campaign, ConflictMode.refuse, None)
    change(campaign)
    expected_status = _status_outcome(_status(other, campaign, None))
    assert _status_outcome(_status(store, campaign, file)) == expected_status
    assert _status_outcome(_status(store, campaign, file)) == expected_status
    expected_push = _push_outcome(_push(other, campaign, mode, None))
    assert _push_outcome(_push(store, campaign, mode, file, dry_run=True)) == expected_push
    assert _push_outcome(_push(store, campaign, mode, file)) == expected_push
    assert _all_but_times(store) == _all_but_times(other)


# What has changed in the store


def _empty(store: Store) -> None:
    for table in store.tables():
        store.delete(table)


def _without_one(store: Store) -> None:
    store.delete(SIMULATIONS, (OneOf("hash", (SOME,)),))


def _without_an_analysis(store: Store) -> None:
    store.delete(DENSITY)


def _without_a_table(store: Store) -> None:
    with store.transaction(write=True) as transaction:
        transaction.backend.drop(DENSITY)


def _changed_by_others(store: Store) -> None:
    """Change records as another program does, without their digests."""
    assert isinstance(store, SqliteStore)
    with closing(sqlite3.connect(next(iter(store._paths.values())))) as database:
        database.execute("UPDATE RUN_DATABASE SET status = 'other', timestamp_utc = '2020'")
        database.commit()


def _untouched(_: Store) -> None:
    pass


IN_STORE = [
    _empty,
    _without_one,
    _without_an_analysis,
    _without_a_table,
    _changed_by_others,
    _untouched,
]


@pytest.mark.parametrize(
    ("change", "mode"),
    [
        pytest.param(change, mode, marks=() if at % 3 == number else pytest.mark.long)
        for at, change in enumerate(IN_STORE)
        for number, mode in enumerate((ConflictMode.update, ConflictMode.skip, ConflictMode.force))
    ],
)
def test_missing_records_are_read_again(
    both_in_files: tuple[Store, Store],
    campaign: Path,
    file: Path,
    change: Callable[[Store], None],
    mode: ConflictMode,
) -> None:
    store, other = both_in_files
    for pushed_store, index in ((store, file), (other, None)):
        _push(pushed_store, campaign, ConflictMode.refuse, index)
        change(pushed_store)
    expected_status = _status_outcome(_status(other, campaign, None))
    assert _status_outcome(_status(store, campaign, file)) == expected_status
    expected_push = _push_outcome(_push(other, campaign, mode, None))
    assert _push_outcome(_push(store, campaign, mode, file, dry_run=True)) == expected_push
    assert _push_outcome(_push(store, campaign, mode, file)) == expected_push
    assert _all_but_times(store) == _all_but_times(other)
    again = _push(store, campaign, ConflictMode.update, file, dry_run=True)
    assert _push_outcome(again) == _push_outcome(_push(other, campaign, ConflictMode.update, None))


def test_only_missing_records_are_read_again(store: Store, campaign: Path, file: Path) -> None:
    _push(store, campaign, ConflictMode.refuse, file)
    store.delete(DENSITY)
    with opened(campaign) as files:
        pushed = _push(store, campaign, ConflictMode.update, file)
        frames = [name for name in files.names() if name.endswith(".parquet")]
    assert pushed.tables[DENSITY.name] == Counts(inserted=4)
    assert list(pushed.tables) == [
        SIMULATIONS.name,
        *sorted(pushed.tables.keys() - {SIMULATIONS.name}),
    ]
    assert frames == sorted(map(str, campaign.glob("*/.analysis/density_timeseries.parquet")))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, marks=() if at % 4 == 0 else pytest.mark.long)
        for at, change in enumerate(ON_DISK)
    ],
)
def test_several_jobs_have_the_same_outcome_as_one(
    both: tuple[Store, Store], campaign: Path, file: Path, change: Callable[[Path], None]
) -> None:
    store, other = both
    change(campaign)
    with _index(file) as index:
        for mode in (ConflictMode.skip, ConflictMode.update):
            parallel, serial = (
                _push_outcome(
                    push(pushed_store, str(campaign), mode, ALL, reading=Reading(index, jobs))
                )
                for pushed_store, jobs in ((store, 8), (other, 1))
            )
            assert parallel == serial
    assert _all_but_times(store) == _all_but_times(other)


def test_a_store_that_was_not_pushed_to_gets_all_records(
    store: Store, other: Store, campaign: Path, file: Path
) -> None:
    _push(store, campaign, ConflictMode.refuse, file)
    assert _push(other, campaign, ConflictMode.update, file).counts == Counts(inserted=RECORDS)
    assert _all_but_times(store) == _all_but_times(other)


def test_conflicts_are_refused_with_an_index(store: Store, campaign: Path, file: Path) -> None:
    _push(store, campaign, ConflictMode.refuse, file)
    with pytest.raises(ConflictError):
        _push(store, campaign, ConflictMode.refuse, file)
    shutil.copytree(_folder(campaign), campaign / "a_copy")
    with pytest.raises(DuplicateSimulationError):
        _push(store, campaign, ConflictMode.refuse, file)


# What changes while it is read


@pytest.mark.parametrize("how", ["gone", "other"])
def test_a_folder_that_changes_before_it_is_read_again_is_skipped(
    store: Store, campaign: Path, file: Path, how: str
) -> None:
    _push(store, campaign, ConflictMode.refuse, file)
    _empty(store)
    folder = campaign / SOME

    def watch(doing: str, number: int) -> None:
        if doing != "writing" or not folder.exists():
            return
        if how == "gone":
            shutil.rmtree(folder)
        else:
            for path in folder.iterdir():
                if path.suffix == ".yaml":
                    text = path.read_text(encoding="utf-8")
                    path.write_text(text.replace("count: ", "count: 1"), encoding="utf-8")

    pushed = _push(store, campaign, ConflictMode.update, file, watch=watch)
    assert pushed.skipped == (Skipped(str(folder), CHANGED_REASON),)
    assert store.count(SIMULATIONS) == 7
    assert store.count(OVERVIEW, (OneOf("hash", (SOME,)),)) == 0
    assert store.count(SIMULATIONS, (OneOf("hash", (SOME,)),)) == 0


def test_records_that_are_removed_from_the_store_meanwhile_are_written(
    store: Store, campaign: Path, file: Path
) -> None:
    _push(store, campaign, ConflictMode.refuse, file)

    def watch(doing: str, number: int) -> None:
        if doing == "writing" and store.count(SIMULATIONS) == 8:
            _empty(store)

    pushed = _push(store, campaign, ConflictMode.update, file, watch=watch)
    assert pushed.counts == Counts(inserted=RECORDS)
    assert store.count(SIMULATIONS) == 8


def test_a_push_with_nothing_to_write_waits_for_no_writer_and_is_not_logged(
    store: Store, campaign: Path, file: Path
) -> None:
    _push(store, campaign, ConflictMode.refuse, file)
    logged = history(store)
    reader = SqliteStore(
        file.parent / "store" / "runs.db", file.parent / "store" / "analysis.db", wait=0
    )
    with store.transaction(write=True):
        pushed = _push(reader, campaign, ConflictMode.update, file)
    assert pushed.counts == Counts(unchanged=RECORDS)
    assert history(store) == logged


def test_a_push_that_finds_nothing_to_write_without_an_index_is_not_logged(
    store: Store, campaign: Path
) -> None:
    _push(store, campaign, ConflictMode.refuse, None)
    logged = history(store)
    assert _push(store, campaign, ConflictMode.update, None).counts == Counts(unchanged=RECORDS)
    assert history(store) == logged


def test_an_outdated_overview_alone_is_written(store: Store, campaign: Path, file: Path) -> None:
    _push(store, campaign, ConflictMode.refuse, file)
    rows = store.count(OVERVIEW)
    store.delete(OVERVIEW, (OneOf("item_type", ("artifact",)),))
    assert _push(store, campaign, ConflictMode.update, file).counts == Counts(unchanged=RECORDS)
    assert store.count(OVERVIEW) == rows
    assert history(store)[0].changed


def test_a_registry_from_the_index_equals_that_on_disk(campaign: Path, file: Path) -> None:
    (folder,) = [path for path in campaign.iterdir() if path.name == SOME]
    with _index(file) as index:
        results = [Simulation.open(folder).results.registry(index) for _ in range(2)]
    assert results[0] == results[1] == Simulation.open(folder).results.registry()
    assert os.listdir(folder)
