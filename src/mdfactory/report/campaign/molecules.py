"""Molecules: drawings of the species of a campaign, one for each SMILES."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from typing import Any, Final

from mdfactory.campaign.build_input.species import MAX_SMILES_CHARACTERS, UNREADABLE_CHARACTER
from mdfactory.report.campaign.molecule_lists import MoleculeLists

MAX_MOLECULES: Final = 500
"""Maximum number of drawings in a page; those of most simulations are drawn."""

MAX_ATOMS: Final = 250
"""Maximum number of heavy atoms of a molecule that is drawn."""

MAX_SVG_CHARACTERS: Final = 120_000

NO_PICTURE: Final = -1

COLOURS: Final = {
    "#010203": ("#1f2328", "#e6e6e6"),  # carbon and bonds
    "#0000FE": ("#0b5cad", "#6db3f8"),  # nitrogen
    "#FE0000": ("#b3261e", "#ff8a80"),  # oxygen
    "#00CB00": ("#1b7a3d", "#6fd08c"),  # halogens
    "#B2B100": ("#7a6200", "#e3c34b"),  # sulfur
    "#FE7F00": ("#a04a00", "#ffb066"),  # phosphorus, boron
}
"""Colour that RDKit is told -> what is shown on light and on dark paper."""

NITROGEN, OXYGEN, FLUORINE, PHOSPHORUS, SULFUR, CHLORINE, BROMINE, IODINE = (
    7, 8, 9, 15, 16, 17, 35, 53,
)  # fmt: skip

ATOM_COLOURS: Final = {
    NITROGEN: "#0000FE",
    OXYGEN: "#FE0000",
    FLUORINE: "#00CB00",
    CHLORINE: "#00CB00",
    BROMINE: "#00CB00",
    IODINE: "#00CB00",
    SULFUR: "#B2B100",
    PHOSPHORUS: "#FE7F00",
    -1: "#010203",
}
"""Atomic number, -1 for all others -> a key of `COLOURS`."""

DECLARATION: Final = re.compile(r"<\?xml.*?\?>\s*|<!--.*?-->\s*", re.DOTALL)
NAMESPACES: Final = re.compile(r"\s+(?:xmlns:\w+|xml:space|baseProfile|version)='[^']*'")
CLASSES: Final = re.compile(r"\s+class='[^']*'")
STYLE: Final = re.compile(r"style='([^']*)'")


def draw_molecules(molecules: MoleculeLists) -> dict[str, Any]:
    """Return the drawings of molecules.

    Parameters
    ----------
    molecules
        The molecules of the simulations.

    Returns
    -------
    dict
        ``pictures``: data URIs. ``of``: the number of the picture of each molecule, or
        `NO_PICTURE`.
    """
    numbers: dict[str, int] = {}
    pictures: list[str] = []
    for smiles in _most_common(molecules):
        drawing = draw(smiles)
        if drawing:
            numbers[smiles] = len(pictures)
            pictures.append(drawing)
    return {
        "pictures": pictures,
        "of": [numbers.get(smiles, NO_PICTURE) for _, _, smiles in molecules.kinds],
    }


def _most_common(molecules: MoleculeLists) -> list[str]:
    """Return the SMILES that are drawn, those of most simulations first."""
    counts: Counter[str] = Counter()
    for number, count in Counter(chain.from_iterable(molecules.by_simulation)).items():
        counts[molecules.kinds[number][2]] += count
    given = filter(None, counts)
    return sorted(given, key=lambda smiles: (-counts[smiles], smiles))[:MAX_MOLECULES]


def draw(smiles: str) -> str:
    """Return the drawing of a molecule as a data URI; empty if RDKit cannot draw it.

    The paper is transparent; the colours follow those of the system, dark or light.

    Parameters
    ----------
    smiles
        The SMILES, by whomever it was written.
    """
    svg = _draw_svg(smiles)
    if not svg or len(svg) > MAX_SVG_CHARACTERS:
        return ""
    from urllib.parse import quote

    # Not base64: the data of the page are compressed as a whole.
    return f"data:image/svg+xml,{quote(_adapted(svg), safe=SAFE_CHARACTERS)}"


SAFE_CHARACTERS: Final = " !$'()*+,-./:;=?@_~"
"""Characters of a data URI that are not escaped; quotes of attributes are single ones."""


def _draw_svg(smiles: str) -> str:
    from rdkit import Chem, rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    if not smiles or len(smiles) > MAX_SMILES_CHARACTERS or UNREADABLE_CHARACTER.search(smiles):
        return ""
    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(smiles)
        if molecule is None or not 0 < molecule.GetNumAtoms() <= MAX_ATOMS:
            return ""
        drawer = rdMolDraw2D.MolDraw2DSVG(-1, -1)
        _set_options(drawer.drawOptions())
        try:
            rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
        except (RuntimeError, ValueError):  # it cannot be placed
            return ""
        drawer.FinishDrawing()
        return str(drawer.GetDrawingText())


def _set_options(options: Any) -> None:
    options.clearBackground = False
    options.scalingFactor = PIXELS_PER_BOND
    options.bondLineWidth = 2
    options.padding = 0.08
    options.setAtomPalette({number: _rgb(text) for number, text in ATOM_COLOURS.items()})


PIXELS_PER_BOND: Final = 24


def _rgb(text: str) -> tuple[float, ...]:
    return tuple(int(text[start : start + 2], 16) / 255 for start in (1, 3, 5))


def _adapted(svg: str) -> str:
    """Return an SVG without what is not needed, whose colours follow the system."""
    text = CLASSES.sub("", NAMESPACES.sub("", DECLARATION.sub("", svg)))
    text = STYLE.sub(_attributes, text)
    for number, (told, (light, _)) in enumerate(COLOURS.items()):
        text = text.replace(told, f"var(--c{number},{light})")
    start = text.index(">") + 1  # of the root element
    return " ".join(f"{text[:start]}{STYLE_SHEET}{text[start:]}".split())


def _attributes(match: re.Match[str]) -> str:
    """Return a style as attributes, without those that have their initial values."""
    pairs = (pair.partition(":") for pair in match[1].split(";") if pair)
    return " ".join(
        f"{name}='{value}'" for name, _, value in pairs if f"{name}:{value}" not in INITIAL_STYLES
    )


INITIAL_STYLES: Final = frozenset(
    {
        "fill-rule:evenodd",
        "stroke-linecap:butt",
        "stroke-linejoin:miter",
        "stroke-opacity:1",
        "fill-opacity:1",
    }
)
"""Parts of styles without an effect on the drawings of molecules."""


def _rule(which: int) -> str:
    colours = (f"--c{number}:{pair[which]}" for number, pair in enumerate(COLOURS.values()))
    return f"svg{{{';'.join(colours)}}}"


STYLE_SHEET: Final = f"<style>{_rule(0)}@media(prefers-color-scheme:dark){{{_rule(1)}}}</style>"
"""Colours on light paper, and on dark paper."""
