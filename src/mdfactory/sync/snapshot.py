"""Snapshot: the records of a campaign, read from disk once and held until the store has them.

A campaign is read before a store is locked. Records that were read before, and whose files have not
changed, are not read again: the index of earlier reading gives a digest row for each of them. If
the store turns out to lack such a record, `CampaignSnapshot.retry_until_read` reads it after all.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import pyarrow as pa

from mdfactory.campaign.collect import Scope, collect
from mdfactory.campaign.discover import Folders, Found, Source, discover
from mdfactory.campaign.scan_index import PLAIN, Reading
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import DuplicateSimulationError, SourceError
from mdfactory.records.arrow import array, texts
from mdfactory.records.merge import Counts
from mdfactory.records.tables import DIGEST_ROW_SCHEMA, Table
from mdfactory.records.vocabulary import ConflictMode, ResultId, SimulationType
from mdfactory.stores.transaction import Batches, Transaction
from mdfactory.sync.overview import VisitedSimulation
from mdfactory.sync.spool import Spool

__all__ = ["CampaignSnapshot", "ProgressCallback", "UnreadError", "take_snapshot"]

log = logging.getLogger(__name__)

ProgressCallback = Callable[[str, int], None]
"""Called with the current step, such as ``writing``, and the number of records done."""

CHANGED_REASON: Final = "the folder has changed while the campaign was read. Push it again"

T = TypeVar("T")


class UnreadError(Exception):
    """A transaction needs records that were not read; it must be rolled back.

    Parameters
    ----------
    folders
        Table id -> folders of these records.
    """

    def __init__(self, folders: Mapping[str, Collection[str]]) -> None:
        self.folders = folders


@dataclass(slots=True)
class Inventory:
    """What the walk of a campaign has found, apart from the records.

    Parameters
    ----------
    folders
        Hash -> its folders, each with its rank: the negative rank of its status. The smallest
        entry is the folder to use.
    types
        Hash -> type of the simulation.
    results
        Result, its name as the registry spells it -> types of the simulations that have it.
    skipped
        Folders and results that are invalid or missing, each once and in order: a dictionary
        without values.
    warnings
        Warnings for the user, one line each.
    """

    folders: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    types: dict[str, SimulationType] = field(default_factory=dict)
    results: dict[ResultId, set[SimulationType]] = field(default_factory=dict)
    skipped: dict[Skipped, None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def first_pass(self, items: Iterable[Found], watch: ProgressCallback) -> Iterator[Simulation]:
        """Enter all items, and yield those that are simulations."""
        for number, item in enumerate(items, start=1):
            watch("reading simulations", number)
            if isinstance(item, Skipped):
                self.add_skipped(item)
                continue
            identity = item.identity
            self.types[identity.hash] = identity.simulation_type
            self.folders.setdefault(identity.hash, []).append((-item.status.rank, item.path))
            if item.warnings:
                self.warnings += item.warnings
            yield item

    def second_pass(
        self, items: Iterable[Found], paths: Collection[str], watch: ProgressCallback
    ) -> Iterator[Simulation]:
        """Yield simulations that are read again; skip those that have changed since.

        Parameters
        ----------
        items
            What is found now in the folders that are read again.
        paths
            These folders.
        watch
            Called with the number of items.
        """
        changed = set(paths)
        for number, item in enumerate(items, start=1):
            watch("reading simulations again", number)
            if isinstance(item, Simulation):
                folders = self.folders.get(item.hash, ())
                if any(path == item.path for _, path in folders):
                    changed.discard(item.path)
                    yield item
        for path in sorted(changed):
            self.add_skipped(Skipped(path, CHANGED_REASON))
        self.folders = {
            hash_: folders
            for hash_, folders in self.folders.items()
            if not any(path in changed for _, path in folders)
        }

    def add_skipped(self, skipped: Skipped) -> None:
        """Enter a folder or a result that is skipped, once."""
        self.skipped[skipped] = None

    def add_results(self, table: Table, rows: pa.RecordBatch) -> None:
        """Enter the result that a table is about, and the types of its simulations."""
        if table.result_type is not None:
            name = table.name.partition("_")[2]  # as the registry spells it
            types = self.results.setdefault((table.result_type, name), set())
            types |= set(map(SimulationType, texts(rows["simulation_type"])))

    def add_missing_names(self, scope: Scope, source: str) -> None:
        """Enter names of results that the scope asks for and that no simulation has."""
        names = {name.lower() for _, name in self.results}
        for name in sorted(scope.names - names):
            self.add_skipped(Skipped(source, f"no simulation has a result named {name}"))

    def visited(self, skipped_folders: Collection[str]) -> Iterator[VisitedSimulation]:
        """Yield each simulation once, with the folder that is used."""
        for hash_, folders in self.folders.items():
            (path,) = (path for _, path in folders if path not in skipped_folders)
            yield VisitedSimulation(hash_, self.types[hash_], path)

    def choose_folders(self, mode: ConflictMode) -> set[str]:
        """Choose one folder of each simulation that was found in several.

        The most advanced folder is used; among equals, the first by its path.

        Returns
        -------
        set of str
            The folders that are not used.

        Raises
        ------
        DuplicateSimulationError
            In mode ``refuse``, if any simulation was found in several folders.
        """
        duplicates = {
            hash_: [path for _, path in sorted(folders)]
            for hash_, folders in self.folders.items()
            if len(folders) > 1
        }
        if duplicates and mode is ConflictMode.refuse:
            raise DuplicateSimulationError(duplicates)
        for hash_, (used, *skipped) in duplicates.items():
            self.warnings.append(
                f"{hash_} was found in {len(skipped) + 1} folders; "
                f"using {used}, skipping {', '.join(skipped)}"
            )
        return {path for _, *skipped in duplicates.values() for path in skipped}


@dataclass(slots=True)
class CampaignSnapshot:
    """The records of a campaign, as one walk has read them.

    Parameters
    ----------
    inventory
        What the walk has found, apart from the records.
    records
        Whole records.
    digest_rows
        Digest rows of records that were read before, and not again.
    scope
        The records that are asked for.
    time
        Time of the records: ISO 8601 in UTC.
    reading
        How folders are read.
    watch
        Called with the current step and the number of items done.
    skipped_folders
        Folders of simulations of which another folder is used.
    read_again
        Table id -> folders whose records were read after all: their digest rows are obsolete.
    """

    inventory: Inventory
    records: Spool
    digest_rows: Spool
    scope: Scope
    time: str
    reading: Reading
    watch: ProgressCallback
    skipped_folders: set[str] = field(default_factory=set)
    read_again: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def tables(self) -> list[Table]:
        """Return the tables of the whole records."""
        return self.records.tables()

    def record_batches(self) -> Batches:
        """Yield the whole records, those of each simulation from one folder."""
        for table, rows in self.records:
            yield table, _without_folders(rows, self.skipped_folders)

    def digest_batches(self) -> Batches:
        """Yield the digest rows of records that were not read, likewise."""
        for table, rows in self.digest_rows:
            yield table, _without_folders(rows, self.skipped_folders | self.read_again[table.id])

    def classify_unread(
        self, transaction: Transaction, mode: ConflictMode
    ) -> Iterator[tuple[Table, Counts]]:
        """Count the records that were not read and stay in the store as they are.

        Parameters
        ----------
        transaction
            A transaction of the store.
        mode
            The conflict mode of the write.

        Yields
        ------
        tuple of Table and Counts
            A table, and the numbers of some of its records by outcome.

        Raises
        ------
        UnreadError
            After the last table, if a write would insert or replace any of these records: it
            needs the whole records.
        """
        unread: dict[str, list[str]] = defaultdict(list)
        for table, rows in self.digest_batches():
            counts, positions = transaction.classify_digest_rows(table, rows, mode)
            unread[table.id] += (rows["directory"][position].as_py() for position in positions)
            yield table, counts
        if any(unread.values()):
            raise UnreadError(unread)

    def read_source(self, source: Source, reading: Reading) -> None:
        """Walk a source, and hold its records."""
        simulations = self.inventory.first_pass(discover(source, reading), self.watch)
        self._collect(simulations, self.scope, reading)

    def retry_until_read(self, work: Callable[[], T]) -> T:
        """Call a function that uses a store, until all records are read that it needs.

        Each round reads more whole records, so that this ends, at the latest when all are read.

        Parameters
        ----------
        work
            Opens a transaction of its own, and raises `UnreadError` if it needs more records.
        """
        while True:
            try:
                return work()
            except UnreadError as error:
                self._read_again(error.folders)

    def _read_again(self, folders: Mapping[str, Collection[str]]) -> None:
        """Read the whole records of some folders, given by table id."""
        for table_id, paths in folders.items():
            self.read_again[table_id] |= set(paths)
        all_paths = set().union(*folders.values())
        log.info("%d folders are read again: the store has other records of them", len(all_paths))
        items = discover(Folders(tuple(sorted(all_paths))), self.reading)
        scope = replace(self.scope, only={id_: set(paths) for id_, paths in folders.items()})
        simulations = self.inventory.second_pass(items, all_paths, self.watch)
        self._collect(simulations, scope, self.reading)

    def _collect(self, simulations: Iterable[Simulation], scope: Scope, reading: Reading) -> None:
        add_skipped = self.inventory.add_skipped
        for table, rows in collect(simulations, scope, self.time, add_skipped, reading):
            self.inventory.add_results(table, rows)
            are_digest_rows = rows.schema.equals(DIGEST_ROW_SCHEMA)
            (self.digest_rows if are_digest_rows else self.records).add(table, rows)
            del rows  # a batch may be large, and must not be held while the next one is read


@contextmanager
def take_snapshot(
    source: Source,
    scope: Scope,
    mode: ConflictMode,
    time: str,
    watch: ProgressCallback,
    *,
    reading: Reading = PLAIN,
) -> Iterator[CampaignSnapshot]:
    """Read a campaign from disk, for the block of a ``with`` statement; no store is locked.

    Parameters
    ----------
    source
        The campaign; see `campaign.discover.discover`.
    scope
        The records to read.
    mode
        The conflict mode. In mode ``refuse``, a simulation in two folders is an error. In modes
        ``update`` and ``skip``, a record that was read before is held as a digest row, until
        `CampaignSnapshot.retry_until_read` needs it.
    time
        Time of the records: ISO 8601 in UTC.
    watch
        Called with the current step and the number of items done.
    reading
        How folders are read.

    Yields
    ------
    CampaignSnapshot
        The snapshot; its records are dropped at the end of the block.

    Raises
    ------
    SourceError
        If the source does not exist, or has no simulation.
    DuplicateSimulationError
        In mode ``refuse``, if a simulation was found in several folders.
    """
    with Spool() as records, Spool() as digest_rows:
        inventory = Inventory()
        snapshot = CampaignSnapshot(inventory, records, digest_rows, scope, time, reading, watch)
        brief = mode in {ConflictMode.update, ConflictMode.skip}
        snapshot.read_source(source, replace(reading, brief=brief))
        if not (inventory.folders or inventory.skipped or isinstance(source, Folders)):
            raise SourceError(str(source), "no simulations found: no folder has a BuildInput YAML")
        log.info("%d simulations found in %s", len(inventory.folders), source)
        snapshot.skipped_folders = inventory.choose_folders(mode)
        inventory.add_missing_names(scope, str(source))
        yield snapshot


def _without_folders(rows: pa.RecordBatch, paths: Collection[str]) -> pa.RecordBatch:
    """Return the rows whose directory is none of some folders."""
    if not paths:
        return rows
    import pyarrow.compute as pc

    is_excluded = pc.is_in(rows["directory"], array(list(paths), pa.string()))
    return rows.filter(pc.invert(is_excluded))
