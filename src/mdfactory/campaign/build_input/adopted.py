"""System of a simulation that was adopted: the molecules of its topology, and its conditions."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from mdfactory.campaign.build_input.base import (
    MAX_MOLECULES,
    Integer,
    Model,
    Real,
    Text,
)

MAX_NAME_CHARACTERS: Final = 200


def _check_name(name: str) -> str:
    if not name.isprintable():
        raise ValueError(f"{name!r:.80} has characters that cannot be printed")
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise ValueError(f"{name!r:.80} does not have 1 to {MAX_NAME_CHARACTERS} characters")
    return name


Name = Annotated[Text, AfterValidator(_check_name)]


class Molecule(Model):
    """Molecules of one type in a topology.

    Parameters
    ----------
    name
        Name of the molecule type, as the topology spells it.
    count
        Number of molecules.
    """

    name: Name
    count: Annotated[Integer, Field(ge=0, le=MAX_MOLECULES)]


class AdoptedSystem(Model):
    """A system that was not built from a BuildInput.

    Parameters
    ----------
    name
        What people call the run; it tells runs of the same composition apart.
    molecules
        The molecules of its topology, each type once; types without molecules are dropped.
    temperature
        Reference temperature of the production run, in K; None without one.
    pressure
        Reference pressure of the production run, in bar; None without one.
    """

    name: Name
    molecules: list[Molecule]
    temperature: Annotated[Real, Field(ge=0)] | None = None
    pressure: Real | None = None

    @model_validator(mode="after")
    def _drop_absent(self) -> Self:
        numbers = Counter(molecule.name for molecule in self.molecules)
        if repeated := [name for name, number in numbers.items() if number > 1]:
            raise ValueError(f"molecules: given more than once: {', '.join(repeated)}")
        present = [molecule for molecule in self.molecules if molecule.count]
        if not present:
            raise ValueError("molecules: the system has no molecules")
        self.set_fields(molecules=present)
        return self
