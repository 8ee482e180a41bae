"""The head, tail and branch atoms of a lipid, computed from its canonical SMILES.

The rules work on the graph of the heavy atoms and use these terms:

- A *leaf* is an atom with one bond.
- The *trimmed* graph is what remains after the leaves are removed twice.
- An *end* is a leaf of the trimmed graph.
- The *terminal* of an end is the leaf of the whole graph that is nearest to it.
- A *branch atom* is an atom with more than two bonds in the trimmed graph. If there are several,
  those in rings do not count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import takewhile
from typing import Any, Final, NamedTuple

from rdkit import Chem, rdBase

TRIM_ROUNDS: Final = 2
"""Number of times that leaves are removed; an end is at most this many bonds from its terminal."""

MIN_TAIL_BONDS: Final = 6
"""Smallest distance between the end of a tail and the branch atom nearest to the head, and between
the terminal of the tail and the head."""

HETEROATOMS: Final = frozenset({"N", "O", "S", "P"})

Bonds = dict[int, tuple[int, ...]]
"""Atom -> its neighbours in ascending order."""


class AnnotationError(ValueError):
    """The head and the tails of a molecule cannot be identified.

    Parameters
    ----------
    smiles
        Canonical SMILES of the molecule.
    reason
        Why they cannot be identified.
    """

    def __init__(self, smiles: str, reason: str) -> None:
        super().__init__(
            f"{smiles} cannot be read as a lipid: {reason}; "
            "give head_atoms, tail_atoms and branch_atoms explicitly, none of them empty"
        )
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LipidAtoms:
    """Atoms that orient a lipid, as RDKit's 0-based indices into its canonical SMILES.

    Parameters
    ----------
    head_atoms
        The single atom that faces the water.
    tail_atoms
        The last carbon of each tail, in ascending order of the tails' ends.
    branch_atoms
        The atoms at which chains branch, in ascending order; may be empty.
    """

    head_atoms: tuple[int, ...]
    tail_atoms: tuple[int, ...]
    branch_atoms: tuple[int, ...]


@lru_cache(maxsize=4096)
def annotate(smiles: str) -> LipidAtoms:
    """Identify the head, the tails and the branch atoms of a lipid.

    Parameters
    ----------
    smiles
        Canonical SMILES; the result has the atom indices of exactly this text.

    Returns
    -------
    LipidAtoms
        Exactly one head atom, at least one tail atom, any number of branch atoms.

    Raises
    ------
    AnnotationError
        If the SMILES is invalid or has several fragments, if two ends share a terminal, or if
        there is no head or no tail.

    Notes
    -----
    The rules are specific to this project. The hashes of existing simulations depend on each of
    them and on the order in which atoms are visited where several fulfil a rule.

    Examples
    --------
    >>> from mdfactory.campaign.build_input.annotation import annotate
    >>> annotate("CCCCCCCCCCCCO")
    LipidAtoms(head_atoms=(12,), tail_atoms=(0,), branch_atoms=())
    """
    lipid = _parse_lipid(smiles)
    head = _find_head(lipid)
    return LipidAtoms(
        head_atoms=(head,),
        tail_atoms=_find_tail_atoms(lipid, head),
        branch_atoms=tuple(sorted(lipid.branch_atoms - {head})),
    )


@dataclass(frozen=True, slots=True)
class _Lipid:
    """Graph of a lipid's heavy atoms; atoms are indices.

    Parameters
    ----------
    smiles
        The canonical SMILES, for messages.
    elements
        Atom -> symbol of its element.
    bonds
        Atom -> its neighbours.
    hydroxyls
        The oxygens of hydroxyl groups on carbon, in ascending order.
    terminal_by_end
        End -> its terminal; the ends are in ascending order.
    branch_atoms
        The branch atoms, which may include the head.
    """

    smiles: str
    elements: dict[int, str]
    bonds: Bonds
    hydroxyls: tuple[int, ...]
    terminal_by_end: dict[int, int]
    branch_atoms: frozenset[int]


class _Step(NamedTuple):
    """An atom on a walk, its distance from the start in bonds, and the step before it."""

    atom: int
    distance: int
    previous: _Step | None


def _walk(bonds: Bonds, start: int) -> Iterator[_Step]:
    """Yield each atom once, breadth-first, beginning with `start`.

    Neighbours are visited in ascending order, which decides between paths of equal length.
    """
    visited = {start}
    queue = deque([_Step(start, 0, None)])
    while queue:
        step = queue.popleft()
        yield step
        for atom in bonds[step.atom]:
            if atom not in visited:
                visited.add(atom)
                queue.append(_Step(atom, step.distance + 1, step))


def _walk_near_end(bonds: Bonds, end: int) -> Iterator[_Step]:
    """Yield the atoms within `TRIM_ROUNDS` bonds of an end, including those trimmed from it."""
    return takewhile(lambda step: step.distance <= TRIM_ROUNDS, _walk(bonds, end))


def _path_back(step: _Step | None) -> Iterator[int]:
    """Yield the atoms from a step back to the start of its walk."""
    while step:
        yield step.atom
        step = step.previous


def _distances(bonds: Bonds, start: int) -> dict[int, int]:
    return {step.atom: step.distance for step in _walk(bonds, start)}


def _parse_lipid(smiles: str) -> _Lipid:
    atoms = _parse_heavy_atoms(smiles)
    elements = {index: atom.GetSymbol() for index, atom in atoms.items()}
    bonds = _find_bonds(atoms)
    if len(_distances(bonds, min(bonds))) < len(bonds):
        raise AnnotationError(smiles, "it consists of several fragments")
    trimmed = bonds
    for _ in range(TRIM_ROUNDS):
        trimmed = _remove_leaves(trimmed)
    ring_atoms = {index for index, atom in atoms.items() if atom.IsInRing()}
    return _Lipid(
        smiles=smiles,
        elements=elements,
        bonds=bonds,
        hydroxyls=tuple(
            index
            for index, atom in atoms.items()
            if elements[index] == "O"
            and [elements[neighbour] for neighbour in bonds[index]] == ["C"]
            and atom.GetTotalNumHs(includeNeighbors=True)
        ),
        terminal_by_end=_find_terminals(smiles, bonds, trimmed),
        branch_atoms=_find_branch_atoms(trimmed, ring_atoms),
    )


def _parse_heavy_atoms(smiles: str) -> dict[int, Any]:
    """Return index -> RDKit's atom, without hydrogens."""
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise AnnotationError(smiles, "RDKit cannot parse it")
    # RDKit keeps some hydrogens, such as [2H] and those of C=N stereo. They take indices.
    atoms = {atom.GetIdx(): atom for atom in molecule.GetAtoms() if atom.GetSymbol() != "H"}
    if not atoms:
        raise AnnotationError(smiles, "it has no heavy atoms")
    return atoms


def _find_bonds(atoms: dict[int, Any]) -> Bonds:
    neighbours = {
        index: {neighbour.GetIdx() for neighbour in atom.GetNeighbors()}
        for index, atom in atoms.items()
    }
    return {index: tuple(sorted(neighbours[index] & atoms.keys())) for index in atoms}


def _remove_leaves(bonds: Bonds) -> Bonds:
    inner = {atom for atom in bonds if len(bonds[atom]) != 1}
    return {atom: tuple(n for n in bonds[atom] if n in inner) for atom in bonds if atom in inner}


def _find_terminals(smiles: str, bonds: Bonds, trimmed: Bonds) -> dict[int, int]:
    """Return end -> its terminal; of leaves at the same distance, the one of lowest index."""
    terminal_by_end: dict[int, int] = {}
    for end in (atom for atom in trimmed if len(trimmed[atom]) == 1):
        leaves = (step for step in _walk_near_end(bonds, end) if len(bonds[step.atom]) == 1)
        terminal = min(leaves, key=lambda step: (step.distance, step.atom)).atom
        if terminal in terminal_by_end.values():
            raise AnnotationError(smiles, f"two of its ends share atom {terminal} as terminal")
        terminal_by_end[end] = terminal
    return terminal_by_end


def _find_branch_atoms(trimmed: Bonds, ring_atoms: set[int]) -> frozenset[int]:
    crossings = frozenset(atom for atom in trimmed if len(trimmed[atom]) > 2)  # noqa: PLR2004
    return crossings if len(crossings) == 1 else crossings - ring_atoms


def _find_head(lipid: _Lipid) -> int:
    """Return the head atom by the first rule that finds an atom.

    The rules, in their order: (a) a hydroxyl, (b) a nitrogen near an end, (c) the nitrogen and
    (d) the oxygen remotest from all ends, (e) the heteroatom farthest from the first end.
    """
    rules: tuple[Callable[[_Lipid], int | None], ...] = (
        lambda lipid: min(lipid.hydroxyls, default=None),
        _find_nitrogen_near_end,
        partial(_find_remotest_atom, element="N"),
        partial(_find_remotest_atom, element="O"),
        _find_farthest_heteroatom,
    )
    candidates = (rule(lipid) for rule in rules)
    head = next((atom for atom in candidates if atom is not None), None)
    if head is None:
        raise AnnotationError(lipid.smiles, "it has no head: no end leads to an N, O, S or P")
    return head


def _find_nitrogen_near_end(lipid: _Lipid) -> int | None:
    steps = (step for end in lipid.terminal_by_end for step in _walk_near_end(lipid.bonds, end))
    nitrogens = _unbranched_atoms(lipid, "N")
    return next((step.atom for step in steps if step.atom in nitrogens), None)


def _unbranched_atoms(lipid: _Lipid, element: str) -> set[int]:
    """Return the atoms of an element that are no branch atoms."""
    atoms = {atom for atom in lipid.elements if lipid.elements[atom] == element}
    return atoms - lipid.branch_atoms


def _find_remotest_atom(lipid: _Lipid, element: str) -> int | None:
    """Return the unbranched atom of an element with the largest sum of distances from the ends."""
    candidates = _unbranched_atoms(lipid, element)
    if not candidates:
        return None
    distance_sums: dict[int, int] = {}
    for end in lipid.terminal_by_end:
        for step in _walk(lipid.bonds, end):
            if step.atom in candidates and step.atom != end:
                distance_sums[step.atom] = distance_sums.get(step.atom, 0) + step.distance
    # Of equal sums, max returns the atom that was added first: the order of the walks decides.
    return max(distance_sums, key=distance_sums.__getitem__, default=None)


def _find_farthest_heteroatom(lipid: _Lipid) -> int | None:
    """Return the heteroatom farthest from the first end."""
    for end in lipid.terminal_by_end:
        steps = [
            step for step in _walk(lipid.bonds, end) if lipid.elements[step.atom] in HETEROATOMS
        ]
        if steps:
            return max(steps, key=lambda step: step.distance).atom
    return None


def _find_tail_atoms(lipid: _Lipid, head: int) -> tuple[int, ...]:
    """Return the terminals of the long tails, or of all-carbon chains if no tail is long."""
    excluded = {head}
    if lipid.elements[head] == "N":  # short chains of an amine are no tails
        excluded.update(atom for atom in lipid.bonds[head] if lipid.elements[atom] == "C")
    ends = [end for end in lipid.terminal_by_end if end not in excluded]
    tail_ends = _find_long_tails(lipid, head, ends)
    if not tail_ends:
        tail_ends = [end for end in ends if _is_carbon_chain(lipid, end)]
    atoms = tuple(
        lipid.terminal_by_end[end] for end in tail_ends if _has_carbon_terminal(lipid, end)
    )
    if not atoms:
        raise AnnotationError(lipid.smiles, f"it has a head, atom {head}, but no tail")
    return atoms


def _has_carbon_terminal(lipid: _Lipid, end: int) -> bool:
    return lipid.elements[lipid.terminal_by_end[end]] == "C"


def _find_long_tails(lipid: _Lipid, head: int, ends: list[int]) -> list[int]:
    """Return the ends with a carbon terminal that are far from the head.

    Far means at least `MIN_TAIL_BONDS`: from the end to the branch atom nearest to the head, and
    from its terminal to the head. Without branch atoms, any distance is enough.
    """
    ends = [end for end in ends if _has_carbon_terminal(lipid, end)]
    if not lipid.branch_atoms:
        return ends
    from_head = _distances(lipid.bonds, head)
    nearest_branch = min(lipid.branch_atoms, key=lambda branch: (from_head[branch], branch))
    from_branch = _distances(lipid.bonds, nearest_branch)
    return [
        end
        for end in ends
        if from_branch[end] >= MIN_TAIL_BONDS
        and from_head[lipid.terminal_by_end[end]] >= MIN_TAIL_BONDS
    ]


def _is_carbon_chain(lipid: _Lipid, end: int) -> bool:
    """Whether all atoms from an end to its nearest branch atom are carbon."""
    branch_steps = (step for step in _walk(lipid.bonds, end) if step.atom in lipid.branch_atoms)
    nearest = min(branch_steps, key=lambda step: (step.distance, step.atom), default=None)
    return nearest is not None and all(lipid.elements[atom] == "C" for atom in _path_back(nearest))
