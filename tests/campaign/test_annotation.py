"""The head, tail and branch atoms of a lipid: recorded ones, and rules applied by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from mdfactory.campaign.build_input.annotation import AnnotationError, LipidAtoms, annotate

DATA_FOLDER = Path(__file__).parent.parent / "data"
KEYS = ("head_atoms", "tail_atoms", "branch_atoms")


def recorded_annotations() -> list[dict[str, Any]]:
    samples: list[dict[str, Any]] = json.loads((DATA_FOLDER / "lipid_annotations.json").read_text())
    return samples


def lipids_of_identity_vectors() -> Iterator[dict[str, Any]]:
    for vector in json.loads((DATA_FOLDER / "identity_vectors.json").read_text()):
        system = json.loads(vector["canonical_json"])["system"]
        species = system.get("species", []) + system.get("shell", {}).get("species", [])
        yield from (lipid for lipid in species if "head_atoms" in lipid)


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())


def lipid_atoms(sample: dict[str, Any]) -> LipidAtoms:
    return LipidAtoms(*(tuple(sample[key]) for key in KEYS))


def canonical(smiles: str) -> str:
    return str(Chem.MolToSmiles(Chem.MolFromSmiles(smiles)))


def renumbered(smiles: str, rng: Random) -> str:
    molecule = Chem.MolFromSmiles(smiles)
    order = list(range(molecule.GetNumAtoms()))
    rng.shuffle(order)
    return str(Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order)))


RECORDED = {sample["smiles"]: lipid_atoms(sample) for sample in recorded_annotations()}
VECTORS = {sample["smiles"]: lipid_atoms(sample) for sample in lipids_of_identity_vectors()}
SAMPLES = RECORDED | VECTORS


def test_samples_are_complete() -> None:
    assert len(RECORDED) == 120
    assert VECTORS


@pytest.mark.parametrize("smiles", SAMPLES)
def test_annotate_reproduces_the_samples(smiles: str) -> None:
    assert annotate(smiles) == SAMPLES[smiles]


# Each case is worked out by hand from the rules. "trim" lists what the two rounds take away;
# d(a, b) counts bonds. Numbers are those of the string, from 0 at its left.
WORKED_CASES = [
    # ---- head, rule a
    # O9 is the hydroxyl of an acid, which counts. trim 0 8 9, 1 7; ends 2 6; 6 stops in O8 (8 < 9).
    ("acid hydroxyl", "CCCCCCCC(=O)O", "9", "0", ""),
    # O9 has lost its hydrogen, so rule d: 8 and 9 lie 6 from end 2, 2 from end 6; 8 is met first.
    ("no hydrogen, no hydroxyl", "CCCCCCCC(=O)[O-]", "8", "0", ""),
    # The OH stand on P. trim 0 8 9 10, 1 7; ends 2 6. Rule d: O6 is an end, so 4 from end 2 alone;
    # 8, 9 and 10 each 6 + 2; 8 is met first. End 6 stops in O8.
    ("hydroxyl must sit on carbon", "CCCCCCOP(=O)(O)O", "8", "0", ""),
    # The deuterium is no node but uses up number 0. O1 is lower than O9. trim 1 9 14, 2 13; ends
    # 3 12; 3 stops in O1.
    ("heavy hydrogen is hydrogen", "[2H]OCCCCCCC(O)CCCCC", "1", "14", ""),
    # ---- head, rule b
    # RDKit keeps H0. Without it N1 is a leaf: trim 1 3 11, 2 10; ends 4 9. From 4: 2, 5, then N1.
    # 4 stops in N1 (1 < 3), 9 in C11.
    ("stereo hydrogen is no node", "[H]/N=C(\\C)CCCCCCCC", "1", "11", ""),
    # trim 0 15, 1 14; ends 2 13. N4 is 2 from end 2. By rule c it would lose: 2 + 9 to 13 + 2.
    ("nitrogen two bonds off, first end", "CCCCNCCCCCCCCCCN", "4", "0", ""),
    # One bond more and end 2 is too far: N16 is 2 from the next end, 14.
    ("nitrogen three bonds off", "CCCCCNCCCCCCCCCCN", "16", "0", ""),
    # trim 0 17 20, 1 16 19; ends 2 15 18. Above degree 2: N10 N13 C14; the ring drop leaves C14, so
    # N13, 2 from end 15, is free. (Rule c would say N10: 8 + 5 + 5 against 11 + 2 + 2.)
    # d(14, 2) = 12, d(13, 0) = 13: a tail; 15 and 18 hang on C14 itself.
    ("dropped ring nitrogen is free", "CCCCCCCCCCN1CCN(C(CCC)CCC)CC1", "13", "0", "14"),
    # ---- head, rule d
    # trim 0 11, 1 10; ends O2 O9. Each is 7 from the other's walk, none from its own; the walk from
    # 2 comes first and meets O9. The end that is the head is no tail.
    ("ether ends, first met is not the lowest", "CCOCCCCCCOCC", "9", "0", ""),
    # trim 0 15 23, 1 14 22; ends 2 13 O21; branch C8. O21 counts in the walks from 2 and 13:
    # 12 + 11. O17: 8 + 7 + 4. Tails: d(8, 2) = 6, d(8, 13) = 5.
    ("an end may win for other ends", "CCCCCCCCC(CCCCCCC)COCCCOCC", "21", "0", "8"),
    # Only ring atom C11 is above degree 2, and a single one stays. Without it the tail is the same.
    ("a single branch point may be in a ring", "CCCCCCCCCCOc1ccccc1", "10", "0", "11"),
    # ---- head, rule e
    # N8 is the branch point: not for b, c. trim 0 16 24, 1 15 23; ends 2 14 22, each 6 from N8, the
    # branch point nearest to itself; terminals 8 off. As head it is no branch atom.
    ("branching nitrogen", "CCCCCCCCN(CCCCCCCC)CCCCCCCC", "8", "0 16 24", ""),
    # Branches C8 N20; nearest to the head is N20 itself. trim 0 16 26 32, 1 15 25 31; ends 2 14,
    # 10 from N20, and 24 30, only 4 (but 8 from C8).
    (
        "the head may be the nearest branch point",
        "CCCCCCCCC(CCCCCCCC)CCCN(CCCCCC)CCCCCC",
        "20",
        "0 16",
        "8",
    ),
    # P10 as N8 two above; ends 8 off.
    ("branching phosphorus", "CCCCCCCCCCP(CCCCCCCCCC)CCCCCCCCCC", "10", "0 20 30", ""),
    # trim 0 16, 1 15; ends 2 14. S10 is 8 from end 2, S6 only 4.
    ("farthest sulfur from the first end", "CCCCCCSCCCSCCCCCC", "10", "0 16", ""),
    # trim 0 16 23, 1 15 22; ends 2 14 21; branch C9. S12 and S19 both 10 from end 2; 10 < 17, so
    # S12 is met first. d(9, 2) = 7; d(9, 14) = d(9, 21) = 5.
    ("first of two equally far", "CCCCCCCCCC(CCSCCCC)CCSCCCC", "12", "0", "9"),
    # ---- terminals
    # trim 0 3 11 12, 1 10; ends 2 9. Of 2: O3 at 1 bond beats C0 at 2. Of 9: C11 (N10 went in the
    # second round).
    ("nearest terminal, not the lowest", "CCC(O)CCCCCCN(C)C", "3", "11", ""),
    # Not canonical, as no canonical string shows it. trim 0 9 10, 1 8; ends 2 7. Of 7: C9 over 8
    # and C10 over 6 are both at 2; the walk meets 10 first, but 9 is lower.
    ("lowest terminal, not the first met", "OCCCCCC(CCC)C", "0", "9", ""),
    # ---- tails
    # trim 0 10 11 12, 1 9; ends 2 8. N9 is 1 from end 8, which is its carbon neighbour: no tail.
    ("carbon next to a nitrogen head", "CCCCCCCCC[N+](C)(C)C", "9", "0", ""),
    # trim 0 9 12, 1 11; ends 2 O10. N8 is 1 from O10, no carbon: a tail. Its terminal is C9,
    # through N8, rather than C12: both at 2.
    ("oxygen next to a nitrogen head", "CCCCCCCCN(C)OCC", "8", "0 9", ""),
    # trim 0 8 9 11, 1 10; ends 2 7. C7 is next to the head, but that is O9; terminal C8 (8 < 9).
    ("carbon next to an oxygen head", "CCCCCCCC(C)(O)CC", "9", "0 8", ""),
    # trim 0 10, 1 9; ends 2 N8. N8 is 0 from itself: head, hence no tail, though it stops in C10.
    ("the head is an end", "CCCCCCCCNCC", "8", "0", ""),
    # ends 2 12; no branch point, so the 5 bonds from O10 to C14 do not matter.
    ("no distance without a branch point", "CCCCCCCCCC(O)CCCC", "10", "0 14", ""),
    # trim 0 18 26 30, 1 17 29; ends 2 16 28; branch C9. d(9, 28) = 9, but d(26, 30) = 5.
    ("terminal 5 from the head", "CCCCCCCCCC(CCCCCCCCC)CCCCCCC(O)CCCC", "26", "0 18", "9"),
    # One carbon more: d(26, 31) = 6.
    ("terminal 6 from the head", "CCCCCCCCCC(CCCCCCCCC)CCCCCCC(O)CCCCC", "26", "0 18 31", "9"),
    # trim 0 7 19 23, 1 18 22; ends 2 17 21; branch C15. d(15, 2) = 13 and d(7, 0) = 8: a tail, and
    # so the short 17 and 21 (2 from C15 each) are left out, all carbon or not.
    ("a long tail keeps short ones out", "CCCCCCC(O)CCCCCCCC(CCCC)CCCC", "7", "0", "15"),
    # ---- tails, when none is long
    # trim 0 7 11, 1 6 10; ends 2 5 9; branch C4. 2 and 9 are 2 from it, over carbon. 5 as well, but
    # it stops in O7.
    ("short arms", "CCCCC(CCO)CCCC", "7", "0 11", "4"),
    # trim 0 7 11, 1 6 10; ends 2 5 O9: the path from 9 starts with oxygen.
    ("path must start in carbon", "CCCCC(CCO)COCC", "7", "0", "4"),
    # trim 0 7 12, 1 6 11; ends 2 5 C10; 10-9-8-4 runs through O9.
    ("path must run through carbon", "CCCCC(CCO)COCCC", "7", "0", "4"),
    # trim 0 8 17, 1 7 16; ends 2 6 15; branch C4. 15 is far enough (7) but stops in Cl; 2 is at 2.
    # Now all three are on carbon, and only 2 stops in it.
    ("chlorine ends no tail", "CCCCC(CCCO)CCCCCCCCCl", "8", "0", "4"),
    # trim 0 8 13 14, 1 7 12; ends 2 6 11; branch C4. Head N12; 11 is its carbon neighbour and stays
    # excluded, though 11-10-9-4 is carbon and C13 its terminal.
    ("neighbours stay excluded", "CCCCC(CCCC)CCCN(C)C", "12", "0 8", "4"),
    # Ring 3 4 5 6 14 15; trim 0 10 13 18, 1 9 12 17; ends 2 8 11 16; branch C7, 5 from end 2 both
    # ways round. 4 < 15, so C6 is met over O5: no tail. 16-15-14-6-7 is carbon; 11 stops in O13.
    ("first met of two equal paths", "CCCC1COC(C(CCC)CCO)CC1CCC", "13", "10 18", "7"),
    # Ring 3 4 5 6 14 15; trim 0 10 13, 1 9 12; ends 2 8 11; here the first met, 3-4-5-6, is carbon.
    ("the second path does not matter", "CCCC1CCC(C(CCC)CCO)OC1", "13", "0 10", "7"),
    # Ring 3 4 5 13 14 22; branches C6 N15, both 4 from end 2; the lower decides: 2-3-4-5-6. 16 and
    # 19 are on N15; 10 stops in O12. The longest reach from C6 is 5, of 16 and 19.
    ("lowest of two near branch points", "CCCC1CC(C(CCC)CCO)CC(N(CCC)CCC)C1", "12", "0 9", "6 15"),
    # Ring 7 8 9 17 18 22; branches C3 C10, both 4 from end 19, and C10 is met first (17 < 22). C3
    # is lower, but the way to it is over Si22: no tail. 11 and 14 stop in F, 4 in O6.
    (
        "lowest, not the first met",
        "CCCC(CCO)C1CC(C(CCF)CCF)CC(CCC)[Si]1(C)C",
        "6",
        "0",
        "3 10",
    ),
]


@pytest.mark.parametrize(
    ("smiles", "head", "tails", "branches"),
    [case[1:] for case in WORKED_CASES],
    ids=[case[0] for case in WORKED_CASES],
)
def test_annotate_follows_the_rules(smiles: str, head: str, tails: str, branches: str) -> None:
    assert annotate(smiles) == LipidAtoms(numbers(head), numbers(tails), numbers(branches))


INVALID_CASES = [
    ("C1CC", "cannot parse"),
    ("", "no heavy atom"),
    ("[H][H]", "no heavy atom"),
    ("CCCCCCCC.Cl", "several fragments"),
    # the second fragment has a head and a tail of its own
    ("CC.CCCCCCCCO", "several fragments"),
    # trim 0 3 6, 1 5; ends 2 4. C3 is 1 from 2, and 2 from 4, where it is lower than O6.
    ("CCC(C)CCO", "share atom 3"),
    # no N, O, S, P at all
    ("CCCCCCCC", "no head"),
    # heteroatoms, but no end to find them from
    ("c1ccncc1", "no head"),
    ("CN", "no head"),
    # a head, but no end
    ("OCCO", "no tail"),
    # trim 0 7, 1 6; ends 2 5, which stop in O0 and O7
    ("OCCCCCCO", "no tail"),
    # trim 0 7 11, 1 6 10; branch N4: every path stops in nitrogen
    ("CCCCN(CCO)CCCC", "no tail"),
    # trim 0, 1; the only end, S2, is the head by rule e, which starts its count with the end
    ("CCSCC1CCCCC1", "a head, atom 2, but no tail"),
]


@pytest.mark.parametrize(("smiles", "reason"), INVALID_CASES)
def test_annotate_rejects_other_molecules_with_a_reason(smiles: str, reason: str) -> None:
    with pytest.raises(AnnotationError, match=reason) as caught:
        annotate(smiles)
    assert smiles in str(caught.value)


def test_annotate_is_cached() -> None:
    assert annotate("CCCCCCCCCCCCO") is annotate("CCCCCCCCCCCCO")


def test_worked_examples_are_canonical() -> None:
    not_canonical = {smiles for _, smiles, *_ in WORKED_CASES if canonical(smiles) != smiles}
    assert not_canonical <= {"OCCCCCC(CCC)C"}


@given(st.sampled_from(sorted(SAMPLES)), st.randoms(use_true_random=False))
def test_the_numbering_of_the_input_does_not_matter(smiles: str, rng: Random) -> None:
    assert annotate(renumbered(smiles, rng)) == SAMPLES[smiles]


@st.composite
def molecules(draw: st.DrawFn) -> str:
    """Draw a tree of carbon and some heteroatoms, at times with a ring closed in it."""
    molecule = Chem.RWMol()
    free_bonds: list[int] = []
    for number in range(draw(st.integers(1, 40))):
        open_atoms = [atom for atom, free in enumerate(free_bonds) if free]
        if number and not open_atoms:
            break
        element, free = draw(st.sampled_from([*[("C", 4)] * 8, ("N", 3), ("O", 2), ("S", 2)]))
        molecule.AddAtom(Chem.Atom(element))
        free_bonds.append(free)
        if number:
            # near the newest atom, so that chains grow long
            _bond(molecule, free_bonds, number, draw(st.sampled_from(open_atoms[-4:])))
    rings = draw(st.integers(0, 2))
    pairs = [
        (a, b) for a, free in enumerate(free_bonds) for b in range(a) if free and free_bonds[b]
    ]
    for a, b in draw(st.permutations(pairs))[:rings] if pairs else []:
        if free_bonds[a] and free_bonds[b] and molecule.GetBondBetweenAtoms(a, b) is None:
            _bond(molecule, free_bonds, a, b)
    return str(Chem.MolToSmiles(molecule))


def _bond(molecule: Any, free_bonds: list[int], first: int, second: int) -> None:
    molecule.AddBond(first, second, Chem.BondType.SINGLE)
    free_bonds[first] -= 1
    free_bonds[second] -= 1


def outcome(smiles: str) -> LipidAtoms | str:
    try:
        return annotate(smiles)
    except AnnotationError as error:
        return error.reason


@given(molecules(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_numbering_of_any_molecule_does_not_matter(smiles: str, rng: Random) -> None:
    assert outcome(renumbered(smiles, rng)) == outcome(smiles)


@given(molecules())
@settings(deadline=None)
def test_the_result_is_well_formed(smiles: str) -> None:
    atoms = outcome(smiles)
    if isinstance(atoms, str):
        assert atoms
        return
    molecule = Chem.MolFromSmiles(smiles)
    (head,) = atoms.head_atoms
    assert molecule.GetAtomWithIdx(head).GetSymbol() in {"N", "O", "S", "P"}
    tails = [molecule.GetAtomWithIdx(tail) for tail in atoms.tail_atoms]
    assert tails
    assert len(set(atoms.tail_atoms)) == len(tails)
    assert all(tail.GetSymbol() == "C" and tail.GetDegree() == 1 for tail in tails)
    assert list(atoms.branch_atoms) == sorted(set(atoms.branch_atoms) - {head})
    assert all(molecule.GetAtomWithIdx(atom).GetDegree() > 2 for atom in atoms.branch_atoms)


def test_annotate_accepts_a_large_molecule() -> None:
    # 600 arms: the walks from all ends are the cost
    arms = annotate(canonical("CCC" + "C(COC)" * 600 + "CCCCCCCC"))
    assert len(arms.tail_atoms) > 500
