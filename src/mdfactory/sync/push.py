"""Push: write the records of a campaign on disk into a store, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import add
from typing import Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope
from mdfactory.campaign.discover import Source
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import NotInitialisedError
from mdfactory.records.merge import Counts
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Batches, Transaction
from mdfactory.sync.overview import derive_overview
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_results
from mdfactory.sync.snapshot import CampaignSnapshot, take_snapshot

SIMULATIONS_ONLY: Final = Scope(simulations=True)


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
    """

    tables: Mapping[str, Counts]
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """Number of all records by outcome; ``skipped`` also counts the entries of `skipped`."""
        return reduce(add, self.tables.values(), Counts(skipped=len(self.skipped)))


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
    now = datetime.now(UTC).isoformat()
    with take_snapshot(source, scope, mode, now, watch, reading=reading) as snapshot:
        inventory = snapshot.inventory

        def write() -> dict[str, Counts]:
            watch("writing", 0)
            with store.transaction() if dry_run else store.operation(command) as transaction:
                counts = _write_records(transaction, snapshot, mode, dry_run=dry_run)
                if not dry_run:
                    visited = inventory.visited(snapshot.skipped_folders)
                    derive_overview(transaction, visited, catalogue, inventory.results, now)
            return counts

        counts = snapshot.retry_until_read(write)
    return Pushed(_simulations_first(counts), tuple(inventory.skipped), tuple(inventory.warnings))


def _write_records(
    transaction: Transaction, snapshot: CampaignSnapshot, mode: ConflictMode, *, dry_run: bool
) -> dict[str, Counts]:
    """Write the records of a snapshot, and count them by outcome; in a dry run, only count them.

    Raises
    ------
    UnreadError
        If the write needs records of which the snapshot has only digest rows.
    """
    if dry_run:
        counts = plan_write(transaction, snapshot.record_batches(), mode)
    else:
        for table in snapshot.tables():
            transaction.create(table)
        counts = transaction.write(snapshot.record_batches(), mode)
    for table, unread in snapshot.classify_unread(transaction, mode):
        counts[table.name] = counts.get(table.name, Counts()) + unread
    return counts


def _simulations_first(counts: Mapping[str, Counts]) -> dict[str, Counts]:
    """Return the counts sorted by table name, with the table of simulations first."""
    names = sorted(counts, key=lambda name: (name != SIMULATIONS.name, name))
    return {name: counts[name] for name in names}


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


def plan_write(transaction: Transaction, batches: Batches, mode: ConflictMode) -> dict[str, Counts]:
    """Return the counts of a write that creates missing tables first, without writing anything.

    Parameters
    ----------
    transaction
        A transaction of the store; nothing is written.
    batches
        The records.
    mode
        The conflict mode of the write.

    Returns
    -------
    dict of str to Counts
        Table name -> number of its records by outcome.

    Raises
    ------
    ConflictError
        In mode ``refuse``, if the key of a record is already in the store.
    """
    new_tables: dict[str, Counts] = {}

    def batches_of_existing_tables() -> Batches:
        for table, rows in batches:
            if transaction.has(table):
                yield table, rows
            else:
                inserted = Counts(inserted=rows.num_rows)
                new_tables[table.name] = new_tables.get(table.name, Counts()) + inserted

    return transaction.plan(batches_of_existing_tables(), mode) | new_tables
