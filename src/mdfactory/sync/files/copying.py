"""Copy the files of artifacts from one file store to another."""

from __future__ import annotations

from dataclasses import dataclass, field

from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import (
    MissingFileError,
    StoreChangedError,
    WrongFileError,
    counted,
    format_bytes,
)
from mdfactory.filestore.file_store import FileStore
from mdfactory.records.query import Query
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.files.folders import look_by_folder
from mdfactory.sync.files.listed_files import COLUMNS, ListedFile, listed_files
from mdfactory.sync.files.sending import SentFiles
from mdfactory.sync.files.stopping import Stopper
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import result_tables


@dataclass(slots=True)
class FileCopier:
    """Copies the files that the records of a store name.

    Parameters
    ----------
    source, target
        The file stores.
    jobs
        Number of files at once. Default: that of the target.
    sent
        What was done.
    skipped
        Files that the source does not have as recorded. The dictionary without values is an
        ordered set.
    """

    source: FileStore
    target: FileStore
    jobs: int | None = None
    sent: SentFiles = field(init=False)
    skipped: dict[Skipped, None] = field(default_factory=dict)
    _needed: dict[str, ListedFile] = field(default_factory=dict)
    _copied: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sent = SentFiles(self.target.location)

    @property
    def _jobs(self) -> int | None:
        return self.jobs or self.target.jobs or self.source.jobs

    def read(self, transaction: Transaction) -> None:
        """Read which files the records of a store name."""
        for table in result_tables(transaction, ResultType.artifact).values():
            for rows in transaction.read(table, Query(columns=COLUMNS)):
                for file in listed_files(table, rows):
                    if file.digest:
                        self._needed.setdefault(file.digest, file)
                    else:
                        self._skip(file, "its record has no SHA-256")

    def copy(self, *, dry_run: bool, watch: ProgressCallback) -> None:
        """Copy the files that are not in the target in the size that they have in the source.

        Raises
        ------
        FileStoreError
            If one of the file stores cannot be reached, read or written.
        """
        sizes: dict[str, int] = {}

        def find_equal(digests: tuple[str, ...]) -> set[str]:
            given, stored = self.source.sizes(digests), self.target.sizes(digests)
            sizes.update(given)
            return {each for each in stored if given.get(each, stored[each]) == stored[each]}

        self._copied.update(*look_by_folder(find_equal, self._needed, self._jobs))
        self.sent.present = len(self._copied)
        copying = [digest for digest in self._needed if digest not in self._copied]
        if dry_run:
            self.sent.sent = len(copying)
            self.sent.sent_bytes = sum(sizes.get(digest, 0) for digest in copying)
            return

        stopper, total = Stopper(), counted(len(copying), "file")

        def copy_one(digest: str) -> tuple[str, int | None, str]:
            try:
                chunks = stopper.chunks(self.source.get(digest))
                size = self.target.put(digest, chunks, sizes.get(digest, 0))
            except MissingFileError:
                return digest, None, "is not"
            except WrongFileError as error:
                return digest, None, str(error)
            return digest, size, ""

        with Prefetcher(copy_one, self._jobs) as copied, stopper:
            for digest, size, problem in copied.map(copying):
                if size is None:
                    self._skip(self._needed[digest], f"{problem} in {self.source.location}")
                    continue
                self._copied.add(digest)
                self.sent.sent += 1
                self.sent.sent_bytes += size
                done = format_bytes(self.sent.sent_bytes)
                watch(f"copying {total} ({done}):", self.sent.sent)
        self.target.settle(self._copied & set(copying))

    def require_copied(self, transaction: Transaction) -> None:
        """Check that the files of all records were copied, and are still there.

        Parameters
        ----------
        transaction
            The transaction from which the records are copied, while they are written.

        Raises
        ------
        StoreChangedError
            If another program has removed some, or has recorded more since `read`.
        """
        before = set(self._needed)
        self.read(transaction)
        if self._needed.keys() - before:
            raise StoreChangedError(
                "another program has recorded more files meanwhile; no record was written. Repeat "
                "the copy"
            )
        gone = set[str]().union(*look_by_folder(self.target.missing, self._copied, self._jobs))
        if gone:
            raise StoreChangedError(
                f"another program has removed files from {self.target.location} meanwhile; no "
                "record was written. Repeat the copy"
            )

    def _skip(self, file: ListedFile, reason: str) -> None:
        text = f"artifact {file.artifact}: {file.path} {reason}"
        self.skipped[Skipped(file.hash, text)] = None
