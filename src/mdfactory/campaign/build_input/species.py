"""Molecular species and canonical SMILES."""

from __future__ import annotations

import re
from dataclasses import asdict
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, GetStereoisomerCount

from mdfactory.campaign.build_input.annotation import annotate
from mdfactory.campaign.build_input.base import MAX_MOLECULES, Integer, Model, Real, check_order

MAX_RESNAME_CHARACTERS: Final = 3
"""Length of a residue name in a PDB file."""

MAX_SMILES_CHARACTERS: Final = 5_000
"""Largest length of a SMILES. RDKit takes minutes for far longer ones, or crashes the process."""

UNREADABLE_CHARACTER: Final = re.compile("[^!-~]")
"""Character that is no part of a SMILES; all others are printable ASCII characters."""

MAX_OPEN_CENTRES: Final = 12
"""Largest number of unspecified stereocentres for which the stereoisomers are enumerated."""

RESNAME_BY_SMILES: Final = {"O": "SOL", "[Na+]": "NA", "[Cl-]": "CL"}
"""Canonical SMILES of water and of the ions -> the resname that force fields of proteins expect."""


@lru_cache(maxsize=65536)
def canonical_smiles(smiles: str) -> str:
    """Return RDKit's canonical isomeric SMILES of a molecule.

    Parameters
    ----------
    smiles
        SMILES of the molecule, canonical or not.

    Raises
    ------
    ValueError
        If the SMILES is too long or invalid, has blanks or other characters than printable ASCII,
        has no atoms, or leaves stereochemistry open.

    Examples
    --------
    >>> from mdfactory.campaign.build_input.species import canonical_smiles
    >>> canonical_smiles("OC")
    'CO'
    """
    if len(smiles) > MAX_SMILES_CHARACTERS:
        raise ValueError(
            f"the SMILES has {len(smiles):,} characters; at most {MAX_SMILES_CHARACTERS:,} are "
            "allowed"
        )
    # RDKit reads a SMILES up to the first blank or unreadable character, and ignores the rest.
    if unreadable := UNREADABLE_CHARACTER.search(smiles):
        raise ValueError(
            f"{smiles!r} contains {unreadable[0]!a}, where RDKit would stop; write the SMILES with "
            "printable ASCII characters and without blanks, in YAML on one line in single quotes"
        )
    # For a few bridged molecules RDKit's canonical SMILES is not stable: parsed and written again,
    # it alternates between several texts. Repeat until one recurs, and take the first of this
    # cycle in alphabetical order, so that the result does not depend on the given SMILES.
    written = [_write_smiles(smiles)]
    while (rewritten := _write_smiles(written[-1])) not in written:
        written.append(rewritten)
    return min(written[written.index(rewritten) :])


def _write_smiles(smiles: str) -> str:
    """Parse a SMILES and return the SMILES that RDKit writes for its molecule."""
    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(smiles)  # None if invalid, contrary to the stubs
        if molecule is None or not molecule.GetNumAtoms():
            raise ValueError(f"{smiles!r} is not the SMILES of a molecule")
        if _leaves_stereochemistry_open(molecule):
            raise ValueError(
                f"{smiles!r} leaves stereochemistry open; specify every stereocentre (@, @@) and "
                "double bond (/, \\), such as C[C@H](O)F and C/C=C/C, also the phosphorus of a "
                "phospholipid, such as O[P@@](=O)([O-])O. There, either one will do, "
                "but write the same in all campaigns: the hash depends on it"
            )
        return str(Chem.MolToSmiles(molecule))


def _leaves_stereochemistry_open(molecule: Any) -> bool:
    """Whether a molecule has more than one stereoisomer, or too many candidates to enumerate.

    RDKit's count of candidates is an upper bound: in a cage all candidates may be the same isomer.
    So up to 2 ** `MAX_OPEN_CENTRES` candidates are enumerated.
    """
    if GetStereoisomerCount(molecule) > 2**MAX_OPEN_CENTRES:
        return True
    return len(list(islice(EnumerateStereoisomers(molecule), 2))) > 1


@lru_cache(maxsize=65536)
def molecular_weight(smiles: str) -> float:
    """Return the average molecular weight in Da, as RDKit's ``Descriptors.MolWt``."""
    mol_wt: Any = Descriptors.__dict__["MolWt"]  # missing in the stubs
    return float(mol_wt(Chem.MolFromSmiles(smiles)))


@lru_cache(maxsize=65536)
def _atom_count(smiles: str) -> int:
    return int(Chem.MolFromSmiles(smiles).GetNumAtoms())


def _normalise_resname(given: str) -> str:
    resname = given.upper()
    # Upper case may be longer: "ß" becomes "SS".
    if max(len(given), len(resname)) > MAX_RESNAME_CHARACTERS:
        raise ValueError(f"{given!r} is longer than {MAX_RESNAME_CHARACTERS} characters")
    return resname


def _normalise_smiles(given: str) -> str:
    return canonical_smiles(given.rstrip("\r\n"))  # a block of YAML ends with a line break


Smiles = Annotated[str, AfterValidator(_normalise_smiles)]
Resname = Annotated[str, AfterValidator(_normalise_resname)]
Atoms = Annotated[
    tuple[Integer, ...],
    BeforeValidator(lambda given: () if given is None else check_order(given)),
]
"""0-based indices of atoms in the canonical SMILES; null means none."""


class Species(Model):
    """One kind of molecule of a system.

    Parameters
    ----------
    fraction
        Mole fraction. In a validated BuildInput it is not None.
    count
        Number of molecules. In a validated BuildInput it is not None.
    resname
        Residue name, at most 3 characters, upper case.
    smiles
        RDKit's canonical isomeric SMILES of the molecule.
    """

    fraction: Annotated[Real | None, Field(ge=0)] = None
    count: Annotated[Integer | None, Field(ge=0, le=MAX_MOLECULES)] = None
    resname: Resname
    smiles: Smiles


class SolutionSpecies(Species):
    """A small molecule around a protein, by count or by concentration; nothing is computed.

    Parameters
    ----------
    fraction
        Always None.
    count
        Number of molecules; None if `concentration` is given.
    concentration
        Concentration in mol/L; None if `count` is given.
    """

    fraction: None = None
    concentration: Annotated[Real | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _check_amount(self) -> Self:
        if (self.count is None) == (self.concentration is None):
            raise ValueError(f"{self.resname}: give a count or a concentration, and not both")
        return self

    @model_validator(mode="after")
    def _check_resname(self) -> Self:
        resname = RESNAME_BY_SMILES.get(self.smiles, self.resname)
        if self.resname != resname:
            raise ValueError(f"{self.resname}: the resname of {self.smiles} must be {resname}")
        return self


class LipidSpecies(Species):
    """A lipid and the atoms that orient it.

    The atoms are computed unless all three lists are given and none is empty.

    Parameters
    ----------
    head_atoms, tail_atoms, branch_atoms
        0-based indices of atoms in the canonical SMILES, as in `annotation.LipidAtoms`.
    """

    head_atoms: Atoms = ()
    tail_atoms: Atoms = ()
    branch_atoms: Atoms = ()

    @model_validator(mode="after")
    def _compute_atoms(self) -> Self:
        if not (self.head_atoms and self.tail_atoms and self.branch_atoms):
            self.set_fields(**asdict(annotate(self.smiles)))
        atoms = (*self.head_atoms, *self.tail_atoms, *self.branch_atoms)
        atom_count = _atom_count(self.smiles)
        invalid = [atom for atom in atoms if not 0 <= atom < atom_count]
        if invalid:
            raise ValueError(
                f"{self.resname}: there is no atom {invalid[0]} in {self.smiles}, which has "
                f"{atom_count} atoms"
            )
        return self
