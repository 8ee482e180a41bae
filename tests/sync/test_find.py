"""Searches by BuildInputs: substructures as RDKit finds them, comparison with the disk, checks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from rdkit import Chem

from mdfactory.campaign.collect import Scope
from mdfactory.campaign.substructure import substructure_matcher
from mdfactory.errors import QueryError, StoreError
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.store import Store
from mdfactory.sync.find import find, matching_hashes
from mdfactory.sync.frames import pull_frames
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.sync.search import parse_search
from mdfactory.sync.status import State, status
from mdfactory.sync.verify.verification import verify
from mdfactory.testing import MemoryStore
from mdfactory.testing.raw import write_records
from mdfactory.testing.records import overview, run

ALL = Scope(simulations=True, results=list(ResultType))
RICH = ["24BD07FDFF267DCC30C3B24D924351B4BE4D4E84", "2071DE6353CF75B3049856E059488D3CE307F956"]
DONE = "FD017140D9BF9DC3E566983C44C59E634D032C4D"
FRAGMENTS = [
    *("C(=O)O", "CC=CC", "C[C@H](O)CO", "smarts:[NX3;H0]", "smarts:[OX2H]"),
    "smarts:[#6]1~[#6]~[#6]~[#6]~[#6]~[#6]1",
]


@pytest.fixture
def pushed(campaign: Path) -> Store:
    store = MemoryStore()
    initialise(store, simulations=True, results=list(ResultType))
    push(store, str(campaign), scope=ALL)
    return store


def test_substructures_are_those_of_rdkit(data: Path) -> None:
    lipids = json.loads((data / "lipid_annotations.json").read_text(encoding="utf-8"))
    smiles = sorted({lipid["smiles"] for lipid in lipids})
    assert len(smiles) > 20
    contains = substructure_matcher(FRAGMENTS)
    patterns = [
        Chem.MolFromSmarts(text.removeprefix("smarts:"))
        if text.startswith("smarts:")
        else Chem.MolFromSmiles(text)
        for text in FRAGMENTS
    ]
    answers = {text: contains(text) for text in smiles}
    for text in smiles:
        molecule = Chem.MolFromSmiles(text)
        assert answers[text] == tuple(map(molecule.HasSubstructMatch, patterns)), text
    for column in zip(*answers.values(), strict=True):
        assert any(column)
    assert not all(map(all, answers.values()))


@pytest.mark.parametrize(
    "text", ["smarts:", "C(", "CO CC", "smarts:[", "smarts:C C", "C" * 6_000, "Grüße"]
)
def test_a_fragment_that_rdkit_cannot_read_is_an_error(text: str) -> None:
    with pytest.raises(QueryError, match="--contains .* RDKit cannot read this SM"):
        parse_search(contains=[text])


def test_a_smiles_of_others_that_rdkit_cannot_read_contains_nothing() -> None:
    assert substructure_matcher(["C", "O"])("C(((") == (False, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tag": ["=x"]}, "--tag '=x': expected KEY=VALUE or KEY"),
        ({"fields": ["a..b"]}, "--field 'a..b', character 3: expected a name"),
        ({"where": ["a >"]}, "--where 'a >', character 4"),
    ],
)
def test_a_search_that_cannot_be_read_is_an_error(
    arguments: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(QueryError) as caught:
        parse_search(**arguments)
    assert message in str(caught.value)


def test_a_single_text_is_one_condition() -> None:
    assert parse_search(where="a > 1") == parse_search(where=["a > 1"])  # type: ignore[arg-type]
    assert not parse_search()


@pytest.mark.parametrize("name", ["where", "contains", "tag", "fields"])
@pytest.mark.parametrize(("value", "reason"), [("", "is empty"), (" ", "is empty"), (3, "a text")])
def test_what_is_empty_or_no_text_selects_nothing(name: str, value: object, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        parse_search(**{name: [value]})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("species.MEO > 0.3", "species.MEO.fraction or species.MEO.count"),
        ("system.species.MEO > 1", "system.species.MEO.fraction or system.species.MEO.count"),
        ("system.species.MEO = CO", "system.species.MEO.smiles"),
        (
            "system.ionization > 1",
            "system.ionization.concentration or system.ionization.min_distance",
        ),
    ],
)
def test_a_condition_on_a_group_names_the_fields_in_it(
    pushed: Store, text: str, fields: str
) -> None:
    message = f"is a section of several fields, which cannot be compared; write {fields}$"
    with pushed.transaction() as transaction, pytest.raises(QueryError, match=message):
        list(matching_hashes(transaction, parse_search(where=[text])))


def test_status_compares_the_simulations_that_a_search_finds(pushed: Store, campaign: Path) -> None:
    shutil.rmtree(campaign / RICH[0])
    rich = parse_search(where=["system.species.MEO.fraction > 0.5"])
    compared = status(pushed, str(campaign), search=rich)
    assert {row.hash: row.state for row in compared.differences} == {RICH[0]: State.gone}
    assert compared.counts["systems"][State.unchanged] == 1
    poor = status(pushed, str(campaign), search=parse_search(where=["species.MEO.fraction < 0.5"]))
    assert poor.in_step
    assert poor.counts["systems"][State.unchanged] == 5


def test_status_judges_folders_that_were_not_pushed_by_their_build_inputs(campaign: Path) -> None:
    store = MemoryStore()
    initialise(store, simulations=True, results=list(ResultType))
    rich = parse_search(where=["system.species.MEO.fraction > 0.5"])
    for _ in range(2):  # the second time from the index of scans
        compared = status(store, str(campaign), search=rich)
        assert {row.hash for row in compared.differences} == {*RICH}
        assert compared.counts["systems"][State.new] == 2
    push(store, str(campaign / RICH[0]), scope=ALL)
    compared = status(store, str(campaign), search=rich)
    assert [row.hash for row in compared.differences] == [RICH[1]]
    with pytest.raises(QueryError, match="no simulation has a field"):
        status(store, str(campaign), search=parse_search(where=["system.species.ETO.count > 1"]))


def test_status_counts_results_without_a_simulation(pushed: Store, campaign: Path) -> None:
    pushed.delete(SIMULATIONS, (OneOf("hash", (DONE,)),))
    shutil.rmtree(campaign / DONE)
    notes: list[str] = []
    search = parse_search(where=["status = completed"])
    assert status(pushed, str(campaign), search=search, note=notes.append).in_step
    assert notes == ["7 records left out, whose simulation is not in the store"]


def test_verify_checks_the_simulations_that_a_search_finds(pushed: Store, campaign: Path) -> None:
    for folder in campaign.iterdir():
        if folder.is_dir() and folder.name not in RICH:
            shutil.rmtree(folder)
    rich = parse_search(where=["system.species.MEO.fraction > 0.5"])
    verified = verify(pushed, search=rich)
    assert (verified.findings, verified.checked[SIMULATIONS.name]) == ([], 2)
    with pytest.raises(QueryError, match="no simulation meets the conditions"):
        verify(pushed, search=parse_search(tag=["project"]))


def test_verify_counts_results_without_a_simulation(pushed: Store) -> None:
    write_records(pushed, OVERVIEW, overview("F1", "density"), overview("F2", "density"))
    notes: list[str] = []
    verify(pushed, search=parse_search(where=["status = build"]), note=notes.append)
    assert notes == ["results of 2 simulations left out, whose own record is not in the store"]


def test_frames_come_with_fields_in_the_order_of_a_field(pushed: Store) -> None:
    fields = ["species.MEO.count", "composition", "status"]
    search = parse_search(where=["species.MEO.count > 50"], fields=fields)
    with pull_frames(
        pushed, "density_timeseries", search=search, sort="-species.MEO.count"
    ) as frames:
        rows = [row for part in frames.batches_with_fields() for row in part.to_pylist()]
        names = frames.schema_with_fields.names
    assert names == ["hash", "time_ps", "density_g_cm3", *fields]
    counts = [row["species.MEO.count"] for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert {*counts} == {225, 90, 135}
    assert {row["composition"] for row in rows if row["species.MEO.count"] == 90} == {
        "SOL 360 + MEO 90"
    }


def test_a_field_that_clashes_with_a_column_of_a_frame_is_numbered(pushed: Store) -> None:
    store_rows = [row for rows in pushed.read(SIMULATIONS) for row in rows.to_pylist()]
    inputs = [
        row | {"input_data": json.dumps(json.loads(row["input_data"]) | {"time_ps": 3})}
        for row in store_rows
    ]
    pushed.delete(SIMULATIONS)
    write_records(pushed, SIMULATIONS, *inputs)
    with pull_frames(
        pushed, "density_timeseries", search=parse_search(fields=["time_ps"])
    ) as frames:
        (row, *_) = next(frames.batches_with_fields()).to_pylist()
    assert list(row) == ["hash", "time_ps", "density_g_cm3", "time_ps_1"]
    assert row["time_ps_1"] == 3


@pytest.mark.parametrize("text", ["?", "[1]", '{"a":' * 3000 + "1" + "}" * 3000])
def test_a_build_input_of_others_that_cannot_be_read_is_named(text: str) -> None:
    store = MemoryStore()
    initialise(store, simulations=True)
    write_records(store, SIMULATIONS, run("A1", input_data=text))
    with store.transaction() as transaction, pytest.raises(StoreError, match="input_data of A1"):
        list(matching_hashes(transaction, parse_search(where=["system.x = 1"])))


def test_columns_alone_need_no_build_input() -> None:
    store = MemoryStore()
    initialise(store, simulations=True)
    write_records(store, SIMULATIONS, run("A1", input_data="?"), run("A2", status="completed"))
    with store.transaction() as transaction:
        search = parse_search(where=["status = build"])
        assert list(matching_hashes(transaction, search)) == ["A1"]


def test_values_of_newer_types_are_shown_as_text_where_they_are_mixed() -> None:
    store = MemoryStore()
    initialise(store, simulations=True)
    values = [3, "x", 2.5, True, None, [1, 2], 2**70]
    write_records(
        store,
        SIMULATIONS,
        *(
            run(f"A{index}", input_data=json.dumps({"newer": {"a": value}}))
            for index, value in enumerate(values)
        ),
    )
    query = Query(columns=("hash",))
    with store.transaction() as transaction:
        found = find(transaction, SIMULATIONS, query, parse_search(fields=["newer"]))
        cells = {row["hash"]: row["newer.a"] for rows in found.batches for row in rows.to_pylist()}
    assert [cells[f"A{index}"] for index in range(7)] == [
        *("3", "x", "2.5", "true", None, "[1,2]", str(2**70))
    ]


def test_a_push_after_a_search_writes_all(pushed: Store, campaign: Path) -> None:
    """The selection of a search belongs to one comparison."""
    shutil.rmtree(campaign / RICH[0])
    status(pushed, str(campaign), search=parse_search(where=["species.MEO.fraction > 0.5"]))
    pushed.delete(SIMULATIONS)
    push(pushed, str(campaign), scope=ALL, mode=ConflictMode.update)
    assert pushed.count(SIMULATIONS) == 7
