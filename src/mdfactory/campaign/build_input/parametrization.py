"""Sources of force-field parameters, and their options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mdfactory.campaign.build_input.base import Model


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


ParametrizationConfig = Annotated[Cgenff | Smirnoff, Field(discriminator="type")]
