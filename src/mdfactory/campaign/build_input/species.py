"""Molecular species, and the one spelling of a molecule that counts."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from mdfactory.campaign.build_input.base import Model

__all__ = ["Resname", "Smiles", "Species", "canonical_smiles"]


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
    >>> canonical_smiles("OC")
    'CO'
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers

    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(smiles)  # the stubs forget that it may be None
        if molecule is None or not molecule.GetNumAtoms():
            raise ValueError(f"{smiles!r} is no SMILES of a molecule")
        if len(list(islice(EnumerateStereoisomers(molecule), 2))) > 1:
            raise ValueError(
                f"{smiles!r} leaves stereochemistry open; write every centre (@, @@) and "
                "double bond (/, \\), also the phosphorus of a phospholipid"
            )
        canonical: str = Chem.MolToSmiles(molecule)
    return canonical


Smiles = Annotated[str, AfterValidator(canonical_smiles)]
Resname = Annotated[str, StringConstraints(max_length=3, to_upper=True)]


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

    fraction: Annotated[float | None, Field(ge=0)] = None
    count: Annotated[int | None, Field(ge=0)] = None
    resname: Resname
    smiles: Smiles
