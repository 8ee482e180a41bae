"""Prune: remove the files of a file store that no record of the store needs any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.errors import FileStoreError, StoreError
from mdfactory.filestore.backend import StoredFile
from mdfactory.filestore.file_store import REGISTRIES, FileStore
from mdfactory.records.arrow import texts
from mdfactory.records.query import Query
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.history.entries import read_entries
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.files.listed_files import mentioned_digests
from mdfactory.sync.files.store_id import read_id
from mdfactory.sync.lost import lost_tables
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_tables, result_tables
from mdfactory.sync.undo import changed_records


@dataclass(slots=True)
class Unneeded:
    """Files that may be removed, or were.

    Parameters
    ----------
    location
        The file store, without secrets.
    files, size
        Number of files that no record needs, and their bytes.
    unfinished
        Number of temporary files and uploads of programs that were interrupted.
    """

    location: str
    files: int = 0
    size: int = 0
    unfinished: int = 0

    def add(self, file: StoredFile) -> None:
        """Count a file."""
        if file.upload or file.path.rpartition("/")[2].startswith("."):
            self.unfinished += 1
        else:
            self.files += 1
        self.size += file.size


def find_unneeded(
    store: Store, files: FileStore, watch: ProgressCallback = lambda *_: None
) -> Unneeded:
    """Count the files that `prune` would remove now.

    Raises
    ------
    FileStoreError
        If the file store cannot be read, or other stores use it, too.
    """
    unneeded = Unneeded(files.location)
    with store.transaction() as transaction:
        for number, file in enumerate(_unneeded(transaction, files, watch), start=1):
            unneeded.add(file)
            watch("finding files", number)
    return unneeded


def prune(
    store: Store,
    files: FileStore,
    jobs: int | None = None,
    watch: ProgressCallback = lambda *_: None,
) -> Unneeded:
    """Remove the files that no record of a store and nothing that can be undone names.

    The store is locked meanwhile: no push can begin to rely on a file that is removed.

    Parameters
    ----------
    store
        The store; no other may use the file store.
    files
        The file store.
    jobs
        Number of files to remove at once. Default: that of the file store.
    watch
        Called with the current step and the number of files done.

    Raises
    ------
    FileStoreError
        If the file store cannot be read or written, or other stores use it, too.
    StoreError
        If the store cannot be read, its before-images are damaged, or a table was lost.
    """
    removed = Unneeded(files.location)

    def remove(file: StoredFile) -> StoredFile:
        files.remove(file)
        return file

    with store.transaction(write=True) as transaction:
        unneeded = _unneeded(transaction, files, watch)
        with Prefetcher(remove, jobs or files.jobs) as removing:
            for number, file in enumerate(removing.map(unneeded), start=1):
                removed.add(file)
                watch("removing files", number)
    return removed


def _unneeded(
    transaction: Transaction, files: FileStore, watch: ProgressCallback
) -> Iterator[StoredFile]:
    """Yield the files that may be removed, after a check that no other store needs them."""
    _require_all_tables(transaction)
    _require_sole_user(transaction, files)
    needed = set[str]()
    for number, checksums in enumerate(_checksums(transaction), start=1):
        needed |= mentioned_digests(checksums)
        watch("reading records", number)
    yield from files.unneeded(needed, time.time())


def _require_all_tables(transaction: Transaction) -> None:
    """Raise an error if a table of artifacts was lost: its files are needed when it is restored."""
    for table, reason in lost_tables(transaction, require_tables(transaction)):
        if table.result_type is ResultType.artifact:
            raise StoreError(
                f"{transaction.location}: table {table.name} is missing, although {reason}. "
                "Nothing was removed. Restore it from a backup, or push its records again, after "
                f"{table.command}"
            )


def _require_sole_user(transaction: Transaction, files: FileStore) -> None:
    """Raise an error unless the store is the only one that uses the file store."""
    id_, home = read_id(transaction), transaction.backend.home()
    markers = files.markers()
    own = markers.pop(id_, None)
    if own is None:
        raise FileStoreError(
            f"{home} has sent no files to {files.location}, so it cannot know which "
            "ones are needed. Nothing was removed"
        )
    if own != home:
        sender = _named(own)
        raise FileStoreError(
            f"the files in {files.location} were sent by the {sender}; this is the {home}, "
            f"a copy of it, or it was moved. Nothing was removed. If the {sender} is no more, "
            f"remove its marker {REGISTRIES}/{id_} there and push with --files"
        )
    if markers:
        others = "; ".join(
            f"{_named(location)} (marker {REGISTRIES}/{other})"
            for other, location in markers.items()
        )
        raise FileStoreError(
            f"other stores use {files.location}, too, and may need its files: {others}. Nothing "
            "was removed. Give each store that wants to prune a folder or prefix of its own; "
            "remove the marker of a store that is no more"
        )


def _named(location: str) -> str:
    """Return a store as a message names it, by the location in its marker, whatever that is."""
    return f"{location:.300}" or "store of an unreadable marker"


def _checksums(transaction: Transaction) -> Iterator[str]:
    """Yield the column ``checksums`` of all records of artifacts, stored or before-images."""
    for table in result_tables(transaction, ResultType.artifact).values():
        for rows in transaction.read(table, Query(columns=("checksums",))):
            yield from texts(rows["checksums"])
    for entry in read_entries(transaction):
        for table, _, before_images in changed_records(transaction, entry):
            if table.result_type is ResultType.artifact:
                yield from texts(before_images["checksums"])
