"""Stored files: check that a file store has the files of artifacts, as they were recorded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from shlex import quote
from typing import Final

from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.errors import MissingFileError, WrongFileError, format_bytes
from mdfactory.filestore.file_store import FileStore
from mdfactory.records.arrow import batch
from mdfactory.records.tables import Table, text_schema
from mdfactory.records.vocabulary import ResultType
from mdfactory.sync.files.folders import look_by_folder
from mdfactory.sync.files.listed_files import COLUMNS, ListedFile, listed_files
from mdfactory.sync.files.stopping import Stopper
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.verify.finding import Finding, Row

SCHEMA: Final = text_schema(" ".join(COLUMNS))

MISSING: Final = "is not in"


@dataclass(slots=True)
class StoredFileCheck:
    """Checks the files of artifacts in a file store, each once.

    Parameters
    ----------
    files
        The file store.
    quick
        Check only that the files exist.
    jobs
        Number of files to read at once. Default: that of the file store.
    watch
        Called with the current step and the number of files done.
    checked, checked_bytes
        Number of files that were checked, and of the bytes that were read.
    """

    files: FileStore
    quick: bool = False
    jobs: int | None = None
    watch: ProgressCallback = lambda *_: None
    checked: int = 0
    checked_bytes: int = 0
    _problems: dict[str, str] = field(default_factory=dict)

    def find(self, records: Iterable[tuple[Table, Row]]) -> Iterator[tuple[Finding, bool]]:
        """Yield a finding for each file of some records that is not as recorded.

        Parameters
        ----------
        records
            Table and record; records of other tables than those of artifacts are ignored.

        Yields
        ------
        finding : Finding
            The finding.
        is_error : bool
            False if the record has no checksum of the file, so that it can be in no file store.

        Raises
        ------
        FileStoreError
            If the file store cannot be reached or read.
        """
        listed = [
            (table, file)
            for table, row in records
            if table.result_type is ResultType.artifact
            for file in listed_files(table, batch([[row[name] for name in COLUMNS]], SCHEMA))
        ]
        unknown = {file.digest for _, file in listed if file.digest} - self._problems.keys()
        self._check(sorted(unknown))
        for table, file in listed:
            if not file.digest:
                text = f"{file.path}: the record has no SHA-256, so no file store can have it"
                yield Finding(table.name, file.hash, text, ""), False
            elif problem := self._problems[file.digest]:
                text = f"{file.path} {problem} {self.files.location}"
                yield Finding(table.name, file.hash, text, _remedy(file, problem)), True

    def _check(self, digests: Iterable[str]) -> None:
        """Check files, and remember what is wrong with each; an empty text if nothing is."""
        jobs = self.jobs or self.files.jobs
        if self.quick:
            for missing in look_by_folder(self.files.missing, digests, jobs):
                self._problems |= dict.fromkeys(missing, MISSING)
            for digest in digests:
                self._problems.setdefault(digest, "")
                self.checked += 1
            return
        stopper = Stopper()
        with Prefetcher(partial(self._read, stopper), jobs) as read, stopper:
            for digest, problem, size in read.map(digests):
                self._problems[digest] = problem
                self.checked += 1
                self.checked_bytes += size
                self.watch(f"checking files ({format_bytes(self.checked_bytes)})", self.checked)

    def _read(self, stopper: Stopper, digest: str) -> tuple[str, str, int]:
        size = 0
        try:
            for chunk in stopper.chunks(self.files.get(digest)):
                size += len(chunk)
        except MissingFileError:
            return digest, MISSING, size
        except WrongFileError as error:
            return digest, f"{error} in", size
        return digest, "", size


def _remedy(file: ListedFile, problem: str) -> str:
    """Return the command that sends a file again, if its simulation is still on this disk."""
    if not os.path.isdir(file.directory):
        return "Restore it from a backup: its folder is not on this disk"
    mode = "--update" if problem == MISSING else "--force"
    return f"mdfactory sync push artifacts {quote(file.directory)} {mode} --files"
