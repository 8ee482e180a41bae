"""The closed sets of words that records use; light, so that the command line can offer them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Engine", "Mode", "Parametrization", "SimulationType", "Status"]


class Status(StrEnum):
    """How far a simulation has come, in order of progress."""

    build = "build"
    equilibrated = "equilibrated"
    production = "production"
    completed = "completed"

    @property
    def rank(self) -> int:
        """Position in the order of progress, 0 for ``build``."""
        return list(Status).index(self)


class SimulationType(StrEnum):
    """What is simulated."""

    mixedbox = "mixedbox"
    bilayer = "bilayer"
    lnp = "lnp"


class Parametrization(StrEnum):
    """Where force-field parameters come from."""

    cgenff = "cgenff"
    smirnoff = "smirnoff"


class Engine(StrEnum):
    """The program that runs the simulation."""

    gromacs = "gromacs"


class Mode(StrEnum):
    """What a write does with a record whose key is in the store already.

    ``refuse`` writes nothing at all, ``skip`` leaves the stored record, ``force``
    overwrites it, ``update`` overwrites it if anything but its time changed.
    """

    refuse = "refuse"
    skip = "skip"
    force = "force"
    update = "update"
