"""Fetch the files of artifacts, from the file store or from the directories of their records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.campaign.registry import RESULTS_FOLDER
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import MissingFileError, ResultError, WrongFileError, format_bytes
from mdfactory.filestore.file_store import CheckedChunks, FileStore
from mdfactory.records.query import Query, Sort
from mdfactory.records.tables import Table, artifact_table
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.spool import Spool
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.files.disk import read_on_disk
from mdfactory.sync.files.listed_files import COLUMNS, ListedFile, listed_files
from mdfactory.sync.files.output import OutputFolder, RefusedPathError
from mdfactory.sync.files.stopping import Stopper
from mdfactory.sync.find import Note, find, no_note
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.pull import check_values, conditions
from mdfactory.sync.results import require_result, require_results, result_tables
from mdfactory.sync.search import EVERYTHING, Search


@dataclass(slots=True)
class Fetched:
    """What a pull did with files.

    Parameters
    ----------
    fetched, fetched_bytes
        Number of files that were fetched, and their size.
    present
        Number of files that were there, and are right.
    skipped
        Files that cannot be fetched, with the reason.
    """

    fetched: int = 0
    fetched_bytes: int = 0
    present: int = 0
    skipped: list[Skipped] = field(default_factory=list)


class FetchedFile(NamedTuple):
    """One file: its number of bytes if it was fetched, and why it could not be, if so."""

    file: ListedFile
    size: int | None = None
    problem: str = ""

    @property
    def path(self) -> str:
        """Path of the file in the folder into which it is fetched."""
        return output_path(self.file)


def output_path(file: ListedFile) -> str:
    """Return the path of a file in the folder into which it is fetched."""
    return f"{file.hash}/{file.path}"


def fetch(
    files: Iterable[ListedFile],
    folder: OutputFolder,
    store: FileStore | None,
    jobs: int | None = None,
) -> Iterator[FetchedFile]:
    """Fetch files into a folder, and yield what became of each, in their order.

    A file that is there and right is not fetched again. The content of each is checked.

    Parameters
    ----------
    files
        The files.
    folder
        The folder.
    store
        The file store; None if there is none.
    jobs
        Number of files at once. Default: that of the file store.

    Raises
    ------
    FileStoreError
        If the file store cannot be reached or read.
    OutputError
        If the folder cannot be written.
    """
    stopper = Stopper()

    def fetch_one(file: ListedFile) -> FetchedFile:
        if not file.digest:
            return FetchedFile(file, problem="its record has no SHA-256")
        path = output_path(file)
        if folder.has(path, file.digest):
            return FetchedFile(file)
        problems = []
        for place, chunks in _places(file, store):
            try:
                return FetchedFile(file, folder.write(path, stopper.chunks(chunks)))
            except RefusedPathError as error:
                return FetchedFile(file, problem=str(error))
            except MissingFileError:
                problems.append(f"is not in {place}")
            except (WrongFileError, ResultError) as error:
                problems.append(f"{error} in {place}")
        return FetchedFile(file, problem=", and ".join(problems))

    with Prefetcher(fetch_one, jobs or (store.jobs if store else None)) as fetched, stopper:
        yield from fetched.map(files)


def _places(file: ListedFile, store: FileStore | None) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the places where a file may be, and its content there, which checks itself."""
    if store:
        yield store.location, store.get(file.digest)
    place = f"{file.directory}/{RESULTS_FOLDER}"
    yield place, CheckedChunks(read_on_disk(file), file.digest)


def pull_files(
    store: Store,
    files: FileStore | None,
    folder: OutputFolder,
    name: str | None = None,
    *,
    hash_prefix: str | None = None,
    equal: Mapping[str, str | None] | None = None,
    search: Search = EVERYTHING,
    limit: int | None = None,
    jobs: int | None = None,
    note: Note = no_note,
    watch: ProgressCallback = lambda *_: None,
    into: Fetched | None = None,
) -> Fetched:
    """Fetch the files of artifacts; the store is not locked meanwhile.

    Parameters
    ----------
    store
        The store.
    files
        The file store; None if there is none: the directories of the records are then tried.
    folder
        The folder for the files.
    name
        Name of the artifact; all artifacts if None.
    hash_prefix, equal, search
        Filters of the records; see `sync.pull.open_pull`.
    limit
        Maximum number of records of each artifact.
    jobs
        Number of files at once. Default: that of the file store.
    note
        Function that is called with each note about the search.
    watch
        Called with the current step and the number of files done.
    into
        The object to fill and return; it keeps the counts if the pull is interrupted.

    Raises
    ------
    UnknownNameError, NotInitialisedError, QueryError
        As for `sync.pull.open_pull`.
    FileStoreError
        If the file store cannot be reached or read.
    OutputError
        If the folder cannot be written.
    """
    done = into or Fetched()
    query = artifact_query(hash_prefix, equal or {}, limit)
    with opened_files(store, name, query, equal or {}, search, note) as listed:
        for fetched in fetch(listed, folder, files, jobs):
            _count(done, fetched)
            number = done.fetched + done.present + len(done.skipped)
            watch(f"fetching files ({format_bytes(done.fetched_bytes)})", number)
    return done


def _count(done: Fetched, fetched: FetchedFile) -> None:
    file = fetched.file
    if fetched.problem:
        reason = f"artifact {file.artifact}: {file.path} {fetched.problem}"
        done.skipped.append(Skipped(file.hash, reason))
    elif fetched.size is None:
        done.present += 1
    else:
        done.fetched += 1
        done.fetched_bytes += fetched.size


def artifact_query(
    hash_prefix: str | None, equal: Mapping[str, str | None], limit: int | None = None
) -> Query:
    """Return the query of the records whose files are fetched; see `sync.pull.conditions`."""
    return Query(conditions(hash_prefix, equal), COLUMNS, Sort("hash"), limit)


@contextmanager
def opened_files(  # noqa: PLR0917  # all from the arguments of one call
    store: Store,
    name: str | None,
    query: Query,
    equal: Mapping[str, str | None],
    search: Search = EVERYTHING,
    note: Note = no_note,
) -> Iterator[Iterator[ListedFile]]:
    """Yield the files that records list, which are read from the store before; see `pull_files`."""
    with Spool() as spool:
        positions: list[tuple[Table, int]] = []
        with store.transaction() as transaction:
            for table in _tables(transaction, name):
                check_values(transaction, table, equal)
                found = find(transaction, table, query, search, note)
                with closing(found.batches):
                    positions += ((table, spool.add(rows)) for rows in found.batches)
        yield (
            file
            for table, position in positions
            for file in listed_files(table, spool.read(position))
        )


def _tables(transaction: Transaction, name: str | None) -> list[Table]:
    """Return the table of an artifact, or those of all artifacts."""
    if name is None:
        require_results(transaction, ResultType.artifact)
        return list(result_tables(transaction, ResultType.artifact).values())
    table = artifact_table(name)
    require_result(transaction, table)
    return [table]
