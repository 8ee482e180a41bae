"""BuildInputs: normalisation, and invalid input."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.build_input.species import canonical_smiles
from mdfactory.errors import BuildInputError
from mdfactory.records.vocabulary import SimulationType

WATER = {"smiles": "O", "resname": "SOL"}
METHANOL = {"smiles": "CO", "resname": "MEO"}
NO_SALT = {"neutralize": False, "concentration": 0}


def _box(*species: dict[str, Any], **system: Any) -> dict[str, Any]:
    return {"simulation_type": "mixedbox", "system": {"species": list(species), **system}}


def _parsed(*species: dict[str, Any], **system: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(BuildInput.parse(_box(*species, **system)).canonical_json)
    return values["system"]


def test_parse_fills_in_defaults() -> None:
    assert BuildInput.parse(_box({**WATER, "count": 1})).canonical_json == (
        '{"simulation_type":"mixedbox","system":{"species":[{"fraction":1.0,"count":1,'
        '"resname":"SOL","smiles":"O"}],"total_count":1,"target_density":1.0,"ionization":'
        '{"neutralize":true,"concentration":0.15,"min_distance":5.0,"seed":null}},'
        '"parametrization":"cgenff","parametrization_config":{"type":"cgenff"},"engine":"gromacs"}'
    )


def test_counts_take_precedence_over_fractions_and_total() -> None:
    system = _parsed(
        {**WATER, "count": 3, "fraction": 0.9}, {**METHANOL, "count": 1}, total_count=1000
    )
    assert system["total_count"] == 4
    assert [species["fraction"] for species in system["species"]] == [0.75, 0.25]


def test_fractions_give_truncated_counts() -> None:
    system = _parsed({**WATER, "fraction": 0.71}, {**METHANOL, "fraction": 0.29}, total_count=100)
    # 100 x 0.29 is 28.999999999999996 in floating point.
    assert [species["count"] for species in system["species"]] == [71, 28]
    assert system["total_count"] == 99
    assert system["species"][1]["fraction"] == 28 / 99


def test_a_species_without_molecules_is_dropped() -> None:
    system = _parsed({**WATER, "fraction": 0.999}, {**METHANOL, "fraction": 0.001}, total_count=100)
    assert [species["resname"] for species in system["species"]] == ["SOL"]
    assert system["species"][0]["fraction"] == 1.0


def test_resnames_are_upper_case_and_smiles_canonical() -> None:
    (species,) = _parsed({"smiles": "C(O)C", "resname": "eth", "count": 1})["species"]
    assert (species["resname"], species["smiles"]) == ("ETH", "CCO")


def test_null_means_absent_for_optional_fields() -> None:
    values = _box({**WATER, "count": None, "fraction": 1}, total_count=5)
    values["parametrization_config"] = None
    assert (
        BuildInput.parse(values).hash
        == BuildInput.parse(_box({**WATER, "count": 5, "fraction": None}, total_count=None)).hash
    )


@pytest.mark.parametrize("given", [None, False])
def test_a_system_may_have_no_ions(given: object) -> None:
    box = BuildInput.parse(_box({**WATER, "count": 1}, ionization=given))
    assert box.system.ionization is None  # type: ignore[attr-defined]
    assert '"target_density":1.0,"ionization":null}' in box.canonical_json


def test_absent_ions_are_the_default_ions_and_other_than_none() -> None:
    given = [{}, {"ionization": {}}, {"ionization": None}, {"ionization": NO_SALT}]
    hashes = [BuildInput.parse(_box({**WATER, "count": 1}, **system)).hash for system in given]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_the_parametrization_decides_the_type_of_its_configuration() -> None:
    values = _box({**WATER, "count": 1}) | {
        "parametrization": "smirnoff",
        "parametrization_config": {"charge_method": "nagl"},
    }
    config = json.loads(BuildInput.parse(values).canonical_json)["parametrization_config"]
    assert config == {
        "type": "smirnoff",
        "forcefield": "openff-2.2.0.offxml",
        "water_model": "opc3.offxml",
        "charge_method": "nagl",
    }


def test_unknown_keys_at_the_top_do_not_change_the_hash() -> None:
    values = _box({**WATER, "count": 1})
    assert BuildInput.parse(values | {"comment": "x"}).hash == BuildInput.parse(values).hash


BOX = _box({**WATER, "count": 1})


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (None, "not a mapping"),
        ([], "not a mapping"),
        ({}, "simulation_type: is missing"),
        ({"simulation_type": ["mixedbox"]}, "simulation_type: .*is not one of"),
        (
            {"simulation_type": "plasma"},
            f"'plasma' is not one of {', '.join(SimulationType)}$",
        ),
        ({"simulation_type": "mixedbox"}, "system: is missing"),
        (
            BOX | {"parametrization": "amber"},
            "^parametrization: a mixedbox needs cgenff or smirnoff, not 'amber'$",
        ),
        (BOX | {"parametrization": None}, r"^parametrization: [^;]*$"),
        (
            BOX | {"parametrization_config": {"type": "amber"}},
            "^parametrization_config: its type is 'amber', not one of 'cgenff', 'smirnoff', ",
        ),
        (_box(), "has no molecules"),
        (_box({**WATER, "count": 0}), "has no molecules"),
        (_box({**WATER, "fraction": 1.0}), "total_count"),
        (_box({**WATER, "fraction": 0.01}, {**METHANOL, "fraction": 0.99}, total_count=0), "total"),
        (_box({**WATER, "fraction": 0.5}, total_count=10), "sum to 0.5, not to 1"),
        (_box({**WATER, "fraction": 1.000000002}, total_count=10), "sum to 1.000000002"),
        (_box({**WATER, "count": 5}, METHANOL), "MEO without fraction|SOL, MEO without fraction"),
        (_box({**WATER, "count": 5}, {**METHANOL, "fraction": 1}), "SOL without fraction"),
        (_box({**WATER, "count": -1}), r"system\.species\.0\.count: .*-1"),
        (_box({**WATER, "fraction": -0.5}, {**METHANOL, "fraction": 1.5}, total_count=9), "-0.5"),
        (_box({**WATER, "count": "0x1C2"}), r"species\.0\.count: expected a whole.*'0x1C2'"),
        (_box({**WATER, "count": "1e3"}), r"count: expected a whole.*'1e3'"),
        (_box({**WATER, "count": "1_000"}), r"count: expected a whole.*'1_000'"),
        (_box({**WATER, "count": " 5"}), r"count: expected a whole.*' 5'"),
        (_box({**WATER, "count": "450.5"}), r"count: expected a whole.*'450.5'"),
        (_box({**WATER, "count": b"450"}), "count: a byte string is not a number"),
        (_box({**WATER, "count": True}), "count: a boolean is not a number"),
        (_box({**WATER, "count": 1}, target_density="1_0.5"), "density: expected a finite decimal"),
        (_box({**WATER, "count": 1}, target_density="+1.0"), "density: expected a finite decimal"),
        (_box({**WATER, "count": 1}, target_density="0,9"), "density: expected a finite decimal"),
        (_box({**WATER, "count": 1}, target_density="inf"), "density: expected a finite decimal"),
        (_box({**WATER, "count": 1}, target_density="٣"), "density: expected a finite decimal"),
        (_box({**WATER, "count": 1}, target_density="1e400"), "density.*finite"),
        (_box({**WATER, "count": 1}, target_density=1e16), "density.*less than 1e\\+?16|less than"),
        (_box({**WATER, "count": 1}, target_density=-(10**17)), "density.*greater than"),
        (_box({**WATER, "count": 1.5}), r"system\.species\.0\.count"),
        (_box({**WATER, "count": 1}, total_count=-5), "total_count"),
        (_box({**WATER, "count": 1}, target_density=float("nan")), "target_density.*finite"),
        (_box({**WATER, "count": 1}, target_density=float("inf")), "target_density.*finite"),
        (_box({**WATER, "count": 1}, ionization={"concentration": -0.1}), "concentration"),
        (_box({**WATER, "count": 1}, ionization={"min_distance": -1}), "min_distance"),
        (_box({**WATER, "count": 1}, ionization=True), r"system\.ionization: is not a mapping"),
        (_box({**WATER, "count": 1}, ionization=0), r"system\.ionization: is not a mapping"),
        (_box({**WATER, "count": 1}, ionization="null"), r"system\.ionization: is not a mapping"),
        (
            _box({**WATER, "count": 1}, ionization={"salt": "NaCl"}),
            r"ionization\.salt: is not a field",
        ),
        (_box({**WATER, "count": 1}, colour="red"), r"system\.colour: is not a field"),
        (_box({**WATER, "count": 1, "charge": 0}), r"species\.0\.charge: is not a field"),
        (_box({"smiles": "O", "count": 1}), r"species\.0\.resname: is missing"),
        (
            _box({"smiles": "O", "resname": "WATE", "count": 1}),
            "resname: 'WATE' is longer than 3",
        ),
        (_box({"smiles": "O", "resname": False, "count": 1}), "resname.*False"),
        (
            _box({"smiles": "O", "resname": "ßß", "count": 1}),
            "resname: 'ßß' is longer than 3",
        ),
        (_box({"resname": "SOL", "count": 1}), r"species\.0\.smiles: is missing"),
        (_box({"smiles": "", "resname": "SOL", "count": 1}), "smiles: '' is not the SMILES"),
        (_box({"smiles": "C(", "resname": "SOL", "count": 1}), "smiles: 'C\\(' is not the SMILES"),
        (_box({"smiles": "CCO CC", "resname": "A", "count": 1}), "smiles: 'CCO CC' contains ' '"),
        (_box({"smiles": "CCO\nCC", "resname": "A", "count": 1}), r"contains '\\n'.*on one line"),
        (_box({"smiles": "C/C=C\x85", "resname": "A", "count": 1}), r"contains '\\x85'"),
        (_box({"smiles": "CCl₂", "resname": "A", "count": 1}), r"contains '\\u2082'.*ASCII"),
        (_box({"smiles": "CCO\0C", "resname": "A", "count": 1}), r"contains '\\x00'"),
        (_box({"smiles": ["Na+"], "resname": "NA", "count": 1}), "smiles: is not a text.*quotes"),
        (_box({"smiles": "CC(O)F", "resname": "A", "count": 1}), "leaves stereochemistry open"),
        (_box({"smiles": "CC=CC", "resname": "A", "count": 1}), "leaves stereochemistry open"),
        (
            _box({"smiles": "CCOP(=O)([O-])OCC[N+](C)(C)C", "resname": "PC", "count": 1}),
            "phosphorus",
        ),
        (
            _box({**WATER, "fraction": 1}, total_count=10**400),
            "system.total_count: must be at most 9223372036854775807",
        ),
        (_box({**WATER, "count": 1}) | {"engine": "namd"}, "engine.*gromacs.*'namd'"),
        (
            BOX | {"parametrization_config": {"type": "smirnoff"}},
            "its type is smirnoff, but the parametrization is cgenff",
        ),
        (BOX | {"parametrization_config": []}, "config: is not a mapping"),
        (
            BOX | {"parametrization": "pdb2gmx"},
            "parametrization: a mixedbox needs cgenff or smirnoff, not 'pdb2gmx'",
        ),
        (
            BOX | {"parametrization": "charmm"},
            "parametrization: a mixedbox needs cgenff or smirnoff, not 'charmm'",
        ),
        (
            BOX | {"parametrization_config": {"water_model": "tip3p"}},
            r"parametrization_config\.water_model: is not a field",
        ),
    ],
)
def test_parse_rejects_invalid_input_and_names_the_field(values: object, problem: str) -> None:
    with pytest.raises(BuildInputError, match=problem) as caught:
        BuildInput.parse(values)
    assert "\n" not in str(caught.value)


def test_the_error_has_all_problems_and_its_message_the_first_few() -> None:
    bad = {"smiles": "C(", "resname": "LONG", "count": -1}
    with pytest.raises(BuildInputError, match="and 3 more") as caught:
        BuildInput.parse(_box(bad, bad))
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize("smiles", [" CO", "CO ", "CO \n", "\nCO", "\tCO", "C O"])
def test_a_smiles_with_a_blank_is_refused(smiles: str) -> None:
    with pytest.raises(BuildInputError, match="where RDKit would stop"):
        BuildInput.parse(_box({"smiles": smiles, "resname": "MEO", "count": 1}))


@pytest.mark.parametrize("count", ["450", "450.0", "0450", "450.", 450.0])
@pytest.mark.parametrize("density", [".00001", "1e-05", "1.0E-05", "0.00001", 1e-05])
def test_numbers_may_be_texts(count: object, density: object) -> None:
    system = _parsed({**WATER, "count": count}, target_density=density)
    assert (system["total_count"], system["target_density"]) == (450, 1e-05)


def test_canonical_smiles_accepts_specified_stereochemistry() -> None:
    assert canonical_smiles("F[C@H](O)C") == canonical_smiles("C[C@H](F)O")
    assert canonical_smiles("C/C=C/C") == "C/C=C/C"


@pytest.mark.parametrize(
    "smiles",
    [
        "C1[C@]2C[C@H]12",
        "O[C@H]1[C@H]2C[C@H]3C[C@@H](C2)C[C@@H]1C3",  # 2-adamantanol
        "N[C@H]1[C@H]2C[C@H]3C[C@@H](C2)C[C@@H]1C3",
    ],
)
def test_canonical_smiles_is_stable(smiles: str) -> None:
    """RDKit alternates between two SMILES for some bridged molecules."""
    assert canonical_smiles(canonical_smiles(smiles)) == canonical_smiles(smiles)


def test_canonical_smiles_accepts_symmetric_centres_without_stereochemistry() -> None:
    assert canonical_smiles("OC(CO)CO") == "OCC(O)CO"


SMILES = st.sampled_from(["O", "CO", "CCO", "c1ccccc1", "[Na+]", "CC(=O)C", "C1CCOC1", "ClCCl"])
SPECIES = st.fixed_dictionaries(
    {
        "smiles": SMILES,
        "resname": st.text("abcXYZ019", min_size=1, max_size=3),
        "count": st.integers(1, 10**6),
    }
)
BOXES = st.builds(
    lambda species, density, ionization, parametrization: {
        **_box(*species, target_density=density, ionization=ionization),
        "parametrization": parametrization,
    },
    st.lists(SPECIES, min_size=1, max_size=5),
    st.floats(1e-6, 1e6) | st.integers(1, 20),
    st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "neutralize": st.booleans(),
            "concentration": st.floats(0, 10),
            "min_distance": st.floats(0, 1e3),
            "seed": st.none() | st.integers(0, 2**31),
        },
    ),
    st.sampled_from(["cgenff", "smirnoff"]),
)


@given(BOXES)
@settings(deadline=None)
def test_the_hash_survives_writing_and_reading_yaml(values: dict[str, Any]) -> None:
    build = BuildInput.parse(values)
    text = yaml.safe_dump(json.loads(build.canonical_json))
    assert BuildInput.parse(yaml.safe_load(text)).hash == build.hash
