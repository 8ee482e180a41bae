"""Verify: a change in the store or a loss on disk is found, and named with a remedy."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mdfactory import Simulation
from mdfactory.campaign.collect import Scope
from mdfactory.campaign.registry import RESTORE
from mdfactory.errors import NotInitialisedError, QueryError, SourceError, UsageError
from mdfactory.records.arrow import array, batch, texts
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
from mdfactory.sync.relocate import relocate
from mdfactory.sync.verify.disk import RECORD_AGAIN
from mdfactory.sync.verify.finding import PUSH_UPDATE
from mdfactory.sync.verify.moved import merge_missing
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
    """A store and its campaign, which a test may change."""
    return _pushed(tmp_path, campaign)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that no test changes."""
    folder = tmp_path_factory.mktemp("original")
    _pushed(folder, Path(shutil.copytree(EXAMPLE, folder / "campaign")))
    return folder


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Store:
    """A copy of a store; tests must not change its campaign."""
    for name in ("runs.db", "analysis.db"):
        shutil.copy(original / name, tmp_path)
    return _store(tmp_path)


def _change(store: Store, table: Table, column: str, where: int) -> None:
    """Change one character of one record of a simulation, and leave its digests as they are."""
    with store.transaction(write=True) as transaction:
        query = Query((OneOf("hash", (DONE,)),))
        rows = next(iter(transaction.backend.scan(table, query))).slice(0, 1)
        (row,) = rows.to_pylist()
        text = str(row[column])
        position = where % len(text)
        character = "7" if text[position] != "7" else "3"
        changed = text[:position] + character + text[position + 1 :]
        new = row | {column: int(changed) if isinstance(row[column], int) else changed}
        assert new != row
        transaction.backend.remove(table, [tuple(row[name] for name in table.key)])
        transaction.backend.put(table, batch([[new[name] for name in table.columns]], table.schema))


COLUMNS = [(name, column) for name, table in TABLES.items() for column in table.columns]


def test_an_intact_store_has_no_findings(copy: Store) -> None:
    verified = verify(copy)
    assert verified.findings == verified.notes == []
    assert verified.unverifiable == 0
    assert verified.total == 8 + 56 + 19 + 6
    assert verified.reached == ""


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_one_changed_character_is_found(copy: Store, name: str, column: str) -> None:
    where = random.Random(f"{name} {column}").randrange(10**6)  # noqa: S311  # any will do
    _change(copy, TABLES[name], column, where)
    findings = verify(copy).findings
    assert any(finding.table == TABLES[name].name for finding in findings), findings
    assert all(finding.remedy for finding in findings)


@pytest.mark.parametrize(
    "column", [column for column in FRAME_SIDECARS.columns[2:] if column != "arrow_ipc"]
)
def test_one_changed_character_of_a_sidecar_is_found(copy: Store, column: str) -> None:
    with copy.transaction(write=True) as transaction:
        query = Query((OneOf("hash", (DONE,)), OneOf("record_table", (RDF.id,))))
        (row,) = next(iter(transaction.backend.scan(FRAME_SIDECARS, query))).to_pylist()
        text = row[column]
        row[column] = text[:9] + ("x" if text[9] != "x" else "y") + text[10:]
        transaction.backend.put(
            FRAME_SIDECARS,
            batch([[row[name] for name in FRAME_SIDECARS.columns]], FRAME_SIDECARS.schema),
        )
    assert [finding.table for finding in verify(copy).findings] == [RDF.name]


@pytest.mark.parametrize("column", ["content", "digest"])
def test_a_changed_digest_is_found(copy: Store, column: str) -> None:
    table = digest_table(Namespace.results)
    with copy.transaction(write=True) as transaction:
        query = Query((OneOf("hash", (DONE,)), OneOf("record_table", (RDF.id,))))
        (row,) = next(iter(transaction.backend.scan(table, query))).to_pylist()
        row[column] = row[column][:5] + ("0" if row[column][5] != "0" else "1") + row[column][6:]
        transaction.backend.put(table, batch([[row[name] for name in table.columns]], table.schema))
    (finding,) = verify(copy).findings
    assert (finding.table, finding.hash) == (RDF.name, DONE)
    assert "digest" in finding.problem


def test_a_text_that_is_not_valid_utf8_is_found(copy: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        database.execute(
            "UPDATE RUN_DATABASE SET directory = CAST(x'ff2f' AS TEXT) WHERE hash = ?", (DONE,)
        )
        database.commit()
    verified = verify(copy)
    finding = verified.findings[0]
    assert (finding.table, finding.hash) == (SIMULATIONS.name, DONE)
    assert "cannot be read" in finding.problem
    assert verified.total == 88


def test_of_records_of_other_programs_the_values_are_checked(
    store: Store, campaign: Path, data: Path
) -> None:
    vectors = json.loads((data / "identity_vectors.json").read_text(encoding="utf-8"))
    rows = vectors if isinstance(vectors, list) else next(iter(vectors.values()))
    lnp = next(row for row in rows if '"simulation_type":"lnp"' in row["canonical_json"])
    folder = str(campaign)
    foreign = [
        run("F" * 40, input_data=lnp["canonical_json"], simulation_type="lnp", directory=folder),
        run("E" * 40, input_data=rows[0]["canonical_json"], directory=folder),
        run("D" * 40, input_data="{}", directory=folder, status="done"),
    ]
    with store.transaction(write=True) as transaction:
        transaction.backend.put(SIMULATIONS, records(SIMULATIONS, *foreign))
    verified = verify(store)
    assert verified.unverifiable == 3
    assert [note.hash for note in verified.notes if "lnp" in note.problem] == ["F" * 40]
    problems = {
        finding.hash: finding.problem
        for finding in verified.findings
        if "input_data" in finding.problem
    }
    assert problems["E" * 40].startswith("its hash is not that of its input_data")
    assert "which is not valid for this version" in problems["D" * 40]


def _put(store: Store, **values: str) -> None:
    """Put a simulation of a type that this version does not know, as another program does."""
    unknown = {"simulation_type": "membrane"} | values
    with store.transaction(write=True) as transaction:
        transaction.backend.put(SIMULATIONS, records(SIMULATIONS, run(**unknown)))


TAGS = '"tags": {"b": "\\"tags\\":{}", "a": "1"}'
"""Tags in another order, with a text that looks like their key."""


@pytest.mark.parametrize("text", ['{"system":{"tags":{"a":1.0e-7}}}', '{"system": {"x": "ü  y"}}'])
@pytest.mark.parametrize("tags", ["", '"tags":null', TAGS])
def test_the_hash_of_an_unknown_type_is_checked_without_its_tags(
    copy: Store, tmp_path: Path, text: str, tags: str
) -> None:
    hashed = text.replace(": ", ":")
    hash_ = hashlib.sha1(hashed.encode(), usedforsecurity=False).hexdigest().upper()
    stored = f"{text[:-1]}, {tags}}}" if tags else text
    _put(copy, hash_=hash_, input_data=stored, directory=str(tmp_path))
    _put(copy, hash_="F" * 40, input_data=stored, directory=str(tmp_path))
    verified = verify(copy)
    problems = [(row.hash, row.problem) for row in verified.findings if "input_data" in row.problem]
    assert [hash_ for hash_, _ in problems] == ["F" * 40]
    assert "its hash is not that of its input_data" in problems[0][1]
    notes = {note.problem for note in verified.all_notes}
    assert "2 records: this version does not know the simulation_type 'membrane'" in notes


@pytest.mark.parametrize(
    ("yaml", "notes"),
    [
        ('{"simulation_type": "membrane", "system": {}}', 1),
        ('{"simulation_type": "mixedbox", "system": {"x": 1}}', 1),
        ("", 0),  # it was lost
    ],
)
def test_a_folder_that_this_version_cannot_read_is_a_note(
    copy: Store, tmp_path: Path, yaml: str, notes: int
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    if yaml:
        (folder / "build.yaml").write_text(yaml, encoding="utf-8")
    hash_ = hashlib.sha1(b"{}", usedforsecurity=False).hexdigest().upper()
    _put(copy, hash_=hash_, input_data="{}", directory=str(folder))
    verified = verify(copy, str(folder))
    assert len(verified.notes) == notes
    assert len(verified.findings) == 1 - notes
    assert str(folder) in [*verified.notes, *verified.findings][0].problem


def test_a_row_of_the_overview_that_does_not_match_the_records_is_found(copy: Store) -> None:
    with copy.transaction(write=True) as transaction:
        rows = next(iter(transaction.backend.scan(OVERVIEW, Query((OneOf("hash", (DONE,)),)))))
        index = rows.schema.get_field_index("row_count")
        counts = array([5] * rows.num_rows, rows.schema.field(index).type)
        transaction.write(
            [(OVERVIEW, rows.set_column(index, "row_count", counts))], ConflictMode.force
        )
    findings = verify(copy).findings
    assert {finding.table for finding in findings} == {OVERVIEW.name}
    (directory,) = set(texts(rows["directory"]))
    command = f"mdfactory sync push all {directory} --update"
    assert {finding.remedy for finding in findings} == {command}


@pytest.mark.parametrize("column", ["files", "checksums"])
@pytest.mark.parametrize("text", ['[["a"]]', '[[1, "a"]]', '{"1": 1}', "[" * 5000 + "]" * 5000])
def test_json_of_another_kind_is_found(copy: Store, column: str, text: str) -> None:
    with copy.transaction(write=True) as transaction:
        rows = next(iter(transaction.backend.scan(PLOT, Query())))
        index = rows.schema.get_field_index(column)
        changed = pa.array([text] * rows.num_rows)
        transaction.write(
            [(PLOT, rows.set_column(index, rows.schema.field(column), changed))],
            ConflictMode.force,
        )
    findings = [finding for finding in verify(copy).findings if finding.table == PLOT.name]
    assert len({finding.hash for finding in findings}) == rows.num_rows


# The disk


def test_results_that_are_lost_on_disk_are_found(store: Store, campaign: Path) -> None:
    folders = sorted(path for path in campaign.iterdir() if (path / ".analysis").is_dir())
    shutil.rmtree(folders[0])
    (folders[1] / ".analysis" / "rdf_oxygen.parquet").write_bytes(b"PAR1")
    picture = next((folders[2] / ".analysis" / "artifacts").rglob("*.png"))
    picture.write_bytes(picture.read_bytes() + b"!")
    findings = verify(store).findings
    assert [(finding.table, finding.hash) for finding in findings] == [
        (SIMULATIONS.name, folders[0].name),
        (RDF.name, folders[1].name),
        (PLOT.name, folders[2].name),
    ]
    assert "sync relocate" in findings[0].remedy
    assert "has another checksum" in findings[2].problem
    quick = verify(store, quick=True).findings
    assert [finding.table for finding in quick] == [SIMULATIONS.name, RDF.name]


def test_folders_that_were_moved_together_are_one_finding(store: Store, campaign: Path) -> None:
    moved = campaign.rename(campaign.parent / "moved")
    findings = verify(store).findings
    assert len(findings) == 8
    command = f"mdfactory sync relocate {campaign} NEW"
    assert {finding.remedy for finding in findings} == {f"if it was moved, {command}"}
    (merged,) = merge_missing(findings)
    assert merged.problem == f"8 simulations: there is no folder {campaign}"
    relocate(store, *command.replace("NEW", str(moved)).split()[3:])
    assert not verify(store).findings


def test_some_folders_of_a_campaign_that_were_moved_are_one_finding(
    store: Store, campaign: Path, tmp_path: Path
) -> None:
    folders = sorted(campaign.glob("[0-9A-F]*"))
    new = tmp_path / "new"
    new.mkdir()
    for folder in folders[:4]:
        folder.rename(new / folder.name)
    findings = verify(store).findings
    assert len(findings) == 4
    assert f"relocate {folders[0]} NEW" in findings[0].remedy
    (merged,) = merge_missing(findings)
    names = ", ".join(folder.name for folder in folders[:3])
    assert (
        merged.problem == f"4 simulations: there are no folders {names}, and 1 more in {campaign}"
    )
    assert merged.remedy == "if they were moved to NEW, mdfactory sync push all NEW --update"
    push(store, str(new), ConflictMode.update, ALL)
    assert not verify(store).findings


def test_a_campaign_whose_folders_were_all_moved_can_be_relocated(
    store: Store, campaign: Path
) -> None:
    moved = campaign.rename(campaign.parent / "moved")
    campaign.mkdir()
    (merged,) = merge_missing(verify(store).findings)
    assert merged.remedy == f"if they were moved to NEW, mdfactory sync relocate {campaign} NEW"
    relocate(store, str(campaign), str(moved))
    assert not verify(store).findings


def test_a_folder_that_holds_another_simulation_is_not_relocated(
    store: Store, campaign: Path
) -> None:
    """The record of what it holds now would be relocated too."""
    first, second, *_ = sorted(campaign.glob("[0-9A-F]*"))
    first.rename(campaign.parent / "moved")
    second.rename(first)
    push(store, str(first), ConflictMode.update, ALL)
    (finding,) = [found for found in verify(store).findings if "holds another" in found.problem]
    assert finding.hash == first.name
    remedy = "if it was moved to NEW, mdfactory sync push all NEW --update"
    assert finding.remedy.splitlines()[0] == remedy
    push(store, str(campaign.parent / "moved"), ConflictMode.update, ALL)
    assert not verify(store).findings


def test_few_folders_that_were_moved_are_named(store: Store, campaign: Path) -> None:
    shutil.rmtree(campaign / DONE)
    findings = verify(store).findings
    assert merge_missing(findings) == findings
    assert findings[0].problem == f"there is no folder {campaign / DONE}"


@pytest.mark.parametrize("content", [None, "simulation_type: mixedbox\nsystem: {}\n"])
def test_a_build_input_that_is_lost_or_invalid_can_be_written_back(
    store: Store, campaign: Path, content: str | None
) -> None:
    file = campaign / DONE / f"{DONE}.yaml"
    file.unlink()
    if content:
        file.write_text(content, encoding="utf-8")
    (finding,) = verify(store, quick=True).findings
    command = f"mdfactory prepare-build --from-store {DONE} {file.parent}"
    assert finding.remedy.endswith(command)
    assert finding.remedy.startswith(
        "Mend the file; or move it away, then " if content else command
    )


def test_a_result_that_was_changed_on_purpose_need_not_be_recorded_again(
    store: Store, campaign: Path
) -> None:
    results = Simulation.open(campaign / DONE).results
    results.record_analysis("rdf_oxygen", pa.table({"r": [1.0]}))
    results.record_artifact("density_plot", campaign / "campaign.csv")
    results.remove_analysis("system_chemistry")
    results.remove_artifact("last_frame_pdb")
    findings = {finding.table: finding for finding in verify(store).findings}
    clear = "if it was removed: mdfactory sync clear analysis --"
    assert {name: finding.remedy for name, finding in findings.items()} == {
        name: PUSH_UPDATE.replace("SOURCE", str(campaign / DONE))
        if table in (RDF, PLOT)
        else RECORD_AGAIN.replace("SOURCE", str(campaign / DONE))
        + f" - {clear}{table.result_type}-name {table.result_name} --hash {DONE}"
        for table in (
            RDF,
            PLOT,
            analysis_table("system_chemistry"),
            artifact_table("last_frame_pdb"),
        )
        for name in [table.name]
    }
    assert findings[RDF.name].problem.endswith("it was recorded again, or the record changed")
    push(store, str(campaign), ConflictMode.update, ALL)
    assert {finding.table for finding in verify(store).findings} == {
        "ANALYSIS_system_chemistry",
        "ARTIFACT_last_frame_pdb",
    }


def test_a_registry_that_was_cut_in_half_is_found_and_can_be_recorded_again(
    store: Store, campaign: Path
) -> None:
    results = Simulation.open(campaign / DONE).results
    registry = results.folder / "metadata.json"
    registry.write_bytes(registry.read_bytes()[:500])
    (finding,) = verify(store, quick=True).findings
    assert (finding.table, finding.hash) == (SIMULATIONS.name, DONE)
    assert str(registry) in finding.problem
    assert finding.problem.endswith(RESTORE)

    registry.rename(campaign / "metadata.json")
    for file in results.folder.glob("*.parquet"):
        results.record_analysis(file.stem, pq.read_table(file))
    for folder in (results.folder / "artifacts").iterdir():
        results.record_artifact(folder.name, *folder.iterdir())
    assert results.check() == []
    push(store, str(campaign), ConflictMode.update, ALL)
    assert verify(store).findings == []


def test_only_records_inside_the_source_are_checked(store: Store, campaign: Path) -> None:
    assert verify(store, str(campaign)).total == 89
    assert verify(store, str(campaign / DONE)).checked[SIMULATIONS.name] == 1


@pytest.mark.parametrize("source", ["nowhere", "nowhere*"])
def test_a_source_that_does_not_exist_is_an_error(
    store: Store, campaign: Path, source: str
) -> None:
    steps = []
    for since in (None, "7"):
        with pytest.raises(SourceError, match="no such folder"):
            verify(
                store,
                str(campaign.parent / source),
                since=since,
                watch=lambda *step: steps.append(step),
            )
    assert not steps  # the store was not read
    moved = campaign.rename(campaign.parent / "moved")
    assert len(verify(store, str(campaign)).findings) == len(list(moved.glob("*/*.yaml")))


def test_a_source_that_exists_but_of_which_the_store_knows_nothing_is_an_error(
    copy: Store, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceError, match="the store has no records of simulations in it"):
        verify(copy, str(tmp_path / "other"))


def test_records_are_found_by_a_link_to_their_folder(store: Store, campaign: Path) -> None:
    link = campaign.parent / "link"
    link.symlink_to(campaign)
    assert verify(store, str(link)).total == 89


@pytest.mark.parametrize("since", ["zz", "F" * 40, "A" * 41, "2026-01-01"])
def test_since_a_hash_that_is_none_or_after_the_last_is_an_error(copy: Store, since: str) -> None:
    with pytest.raises((QueryError, UsageError), match="hash prefix|--since"):
        verify(copy, since=since)


@pytest.mark.parametrize(
    ("name", "table"), [("runs.db", SIMULATIONS), ("analysis.db", OVERVIEW)], ids=str
)
def test_a_file_that_is_missing_is_found(
    copy: Store, tmp_path: Path, name: str, table: Table
) -> None:
    (tmp_path / name).unlink()
    (finding,) = verify(copy).findings
    assert (finding.table, finding.hash) == (table.name, "")
    assert "the table is missing" in finding.problem
    assert table.command in finding.remedy


def test_a_stopped_verification_can_be_continued(copy: Store) -> None:
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
