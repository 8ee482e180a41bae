"""Patterns of the stems of file names, by which the files of a plain GROMACS run are told apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from mdfactory.records.vocabulary import SimulationStatus


@dataclass(frozen=True, slots=True)
class StemPatterns:
    """Patterns of stems, as in `fnmatch`; case does not matter.

    Parameters
    ----------
    production
        Stems of production runs.
    equilibrated
        Stems of equilibrations.
    """

    production: tuple[str, ...] = (
        *("prod", "production", "md", "md_*", "*_md"),
        *("step7*", "step5_production*", "step5_[0-9]*"),
    )
    equilibrated: tuple[str, ...] = ("npt", "nvt_npt", "step6.[1-9]*", "step4.1*", "equil*", "eq*")

    @classmethod
    def parse(cls, production: str, equilibrated: str) -> StemPatterns:
        """Return the patterns of two lists that are divided by commas."""
        return cls(_split(production), _split(equilibrated))

    def status_of(self, stem: str) -> SimulationStatus | None:
        """Return ``production`` or ``equilibrated``: the longest pattern that matches decides.

        Of patterns of one length, that of an equilibration decides. Other stems have no status.
        """
        production = _longest_match(stem, self.production)
        equilibrated = _longest_match(stem, self.equilibrated)
        if not (production or equilibrated):
            return None
        if production > equilibrated:
            return SimulationStatus.production
        return SimulationStatus.equilibrated


DEFAULT_STEMS: Final = StemPatterns()

BUILT_STEMS: Final = StemPatterns(("prod",), ())
"""Stem of the production of simulations that were built from a BuildInput."""


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(","))))


def _longest_match(stem: str, patterns: Iterable[str]) -> int:
    """Return the length of the longest pattern that matches a stem; 0 if none does."""
    matches = (pattern for pattern in patterns if fnmatchcase(stem.lower(), pattern.lower()))
    return max(map(len, matches), default=0)
