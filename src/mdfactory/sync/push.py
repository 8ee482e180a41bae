"""Push: from a campaign on disk into a store, in one transaction."""

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
from mdfactory.sync.overview import derive
from mdfactory.sync.results import require_results
from mdfactory.sync.snapshot import Campaign, Watch, take_snapshot

__all__ = ["SYSTEMS", "Pushed", "planned", "push"]

SYSTEMS: Final = Scope(simulations=True)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did, or would do.

    Parameters
    ----------
    tables
        Table -> what became of its records.
    skipped
        What was named or claims to be a simulation or a result, but is none.
    warnings
        What was odd, a line each.
    """

    tables: Mapping[str, Counts]
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """What became of all records; ``skipped`` also counts the items in `skipped`."""
        return reduce(add, self.tables.values(), Counts(skipped=len(self.skipped)))


def push(
    store: Store,
    source: Source,
    mode: ConflictMode = ConflictMode.refuse,
    scope: Scope = SYSTEMS,
    *,
    catalogue: Catalogue = Catalogue(),  # noqa: B008  # frozen
    dry_run: bool = False,
    command: str = "push",
    reading: Reading = DEFAULT_READING,
    watch: Watch = lambda *_: None,
) -> Pushed:
    """Push records of a campaign: of its simulations, their analyses, their artifacts.

    Parameters
    ----------
    store
        Where to.
    source
        A folder, a glob pattern, a build summary or a campaign CSV; see
        `campaign.discover.discover`.
    mode
        What to do with records that are in the store already.
    scope
        Which records.
    catalogue
        Which results are expected of a simulation, for the overview.
    dry_run
        Only tell what would be written.
    command
        What was typed, for the log.
    reading
        How folders are read.
    watch
        Is told of the progress.

    Raises
    ------
    SourceError
        If there is no such SOURCE, or no simulation in it.
    DuplicateSimulationError
        In mode ``refuse``, if a simulation stands in two folders.
    ConflictError
        In mode ``refuse``, if a record is in the store already. Nothing was written.
    NotInitialisedError
        If the store has no tables for them.
    """
    with store.transaction() as transaction:
        _require(transaction, scope)
    now = datetime.now(UTC).isoformat()
    with take_snapshot(source, scope, mode, now, watch, reading=reading) as campaign:
        seen = campaign.seen

        def written() -> dict[str, Counts]:
            watch("writing", 0)
            with store.transaction() if dry_run else store.operation(command) as transaction:
                counts = _written(transaction, campaign, mode, dry_run=dry_run)
                if not dry_run:
                    visited = seen.visited(campaign.lost)
                    derive(transaction, visited, catalogue, seen.pushed, now)
            return counts

        counts = campaign.attempt(written)
    simulations_first = dict(
        sorted(counts.items(), key=lambda one: (one[0] != SIMULATIONS.name, one[0]))
    )
    return Pushed(simulations_first, tuple(seen.skipped), tuple(seen.warnings))


def _written(
    transaction: Transaction, campaign: Campaign, mode: ConflictMode, *, dry_run: bool
) -> dict[str, Counts]:
    """Write the records of a campaign, or only tell what would become of them."""
    if dry_run:
        counts = planned(transaction, campaign.batches(), mode)
    else:
        for table in campaign.tables():
            transaction.create(table)
        counts = transaction.write(campaign.batches(), mode)
    for table, left in campaign.left(transaction, mode):
        counts[table.name] = counts.get(table.name, Counts()) + left
    return counts


def _require(transaction: Transaction, scope: Scope) -> None:
    """Refuse a store that was not initialised for what is to be written."""
    try:
        if scope.simulations:
            transaction.require(SIMULATIONS)
        for kind in scope.results:
            require_results(transaction, kind)
    except NotInitialisedError as error:
        if scope.simulations and scope.results:
            error.command = "mdfactory sync init all"
        raise


def planned(transaction: Transaction, batches: Batches, mode: ConflictMode) -> dict[str, Counts]:
    """Tell what a write would do that also makes the tables that are missing."""
    missing: dict[str, Counts] = {}

    def there() -> Batches:
        for table, rows in batches:
            if transaction.has(table):
                yield table, rows
            else:
                made = missing.get(table.name, Counts())
                missing[table.name] = made + Counts(inserted=rows.num_rows)

    return transaction.plan(there(), mode) | missing
