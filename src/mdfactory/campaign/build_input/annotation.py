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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

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
    head = next(_head_candidates(lipid), None)
    if head is None:
        raise AnnotationError(smiles, "it has no head: no end leads to an N, O, S or P")
    tails = _find_tail_atoms(lipid, head)
    if not tails:
        raise AnnotationError(smiles, f"it has a head, atom {head}, but no tail")
    return LipidAtoms((head,), tails, tuple(sorted(lipid.branch_atoms - {head})))


@dataclass(frozen=True, slots=True)
class _Lipid:
    """Graph of a lipid's heavy atoms; atoms are indices.

    Parameters
    ----------
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

    elements: dict[int, str]
    bonds: Bonds
    hydroxyls: tuple[int, ...]
    terminal_by_end: dict[int, int]
    branch_atoms: frozenset[int]


def _walk(bonds: Bonds, start: int) -> dict[int, int]:
    """Return atom -> its distance from `start` in bonds, in breadth-first order.

    Neighbours are visited in ascending order, which decides between paths of equal length.
    """
    distances = {start: 0}
    queue = deque([start])
    while queue:
        atom = queue.popleft()
        for neighbour in bonds[atom]:
            if neighbour not in distances:
                distances[neighbour] = distances[atom] + 1
                queue.append(neighbour)
    return distances


def _walk_near_end(bonds: Bonds, end: int) -> dict[int, int]:
    """Return the atoms within `TRIM_ROUNDS` bonds of an end, including those trimmed from it."""
    walk = _walk(bonds, end)
    return {atom: distance for atom, distance in walk.items() if distance <= TRIM_ROUNDS}


def _parse_lipid(smiles: str) -> _Lipid:
    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(smiles)  # None if invalid, contrary to the stubs
    if molecule is None:
        raise AnnotationError(smiles, "RDKit cannot parse it")
    # RDKit keeps some hydrogens, such as [2H] and those of C=N stereo. They take indices.
    atoms = {atom.GetIdx(): atom for atom in molecule.GetAtoms() if atom.GetSymbol() != "H"}
    if not atoms:
        raise AnnotationError(smiles, "it has no heavy atoms")
    elements = {index: atom.GetSymbol() for index, atom in atoms.items()}
    bonds = {
        index: tuple(sorted(atoms.keys() & {other.GetIdx() for other in atom.GetNeighbors()}))
        for index, atom in atoms.items()
    }
    if len(_walk(bonds, min(bonds))) < len(bonds):
        raise AnnotationError(smiles, "it consists of several fragments")
    trimmed = bonds
    for _ in range(TRIM_ROUNDS):
        trimmed = _remove_leaves(trimmed)
    crossings = frozenset(atom for atom in trimmed if len(trimmed[atom]) > 2)  # noqa: PLR2004
    if len(crossings) > 1:
        crossings = frozenset(index for index in crossings if not atoms[index].IsInRing())
    return _Lipid(
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
        branch_atoms=crossings,
    )


def _remove_leaves(bonds: Bonds) -> Bonds:
    inner = {atom for atom in bonds if len(bonds[atom]) != 1}
    return {atom: tuple(n for n in bonds[atom] if n in inner) for atom in bonds if atom in inner}


def _find_terminals(smiles: str, bonds: Bonds, trimmed: Bonds) -> dict[int, int]:
    """Return end -> its terminal; of leaves at the same distance, the one of lowest index."""
    terminal_by_end: dict[int, int] = {}
    for end in (atom for atom in trimmed if len(trimmed[atom]) == 1):
        near = _walk_near_end(bonds, end)
        _, terminal = min((near[atom], atom) for atom in near if len(bonds[atom]) == 1)
        if terminal in terminal_by_end.values():
            raise AnnotationError(smiles, f"two of its ends share atom {terminal} as terminal")
        terminal_by_end[end] = terminal
    return terminal_by_end


def _head_candidates(lipid: _Lipid) -> Iterator[int]:
    """Yield the atoms that the rules for the head find, in the order of the rules.

    The rules: (a) a hydroxyl, (b) a nitrogen near an end, (c) the nitrogen and (d) the oxygen
    remotest from all ends, that is with the largest sum of distances, (e) the heteroatom farthest
    from the first end. Branch atoms count only for (a) and (e).
    """
    yield from lipid.hydroxyls
    nitrogens, oxygens = (
        {atom for atom in lipid.elements if lipid.elements[atom] == element} - lipid.branch_atoms
        for element in "NO"
    )
    for end in lipid.terminal_by_end:
        yield from (atom for atom in _walk_near_end(lipid.bonds, end) if atom in nitrogens)
    for candidates in (nitrogens, oxygens):
        distance_sums: dict[int, int] = {}
        for end in lipid.terminal_by_end:
            for atom, distance in _walk(lipid.bonds, end).items():
                if atom in candidates and atom != end:
                    distance_sums[atom] = distance_sums.get(atom, 0) + distance
        if distance_sums:
            # Of equal sums, max returns the atom that was added first: the walks decide.
            yield max(distance_sums, key=distance_sums.__getitem__)
    for end in lipid.terminal_by_end:
        distances = _walk(lipid.bonds, end)
        heteroatoms = [atom for atom in distances if lipid.elements[atom] in HETEROATOMS]
        if heteroatoms:
            yield max(heteroatoms, key=distances.__getitem__)


def _find_tail_atoms(lipid: _Lipid, head: int) -> tuple[int, ...]:
    """Return the terminals of the long tails, or of all-carbon chains if no tail is long."""
    excluded = {head}
    if lipid.elements[head] == "N":  # short chains of an amine are no tails
        excluded.update(atom for atom in lipid.bonds[head] if lipid.elements[atom] == "C")
    ends = [
        end
        for end, terminal in lipid.terminal_by_end.items()
        if end not in excluded and lipid.elements[terminal] == "C"
    ]
    tail_ends = _find_long_tails(lipid, head, ends)
    if not tail_ends:
        tail_ends = [end for end in ends if _is_carbon_chain(lipid, end)]
    return tuple(lipid.terminal_by_end[end] for end in tail_ends)


def _find_long_tails(lipid: _Lipid, head: int, ends: list[int]) -> list[int]:
    """Return the ends that are far from the head.

    Far means at least `MIN_TAIL_BONDS`: from the end to the branch atom nearest to the head, and
    from its terminal to the head. Without branch atoms, any distance is enough.
    """
    if not lipid.branch_atoms:
        return ends
    from_head = _walk(lipid.bonds, head)
    nearest_branch = min(lipid.branch_atoms, key=lambda branch: (from_head[branch], branch))
    from_branch = _walk(lipid.bonds, nearest_branch)
    return [
        end
        for end in ends
        if from_branch[end] >= MIN_TAIL_BONDS
        and from_head[lipid.terminal_by_end[end]] >= MIN_TAIL_BONDS
    ]


def _is_carbon_chain(lipid: _Lipid, end: int) -> bool:
    """Whether all atoms from an end to its nearest branch atom are carbon."""
    distances = _walk(lipid.bonds, end)
    _, atom = min((distances[branch], branch) for branch in lipid.branch_atoms)
    while atom != end and lipid.elements[atom] == "C":
        # The walk came to this atom from the first of its neighbours that are nearer to the end.
        atom = min(lipid.bonds[atom], key=list(distances).index)
    return lipid.elements[atom] == "C"
