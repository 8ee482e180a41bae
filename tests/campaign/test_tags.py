"""Tags of a simulation folder: read from its YAML, kept, and no part of its identity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.prepare import prepare
from mdfactory.campaign.scan_index import Reading, ScanIndex
from mdfactory.campaign.simulation import Simulation, read_simulation
from mdfactory.errors import BuildInputError, SourceError
from mdfactory.files import list_folder

BOX: dict[str, Any] = {
    "simulation_type": "mixedbox",
    "system": {"species": [{"smiles": "O", "resname": "SOL", "count": 5}]},
}
BUILT = BuildInput.parse(BOX)


def _folder(tmp_path: Path, tags: str) -> Path:
    folder = tmp_path / BUILT.hash
    folder.mkdir()
    text = f"{yaml.safe_dump(BOX)}{tags}\n"
    (folder / f"{BUILT.hash}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("tags", [None, {}])
def test_null_and_an_empty_mapping_are_no_tags(tags: object) -> None:
    build = BuildInput.parse(BOX | {"tags": tags})
    assert (build.tags, build.input_data) == ({}, BUILT.canonical_json)


def test_tags_are_sorted_and_appended_to_the_canonical_json() -> None:
    build = BuildInput.parse(BOX | {"tags": {"b": "x", "ä": "", "a.b": '"\n'}})
    assert build.hash == BUILT.hash
    assert build.canonical_json == BUILT.canonical_json
    tags = '{"a.b":"\\"\\n","b":"x","ä":""}'
    assert build.input_data == f'{BUILT.canonical_json[:-1]},"tags":{tags}}}'
    assert BuildInput.parse(json.loads(build.input_data)).input_data == build.input_data


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ("text", "tags: is not a mapping"),
        (["a"], "tags: is not a mapping"),
        (True, "tags: is not a mapping"),
        (0, "tags: is not a mapping"),
        ({"a": 1}, r"tags\.a: is not a text"),
        ({"a": 1.5}, r"tags\.a: is not a text"),
        ({"a": True}, r"tags\.a: is not a text"),
        ({"a": None}, r"tags\.a: is not a text"),
        ({"a": {"b": "c"}}, r"tags\.a: is not a text"),
        ({"a": b"b"}, r"tags\.a: is not a text"),
        ({1: "a"}, r"tags\.1.*: is not a text"),
    ],
)
def test_tags_are_texts_by_text(tags: object, problem: str) -> None:
    with pytest.raises(BuildInputError, match=problem):
        BuildInput.parse(BOX | {"tags": tags})


def test_a_folder_has_the_tags_of_its_yaml(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "tags: {plate: '0450', lab: B 2, date: 2024-01-01}")
    simulation = Simulation.open(folder)
    assert simulation.warnings == ()
    assert simulation.hash == BUILT.hash
    assert simulation.build_input.tags == {"date": "2024-01-01", "lab": "B 2", "plate": "0450"}
    assert simulation.identity.input_data == simulation.build_input.input_data


@pytest.mark.parametrize("number", ["5", "1.5", "0450", "1:30", "1_000", "1.5e+3", ".inf", "yes"])
def test_a_number_or_boolean_is_quoted(tmp_path: Path, number: str) -> None:
    with pytest.raises(SourceError, match=r"tags\.a: .*quotes"):
        Simulation.open(_folder(tmp_path, f"tags: {{a: {number}}}"))


def test_unknown_keys_beside_the_tags_cause_a_warning(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "tags: {a: b}\nowner: me")
    (warning,) = Simulation.open(folder).warnings
    assert warning.endswith(": ignored unknown keys: owner")


def test_the_index_keeps_the_tags(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "tags: {b: '2', a: '1'}")
    read = Simulation.open(folder)
    for _ in range(2):
        with ScanIndex(tmp_path / "index.db", settled_after=0) as index:
            listing = list_folder(str(folder))
            found = read_simulation(str(folder), listing, reading=Reading(index=index))
        assert found == read
    assert read.build_input.tags == {"a": "1", "b": "2"}


def test_prepared_folders_have_the_tags_of_their_rows(tmp_path: Path) -> None:
    file = tmp_path / "tagged.csv"
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count,tags.b.c,tags.a"
    file.write_text(f"{header}\nmixedbox,O,5,1.5e3,x\nmixedbox,O,6,,\n", encoding="utf-8")
    tagged, plain = prepare(file, tmp_path / "out").created
    assert tagged.name == BUILT.hash
    values = yaml.safe_load((tagged / f"{tagged.name}.yaml").read_text(encoding="utf-8"))
    assert values["tags"] == {"a": "x", "b.c": "1.5e3"}
    assert Simulation.open(tagged).build_input.tags == values["tags"]
    assert "tags" not in (plain / f"{plain.name}.yaml").read_text(encoding="utf-8")
