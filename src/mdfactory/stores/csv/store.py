"""The CSV store: plain files that any program can read; a commit replaces them together."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from mdfactory.errors import MDFactoryError, StoreError
from mdfactory.files import create_folder, describe_file_error
from mdfactory.locking import LockWait
from mdfactory.records.tables import Namespace
from mdfactory.stores.backend import Backend
from mdfactory.stores.csv.backend import CsvBackend, OpenFiles
from mdfactory.stores.csv.commit import Redirects, read_redirects, recover
from mdfactory.stores.csv.commit_folder import CommitFolder
from mdfactory.stores.csv.layout import Layout
from mdfactory.stores.csv.reader import OpenFile
from mdfactory.stores.store import Store

RETRY_SECONDS: Final = 0.001
"""Pause before a reader opens all files again because a commit has replaced some."""


class CsvStore(Store):
    """Records in CSV files (RFC 4180, UTF-8) that pandas, R and Excel read.

    Each table is a file. There are two hidden folders: ``.mdfactory`` in the folder of the
    results, and ``.runs.csv.mdfactory`` next to ``runs.csv``. Each holds a lock, a commit record
    and, during a write, staged files; see `stores.csv.commit`. The ``_mdfactory_*`` tables of the
    simulations are in ``.runs.csv.mdfactory``, those of the results in the folder of the results.

    Parameters
    ----------
    runs
        File of the simulations (``RUN_DATABASE``).
    results
        Folder of the overview, analysis and artifact tables. `runs` may be in the same folder.
    wait
        Seconds to wait for another writer.
    """

    def __init__(self, runs: Path, results: Path, *, wait: float = 60.0) -> None:
        self.location = f"CSV store {runs}"
        self.wait = wait
        self._paths = {Namespace.runs: runs, Namespace.results: results}
        self.paths = (runs, results)

    def owns(self, path: Path) -> bool:
        """Whether a path belongs to a table, which need not exist, or is in a hidden folder."""
        return Layout(self._paths).owns(path)

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:
        wait = LockWait(self.location, self.wait)
        translate_errors = partial(_translate_errors, self.location, write=write)
        with ExitStack() as stack:
            with translate_errors():
                layout = Layout(self._paths)
                if write:
                    folders = self._lock_folders(stack, layout, create, wait)
                    files = _open_files(stack, layout, Redirects())
                else:
                    folders = {}
                    files = self._open_one_state(stack, layout, wait)
            backend = CsvBackend(files, self.location, layout.path_of, folders, translate_errors)
            stack.callback(backend.close)
            yield backend
            if write:
                with translate_errors():
                    backend.commit()

    def _lock_folders(
        self, stack: ExitStack, layout: Layout, create: Collection[Namespace], wait: LockWait
    ) -> dict[Namespace, CommitFolder]:
        """Lock the namespaces that exist or may be created, and complete interrupted commits.

        All programs lock them in the same order, so that two cannot wait for each other.
        """
        folders = {}
        for namespace, folder in layout.folders.items():
            if namespace in create:
                create_folder(folder.path.parent)
            elif not layout.exists(namespace):
                continue
            stack.enter_context(folder.lock(wait))
            folders[namespace] = folder
        recover(list(folders.values()), wait)
        return folders

    def _open_one_state(self, stack: ExitStack, layout: Layout, wait: LockWait) -> OpenFiles:
        """Open all files in one state of the store, without a lock.

        If another program commits meanwhile, the open files may be of two states. Then all are
        closed and opened again.
        """
        folders = list(layout.folders.values())
        while True:
            redirects = read_redirects(folders)
            with ExitStack() as opened, suppress(FileNotFoundError):
                files = _open_files(opened, layout, redirects)
                if read_redirects(folders).raw_records == redirects.raw_records:
                    stack.push(opened.pop_all())
                    return files
            if wait.remaining < 0:
                raise StoreError(
                    f"{self.location} could not be read in {self.wait:g} s, because other programs "
                    "keep writing to it. Try again, or wait longer with --wait SECONDS"
                )
            time.sleep(RETRY_SECONDS)


def _open_files(stack: ExitStack, layout: Layout, redirects: Redirects) -> OpenFiles:
    files: OpenFiles = {}
    for namespace, name, path in layout.find_tables(redirects):
        flags = os.O_RDONLY | os.O_NONBLOCK  # somebody may have put a pipe there
        try:
            if staged := redirects.staged.get(path):
                handle = os.open(staged, flags | os.O_NOFOLLOW)
            else:
                handle = os.open(path, flags)
        except FileNotFoundError:
            handle = os.open(path, flags)  # the staged file was renamed meanwhile
        stack.callback(os.close, handle)
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{path} is not a file, so it is not the table {name}")
        files[namespace, name.lower()] = OpenFile(name, path, handle, status)
    return files


@contextmanager
def _translate_errors(location: str, *, write: bool) -> Iterator[None]:
    """Turn errors of the operating system into `StoreError`."""
    try:
        yield
    except MDFactoryError:
        raise
    except OSError as error:
        outcome = "written; nothing was changed" if write else "read"
        raise StoreError(
            f"{error.filename or location}: the {location} cannot be {outcome}: "
            f"{describe_file_error(error)}"
        ) from error
