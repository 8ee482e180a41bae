"""The ions of a system."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from mdfactory.campaign.build_input.base import Integer, Model, Real


class Ionization(Model):
    """The ions of a system.

    Parameters
    ----------
    neutralize
        Whether counter-ions balance the charge.
    concentration
        Salt concentration in mol/L.
    min_distance
        Smallest distance between ions and solute in angstrom.
    seed
        Seed of the random placement; None for a seed that the program chooses.
    """

    neutralize: bool = True
    concentration: Annotated[Real, Field(ge=0)] = 0.15
    min_distance: Annotated[Real, Field(ge=0)] = 5.0
    seed: Integer | None = None


OptionalIonization = Annotated[
    Ionization | None, BeforeValidator(lambda given: None if given is False else given)
]
"""The ions, or None for a system to which no ions are added; false is read as null."""
