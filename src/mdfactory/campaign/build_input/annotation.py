"""The head, tail and branch atoms of a lipid, read off its canonical SMILES alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import takewhile
from typing import Any, Final, NamedTuple

from rdkit import Chem, rdBase

__all__ = ["AnnotationError", "LipidAtoms", "annotate"]

TRIMS: Final = 2  # rounds; an end thus lies at most as many bonds from a terminal
TAIL: Final = (
    6  # bonds; the least from a branch point to a tail's end, and from the head to its terminal
)
HETEROATOMS: Final = frozenset({"N", "O", "S", "P"})

Bonds = dict[int, tuple[int, ...]]


class AnnotationError(ValueError):
    """A molecule that cannot be read as a lipid.

    Parameters
    ----------
    smiles
        Canonical SMILES of the molecule.
    reason
        What stands in the way.
    """

    def __init__(self, smiles: str, reason: str) -> None:
        super().__init__(
            f"{smiles} cannot be read as a lipid: {reason}; "
            "give head_atoms, tail_atoms and branch_atoms yourself, none of them empty"
        )
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LipidAtoms:
    """Atoms that orient a lipid, as RDKit's 0-based indices into its canonical SMILES.

    Parameters
    ----------
    head_atoms
        The one atom that faces the water.
    tail_atoms
        The last carbon of each tail, in ascending order of the tails' ends.
    branch_atoms
        Where chains part, ascending; may be empty.
    """

    head_atoms: tuple[int, ...]
    tail_atoms: tuple[int, ...]
    branch_atoms: tuple[int, ...]


@lru_cache(maxsize=4096)
def annotate(smiles: str) -> LipidAtoms:
    """Find the head, the tails and the branch points of a lipid.

    Parameters
    ----------
    smiles
        SMILES already in canonical form: the answer counts atoms as RDKit reads this string.

    Returns
    -------
    LipidAtoms
        Exactly one head atom, at least one tail atom, any number of branch atoms.

    Raises
    ------
    AnnotationError
        If the string does not parse or is no single molecule, if two ends share a terminal, or if
        no head or no tail shows.

    Notes
    -----
    The rules are this project's own ("Lipid annotation" in its description of BuildInput). Hashes
    of existing simulations hang on every one of their tie-breaks.

    Examples
    --------
    >>> from mdfactory.campaign.build_input.annotation import annotate
    >>> annotate("CCCCCCCCCCCCO")
    LipidAtoms(head_atoms=(12,), tail_atoms=(0,), branch_atoms=())
    """
    lipid = _read(smiles)
    head = _head(lipid)
    return LipidAtoms(
        head_atoms=(head,),
        tail_atoms=_tail_atoms(lipid, head),
        branch_atoms=tuple(sorted(lipid.branches - {head})),
    )


@dataclass(frozen=True, slots=True)
class _Lipid:
    smiles: str
    elements: dict[int, str]
    bonds: Bonds
    hydroxyls: tuple[int, ...]
    terminals: dict[int, int]  # of the ends, which ascend
    branches: frozenset[int]


class _Step(NamedTuple):
    atom: int
    distance: int
    previous: _Step | None


def _walk(bonds: Bonds, start: int) -> Iterator[_Step]:
    """Yield the atoms breadth-first, the start included, each by the path that met it first."""
    met = {start}
    queue = deque([_Step(start, 0, None)])
    while queue:
        step = queue.popleft()
        yield step
        for atom in bonds[step.atom]:
            if atom not in met:
                met.add(atom)
                queue.append(_Step(atom, step.distance + 1, step))


def _near(bonds: Bonds, end: int) -> Iterator[_Step]:
    return takewhile(lambda step: step.distance <= TRIMS, _walk(bonds, end))


def _path(step: _Step | None) -> Iterator[int]:
    while step:
        yield step.atom
        step = step.previous


def _distances(bonds: Bonds, start: int) -> dict[int, int]:
    return {step.atom: step.distance for step in _walk(bonds, start)}


def _read(smiles: str) -> _Lipid:
    heavy = _heavy_atoms(smiles)
    elements = {number: atom.GetSymbol() for number, atom in heavy.items()}
    bonds = _bonds(heavy)
    if len(_distances(bonds, min(bonds))) < len(bonds):
        raise AnnotationError(smiles, "it is in several parts")
    trimmed = bonds
    for _ in range(TRIMS):
        trimmed = _trim(trimmed)
    return _Lipid(
        smiles=smiles,
        elements=elements,
        bonds=bonds,
        hydroxyls=tuple(
            number
            for number, atom in heavy.items()
            if elements[number] == "O"
            and [elements[neighbour] for neighbour in bonds[number]] == ["C"]
            and atom.GetTotalNumHs(includeNeighbors=True)
        ),
        terminals=_terminals(smiles, bonds, trimmed),
        branches=_branches(trimmed, {number for number in heavy if heavy[number].IsInRing()}),
    )


def _heavy_atoms(smiles: str) -> dict[int, Any]:
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise AnnotationError(smiles, "RDKit cannot parse it")
    # RDKit keeps the hydrogens of [2H] and of C=N stereo: they are no nodes, yet use up numbers
    heavy = {atom.GetIdx(): atom for atom in molecule.GetAtoms() if atom.GetSymbol() != "H"}
    if not heavy:
        raise AnnotationError(smiles, "it has no heavy atom")
    return heavy


def _bonds(heavy: dict[int, Any]) -> Bonds:
    """Return the neighbours of each atom, ascending: tie-breaks of every walk rest on it."""
    neighbours = {
        number: {neighbour.GetIdx() for neighbour in atom.GetNeighbors()}
        for number, atom in heavy.items()
    }
    return {number: tuple(sorted(those & heavy.keys())) for number, those in neighbours.items()}


def _trim(bonds: Bonds) -> Bonds:
    kept = {atom for atom in bonds if len(bonds[atom]) != 1}
    return {atom: tuple(n for n in bonds[atom] if n in kept) for atom in bonds if atom in kept}


def _terminals(smiles: str, bonds: Bonds, trimmed: Bonds) -> dict[int, int]:
    terminals: dict[int, int] = {}
    for end in (atom for atom in trimmed if len(trimmed[atom]) == 1):
        leaves = (step for step in _near(bonds, end) if len(bonds[step.atom]) == 1)
        terminal = min(leaves, key=lambda step: (step.distance, step.atom)).atom
        if terminal in terminals.values():
            raise AnnotationError(smiles, f"two of its ends share atom {terminal} as terminal")
        terminals[end] = terminal
    return terminals


def _branches(trimmed: Bonds, rings: set[int]) -> frozenset[int]:
    crossings = frozenset(atom for atom in trimmed if len(trimmed[atom]) > 2)  # noqa: PLR2004
    return crossings if len(crossings) == 1 else crossings - rings


def _head(lipid: _Lipid) -> int:
    rules: tuple[Callable[[_Lipid], int | None], ...] = (
        lambda lipid: min(lipid.hydroxyls, default=None),
        _nitrogen_at_an_end,
        partial(_remotest, element="N"),
        partial(_remotest, element="O"),
        _farthest_heteroatom,
    )
    heads = (rule(lipid) for rule in rules)
    head = next((atom for atom in heads if atom is not None), None)
    if head is None:
        raise AnnotationError(lipid.smiles, "it has no head, as no end leads to an N, O, S or P")
    return head


def _nitrogen_at_an_end(lipid: _Lipid) -> int | None:
    steps = (step for end in lipid.terminals for step in _near(lipid.bonds, end))
    nitrogens = _off_branch(lipid, "N")
    return next((step.atom for step in steps if step.atom in nitrogens), None)


def _off_branch(lipid: _Lipid, element: str) -> set[int]:
    return {atom for atom in lipid.elements if lipid.elements[atom] == element} - lipid.branches


def _remotest(lipid: _Lipid, element: str) -> int | None:
    """Return the atom of this element whose distances from the ends have the largest sum."""
    candidates = _off_branch(lipid, element)
    if not candidates:
        return None
    sums: dict[int, int] = {}
    for end in lipid.terminals:
        for step in _walk(lipid.bonds, end):
            if step.atom in candidates and step.atom != end:
                sums[step.atom] = sums.get(step.atom, 0) + step.distance
    # the dict keeps the order of the walks, and max the first of equals
    return max(sums, key=sums.__getitem__, default=None)


def _farthest_heteroatom(lipid: _Lipid) -> int | None:
    for end in lipid.terminals:
        steps = [s for s in _walk(lipid.bonds, end) if lipid.elements[s.atom] in HETEROATOMS]
        if steps:
            return max(steps, key=lambda step: step.distance).atom
    return None


def _tail_atoms(lipid: _Lipid, head: int) -> tuple[int, ...]:
    excluded = {head}
    if lipid.elements[head] == "N":
        excluded.update(n for n in lipid.bonds[head] if lipid.elements[n] == "C")
    ends = [end for end in lipid.terminals if end not in excluded]
    tails = _long_tails(lipid, head, ends) or [end for end in ends if _hangs_on_carbon(lipid, end)]
    atoms = tuple(lipid.terminals[end] for end in tails if _stops_in_carbon(lipid, end))
    if not atoms:
        raise AnnotationError(lipid.smiles, f"it has no tail to its head, atom {head}")
    return atoms


def _stops_in_carbon(lipid: _Lipid, end: int) -> bool:
    return lipid.elements[lipid.terminals[end]] == "C"


def _long_tails(lipid: _Lipid, head: int, ends: list[int]) -> list[int]:
    ends = [end for end in ends if _stops_in_carbon(lipid, end)]
    if not lipid.branches:
        return ends
    from_head = _distances(lipid.bonds, head)
    nearest = min(lipid.branches, key=lambda branch: (from_head[branch], branch))
    from_branch = _distances(lipid.bonds, nearest)
    return [e for e in ends if from_branch[e] >= TAIL and from_head[lipid.terminals[e]] >= TAIL]


def _hangs_on_carbon(lipid: _Lipid, end: int) -> bool:
    """Tell whether nothing but carbon leads from the end to its nearest branch point."""
    reached = (step for step in _walk(lipid.bonds, end) if step.atom in lipid.branches)
    nearest = min(reached, key=lambda step: (step.distance, step.atom), default=None)
    return nearest is not None and all(lipid.elements[atom] == "C" for atom in _path(nearest))
