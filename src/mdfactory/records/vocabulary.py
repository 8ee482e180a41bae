"""Enums of the values that records use, and the rule for names of results.

The command line imports this module at its start, so it imports nothing heavy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mdfactory.errors import InvalidNameError

RESULT_NAME_PATTERN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")


def check_name(name: str) -> str:
    """Check the name of an analysis or artifact, and return it.

    Raises
    ------
    InvalidNameError
        If the name is invalid.
    """
    given: object = name
    if not isinstance(given, str) or not RESULT_NAME_PATTERN.fullmatch(given):
        raise InvalidNameError(
            f"{name!r} is not a valid name of an analysis or artifact: a name is a letter, "
            "then letters, digits and underscores, at most 48 characters"
        )
    if given.lower() == "overview":
        raise InvalidNameError("'overview' is reserved for the table of all results")
    return given


class SimulationStatus(StrEnum):
    """Progress of a simulation; the members are in the order of progress."""

    build = "build"
    equilibrated = "equilibrated"
    production = "production"
    completed = "completed"

    @property
    def rank(self) -> int:
        """Position in the order of progress, 0 for ``build``."""
        return list(SimulationStatus).index(self)


class SimulationType(StrEnum):
    """Type of the simulated system."""

    mixedbox = "mixedbox"
    bilayer = "bilayer"
    lnp = "lnp"
    proteinbox = "proteinbox"
    protein_mixedbox = "protein_mixedbox"
    adopted = "adopted"


class Parametrization(StrEnum):
    """Source of the force-field parameters of a simulation."""

    cgenff = "cgenff"
    smirnoff = "smirnoff"
    pdb2gmx = "pdb2gmx"
    charmm = "charmm"
    external = "external"


class Engine(StrEnum):
    """Program that runs a simulation."""

    gromacs = "gromacs"


class ResultType(StrEnum):
    """Type of a result: an analysis is a table of numbers, an artifact is a set of files."""

    analysis = "analysis"
    artifact = "artifact"


ResultId = tuple[ResultType, str]
"""Type and name of a result."""


class ResultStatus(StrEnum):
    """Whether the store holds a result."""

    completed = "completed"
    not_yet_run = "not_yet_run"


STATUSES_IN_ORDER: Final = (ResultStatus.not_yet_run, *SimulationStatus)
"""Statuses of results and simulations in the order of progress; both can be ``completed``."""


class ConflictMode(StrEnum):
    """What a write does with records whose keys are stored already.

    ``refuse`` rejects the whole write, ``skip`` keeps the stored records, ``force``
    overwrites them, ``update`` overwrites those that differ in a column other than the time, or
    in their sidecar.
    """

    refuse = "refuse"
    skip = "skip"
    force = "force"
    update = "update"


@dataclass(frozen=True, slots=True)
class Retention:
    """How much history a store keeps, so that operations can be undone.

    Parameters
    ----------
    operations
        Number of the latest operations that can be undone; 0 to keep no history.
    size
        Maximum total size of their before-images and fingerprints, in bytes.
    """

    operations: int = 10
    size: int = 10**9

    @property
    def is_enabled(self) -> bool:
        """Whether the store keeps any history."""
        return self.operations > 0 and self.size > 0
