"""Substructures: which molecules contain given fragments, as RDKit finds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from rdkit import Chem, rdBase

from mdfactory.campaign.build_input.species import MAX_SMILES_CHARACTERS, UNREADABLE_CHARACTER
from mdfactory.errors import QueryError

SMARTS_PREFIX: Final = "smarts:"

MAX_MOLECULES: Final = 65_536
"""Number of molecules whose answers are remembered."""


def substructure_matcher(fragments: Sequence[str]) -> Callable[[str], tuple[bool, ...]]:
    """Return a function that tells which fragments a molecule contains.

    Stereochemistry is not compared, as is RDKit's default.

    Parameters
    ----------
    fragments
        SMILES of the fragments; SMARTS after ``smarts:``.

    Returns
    -------
    callable
        Takes the SMILES of a molecule, and returns whether it contains each fragment; each distinct
        SMILES is looked at once. One that RDKit cannot read contains none.

    Raises
    ------
    QueryError
        If RDKit cannot read a fragment.

    Examples
    --------
    >>> from mdfactory.campaign.substructure import substructure_matcher
    >>> contains = substructure_matcher(["CO", "smarts:[OX2H]", "N"])
    >>> contains("CCO")
    (True, True, False)
    """
    patterns = [_parse(fragment) for fragment in fragments]

    @lru_cache(maxsize=MAX_MOLECULES)
    def contains(smiles: str) -> tuple[bool, ...]:
        molecule = _read(Chem.MolFromSmiles, smiles)
        if molecule is None:
            return (False,) * len(patterns)
        return tuple(bool(molecule.HasSubstructMatch(pattern)) for pattern in patterns)

    return contains


def _parse(fragment: str) -> Any:
    """Return the molecule of a fragment."""
    text = fragment.strip()
    is_smarts = text.startswith(SMARTS_PREFIX)
    text = text.removeprefix(SMARTS_PREFIX).strip()
    molecule = _read(Chem.MolFromSmarts if is_smarts else Chem.MolFromSmiles, text)
    if molecule is None or not molecule.GetNumAtoms():
        kind = "SMARTS" if is_smarts else "SMILES"
        hint = "" if is_smarts else f"; a pattern begins with {SMARTS_PREFIX}"
        if not is_smarts and text.isalpha():
            hint = ", and a name is none: that of acetone is CC(=O)C"
        raise QueryError(f"--contains {fragment!r:.200}: RDKit cannot read this {kind}{hint}")
    return molecule


def _read(parse: Callable[[str], Any], text: str) -> Any:
    """Return the molecule that RDKit reads; None if it cannot, or would ignore a part."""
    if len(text) > MAX_SMILES_CHARACTERS or UNREADABLE_CHARACTER.search(text):
        return None
    with rdBase.BlockLogs():
        return parse(text)
