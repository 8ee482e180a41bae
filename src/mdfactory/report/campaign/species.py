"""Species: the molecules in the lists of a BuildInput, with the paths of their fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from mdfactory.records.fields import flatten, is_molecules

SMILES: Final = "smiles"

Molecule = tuple[str, str, str]
"""Path, name and SMILES of a molecule; the SMILES is empty if it has none."""


def molecule_lists(
    value: Any, path: str = ""
) -> Iterator[tuple[str, list[str], list[Mapping[str, Any]]]]:
    """Yield the path of each list of molecules, the paths of its molecules, and these."""
    if not isinstance(value, Mapping):
        return
    for name, child in value.items():
        if isinstance(child, list) and is_molecules(child):
            own = _prefix(path, name)
            yield own, [_prefix(own, _label(molecule)) for molecule in child], child
        else:
            yield from molecule_lists(child, _prefix(path, name))


def molecules_of(document: Mapping[str, Any]) -> Iterator[Molecule]:
    """Yield the molecules of a BuildInput; a protein is none, since it has no list."""
    for _, names, molecules in molecule_lists(document):
        for name, molecule in zip(names, molecules, strict=True):
            smiles = molecule.get(SMILES)
            yield name, _label(molecule), smiles if isinstance(smiles, str) else ""


def _label(molecule: Mapping[str, Any]) -> str:
    return str(molecule.get("resname", molecule.get("name")))


@lru_cache(maxsize=10_000)
def _prefix(path: str, name: str) -> str:
    """Return the path of a field within a path, as `flatten` writes it."""
    return next(flatten({name: None}, path))[0]
