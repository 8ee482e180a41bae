"""Fields of BuildInputs as columns: the values are those that a search finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdfactory.records.fields import LACKING, as_cell, parse_field, values_of
from mdfactory.report.campaign.fields import FieldCollector, FieldColumn, default_colour
from mdfactory.report.campaign.molecule_lists import FieldReader
from mdfactory.report.campaign.species import molecule_lists, molecules_of
from mdfactory.report.payload import clean, to_json
from mdfactory.report.plots.colour import choose_field
from mdfactory.sync.search import Subject

SPECIES = st.sampled_from(["SOL", "MEO", "ACN"])
COUNTS = st.sampled_from([1, 3, 10, 40])


def _mixture(**counts: int) -> dict[str, Any]:
    total = sum(counts.values())
    species = [
        {"fraction": count / total, "count": count, "resname": name, "smiles": name.lower()}
        for name, count in counts.items()
    ]
    return {"simulation_type": "mixedbox", "system": {"species": species, "total_count": total}}


def _collector(*documents: dict[str, Any]) -> FieldCollector:
    collector = FieldCollector(clean)
    for document in documents:
        collector.add(str(document.get("simulation_type")), document)
    return collector


def _collected(*documents: dict[str, Any]) -> tuple[dict[str, FieldColumn], dict[str, Any]]:
    columns, same = _collector(*documents).columns()
    return {column.path: column for column in columns}, dict(same)


def _reader(*documents: dict[str, Any]) -> FieldReader:
    """Return a reader of the fields, as they stand in the page."""
    collector = _collector(*documents)
    columns, same = collector.columns()
    data = {"columns": {one.path: one.column for one in columns}, "same": same}
    shown = json.loads(to_json({**data, "molecules": collector.molecules.to_json()}))
    return FieldReader(len(documents), **shown)


def test_an_absent_species_has_no_molecules_where_there_is_such_a_list() -> None:
    bilayer = {"simulation_type": "lnp", "system": {"core": {"species": []}}}
    reader = _reader(_mixture(SOL=9, MEO=1), _mixture(SOL=10), bilayer)
    assert reader.values("system.species.MEO.fraction") == [0.1, 0, None]
    assert reader.values("system.species.MEO.count") == [1, 0, None]
    assert reader.values("system.species.MEO.smiles") == ["meo", None, None]


def test_a_species_with_a_null_count_has_none() -> None:
    first = {"system": {"species": [{"resname": "SOL", "count": None, "concentration": 5.0}]}}
    second = {"system": {"species": [{"resname": "SOL", "count": 3}]}}
    reader = _reader(first, second, {"system": {"species": []}})
    assert reader.values("system.species.SOL.count") == [None, 3, 0]
    assert reader.values("system.species.SOL.concentration") == [5.0, None, 0]


def test_the_values_of_a_molecule_stand_where_it_is() -> None:
    columns, _ = _collected(_mixture(SOL=9, MEO=1), _mixture(SOL=10), _mixture(SOL=8, MEO=2))
    assert columns["system.species.MEO.count"].column == {
        "molecule": 1,
        "absent": 0,
        "derived": False,
        "values": [1, 2],
    }


def test_what_other_fields_tell_is_not_written_again() -> None:
    documents = [_mixture(SOL=9, MEO=1), _mixture(SOL=8, MEO=2), _mixture(SOL=4)]
    rounded = _mixture(SOL=2, MEO=1)
    rounded["system"]["species"][1]["fraction"] = 0.33
    columns, _ = _collected(*documents, rounded)
    fraction = columns["system.species.MEO.fraction"]
    assert fraction.column["values"] == [True, True, 0.33]
    assert fraction.distinct == 4
    smiles = columns["system.species.MEO.smiles"].column
    assert smiles["values"] == {"rest": True, "steps": [], "values": []}
    reader = _reader(*documents, rounded)
    assert reader.values("system.species.MEO.fraction") == [0.1, 0.2, 0, 0.33]
    assert reader.values("system.species.SOL.fraction") == [0.9, 0.8, 1, 2 / 3]
    assert reader.values("system.species.MEO.smiles") == ["meo", "meo", None, "meo"]


def test_an_object_with_the_name_of_a_molecule_is_no_molecule() -> None:
    other = {"system": {"species": {"SOL": {"count": 7}}}}
    assert _reader(_mixture(SOL=9), other).values("system.species.SOL.count") == [9, 7]
    assert _reader(other, _mixture(SOL=9)).values("system.species.SOL.count") == [7, 9]


def test_fields_that_vary_come_first_and_fractions_first_of_all() -> None:
    first, second = _mixture(SOL=9, MEO=1), _mixture(SOL=10, ACN=10)
    first["engine"], second["engine"] = "gromacs", "gromacs"
    columns, same = _collected(first, second)
    assert [path for path, column in columns.items() if column.varies][:3] == [
        "system.species.SOL.fraction",
        "system.species.MEO.fraction",
        "system.species.ACN.fraction",
    ]
    assert not columns["system.species.MEO.smiles"].varies
    assert same == {
        "simulation_type": "mixedbox",
        "system.species.SOL.smiles": "sol",
        "engine": "gromacs",
    }


def test_a_field_that_only_some_simulations_of_a_type_have_varies() -> None:
    first, second = _mixture(SOL=1), _mixture(SOL=1)
    second["system"]["ionization"] = {"concentration": 0.15}
    columns, _ = _collected(first, second)
    assert columns["system.ionization.concentration"].varies
    other = {"simulation_type": "lnp", "system": {"radius": 5.0}}
    columns, _ = _collected(first, first, other)
    assert not columns["system.radius"].varies


def test_the_default_colour_is_the_solute_and_no_seed() -> None:
    documents = [_mixture(SOL=100 - count, MEO=count) for count in (10, 20, 30)]
    for seed, document in enumerate(documents):
        document["system"]["ionization"] = {"seed": seed}
    columns, _ = _collected(*documents, documents[0])
    assert default_colour([*columns.values()]) == "system.species.MEO.fraction"
    columns, _ = _collected(documents[0], documents[0])
    assert default_colour([*columns.values()]) is None


@settings(deadline=None)
@given(st.lists(st.dictionaries(SPECIES, COUNTS, min_size=1), min_size=1, max_size=8))
def test_the_default_colour_is_that_of_a_plot(mixtures: list[dict[str, int]]) -> None:
    documents = [_mixture(**counts) for counts in mixtures]
    columns, _ = _collected(*documents)
    subjects = (Subject({"hash": "", "input_data": json.dumps(one)}) for one in documents)
    chosen, default = choose_field(subjects), default_colour([*columns.values()])
    if chosen is None or default is None:
        assert chosen is default is None
        return
    first, second = columns[chosen.text], columns[default]
    assert (first.is_fraction, first.distinct) == (second.is_fraction, second.distinct)
    assert first.mean == pytest.approx(second.mean)  # means are rounded


def test_values_of_several_kinds_are_texts() -> None:
    documents = [{"x": value, "y": 2**60 + value} for value in (True, 1)]
    columns, _ = _collected(*documents, {"x": "a", "y": 0})
    assert columns["x"].column == ["true", "1", "a"]
    assert columns["y"].kind == "text", "the page would round it"


def test_numbers_that_json_lacks_are_texts() -> None:
    columns, _ = _collected({"x": float("nan")}, {"x": float("inf")}, {"x": 1.5})
    assert columns["x"].column == ["NaN", "Infinity", "1.5"]


def test_a_number_of_thousands_of_digits_is_named() -> None:
    columns, _ = _collected({"x": 10**5000}, {"x": 1})
    assert columns["x"].column == ["a number of too many digits", "1"]


def test_a_field_that_is_asked_for_may_be_short() -> None:
    collector = FieldCollector(clean, parse_field("species.MEO.count"))
    for document in (_mixture(SOL=9, MEO=1), _mixture(SOL=1)):
        collector.add("mixedbox", document)
    columns, _ = collector.columns()
    assert {one.path: one for one in columns}["species.MEO.count"].column == [1, 0]


def test_molecules_have_the_paths_of_their_fields() -> None:
    document = {"system": {"core": {"species": [{"resname": "TRI", "smiles": "CO", "count": 1}]}}}
    [(_, paths, molecules)] = molecule_lists(document)
    assert molecules_of(paths, molecules) == [("system.core.species.TRI", "TRI", "CO")]
    reader = _reader(document, {"system": {"core": {"species": []}}})
    assert reader.values("system.core.species.TRI.count") == [1, 0]


NAMES = st.sampled_from(["SOL", "MEO", "a.b", "Na > 1", 'say "x"', ""])
NUMBERS = st.one_of(st.none(), st.integers(0, 3), st.sampled_from([0.25, 0.5]))
MOLECULES = st.fixed_dictionaries(
    {"resname": NAMES},
    optional={"count": NUMBERS, "fraction": NUMBERS, "smiles": st.sampled_from(["O", "CO"])},
)
DOCUMENTS = st.fixed_dictionaries(
    {"simulation_type": st.sampled_from(["mixedbox", "lnp"])},
    optional={
        "system": st.fixed_dictionaries(
            {},
            optional={
                "species": st.lists(MOLECULES, max_size=3, unique_by=lambda one: one["resname"]),
                "core": st.fixed_dictionaries({"species": st.lists(MOLECULES, max_size=2)}),
                "seed": NUMBERS,
                "flag": st.booleans(),
                "chains": st.lists(st.sampled_from(["A", "B"]), max_size=2),
            },
        )
    },
)


@settings(deadline=None)
@given(st.lists(DOCUMENTS, min_size=1, max_size=6))
def test_the_values_are_those_that_a_search_finds(documents: list[dict[str, Any]]) -> None:
    columns, same = _collected(*documents)
    reader = _reader(*documents)
    shown = {path: reader.values(path) for path in (*columns, *same)}
    for path, values in shown.items():
        kind = columns[path].kind if path in columns else ""
        for document, value in zip(documents, values, strict=True):
            found = values_of(document, parse_field(path))
            expected = 0 if found and found[0] is LACKING else as_cell(found)
            if kind == "text" and isinstance(expected, int | float):
                continue  # of several kinds: a text
            assert value == expected or (found and found[0] is LACKING and value is None), path
