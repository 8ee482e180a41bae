"""Species: the molecules in the lists of a BuildInput, with the paths of their fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any, Final

from mdfactory.records.fields import flatten, is_molecules

SMILES: Final = "smiles"

Molecule = tuple[str, str, str]
"""Path, name and SMILES of a molecule; the SMILES is empty if it has none."""


MoleculeList = tuple[str, list[str], list[Mapping[str, Any]]]
"""Path of a list of molecules, paths of its molecules, and these."""


def molecule_lists(value: Any, path: str = "") -> Iterator[MoleculeList]:
    """Yield the path of each list of molecules, the paths of its molecules, and these."""
    if not isinstance(value, Mapping):
        return
    for name, child in value.items():
        if isinstance(child, list) and is_molecules(child):
            own = _prefix(path, name)
            yield own, [_prefix(own, _label(molecule)) for molecule in child], child
        else:
            yield from molecule_lists(child, _prefix(path, name))


def molecules_of(paths: Sequence[str], molecules: Sequence[Mapping[str, Any]]) -> list[Molecule]:
    """Return the molecules of a list, whose paths are given."""
    given = [molecule.get(SMILES) for molecule in molecules]
    return [
        (path, _label(molecule), smiles if isinstance(smiles, str) else "")
        for path, molecule, smiles in zip(paths, molecules, given, strict=True)
    ]


def composition_told(lists: Iterable[MoleculeList]) -> str | None:
    """Return the composition that the page makes of the molecules and their counts.

    It is that of `records.fields.composition`, where no molecule comes twice, and no number is
    written otherwise by the page. None: there is none.
    """
    texts = []
    for path, _, molecules in lists:
        counts = [molecule.get("count") for molecule in molecules]
        if any(type(count) not in {int, NoneType} for count in counts):
            return None
        names = map(_label, molecules)
        own = " + ".join(
            name if count is None else f"{name} {count}"
            for name, count in zip(names, counts, strict=True)
        )
        part = ".".join(path.split(".")[1:-1])
        texts += [f"{part}: {own}" if part else own] if own else []
    return " | ".join(texts) or None


def _label(molecule: Mapping[str, Any]) -> str:
    return str(molecule.get("resname", molecule.get("name")))


@lru_cache(maxsize=10_000)
def _prefix(path: str, name: str) -> str:
    """Return the path of a field within a path, as `flatten` writes it."""
    return next(flatten({name: None}, path))[0]
