"""Systems with a protein: defaults, normalisation, and invalid input."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.creation import write_yaml
from mdfactory.campaign.strict_yaml import load
from mdfactory.errors import BuildInputError

PROTEIN = {"resname": "LYZ", "pdb_path": "1aki.pdb"}
BOX: dict[str, Any] = {
    "simulation_type": "proteinbox",
    "parametrization": "pdb2gmx",
    "system": {"protein": PROTEIN},
}
WATER = {"smiles": "O", "resname": "SOL", "count": 900}
MIXED: dict[str, Any] = {
    "simulation_type": "protein_mixedbox",
    "parametrization": "charmm",
    "system": {
        "protein": PROTEIN,
        "species": [WATER],
        "sizing": {"type": "fixed_box", "box_size": 70},
    },
}
DENSE = {"type": "count_density"}
ABSENT = object()


def _changed(values: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy with another value at a dotted path, or without it."""
    changed = copy.deepcopy(values)
    *parents, name = path.split(".")
    inner = changed
    for parent in parents:
        inner = inner[int(parent)] if isinstance(inner, list) else inner.setdefault(parent, {})
    if value is ABSENT:
        del inner[name]
    else:
        inner[name] = value
    return changed


def _json(values: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(BuildInput.parse(values).canonical_json)
    return parsed


def _value(values: dict[str, Any], path: str) -> Any:
    value: Any = _json(values)
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def test_a_protein_in_water_has_its_fields_in_their_order() -> None:
    assert BuildInput.parse(BOX).canonical_json == (
        '{"simulation_type":"proteinbox","system":{"protein":{"fraction":1.0,"count":1,'
        '"resname":"LYZ","pdb_path":"1aki.pdb","chains":[],"disulfide_bonds":[],'
        '"protonation_states":{}},"padding":10.0,"relax_steps":10000,"ionization":'
        '{"neutralize":true,"concentration":0.15,"min_distance":5.0,"seed":null}},'
        '"parametrization":"pdb2gmx","parametrization_config":{"type":"pdb2gmx","forcefield":'
        '"charmm36m","water_model":"tip3p","ignore_hydrogens":true,"merge_all":false},'
        '"engine":"gromacs"}'
    )


def test_a_protein_in_a_mixture_has_its_fields_in_their_order() -> None:
    assert BuildInput.parse(MIXED).canonical_json == (
        '{"simulation_type":"protein_mixedbox","system":{"protein":{"fraction":1.0,"count":1,'
        '"resname":"LYZ","pdb_path":"1aki.pdb","chains":[],"disulfide_bonds":[],'
        '"protonation_states":{}},"species":[{"fraction":null,"count":900,"resname":"SOL",'
        '"smiles":"O","concentration":null}],"sizing":{"type":"fixed_box","box_size":70.0},'
        '"padding":10.0,"concentration_volume_basis":"protein_excluded",'
        '"partial_specific_volume":0.73,"relax_steps":10000,"ionization":{"neutralize":true,'
        '"concentration":0.15,"min_distance":5.0,"seed":null}},"parametrization":"charmm",'
        '"parametrization_config":{"type":"charmm","forcefield":"charmm36m","water_model":"tip3p",'
        '"ignore_hydrogens":true,"merge_all":false},"engine":"gromacs"}'
    )


@pytest.mark.parametrize("ionization", [None, False])
@pytest.mark.parametrize("values", [BOX, MIXED], ids=["proteinbox", "protein_mixedbox"])
def test_a_system_with_a_protein_may_have_no_ions(values: dict[str, Any], ionization: Any) -> None:
    assert _value(_changed(values, "system.ionization", ionization), "system.ionization") is None


SPECIES = "system.species.0"
CONFIG = "parametrization_config"


@pytest.mark.parametrize(
    ("values", "path", "value", "stored"),
    [
        (BOX, "system.protein.resname", "2x", "2X"),
        (BOX, "system.protein.count", 1.0, 1),
        (BOX, "system.protein.count", "1", 1),
        (BOX, "system.protein.fraction", 1, 1.0),
        (BOX, "system.protein.pdb_path", "./1aki.pdb", "1aki.pdb"),
        (BOX, "system.protein.pdb_path", "/data//a/./b.pdb", "/data/a/b.pdb"),
        (BOX, "system.protein.pdb_path", "///data/b.pdb", "/data/b.pdb"),
        (BOX, "system.protein.pdb_path", "//data/b.pdb", "//data/b.pdb"),  # POSIX keeps two
        (BOX, "system.protein.pdb_path", "../a/../b.pdb", "../a/../b.pdb"),
        (BOX, "system.protein.pdb_path", "~/b.pdb", "~/b.pdb"),
        (BOX, "system.protein.pdb_path", ".hidden/b.pdb", ".hidden/b.pdb"),
        (BOX, "system.protein.pdb_path", "a/", "a"),
        (BOX, "system.protein.pdb_path", "Größe und/ b.pdb", "Größe und/ b.pdb"),
        (BOX, "system.protein.chains", ["B", "A"], ["B", "A"]),
        (BOX, "system.protein.disulfide_bonds", [["B", "A"], ["A", "B"]], [["B", "A"], ["A", "B"]]),
        (BOX, "system.padding", 0, 0.0),
        (BOX, "system.relax_steps", 0, 0),
        (BOX, "system.relax_steps", 5.0, 5),
        (BOX, f"{CONFIG}.forcefield", "CHARMM27", "CHARMM27"),
        (BOX, f"{CONFIG}.forcefield", "charmm", "charmm"),
        (BOX, f"{CONFIG}.water_model", "SPCE", "SPCE"),
        (BOX, f"{CONFIG}.water_model", "spc", "spc"),
        (BOX, f"{CONFIG}.merge_all", True, True),
        (BOX, f"{CONFIG}.ignore_hydrogens", "false", False),
        (MIXED, f"{CONFIG}.merge_all", True, True),
        (MIXED, "system.protein.chains", ["A"], ["A"]),
        (MIXED, "system.species", ABSENT, []),
        (MIXED, "system.species", [], []),
        (MIXED, "system.sizing.box_size", 20.000001, 20.000001),
        (MIXED, "system.sizing", DENSE, {"type": "count_density", "target_density": 1.0}),
        (MIXED, "system.concentration_volume_basis", "box", "box"),
        (MIXED, "system.partial_specific_volume", 1, 1.0),
        (MIXED, f"{SPECIES}.count", 0, 0),
        (MIXED, f"{SPECIES}.fraction", None, None),
        (MIXED, f"{SPECIES}.concentration", None, None),
        (MIXED, f"{SPECIES}.smiles", "[OH2]", "O"),
    ],
)
def test_a_value_is_normalised(
    values: dict[str, Any], path: str, value: object, stored: object
) -> None:
    found = _value(_changed(values, path, value), path)
    assert (type(found), found) == (type(stored), stored)


@pytest.mark.parametrize("concentration", [0, 0.0, 55, "55.5"])
def test_a_species_has_a_concentration_instead_of_a_count(concentration: Any) -> None:
    species = {"smiles": "OCC", "resname": "eth", "concentration": concentration}
    assert _value(_changed(MIXED, "system.species", [species]), SPECIES) == {
        "fraction": None,
        "count": None,
        "resname": "ETH",
        "smiles": "CCO",
        "concentration": float(concentration),
    }


def test_the_order_of_protonation_states_does_not_matter() -> None:
    texts = [
        BuildInput.parse(_changed(BOX, "system.protein.protonation_states", states)).canonical_json
        for states in ({"HIS15": "HIE", "GLU7": "GLH"}, {"GLU7": "GLH", "HIS15": "HIE"})
    ]
    assert texts[0] == texts[1]
    assert '"protonation_states":{"GLU7":"GLH","HIS15":"HIE"}' in texts[0]


def test_the_order_of_chains_and_bonds_matters() -> None:
    for path, entries in (
        ("chains", ["A", "B"]),
        ("disulfide_bonds", [["CYS6", "CYS127"], ["CYS30", "CYS115"]]),
    ):
        hashes = {
            BuildInput.parse(_changed(BOX, f"system.protein.{path}", given)).hash
            for given in (entries, entries[::-1])
        }
        assert len(hashes) == 2


@pytest.mark.parametrize(
    ("values", "path", "value", "problem"),
    [
        (BOX, "parametrization", ABSENT, "a proteinbox needs pdb2gmx, not 'cgenff'"),
        (BOX, "parametrization", "charmm", "a proteinbox needs pdb2gmx, not 'charmm'"),
        (BOX, "parametrization", "smirnoff", "a proteinbox needs pdb2gmx, not 'smirnoff'"),
        (MIXED, "parametrization", ABSENT, "a protein_mixedbox needs charmm, not 'cgenff'"),
        (MIXED, "parametrization", "pdb2gmx", "a protein_mixedbox needs charmm, not 'pdb2gmx'"),
        (BOX, f"{CONFIG}.type", "charmm", "its type is charmm, but the parametrization is pdb2gmx"),
        (BOX, f"{CONFIG}.charge_method", "x", r"parametrization_config\.charge_method: is not a f"),
        (BOX, f"{CONFIG}.forcefield", "amber99sb", r"forcefield: 'amber99sb' is not a CHARMM"),
        (BOX, f"{CONFIG}.forcefield", "charmm36_LJPME", r"config\.forcefield: 'charmm36_LJPME'"),
        (BOX, f"{CONFIG}.forcefield", "xcharmm", "forcefield: 'xcharmm'"),
        (BOX, f"{CONFIG}.forcefield", None, "forcefield: is not a text"),
        (BOX, f"{CONFIG}.water_model", "tip4p", r"config\.water_model: 'tip4p' is not one of tip3"),
        (BOX, f"{CONFIG}.merge_all", 2, "merge_all: "),
        (MIXED, f"{CONFIG}.forcefield", "CHARMM36M", "forcefield: must be 'charmm36m'"),
        (MIXED, f"{CONFIG}.forcefield", "charmm27", "forcefield: must be 'charmm36m'"),
        (MIXED, f"{CONFIG}.water_model", "TIP3P", "water_model: must be 'tip3p'"),
        (MIXED, f"{CONFIG}.water_model", "spce", "water_model: must be 'tip3p'"),
        (BOX, "system.protein", ABSENT, r"system\.protein: is missing"),
        (BOX, "system.species", [WATER], r"system\.species: is not a field"),
        (BOX, "system.box_padding", 1, r"system\.box_padding: is not a field"),
        (BOX, "system.padding", -0.1, r"system\.padding: must be at least 0"),
        (BOX, "system.padding", 1e16, r"system\.padding: .*less than"),
        (BOX, "system.padding", float("nan"), r"system\.padding: .*finite"),
        (BOX, "system.relax_steps", -1, r"system\.relax_steps: must be at least 0"),
        (BOX, "system.relax_steps", 1.5, r"system\.relax_steps: "),
        (BOX, "system.relax_steps", True, "relax_steps: a boolean is not a number"),
        (BOX, "system.ionization", True, r"system\.ionization: is not a mapping"),
        (BOX, "system.ionization", {"concentration": -1}, r"ionization\.concentration: "),
        (BOX, "system.protein.resname", "LYSO", r"protein\.resname: 'LYSO' is longer than 3"),
        (BOX, "system.protein.resname", ABSENT, r"protein\.resname: is missing"),
        (BOX, "system.protein.pdb_path", ABSENT, r"protein\.pdb_path: is missing"),
        (BOX, "system.protein.pdb_path", 1, r"protein\.pdb_path: is not a text"),
        (BOX, "system.protein.smiles", "O", r"protein\.smiles: is not a field"),
        (BOX, "system.protein.count", 2, r"protein\.count: .*exactly one protein"),
        (BOX, "system.protein.count", 0, r"protein\.count: .*exactly one protein"),
        (BOX, "system.protein.count", None, r"protein\.count: "),
        (BOX, "system.protein.fraction", 0.5, r"protein\.fraction: .*exactly one protein"),
        (BOX, "system.protein.fraction", None, r"protein\.fraction: "),
        (BOX, "system.protein.chains", "AB", r"protein\.chains: is not a list"),
        (BOX, "system.protein.chains", {"A", "B"}, "chains: is a set, which has no order"),
        (BOX, "system.protein.chains", [1], r"protein\.chains\.0: is not a text"),
        (BOX, "system.protein.chains", None, r"protein\.chains: is not a list"),
        (BOX, "system.protein.disulfide_bonds", [["A"]], r"bonds\.0: is not a pair of residues"),
        (BOX, "system.protein.disulfide_bonds", [["A", "B", "C"]], r"bonds\.0: is not a pair"),
        (BOX, "system.protein.disulfide_bonds", ["AB"], r"disulfide_bonds\.0: is not a list"),
        (BOX, "system.protein.disulfide_bonds", [{"A", "B"}], r"disulfide_bonds\.0: is a set"),
        (BOX, "system.protein.disulfide_bonds", [[6, 127]], r"bonds\.0\.0: is not a text"),
        (BOX, "system.protein.protonation_states", [["A", "B"]], "states: is not a mapping"),
        (BOX, "system.protein.protonation_states", {"HIS15": 1}, "states.HIS15: is not a text"),
        (BOX, "system.protein.protonation_states", {15: "HIE"}, "states.15.* is not a text"),
        (BOX, "system.protein.protonation_states", {"HIS15": None}, "HIS15: is not a text"),
        (MIXED, "system.protein.chains", ["A", "B"], "has one chain at most, not A, B"),
        (MIXED, "system.species", None, r"system\.species: is not a list"),
        (MIXED, "system.sizing", ABSENT, r"system\.sizing: is missing"),
        (MIXED, "system.sizing", None, r"system\.sizing: is not a mapping"),
        (MIXED, "system.sizing", {"box_size": 70}, r"system\.sizing: its type is missing"),
        (MIXED, "system.sizing.type", "dodecahedron", r"sizing: its type is 'dodecahedron', not"),
        (MIXED, "system.sizing.box_size", ABSENT, r"system\.sizing\.box_size: is missing"),
        (MIXED, "system.sizing.box_size", 0, r"system\.sizing\.box_size: .*greater than 0"),
        (MIXED, "system.sizing.box_size", 20, "box_size: 20 is not larger than twice the padding"),
        (MIXED, "system.padding", 35, "box_size: 70 is not larger than twice the padding, 35"),
        (MIXED, "system.padding", -1, r"system\.padding: must be at least 0"),
        (MIXED, "system.sizing.target_density", 1, r"sizing\.target_density: is not a field"),
        (MIXED, "system.sizing", DENSE | {"box_size": 70}, r"sizing\.box_size: is not a field"),
        (MIXED, "system.sizing", DENSE | {"target_density": 0}, "target_density: .*greater than 0"),
        (MIXED, "system.partial_specific_volume", 0, "volume: .*greater than 0"),
        (MIXED, "system.concentration_volume_basis", "Box", "concentration_volume_basis: "),
        (MIXED, "system.relax_steps", -1, "relax_steps: "),
        (MIXED, "system.total_count", 1, r"system\.total_count: is not a field"),
        (MIXED, f"{SPECIES}.concentration", 55, "SOL: give a count or a concentration"),
        (MIXED, f"{SPECIES}.count", ABSENT, "SOL: give a count or a concentration"),
        (MIXED, f"{SPECIES}.count", -1, r"species\.0\.count: "),
        (MIXED, f"{SPECIES}.fraction", 1.0, r"species\.0\.fraction: must be absent or null"),
        (MIXED, f"{SPECIES}.resname", "WAT", "WAT: the resname of O must be SOL"),
        (MIXED, f"{SPECIES}.smiles", "[Na+]", "SOL: the resname of .Na.. must be NA"),
        (MIXED, f"{SPECIES}.smiles", "[Cl-]", "SOL: the resname of .Cl-. must be CL"),
        (MIXED, f"{SPECIES}.smiles", "CC(O)F", "leaves stereochemistry open"),
        (MIXED, f"{SPECIES}.smiles", "O |", r"smiles: 'O \|' contains ' '"),
        (MIXED, f"{SPECIES}.charge", 0, r"species\.0\.charge: is not a field"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused(
    values: dict[str, Any], path: str, value: object, problem: str
) -> None:
    with pytest.raises(BuildInputError, match=problem):
        BuildInput.parse(_changed(values, path, value))


@pytest.mark.parametrize("concentration", [-1, 1e16, "x"])
def test_an_invalid_concentration_is_refused(concentration: object) -> None:
    species = {"smiles": "CO", "resname": "MEO", "concentration": concentration}
    with pytest.raises(BuildInputError, match=r"species\.0\.concentration: "):
        BuildInput.parse(_changed(MIXED, "system.species", [species]))


@pytest.mark.parametrize("values", [BOX, MIXED], ids=["proteinbox", "protein_mixedbox"])
def test_merged_chains_cannot_be_selected(values: dict[str, Any]) -> None:
    values = _changed(values, CONFIG, {"merge_all": True})
    with pytest.raises(BuildInputError, match="merge_all: all chains are merged.* cannot select A"):
        BuildInput.parse(_changed(values, "system.protein.chains", ["A"]))


def test_a_density_needs_the_count_of_every_species() -> None:
    salt = {"smiles": "[Na+]", "resname": "NA", "concentration": 0.1}
    values = _changed(MIXED, "system.sizing", DENSE)
    with pytest.raises(BuildInputError, match="species: NA without count, which count_density"):
        BuildInput.parse(_changed(values, "system.species", [WATER, salt]))


def test_numbers_of_yaml_are_no_texts() -> None:
    text = yaml.safe_dump(BOX).replace("1aki.pdb", "1:30")
    with pytest.raises(BuildInputError, match="pdb_path: is a number, not a text; put it in quo"):
        BuildInput.parse(load(text.encode()))


PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=20)
RESIDUES = st.from_regex(r"([A-Z]:)?[A-Z]{3}-?[0-9]{1,3}", fullmatch=True)


@given(
    PATHS,
    st.lists(st.sampled_from("ABC1"), max_size=3),
    st.lists(st.tuples(RESIDUES, RESIDUES), max_size=3),
    st.dictionaries(RESIDUES, st.sampled_from(["HIE", "HID", "GLH"])),
    st.floats(0, 1e15),
)
@example("a\x85b\u2028c\u2029d", [], [], {}, 0.0)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_hash_survives_writing_and_reading_yaml(
    tmp_path: Path,
    path: str,
    chains: list[str],
    bonds: list[tuple[str, str]],
    states: dict[str, str],
    padding: float,
) -> None:
    protein = {
        **PROTEIN,
        "pdb_path": path,
        "chains": chains,
        "disulfide_bonds": bonds,
        "protonation_states": states,
    }
    build = BuildInput.parse({**BOX, "system": {"protein": protein, "padding": padding}})
    file = tmp_path / "build.yaml"
    write_yaml(file, json.loads(build.input_data))
    assert BuildInput.parse(load(file.read_bytes())).hash == build.hash
