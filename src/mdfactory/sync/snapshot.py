"""What one walk of a campaign finds, held until the store has taken it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import pyarrow as pa

from mdfactory.campaign.collect import Scope, collect
from mdfactory.campaign.discover import Discovery, Folders, Source, discover
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import DuplicateSimulationError, SourceError
from mdfactory.records.arrow import array, texts
from mdfactory.records.merge import Counts
from mdfactory.records.tables import DIGEST_ROW_SCHEMA, Table
from mdfactory.records.vocabulary import ConflictMode, ResultId, SimulationType
from mdfactory.stores.transaction import Batches, Transaction
from mdfactory.sync.overview import Visited
from mdfactory.sync.spool import Spool

__all__ = ["Campaign", "UnreadError", "Watch", "take_snapshot"]

log = logging.getLogger(__name__)

Watch = Callable[[str, int], None]
"""Is told what is being done, and the number of items done so far."""

CHANGED: Final = "has changed while the campaign was read. Push it again"

Result = TypeVar("Result")


class UnreadError(Exception):
    """Records are to be written that were not read; the transaction is of no use.

    Parameters
    ----------
    unread
        Table, by its id -> the folders of these records.
    """

    def __init__(self, unread: Mapping[str, Collection[str]]) -> None:
        self.unread = unread


@dataclass(slots=True)
class Seen:
    """What one walk of a campaign came across."""

    folders: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    types: dict[str, SimulationType] = field(default_factory=dict)
    pushed: dict[ResultId, set[SimulationType]] = field(default_factory=dict)
    skipped: dict[Skipped, None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def simulations(self, found: Iterable[Discovery], watch: Watch) -> Iterator[Simulation]:
        """Pass simulations on, and take note of all that comes by."""
        for number, item in enumerate(found, start=1):
            watch("reading simulations", number)
            if isinstance(item, Skipped):
                self.report(item)
                continue
            built, hash_ = item.identity, item.identity.hash
            self.types[hash_] = built.simulation_type
            self.folders.setdefault(hash_, []).append((-item.status.rank, item.path))
            if item.warnings:
                self.warnings += item.warnings
            yield item

    def again(
        self, found: Iterable[Discovery], directories: Collection[str], watch: Watch
    ) -> Iterator[Simulation]:
        """Pass simulations on that come by once more, and name those that have changed."""
        rest = set(directories)
        for number, item in enumerate(found, start=1):
            watch("reading simulations again", number)
            if isinstance(item, Simulation):
                places = self.folders.get(item.hash, ())
                if any(path == item.path for _, path in places):
                    rest.discard(item.path)
                    yield item
        for directory in sorted(rest):
            self.report(Skipped(directory, CHANGED))
        self.folders = {
            hash_: places
            for hash_, places in self.folders.items()
            if not any(path in rest for _, path in places)
        }

    def report(self, skipped: Skipped) -> None:
        """Take note of something that is passed over, once."""
        self.skipped[skipped] = None

    def note(self, table: Table, rows: pa.RecordBatch) -> None:
        """Take note of the results that come by."""
        if table.result_type is not None:
            name = table.name.partition("_")[2]  # as the registry spells it
            types = self.pushed.setdefault((table.result_type, name), set())
            types |= set(map(SimulationType, texts(rows["simulation_type"])))

    def miss(self, scope: Scope, source: str) -> None:
        """Name what was asked for and no simulation has."""
        found = {name.lower() for _, name in self.pushed}
        for name in sorted(scope.names - found):
            self.report(Skipped(source, f"no simulation has a result named {name}"))

    def visited(self, lost: Collection[str]) -> Iterator[Visited]:
        """Return the simulations, each in the folder that counts."""
        for hash_, places in self.folders.items():
            (directory,) = (path for _, path in places if path not in lost)
            yield Visited(hash_, self.types[hash_], directory)

    def settle(self, mode: ConflictMode) -> set[str]:
        """Return the folders that give way to another one of the same simulation.

        The most advanced one stays, the first by its path among equals.
        """
        twice = {hash_: sorted(places) for hash_, places in self.folders.items() if places[1:]}
        if twice and mode is ConflictMode.refuse:
            paths = {hash_: [path for _, path in places] for hash_, places in twice.items()}
            raise DuplicateSimulationError(paths)
        for hash_, ((_, taken), *others) in twice.items():
            left = ", ".join(path for _, path in others)
            self.warnings.append(f"{hash_} stands in several folders: took {taken}, left {left}")
        return {path for places in twice.values() for _, path in places[1:]}


@dataclass(slots=True)
class Campaign:
    """What one walk of a campaign found.

    Parameters
    ----------
    seen
        What it came by.
    records
        The records that were read.
    known
        What is known of records that were read before, and not again.
    scope, time, reading, watch
        Which records, of when, and how they are read.
    lost
        Folders that give way to another one of the same simulation.
    completed
        Those of `known` that were read after all.
    """

    seen: Seen
    records: Spool
    known: Spool
    scope: Scope
    time: str
    reading: Reading
    watch: Watch
    lost: set[str] = field(default_factory=set)
    completed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def tables(self) -> list[Table]:
        """Return the tables that records were read for."""
        return self.records.tables()

    def batches(self) -> Batches:
        """Yield the records that were read, each simulation's from one folder."""
        for table, rows in self.records:
            yield table, _without(rows, self.lost)

    def left(self, transaction: Transaction, mode: ConflictMode) -> Iterator[tuple[Table, Counts]]:
        """Leave records that were not read as they are in the store.

        Yields
        ------
        tuple
            A table, and what became of some of its records.

        Raises
        ------
        UnreadError
            In the end, if a write would not leave all of them.
        """
        unread: dict[str, list[str]] = defaultdict(list)
        for table, rows in self.others():
            counts, others = transaction.classify_digest_rows(table, rows, mode)
            unread[table.id] += (rows["directory"][one].as_py() for one in others)
            yield table, counts
        if any(unread.values()):
            raise UnreadError(unread)

    def others(self) -> Batches:
        """Yield what is known of records that were not read, likewise."""
        for table, rows in self.known:
            yield table, _without(rows, self.lost | self.completed[table.id])

    def read(self, source: Source, reading: Reading) -> None:
        """Walk a source."""
        simulations = self.seen.simulations(discover(source, reading), self.watch)
        self._take(simulations, self.scope, reading)

    def attempt(self, work: Callable[[], Result]) -> Result:
        """Do something with a store, until all records are read that it needs.

        Parameters
        ----------
        work
            Does it in a transaction of its own, and raises `UnreadError` to begin anew.
        """
        while True:
            try:
                return work()
            except UnreadError as error:
                self._complete(error.unread)

    def _complete(self, unread: Mapping[str, Collection[str]]) -> None:
        """Read records after all that were read before."""
        for id_, directories in unread.items():
            self.completed[id_] |= set(directories)
        folders = set().union(*unread.values())
        log.info("%d folders are read again: the store has other records of them", len(folders))
        found = discover(Folders(tuple(sorted(folders))), self.reading)
        scope = replace(
            self.scope, folders_by_table={id_: set(some) for id_, some in unread.items()}
        )
        self._take(self.seen.again(found, folders, self.watch), scope, self.reading)

    def _take(self, simulations: Iterable[Simulation], scope: Scope, reading: Reading) -> None:
        for table, rows in collect(simulations, scope, self.time, self.seen.report, reading):
            self.seen.note(table, rows)
            (self.known if rows.schema.equals(DIGEST_ROW_SCHEMA) else self.records).add(table, rows)
            del rows  # they may be long, and are not held while the next ones are read


@contextmanager
def take_snapshot(
    source: Source,
    scope: Scope,
    mode: ConflictMode,
    time: str,
    watch: Watch,
    *,
    reading: Reading = DEFAULT_READING,
) -> Iterator[Campaign]:
    """Read a campaign from disk, for the block of a ``with`` statement; no store is held.

    Parameters
    ----------
    source
        Where; see `campaign.discover.discover`.
    scope
        Which records.
    mode
        What to do with a simulation that stands in two folders: refuse, or take one. Where
        records in the store may stay as they are, those that were read before are not read
        again until `Campaign.attempt` needs them.
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
    with Spool() as records, Spool() as known:
        seen = Seen()
        campaign = Campaign(seen, records, known, scope, time, reading, watch)
        campaign.read(
            source, replace(reading, digests_only=mode in {ConflictMode.update, ConflictMode.skip})
        )
        if not (seen.folders or seen.skipped or isinstance(source, Folders)):
            raise SourceError(str(source), "there is no simulation in it")
        log.info("%d simulations found in %s", len(seen.folders), source)
        campaign.lost = seen.settle(mode)
        seen.miss(scope, str(source))
        yield campaign


def _without(rows: pa.RecordBatch, directories: Collection[str]) -> pa.RecordBatch:
    """Return the rows of all other folders."""
    if not directories:
        return rows
    import pyarrow.compute as pc

    gone = array(list(directories), pa.string())
    return rows.filter(pc.invert(pc.is_in(rows["directory"], gone)))
