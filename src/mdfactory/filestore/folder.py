"""A folder as a file store: plain files on a disk that all machines see."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mdfactory.errors import FileStoreError, MissingFileError
from mdfactory.files import (
    UnreadableError,
    create_folder,
    open_regular_file,
    replacing,
    sync_folder,
)
from mdfactory.filestore.backend import FileBackend, StoredFile
from mdfactory.filestore.file_store import OBJECTS, REGISTRIES

SYNC_THREADS: Final = 8
"""Number of files that are written to the disk at once: each waits for it."""

READ_BYTES: Final = 2**20
"""Bytes that are read at a time."""


class Folder(FileBackend):
    """Files in a folder.

    Parameters
    ----------
    path
        Absolute path of the folder.
    """

    jobs = None  # one at a time on a local disk, several on a network file system

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = str(path)

    def make(self) -> None:
        """Create the folder and its subfolders; its parent must exist."""
        if not self._path.parent.is_dir():
            raise FileStoreError(
                f"the file store {self.location} cannot be created: there is no folder "
                f"{self._path.parent}. Is its disk mounted?"
            )
        with self._explained("cannot be created"):
            for name in (OBJECTS, REGISTRIES):
                create_folder(self._path / name)
                sync_folder(self._path)
            sync_folder(self._path.parent)

    def list_folder(self, folder: str) -> Iterator[StoredFile]:
        """Yield the files of a folder; other things than files are left out."""
        with self._explained("cannot be read", folder):
            try:
                scan = os.scandir(self._path / folder)
            except FileNotFoundError:
                self._require()
                return
            with scan:
                for entry in scan:
                    with suppress(FileNotFoundError):  # removed since
                        if entry.is_file(follow_symlinks=False):
                            status = entry.stat(follow_symlinks=False)
                            path = f"{folder}/{entry.name}"
                            yield StoredFile(path, status.st_size, status.st_mtime)

    def names(self, folder: str) -> set[str]:
        """Return the names of the files of a folder, without a look at each."""
        with (
            self._explained("cannot be read", folder),
            suppress(FileNotFoundError),
            os.scandir(self._path / folder) as scan,
        ):
            return {entry.name for entry in scan if entry.is_file(follow_symlinks=False)}
        self._require()
        return set()

    def sizes(self, paths: Collection[str]) -> dict[str, int]:
        """Return the sizes of files, at one look each."""
        sizes = {}
        for path in paths:
            with self._explained("cannot be read", path), suppress(FileNotFoundError):
                status = os.lstat(self._path / path)
                if stat.S_ISREG(status.st_mode):
                    sizes[path] = status.st_size
        if len(sizes) < len(paths):  # asked afterwards: its disk may have been unmounted meanwhile
            self._require()
        return sizes

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        with self._explained("cannot be read", path):
            try:
                if os.path.islink(self._path / path):
                    raise UnreadableError("is a symlink")  # noqa: TRY301  # as of another kind
                handle = open_regular_file(self._path / path, follow_link=False)
            except UnreadableError as error:
                raise MissingFileError(f"{path} in {self.location} {error}") from error
            except FileNotFoundError as error:
                self._require()
                raise MissingFileError(f"{path} is not in {self.location}") from error
            with os.fdopen(handle, "rb", buffering=0) as file:
                while chunk := file.read(READ_BYTES):
                    yield chunk

    def write(self, path: str, chunks: Iterator[bytes], size: int) -> None:  # noqa: ARG002  # a folder needs no size
        """Write a file under a temporary name, and rename it; `settle` writes it to the disk."""
        target = f"{self._path}/{path}"
        folder = os.path.dirname(target)
        with self._explained("cannot be written", path):
            if not os.path.isdir(folder):
                self._require()
                create_folder(Path(folder))
                sync_folder(Path(folder).parent)
            with replacing(target, sync=False) as file:
                for chunk in chunks:
                    file.write(chunk)

    def settle(self, paths: Collection[str]) -> None:
        """Write files to the disk, then the entries of their folders; many at once is faster."""
        with ThreadPoolExecutor(SYNC_THREADS) as pool:
            for synced in (paths, {os.path.dirname(path) for path in paths}):
                list(pool.map(self._sync, synced))

    def _sync(self, path: str) -> None:
        # A file that is gone was removed by a prune; a push looks for that.
        with self._explained("cannot be written", path), suppress(FileNotFoundError):
            handle = os.open(self._path / path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def remove(self, file: StoredFile) -> None:
        """Remove a file."""
        with self._explained("cannot be changed", file.path), suppress(FileNotFoundError):
            os.unlink(self._path / file.path)

    def _require(self) -> None:
        """Raise an error if the folder is no file store, such as one whose disk is not mounted."""
        with self._explained("cannot be read"):
            if (self._path / OBJECTS).is_dir():
                return
        state = "is no file store" if self._path.is_dir() else "does not exist"
        raise FileStoreError(
            f"the file store {self.location} {state}", command="mdfactory sync init artifacts"
        )

    @contextmanager
    def _explained(self, problem: str, path: str = OBJECTS) -> Iterator[None]:
        """Turn errors of the operating system into `FileStoreError`."""
        try:
            yield
        except FileStoreError:
            raise
        except OSError as error:
            reason = f"{path}: {error.strerror or error}"
            raise FileStoreError(f"the file store {self.location} {problem}: {reason}") from error
