"""The raw operations of a file store on paths, without checksums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

PART_BYTES: Final = 8 * 2**20
"""Bytes that are sent or fetched at a time: what one file takes of the memory."""


class StoredFile(NamedTuple):
    """A file of a file store, or an upload that was not completed.

    Parameters
    ----------
    path
        Path relative to the file store, with forward slashes.
    size
        Number of bytes; 0 for an upload.
    modified
        When it was written: seconds since 1970; infinite if that is unknown.
    upload
        Id of the upload; empty for a file.
    """

    path: str
    size: int
    modified: float
    upload: str = ""


class FileBackend(ABC):
    """Files of one folder or one prefix of an object store.

    Paths are relative to it, with forward slashes. Each operation may be called by several threads
    at the same time. One that cannot be done raises `FileStoreError`: an outage never looks like a
    file that is not there.
    """

    location: str
    """The folder or URL as a user would name it, without secrets."""

    jobs: int | None
    """Number of files to send or fetch at once; None if that is measured."""

    @abstractmethod
    def make(self) -> None:
        """Create the file store, if it is missing; never its parent.

        Raises
        ------
        FileStoreError
            If it cannot be created, such as a folder on a disk that is not mounted.
        """

    @abstractmethod
    def list_folder(self, folder: str) -> Iterator[StoredFile]:
        """Yield the files of a folder; none if there is no such folder.

        Raises
        ------
        FileStoreError
            If the file store does not exist, or cannot be read.
        """

    def list_folders(self, folder: str, names: Iterable[str]) -> Iterator[StoredFile]:
        """Yield the files of some folders in a folder; perhaps others below it, too.

        Raises
        ------
        FileStoreError
            If the file store does not exist, or cannot be read.
        """
        for name in names:
            yield from self.list_folder(f"{folder}/{name}")

    def names(self, folder: str) -> set[str]:
        """Return the names of the files of a folder; none if there is no such folder.

        Raises
        ------
        FileStoreError
            If the file store does not exist, or cannot be read.
        """
        return {file.path.rpartition("/")[2] for file in self.list_folder(folder)}

    @abstractmethod
    def sizes(self, paths: Collection[str]) -> dict[str, int]:
        """Return the sizes in bytes of those files that exist.

        Raises
        ------
        FileStoreError
            If the file store does not exist, or cannot be read.
        """

    @abstractmethod
    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file, at most `PART_BYTES` at a time.

        Raises
        ------
        MissingFileError
            If there is no such file.
        FileStoreError
            If it cannot be read.
        """

    @abstractmethod
    def write(self, path: str, chunks: Iterator[bytes], size: int) -> None:
        """Write a file, which appears under its path when it is complete, and replaces another.

        Parameters
        ----------
        path
            Path of the file.
        chunks
            Its content. If it raises an error, nothing is written.
        size
            Expected number of bytes.

        Raises
        ------
        FileStoreError
            If it cannot be written.
        """

    @abstractmethod
    def settle(self, paths: Collection[str]) -> None:
        """Make sure that written files are still there after a power cut.

        Raises
        ------
        FileStoreError
            If the file store cannot be written.
        """

    @abstractmethod
    def remove(self, file: StoredFile) -> None:
        """Remove a file, or abort an upload; do nothing if it is gone.

        Raises
        ------
        FileStoreError
            If it cannot be removed.
        """

    def uploads(self) -> Iterator[StoredFile]:
        """Yield the uploads below this file store that were not completed."""
        yield from ()
