"""The field that colours simulations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mdfactory.records.fields import parse_field
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.tags import INPUT_COLUMN
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.report.plots.colour import Colour, choose_field, field_title, read_colour
from mdfactory.stores import store_at
from mdfactory.stores.store import Store
from mdfactory.sync.initialise import initialise
from mdfactory.sync.search import Subject
from mdfactory.testing.records import records as as_records
from mdfactory.testing.records import run as run_record

HASHES = [f"{number:040X}" for number in range(4)]


def document(*species: tuple[str, float], **others: Any) -> dict[str, Any]:
    molecules = [{"resname": name, "fraction": part, "count": 9} for name, part in species]
    return {"system": {"species": molecules, **others}}


MIXTURES = [
    document(("SOL", 1.0), seed=1, target_density=1.0),
    document(("SOL", 0.9), ("MEO", 0.1), seed=2, target_density=0.9),
    document(("SOL", 0.7), ("MEO", 0.3), seed=3, target_density=0.9),
    document(("MEO", 0.2), ("SOL", 0.8), seed=4, target_density=0.8),
]


def subjects(documents: list[dict[str, Any]]) -> Iterator[Subject]:
    for hash_, built in zip(HASHES, documents, strict=False):
        yield Subject({"hash": hash_, INPUT_COLUMN: json.dumps(built)})


@pytest.fixture
def store() -> Store:
    """A store with the mixtures."""
    made = store_at("sqlite:///mixtures")
    initialise(made, simulations=True)
    for hash_, built in zip(HASHES, MIXTURES, strict=True):
        row = run_record(hash_, input_data=json.dumps(built))
        made.write([(SIMULATIONS, as_records(SIMULATIONS, row))], ConflictMode.refuse)
    return made


def test_of_fractions_with_as_many_values_that_of_the_solute_is_chosen() -> None:
    assert choose_field(subjects(MIXTURES)) == parse_field("system.species.MEO.fraction")


def test_without_a_fraction_the_number_with_most_values_is_chosen_and_never_a_seed() -> None:
    same = [document(seed=k, a=k % 2, b=k, c=1.0, d=f"{k}") for k in range(4)]
    assert choose_field(subjects(same)) == parse_field("system.b")
    assert choose_field(subjects([document(seed=k, c=1.0) for k in range(4)])) is None
    assert choose_field(subjects([])) is None


@pytest.mark.usefixtures("_in_a_folder")
def test_a_species_that_a_simulation_lacks_counts_as_zero(store: Store) -> None:
    with store.transaction() as transaction:
        colour, compositions = read_colour(transaction, HASHES)
        given, _ = read_colour(transaction, HASHES, "species.MEO.fraction")
    assert [colour.values[hash_] for hash_ in HASHES] == [0.0, 0.1, 0.3, 0.2]
    assert [given.values[hash_] for hash_ in HASHES] == [0.0, 0.1, 0.3, 0.2]
    assert compositions[HASHES[1]] == "SOL 9 + MEO 9"
    assert colour.is_number


@pytest.fixture
def _in_a_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixtures").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_in_a_folder")
def test_plots_of_a_store_have_one_colour_unless_it_is_the_same_in_all(store: Store) -> None:
    other = document(("SOL", 0.9), ("ACN", 0.05), ("MEO", 0.1))
    for digit, text in (("4", json.dumps(other)), ("5", "{")):  # no plot has the damaged one
        row = run_record(digit * 40, input_data=text)
        store.write([(SIMULATIONS, as_records(SIMULATIONS, row))], ConflictMode.refuse)
    methanol, acetonitrile = ("system.species.MEO.fraction", "system.species.ACN.fraction")
    with store.transaction() as transaction:
        plots = [HASHES, HASHES[:2], [HASHES[0], "4" * 40], [HASHES[1], "4" * 40]]
        colours = [read_colour(transaction, hashes)[0] for hashes in plots]
    assert [colour.field for colour in colours] == [*[methanol] * 3, acetonitrile]


@pytest.mark.usefixtures("_in_a_folder")
def test_a_simulation_that_is_not_in_the_store_has_no_value(store: Store) -> None:
    with store.transaction() as transaction:
        colour, _ = read_colour(transaction, [*HASHES, "F" * 40])
    assert colour.values["F" * 40] is None


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("system.species.MEO.fraction", "MEO fraction"),
        ("system.core.species.DOPE.fraction", "core DOPE fraction"),
        ("system.target_density", "target density"),
        ("species.MEO.count", "MEO count"),
        ("status", "status"),
        ("simulation_type", "simulation type"),
        ('system.species."Na > 1".count', "Na > 1 count"),
    ],
)
def test_a_field_is_named_in_words(path: str, title: str) -> None:
    assert field_title(path) == title


def test_the_most_frequent_categories_have_a_colour_and_the_others_share_one() -> None:
    texts = [*"aabbccddeeffghij"]
    colour = Colour("tag", {str(place): text for place, text in enumerate(texts)})
    assert colour.categories == (*"abcdef", "other")
    assert Colour("tag", {"1": "b", "2": "a", "3": None}).categories == ("a", "b")
