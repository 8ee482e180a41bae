"""Commit files of one or two folders together, and roll interrupted commits forward.

A writer stages its files in the `CommitFolder` of each folder. It then writes a commit record
there, which lists the renames and deletions. From that moment the commit is valid. The writer
rolls it forward: it does the renames and deletions, and then removes the list from the record.
If the writer is killed before the end, the next writer does the rest (`recover`). Until then,
readers open the staged files in place of those that they replace (`read_redirects`).

A commit to two folders has a record in each, with the same id. The first folder decides: the
record in the second folder is valid only if the record in the first one has the same id. So both
records become valid at the same moment, when the record in the first folder is written.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from mdfactory.errors import StoreError
from mdfactory.files import sync_folder
from mdfactory.locking import LockWait
from mdfactory.stores.csv.commit_folder import CommitFolder, CommitRecord, FolderChange

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Redirects:
    """The files that a reader opens in place of others while a commit is rolled forward.

    Parameters
    ----------
    raw_records
        The commit records from which the redirects were derived. If they are unchanged after
        all files were opened, the open files show one state of the store.
    staged
        Path of a file -> the staged file to open in its place. If the staged file does not exist,
        it has been renamed meanwhile, and the file itself has the new content.
    dropped
        Paths of files that the commit deletes. They may still exist.
    """

    raw_records: list[bytes] = field(default_factory=list)
    staged: dict[Path, Path] = field(default_factory=dict)
    dropped: set[Path] = field(default_factory=set)


def commit(changes: Mapping[CommitFolder, FolderChange]) -> None:
    """Commit the changes to one folder or two, all of them or none.

    Parameters
    ----------
    changes
        Folder -> its change. The first folder decides. The caller holds the locks of all folders.

    Raises
    ------
    OSError
        If a record cannot be written. Then nothing is changed.
    """
    first, *rest = changes
    commit_id = uuid4().hex
    records = {
        folder: CommitRecord(
            folder.read_record().generation + 1,
            commit_id,
            change,
            decided_by="" if folder == first else str(first.path),
            also=str(rest[0].path) if rest and folder == first else "",
        )
        for folder, change in changes.items()
    }
    for folder in changes:
        sync_folder(folder.path)
    # The deciding record is written last: the commit is valid from then on. It is also rolled
    # forward last, so it is pending as long as the other record. A writer that locks only this
    # folder would replace the id that makes the other record valid; from the pending record it
    # knows that it must complete the other part first.
    for folder in (*rest, first):
        folder.write_record(records[folder])
    try:
        for folder in (*rest, first):
            folder.roll_forward(records[folder])
    except OSError as error:
        log.warning("the write is stored; the next write will complete the renames: %s", error)


def recover(folders: Sequence[CommitFolder], wait: LockWait) -> None:
    """Roll valid interrupted commits forward, discard others, and remove staged files.

    Parameters
    ----------
    folders
        Folders whose locks are held.
    wait
        The wait for other writers.
    """
    completed = set()
    # The deciding part of a commit is completed last: once its record is no longer pending, the
    # next commit may replace the id that makes the other part valid.
    for folder in sorted(folders, key=lambda folder: not folder.read_record().decided_by):
        record = folder.read_record()
        if not record.change:
            continue
        if not _is_valid(folder, record, folders):
            folder.discard_change(record)
            continue
        log.info("completing an interrupted write to %s", folder.path.parent)
        other = CommitFolder(Path(record.also or folder.path))
        if record.id not in completed and other not in folders and other.path.is_dir():
            # The other part belongs to another store, which shares the file of simulations.
            with other.lock(wait):
                part = other.read_record()
                if part.change and part.id == record.id:
                    other.roll_forward(part)
        folder.roll_forward(record)
        completed.add(record.id)
    for folder in folders:
        folder.remove_staged_files()


def read_redirects(folders: Sequence[CommitFolder]) -> Redirects:
    """Return the files that a reader must open in place of others; no lock is needed.

    Parameters
    ----------
    folders
        All commit folders of the store.

    Raises
    ------
    StoreError
        If a commit record is malformed, or the folder that decides a commit is missing.
    """
    redirects = Redirects()
    for folder in folders:
        raw_record = folder.read_raw_record()
        redirects.raw_records.append(raw_record)
        record = folder.parse_record(raw_record)
        if not record.change:
            continue
        if record.decided_by:
            # The decision also depends on these records: the reader must detect their changes.
            deciding = (*folders, CommitFolder(Path(record.decided_by)))
            redirects.raw_records.extend(decider.read_raw_record() for decider in deciding)
        if _is_valid(folder, record, folders):
            moves, target = record.change.moves.items(), folder.path.parent
            redirects.staged.update({target / name: folder.path / file for file, name in moves})
            redirects.dropped.update(target / name for name in record.change.drops)
    return redirects


def _is_valid(folder: CommitFolder, record: CommitRecord, folders: Sequence[CommitFolder]) -> bool:
    """Whether the commit of a record is valid; for a second part, the deciding folder is read."""
    if not record.decided_by:
        return True
    # The folders of the store are read first: if they were moved, `decided_by` is an old path.
    if any(other.read_record().id == record.id for other in folders if other != folder):
        return True
    deciding = CommitFolder(Path(record.decided_by))
    if not deciding.path.is_dir():
        raise StoreError(
            f"a write to {folder.path.parent} was interrupted, and {deciding.path}, which decides "
            "whether the write is valid, does not exist. Restore that folder, or delete "
            f"{folder.path / 'commit'} to undo the write"
        )
    return deciding.read_record().id == record.id
