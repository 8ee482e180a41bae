"""The words that records use, closed sets and names; light, as the command line offers them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mdfactory.errors import InvalidNameError

__all__ = [
    "ConflictMode",
    "Engine",
    "Parametrization",
    "ResultId",
    "ResultStatus",
    "ResultType",
    "Retention",
    "SimulationStatus",
    "SimulationType",
    "check_name",
]

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")


def check_name(name: str) -> str:
    """Return the name of an analysis or artifact, if it can name a table.

    Raises
    ------
    InvalidNameError
        If it cannot.
    """
    if name.lower() == "overview":
        raise InvalidNameError("'overview' is reserved: it names the table of all results")
    if not NAME.fullmatch(name):
        raise InvalidNameError(
            f"{name!r} is not a name for an analysis or artifact: it needs "
            "a letter, then letters, digits and underscores, at most 48 characters"
        )
    return name


class SimulationStatus(StrEnum):
    """How far a simulation has come, in order of progress."""

    build = "build"
    equilibrated = "equilibrated"
    production = "production"
    completed = "completed"

    @property
    def rank(self) -> int:
        """Position in the order of progress, 0 for ``build``."""
        return RANKS[self]


RANKS: Final = {status: rank for rank, status in enumerate(SimulationStatus)}


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


class ResultType(StrEnum):
    """What a result of a simulation is: a table of numbers, or files."""

    analysis = "analysis"
    artifact = "artifact"


ResultId = tuple[ResultType, str]
"""A result by its kind and name."""


class ResultStatus(StrEnum):
    """Whether a result is in the store."""

    completed = "completed"
    not_yet_run = "not_yet_run"


class ConflictMode(StrEnum):
    """What a write does with a record whose key is in the store already.

    ``refuse`` writes nothing at all, ``skip`` leaves the stored record, ``force``
    overwrites it, ``update`` overwrites it if anything but its time changed.
    """

    refuse = "refuse"
    skip = "skip"
    force = "force"
    update = "update"


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept, so that operations can be undone.

    Parameters
    ----------
    operations
        The number of operations; nothing is kept if it is 0.
    size
        Bytes of all of them together.
    """

    operations: int = 10
    size: int = 10**9

    @property
    def anything(self) -> bool:
        """Whether anything is kept."""
        return self.operations > 0 and self.size > 0
