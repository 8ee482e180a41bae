"""An object store, or another place that fsspec knows, as a file store."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain
from threading import Lock
from typing import Any, Final
from uuid import uuid4

from mdfactory.errors import FileStoreError, MissingFileError
from mdfactory.filestore.backend import PART_BYTES, FileBackend, StoredFile
from mdfactory.filestore.failures import CUT_ANSWERS, BeyondEndError, explained
from mdfactory.filestore.file_store import OBJECTS, REGISTRIES
from mdfactory.filestore.filesystem import ANSWER_SECONDS, open_filesystem
from mdfactory.filestore.urls import RemotePlace

JOBS: Final = 8
"""Number of files that are sent or fetched at once."""

MAX_PARTS: Final = 9_000
"""Number of parts of an upload to stay below: S3 takes 10,000."""

ABORT_SECONDS: Final = 5

POSITIONS: Final = ("ContinuationToken", "KeyMarker", "UploadIdMarker")
"""Parameters of S3 that tell where the next page of a listing begins."""

WAITS_SECONDS: Final = (0.1, 0.5, 2.0)
"""How long to wait before an answer that was cut off is asked for again."""


class Remote(FileBackend):
    """Files below a prefix of an object store.

    Parameters
    ----------
    place
        The place, with its secrets apart from its URL.
    answer_seconds
        How long to wait for an answer of S3 before a request is repeated.
    """

    jobs = JOBS

    def __init__(self, place: RemotePlace, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._place = place
        self._answer_seconds = answer_seconds
        self._opened: Any = None
        self._made_folders: set[str] = set()
        self._opening, self._making = Lock(), Lock()
        self._bucket, _, self._prefix = self._full("").partition("/")
        self.location = place.location

    @property
    def _filesystem(self) -> Any:
        with self._opening:
            if self._opened is None:
                self._opened = open_filesystem(self._place, self._answer_seconds)
            return self._opened

    def _ask(self, problem: str, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the file system; an answer that was cut off is asked for again."""
        method = getattr(self._filesystem, name)
        with explained(self._place, problem):
            for seconds in WAITS_SECONDS:
                try:
                    return method(*arguments, **options)
                except Exception as error:
                    if type(error).__name__ not in CUT_ANSWERS:
                        raise
                time.sleep(seconds)
            return method(*arguments, **options)

    def make(self) -> None:
        """Create the folders of a file store; in an object store there is nothing to create."""
        if self._place.is_object_store:
            for _ in self.list_folder(REGISTRIES):
                return
            return
        with explained(self._place, "cannot be created", FileStoreError):
            if not self._filesystem.exists(self._place.path):
                self._filesystem.mkdir(self._place.path, create_parents=False)
            for name in (OBJECTS, REGISTRIES):
                self._filesystem.makedirs(self._full(name), exist_ok=True)

    def list_folder(self, folder: str) -> Iterator[StoredFile]:
        """Yield the files of a folder, at one request for each 1,000."""
        if self._place.is_s3:
            yield from self._list_keys(folder, Delimiter="/")
            return
        self._filesystem.invalidate_cache()
        try:
            entries = self._ask("cannot be read", "ls", self._full(folder), detail=True)
        except MissingFileError:
            self._require()
            return
        for entry in entries:
            if entry["type"] == "file":
                name = str(entry["name"]).rpartition("/")[2]
                yield StoredFile(f"{folder}/{name}", int(entry["size"] or 0), _modified(entry))

    def list_folders(self, folder: str, names: Iterable[str]) -> Iterator[StoredFile]:
        """Yield the files of folders; S3 lists a whole folder at one request for each 1,000."""
        if self._place.is_s3:
            yield from self._list_keys(folder)
        else:
            yield from super().list_folders(folder, names)

    def _list_keys(self, folder: str, **options: str) -> Iterator[StoredFile]:
        """Yield the files below a folder in S3, without the marks of empty folders."""
        for page in self._pages("list_objects_v2", f"{folder}/", **options):
            for entry in page.get("Contents", ()):
                path = entry["Key"].removeprefix(self._prefix)
                if not path.endswith("/"):
                    yield StoredFile(path, entry["Size"], entry["LastModified"].timestamp())

    def _pages(self, method: str, path: str, **options: str) -> Iterator[dict[str, Any]]:
        """Yield the pages of a listing of S3, of what begins with a path."""
        options |= {"Bucket": self._bucket, "Prefix": f"{self._prefix}{path}"}
        while True:
            page = self._ask("cannot be read", "call_s3", method, **options)
            yield page
            if not page.get("IsTruncated"):
                return
            options |= {name: page[f"Next{name}"] for name in POSITIONS if f"Next{name}" in page}

    def sizes(self, paths: Collection[str]) -> dict[str, int]:
        """Return the sizes of files; each of their folders is listed once."""
        folders = {path.rpartition("/")[0] for path in paths}
        return {
            file.path: file.size
            for folder in sorted(folders)
            for file in self.list_folder(folder)
            if file.path in paths
        }

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file, in parts that are fetched one by one."""
        full = self._full(path)
        for start in range(0, 2**63, PART_BYTES):
            try:
                end = start + PART_BYTES
                part = self._ask("cannot be read", "cat_file", full, start=start, end=end)
            except MissingFileError as error:
                self._require()
                raise MissingFileError(f"{path} is not in {self.location}") from error
            except BeyondEndError:
                return
            if part:
                yield part
            if len(part) < PART_BYTES:
                return

    def write(self, path: str, chunks: Iterator[bytes], size: int) -> None:
        """Write a small file in one request, and a large one in parts that are then completed."""
        part = bytearray()
        for chunk in chunks:
            part += chunk
            if len(part) > PART_BYTES:
                break
        first = bytes(part)
        with explained(self._place, "cannot be written", FileStoreError):
            if not self._place.is_object_store:
                self._write_and_rename(path, chain([first], chunks))
            elif len(first) <= PART_BYTES:
                self._ask("cannot be written", "pipe_file", self._full(path), first)
            else:
                self._write_in_parts(path, chain([first], chunks), size)

    def _write_in_parts(self, path: str, chunks: Iterator[bytes], size: int) -> None:
        part_bytes = max(PART_BYTES, math.ceil(size / MAX_PARTS))
        file = self._filesystem.open(
            self._full(path), "wb", block_size=part_bytes, autocommit=False
        )
        try:
            for chunk in chunks:
                file.write(chunk)
            file.close()  # sends the last part
            file.commit()
        except BaseException:
            file.closed = True  # else it would be sent when it is collected as garbage
            with suppress(Exception):  # prune aborts what is left
                self._abort(file)
            raise

    def _abort(self, file: Any) -> None:
        """Abort an upload; who interrupted it does not wait long for a server that hangs."""
        if self._place.is_s3 and file.mpu:
            self._filesystem.abort_mpu(
                file.bucket, file.key, file.mpu["UploadId"], timeout=ABORT_SECONDS
            )
        else:
            file.discard()

    def _write_and_rename(self, path: str, chunks: Iterator[bytes]) -> None:
        folder, _, name = path.rpartition("/")
        temporary = self._full(f"{folder}/.{name}-{uuid4().hex}")
        with self._making:
            if folder not in self._made_folders:
                self._require()
                self._filesystem.makedirs(self._full(folder), exist_ok=True)
                self._made_folders.add(folder)
        try:
            with self._filesystem.open(temporary, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
            self._filesystem.mv(temporary, self._full(path))
        except BaseException:
            with suppress(Exception):
                self._filesystem.rm_file(temporary)
            raise

    def settle(self, paths: Collection[str]) -> None:
        """Do nothing: an upload that was completed is durable."""

    def remove(self, file: StoredFile) -> None:
        """Remove a file, or abort an upload."""
        full = self._full(file.path)
        with suppress(MissingFileError):
            if not file.upload:
                self._ask("cannot be changed", "rm_file", full)
                return
            key = f"{self._prefix}{file.path}"
            options = {"Bucket": self._bucket, "Key": key, "UploadId": file.upload}
            self._ask("cannot be changed", "call_s3", "abort_multipart_upload", **options)

    def uploads(self) -> Iterator[StoredFile]:
        """Yield the uploads to S3 below the prefix that were not completed."""
        if not self._place.is_s3:
            return
        for page in self._pages("list_multipart_uploads", f"{OBJECTS}/"):
            for upload in page.get("Uploads", ()):
                path = upload["Key"].removeprefix(self._prefix)
                yield StoredFile(path, 0, upload["Initiated"].timestamp(), upload["UploadId"])

    def _full(self, path: str) -> str:
        """Return a path as the file system of fsspec takes it."""
        return f"{self._place.path}/{path}"

    def _require(self) -> None:
        """Raise an error if the bucket or folder does not exist.

        S3 has said so already: it answers otherwise if there is only no file.
        """
        place = self._place
        if place.is_s3:
            return
        required = self._bucket if place.is_object_store else self._full(OBJECTS)
        try:
            self._ask("cannot be read", "info", required)
        except MissingFileError as error:
            if place.is_object_store:
                raise FileStoreError(
                    f"the file store {self.location} cannot be used: there is no bucket {required}"
                ) from error
            raise FileStoreError(
                f"the file store {self.location} does not exist",
                command="mdfactory sync init artifacts",
            ) from error


def _modified(entry: dict[str, Any]) -> float:
    """Return when a file was written, or infinity if its entry does not tell."""
    for name in ("LastModified", "mtime", "modified", "last_modified", "updated", "created"):
        value = entry.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, str):
            with suppress(ValueError):
                return datetime.fromisoformat(value).timestamp()
    return math.inf
