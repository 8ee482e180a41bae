"""Molecular species, and the one spelling of a molecule that counts."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mdfactory.campaign.build_input.base import MOST, Model, Real, Whole

__all__ = ["LipidSpecies", "Species", "canonical_smiles", "molecular_weight"]


RESNAME: Final = 3
"""Characters of a residue name, as PDB and GRO files have room for it."""

LONGEST: Final = 5_000
"""Characters of a SMILES; far beyond this RDKit takes minutes, or the process with it."""

CENTRES: Final = 12
"""Centres whose stereochemistry may be left open, as long as all of it is one isomer."""


@lru_cache(maxsize=65536)
def canonical_smiles(smiles: str) -> str:
    """Return RDKit's canonical isomeric SMILES of a molecule.

    Parameters
    ----------
    smiles
        The molecule in any spelling.

    Raises
    ------
    ValueError
        If it does not parse, has no atom, or leaves part of its stereochemistry open.

    Examples
    --------
    >>> from mdfactory.campaign.build_input.species import canonical_smiles
    >>> canonical_smiles("OC")
    'CO'
    """
    if len(smiles) > LONGEST:
        raise ValueError(f"the SMILES has {len(smiles):,} characters; {LONGEST:,} are the most")
    if "\0" in smiles:  # where RDKit would stop reading
        raise ValueError(f"{smiles!r} is not the SMILES of a molecule")
    spellings = [_respelt(smiles)]
    while (spelling := _respelt(spellings[-1])) not in spellings:
        spellings.append(spelling)
    # RDKit spells a few bridged molecules in another way each time that it reads its own
    # spelling. One of those that come round again is taken, whichever was met first.
    return min(spellings[spellings.index(spelling) :])


def _respelt(smiles: str) -> str:
    """Return RDKit's spelling of a molecule."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(smiles)  # the stubs forget that it may be None
        if molecule is None or not molecule.GetNumAtoms():
            raise ValueError(f"{smiles!r} is not the SMILES of a molecule")
        if _is_open(molecule):
            raise ValueError(
                f"{smiles!r} leaves stereochemistry open; write every centre (@, @@) and "
                "double bond (/, \\), also the phosphorus of a phospholipid"
            )
        return str(Chem.MolToSmiles(molecule))


def _is_open(molecule: Any) -> bool:
    """Whether a molecule has more than one stereoisomer, or too many candidates to tell.

    In a cage every spelling of its centres may be the same isomer, and all are tried.
    """
    from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, GetStereoisomerCount

    if molecule.GetNumAtoms() > CENTRES and GetStereoisomerCount(molecule) > 2**CENTRES:
        return True
    return len(list(islice(EnumerateStereoisomers(molecule), 2))) > 1


@lru_cache(maxsize=65536)
def molecular_weight(smiles: str) -> float:
    """Return the molecular weight in Da of a molecule, as RDKit's ``Descriptors.MolWt``."""
    from rdkit import Chem
    from rdkit.Chem import Descriptors

    weigh: Any = Descriptors.__dict__["MolWt"]  # the stubs do not have it
    return float(weigh(Chem.MolFromSmiles(smiles)))


@lru_cache(maxsize=65536)
def _atom_count(smiles: str) -> int:
    from rdkit import Chem

    return int(Chem.MolFromSmiles(smiles).GetNumAtoms())


def _resname(given: str) -> str:
    resname = given.upper()
    if len(given) > RESNAME or len(resname) > RESNAME:  # one character may become two
        raise ValueError(f"{given!r} is longer than {RESNAME} characters")
    return resname


Smiles = Annotated[str, AfterValidator(canonical_smiles)]
Resname = Annotated[str, AfterValidator(_resname)]
Atoms = Annotated[tuple[Whole, ...], BeforeValidator(lambda given: () if given is None else given)]
"""Indices of atoms, 0-based in the canonical SMILES; null is as good as absent."""


class Species(Model):
    """One kind of molecule of a system.

    Parameters
    ----------
    fraction
        Mole fraction. None only until the composition is settled.
    count
        Number of molecules. None only until the composition is settled.
    resname
        Residue name, at most 3 characters, upper case.
    smiles
        The molecule, as RDKit's canonical isomeric SMILES.
    """

    fraction: Annotated[Real | None, Field(ge=0)] = None
    count: Annotated[Whole | None, Field(ge=0, le=MOST)] = None
    resname: Resname
    smiles: Smiles


class LipidSpecies(Species):
    """A lipid, with the atoms that orient it.

    They are computed unless all three lists are given and none is empty.

    Parameters
    ----------
    head_atoms, tail_atoms, branch_atoms
        Atoms by their 0-based index in the canonical SMILES; see `annotation`.
    """

    head_atoms: Atoms = ()
    tail_atoms: Atoms = ()
    branch_atoms: Atoms = ()

    @model_validator(mode="after")
    def _settle_atoms(self) -> Self:
        if not (self.head_atoms and self.tail_atoms and self.branch_atoms):
            from mdfactory.campaign.build_input.annotation import annotate

            found = annotate(self.smiles)
            self._settle(
                head_atoms=found.head_atoms,
                tail_atoms=found.tail_atoms,
                branch_atoms=found.branch_atoms,
            )
        atoms = (*self.head_atoms, *self.tail_atoms, *self.branch_atoms)
        beyond = [atom for atom in atoms if not 0 <= atom < _atom_count(self.smiles)]
        if beyond:
            raise ValueError(
                f"{self.resname}: there is no atom {beyond[0]} in {self.smiles}, "
                f"which has {_atom_count(self.smiles)}"
            )
        return self
