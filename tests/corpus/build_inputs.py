"""BuildInputs that are YAML, but describe nothing that can be simulated."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from corpus.members import ALL, Member, build

BOX = {
    "simulation_type": "mixedbox",
    "system": {
        "species": [{"smiles": "O", "resname": "SOL", "count": 90}],
        "target_density": 1.0,
        "ionization": {"concentration": 0.1},
    },
}
SHARED = {
    "simulation_type": "mixedbox",
    "system": {
        "species": [
            {"smiles": "O", "resname": "SOL", "fraction": 0.5},
            {"smiles": "CO", "resname": "MEO", "fraction": 0.5},
        ],
        "total_count": 100,
    },
}
LIPID = {"smiles": "CCCCCCCCCCCCO", "resname": "DOD"}
BILAYER = {"simulation_type": "bilayer", "system": {"species": [{**LIPID, "count": 64}]}}
LNP = {
    "simulation_type": "lnp",
    "system": {
        "radius": 60.0,
        "core": {"species": [{"smiles": "CCCCCCCCCC", "resname": "DEC", "fraction": 1.0}]},
        "shell": {"species": [{**LIPID, "fraction": 1.0}]},
    },
}
PROTEIN_BOX = {
    "simulation_type": "proteinbox",
    "parametrization": "pdb2gmx",
    "system": {"protein": {"resname": "LYZ", "pdb_path": "1aki.pdb"}},
    "tags": {"project": "x"},
}

Values = dict[str, Any]


def _changed(base: Values, path: str, *value: object) -> Values:
    """Return a copy with another value at a dotted path, or without it if none is given."""
    values = copy.deepcopy(base)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    inner: Any = values
    for part in parents:
        inner = inner[part]
    if value:
        (inner[last],) = value
    else:
        del inner[last]
    return values


FIRST = "system.species.0"
INF = float("inf")

CHANGES: list[tuple[str, Values, str, object, str]] = [
    ("another type", BOX, "simulation_type", "trilayer", "'trilayer' is not one of mixedbox, "),
    ("a type that is a list", BOX, "simulation_type", ["mixedbox"], "a list is not one of"),
    ("a system that is a list", BOX, "system", [1], "system: "),
    ("a system that is null", BOX, "system", None, "system: "),
    ("another engine", BOX, "engine", "amber", "engine: "),
    ("another parametrization", BOX, "parametrization", "gaff", "parametrization"),
    ("a config of another kind", BOX, "parametrization_config", {"type": "smirnoff"}, "its type"),
    ("an unknown key of a config", BOX, "parametrization_config", {"x": 1}, "is not a field"),
    ("an unknown key of the system", BOX, "system.colour", "red", "is not a field"),
    ("an unknown key of a species", BOX, f"{FIRST}.colour", "red", "is not a field"),
    ("a number as a key", BOX, "system.ionization", {7: 7}, "ionization"),
    ("NaN as density", BOX, "system.target_density", float("nan"), "finite"),
    ("infinity as density", BOX, "system.target_density", INF, "finite"),
    ("infinity as salt", BOX, "system.ionization.concentration", -INF, "finite"),
    ("negative salt", BOX, "system.ionization.concentration", -0.1, "at least 0"),
    ("a negative count", BOX, f"{FIRST}.count", -5, "at least 0"),
    ("an infinite count", BOX, f"{FIRST}.count", INF, "count: "),
    ("half a molecule", BOX, f"{FIRST}.count", 0.5, "count: "),
    ("a count of thousands of digits", BOX, f"{FIRST}.count", 16**3_000, "count: "),
    ("a boolean as count", BOX, f"{FIRST}.count", True, "count: .*boolean"),
    ("a boolean as total", SHARED, "system.total_count", True, "total_count: .*boolean"),
    ("a boolean as fraction", SHARED, f"{FIRST}.fraction", True, "fraction: .*boolean"),
    ("a boolean as density", BOX, "system.target_density", True, "target_density: .*boolean"),
    ("a list as count", BOX, f"{FIRST}.count", [1], "count: "),
    ("no species", BOX, "system.species", [], "has no molecules"),
    ("species of count 0", BOX, f"{FIRST}.count", 0, "has no molecules"),
    ("species by name", BOX, "system.species", {"SOL": {"count": 3}}, "species: "),
    ("a species that is text", BOX, FIRST, "water", "species.0: "),
    ("fractions above 1", SHARED, f"{FIRST}.fraction", 0.6, "sum to 1.1, not to 1"),
    ("a negative fraction", SHARED, f"{FIRST}.fraction", -0.5, "at least 0"),
    ("NaN as fraction", SHARED, f"{FIRST}.fraction", float("nan"), "finite"),
    ("fractions of nothing", SHARED, "system.total_count", 0, "required with fractions"),
    ("fractions of too few", SHARED, "system.total_count", 1, "has no molecules"),
    ("a negative total", SHARED, "system.total_count", -1, "at least 0"),
    ("no SMILES", BOX, f"{FIRST}.smiles", "xyz", "is not the SMILES"),
    ("an empty SMILES", BOX, f"{FIRST}.smiles", "", "is not the SMILES"),
    ("an open ring", BOX, f"{FIRST}.smiles", "C1CC", "is not the SMILES"),
    ("five bonds of carbon", BOX, f"{FIRST}.smiles", "C(C)(C)(C)(C)C", "is not the SMILES"),
    ("a SMILES that is a number", BOX, f"{FIRST}.smiles", 7, "smiles: "),
    ("a SMILES of 10,000", BOX, f"{FIRST}.smiles", "C" * 10_000, "10,000 characters"),
    ("a SMILES with NUL", BOX, f"{FIRST}.smiles", "C\0C", "where RDKit would stop"),
    ("a SMILES that ends in NUL", BOX, f"{FIRST}.smiles", "O\0", "where RDKit would stop"),
    ("open stereochemistry", BOX, f"{FIRST}.smiles", "CC(O)F", "leaves stereochemistry open"),
    ("an open double bond", BOX, f"{FIRST}.smiles", "CC=CC", "leaves stereochemistry open"),
    (
        "cages whose isomers take hours to count",
        BOX,
        f"{FIRST}.smiles",
        ".".join(["C12C3C4C1C5C2C3C45"] * 4),
        "leaves stereochemistry open",
    ),
    ("a long resname", BOX, f"{FIRST}.resname", "WATER", "longer than 3 characters"),
    ("a resname that grows", BOX, f"{FIRST}.resname", "ßß", "longer than 3 characters"),
    ("a resname that is a number", BOX, f"{FIRST}.resname", 1, "resname: "),
    ("an odd bilayer", BILAYER, f"{FIRST}.count", 63, "cannot be shared between two leaflets"),
    ("a lipid without a tail", BILAYER, f"{FIRST}.smiles", "O", "cannot be read as a lipid"),
    ("a lipid in two parts", BILAYER, f"{FIRST}.smiles", "CCCCCCCC.CCCCCO", "several fragments"),
    ("atoms out of range", BILAYER, FIRST, {**LIPID, "count": 2, "head_atoms": [99],
     "tail_atoms": [0], "branch_atoms": [1]}, "there is no atom 99"),
    ("negative atoms", BILAYER, FIRST, {**LIPID, "count": 2, "head_atoms": [-1],
     "tail_atoms": [0], "branch_atoms": [1]}, "there is no atom -1"),
    ("negative padding", BILAYER, "system.z_padding", -1, "at least 0"),
    ("a shell as thick as the radius", LNP, "system.radius", 28.0, "leaves no core"),
    ("a shell thicker than the radius", LNP, "system.shell_thickness", 61, "leaves no core"),
    ("a radius of nothing", LNP, "system.radius", 0, "greater than 0"),
    ("a huge radius", LNP, "system.radius", 1e200, "less than"),
    ("a radius that is NaN", LNP, "system.radius", float("nan"), "finite"),
    ("a huge density", LNP, "system.core.target_density", 1e300, "less than"),
    ("no area for a lipid", LNP, "system.shell.area_per_lipid", 1e-310, "out of range"),
    ("a core that is empty", LNP, "system.core.species", [], "sum to 0, not to 1"),
    ("a shell by count", LNP, "system.shell.species", [{**LIPID, "count": 3}], "without fraction"),
    ("ions that are true", BOX, "system.ionization", True, "ionization: is not a mapping"),
    ("a protein for CGenFF", PROTEIN_BOX, "parametrization", "cgenff", "pdb2gmx, not 'cgenff'"),
    ("a path that is a list", PROTEIN_BOX, "system.protein.pdb_path", ["a"], "is not a text"),
    ("half a bond", PROTEIN_BOX, "system.protein.disulfide_bonds", [["CYS6"]], "is not a pair"),
    ("chains without order", PROTEIN_BOX, "system.protein.chains", {"A", "B"}, "has no order"),
    ("tags that are numbers", PROTEIN_BOX, "tags.project", 1, "tags.project: is not a text"),
    ("tags that are a list", PROTEIN_BOX, "tags", ["x"], "tags: is not a mapping"),
    ("other input fractions", LNP, "system.core.input_fractions", {"DEC": 0.5}, "differ from"),
]  # fmt: skip

LACKS: list[tuple[str, Values, str, str]] = [
    ("no type", BOX, "simulation_type", "simulation_type: is missing"),
    ("no system", BOX, "system", "system: is missing"),
    ("no species key", BOX, "system.species", "species: is missing"),
    ("no smiles key", BOX, f"{FIRST}.smiles", "smiles: is missing"),
    ("no count and no fraction", BOX, f"{FIRST}.count", "SOL without fraction"),
    ("one fraction of two", SHARED, f"{FIRST}.fraction", "SOL without fraction"),
    ("no radius", LNP, "system.radius", "radius: is missing"),
    ("no core", LNP, "system.core", "core: is missing"),
]


def _member(name: str, values: Values, reason: str) -> Member:
    return Member(name, build(yaml.safe_dump(values, allow_unicode=True)), (reason,))


MEMBERS = [
    *(_member(name, _changed(base, path, value), why) for name, base, path, value, why in CHANGES),
    Member(
        "branches 1,600 deep",
        build(yaml.safe_dump(_changed(BOX, f"{FIRST}.smiles", "C(" * 1_600 + "C" + ")" * 1_600))),
        (),
        ALL,
    ),
    *(_member(name, _changed(base, path), why) for name, base, path, why in LACKS),
]
