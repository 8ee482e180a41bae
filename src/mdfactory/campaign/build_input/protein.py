"""The systems with a protein: the protein in water, or in a mixture of small molecules."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from mdfactory.campaign.build_input.base import (
    Integer,
    Model,
    Real,
    Text,
    TextByText,
    Texts,
    check_order,
)
from mdfactory.campaign.build_input.ionization import Ionization, OptionalIonization
from mdfactory.campaign.build_input.species import Resname, SolutionSpecies

RELAX_STEPS: Final = 10_000
"""Default number of steps of the relaxation."""


def _check_single(number: float) -> float:
    if number != 1:
        raise ValueError("a system has exactly one protein, so its count and its fraction are 1")
    return number


def _check_pair(value: object) -> object:
    if isinstance(value, list | tuple) and len(value) != 2:  # noqa: PLR2004
        raise PydanticCustomError("pair", "is not a pair of residues, such as CYS6 and CYS127")
    return check_order(value)


Bond = Annotated[tuple[Text, Text], BeforeValidator(_check_pair)]
Length = Annotated[Real, Field(ge=0)]
Steps = Annotated[Integer, Field(ge=0)]


class Protein(Model):
    """The protein of a system.

    Parameters
    ----------
    fraction, count
        Always 1.
    resname
        Residue name that stands for the whole protein, at most 3 characters, upper case.
    pdb_path
        Path of the structure, as a text: the file is not read and need not exist.
    chains
        Identifiers of the chains to use, in their order; all chains if empty.
    disulfide_bonds
        Pairs of residues, such as ``("CYS6", "CYS127")`` or ``("A:CYS6", "B:CYS127")``.
    protonation_states
        Residue -> its protonation state, such as ``{"HIS15": "HIE"}``; sorted by residue.
    """

    fraction: Annotated[Real, AfterValidator(_check_single)] = 1.0
    count: Annotated[Integer, AfterValidator(_check_single)] = 1
    resname: Resname
    pdb_path: Annotated[Text, AfterValidator(lambda given: str(PurePosixPath(given)))]
    chains: Texts = ()
    disulfide_bonds: Annotated[tuple[Bond, ...], BeforeValidator(check_order)] = ()
    protonation_states: Annotated[TextByText, Field(default_factory=dict)]


class ProteinBox(Model):
    """A protein in a box of water.

    Parameters
    ----------
    protein
        The protein.
    padding
        Smallest distance between the protein and the sides of the box in angstrom.
    relax_steps
        Number of steps of the relaxation.
    ionization
        The ions; None if there are none.
    """

    protein: Protein
    padding: Length = 10.0
    relax_steps: Steps = RELAX_STEPS
    ionization: OptionalIonization = Ionization()


class FixedBox(Model):
    """A cubic box of given size.

    Parameters
    ----------
    box_size
        Length of an edge in angstrom.
    """

    type: Literal["fixed_box"]
    box_size: Annotated[Real, Field(gt=0)]


class CountDensity(Model):
    """A box whose size follows from the counts of the species.

    Parameters
    ----------
    target_density
        Target density in g/cm3.
    """

    type: Literal["count_density"]
    target_density: Annotated[Real, Field(gt=0)] = 1.0


class ProteinMixedBox(Model):
    """A protein in a mixture of small molecules.

    Parameters
    ----------
    protein
        The protein; it has at most one chain.
    species
        The small molecules, by count or by concentration.
    sizing
        How the size of the box is chosen.
    padding
        Smallest distance between the protein and the sides of the box in angstrom.
    concentration_volume_basis
        The volume to which the concentrations refer: that of the box without the protein, or that
        of the box.
    partial_specific_volume
        Partial specific volume of the protein in mL/g.
    relax_steps
        Number of steps of the relaxation.
    ionization
        The ions; None if there are none.
    """

    protein: Protein
    species: Annotated[list[SolutionSpecies], Field(default_factory=list)]
    sizing: Annotated[FixedBox | CountDensity, Field(discriminator="type")]
    padding: Length = 10.0
    concentration_volume_basis: Literal["protein_excluded", "box"] = "protein_excluded"
    partial_specific_volume: Annotated[Real, Field(gt=0)] = 0.73
    relax_steps: Steps = RELAX_STEPS
    ionization: OptionalIonization = Ionization()

    @model_validator(mode="after")
    def _check_chains(self) -> Self:
        if len(self.protein.chains) > 1:
            raise ValueError(
                "protein.chains: a protein_mixedbox has one chain at most, not "
                f"{', '.join(self.protein.chains)}"
            )
        return self

    @model_validator(mode="after")
    def _check_sizing(self) -> Self:
        if isinstance(self.sizing, FixedBox):
            if self.sizing.box_size <= 2 * self.padding:
                raise ValueError(
                    f"sizing.box_size: {self.sizing.box_size:g} is not larger than twice the "
                    f"padding, {self.padding:g}"
                )
            return self
        uncounted = [molecule.resname for molecule in self.species if molecule.count is None]
        if uncounted:
            raise ValueError(
                f"species: {', '.join(uncounted)} without count, which count_density needs"
            )
        return self
