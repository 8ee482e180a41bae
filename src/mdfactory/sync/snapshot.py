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
from typing import TypeVar

import pyarrow as pa

from mdfactory.campaign.collect import Scope, collect
from mdfactory.campaign.discover import Folders, Source, discover
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.campaign.simulation import Simulation
from mdfactory.errors import SourceError
from mdfactory.records.arrow import array
from mdfactory.records.merge import Counts
from mdfactory.records.tables import DIGEST_ROW_SCHEMA, Table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.transaction import Batches, Transaction
from mdfactory.sync.inventory import Inventory
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.spool import Spool

__all__ = ["CampaignSnapshot", "UnreadError", "take_snapshot"]

log = logging.getLogger(__name__)

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
        """Yield the digest rows, likewise, but for records that were read again."""
        for table, rows in self.digest_rows:
            yield table, _without_folders(rows, self.skipped_folders | self.read_again[table.id])

    def classify_unread(
        self, transaction: Transaction, mode: ConflictMode
    ) -> Iterator[tuple[Table, Counts]]:
        """Classify the records that were not read, and count those that stay unchanged.

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

        Each round reads more whole records, so that the loop ends at the latest when all are read.

        Parameters
        ----------
        work
            Opens a transaction of its own, and raises `UnreadError` if it needs more records.
        """
        while True:
            try:
                return work()
            except UnreadError as error:
                self._read_folders_again(error.folders)

    def _read_folders_again(self, folders: Mapping[str, Collection[str]]) -> None:
        """Read the whole records of some folders, given by table id."""
        for table_id, paths in folders.items():
            self.read_again[table_id] |= set(paths)
        all_paths = set().union(*folders.values())
        log.info("%d folders are read again: the store has other records of them", len(all_paths))
        items = discover(Folders(tuple(sorted(all_paths))), self.reading)
        scope = replace(
            self.scope, folders_by_table={id_: set(paths) for id_, paths in folders.items()}
        )
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
    reading: Reading = DEFAULT_READING,
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
        snapshot.read_source(source, replace(reading, digests_only=brief))
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
