"""Tags: from the YAML of a folder into a store, and what changes them there and what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mdfactory.campaign.build_input import BuildInput
from mdfactory.errors import ConflictError
from mdfactory.records.merge import Counts
from mdfactory.records.query import Query
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.csv.store import CsvStore
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.stores.store import Store
from mdfactory.sync.clear import clear, select
from mdfactory.sync.copy import copy
from mdfactory.sync.export import export
from mdfactory.sync.initialise import initialise
from mdfactory.sync.log import history
from mdfactory.sync.pull import open_pull
from mdfactory.sync.push import push
from mdfactory.sync.relocate import relocate
from mdfactory.sync.status import status
from mdfactory.sync.undo import undo
from mdfactory.sync.verify.verification import verify
from mdfactory.testing.records import records, run

WATER = {"smiles": "O", "resname": "SOL", "count": 5}
BOX = {"simulation_type": "mixedbox", "system": {"species": [WATER]}}
BUILT = BuildInput.parse(BOX)


def _write(folder: Path, **tags: str) -> Path:
    """Write the YAML of the simulation with these tags, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    values = BOX | ({"tags": tags} if tags else {})
    (folder / "build.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return folder


def _text(tags: str) -> str:
    return f'{BUILT.canonical_json[:-1]},"tags":{tags}}}'


def _inputs(store: Store) -> list[str]:
    with store.transaction() as transaction:
        columns = Query(columns=("input_data",))
        return [text for (text,) in transaction.values(SIMULATIONS, columns)]


def _pushed(store: Store, folder: Path, mode: ConflictMode = ConflictMode.update) -> Counts:
    return push(store, str(folder), mode).counts


@pytest.fixture(params=["sqlite", "csv"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Store]:
    """Make an initialised store of a given name."""

    def opened(name: str) -> Store:
        folder = tmp_path / name
        folder.mkdir()
        store: Store = SqliteStore(folder / "runs.db", folder / "analysis.db")
        if request.param == "csv":
            store = CsvStore(folder / "runs.csv", folder / "analysis")
        initialise(store, simulations=True)
        return store

    return opened


@pytest.fixture
def store(open_store: Callable[[str], Store]) -> Store:
    return open_store("store")


def test_tags_are_stored_in_order_and_are_no_part_of_the_hash(store: Store, tmp_path: Path) -> None:
    folder = _write(tmp_path / BUILT.hash, project="x", lab="B 2, Größe")
    assert _pushed(store, folder, ConflictMode.refuse) == Counts(inserted=1)
    assert _inputs(store) == [_text('{"lab":"B 2, Größe","project":"x"}')]
    verified = verify(store)
    assert (verified.findings, verified.notes, verified.total) == ([], [], 1)


def test_tags_in_another_order_are_unchanged(store: Store, tmp_path: Path) -> None:
    folder = _write(tmp_path / "run", a="1", b="2")
    _pushed(store, folder)
    _write(folder, b="2", a="1")
    assert status(store, str(folder)).in_step
    assert _pushed(store, folder) == Counts(unchanged=1)


def test_other_tags_are_a_change_of_the_record(store: Store, tmp_path: Path) -> None:
    folder = _write(tmp_path / "run", a="1")
    _pushed(store, folder)
    for mode, tags, text in (
        (ConflictMode.update, {"a": "2"}, '{"a":"2"}'),
        (ConflictMode.force, {"a": "2", "b": ""}, '{"a":"2","b":""}'),
    ):
        _write(folder, **tags)
        (difference,) = status(store, str(folder)).differences
        assert (difference.hash, difference.what) == (BUILT.hash, ("tags",))
        with pytest.raises(ConflictError):
            _pushed(store, folder, ConflictMode.refuse)
        assert _pushed(store, folder, ConflictMode.skip) == Counts(skipped=1)
        assert _pushed(store, folder, mode) == Counts(updated=1)
        assert _inputs(store) == [_text(text)]
    _write(folder)
    assert _pushed(store, folder) == Counts(updated=1)
    assert _inputs(store) == [BUILT.canonical_json]


FOREIGN = ["null", "{}", '{"b":"2","a":"1"}']


@pytest.mark.parametrize("tags", FOREIGN)
def test_tags_that_another_program_wrote_are_left_as_they_are(
    store: Store, tmp_path: Path, tags: str
) -> None:
    folder = _write(tmp_path / "run", **(json.loads(tags) or {}))
    _put_foreign(store, folder, _text(tags))
    assert status(store, str(folder)).in_step
    assert _pushed(store, folder) == Counts(unchanged=1)
    assert _inputs(store) == [_text(tags)]
    verified = verify(store)
    assert (verified.findings, verified.notes, verified.unverifiable) == ([], [], 1)


@pytest.mark.parametrize("tags", ['["a"]', '{"a":1}', '{"a":null}', '"a"'])
def test_invalid_tags_of_another_program_are_found(store: Store, tmp_path: Path, tags: str) -> None:
    _put_foreign(store, _write(tmp_path / "run"), _text(tags))
    (finding,) = verify(store).findings
    assert "its input_data" in finding.problem
    assert ": tags" in finding.problem


def test_a_hash_that_includes_the_tags_is_wrong(store: Store, tmp_path: Path) -> None:
    row = run("A" * 40, input_data=_text('{"a":"1"}'), directory=str(_write(tmp_path / "run")))
    with store.transaction(write=True) as transaction:
        transaction.backend.put(SIMULATIONS, records(SIMULATIONS, row))
    problems = [finding.problem for finding in verify(store).findings]
    assert any("its hash is not that of its input_data" in problem for problem in problems)


def _put_foreign(store: Store, folder: Path, input_data: str) -> None:
    row = run(BUILT.hash, parametrization="cgenff", input_data=input_data, directory=str(folder))
    with store.transaction(write=True) as transaction:
        transaction.backend.put(SIMULATIONS, records(SIMULATIONS, row))


@pytest.mark.parametrize("tags", [*FOREIGN, '{"a":"1","b":"2"}'])
def test_tags_survive_every_other_operation(
    open_store: Callable[[str], Store], store: Store, tmp_path: Path, tags: str
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    folder = _write(old / "run", **(json.loads(tags) or {}))
    _put_foreign(store, folder, _text(tags))
    target = open_store("target")
    assert copy(store, target).identical
    assert copy(store, target, ConflictMode.update).identical
    old.rename(new)
    relocate(target, str(old), str(new))
    assert status(target, str(new)).in_step
    assert verify(target).findings == []
    file = tmp_path / "pulled.jsonl"
    with open_pull(target, SIMULATIONS) as found:
        export(found.batches, found.schema, file)
    assert json.loads(file.read_text(encoding="utf-8"))["input_data"] == _text(tags)
    clear(target, select(target, simulations=True))
    assert _inputs(target) == []
    cleared, relocated, *_ = (operation.number for operation in history(target))
    for number in (cleared, relocated):
        undo(target, number)
        assert _inputs(target) == [_text(tags)]
