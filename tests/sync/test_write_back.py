"""Write back: the BuildInput of a record becomes the file of its folder again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mdfactory import Simulation
from mdfactory.errors import OutputError, QueryError, SourceError, StoreError
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.stores.store import Store
from mdfactory.sync.push import push
from mdfactory.sync.verify.verification import verify
from mdfactory.sync.write_back import write_back
from mdfactory.testing.records import records, run

DONE = "CC4D89E0997487E23A5CA417BC302361B5440904"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = SqliteStore(tmp_path / "store.db", tmp_path / "store.db")
    store.create(SIMULATIONS)
    return store


def test_the_file_is_what_it_was_to_the_byte(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    files = sorted(campaign.glob("[0-9A-F]*/*.yaml"))
    contents = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
        assert write_back(store, file.stem.lower()).file == str(file)
    assert [file.read_bytes() for file in files] == contents
    assert not verify(store).findings


def test_the_remedy_of_verify_solves_the_problem(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    file = campaign / DONE / f"{DONE}.yaml"
    file.unlink()
    (finding,) = verify(store).findings
    command, *words = finding.remedy.split()
    assert [command, *words[:2]] == ["mdfactory", "prepare-build", "--from-store"]
    write_back(store, *words[2:])
    assert not verify(store).findings


def test_tags_units_and_names_of_adopted_simulations_come_back(
    store: Store, tmp_path: Path, data: Path
) -> None:
    folder = tmp_path / "half methanol"
    folder.mkdir()
    file = folder / "build.yaml"
    file.write_text(ADOPTED, encoding="utf-8")
    before = Simulation.open(folder)
    push(store, str(folder))
    file.unlink()
    assert write_back(store, before.hash).file == str(file)
    assert Simulation.open(folder).identity == before.identity


ADOPTED = """\
simulation_type: adopted
parametrization: external
engine: gromacs
parametrization_config: {type: external, forcefield: oplsaa}
system:
  {name: "größe 1", molecules: [{name: SOL, count: 5}], temperature: 298.15, pressure: 1.0e-05}
tags: {project: "003"}
"""


def test_another_folder_is_created(store: Store, campaign: Path, tmp_path: Path) -> None:
    push(store, str(campaign))
    out = tmp_path / "new" / "half_methanol"
    assert write_back(store, DONE, out).file == str(out / "half_methanol.yaml")
    assert Simulation.open(out).hash == DONE


def test_a_folder_that_has_its_build_input_is_left_alone(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    state = (campaign / DONE / f"{DONE}.yaml").stat()
    assert write_back(store, DONE).existed
    assert (campaign / DONE / f"{DONE}.yaml").stat() == state


@pytest.mark.parametrize("content", ["a: b\n", "", "tagged", "another"])
def test_other_content_is_refused_and_left(store: Store, campaign: Path, content: str) -> None:
    push(store, str(campaign))
    file = campaign / DONE / f"{DONE}.yaml"
    if content == "tagged":
        file.write_text(f"{file.read_text()}tags: {{project: x}}\n", encoding="utf-8")
    elif content == "another":
        shutil.copy(next(campaign.glob("0*/*.yaml")), file)
    else:
        file.write_text(content, encoding="utf-8")
    before = file.read_bytes()
    with pytest.raises(OutputError, match="move (it|its file) away"):
        write_back(store, DONE)
    assert file.read_bytes() == before


def test_a_symlink_is_not_written_through(store: Store, campaign: Path, tmp_path: Path) -> None:
    push(store, str(campaign))
    file = campaign / DONE / f"{DONE}.yaml"
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError):
        write_back(store, DONE)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("2", "--from-store 2: several simulations have a hash that begins so"),
        ("FFFF", "--from-store FFFF: no simulation in the store has a hash that begins so"),
        ("XYZ", "--from-store 'XYZ' is not a hash prefix"),
    ],
)
def test_a_prefix_must_select_one_simulation(
    store: Store, campaign: Path, prefix: str, message: str
) -> None:
    push(store, str(campaign))
    with pytest.raises(QueryError, match=message):
        write_back(store, prefix)


def test_a_moved_folder_needs_its_new_path(store: Store, campaign: Path) -> None:
    push(store, str(campaign))
    moved = campaign.rename(campaign.parent / "moved")
    with pytest.raises(SourceError, match="there is no such folder; give OUT") as failed:
        write_back(store, DONE)
    assert not campaign.exists()
    assert write_back(store, DONE, moved / DONE).existed
    *command, out = failed.value.command.split()
    assert command == ["mdfactory", "prepare-build", "--from-store", DONE]
    assert write_back(store, DONE, out).file == str(campaign / DONE / f"{DONE}.yaml")


def test_a_record_with_another_hash_is_refused(
    store: Store, campaign: Path, tmp_path: Path
) -> None:
    text = Simulation.open(campaign / DONE).identity.input_data
    for hash_, input_data in (("A" * 40, text), ("B" * 40, json.dumps({"a": 1})), ("C" * 40, "[")):
        row = run(hash_) | {"input_data": input_data}
        store.write([(SIMULATIONS, records(SIMULATIONS, row))], ConflictMode.refuse)
        with pytest.raises(StoreError, match="BuildInput"):
            write_back(store, hash_, tmp_path / "out")
    assert not (tmp_path / "out").exists()
