"""Files of artifacts that are no longer in their folders, but in the file store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from mdfactory.campaign.below import OUTSIDE
from mdfactory.errors import ConfigError, FileStoreError, MissingFileError, WrongFileError
from mdfactory.filestore.file_store import FileStore
from mdfactory.report.campaign.artifacts import (
    CHANGED,
    MAX_PICTURES,
    NOT_HERE,
    ArtifactEntry,
    ArtifactFile,
    picture_of,
    reason_not_to_read,
)
from mdfactory.sync.files.folders import look_by_folder
from mdfactory.sync.find import Note

REPLACED_NOTES: Final = frozenset({NOT_HERE, CHANGED, OUTSIDE})
"""Notes on files that the file store may have as they were recorded."""


def look_in_file_store(
    entries: Sequence[ArtifactEntry], files: FileStore, max_bytes: int, note: Note
) -> None:
    """Complete the files that are not on disk by what the file store has.

    Parameters
    ----------
    entries
        The artifacts; their files are replaced by completed ones.
    files
        The file store.
    max_bytes
        Size of the page: when the smallest thumbnails take as much, no more pictures are read.
    note
        Called with the reason if the file store cannot be read; the report goes on without it.
    """
    try:
        _complete(entries, files, max_bytes)
    except (ConfigError, FileStoreError) as error:  # its library may not be installed
        note(f"files are taken from disk only: {error}")


def _complete(entries: Sequence[ArtifactEntry], files: FileStore, max_bytes: int) -> None:
    taken = sum(map(_smallest, (file for entry in entries for file in entry.files)))
    digests = {file.sha256 for _, _, file in _missing(entries)}
    sizes: dict[str, int] = {}
    for found in look_by_folder(files.sizes, digests, files.jobs):
        sizes |= found
    for entry, position, file in _missing(entries):
        if file.sha256 not in sizes:
            continue
        pictures = sum(bool(other.pictures) for other in entry.files)
        is_read = taken < max_bytes and pictures < MAX_PICTURES
        completed = _look_at(files, replace(file, size=sizes[file.sha256]), is_read=is_read)
        taken += _smallest(completed)
        entry.files[position] = completed


def _missing(entries: Sequence[ArtifactEntry]) -> Iterator[tuple[ArtifactEntry, int, ArtifactFile]]:
    """Yield the files that are not on disk as recorded, with their artifacts and positions."""
    for entry in entries:
        for position, file in enumerate(entry.files):
            if file.note in REPLACED_NOTES and file.sha256:
                yield entry, position, file


def _look_at(files: FileStore, file: ArtifactFile, *, is_read: bool) -> ArtifactFile:
    note = reason_not_to_read(file.path, file.size or 0, is_read=is_read)
    if note is not None:
        return replace(file, note=note)
    try:
        content = b"".join(files.get(file.sha256))
    except MissingFileError:  # removed since
        return replace(file, size=None)
    except WrongFileError:
        return replace(file, note=CHANGED)
    return picture_of(file.path, content, file.sha256)


def _smallest(file: ArtifactFile) -> int:
    """Return the number of bytes of the smallest thumbnail of a file."""
    return len(file.pictures[-1]) if file.pictures else 0
