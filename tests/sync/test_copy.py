"""Copy: all records of one store into another, with a proof."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mdfactory import Simulation
from mdfactory.campaign.collect import Scope
from mdfactory.config import FoundryPaths
from mdfactory.errors import ConflictError, NotInitialisedError, StoreError, UsageError
from mdfactory.records.merge import Counts
from mdfactory.records.query import OneOf
from mdfactory.records.tables import (
    FRAME_SIDECARS,
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    text_schema,
)
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.csv.store import CsvStore
from mdfactory.stores.foundry.store import FoundryStore
from mdfactory.stores.sql.postgres import PostgresStore
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.stores.store import Store
from mdfactory.sync.clear import clear, select
from mdfactory.sync.copy import copy
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.testing import MemoryStore
from mdfactory.testing.raw import write_records
from mdfactory.testing.records import run
from planting import plant_sqlite

ALL = Scope(simulations=True, results=list(ResultType))
OTHER = Table("_mdfactory_undone", text_schema("hash"), ("hash",), Namespace.results)
FIRST = "9696455838C189BE031418DE5280D6042B243D8D"


@pytest.fixture
def source(tmp_path: Path, campaign: Path) -> Store:
    """A store with the campaign, and with a frame that CSV cannot represent."""
    frame = pa.table({"x": [float("nan"), None, 1.0], "y": [[1], None, []]})
    Simulation.open(campaign / FIRST).results.record_analysis("own", frame, extras={"by": "nm"})
    store = _sqlite(tmp_path / "source")
    initialise(store, simulations=True, results=list(ResultType))
    push(store, str(campaign), scope=ALL)
    return store


def _sqlite(folder: Path) -> Store:
    folder.mkdir(exist_ok=True)
    return SqliteStore(folder / "runs.db", folder / "analysis.db")


def _everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store.transaction() as transaction:
        return {
            table.id: sorted(
                (row for rows in transaction.read(table) for row in rows.to_pylist()), key=str
            )
            for table in [*transaction.tables(), FRAME_SIDECARS]
            if transaction.has(table)
        }


@pytest.mark.usefixtures("foundry")
def test_a_copy_of_a_copy_of_a_copy_is_the_same(
    source: Store, tmp_path: Path, database: str
) -> None:
    """From SQLite through all other stores, and back into SQLite."""
    files = CsvStore(tmp_path / "csv" / "runs.csv", tmp_path / "csv" / "analysis")
    datasets = FoundryStore(FoundryPaths.below("/Group/mdfactory"))
    stores = [source, PostgresStore(database), files, datasets, MemoryStore()]
    stores.append(_sqlite(tmp_path / "last"))
    for origin, target in pairwise(stores):
        copied = copy(origin, target)
        assert copied.identical
        assert copied.tables["RUN_DATABASE"] == Counts(inserted=8)
        assert _everything(target) == _everything(source)


def test_a_second_copy_changes_nothing(source: Store, tmp_path: Path) -> None:
    target = _sqlite(tmp_path / "target")
    copy(source, target)
    before = _everything(target)
    with pytest.raises(ConflictError, match=r"there is nothing new.*\n.*(\n.*)*--update"):
        copy(source, target)
    for mode in (ConflictMode.skip, ConflictMode.update, ConflictMode.force):
        assert copy(source, target, mode).identical
        assert _everything(target) == before


def test_a_conflict_with_changed_records_names_the_modes(source: Store, tmp_path: Path) -> None:
    target = _sqlite(tmp_path / "target")
    copy(source, target)
    write_records(target, SIMULATIONS, run(FIRST, status="build"), mode=ConflictMode.force)
    with pytest.raises(ConflictError, match="some records are already in the store"):
        copy(source, target)


def test_a_dry_run_writes_nothing(source: Store, tmp_path: Path) -> None:
    planned = copy(source, _sqlite(tmp_path / "target"), dry_run=True)
    assert planned.tables["ANALYSIS_rdf_oxygen"] == Counts(inserted=4)
    assert list((tmp_path / "target").iterdir()) == []


def test_a_dry_run_counts_what_a_copy_writes(source: Store, tmp_path: Path) -> None:
    target = _sqlite(tmp_path / "target")
    planned = copy(source, target, dry_run=True)
    assert planned.tables[OVERVIEW.name].inserted > 0
    assert planned.tables == copy(source, target).tables
    target.delete(OVERVIEW, (OneOf("item_type", ("artifact",)),))
    planned = copy(source, target, ConflictMode.update, dry_run=True)
    assert planned.tables[OVERVIEW.name].skipped + planned.tables[OVERVIEW.name].unchanged > 0
    assert planned.tables == copy(source, target, ConflictMode.update).tables


def test_records_of_a_table_that_only_the_target_has_are_a_difference(
    source: Store, tmp_path: Path
) -> None:
    target = _sqlite(tmp_path / "target")
    copy(source, target)
    own, empty = analysis_table("Own_Of_Target"), analysis_table("empty")
    with source.transaction() as transaction:
        (rows, *_) = transaction.read(analysis_table("rdf_oxygen"))
    for table in (own, empty):
        target.create(table)
    assert copy(source, target, ConflictMode.skip).identical
    target.write([(own, rows)], ConflictMode.refuse)
    copied = copy(source, target, ConflictMode.skip)
    assert not copied.identical
    in_source, in_target = copied.proof[own.name]
    assert (in_source.rows, in_target.rows) == (0, 4)
    assert empty.name not in copied.proof


def test_the_overview_of_the_target_matches_its_records(source: Store, tmp_path: Path) -> None:
    """The target lacks a result of the source, and has a result that the source lacks."""
    target = _sqlite(tmp_path / "target")
    copy(source, target)
    rdf, bonds = analysis_table("rdf_oxygen"), analysis_table("hydrogen_bonds")
    clear(target, select(target, tables=[rdf]))
    clear(source, select(source, tables=[bonds]))
    copied = copy(source, target, ConflictMode.skip)
    assert not copied.identical
    completed = OneOf("status", ("completed",))
    for table in (rdf, bonds):
        where = (completed, OneOf("item_name", (table.result_name,)))
        assert target.count(OVERVIEW, where) == target.count(table) > 0


def test_a_store_of_another_installation_is_copied(data: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(data / "existing_stores" / "sqlite", tmp_path / "old")
    for file in [folder, *folder.iterdir()]:
        file.chmod(0o755)
    target = _sqlite(tmp_path / "target")
    assert copy(SqliteStore(folder / "runs.db", folder / "analysis.db"), target).identical
    assert target.count(SIMULATIONS) == 8
    assert target.count(OVERVIEW) == 56


@pytest.mark.parametrize("name", ["runs.db", "analysis.db"])
def test_a_source_that_lacks_one_of_its_files_is_an_error(
    source: Store, tmp_path: Path, name: str
) -> None:
    (tmp_path / "source" / name).unlink()
    with pytest.raises(StoreError, match="is missing, although"):
        copy(source, _sqlite(tmp_path / "target"))
    assert not list((tmp_path / "target").iterdir())


@pytest.mark.parametrize("name", ["runs.csv", "analysis/ANALYSIS_rdf_oxygen.csv"])
def test_a_source_that_lacks_a_table_is_an_error(source: Store, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "csv"
    store = CsvStore(folder / "runs.csv", folder / "analysis")
    copy(source, store)
    (folder / name).unlink()
    with pytest.raises(StoreError, match="is missing, although the store has"):
        copy(store, _sqlite(tmp_path / "target"))
    assert not list((tmp_path / "target").iterdir())


def test_a_store_without_tables_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match=r"^SQLite store .*/none/runs.db does not exist$"):
        copy(_sqlite(tmp_path / "none"), _sqlite(tmp_path / "target"))


def _link_folder(store: Path, other: Path) -> None:
    other.symlink_to(store)


def _link_files(link: Callable[..., None], store: Path, other: Path) -> None:
    for path in store.rglob("*"):
        target = other / path.relative_to(store)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            link(path, target)


@pytest.mark.parametrize("kind", [SqliteStore, CsvStore])
@pytest.mark.parametrize(
    "link",
    [
        _link_folder,
        partial(_link_files, os.link),
        partial(_link_files, os.symlink),
    ],
    ids=["linked folder", "hard links", "symlinks"],
)
def test_a_copy_into_the_same_store_by_another_path_is_refused(
    source: Store,
    tmp_path: Path,
    kind: type[SqliteStore | CsvStore],
    link: Callable[[Path, Path], None],
) -> None:
    folder = tmp_path / "original"
    original = kind(folder / "runs", folder / "analysis")
    copy(source, original)
    before = _everything(original)
    link(folder, tmp_path / "other")
    files = {*tmp_path.rglob("*")}
    other = kind(tmp_path / "other" / "runs", tmp_path / "other" / "analysis")
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="are the same store"):
            copy(original, other, ConflictMode.force, dry_run=dry_run)
    assert {*tmp_path.rglob("*")} == files
    assert _everything(original) == before


def test_a_copy_into_a_store_that_shares_one_file_is_refused(source: Store, tmp_path: Path) -> None:
    other = SqliteStore(tmp_path / "other.db", tmp_path / "source" / "runs.db")
    with pytest.raises(UsageError, match=r"are one file"):
        copy(source, other)
    assert not (tmp_path / "other.db").exists()


def test_a_copy_names_the_tables_of_others_and_no_tables_of_its_own(
    source: Store, tmp_path: Path
) -> None:
    """Both namespaces are in one file, which has a log and data for undo."""
    one_file = SqliteStore(tmp_path / "one.db", tmp_path / "one.db")
    copy(source, one_file)
    assert copy(one_file, MemoryStore()).left_out == ()
    plant_sqlite(tmp_path / "one.db", OTHER, [("A",)])
    for dry_run in (False, True):
        copied = copy(one_file, MemoryStore(), dry_run=dry_run)
        assert copied.left_out == (OTHER.name,)
        assert copied.identical
