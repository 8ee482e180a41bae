"""Snapshot: the records of a campaign, read from disk before a store is locked.

Records of unchanged files are not read again if the conflict mode permits it: the index of earlier
scans has a digest row for each of them. If the store lacks such a record, or has another version of
it, `CampaignSnapshot.retry_until_read` reads the record from disk.
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

log = logging.getLogger(__name__)

T = TypeVar("T")


class UnreadError(Exception):
    """A transaction needs records that were not read. It must be rolled back.

    Parameters
    ----------
    folders
        Table id -> folders of these records.
    """

    def __init__(self, folders: Mapping[str, Collection[str]]) -> None:
        self.folders = folders


@dataclass(slots=True)
class CampaignSnapshot:
    """The records of a campaign, and the digest rows of records that were not read.

    Parameters
    ----------
    inventory
        What the walk has found, apart from the records.
    records
        Whole records.
    digest_rows
        Digest rows of records that an earlier scan read, and this one did not.
    scope
        Which records to collect.
    time
        Time of the records: ISO 8601 in UTC.
    reading
        How folders are read.
    watch
        Called with the current step and the number of items done.
    skipped_folders
        Folders that are not used, because another folder of the same simulation is.
    read_again
        Table id -> folders whose records were read later, so that their digest rows are obsolete.
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
        """Yield the whole records, without those of skipped folders."""
        for table, rows in self.records:
            yield table, _without_folders(rows, self.skipped_folders)

    def digest_batches(self) -> Batches:
        """Yield the digest rows, without those of skipped folders and of records read later."""
        for table, rows in self.digest_rows:
            yield table, _without_folders(rows, self.skipped_folders | self.read_again[table.id])

    def classify_unread(
        self, transaction: Transaction, mode: ConflictMode
    ) -> Iterator[tuple[Table, Counts]]:
        """Classify the records that were not read, and count those that a write does not need.

        Parameters
        ----------
        transaction
            A transaction of the store.
        mode
            The conflict mode of the write.

        Yields
        ------
        tuple of Table and Counts
            A table, and numbers of its records that are unchanged or skipped. A table may come
            several times.

        Raises
        ------
        UnreadError
            After the last table, if a write would insert or replace any of these records, for
            which it needs the whole record.
        """
        unread: dict[str, list[str]] = defaultdict(list)
        for table, rows in self.digest_batches():
            counts, positions = transaction.classify_digest_rows(table, rows, mode)
            unread[table.id] += (rows["directory"][position].as_py() for position in positions)
            yield table, counts
        if any(unread.values()):
            raise UnreadError(unread)

    def read_source(self, source: Source, reading: Reading) -> None:
        """Walk a source, and store its records in this snapshot."""
        simulations = self.inventory.first_pass(discover(source, reading), self.watch)
        self._collect(simulations, self.scope, reading)

    def retry_until_read(self, work: Callable[[], T]) -> T:
        """Call a function; while it raises `UnreadError`, read the missing records and repeat.

        Each round reads more whole records. The loop ends, at the latest, when all are read.

        Parameters
        ----------
        work
            The function. It opens a transaction of its own in each call.
        """
        while True:
            try:
                return work()
            except UnreadError as error:
                self._read_folders_again(error.folders)

    def _read_folders_again(self, folders: Mapping[str, Collection[str]]) -> None:
        """Read whole records; `folders` maps a table id to the folders of its records."""
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
            del rows  # a batch may be large: it is released before the next one is read


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
    """Read a campaign from disk; use it in a ``with`` statement.

    Parameters
    ----------
    source
        The campaign; see `campaign.discover.discover`.
    scope
        The records to read.
    mode
        The conflict mode. In mode ``refuse``, a simulation in two folders is an error. In modes
        ``update`` and ``skip``, only digest rows are taken of simulations and analyses whose
        files have not changed since an earlier scan.
    time
        Time of the records: ISO 8601 in UTC.
    watch
        Called with the current step and the number of items done.
    reading
        How folders are read.

    Yields
    ------
    CampaignSnapshot
        The snapshot, valid inside the block.

    Raises
    ------
    SourceError
        If the source does not exist, or has neither a simulation nor an invalid folder.
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
    """Return the rows whose directory is not in `paths`."""
    if not paths:
        return rows
    import pyarrow.compute as pc

    is_excluded = pc.is_in(rows["directory"], array(list(paths), pa.string()))
    return rows.filter(pc.invert(is_excluded))
