"""The options of each source of force-field parameters."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from mdfactory.campaign.build_input.adopted import Name
from mdfactory.campaign.build_input.base import Model

WATER_MODELS: Final = ("tip3p", "spc", "spce")
"""Water models that a protein can be simulated in."""


class Cgenff(Model):
    """Parameters from CGenFF."""

    type: Literal["cgenff"] = "cgenff"


class Smirnoff(Model):
    """Parameters from an OpenFF force field.

    Parameters
    ----------
    forcefield, water_model
        Names of the offxml files of OpenFF.
    charge_method
        Name of OpenFF's method to assign partial charges.
    """

    type: Literal["smirnoff"] = "smirnoff"
    forcefield: str = "openff-2.2.0.offxml"
    water_model: str = "opc3.offxml"
    charge_method: str = "openff-gnn-am1bcc-0.1.0-rc.3.pt"


def _check_forcefield(given: str) -> str:
    name = given.lower()
    if not name.startswith("charmm") or "ljpme" in name:
        raise ValueError(f"{given!r} is not a CHARMM force field without LJ-PME, such as charmm36m")
    return given


def _check_water_model(given: str) -> str:
    if given.lower() not in WATER_MODELS:
        raise ValueError(f"{given!r} is not one of {', '.join(WATER_MODELS)}")
    return given


class ProteinForceField(Model):
    """Parameters of a protein from a CHARMM force field of GROMACS; base of `Pdb2gmx`, `Charmm`.

    Parameters
    ----------
    forcefield
        Name of the force field, as given.
    water_model
        Name of the water model, as given.
    ignore_hydrogens
        Whether the hydrogens of the structure are replaced.
    merge_all
        Whether all chains become one molecule.
    """

    type: str
    forcefield: Annotated[str, AfterValidator(_check_forcefield)] = "charmm36m"
    water_model: Annotated[str, AfterValidator(_check_water_model)] = "tip3p"
    ignore_hydrogens: bool = True
    merge_all: bool = False


class Pdb2gmx(ProteinForceField):
    """Parameters of a protein in water, from ``gmx pdb2gmx``."""

    type: Literal["pdb2gmx"] = "pdb2gmx"


class Charmm(ProteinForceField):
    """Parameters of a protein and of small molecules: CHARMM36m in its own water, and CGenFF."""

    type: Literal["charmm"] = "charmm"
    forcefield: Literal["charmm36m"] = "charmm36m"
    water_model: Literal["tip3p"] = "tip3p"


class External(Model):
    """Parameters that came with a GROMACS topology.

    Parameters
    ----------
    forcefield
        Name of the force field's folder, without ``.ff``; None if it is not known.
    water_model
        Name of the water topology; None if it is not known.
    """

    type: Literal["external"] = "external"
    forcefield: Name | None = None
    water_model: Name | None = None


ParametrizationConfig = Annotated[
    Cgenff | Smirnoff | Pdb2gmx | Charmm | External, Field(discriminator="type")
]
