"""Push: write the records of a campaign on disk into a store, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from operator import add
from typing import Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope
from mdfactory.campaign.discover import Source
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import ConflictError, NotInitialisedError
from mdfactory.records.merge import Counts
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.vocabulary import (
    ConflictMode,
    ResultId,
    ResultType,
    SimulationStatus,
    check_name,
)
from mdfactory.stores.recorder import Logged
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.completeness import ResultCounts
from mdfactory.sync.coverage import Coverage
from mdfactory.sync.overview import outdated_rows, write_rows
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_results
from mdfactory.sync.snapshot import CampaignSnapshot, planned_transaction, take_snapshot

SIMULATIONS_ONLY: Final = Scope(simulations=True)

SCOPE_BY_KIND: Final[Mapping[str, Scope]] = {
    "all": Scope(simulations=True, results=tuple(ResultType)),
    "systems": SIMULATIONS_ONLY,
    "analysis": Scope(results=(ResultType.analysis,)),
    "artifacts": Scope(results=(ResultType.artifact,)),
}
"""Kind of a push, as in the name of its command -> the records that it writes."""


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
    logged: Logged | None = None

    def __repr__(self) -> str:
        counts = ", ".join(f"{number:,} {name}" for name, number in asdict(self.counts).items())
        return f"<Pushed{' (dry run)' if self.dry_run else ''}: {counts}>"

    @property
    def counts(self) -> Counts:
        """Number of all records by outcome; ``skipped`` also counts the entries of `skipped`."""
        return reduce(add, self.tables.values(), Counts(skipped=len(self.skipped)))


def scope_of(kind: str, names: Iterable[str] = ()) -> Scope:
    """Return the scope of a push.

    Parameters
    ----------
    kind
        A key of `SCOPE_BY_KIND`.
    names
        Names of the results to push; all if there are none.

    Raises
    ------
    InvalidNameError
        If one of the names is invalid.
    """
    lower = frozenset(check_name(name).lower() for name in names)
    return replace(SCOPE_BY_KIND[kind], names=lower)


def push(
    store: Store,
    source: Source,
    mode: ConflictMode = ConflictMode.refuse,
    scope: Scope = SIMULATIONS_ONLY,
    *,
    catalogue: Catalogue = Catalogue(),  # noqa: B008  # frozen
    dry_run: bool = False,
    command: str = "push",
    reading: Reading = DEFAULT_READING,
    watch: ProgressCallback = lambda *_: None,
) -> Pushed:
    """Push the records of a campaign: its simulations, their analyses and artifacts.

    Parameters
    ----------
    store
        The store to write to.
    source
        A folder, a glob pattern, a build summary or a campaign CSV; see
        `campaign.discover.discover`.
    mode
        What to do with records whose key is already in the store.
    scope
        The records to push.
    catalogue
        The results that are expected of each type of simulation, for the overview.
    dry_run
        Write nothing, and return what would be written.
    command
        The command as the user typed it, for the log.
    reading
        How folders are read.
    watch
        Called with the current step and the number of items done.

    Raises
    ------
    SourceError
        If the source does not exist, or has neither a simulation nor an invalid folder.
    DuplicateSimulationError
        In mode ``refuse``, if a simulation was found in several folders.
    ConflictError
        In mode ``refuse``, if the key of a record is already in the store. Nothing was written.
    NotInitialisedError
        If the store lacks a table that the push needs.
    """
    with store.transaction() as transaction:
        _require(transaction, scope)
    with (
        take_snapshot(source, scope, mode, reading, watch) as snapshot,
        snapshot.inventory.explaining_conflicts(),
        _recognising_repetition(store, snapshot),
    ):
        watch("writing", 0)
        if dry_run:
            with planned_transaction(store, snapshot, mode) as (transaction, known):
                written = transaction.plan(snapshot.record_batches(), mode)
                return replace(_pushed(snapshot, known, written), dry_run=True)
        if snapshot.digest_rows:
            with store.transaction() as transaction:
                known, unread = snapshot.plan(transaction, mode)
                if not unread:
                    written = transaction.plan(snapshot.record_batches(), mode)
                    pushed, seen = _pushed(snapshot, known, written), Coverage()
                    outdated = outdated_rows(transaction, snapshot.inventory, catalogue, seen.add)
                    if not (pushed.counts.inserted or pushed.counts.updated or any(outdated)):
                        return _with_coverage(pushed, seen, catalogue)
            snapshot.read(unread)
        with (
            planned_transaction(store, snapshot, mode, write=True) as (transaction, known),
            store.recorded(transaction, command) as recorder,
        ):
            for table, counts in known.items():
                recorder.count(table, asdict(counts))
            for table in dict.fromkeys(table for table, _ in snapshot.records):
                transaction.create(table)
            written, seen = transaction.write(snapshot.record_batches(), mode), Coverage()
            for rows in outdated_rows(transaction, snapshot.inventory, catalogue, seen.add):
                write_rows(transaction, rows, snapshot.time)
        pushed = replace(_pushed(snapshot, known, written), logged=store.logged)
        return _with_coverage(pushed, seen, catalogue)


@contextmanager
def _recognising_repetition(store: Store, snapshot: CampaignSnapshot) -> Iterator[None]:
    """Say in a conflict of the block that there is nothing new, if all records are unchanged."""
    try:
        yield
    except ConflictError as error:
        with planned_transaction(store, snapshot, ConflictMode.update) as (transaction, _):
            planned = transaction.plan(snapshot.record_batches(), ConflictMode.update).values()
        if any(counts.inserted or counts.updated for counts in planned):
            raise
        raise ConflictError(error.conflicts, nothing_new=True) from error


def _pushed(
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
        plain_runs=inventory.plain_runs,
    )


def _with_coverage(pushed: Pushed, seen: Coverage, catalogue: Catalogue) -> Pushed:
    """Return the outcome of a push with what it has seen of the results in the store."""
    return replace(
        pushed, results=seen.counts(catalogue), without_results=tuple(seen.without_results)
    )


def _require(transaction: Transaction, scope: Scope) -> None:
    """Raise `NotInitialisedError` if the store lacks a table that a push of this scope needs."""
    try:
        if scope.simulations:
            transaction.require(SIMULATIONS)
        for result_type in scope.results:
            require_results(transaction, result_type)
    except NotInitialisedError as error:
        if scope.simulations and scope.results:
            error.command = "mdfactory sync init all"
        raise
