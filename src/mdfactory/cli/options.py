"""Options that several commands have, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import ArgumentCollection, Group, Parameter, validators

from mdfactory.cli.session import Session
from mdfactory.errors import UsageError
from mdfactory.records.vocabulary import ConflictMode, SimulationType

if TYPE_CHECKING:
    from mdfactory.campaign.catalogue import Catalogue
    from mdfactory.campaign.discover import Source
    from mdfactory.campaign.scan_index import Reading

__all__ = [
    "CONFLICTS",
    "FILTERS",
    "CampaignCsv",
    "Conflicts",
    "DryRun",
    "Hash",
    "Limit",
    "Names",
    "OrderBy",
    "Purge",
    "Reads",
    "Type",
    "Yes",
    "catalogue",
    "source_of",
]


def _at_most_one(arguments: ArgumentCollection) -> None:
    if sum(bool(argument.tokens) for argument in arguments) > 1:
        raise ValueError("Give at most one of --diff, --update and --force")


CONFLICTS: Final = Group(
    "Conflicts",
    help="What to do with records that are in the store already; by default nothing is written.",
    validator=_at_most_one,
    sort_key=2,
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Conflicts:
    """What to do with records that are in the store already.

    Parameters
    ----------
    diff
        Leave them as they are.
    update
        Overwrite those that changed, leave the others.
    force
        Overwrite them.
    """

    diff: Annotated[
        bool, Parameter(name=("--diff", "--skip-existing"), negative=(), group=CONFLICTS)
    ] = False
    update: Annotated[bool, Parameter(negative=(), group=CONFLICTS)] = False
    force: Annotated[bool, Parameter(negative=(), group=CONFLICTS)] = False

    @property
    def mode(self) -> ConflictMode:
        """The one that was chosen."""
        chosen = {
            ConflictMode.skip: self.diff,
            ConflictMode.force: self.force,
            ConflictMode.update: self.update,
        }
        return next((mode for mode, given in chosen.items() if given), ConflictMode.refuse)


READING: Final = Group("Reading", sort_key=3)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Reads:
    """How folders are read.

    Parameters
    ----------
    jobs
        Folders and results that are read at once. By default as many as pay: one on a disk that
        answers at once, more on a slow file system.
    no_cache
        Read all files, also those that have not changed since they were read last.
    """

    jobs: Annotated[
        int | None,
        Parameter(
            name=("--jobs", "-j"), group=READING, validator=validators.Number(gte=1, lte=256)
        ),
    ] = None
    no_cache: Annotated[bool, Parameter(negative=(), group=READING)] = False

    @contextmanager
    def opened(self) -> Iterator[Reading]:
        """Open what is known of earlier reading, for the block of a ``with`` statement."""
        from mdfactory.campaign.scan_index import Reading, ScanIndex

        if self.no_cache:
            yield Reading(None, self.jobs)
            return
        from mdfactory.config import cache_folder

        with ScanIndex(cache_folder() / "scan.db") as index:
            yield Reading(index, self.jobs)


DryRun = Annotated[bool, Parameter(name=("--dry-run", "-n"))]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"))]
Purge = Annotated[bool, Parameter(negative=())]

SOURCES: Final = Group("Campaign CSV", sort_key=1)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class CampaignCsv:
    """A source that is given by options.

    Parameters
    ----------
    csv
        A campaign CSV: the folders of its rows are pushed.
    csv_root
        Where to search them; here if not given.
    """

    csv: Annotated[Path | None, Parameter(group=SOURCES)] = None
    csv_root: Annotated[Path | None, Parameter(group=SOURCES)] = None


FILTERS: Final = Group("Filters", help="All that are given must hold.", sort_key=1)
OrderBy = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
Limit = Annotated[int | None, Parameter(converter=lambda _, tokens: int(tokens[0].value))]
Hash = Annotated[str | None, Parameter(name="--hash", group=FILTERS)]
Type = Annotated[SimulationType | None, Parameter(group=FILTERS)]
Names = Annotated[tuple[str, ...], Parameter(negative=())]


def source_of(source: Path | None, table: CampaignCsv | None) -> Source:
    """Return what to push.

    Raises
    ------
    UsageError
        Unless exactly one source is given.
    """
    from mdfactory.campaign.discover import CsvSource

    csv, csv_root = (table.csv, table.csv_root) if table else (None, None)
    if (source is None) == (csv is None):
        raise UsageError("give either a SOURCE or --csv FILE: a folder, a pattern, a build summary")
    if csv is not None:
        return CsvSource(csv, csv_root or Path())
    if csv_root is not None:
        raise UsageError("--csv-root goes with --csv FILE")
    return str(source)


def catalogue(session: Session) -> Catalogue:
    """Return the results that are expected of simulations."""
    from mdfactory.campaign.catalogue import Catalogue

    return Catalogue(session.settings().catalogue)
