"""Whatever is changed in a store or lost on disk is found, and named with a remedy."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mdfactory.campaign.collect import Scope
from mdfactory.errors import NotInitialisedError
from mdfactory.records.arrow import array, batch
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import (
    FRAME_SIDECARS,
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    artifact_table,
    digest_table,
)
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.stores.store import Store
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.sync.verify.verification import verify
from mdfactory.testing.records import records, run

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "water_methanol"
ALL = Scope(simulations=True, results=list(ResultType))
DONE = "CC4D89E0997487E23A5CA417BC302361B5440904"
RDF, PLOT = analysis_table("rdf_oxygen"), artifact_table("density_plot")
TABLES = {"runs": SIMULATIONS, "overview": OVERVIEW, "analysis": RDF, "artifact": PLOT}


def _pushed(folder: Path, campaign: Path) -> Store:
    store = _store(folder)
    initialise(store, simulations=True, results=list(ResultType))
    push(store, str(campaign), scope=ALL)
    return store


def _store(folder: Path) -> Store:
    return SqliteStore(folder / "runs.db", folder / "analysis.db")


@pytest.fixture
def store(tmp_path: Path, campaign: Path) -> Store:
    """A store, with a campaign of its own."""
    return _pushed(tmp_path, campaign)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that is not changed."""
    folder = tmp_path_factory.mktemp("original")
    _pushed(folder, Path(shutil.copytree(EXAMPLE, folder / "campaign")))
    return folder


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Store:
    """A copy of a store, whose campaign must not be changed."""
    for name in ("runs.db", "analysis.db"):
        shutil.copy(original / name, tmp_path)
    return _store(tmp_path)


def _change(store: Store, table: Table, column: str, where: int) -> None:
    """Change one character of one record of a simulation, past all that keeps watch."""
    with store.transaction(write=True) as transaction:
        query = Query((OneOf("hash", (DONE,)),))
        rows = next(iter(transaction.scan(table, query))).slice(0, 1)
        (row,) = rows.to_pylist()
        text = str(row[column])
        place = where % len(text)
        other = "7" if text[place] != "7" else "3"
        changed = text[:place] + other + text[place + 1 :]
        new = row | {column: int(changed) if isinstance(row[column], int) else changed}
        assert new != row
        transaction.remove(table, [tuple(row[name] for name in table.key)])
        transaction.put(table, batch([[new[name] for name in table.columns]], table.schema))


COLUMNS = [(name, column) for name, table in TABLES.items() for column in table.columns]


def test_a_store_that_is_sound_has_no_findings(copy: Store) -> None:
    found = verify(copy)
    assert found.findings == found.notes == []
    assert found.unverifiable == 0
    assert found.total == 8 + 56 + 19 + 6
    assert found.reached == ""


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_one_character_that_was_changed_is_found(copy: Store, name: str, column: str) -> None:
    where = random.Random(f"{name} {column}").randrange(10**6)  # noqa: S311  # any will do
    _change(copy, TABLES[name], column, where)
    found = verify(copy)
    assert any(one.table == TABLES[name].name for one in found.findings), found
    assert all(one.remedy for one in found.findings)


@pytest.mark.parametrize(
    "column", [one for one in FRAME_SIDECARS.columns[2:] if one != "arrow_ipc"]
)
def test_one_character_of_what_is_kept_beside_is_found(copy: Store, column: str) -> None:
    with copy.transaction(write=True) as transaction:
        query = Query((OneOf("hash", (DONE,)), OneOf("record_table", (RDF.id,))))
        (row,) = next(iter(transaction.scan(FRAME_SIDECARS, query))).to_pylist()
        text = row[column]
        row[column] = text[:9] + ("x" if text[9] != "x" else "y") + text[10:]
        transaction.put(
            FRAME_SIDECARS,
            batch([[row[name] for name in FRAME_SIDECARS.columns]], FRAME_SIDECARS.schema),
        )
    assert [one.table for one in verify(copy).findings] == [RDF.name]


@pytest.mark.parametrize("column", ["content", "digest"])
def test_a_digest_that_was_changed_is_found(copy: Store, column: str) -> None:
    table = digest_table(Namespace.results)
    with copy.transaction(write=True) as transaction:
        query = Query((OneOf("hash", (DONE,)), OneOf("record_table", (RDF.id,))))
        (row,) = next(iter(transaction.scan(table, query))).to_pylist()
        row[column] = row[column][:5] + ("0" if row[column][5] != "0" else "1") + row[column][6:]
        transaction.put(table, batch([[row[name] for name in table.columns]], table.schema))
    (finding,) = verify(copy).findings
    assert (finding.table, finding.hash) == (RDF.name, DONE)
    assert "digest" in finding.problem


def test_a_text_that_is_no_longer_text_is_found(copy: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        database.execute(
            "UPDATE RUN_DATABASE SET directory = CAST(x'ff2f' AS TEXT) WHERE hash = ?", (DONE,)
        )
        database.commit()
    found = verify(copy)
    assert (found.findings[0].table, found.findings[0].hash) == (SIMULATIONS.name, DONE)
    assert "cannot be read" in found.findings[0].problem
    assert found.total == 88


def test_records_of_other_programs_are_checked_as_far_as_can_be(
    store: Store, campaign: Path, data: Path
) -> None:
    vectors = json.loads((data / "identity_vectors.json").read_text(encoding="utf-8"))
    rows = vectors if isinstance(vectors, list) else next(iter(vectors.values()))
    lnp = next(row for row in rows if '"simulation_type":"lnp"' in row["canonical_json"])
    folder = str(campaign)
    theirs = [
        run("F" * 40, input_data=lnp["canonical_json"], simulation_type="lnp", directory=folder),
        run("E" * 40, input_data=rows[0]["canonical_json"], directory=folder),
        run("D" * 40, input_data="{}", directory=folder, status="done"),
    ]
    with store.transaction(write=True) as transaction:
        transaction.put(SIMULATIONS, records(SIMULATIONS, *theirs))
    found = verify(store)
    assert found.unverifiable == 3
    assert [one.hash for one in found.notes if "lnp" in one.problem] == ["F" * 40]
    told = {one.hash: one.problem for one in found.findings if "input_data" in one.problem}
    assert told["E" * 40].startswith("it is not filed under the hash of its input_data")
    assert told["D" * 40].startswith("input_data is no BuildInput")


def test_an_overview_that_says_otherwise_is_found(copy: Store) -> None:
    with copy.transaction(write=True) as transaction:
        rows = next(iter(transaction.scan(OVERVIEW, Query((OneOf("hash", (DONE,)),)))))
        place = rows.schema.get_field_index("row_count")
        counts = array([5] * rows.num_rows, rows.schema.field(place).type)
        transaction.write(
            [(OVERVIEW, rows.set_column(place, "row_count", counts))], ConflictMode.force
        )
    found = verify(copy)
    assert {one.table for one in found.findings} == {OVERVIEW.name}
    assert all("push all SOURCE --update" in one.remedy for one in found.findings)


# The disk


def test_what_is_lost_on_disk_is_found(store: Store, campaign: Path) -> None:
    folders = sorted(path for path in campaign.iterdir() if (path / ".analysis").is_dir())
    shutil.rmtree(folders[0])
    (folders[1] / ".analysis" / "rdf_oxygen.parquet").write_bytes(b"PAR1")
    picture = next((folders[2] / ".analysis" / "artifacts").rglob("*.png"))
    picture.write_bytes(picture.read_bytes() + b"!")
    found = verify(store).findings
    assert [(one.table, one.hash) for one in found] == [
        (SIMULATIONS.name, folders[0].name),
        (RDF.name, folders[1].name),
        (PLOT.name, folders[2].name),
    ]
    assert "sync relocate" in found[0].remedy
    assert "has another checksum" in found[2].problem
    quick = verify(store, quick=True).findings
    assert [one.table for one in quick] == [SIMULATIONS.name, RDF.name]


def test_only_what_is_below_the_source_is_checked(store: Store, campaign: Path) -> None:
    assert verify(store, str(campaign)).total == 89
    assert verify(store, str(campaign / DONE)).checked[SIMULATIONS.name] == 1


def test_a_run_that_was_stopped_goes_on(copy: Store) -> None:
    whole = verify(copy)
    hashes = sorted(
        hash_
        for rows in copy.read(SIMULATIONS, Query(columns=("hash",)))
        for hash_ in rows[0].to_pylist()
    )
    rest = verify(copy, since=hashes[3][:6].lower())
    assert rest.checked[SIMULATIONS.name] == 5
    assert whole.checked[SIMULATIONS.name] == 8


def test_a_store_without_tables_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError):
        verify(SqliteStore(tmp_path / "none.db", tmp_path / "none.db"))
