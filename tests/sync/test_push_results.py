"""Push: analyses, artifacts and the overview."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mdfactory import Simulation
from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope, collect
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import ConflictError, NotInitialisedError, StoreError, UnknownNameError
from mdfactory.records.merge import Counts
from mdfactory.records.tables import (
    FRAME_SIDECARS,
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    artifact_table,
)
from mdfactory.records.vocabulary import ConflictMode, ResultType, SimulationType
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.stores.store import Store
from mdfactory.sync.clear import clear, select
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import SIMULATIONS_ONLY, push
from mdfactory.sync.results import result_tables

ALL = Scope(simulations=True, results=list(ResultType))
ANALYSES = Scope(results=[ResultType.analysis])
ARTIFACTS = Scope(results=[ResultType.artifact])
WITHOUT_BONDS = "E6475BA8EB2617975EC267C2DC37732335CD9144"
FRESH = "2071DE6353CF75B3049856E059488D3CE307F956"
STATES = {"completed": 4, "not_yet_run": 4}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = SqliteStore(tmp_path / "runs.db", tmp_path / "analysis.db")
    initialise(store, simulations=True, results=list(ResultType))
    return store


@pytest.fixture
def existing(tmp_path: Path, data: Path) -> Store:
    folder = shutil.copytree(data / "existing_stores" / "sqlite", tmp_path / "existing")
    for file in [folder, *folder.iterdir()]:
        file.chmod(0o755)
    return SqliteStore(folder / "runs.db", folder / "analysis.db")


def _rows(store: Store, table: Table) -> list[dict[str, Any]]:
    return [row for rows in store.read(table) for row in rows.to_pylist()]


def _overview(store: Store) -> dict[str, Counter[str]]:
    """Return the overview: name of a result -> status -> number of rows."""
    statuses: dict[str, Counter[str]] = {}
    for row in _rows(store, OVERVIEW):
        statuses.setdefault(row["item_name"], Counter())[row["status"]] += 1
    return statuses


def _everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    tables = [*store.tables(), FRAME_SIDECARS]
    with store.transaction() as transaction:
        return {
            table.name: sorted(_rows(store, table), key=json.dumps)
            for table in tables
            if transaction.has(table)
        }


# What is pushed


def test_a_campaign_pushes_its_analyses_and_artifacts(store: Store, campaign: Path) -> None:
    assert push(store, str(campaign), scope=ANALYSES).tables == {
        "ANALYSIS_system_chemistry": Counts(inserted=4),
        "ANALYSIS_density_timeseries": Counts(inserted=4),
        "ANALYSIS_rdf_oxygen": Counts(inserted=4),
        "ANALYSIS_box_size_timeseries": Counts(inserted=4),
        "ANALYSIS_hydrogen_bonds": Counts(inserted=3),
    }
    assert push(store, str(campaign), scope=ARTIFACTS).tables == {
        "ARTIFACT_last_frame_pdb": Counts(inserted=3),
        "ARTIFACT_density_plot": Counts(inserted=3),
    }


def test_one_push_writes_simulations_and_results(store: Store, campaign: Path) -> None:
    pushed = push(store, str(campaign), scope=ALL)
    assert pushed.counts == Counts(inserted=8 + 19 + 6)
    assert store.count(SIMULATIONS) == 8


def test_an_analysis_record_has_the_content_of_the_file(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ANALYSES)
    (row,) = (row for row in _rows(store, analysis_table("rdf_oxygen")) if row["hash"][0] == "9")
    folder = campaign / row["hash"]
    frame = pq.read_table(folder / row["data_path"])
    assert row["directory"] == str(folder)
    assert row["simulation_type"] == "mixedbox"
    assert row["row_count"] == frame.num_rows == 105
    assert json.loads(row["columns"]) == frame.column_names == ["r_nm", "g_r"]
    assert row["data_csv"].startswith("r_nm,g_r\n")
    assert row["data_csv"].count("\n") == 106
    (sidecar,) = (
        sidecar
        for sidecar in _rows(store, FRAME_SIDECARS)
        if (sidecar["hash"], sidecar["record_table"]) == (row["hash"], "analysis_rdf_oxygen")
    )
    assert json.loads(sidecar["entry"])["extras"]["pairs"] == "O-O, all molecules"
    assert sidecar["timestamp_utc"] == row["timestamp_utc"]


def test_an_artifact_record_lists_files_and_checksums(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ARTIFACTS)
    for row in _rows(store, artifact_table("density_plot")):
        entry = Simulation.open(row["directory"]).results.registry().artifacts["density_plot"]
        assert tuple(json.loads(row["files"])) == entry.files
        assert json.loads(row["checksums"]) == entry.checksums
        assert row["file_count"] == 1


def test_a_push_of_results_says_that_no_simulation_has_any(store: Store, campaign: Path) -> None:
    without = next(path for path in campaign.glob("*/") if not (path / ".analysis").exists())
    scope = Scope(results=[ResultType.analysis])
    pushed = push(store, str(without), ConflictMode.update, scope)
    assert (pushed.counts, pushed.warnings) == (Counts(), ("no simulation has analyses to push",))
    pushed = push(store, str(campaign), ConflictMode.update, scope)
    assert pushed.warnings == ()


def test_a_push_may_be_restricted_to_names(store: Store, campaign: Path) -> None:
    scope = Scope(results=[ResultType.analysis], names=frozenset({"rdf_oxygen", "no_such"}))
    pushed = push(store, str(campaign), scope=scope)
    assert list(pushed.tables) == ["ANALYSIS_rdf_oxygen"]
    assert [skipped.reason for skipped in pushed.skipped] == [
        "no simulation has a result named no_such"
    ]


@pytest.mark.parametrize("scope", [ANALYSES, ARTIFACTS, ALL])
def test_a_store_that_was_not_initialised_names_the_command(
    tmp_path: Path, campaign: Path, scope: Scope
) -> None:
    store = SqliteStore(tmp_path / "r.db", tmp_path / "a.db")
    with pytest.raises(NotInitialisedError, match="mdfactory sync init all$"):
        push(store, str(campaign), scope=scope)
    store.create(SIMULATIONS)
    name = "all" if scope.simulations else "analysis" if scope == ANALYSES else "artifacts"
    with pytest.raises(NotInitialisedError, match=f"mdfactory sync init {name}$"):
        push(store, str(campaign), scope=scope)


# Conflicts


def test_a_conflict_in_one_table_leaves_all_tables_unchanged(store: Store, campaign: Path) -> None:
    """Twelve tables are touched; the conflict is in the last."""
    names = sorted(f"own_{number}" for number in range(10))
    results = Simulation.open(campaign / FRESH).results
    for name in [*names, "zz_last"]:
        results.record_analysis(name, pa.table({"x": [1, 2]}))
    push(
        store,
        str(campaign),
        scope=Scope(results=[ResultType.analysis], names=frozenset({"zz_last"})),
    )
    before = _everything(store)
    with pytest.raises(ConflictError) as caught:
        push(store, str(campaign), scope=ALL)
    assert caught.value.conflicts == {"ANALYSIS_zz_last": (FRESH,)}
    assert _everything(store) == before
    assert store.count(SIMULATIONS) == 0


def test_a_failure_in_the_last_table_leaves_both_files_unchanged(
    store: Store, campaign: Path, tmp_path: Path
) -> None:
    push(store, str(campaign), scope=SIMULATIONS_ONLY)
    before = _everything(store)
    (campaign / FRESH / "prod.gro").touch()
    with closing(sqlite3.connect(tmp_path / "analysis.db")) as database:
        database.execute(
            "CREATE TRIGGER t BEFORE INSERT ON ANALYSIS_OVERVIEW "
            "BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises(StoreError, match="no room"):
        push(store, str(campaign), ConflictMode.update, ALL)
    assert _everything(store) == before


def test_an_update_leaves_unchanged_records(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ALL)
    before = _everything(store)
    assert push(store, str(campaign), ConflictMode.update, ALL).counts == Counts(unchanged=33)
    assert _everything(store) == before


@pytest.mark.parametrize(
    ("frame", "extras"),
    [
        (pa.table({"x": [1, 3]}), {}),
        (pa.table({"x": pa.array([1, 2], pa.int8())}), {}),  # the same text
        (pa.table({"x": [1, 2]}), {"units": {"x": "nm"}}),
    ],
)
def test_an_update_writes_changed_values_types_and_extras(
    store: Store, campaign: Path, frame: pa.Table, extras: dict[str, Any]
) -> None:
    results = Simulation.open(campaign / FRESH).results
    results.record_analysis("own", pa.table({"x": [1, 2]}))
    push(store, str(campaign), scope=ANALYSES)
    results.record_analysis("own", pa.table({"x": [1, 2]}))  # another time, the same result
    assert push(store, str(campaign), ConflictMode.update, ANALYSES).counts == Counts(unchanged=20)
    results.record_analysis("own", frame, extras=extras)
    assert push(store, str(campaign), ConflictMode.update, ANALYSES).counts == Counts(
        updated=1, unchanged=19
    )
    assert push(store, str(campaign), ConflictMode.update, ANALYSES).counts == Counts(unchanged=20)


def test_a_dry_run_counts_records_of_missing_tables(store: Store, campaign: Path) -> None:
    before = _everything(store)
    planned = push(store, str(campaign), scope=ALL, dry_run=True)
    assert _everything(store) == before
    assert planned.tables == push(store, str(campaign), scope=ALL).tables


# The overview


def test_the_overview_lists_completed_and_missing_results(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ALL)
    assert _overview(store) == {
        "system_chemistry": STATES,
        "density_timeseries": STATES,
        "rdf_oxygen": STATES,
        "box_size_timeseries": STATES,
        "hydrogen_bonds": {"completed": 3, "not_yet_run": 5},
        "last_frame_pdb": {"completed": 3, "not_yet_run": 5},
        "density_plot": {"completed": 3, "not_yet_run": 5},
    }


def test_the_next_push_completes_a_missing_result(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ALL)
    results = Simulation.open(campaign / WITHOUT_BONDS).results
    results.record_analysis("hydrogen_bonds", pa.table({"frame": [0, 1], "count": [640, 641]}))
    pushed = push(store, str(campaign), ConflictMode.skip, ANALYSES)
    assert pushed.counts == Counts(inserted=1, skipped=19)
    assert _overview(store)["hydrogen_bonds"] == STATES
    (row,) = (
        row
        for row in _rows(store, OVERVIEW)
        if (row["hash"], row["item_name"]) == (WITHOUT_BONDS, "hydrogen_bonds")
    )
    assert (row["row_count"], row["file_count"]) == (2, 0)


def test_a_push_of_systems_derives_the_overview_too(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    assert _overview(store) == {
        "system_chemistry": {"not_yet_run": 8},
        "last_frame_pdb": {"not_yet_run": 8},
    }
    push(store, str(campaign), scope=ANALYSES)
    shutil.rmtree(campaign / WITHOUT_BONDS / ".analysis")
    before = _rows(store, OVERVIEW)
    push(store, str(campaign), ConflictMode.update)
    assert _rows(store, OVERVIEW) == before  # the records are still in the store


def test_a_push_of_systems_alone_needs_no_overview(tmp_path: Path, campaign: Path) -> None:
    store = SqliteStore(tmp_path / "r.db", tmp_path / "a.db")
    initialise(store, simulations=True)
    push(store, str(campaign))
    assert [table.name for table in store.tables()] == ["RUN_DATABASE"]


def test_the_overview_follows_a_campaign_that_moved(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ALL)
    moved = campaign.rename(campaign.with_name("moved"))
    push(store, str(moved), ConflictMode.update, SIMULATIONS_ONLY)
    assert all(str(moved) in row["directory"] for row in _rows(store, OVERVIEW))


def test_names_of_the_configuration_are_expected_of_their_type(
    store: Store, campaign: Path
) -> None:
    names = {SimulationType.mixedbox: {ResultType.analysis: ["viscosity"]}}
    push(store, str(campaign), scope=ALL, catalogue=Catalogue(names))
    assert _overview(store)["viscosity"] == {"not_yet_run": 8}


def test_rows_of_names_that_the_configuration_no_longer_has_are_kept(
    store: Store, campaign: Path
) -> None:
    names = {SimulationType.mixedbox: {ResultType.analysis: ["viscosity"]}}
    push(store, str(campaign), scope=ALL, catalogue=Catalogue(names))
    moved = campaign.rename(campaign.with_name("moved"))
    push(store, str(moved), ConflictMode.update, ALL)
    assert _overview(store)["viscosity"] == {"not_yet_run": 8}
    assert all(str(moved) in row["directory"] for row in _rows(store, OVERVIEW))


def test_a_name_keeps_its_case(store: Store, campaign: Path) -> None:
    Simulation.open(campaign / FRESH).results.record_analysis("RMSD", pa.table({"x": [1]}))
    push(store, str(campaign / FRESH), scope=ANALYSES)
    push(store, str(campaign), ConflictMode.skip, ANALYSES)
    assert _overview(store)["RMSD"] == {"completed": 1, "not_yet_run": 7}
    assert "rmsd" not in _overview(store)
    with store.transaction() as transaction:
        assert (ResultType.analysis, "RMSD") in result_tables(transaction)


# Bad results


def _no_file(folder: Path) -> None:
    (folder / "rdf_oxygen.parquet").unlink()


def _corrupt(folder: Path) -> None:
    (folder / "rdf_oxygen.parquet").write_bytes(b"PAR1 and no more")


def _truncated(folder: Path) -> None:
    whole = (folder / "rdf_oxygen.parquet").read_bytes()
    (folder / "rdf_oxygen.parquet").write_bytes(whole[: len(whole) // 2])


def _other_rows(folder: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), folder / "rdf_oxygen.parquet")


def _not_utf8(folder: Path) -> None:
    registry = (folder / "metadata.json").read_bytes()
    (folder / "metadata.json").write_bytes(b"\xff" + registry)


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        registry = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
        change(registry)
        (folder / "metadata.json").write_text(json.dumps(registry), encoding="utf-8")

    return edit


def _renamed(registry: dict[str, Any]) -> None:
    registry["analyses"]["rdf; DROP TABLE x"] = registry["analyses"].pop("rdf_oxygen")


def _outside(registry: dict[str, Any]) -> None:
    (entry,) = (registry["artifacts"]["density_plot"],)
    entry["files"] = ["../prod.gro"]
    entry["checksums"] = {"../prod.gro": "0" * 64}


def _elsewhere(folder: Path) -> None:
    (folder / "rdf_oxygen.parquet").rename(folder.parent / "rdf.parquet")
    (folder / "rdf_oxygen.parquet").symlink_to(folder.parent / "rdf.parquet")


def _no_artifact(folder: Path) -> None:
    (folder / "artifacts" / "density_plot" / "density_plot.png").unlink()


def _loop(folder: Path) -> None:
    (folder / "rdf_oxygen.parquet").unlink()
    (folder / "rdf_oxygen.parquet").symlink_to("rdf_oxygen.parquet")


def _pipe(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def _bomb(folder: Path) -> None:
    """A file of a few kilobytes that is 20 GB as text."""
    rows = 20_000
    long = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 1_000_000])
    pq.write_table(pa.table({"x": long}), folder / "rdf_oxygen.parquet")
    _edited(lambda registry: registry["analyses"]["rdf_oxygen"].update(row_count=rows))(folder)


def _huge(folder: Path) -> None:
    rows = 2**27
    table = pa.table({name: pa.nulls(rows, pa.int8()) for name in "abc"})
    pq.write_table(table, folder / "rdf_oxygen.parquet")
    _edited(lambda registry: registry["analyses"]["rdf_oxygen"].update(row_count=rows))(folder)


@pytest.mark.parametrize(
    ("spoil", "reason", "lost"),
    [
        (_no_file, "analysis rdf_oxygen: rdf_oxygen.parquet is missing", 1),
        (_corrupt, "analysis rdf_oxygen: rdf_oxygen.parquet cannot be read: ", 1),
        (_truncated, "analysis rdf_oxygen: rdf_oxygen.parquet cannot be read: ", 1),
        (
            _other_rows,
            "analysis rdf_oxygen: rdf_oxygen.parquet has 1 rows, but 105 are",
            1,
        ),
        (_edited(_renamed), "analysis rdf; DROP TABLE x: 'rdf; DROP TABLE x' is not a valid", 1),
        (_edited(_outside), "artifact density_plot: '../prod.gro' is not a path inside", 1),
        (_elsewhere, "analysis rdf_oxygen: rdf_oxygen.parquet cannot be read: 'rdf_oxygen.pa", 1),
        (_no_artifact, "artifact density_plot: artifacts/density_plot/density_plot.png is mis", 1),
        (_not_utf8, ".analysis/metadata.json: is not valid JSON: ", 7),
        (_edited(lambda registry: registry.update(analyses=[])), "analyses: is not a mapping", 5),
        (_loop, "analysis rdf_oxygen: rdf_oxygen.parquet cannot be read: ", 1),
        (_pipe("rdf_oxygen.parquet"), "analysis rdf_oxygen: rdf_oxygen.parquet cannot be re", 1),
        (_pipe("metadata.json"), ".analysis/metadata.json: is not a file", 7),
        (_bomb, "analysis rdf_oxygen: rdf_oxygen.parquet takes more than 256 MiB as text", 1),
        (_huge, "analysis rdf_oxygen: rdf_oxygen.parquet has 134,217,728 rows of 3 columns: ", 1),
    ],
)
def test_a_bad_result_is_named_and_the_others_are_pushed(
    store: Store, campaign: Path, spoil: Callable[[Path], None], reason: str, lost: int
) -> None:
    folder = campaign / "CC4D89E0997487E23A5CA417BC302361B5440904"
    spoil(folder / ".analysis")
    pushed = push(store, str(campaign), scope=ALL)
    (skipped,) = pushed.skipped
    assert skipped.path == str(folder)
    assert skipped.reason.startswith(reason)
    assert "\n" not in skipped.reason
    assert pushed.counts == Counts(inserted=33 - lost, skipped=1)


# Stores of other programs


def test_a_result_that_is_recorded_again_meanwhile_is_read_again(campaign: Path) -> None:
    simulation = Simulation.open(campaign / WITHOUT_BONDS)
    results, source = simulation.results, campaign / "new.txt"
    source.write_bytes(b"x")
    for name in ("again", "removed", "broken"):
        results.record_analysis(name, pa.table({"x": [1]}))
        results.record_artifact(name, source)
    registry = results.folder / "metadata.json"
    document = json.loads(registry.read_text(encoding="utf-8"))
    registry.write_text(json.dumps(document | {"analyses": {"a-b": 0} | document["analyses"]}))
    reported: list[str] = []

    def report(skipped: Skipped) -> None:
        """Change results after the registry was read, and before they are."""
        reported.append(skipped.reason)
        if "a-b" not in skipped.reason:
            return
        results.record_analysis("again", pa.table({"x": [1, 2]}))
        results.record_artifact("again", source.rename(campaign / "newer.txt"))
        results.remove_analysis("removed")
        results.remove_artifact("removed")
        (results.folder / "broken.parquet").unlink()
        (results.folder / "artifacts/broken/new.txt").unlink()

    records = {
        table.id: row
        for table, rows in collect([simulation], ALL, "2026-01-01T00:00:00+00:00", report)
        for row in rows.to_pylist()
    }
    assert records[analysis_table("again").id]["row_count"] == 2
    assert json.loads(records[artifact_table("again").id]["files"]) == ["artifacts/again/newer.txt"]
    assert analysis_table("removed").id not in records
    assert artifact_table("removed").id not in records
    assert [reason for reason in reported if "a-b" not in reason] == [
        "analysis broken: broken.parquet is missing. Record the analysis again",
        "artifact broken: artifacts/broken/new.txt is missing. Record the artifact again",
    ]


def test_a_frame_never_gets_the_entry_of_an_earlier_one(campaign: Path) -> None:
    simulation = Simulation.open(campaign / WITHOUT_BONDS)
    results = simulation.results
    results.record_analysis("energy", pa.table({"x": [1]}), units={"x": "kcal/mol"})
    registry = results.folder / "metadata.json"
    document = json.loads(registry.read_text(encoding="utf-8"))
    registry.write_text(json.dumps(document | {"artifacts": {"energy": 0}}))
    scope = Scope(results=list(ResultType), names=frozenset({"energy"}))

    def record_again(_: Skipped) -> None:
        """Record the analysis in other units after the registry was read, before the file is."""
        results.record_analysis("energy", pa.table({"x": [4]}), units={"x": "kJ/mol"})

    ((_, rows),) = collect([simulation], scope, "2026-01-01T00:00:00+00:00", record_again)
    (row,) = rows.to_pylist()
    assert row["data_csv"] == "x\n4\n"
    assert json.loads(row["entry"])["extras"] == {"units": {"x": "kJ/mol"}}


def test_tables_in_upper_case_are_found_and_extended(existing: Store, campaign: Path) -> None:
    before = {table.name for table in existing.tables()}
    pushed = push(existing, str(campaign), ConflictMode.skip, ALL)
    assert pushed.counts == Counts(skipped=33)
    Simulation.open(campaign / WITHOUT_BONDS).results.record_analysis(
        "hydrogen_bonds", pa.table({"frame": [0], "count": [640]})
    )
    pushed = push(existing, str(campaign), ConflictMode.skip, ANALYSES)
    assert pushed.counts == Counts(inserted=1, skipped=19)
    assert {table.name for table in existing.tables()} == before
    assert _overview(existing)["hydrogen_bonds"] == STATES
    assert len(_rows(existing, OVERVIEW)) == 56
    with existing.transaction() as transaction:
        (spelt,) = (
            name for name in transaction.backend.names(Namespace.results) if "HYDROGEN" in name
        )
    assert spelt == "ANALYSIS_HYDROGEN_BONDS"


def test_an_update_writes_records_of_other_programs_once(existing: Store, campaign: Path) -> None:
    assert push(existing, str(campaign), ConflictMode.update, ALL).counts == Counts(updated=33)
    assert push(existing, str(campaign), ConflictMode.update, ALL).counts == Counts(unchanged=33)
    assert len(_rows(existing, OVERVIEW)) == 56


# Clear and init


def test_a_cleared_table_is_not_yet_run_in_the_overview(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ALL)
    selection = select(store, tables=[analysis_table("RDF_oxygen")])
    assert clear(store, selection) == {"ANALYSIS_rdf_oxygen": 4}
    assert _overview(store)["rdf_oxygen"] == {"not_yet_run": 8}
    assert _overview(store)["density_timeseries"] == STATES
    assert not [
        row for row in _rows(store, FRAME_SIDECARS) if row["record_table"].endswith("oxygen")
    ]
    rows = [row for row in _rows(store, OVERVIEW) if row["item_name"] == "rdf_oxygen"]
    assert {row["row_count"] for row in rows} == {0}


def test_a_clear_finds_every_spelling_of_a_name(store: Store, campaign: Path) -> None:
    """Pushed one after the other, each registry's spelling stands in the overview."""
    names = ("MyThing", "mything", "myThing", "MYTHING")
    for folder, name in zip(sorted(campaign.iterdir()), names, strict=False):
        Simulation.open(folder).results.record_analysis(name, pa.table({"x": [1]}))
        push(store, str(folder), scope=ANALYSES)
    clear(store, select(store, tables=[analysis_table("mything")]))
    rows = [row for row in _rows(store, OVERVIEW) if row["item_name"].lower() == "mything"]
    assert {row["status"] for row in rows} == {"not_yet_run"}


def test_a_clear_may_be_restricted_to_some_simulations(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ALL)
    clear(store, select(store, result_types=[ResultType.analysis], hash_prefix="cc4d"))
    assert _overview(store)["rdf_oxygen"] == {"completed": 3, "not_yet_run": 5}
    assert _overview(store)["density_plot"] == {"completed": 3, "not_yet_run": 5}


@pytest.mark.parametrize(
    ("selected", "counts"),
    [
        (
            {"result_types": [ResultType.analysis]},
            {SIMULATIONS: 8, OVERVIEW: 56, artifact_table("density_plot"): 3},
        ),
        ({"result_types": [ResultType.artifact]}, {OVERVIEW: 56, analysis_table("rdf_oxygen"): 4}),
        ({"overview": True}, {SIMULATIONS: 8, OVERVIEW: 0, analysis_table("rdf_oxygen"): 4}),
        ({"overview": True, "result_types": list(ResultType)}, {SIMULATIONS: 8, OVERVIEW: 0}),
        ({"simulations": True}, {SIMULATIONS: 0, OVERVIEW: 56}),
        (
            {"simulations": True, "overview": True, "result_types": list(ResultType)},
            {SIMULATIONS: 0, OVERVIEW: 0, artifact_table("density_plot"): 0},
        ),
    ],
)
def test_only_selected_records_are_cleared(
    store: Store, campaign: Path, selected: dict[str, Any], counts: dict[Table, int]
) -> None:
    push(store, str(campaign), scope=ALL)
    clear(store, select(store, **selected))
    assert {table: store.count(table) for table in counts} == counts


def test_an_unknown_name_is_an_error_with_the_known_names(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ANALYSES)
    with pytest.raises(UnknownNameError, match=r"'no_such'.* hydrogen_bonds, .*system_chemistry"):
        select(store, tables=[analysis_table("no_such")])


def test_init_leaves_existing_tables(store: Store, campaign: Path) -> None:
    push(store, str(campaign), scope=ALL)
    before = _everything(store)
    outcomes = initialise(store, simulations=True, results=list(ResultType))
    assert _everything(store) == before
    assert all(outcome.existed and not outcome.removed for outcome in outcomes)


def test_init_by_force_empties_one_result_type_and_its_rows_of_the_overview(
    store: Store, campaign: Path
) -> None:
    push(store, str(campaign), scope=ALL)
    outcomes = initialise(store, results=[ResultType.artifact], force=True)
    removed = {outcome.table: outcome.removed for outcome in outcomes if outcome.removed}
    assert removed == {
        "ANALYSIS_OVERVIEW": 16,
        "ARTIFACT_last_frame_pdb": 3,
        "ARTIFACT_density_plot": 3,
    }
    assert set(_overview(store)) == {
        "system_chemistry",
        "density_timeseries",
        "rdf_oxygen",
        "box_size_timeseries",
        "hydrogen_bonds",
    }
    assert store.count(analysis_table("rdf_oxygen")) == 4


def test_a_store_without_the_file_of_results_is_an_error(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "r.db", tmp_path / "a.db")
    initialise(store, simulations=True)
    with pytest.raises(NotInitialisedError, match="mdfactory sync init analysis"):
        select(store, overview=True)
    with pytest.raises(StoreError):
        select(store, result_types=[ResultType.artifact])
