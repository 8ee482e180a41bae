"""Conditions on fields of BuildInputs: their parser, their evaluation, and their errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mdfactory.errors import QueryError
from mdfactory.records.fields import (
    LACKING,
    as_cell,
    composition,
    flatten,
    parse_field,
    smiles_of,
    values_of,
)
from mdfactory.records.where import kind_of, parse_comparison

SOL = {"fraction": 0.9, "count": 405, "resname": "SOL", "smiles": "O"}
MEO = {"fraction": 0.1, "count": 45, "resname": "MEO", "smiles": "CO"}

MIXED: dict[str, Any] = {
    "simulation_type": "mixedbox",
    "system": {
        "species": [SOL, MEO],
        "total_count": 450,
        "target_density": 0.98,
        "ionization": {"neutralize": True, "seed": None},
    },
    "parametrization_config": {"forcefield": "openff-2.2.0.offxml"},
    "tags": {"project": "x", "a.b": "true", "batch": "3"},
}
BILAYER: dict[str, Any] = {
    "simulation_type": "bilayer",
    "system": {
        "species": [
            {"resname": "CHL", "count": 20, "fraction": 0.2, "smiles": "C1"},
            {"resname": "POP", "count": 30, "fraction": 0.3, "smiles": "P1"},
            {"resname": "POP", "count": 50, "fraction": 0.5, "smiles": "P2"},
        ],
        "monolayer": False,
        "ionization": None,
    },
}
PARTICLE: dict[str, Any] = {
    "simulation_type": "lnp",
    "system": {
        "core": {"species": [{"resname": "TRI", "count": 0, "fraction": 1.0}]},
        "shell": {
            "species": [
                {"resname": "POP", "count": 7, "fraction": 0.7},
                {"resname": "TRI", "count": 3, "fraction": 0.25},
            ]
        },
    },
}
PROTEIN: dict[str, Any] = {
    "simulation_type": "proteinbox",
    "system": {"protein": {"resname": "PRO", "count": 1, "chains": []}, "padding": 10.0},
}
SOLUTION: dict[str, Any] = {
    "simulation_type": "protein_mixedbox",
    "system": {
        "protein": {"resname": "PRO", "count": 1, "chains": []},
        "species": [
            {"resname": "SOL", "count": None, "concentration": 55.0},
            {"resname": "NA", "count": 4, "concentration": None},
        ],
    },
}
ADOPTED: dict[str, Any] = {
    "simulation_type": "adopted",
    "system": {
        "name": "T298/rep2",
        "molecules": [
            {"name": "Eth 1.5 > x", "count": 14},
            {"name": "SOL", "count": 500},
            {"name": "a.b'", "count": 2},
        ],
        "temperature": 298.0,
        "pressure": None,
    },
}
EMPTY: dict[str, Any] = {"simulation_type": "protein_mixedbox", "system": {"species": []}}

CONDITIONS: list[tuple[str, dict[str, Any], bool]] = [
    # numbers
    ("system.total_count = 450", MIXED, True),
    ("system.total_count=450.0", MIXED, True),
    ("system.total_count = 4.5e2", MIXED, True),
    ("system.total_count != 450", MIXED, False),
    ("system.total_count < 1000", MIXED, True),
    ("system.total_count <= 450", MIXED, True),
    ("system.total_count>=451", MIXED, False),
    ("system.total_count > -1", MIXED, True),
    ("system.target_density > .97", MIXED, True),
    ("system.target_density ~ 9", MIXED, False),
    # species
    ("system.species.MEO.fraction > 0.05", MIXED, True),
    ("system.species.meo.fraction = 0.1", MIXED, True),
    ("species.MEO.count = 45", MIXED, True),
    ("system.species.MEO.smiles = CO", MIXED, True),
    ("system.species.XYZ.fraction = 0", MIXED, True),
    ("system.species.XYZ.count < 1", MIXED, True),
    ("system.species.XYZ.concentration = 0", MIXED, True),
    ("system.species.XYZ.count != 0", MIXED, False),
    ("system.species.XYZ.smiles = O", MIXED, False),
    ("system.species.XYZ.smiles != O", MIXED, True),
    ("system.species.MEO.concentration = 0", MIXED, False),
    ("system.molecules.MEO.count = 0", MIXED, False),
    ("system.core.species.MEO.count = 0", MIXED, False),
    ("system.species.X.count = 0", PROTEIN, False),
    ("species.X.count = 0", PROTEIN, False),
    ("species.X.count != 0", PROTEIN, True),
    ("species.X.count = 0", EMPTY, True),
    ("system.species.X.count = 0", EMPTY, True),
    # a null count is absent, and no 0
    ("species.SOL.count = 0", SOLUTION, False),
    ("species.SOL.count < 1", SOLUTION, False),
    ("species.SOL.count != 1", SOLUTION, True),
    ("species.SOL.count = null", SOLUTION, True),
    ("system.species.SOL.concentration > 50", SOLUTION, True),
    ("species.CL.concentration = 0", SOLUTION, True),
    # a residue name that comes twice
    ("system.species.POP.count = 80", BILAYER, True),
    ("species.POP.fraction = 0.8", BILAYER, True),
    ("species.POP.smiles = P2", BILAYER, True),
    ("species.POP.smiles != P2", BILAYER, False),
    # nanoparticles
    ("system.core.species.TRI.count = 0", PARTICLE, True),
    ("system.shell.species.POP.count > 5", PARTICLE, True),
    ("system.shell.species.XYZ.count = 0", PARTICLE, True),
    ("species.POP.count = 7", PARTICLE, True),
    ("species.TRI.count = 3", PARTICLE, True),
    ("system.species.POP.count = 7", PARTICLE, False),
    # adopted simulations, and names of any kind
    ("system.molecules.SOL.count = 500", ADOPTED, True),
    ("species.SOL.count >= 500", ADOPTED, True),
    ("system.molecules.sol.count = 0", ADOPTED, True),
    ('system.molecules."Eth 1.5 > x".count = 14', ADOPTED, True),
    ("species.'Eth 1.5 > x'.count=14", ADOPTED, True),
    ('system.molecules."a.b\'".count = 2', ADOPTED, True),
    ("system.temperature = 298", ADOPTED, True),
    ("system.pressure = null", ADOPTED, True),
    ("system.pressure != null", ADOPTED, False),
    ("system.pressure != 1", ADOPTED, True),
    ("system.pressure < 1", ADOPTED, False),
    ("system.name ~ REP2", ADOPTED, True),
    ("system.name ~ 298", ADOPTED, True),
    ("system.name = T298/rep2", ADOPTED, True),
    ("system.name = 'T298/rep2'", ADOPTED, True),
    # texts
    ("parametrization_config.forcefield ~ openFF", MIXED, True),
    ("parametrization_config.forcefield = openFF-2.2.0.offxml", MIXED, False),
    ("simulation_type < n", MIXED, True),
    ("simulation_type > Z", MIXED, True),
    ("tags.project = x", MIXED, True),
    ("tags.a.b = 'true'", MIXED, True),
    ('tags.batch = "3"', MIXED, True),
    ("tags.batch ~ 3", MIXED, True),
    ("tags.batch = ''", MIXED, False),
    ("composition ~ meo", MIXED, True),
    # words
    ("system.monolayer = false", BILAYER, True),
    ("system.monolayer != true", BILAYER, True),
    ("system.ionization.neutralize = true", MIXED, True),
    ("system.ionization = null", BILAYER, True),
    ("system.ionization = null", MIXED, False),
    ("system.ionization.seed = null", MIXED, True),
    # absent fields meet nothing but !=
    ("system.none = 1", MIXED, False),
    ("system.none < 1", MIXED, False),
    ("system.none ~ 1", MIXED, False),
    ("system.none = null", MIXED, False),
    ("system.none != 1", MIXED, True),
    ("system.none != null", MIXED, True),
]


@pytest.mark.parametrize(("text", "document", "is_met"), CONDITIONS)
def test_a_condition_is_met_or_not(text: str, document: dict[str, Any], *, is_met: bool) -> None:
    comparison = parse_comparison(text)
    assert comparison.is_met(values_of(document, comparison.field)) is is_met


@pytest.mark.parametrize("kind", ["=", "!=", "<", "<=", ">", ">="])
def test_numbers_compare_as_numbers(kind: str) -> None:
    numbers = [-1, 0, 9, 10, 10.5, 2**53 + 1, 1e300]
    expected = {"=": "==", **{name: name for name in ("!=", "<", "<=", ">", ">=")}}[kind]
    for left in numbers:
        for right in numbers:
            comparison = parse_comparison(f"x {kind} {right!r}")
            assert comparison.is_met([left]) is eval(f"{left!r} {expected} {right!r}")  # noqa: S307


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 1, "expected one of"),
        ("system.total_count", 19, "expected one of = != < <= > >= ~"),
        ("system.total_count ! 3", 20, "expected one of"),
        ("> 3", 1, "expected a name"),
        ("system..x > 3", 8, "expected a name"),
        ("system. > 3", 8, "expected a name"),
        ('a."b > 3', 3, "expected a closing quote"),
        ('a."b"c > 3', 6, "expected a dot"),
        ("  a.'b' 'c' = 1", 8, "expected a dot"),
        ("a >", 4, "expected a value"),
        ("a >   ", 7, "expected a value"),
        ("a == 3", 4, "expected a value, not =;"),
        ("a >> 3", 4, "expected a value, not >;"),
        ("a = 'b", 7, "expected a closing quote"),
        ("a = 'b' c", 8, "expected the end"),
        ("a < true", 3, "true, false and null are compared with = and != only"),
        ("a >= null", 3, "true, false and null are compared with = and != only"),
    ],
)
def test_an_error_says_where_in_the_expression(text: str, position: int, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_comparison(text)
    assert f"character {position}: {reason}" in str(caught.value)
    assert str(caught.value).startswith(f"--where {text!r}")


@pytest.mark.parametrize(
    ("text", "kinds", "reason"),
    [
        ("a > x", {"number", "null"}, "character 5: a is a number, and x is a text"),
        ("a > 3", {"text"}, 'a is a text, and 3 is a number; write "3" in quotes'),
        ("a = true", {"text"}, 'a is a text, and true is true or false; write "true" in quotes'),
        ("a = 1", {"bool"}, "a is true or false, and 1 is a number"),
        ("a ~ 1", {"number"}, "a is a number, and 1 is a text"),
        ("a > 30 %", {"number"}, "write 30 % as 0.3"),
        ("a = 1", {"group", "null"}, "a is a section of several fields, which cannot be compared"),
        ("a = x", {"list"}, "a is a list, which cannot be compared"),
    ],
)
def test_a_value_of_another_kind_is_an_error(text: str, kinds: set[str], reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_comparison(text).check_kinds(kinds)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a = 1", {"null"}),
        ("a = 1", {"text", "number"}),
        ("a = null", {"group"}),
        ("a ~ 1", {"text"}),
        ("a = 'x'", {"text", "null"}),
        ("a = 1", set[str]()),
    ],
)
def test_values_of_one_kind_are_compared(text: str, kinds: set[str]) -> None:
    parse_comparison(text).check_kinds(kinds)


@pytest.mark.parametrize("value", ["nan", "inf", "1_000", "٣", "0x10", "1e999", "9" * 5_000, "1,5"])
def test_what_is_no_number_is_a_text(value: str) -> None:
    assert parse_comparison(f"a = {value}").value == value


def test_kinds_are_those_of_json() -> None:
    values = json.loads('[1, 1.5, "a", true, null, [], {}]')
    kinds = ["number", "number", "text", "bool", "null", "list", "group"]
    assert [kind_of(value) for value in values] == kinds


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (MIXED, "SOL 405 + MEO 45"),
        (BILAYER, "CHL 20 + POP 80"),
        (PARTICLE, "core: TRI 0 | shell: POP 7 + TRI 3"),
        (PROTEIN, "PRO 1"),
        (SOLUTION, "PRO 1 + SOL 55.0 M + NA 4"),
        (ADOPTED, "Eth 1.5 > x 14 + SOL 500 + a.b' 2"),
        (EMPTY, None),
        ({"system": {"species": [{"resname": "SOL", "count": None}]}}, "SOL"),
        ({"system": 3}, None),
        ({}, None),
    ],
)
def test_a_composition_lists_the_molecules(document: dict[str, Any], expected: str | None) -> None:
    assert composition(document) == expected


def test_each_path_of_a_build_input_leads_to_its_value() -> None:
    for document in (MIXED, PARTICLE, PROTEIN, SOLUTION, ADOPTED):
        for path, value in flatten(document):
            assert values_of(document, parse_field(path)) == [value], path


def test_a_field_of_an_absent_molecule_is_blank_as_a_cell() -> None:
    values = values_of(MIXED, parse_field("species.XYZ.count"))
    assert values == [LACKING]
    assert as_cell(values) is None


def test_cells_hold_numbers_texts_and_json() -> None:
    assert as_cell([3]) == 3
    assert as_cell([]) is None
    assert as_cell([[1, 2]]) == "[1,2]"
    assert as_cell(values_of(BILAYER, parse_field("species.POP.smiles"))) == "P1; P2"


def test_all_smiles_are_found_at_any_depth() -> None:
    assert smiles_of(BILAYER) == {"C1", "P1", "P2"}
    assert smiles_of({"system": {"core": {"species": [{"resname": "A", "smiles": "O"}]}}}) == {"O"}
    assert smiles_of(ADOPTED) == set()


def test_a_path_that_repeats_a_long_name_is_refused() -> None:
    with pytest.raises(ValueError, match="256 characters"):
        list(flatten({"k" * 300: {"a": 1}}))
