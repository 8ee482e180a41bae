"""What was read before, and has not changed, is not read again: with the same result."""

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
from mdfactory.sync.push import Pushed, push
from mdfactory.sync.snapshot import CHANGED
from mdfactory.sync.status import CampaignStatus, status
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
def other(tmp_path: Path) -> Store:
    """A store that is pushed to without an index."""
    return _store(tmp_path / "other")


@pytest.fixture
def both(store: Store, other: Store) -> tuple[Store, Store]:
    """The two."""
    return store, other


def _index(file: Path) -> ScanIndex:
    """Return an index that counts all files as old enough to be remembered."""
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
    """Return all records, and what is kept beside them, without the times."""
    found = {}
    with store.transaction() as transaction:
        for table in [*store.tables(), FRAME_SIDECARS]:
            names = [one for one in table.columns if one not in {"timestamp_utc", "updated_at"}]
            rows = [
                json.dumps({name: row[name] for name in names})
                for some in transaction.read(table)
                for row in some.to_pylist()
            ]
            found[table.name] = sorted(rows)
    return found


def _folder(campaign: Path) -> Path:
    """Return a simulation with results."""
    return min(path.parent for path in campaign.glob("*/.analysis"))


def test_of_an_unchanged_campaign_nothing_is_opened(
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
    """Change what the registry says of a frame; the frame stays as it is."""
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
    """Have a simulation stand in two folders."""
    shutil.copytree(_folder(campaign), campaign / "a_copy")


def _swap(campaign: Path) -> None:
    """Have two simulations change places, results and all; no file is written."""
    one, two, *_ = sorted(path.parent for path in campaign.glob("*/.analysis"))
    spare = campaign / "spare"
    for old, new in ((one, spare), (two, one), (spare, two)):
        old.rename(new)


def _become(campaign: Path) -> None:
    """Have the results of one simulation under the BuildInput of another."""
    one, two, *_ = sorted(path.parent for path in campaign.glob("*/.analysis"))
    text = (two / f"{two.name}.yaml").read_text(encoding="utf-8")
    (one / f"{one.name}.yaml").write_text(text.replace("count: ", "count: 1"), encoding="utf-8")


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


def _compared(pushed: Pushed) -> tuple[object, ...]:
    skipped = sorted(pushed.skipped, key=lambda one: (one.path, one.reason))
    tables = {table: counts for table, counts in pushed.tables.items() if counts != Counts()}
    return tables, skipped, sorted(pushed.warnings)


def _said(found: CampaignStatus) -> tuple[object, ...]:
    skipped = sorted(found.skipped, key=lambda one: (one.path, one.reason))
    differences = sorted(found.differences, key=lambda one: (one.table, one.hash, one.state))
    return found.counts, differences, skipped, sorted(found.warnings)


@pytest.mark.parametrize(
    "mode", [ConflictMode.update, pytest.param(ConflictMode.skip, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("change", ON_DISK, ids=lambda change: change.__name__)
def test_what_has_changed_on_disk_is_seen_as_without_an_index(
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
    said = _said(_status(other, campaign, None))
    assert _said(_status(store, campaign, file)) == said
    assert _said(_status(store, campaign, file)) == said
    pushed = _compared(_push(other, campaign, mode, None))
    assert _compared(_push(store, campaign, mode, file, dry_run=True)) == pushed
    assert _compared(_push(store, campaign, mode, file)) == pushed
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
        transaction.drop(DENSITY)


def _by_others(store: Store) -> None:
    """Change records behind the back of their digests."""
    assert isinstance(store, SqliteStore)
    with closing(sqlite3.connect(next(iter(store._paths.values())))) as database:
        database.execute("UPDATE RUN_DATABASE SET status = 'other', timestamp_utc = '2020'")
        database.commit()


def _untouched(_: Store) -> None:
    pass


IN_STORE = [_empty, _without_one, _without_an_analysis, _without_a_table, _by_others, _untouched]


@pytest.mark.parametrize(
    ("change", "mode"),
    [
        pytest.param(change, mode, marks=() if at % 3 == number else pytest.mark.long)
        for at, change in enumerate(IN_STORE)
        for number, mode in enumerate((ConflictMode.update, ConflictMode.skip, ConflictMode.force))
    ],
)
def test_what_the_store_lacks_is_read_again(
    both: tuple[Store, Store],
    campaign: Path,
    file: Path,
    change: Callable[[Store], None],
    mode: ConflictMode,
) -> None:
    store, other = both
    for one, index in ((store, file), (other, None)):
        _push(one, campaign, ConflictMode.refuse, index)
        change(one)
    said = _said(_status(other, campaign, None))
    assert _said(_status(store, campaign, file)) == said
    pushed = _compared(_push(other, campaign, mode, None))
    assert _compared(_push(store, campaign, mode, file, dry_run=True)) == pushed
    assert _compared(_push(store, campaign, mode, file)) == pushed
    assert _all_but_times(store) == _all_but_times(other)
    again = _push(store, campaign, ConflictMode.update, file, dry_run=True)
    assert _compared(again) == _compared(_push(other, campaign, ConflictMode.update, None))


def test_only_what_the_store_lacks_is_read_again(store: Store, campaign: Path, file: Path) -> None:
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
def test_threads_find_the_same(
    both: tuple[Store, Store], campaign: Path, file: Path, change: Callable[[Path], None]
) -> None:
    store, other = both
    change(campaign)
    with _index(file) as index:
        found = [
            _compared(push(one, str(campaign), mode, ALL, reading=Reading(index, jobs)))
            for mode in (ConflictMode.skip, ConflictMode.update)
            for one, jobs in ((store, 8), (other, 1))
        ]
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert _all_but_times(store) == _all_but_times(other)


def test_a_store_that_was_not_pushed_to_gets_all(
    store: Store, other: Store, campaign: Path, file: Path
) -> None:
    _push(store, campaign, ConflictMode.refuse, file)
    assert _push(other, campaign, ConflictMode.update, file).counts == Counts(inserted=RECORDS)
    assert _all_but_times(store) == _all_but_times(other)


def test_a_conflict_is_one_with_an_index(store: Store, campaign: Path, file: Path) -> None:
    _push(store, campaign, ConflictMode.refuse, file)
    with pytest.raises(ConflictError):
        _push(store, campaign, ConflictMode.refuse, file)
    shutil.copytree(_folder(campaign), campaign / "a_copy")
    with pytest.raises(DuplicateSimulationError):
        _push(store, campaign, ConflictMode.refuse, file)


# What changes while it is read


@pytest.mark.parametrize("how", ["gone", "other"])
def test_a_folder_that_changes_before_it_is_read_again_is_named(
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
    assert pushed.skipped == (Skipped(str(folder), CHANGED),)
    assert store.count(SIMULATIONS) == 7
    assert store.count(OVERVIEW, (OneOf("hash", (SOME,)),)) == 0
    assert store.count(SIMULATIONS, (OneOf("hash", (SOME,)),)) == 0


def test_records_that_others_remove_meanwhile_are_written(
    store: Store, campaign: Path, file: Path
) -> None:
    _push(store, campaign, ConflictMode.refuse, file)

    def watch(doing: str, number: int) -> None:
        if doing == "writing" and store.count(SIMULATIONS) == 8:
            _empty(store)

    pushed = _push(store, campaign, ConflictMode.update, file, watch=watch)
    assert pushed.counts == Counts(inserted=RECORDS)
    assert store.count(SIMULATIONS) == 8


def test_a_simulation_is_the_same_whichever_way_it_was_read(campaign: Path, file: Path) -> None:
    (folder,) = [path for path in campaign.iterdir() if path.name == SOME]
    with _index(file) as index:
        results = [Simulation.open(folder).results.registry(index) for _ in range(2)]
    assert results[0] == results[1] == Simulation.open(folder).results.registry()
    assert os.listdir(folder)
