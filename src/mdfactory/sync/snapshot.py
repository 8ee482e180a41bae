"""Snapshot: the records of a campaign, read from disk before a store is locked.

Records of unchanged files are not read again if the conflict mode permits it: the index of earlier
scans has a digest row for each of them. If the store lacks such a record, or has another version of
it, `CampaignSnapshot.read` reads the record from disk.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

import pyarrow as pa

from mdfactory.campaign.collect import Scope, collect
from mdfactory.campaign.discover import CsvSource, Folders, Searched, Source, discover, roots
from mdfactory.campaign.scan_index import Reading
from mdfactory.campaign.simulation import Simulation
from mdfactory.errors import SourceError, counted, listed
from mdfactory.files import expand_home
from mdfactory.records.arrow import texts
from mdfactory.records.merge import Counts
from mdfactory.records.tables import DIGEST_ROW_SCHEMA, Table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.keys import take_rows
from mdfactory.stores.spool import Spool
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Batches, Transaction
from mdfactory.sync.inventory import Inventory
from mdfactory.sync.lost_inputs import edited_warnings, is_lost, stored_hashes, write_back_command
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import PLURALS

log = logging.getLogger(__name__)


@dataclass(slots=True)
class CampaignSnapshot:
    """The records of a campaign, and the digest rows of records that were not read.

    Parameters
    ----------
    scope
        Which records to collect.
    reading
        How folders are read.
    watch
        Called with the current step and the number of items done.
    time
        Time of the records: ISO 8601 in UTC.
    inventory
        What the walk has found, apart from the records.
    spool
        The rows. A campaign is read into it before the store is locked, so that no other writer
        waits for a slow file system.
    records
        Table and position in the spool of each batch of whole records.
    digest_rows
        The same for digest rows of records that an earlier scan read, and this one did not.
    read_again
        Table id -> folders whose records were read later, so that their digest rows are obsolete.
    left_out
        Table id -> folders whose records are not used, since their files are not as recorded.
    selected
        Hashes of the simulations whose records and digest rows are used; all if None.
    """

    scope: Scope
    reading: Reading
    watch: ProgressCallback
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    inventory: Inventory = field(default_factory=Inventory)
    spool: Spool = field(default_factory=Spool)
    records: list[tuple[Table, int]] = field(default_factory=list)
    digest_rows: list[tuple[Table, int]] = field(default_factory=list)
    read_again: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    left_out: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    selected: Collection[str] | None = None

    def leave_out(self, table: Table, folder: str) -> None:
        """Leave the record of a folder out of the records of a table."""
        self.left_out[table.id].add(folder)

    def record_batches(self) -> Batches:
        """Yield the whole records, without those of unused folders and those left out."""
        for table, position in self.records:
            paths = self.inventory.unused_folders | self.left_out[table.id]
            yield table, self._select(self.spool.read(position), paths)

    def digest_batches(self) -> Batches:
        """Yield the digest rows, without those of unused folders and of records read later."""
        for table, position in self.digest_rows:
            paths = self.inventory.unused_folders | self.read_again[table.id]
            yield table, self._select(self.spool.read(position), paths)

    def _select(self, rows: pa.RecordBatch, paths: Collection[str]) -> pa.RecordBatch:
        """Return the rows of selected simulations whose directory is not in `paths`."""
        pairs = zip(texts(rows["hash"]), texts(rows["directory"]), strict=True)
        positions = [
            position
            for position, (hash_, path) in enumerate(pairs)
            if path not in paths and (self.selected is None or hash_ in self.selected)
        ]
        return take_rows(rows, positions)

    def plan(
        self, transaction: Transaction, mode: ConflictMode
    ) -> tuple[dict[Table, Counts], dict[str, set[str]]]:
        """Compare the digest rows with a store; nothing is written.

        Returns
        -------
        counts : dict of Table to Counts
            Numbers of the records by outcome of a write.
        unread : dict of str to set of str
            Table id -> folders of the records that are neither unchanged nor skipped. A write needs
            them as a whole.
        """
        counts: dict[Table, Counts] = defaultdict(Counts)
        unread: dict[str, set[str]] = defaultdict(set)
        for table, rows in self.digest_batches():
            resolution = transaction.classify(table, rows, mode)
            counts[table] += resolution.counts
            needed = [*resolution.insert, *resolution.replace, *resolution.refuse]
            if needed:
                unread[table.id].update(texts(take_rows(rows, needed)["directory"]))
        return counts, unread

    def known_folders(self) -> dict[str, set[str]]:
        """Return the folders of all records of which only digest rows are known."""
        folders: dict[str, set[str]] = defaultdict(set)
        for table, rows in self.digest_batches():
            folders[table.id].update(texts(rows["directory"]))
        return folders

    def read(self, folders: Mapping[str, Collection[str]]) -> None:
        """Read records from disk, in place of their digest rows.

        Parameters
        ----------
        folders
            Table id -> folders of the records.
        """
        if not folders:
            return
        for table_id, paths in folders.items():
            self.read_again[table_id] |= set(paths)
        all_paths = set().union(*folders.values())
        log.info("%d folders are read again: the store has other records of them", len(all_paths))
        items = discover(Folders(tuple(sorted(all_paths))), self.reading)
        simulations = self.inventory.second_pass(items, all_paths, self.watch)
        self.collect(simulations, replace(self.scope, folders_by_table=folders), self.reading)

    def collect(self, simulations: Iterable[Simulation], scope: Scope, reading: Reading) -> None:
        """Store the records of simulations in this snapshot."""
        add_skipped = self.inventory.add_skipped
        for table, rows in collect(simulations, scope, self.time, add_skipped, reading):
            self.inventory.add_results(table, rows)
            are_digest_rows = rows.schema.equals(DIGEST_ROW_SCHEMA)
            batches = self.digest_rows if are_digest_rows else self.records
            batches.append((table, self.spool.add(rows)))
            del rows  # a batch may be large: it is released before the next one is read


@contextmanager
def take_snapshot(
    store: Store,
    source: Source,
    scope: Scope,
    mode: ConflictMode,
    *,
    reading: Reading,
    watch: ProgressCallback,
) -> Iterator[CampaignSnapshot]:
    """Read a campaign from disk; use it in a ``with`` statement.

    Parameters
    ----------
    store
        The store; only directories are read from it, of folders that have no BuildInput.
    source
        The campaign; see `campaign.discover.discover`.
    scope
        The records to read.
    mode
        The conflict mode. In mode ``refuse``, a simulation in two folders is an error. In modes
        ``update`` and ``skip``, only digest rows are taken of simulations and analyses whose
        files have not changed since an earlier scan.
    reading
        How folders are read.
    watch
        Called with the current step and the number of items done.

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
    snapshot = CampaignSnapshot(scope, reading, watch)
    with snapshot.spool:
        inventory = snapshot.inventory
        brief = replace(reading, digests_only=mode in {ConflictMode.update, ConflictMode.skip})
        searched = Searched()
        items = discover(source, brief, searched)
        snapshot.collect(inventory.first_pass(items, watch), scope, brief)
        if not (inventory.folders or inventory.skipped or isinstance(source, Folders)):
            lost = stored_hashes(store, roots(source, reading))
            raise _no_simulations(source, searched, len(inventory.plain_runs), lost)
        log.info("%d simulations found in %s", len(inventory.folders), source)
        inventory.warnings += edited_warnings(store, inventory.edited)
        inventory.choose_folders(mode)
        left_out = {*inventory.plain_runs, *searched.former}
        stored = stored_hashes(store, left_out)
        lost = {path: hash_ for path, hash_ in stored.items() if path in left_out}
        inventory.warn_of_missing_inputs(str(source), lost)
        if isinstance(source, CsvSource) and source.root == Path() and not inventory.folders:
            inventory.warnings.append(
                f"no row has a folder below {roots(source)[0]}; give the folder to search with "
                "--csv-root"
            )
        if isinstance(source, str) and os.path.isdir(expand_home(source)):
            inventory.warn_of_simulations_below(*roots(source))
        inventory.add_missing_names(scope, str(source))
        if not (scope.simulations or inventory.results or inventory.skipped):
            kinds = " or ".join(PLURALS[result_type] for result_type in scope.results)
            inventory.warnings.append(f"no simulation has {kinds} to push")
        yield snapshot


def _no_simulations(
    source: Source, searched: Searched, plain_runs: int, stored: Mapping[str, str]
) -> SourceError:
    """Return the error if nothing was found: what is there instead, and what to run.

    `stored` has directory and hash of the stored simulations in the folders of the source.
    """
    folders = counted(searched.folders, "folder")
    reason = f"no simulations found: {folders} searched, none has a BuildInput YAML"
    if not searched.folders:
        reason = "no simulations found: it lists no folders"
    command = ""
    lost = [(path, hash_) for path, hash_ in stored.items() if is_lost(path)]
    if lost:
        reason += f", but the store has that of {counted(len(lost), 'folder')}"
        commands = [write_back_command(hash_, path) for path, hash_ in sorted(lost)]
        command = "\n  ".join(["", *listed(commands)] if commands[1:] else commands)
    elif plain_runs:
        reason += f", but {counted(plain_runs, 'GROMACS run')} without one"
        command = f"mdfactory adopt {quote(str(source))}"
    elif searched.gromacs:
        owners = counted(searched.gromacs, "folder")
        reason += (
            f". {owners} with GROMACS files, but without the topology (.top) that an adoption reads"
        )
    elif searched.tables:
        reason += ". A campaign CSV becomes folders by prepare-build"
        command = f"mdfactory prepare-build {quote(searched.tables[0])}"
    elif searched.folders:
        reason += " or a file of GROMACS"
    error = SourceError(str(source), reason)
    error.command = command
    return error


@contextmanager
def planned_transaction(
    store: Store, snapshot: CampaignSnapshot, mode: ConflictMode, *, write: bool = False
) -> Iterator[tuple[Transaction, Mapping[Table, Counts]]]:
    """Open a transaction in which a write needs no record that was not read.

    The records that it needs are read between two transactions, not while the store is locked.
    Another program may write in between. So the next transaction classifies again. After the
    second one, all records are read.

    Parameters
    ----------
    store
        The store.
    snapshot
        The records of the campaign.
    mode
        The conflict mode of the write.
    write
        Whether the transaction may write.

    Yields
    ------
    transaction : Transaction
        The open transaction.
    counts : mapping of Table to Counts
        Numbers of the records that were not read: they are unchanged or skipped.
    """
    for attempt in itertools.count():
        with store.transaction(write=write) as transaction:
            counts, unread = snapshot.plan(transaction, mode)
            if not unread:
                yield transaction, counts
                return
        snapshot.read(snapshot.known_folders() if attempt else unread)
