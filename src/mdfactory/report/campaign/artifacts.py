"""Artifacts: the files of simulations with their sizes and checksums, and pictures of them.

Records and folders are those of other people. A file is read only if it is a regular file below the
``.analysis`` of its simulation, and shown only if it has the checksum of the record.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from mdfactory.campaign.below import open_below, read_all
from mdfactory.campaign.registry import RESULTS_FOLDER
from mdfactory.records.query import Query, Sort
from mdfactory.records.tables import Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.report.campaign.pictures import NoPictureError, data_uri, thumbnails
from mdfactory.report.campaign.privacy import Privacy
from mdfactory.report.payload import clean
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.files.listed_files import digests_by_path
from mdfactory.sync.results import result_tables

MAX_PICTURE_BYTES: Final = 20_000_000
"""Maximum size of a file that is read as a picture."""

PICTURE_SIZES: Final = (480, 240)
"""Maximum width and height of pictures in the page; the smaller as the budget gives way."""

PICTURE_SUFFIXES: Final = frozenset({
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff",
})  # fmt: skip
"""Endings of files that are read as pictures."""

MAX_FILES: Final = 100
"""Maximum number of files of an artifact of a simulation that are listed."""

MAX_PICTURES: Final = 12
"""Maximum number of pictures of an artifact of a simulation."""

NOT_HERE: Final = "not here"
CHANGED: Final = "changed since"
TOO_MANY: Final = "too many pictures"
LEFT_OUT: Final = "left out"


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """The record of an artifact.

    Parameters
    ----------
    simulation
        Number of the simulation.
    name
        Name of the artifact.
    directory
        Folder of the simulation.
    checksums
        Path of each file, relative to ``.analysis`` -> its SHA-256; empty if it has none.
    time
        Time of the record.
    """

    simulation: int
    name: str
    directory: str
    checksums: dict[str, str]
    time: str


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file of an artifact, as far as it can be looked at.

    Parameters
    ----------
    path
        Path relative to ``.analysis``.
    size
        Bytes; None if it cannot be looked at.
    sha256
        The checksum of the record.
    pictures
        Thumbnails, one for each of `PICTURE_SIZES`; none if it is not shown.
    note
        Why it is not shown; empty if it is, or is no picture.
    """

    path: str
    size: int | None = None
    sha256: str = ""
    pictures: tuple[bytes, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """An artifact of a simulation with its files; `more` are not listed."""

    record: ArtifactRecord
    files: list[ArtifactFile]
    more: int = 0


def read_artifacts(
    transaction: Transaction, hashes: Sequence[str]
) -> tuple[list[str], list[ArtifactRecord]]:
    """Read the artifacts of simulations.

    Parameters
    ----------
    transaction
        A transaction of the store.
    hashes
        The simulations.

    Returns
    -------
    names : list of str
        Names of the artifacts that the store has tables of.
    records : list of ArtifactRecord
        By their names and simulations.
    """
    numbers = {hash_: number for number, hash_ in enumerate(hashes)}
    tables = result_tables(transaction, ResultType.artifact)
    records = [
        record
        for (_, name), table in sorted(tables.items())
        for record in _read_table(transaction, table, name, numbers)
    ]
    return sorted(name for _, name in tables), records


def _read_table(
    transaction: Transaction, table: Table, name: str, numbers: dict[str, int]
) -> Iterator[ArtifactRecord]:
    columns = ("hash", "directory", "files", "checksums", table.time)
    query = Query(columns=columns, sort=Sort("hash"))
    for hash_, directory, files, checksums, time in transaction.values(table, query):
        number = numbers.get(str(hash_))
        if number is not None:
            listed = digests_by_path(str(files), str(checksums))
            yield ArtifactRecord(number, name, str(directory), listed, str(time))


def look_at_files(records: Iterable[ArtifactRecord], max_bytes: int) -> list[ArtifactEntry]:
    """Look at the files of artifacts, and read those that are pictures.

    Parameters
    ----------
    records
        The artifacts.
    max_bytes
        Size of the page: when the smallest thumbnails take as much, no more pictures are read.
    """
    entries = []
    taken = 0
    for record in records:
        files: list[ArtifactFile] = []
        for path, sha256 in islice(record.checksums.items(), MAX_FILES):
            pictures = sum(bool(file.pictures) for file in files)
            is_read = taken < max_bytes and pictures < MAX_PICTURES
            files.append(_look_at(record.directory, path, sha256, is_read=is_read))
            taken += len(files[-1].pictures[-1]) if files[-1].pictures else 0
        more = len(record.checksums) - len(files)
        entries.append(ArtifactEntry(record, files, more))
    return entries


def _look_at(directory: str, path: str, sha256: str, *, is_read: bool) -> ArtifactFile:
    """Return what is known of a file; a picture is read if `is_read`."""
    try:
        handle = open_below(f"{directory}/{RESULTS_FOLDER}", path)
    except ValueError as error:
        return ArtifactFile(path, None, sha256, note=str(error))
    except OSError:
        return ArtifactFile(path, None, sha256, note=NOT_HERE)
    with closing(os.fdopen(handle, "rb", buffering=0)) as file:
        size = os.fstat(handle).st_size
        note = reason_not_to_read(path, size, is_read=is_read)
        if note is not None:
            return ArtifactFile(path, size, sha256, note=note)
        try:
            return picture_of(path, read_all(file, MAX_PICTURE_BYTES), sha256)
        except OSError:
            return ArtifactFile(path, size, sha256, note="cannot be read")


def reason_not_to_read(path: str, size: int, *, is_read: bool) -> str | None:
    """Return why a file is not read, empty if it is no picture; None if it is read."""
    if PurePosixPath(path).suffix.lower() not in PICTURE_SUFFIXES:
        return ""
    if not is_read:
        return TOO_MANY
    return "larger than 20 MB" if size > MAX_PICTURE_BYTES else None


def picture_of(path: str, data: bytes, sha256: str) -> ArtifactFile:
    """Return a file that is read, with thumbnails if it is the picture of the record."""
    if len(data) > MAX_PICTURE_BYTES or hashlib.sha256(data).hexdigest() != sha256:
        return ArtifactFile(path, len(data), sha256, note=CHANGED)
    try:
        return ArtifactFile(path, len(data), sha256, tuple(thumbnails(data, PICTURE_SIZES)))
    except NoPictureError as error:
        return ArtifactFile(path, len(data), sha256, note=f"no picture: {error}")


class ShownPictures(NamedTuple):
    """Which pictures a page has.

    Parameters
    ----------
    size
        One of `PICTURE_SIZES`.
    limit
        Maximum number of pictures; all if None. Simulations are in the order of their hashes, so
        the first are a random sample.
    """

    size: int = PICTURE_SIZES[0]
    limit: int | None = None


def artifacts_data(
    entries: Collection[ArtifactEntry],
    privacy: Privacy,
    times: Callable[[str], str],
    shown: ShownPictures,
) -> list[dict[str, Any]]:
    """Return the data of the page's artifacts.

    Parameters
    ----------
    entries
        The artifacts.
    privacy
        What may be shown of texts.
    times
        Function that returns the text of a time.
    shown
        Which pictures are shown.
    """
    pictured = (file for entry in entries for file in entry.files if file.pictures)
    kept = {id(file) for file in islice(pictured, shown.limit)}
    which = PICTURE_SIZES.index(shown.size)

    def describe(file: ArtifactFile) -> dict[str, Any]:
        is_kept = id(file) in kept
        return {
            "path": privacy.text(file.path),
            "size": file.size,
            "sha256": clean(file.sha256),
            "picture": data_uri(file.pictures[which]) if is_kept else None,
            "note": LEFT_OUT if file.pictures and not is_kept else file.note,
        }

    return [
        {
            "simulation": entry.record.simulation,
            "name": clean(entry.record.name),
            "time": times(entry.record.time),
            "files": list(map(describe, entry.files)),
            **({"more": entry.more} if entry.more else {}),
        }
        for entry in entries
    ]
