"""Pushed: the outcome of a push."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from operator import add

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.simulation import Skipped
from mdfactory.records.merge import Counts
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultId, SimulationStatus
from mdfactory.stores.recorder import Logged
from mdfactory.sync.completeness import ResultCounts
from mdfactory.sync.coverage import Coverage
from mdfactory.sync.files.sending import SentFiles
from mdfactory.sync.snapshot import CampaignSnapshot


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did, or would do.

    Parameters
    ----------
    tables
        Table name -> number of its records by outcome.
    skipped
        Folders and results that are invalid or missing.
    warnings
        Warnings for the user, one line each.
    dry_run
        Whether nothing was written.
    statuses
        Status -> number of simulations that were found, in the order of progress.
    results
        Result -> number of these simulations that have it in the store, and that miss it; empty
        for a dry run, and if the store has no overview.
    without_results
        Hashes of the completed simulations that have no result in the store.
    plain_runs
        Number of runs without a BuildInput, which are ignored.
    files
        What was done with the files of artifacts; None if they were not pushed.
    logged
        The operation in the log; None if nothing was written.
    """

    tables: Mapping[str, Counts]
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    dry_run: bool = False
    statuses: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[ResultId, ResultCounts] = field(default_factory=dict)
    without_results: tuple[str, ...] = ()
    plain_runs: int = 0
    files: SentFiles | None = None
    logged: Logged | None = None

    def __repr__(self) -> str:
        counts = ", ".join(f"{number:,} {name}" for name, number in asdict(self.counts).items())
        return f"<Pushed{' (dry run)' if self.dry_run else ''}: {counts}>"

    @property
    def counts(self) -> Counts:
        """Number of all records by outcome; ``skipped`` also counts the entries of `skipped`."""
        return reduce(add, self.tables.values(), Counts(skipped=len(self.skipped)))


def pushed_of(
    snapshot: CampaignSnapshot, known: Mapping[Table, Counts], written: Mapping[str, Counts]
) -> Pushed:
    """Return the outcome of a push.

    Parameters
    ----------
    snapshot
        The records of the campaign.
    known
        Table -> counts of the records that were not read.
    written
        Table name -> counts of the other records.
    """
    counts = dict(written)
    for table, unread in known.items():
        counts[table.name] = counts.get(table.name, Counts()) + unread
    # sorted by table name, with the table of simulations first
    names = sorted(counts, key=lambda name: (name != SIMULATIONS.name, name))
    inventory = snapshot.inventory
    statuses = Counter(simulation.status for simulation in inventory.visited())
    ordered = filter(statuses.get, SimulationStatus)
    return Pushed(
        {name: counts[name] for name in names},
        tuple(inventory.skipped),
        tuple(inventory.warnings),
        statuses={status.value: statuses[status] for status in ordered},
        plain_runs=len(inventory.plain_runs),
    )


def with_coverage(pushed: Pushed, seen: Coverage, catalogue: Catalogue) -> Pushed:
    """Return the outcome of a push with what it has seen of the results in the store."""
    return replace(
        pushed, results=seen.counts(catalogue), without_results=tuple(seen.without_results)
    )
