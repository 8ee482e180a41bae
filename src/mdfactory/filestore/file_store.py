"""A file store: the bytes of artifacts, each file once, under its SHA-256."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Final
from uuid import uuid4

from mdfactory.errors import FileStoreError, MissingFileError, WrongFileError
from mdfactory.filestore.backend import FileBackend, StoredFile

OBJECTS: Final = "sha256"
"""Folder of the files: that of a file has the first two digits of its checksum as a name."""

REGISTRIES: Final = "registries"
"""Folder of the markers: one for each store that has sent files."""

DIGEST: Final = re.compile("[0-9a-f]{64}")
"""SHA-256 of a file."""

PREFIXES: Final = tuple(f"{number:02x}" for number in range(256))

STORED: Final = re.compile(rf"{OBJECTS}/([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})")
"""Path of a file; the second group is its checksum."""

TEMPORARY: Final = re.compile(
    rf"{OBJECTS}/[0-9a-f]{{2}}/\.(?:[0-9a-f]{{64}}|check|\.check-[0-9a-f]{{32}})-[0-9a-f]{{32}}"
)
"""Path of a file that is being written."""

MAX_MARKER_BYTES: Final = 2**13

MIN_AGE_SECONDS: Final = 86_400.0
"""Age that a file must have to be removed: a push may be about to record a younger one."""


class FileStore:
    """Files under their checksums.

    A file is at ``sha256/ab/abcdef...``, which is its SHA-256 in 64 lower-case digits. So equal
    files are stored once, and the content of each can be checked.

    Parameters
    ----------
    backend
        The folder or object store.
    """

    def __init__(self, backend: FileBackend) -> None:
        self._backend = backend

    def __repr__(self) -> str:
        return f"<FileStore at {self.location}>"

    @property
    def location(self) -> str:
        """The folder or URL as a user would name it, without secrets."""
        return self._backend.location

    @property
    def jobs(self) -> int | None:
        """Number of files to send or fetch at once; None if that is measured."""
        return self._backend.jobs

    def make(self) -> None:
        """Create the file store, if it is missing; see `FileBackend.make`."""
        self._backend.make()

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """Return the sizes in bytes of the files that are there, by their checksums."""
        digest_by_path = {path_of(digest): digest for digest in digests}
        sizes = self._backend.sizes(digest_by_path)
        return {digest_by_path[path]: size for path, size in sizes.items()}

    def missing(self, digests: Collection[str]) -> set[str]:
        """Return the checksums whose files are not there; each folder is listed once."""
        folders = {path_of(digest).rpartition("/")[0] for digest in digests}
        return set(digests).difference(*map(self._backend.names, sorted(folders)))

    def put(self, digest: str, chunks: Iterable[bytes], size: int) -> int:
        """Store a file, and return its number of bytes.

        Parameters
        ----------
        digest
            The SHA-256 that it must have: 64 lower-case hexadecimal digits.
        chunks
            The content.
        size
            Expected number of bytes.

        Raises
        ------
        WrongFileError
            If the content has another checksum; nothing is stored.
        FileStoreError
            If it cannot be stored. What `chunks` raises is raised as it is.
        """
        checked = CheckedChunks(chunks, digest)
        try:
            self._backend.write(path_of(digest), iter(checked), size)
        except FileStoreError:
            if checked.error is None:
                raise
        if checked.error is not None:
            raise checked.error
        return checked.size

    def settle(self, digests: Iterable[str]) -> None:
        """Make sure that stored files are still there after a power cut; records may name them."""
        self._backend.settle([path_of(digest) for digest in digests])

    def get(self, digest: str) -> Iterator[bytes]:
        """Yield the content of a file.

        It may be used only after the end of the iteration: its checksum is checked there.

        Raises
        ------
        MissingFileError
            If there is no such file.
        WrongFileError
            If its content has another checksum.
        FileStoreError
            If it cannot be read.
        """
        return iter(CheckedChunks(self._backend.read(path_of(digest)), digest))

    def unneeded(self, is_needed: Collection[str], now: float) -> Iterator[StoredFile]:
        """Yield files that may be removed: unneeded, interrupted or abandoned ones.

        Anything that is not named as a file of this store or as its temporary file is left out,
        and so is all that is younger than a day.

        Parameters
        ----------
        is_needed
            Checksums of the files to keep.
        now
            The time: seconds since 1970.
        """
        for file in self._backend.list_folders(OBJECTS, PREFIXES):
            stored = STORED.fullmatch(file.path)
            is_unneeded = stored[2] not in is_needed if stored else TEMPORARY.fullmatch(file.path)
            if is_unneeded and now - file.modified > MIN_AGE_SECONDS:
                yield file
        for upload in self._backend.uploads():
            if STORED.fullmatch(upload.path) and now - upload.modified > MIN_AGE_SECONDS:
                yield upload

    def remove(self, file: StoredFile) -> None:
        """Remove a file, or abort an upload; see `FileBackend.remove`."""
        self._backend.remove(file)

    def markers(self) -> dict[str, str]:
        """Return the markers of the stores that have sent files: id -> location of the store."""
        files = (file.path for file in self._backend.list_folder(REGISTRIES))
        names = (path.rpartition("/")[2] for path in files)
        return {name: self.marker(name) or "" for name in names if not name.startswith(".")}

    def marker(self, store_id: str) -> str | None:
        """Return the location in the marker of a store; None if it has none.

        It is empty if the marker is: another program made or damaged it.
        """
        content = b""
        with suppress(MissingFileError):
            for chunk in self._backend.read(f"{REGISTRIES}/{store_id}"):
                content += chunk
                if len(content) > MAX_MARKER_BYTES:  # no store left it
                    return ""
            return content.decode(errors="surrogateescape").removesuffix("\n")
        return None

    def mark(self, store_id: str, location: str) -> None:
        """Leave the marker of a store, so that a power cut does not lose it."""
        path = f"{REGISTRIES}/{store_id}"
        content = f"{location}\n".encode(errors="surrogateescape")
        self._backend.write(path, iter([content]), len(content))
        self._backend.settle([path])

    def check_reading(self) -> None:
        """Raise `FileStoreError` if the file store cannot be read."""
        for _ in self._backend.list_folder(REGISTRIES):
            break

    def check_writing(self) -> None:
        """Raise `FileStoreError` if a file cannot be written and removed."""
        path = f"{OBJECTS}/{PREFIXES[0]}/.check-{uuid4().hex}"
        self._backend.write(path, iter([b"check"]), 5)
        self._backend.remove(StoredFile(path, 5, time.time()))


class CheckedChunks:
    """An iterable of the chunks of a file, which checks its checksum at the end."""

    def __init__(self, chunks: Iterable[bytes], digest: str) -> None:
        self._chunks = chunks
        self._digest = digest
        self.size = 0
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._check()
        except Exception as error:
            self.error = error
            raise

    def _check(self) -> Iterator[bytes]:
        sha256 = hashlib.sha256()
        for chunk in self._chunks:
            sha256.update(chunk)
            self.size += len(chunk)
            yield chunk
        if sha256.hexdigest() != self._digest:
            raise WrongFileError("has another checksum")


def path_of(digest: str) -> str:
    """Return the path of a file in a file store.

    Raises
    ------
    FileStoreError
        If the text is no SHA-256: records are written by others, too.
    """
    if not DIGEST.fullmatch(digest):
        raise FileStoreError(f"{digest!r:.80} is no SHA-256")
    return f"{OBJECTS}/{digest[:2]}/{digest}"
