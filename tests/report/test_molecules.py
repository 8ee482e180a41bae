"""Drawings of molecules."""

from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from mdfactory.report.campaign.molecules import (
    MAX_ATOMS,
    MAX_MOLECULES,
    NO_PICTURE,
    draw,
    draw_molecules,
)
from mdfactory.report.payload import to_json, values_of_column

POPC = "CCCCCCCCCCCCCCCC(=O)OC[C@H](COP(=O)([O-])OCC[N+](C)(C)C)OC(=O)CCCCCCC/C=C\\CCCCCCCC"


def _svg(smiles: str) -> str:
    kind, _, data = draw(smiles).partition(",")
    assert kind == "data:image/svg+xml"
    return unquote(data)


@pytest.mark.parametrize("smiles", ["O", "CO", "[Na+]", "CC(N)=O", "ClCCBr", "CS(C)=O", POPC])
def test_a_molecule_is_drawn_on_transparent_paper_in_the_colours_of_the_system(smiles: str) -> None:
    svg = _svg(smiles)
    root = ET.fromstring(svg)  # noqa: S314  # it is our own
    assert root.tag.endswith("svg")
    assert "rect" not in svg
    assert "prefers-color-scheme:dark" in svg
    colours = {
        value
        for element in root.iter()
        for name in ("fill", "stroke")
        if (value := element.get(name)) not in {None, "none"}
    }
    assert colours
    assert all(value.startswith("var(--c") for value in colours if value)
    assert draw(smiles) == draw(smiles)


@pytest.mark.parametrize(
    "smiles",
    ["", "not a molecule", "C(", "C" * (MAX_ATOMS + 1), "C" * 100_000, "c1cccc1", "C\x00", "<svg>"],
)
def test_what_is_no_molecule_or_too_large_is_not_drawn(smiles: str) -> None:
    assert draw(smiles) == ""


def test_each_smiles_is_drawn_once() -> None:
    water, methanol = ("system.species.SOL", "SOL", "O"), ("system.species.MEO", "MEO", "CO")
    protein = ("system.molecules.LYZ", "LYZ", "")
    data = draw_molecules([(water, methanol), (water,), (protein,), ()])
    assert len(data["pictures"]) == 2
    column = values_of_column(data["by_simulation"], 4)
    assert column == [
        [["SOL", 0, "O", "system.species.SOL"], ["MEO", 1, "CO", "system.species.MEO"]],
        [["SOL", 0, "O", "system.species.SOL"]],
        [["LYZ", NO_PICTURE, "", "system.molecules.LYZ"]],
        None,
    ]
    assert to_json(data)


def test_the_molecules_of_most_simulations_are_drawn() -> None:
    rare = [[("x", "X", "C" * length)] for length in range(1, 120)]
    rare += [[("x", "X", f"O{'C' * length}")] for length in range(1, 120)]
    rare += [[("x", "X", f"N{'C' * length}")] for length in range(1, 120)]
    rare += [[("x", "X", f"S{'C' * length}")] for length in range(1, 120)]
    rare += [[("x", "X", f"F{'C' * length}")] for length in range(1, 120)]
    data = draw_molecules([*rare, [("w", "W", "O")], [("w", "W", "O")]])
    assert len(data["pictures"]) == MAX_MOLECULES
    last = values_of_column(data["by_simulation"], len(rare) + 2)[-1]
    assert last == [["W", 0, "O", "w"]]


def test_names_of_molecules_are_cleaned() -> None:
    data = draw_molecules([[("p\x00", "a\u202eb", "C\x1b")]])
    assert values_of_column(data["by_simulation"], 1) == [[["ab", NO_PICTURE, "C ", "p "]]]
