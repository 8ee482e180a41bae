"""Push: write the records of a campaign on disk into a store, in one transaction."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.campaign.collect import Scope
from mdfactory.campaign.discover import Source
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.errors import ConflictError, NotInitialisedError
from mdfactory.filestore.file_store import FileStore
from mdfactory.records.merge import Counts
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.vocabulary import (
    ConflictMode,
    ResultType,
    check_name,
)
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.coverage import Coverage
from mdfactory.sync.directories import new_directories
from mdfactory.sync.files.sending import FileSender
from mdfactory.sync.files.store_id import leave_marker
from mdfactory.sync.overview import Row, outdated_rows, write_rows
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.pushed import Pushed, pushed_of, with_coverage
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
    files: FileStore | None = None,
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
    files
        The file store to which the files of artifacts are sent. Default: they are not sent.
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
    FileStoreError
        If the file store cannot be reached, read or written. Nothing was recorded.
    """
    with store.transaction() as transaction:
        _require(transaction, scope)
    with (
        take_snapshot(store, source, scope, mode, reading=reading, watch=watch) as snapshot,
        snapshot.inventory.explaining_conflicts(),
        _explaining_conflicts(store, snapshot),
    ):
        sender = FileSender(files, snapshot, mode, reading.jobs) if files else None
        run = _Run(store, snapshot, mode, catalogue, sender)
        run.send_files(dry_run=dry_run)
        watch("writing", 0)
        pushed = run.plan() if dry_run else (run.find_unchanged() or run.write(command))
        return replace(pushed, files=sender.sent if sender else None)


@dataclass(frozen=True, slots=True)
class _Run:
    """One push, after its snapshot was taken; the parameters are those of `push`."""

    store: Store
    snapshot: CampaignSnapshot
    mode: ConflictMode
    catalogue: Catalogue
    sender: FileSender | None

    def send_files(self, *, dry_run: bool) -> None:
        """Send the files of artifacts, after a search for conflicts; a dry run only counts them."""
        sender = self.sender
        if sender is None:
            return
        with planned_transaction(self.store, self.snapshot, self.mode) as (transaction, _):
            transaction.plan(self.snapshot.record_batches(), self.mode)
            sources = sender.sources(transaction)
        if dry_run:
            sender.plan(sources)
        elif sources:
            leave_marker(self.store, sender.files)
            sender.send(sources)

    def plan(self) -> Pushed:
        """Return the outcome of a dry run."""
        with planned_transaction(self.store, self.snapshot, self.mode) as (transaction, known):
            written = transaction.plan(self.snapshot.record_batches(), self.mode)
            self.warn_of_new_directories(transaction)
            return replace(pushed_of(self.snapshot, known, written), dry_run=True)

    def warn_of_new_directories(self, transaction: Transaction) -> None:
        """Warn if simulations that are in the store were found in other folders."""
        if self.mode in {ConflictMode.update, ConflictMode.force}:
            found = new_directories(transaction, self.snapshot.record_batches())
            if found:
                self.snapshot.inventory.warnings.append(found.warning)

    def find_unchanged(self) -> Pushed | None:
        """Return the outcome if nothing must be written, as far as digest rows tell; else None."""
        snapshot = self.snapshot
        if not snapshot.digest_rows:
            return None
        with self.store.transaction() as transaction:
            known, unread = snapshot.plan(transaction, self.mode)
            if not unread:
                written = transaction.plan(snapshot.record_batches(), self.mode)
                pushed, seen = pushed_of(snapshot, known, written), Coverage()
                outdated = self._outdated_rows(transaction, seen)
                if not (pushed.counts.inserted or pushed.counts.updated or any(outdated)):
                    return with_coverage(pushed, seen, self.catalogue)
        snapshot.read(unread)
        return None

    def write(self, command: str) -> Pushed:
        """Write the records, in a transaction that finds all the files that they need."""
        for attempt in itertools.count(1):
            with planned_transaction(self.store, self.snapshot, self.mode, write=True) as planned:
                transaction, known = planned
                missing = self.sender.missing(transaction) if self.sender else {}
                if not missing:
                    seen = Coverage()
                    self.warn_of_new_directories(transaction)
                    written = self._write_records(transaction, known, command, seen)
            if self.sender and missing:
                self.sender.send_again(attempt, missing)
                continue
            pushed = replace(pushed_of(self.snapshot, known, written), logged=self.store.logged)
            return with_coverage(pushed, seen, self.catalogue)
        raise AssertionError

    def _write_records(
        self,
        transaction: Transaction,
        known: Mapping[Table, Counts],
        command: str,
        seen: Coverage,
    ) -> dict[str, Counts]:
        """Write the records and the overview in an open transaction, and log that."""
        with self.store.recorded(transaction, command) as recorder:
            for table, counts in known.items():
                recorder.count(table, asdict(counts))
            for table in dict.fromkeys(table for table, _ in self.snapshot.records):
                transaction.create(table)
            written = transaction.write(self.snapshot.record_batches(), self.mode)
            for rows in self._outdated_rows(transaction, seen):
                write_rows(transaction, rows, self.snapshot.time)
        return written

    def _outdated_rows(self, transaction: Transaction, seen: Coverage) -> Iterator[list[Row]]:
        """Yield the rows of the overview that must be written; see `overview.outdated_rows`."""
        return outdated_rows(transaction, self.snapshot.inventory, self.catalogue, seen.add)


@contextmanager
def _explaining_conflicts(store: Store, snapshot: CampaignSnapshot) -> Iterator[None]:
    """Say in a conflict of the block that all records are unchanged, or have new directories."""
    try:
        yield
    except ConflictError as error:
        with planned_transaction(store, snapshot, ConflictMode.update) as (transaction, _):
            planned = transaction.plan(snapshot.record_batches(), ConflictMode.update).values()
            found = new_directories(transaction, snapshot.record_batches())
            batches = found.undo(snapshot.record_batches())
            others = transaction.plan(batches, ConflictMode.update).values() if found else ()
        if not any(counts.inserted or counts.updated for counts in planned):
            raise ConflictError(error.conflicts, nothing_new=True) from error
        if not found:
            raise
        is_all = not any(counts.updated for counts in others)
        reason = "Apart from their directories, these records have not changed. " * is_all
        raise ConflictError(error.conflicts, f"{reason}{found.hint}") from error


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
