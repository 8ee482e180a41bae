"""Push: from a campaign on disk into a store, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import add
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope, collect
from mdfactory.campaign.discover import Folders, Found, Source, discover
from mdfactory.campaign.scan import PLAIN, Reading
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import DuplicateSimulationError, NotInitialisedError, SourceError
from mdfactory.records.merge import Counts
from mdfactory.records.tables import RUNS, Table, array
from mdfactory.records.terms import Item, Mode, SimulationType
from mdfactory.stores.base import Batches, Store, Transaction
from mdfactory.sync.items import require_items
from mdfactory.sync.overview import Visited, derive
from mdfactory.sync.spool import Spool

__all__ = ["SYSTEMS", "Campaign", "Pushed", "Watch", "planned", "push", "read_campaign"]

log = logging.getLogger(__name__)

Watch = Callable[[str, int], None]
"""Is told what is being done, and the number of items done so far."""


SYSTEMS: Final = Scope(systems=True)


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
    mode: Mode = Mode.refuse,
    scope: Scope = SYSTEMS,
    *,
    catalogue: Catalogue = Catalogue(),  # noqa: B008  # frozen
    dry_run: bool = False,
    command: str = "push",
    reading: Reading = PLAIN,
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
    with read_campaign(source, scope, mode, now, watch, reading=reading) as campaign:
        watch("writing", 0)
        with store.transaction() if dry_run else store.operation(command) as transaction:
            if dry_run:
                counts = planned(transaction, campaign.batches(), mode)
            else:
                for table in campaign.spool.tables():
                    transaction.create(table)
                counts = transaction.write(campaign.batches(), mode)
                seen = campaign.seen
                derive(transaction, seen.visited(campaign.lost), catalogue, seen.pushed, now)
    return Pushed(counts, tuple(campaign.seen.skipped), tuple(campaign.seen.warnings))


@dataclass(frozen=True, slots=True)
class Campaign:
    """What one walk of a campaign found.

    Parameters
    ----------
    seen
        What it came by.
    spool
        The records.
    lost
        Folders that give way to another one of the same simulation.
    """

    seen: Seen
    spool: Spool
    lost: list[str]

    def batches(self) -> Batches:
        """Yield the records, each simulation's from one folder."""
        gone = array(self.lost, pa.string())
        for table, rows in self.spool:
            kept = rows.filter(pc.invert(pc.is_in(rows["directory"], gone))) if self.lost else rows
            yield table, kept


@contextmanager
def read_campaign(
    source: Source,
    scope: Scope,
    mode: Mode,
    time: str,
    watch: Watch,
    *,
    reading: Reading = PLAIN,
) -> Iterator[Campaign]:
    """Read a campaign from disk, for the block of a ``with`` statement; no store is held.

    Parameters
    ----------
    source
        Where; see `campaign.discover.discover`.
    scope
        Which records.
    mode
        What to do with a simulation that stands in two folders: refuse, or take one.
    time
        When this is, as records have it.
    watch
        Is told of the progress.
    reading
        How folders are read.

    Raises
    ------
    SourceError
        If there is no such SOURCE, or no simulation in it.
    DuplicateSimulationError
        In mode ``refuse``, if a simulation stands in two folders.
    """
    seen = Seen()
    with Spool() as spool:
        simulations = seen.simulations(discover(source, reading), watch)
        for table, rows in collect(simulations, scope, time, seen.skipped.append):
            seen.note(table, rows)
            spool.add(table, rows)
            del rows  # they may be long, and are not held while the next ones are read
        if not (seen.folders or seen.skipped or isinstance(source, Folders)):
            raise SourceError(str(source), "there is no simulation in it")
        log.info("%d simulations found in %s", len(seen.folders), source)
        lost = seen.settle(mode)
        seen.miss(scope, str(source))
        yield Campaign(seen, spool, lost)


def _require(transaction: Transaction, scope: Scope) -> None:
    """Refuse a store that was not initialised for what is to be written."""
    try:
        if scope.systems:
            transaction.require(RUNS)
        for kind in scope.items:
            require_items(transaction, kind)
    except NotInitialisedError as error:
        if scope.systems and scope.items:
            error.command = "mdfactory sync init all"
        raise


def planned(transaction: Transaction, batches: Batches, mode: Mode) -> dict[str, Counts]:
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


@dataclass(slots=True)
class Seen:
    """What one walk of a campaign came across."""

    folders: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    types: dict[str, SimulationType] = field(default_factory=dict)
    pushed: dict[Item, set[SimulationType]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def simulations(self, found: Iterable[Found], watch: Watch) -> Iterator[Simulation]:
        """Pass simulations on, and take note of all that comes by."""
        for number, item in enumerate(found, start=1):
            watch("reading simulations", number)
            if isinstance(item, Skipped):
                self.skipped.append(item)
                continue
            self.warnings += item.warnings
            place = (-item.status.rank, item.path)
            self.folders.setdefault(item.hash, []).append(place)
            self.types[item.hash] = item.identity.simulation_type
            yield item

    def note(self, table: Table, rows: pa.RecordBatch) -> None:
        """Take note of the results that come by."""
        if table.item is not None:
            name = table.name.partition("_")[2]  # as the registry spells it
            types = self.pushed.setdefault((table.item, name), set())
            types |= set(map(SimulationType, rows["simulation_type"].to_pylist()))

    def miss(self, scope: Scope, source: str) -> None:
        """Name what was asked for and no simulation has."""
        found = {name.lower() for _, name in self.pushed}
        self.skipped += [
            Skipped(source, f"no simulation has a result named {name}")
            for name in sorted(scope.names - found)
        ]

    def visited(self, lost: Collection[str]) -> Iterator[Visited]:
        """Return the simulations, each in the folder that counts."""
        gone = set(lost)
        for hash_, places in self.folders.items():
            (directory,) = (path for _, path in places if path not in gone)
            yield Visited(hash_, self.types[hash_], directory)

    def settle(self, mode: Mode) -> list[str]:
        """Return the folders that give way to another one of the same simulation.

        The most advanced one stays, the first by its path among equals.
        """
        twice = {hash_: sorted(places) for hash_, places in self.folders.items() if places[1:]}
        if twice and mode is Mode.refuse:
            paths = {hash_: [path for _, path in places] for hash_, places in twice.items()}
            raise DuplicateSimulationError(paths)
        for hash_, ((_, taken), *others) in twice.items():
            left = ", ".join(path for _, path in others)
            self.warnings.append(f"{hash_} stands in several folders: took {taken}, left {left}")
        return [path for places in twice.values() for _, path in places[1:]]
