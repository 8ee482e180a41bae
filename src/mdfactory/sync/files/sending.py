"""Send the files of a push to the file store."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.campaign.results import RECORD_ARTIFACT
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import ResultError, StoreChangedError, WrongFileError, counted, format_bytes
from mdfactory.filestore.file_store import FileStore
from mdfactory.records.query import Query
from mdfactory.records.tables import Table, artifact_table
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.keys import hash_condition, keys_of
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.files.disk import read_on_disk, size_on_disk
from mdfactory.sync.files.folders import look_by_folder
from mdfactory.sync.files.listed_files import COLUMNS, ListedFile, listed_files
from mdfactory.sync.files.stopping import Stopper
from mdfactory.sync.snapshot import CampaignSnapshot

log = logging.getLogger(__name__)

MAX_ROUNDS: Final = 5
"""How often files are sent again that another program removes meanwhile."""


@dataclass(slots=True)
class SentFiles:
    """What a push did with files, or would do; equal files are counted once.

    Parameters
    ----------
    location
        The file store, without secrets.
    sent, sent_bytes
        Number of files that were sent, and their size.
    present
        Number of files that were there.
    """

    location: str
    sent: int = 0
    sent_bytes: int = 0
    present: int = 0


class _Outcome(NamedTuple):
    """What became of a file: its size if it was sent, and the sources that do not have it."""

    size: int | None
    problems: list[tuple[ListedFile, str]]


@dataclass(slots=True)
class FileSender:
    """The files that the records of a push need.

    Parameters
    ----------
    files
        The file store.
    snapshot
        The records of the campaign. Those whose files are not as recorded are left out of it.
    mode
        The conflict mode of the push; ``force`` sends all files, whether they are there or not.
    jobs
        Number of files to send at once. Default: that of the file store.
    sent
        What was done so far.
    """

    files: FileStore
    snapshot: CampaignSnapshot
    mode: ConflictMode
    jobs: int | None = None
    sent: SentFiles = field(init=False)
    _safe: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sent = SentFiles(self.files.location)

    @property
    def _jobs(self) -> int | None:
        return self.jobs or self.files.jobs

    def sources(self, transaction: Transaction) -> dict[str, list[ListedFile]]:
        """Return the files that the records name after the push: checksum -> where they are.

        Parameters
        ----------
        transaction
            A transaction of the store: with ``--diff``, stored records stay as they are.
        """
        sources: dict[str, list[ListedFile]] = {}
        for table, rows in self.snapshot.record_batches():
            if table.result_type is ResultType.artifact:
                stored = self._stored_files(transaction, table, keys_of(rows, ("hash",)))
                for file in listed_files(table, rows):
                    if file.hash not in stored or (file.path, file.digest) in stored[file.hash]:
                        sources.setdefault(file.digest, []).append(file)
        return sources

    def _stored_files(
        self, transaction: Transaction, table: Table, keys: Collection[tuple[str, ...]]
    ) -> dict[str, set[tuple[str, str]]]:
        """Return path and checksum of the files of records that a push does not overwrite."""
        stored: dict[str, set[tuple[str, str]]] = {}
        if self.mode is not ConflictMode.skip or not transaction.has(table):
            return stored
        for rows in transaction.read(table, Query((hash_condition(keys),), COLUMNS)):
            stored |= {hash_: set() for (hash_,) in keys_of(rows, ("hash",))}
            for file in listed_files(table, rows):
                stored[file.hash].add((file.path, file.digest))
        return stored

    def missing(self, transaction: Transaction) -> dict[str, list[ListedFile]]:
        """Return those sources whose files are not in the file store, or not known to be right.

        A file that was looked at before is only searched in a listing: another program may have
        removed it meanwhile, but nobody changes it.
        """
        sources = self.sources(transaction)
        known = self._safe & sources.keys()
        gone = set[str]().union(*look_by_folder(self.files.missing, known, self._jobs))
        return {
            digest: files
            for digest, files in sources.items()
            if digest in gone or digest not in self._safe
        }

    def look(self, sources: dict[str, list[ListedFile]]) -> dict[str, list[ListedFile]]:
        """Return those sources whose files must be sent: they are not there in their size."""
        if self.mode is ConflictMode.force:
            return sources

        def find_equal(digests: tuple[str, ...]) -> set[str]:
            stored = self.files.sizes(digests)
            return {each for each, size in stored.items() if size == size_on_disk(sources[each][0])}

        self._safe.update(*look_by_folder(find_equal, filter(None, sources), self._jobs))
        self.sent.present += len(self._safe & sources.keys())
        return {digest: files for digest, files in sources.items() if digest not in self._safe}

    def plan(self, sources: dict[str, list[ListedFile]]) -> None:
        """Count the files that would be sent."""
        for files in self.look(sources).values():
            self.sent.sent += 1
            self.sent.sent_bytes += size_on_disk(files[0]) or 0

    def send(self, sources: dict[str, list[ListedFile]]) -> None:
        """Send files, and leave out of the snapshot the records of those that are not as recorded.

        Raises
        ------
        FileStoreError
            If the file store cannot be written.
        """
        sending = self.look(sources)
        total = counted(len(sending), "file")
        stopper = Stopper()
        try:
            with Prefetcher(partial(self._send_file, stopper), self._jobs) as sent, stopper:
                outcomes = sent.map(tuple(files) for files in sending.values())
                for digest, outcome in zip(sending, outcomes, strict=True):
                    self._add(digest, outcome)
                    size = format_bytes(self.sent.sent_bytes)
                    self.snapshot.watch(f"sending {total} ({size}):", self.sent.sent)
            self.files.settle(self._safe & sending.keys())
        except KeyboardInterrupt:
            done = f"{self.sent.sent:,} of {total} ({format_bytes(self.sent.sent_bytes)})"
            log.warning("%s were sent; the same push uses them when it is repeated", done)
            raise

    def send_again(self, attempt: int, sources: dict[str, list[ListedFile]]) -> None:
        """Send files that vanished; raise an error if that happens again and again."""
        if attempt == MAX_ROUNDS:
            raise StoreChangedError(
                f"another program removes files from {self.files.location} while they are sent. "
                "Nothing was recorded: repeat the push when it has ended"
            )
        self._safe -= sources.keys()
        self.send(sources)

    def _send_file(self, stopper: Stopper, sources: tuple[ListedFile, ...]) -> _Outcome:
        """Send a file from the first source that has it as recorded."""
        problems: list[tuple[ListedFile, str]] = []
        for source in sources:
            if not source.digest:
                problems.append((source, f"{source.path} has no SHA-256{RECORD_ARTIFACT}"))
                continue
            try:
                chunks = stopper.chunks(read_on_disk(source))
                size = self.files.put(source.digest, chunks, size_on_disk(source) or 0)
            except (ResultError, WrongFileError) as error:
                problems.append((source, f"{source.path} {error}{RECORD_ARTIFACT}"))
            else:
                return _Outcome(size, problems)
        return _Outcome(None, problems)

    def _add(self, digest: str, outcome: _Outcome) -> None:
        if outcome.size is not None:
            self._safe.add(digest)
            self.sent.sent += 1
            self.sent.sent_bytes += outcome.size
        for source, reason in outcome.problems:
            self.snapshot.leave_out(artifact_table(source.artifact), source.directory)
            skipped = Skipped(source.directory, f"artifact {source.artifact}: {reason}")
            self.snapshot.inventory.add_skipped(skipped)
