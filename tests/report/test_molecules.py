"""Drawings of molecules."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from mdfactory.report.campaign.molecule_lists import MoleculeLists
from mdfactory.report.campaign.molecules import (
    MAX_ATOMS,
    MAX_MOLECULES,
    NO_PICTURE,
    draw,
    draw_molecules,
)
from mdfactory.report.campaign.species import Molecule
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


def _lists(*simulations: Sequence[Molecule]) -> MoleculeLists:
    """Return the molecules of simulations, each with the path of its list."""
    lists = MoleculeLists()
    for molecules in simulations:
        documents = [{"resname": name, "smiles": smiles} for _, name, smiles in molecules]
        paths = [path for path, _, _ in molecules]
        lists.add([("system.species", paths, documents)] if molecules else [])
    return lists


def test_each_smiles_is_drawn_once() -> None:
    water, methanol = ("system.species.SOL", "SOL", "O"), ("system.species.MEO", "MEO", "CO")
    protein = ("system.species.LYZ", "LYZ", "")
    lists = _lists((water, methanol), (water,), (protein,), ())
    data = lists.to_json()
    assert data["kinds"] == [[0, "SOL", "O"], [1, "MEO", "CO"], [2, "LYZ", ""]]
    assert [path for _, path in data["paths"]] == [water[0], methanol[0], protein[0]]
    assert values_of_column(data["of"], 4) == [(0, 1), (0,), (2,), None]
    drawn = draw_molecules(lists)
    assert len(drawn["pictures"]) == 2
    assert drawn["of"] == [0, 1, NO_PICTURE]
    assert to_json({**data, **drawn})


def test_a_molecule_with_another_smiles_is_another_one() -> None:
    lists = _lists([("x", "X", "CO")], [("x", "X", "CCO")], [("x", "X", "CO")])
    assert lists.to_json()["kinds"] == [[0, "X", "CO"], [0, "X", "CCO"]]
    assert lists.smiles("x") == ["CO", "CCO", "CO"]


def test_the_molecules_of_most_simulations_are_drawn() -> None:
    chains = ["C" * length for length in range(1, 120)]
    rare = [[("x", "X", f"{end}{chain}")] for end in ("", *"ONSF") for chain in chains]
    lists = _lists(*rare, [("w", "W", "O")], [("w", "W", "O")])
    data = draw_molecules(lists)
    assert len(data["pictures"]) == MAX_MOLECULES
    assert data["of"][lists.by_simulation[-1][0]] == 0


def test_names_of_molecules_are_cleaned() -> None:
    data = _lists([("p\x00", "a\u202eb", "C\x1b")]).to_json()
    assert data["kinds"] == [[0, "ab", "C "]]
    assert data["paths"] == [[0, "p\x00"]], "those that are shown are given"
