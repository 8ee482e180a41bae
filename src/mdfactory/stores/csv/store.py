"""The CSV store: plain files that any program reads, replaced together, each of them whole."""

from __future__ import annotations

import csv
import errno
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Final

from mdfactory.errors import MAX_LISTED, MDFactoryError, StoreError, counted, one_line
from mdfactory.records.tables import SIMULATIONS, Namespace, Table, table_named
from mdfactory.stores.csv.backend import CsvTransaction, Files, Opened
from mdfactory.stores.csv.commit import Folder, recover, redirected
from mdfactory.stores.locking import Patience
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction

__all__ = ["CsvStore"]

REMEDIES: Final = {
    errno.EACCES: "Ask the owner for the right to it",
    errno.EPERM: "Ask the owner for the right to it",
    errno.EROFS: "The disk is read-only",
    errno.ENOSPC: "Free some room on the disk, and try again",
    errno.EDQUOT: "Free some room in your quota, and try again",
    errno.EFBIG: "Free some room, or raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "Raise the limit on open files (ulimit -n)",
    errno.ENOLCK: "The disk must support locks",
    errno.ENOTSUP: "The disk must support locks",
}
"""What to do about an error of the operating system."""


class CsvStore(Store):
    """Records in CSV files (RFC 4180, UTF-8) that pandas, R and Excel read.

    The tables that describe records lie in the folder of the results, and for the file of
    ``RUN_DATABASE`` in a hidden folder of its own beside it: ``.runs.csv.mdfactory`` beside
    ``runs.csv``. There, and in ``.mdfactory`` in the folder of the results, are also the lock
    and, while a write is under way, the new files; see `stores.csvcommit`.

    Parameters
    ----------
    runs
        File of ``RUN_DATABASE``.
    results
        Folder of the overview, analysis and artifact tables, a file each. The other file may
        be in it.
    wait
        Seconds to wait for another writer.
    """

    def __init__(self, runs: Path, results: Path, *, wait: float = 60.0) -> None:
        self.location = f"CSV store {runs}"
        self.wait = wait
        self._paths = {Namespace.runs: runs, Namespace.results: results}

    def owns(self, path: Path) -> bool:
        """Whether a path is that of a table, there or not, or in a hidden folder of the store."""
        layout = Layout(self._paths)
        real = Path(os.path.realpath(path))
        if real == layout.runs or any(one.path in real.parents for one in layout.folders.values()):
            return True
        return real.parent == layout.results and layout.is_table(real.name)

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:
        patience = Patience(self.wait)
        told = partial(_told, self.location, write=write)
        with ExitStack() as stack:
            with told():
                layout = Layout(self._paths)
                if write:
                    folders = self._locked(stack, layout, create, patience)
                    files = _opened(stack, layout.listed({}))
                else:
                    folders = {}
                    files = self._read(stack, layout, patience)
            transaction = CsvTransaction(files, self.location, layout.file, folders, told)
            stack.callback(transaction.close)
            yield transaction
            if write:
                with told():
                    transaction.commit()

    def _locked(
        self,
        stack: ExitStack,
        layout: Layout,
        create: Collection[Namespace],
        patience: Patience,
    ) -> dict[Namespace, Folder]:
        """Lock the places that are there or to be made, always in the same order."""
        folders = {}
        for namespace, folder in layout.folders.items():
            if namespace in create:
                folder.path.parent.mkdir(parents=True, exist_ok=True)
            elif not layout.is_there(namespace):
                continue
            stack.enter_context(folder.held(patience, self.location))
            folders[namespace] = folder
        recover(list(folders.values()), patience, self.location)
        return folders

    def _read(self, stack: ExitStack, layout: Layout, patience: Patience) -> Files:
        """Open all files as one write left them, be the next one under way or not."""
        folders = list(layout.folders.values())
        while True:
            before, instead = redirected(folders)
            with ExitStack() as opened, suppress(FileNotFoundError):
                files = _opened(opened, layout.listed(instead))
                if redirected(folders)[0] == before:
                    stack.push(opened.pop_all())
                    return files
            if time.monotonic() > patience.deadline:
                raise StoreError(
                    f"{self.location} is written all the time; could not read it in "
                    f"{self.wait:g} s. Try again, or wait longer with --wait SECONDS"
                )
            time.sleep(0.001)


class Layout:
    """Where the files of a store are.

    Parameters
    ----------
    paths
        The file of ``RUN_DATABASE``, and the folder of the other tables.
    """

    def __init__(self, paths: Mapping[Namespace, Path]) -> None:
        self.runs = Path(os.path.realpath(paths[Namespace.runs]))
        self.results = Path(os.path.realpath(paths[Namespace.results]))
        self.folders = {
            Namespace.runs: Folder(self.runs.parent / f".{self.runs.name}.mdfactory"),
            Namespace.results: Folder(self.results / ".mdfactory"),
        }

    def is_there(self, namespace: Namespace) -> bool:
        """Whether a place was made."""
        if namespace is Namespace.results:
            return _exists(self.results)
        return _exists(self.runs) or _exists(self.folders[namespace].path)

    def file(self, table: Table) -> Path:
        """Return the file of a new table."""
        if table.namespace is Namespace.results:
            return self.results / f"{table.name}.csv"
        if table.id == SIMULATIONS.id:
            return self.runs
        return self.folders[Namespace.runs].path / f"{table.name}.csv"

    def listed(self, instead: Mapping[Path, Path | None]) -> Listed:
        """Return the tables that there are.

        Parameters
        ----------
        instead
            Files to take others for; see `csvcommit.redirected`.

        Raises
        ------
        StoreError
            If names of tables differ only in case.
        """
        hidden = self.folders[Namespace.runs].path
        paths = {self.runs} if _exists(self.runs) else set()
        paths |= {hidden / name for name in _names(hidden) if name.startswith("_mdfactory_")}
        paths |= {self.results / name for name in _names(self.results) if self.is_table(name)}
        paths |= {path for path, staged in instead.items() if staged}
        paths -= {path for path, staged in instead.items() if not staged}
        found: Listed = {}
        for path in sorted(paths):
            namespace = (
                Namespace.runs if path == self.runs or path.parent == hidden else Namespace.results
            )
            name = SIMULATIONS.name if path == self.runs else path.stem
            same = found.setdefault(
                (namespace, name.lower()), (name, path, instead.get(path) or path)
            )
            if same[1] != path:
                raise _twice(same[1], path)
        return found

    def is_table(self, name: str) -> bool:
        """Whether a name in the folder of the results is that of a table."""
        table, suffix = os.path.splitext(name)
        if suffix != ".csv" or self.results / name == self.runs:
            return False
        return table.startswith("_mdfactory_") or table_named(table, Namespace.results) is not None


Listed = dict[tuple[Namespace, str], tuple[str, Path, Path]]
"""Place and lower-case name of a table -> name as spelt, its file, the file to read."""


def _exists(path: Path) -> bool:
    """Whether a path is there; what may not be looked at is an error, not an absence."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.endswith(".csv")]
    except FileNotFoundError:
        return []


def _twice(one: Path, other: Path) -> StoreError:
    """Say how two files of one table become one, which other installations see, too.

    They see only names in upper case.
    """
    target, source = sorted((one, other), key=lambda path: not path.stem.isupper())
    said = f"{one} and {other} differ only in case, and hold one table"
    first, second = (_keys(path) for path in (target, source))
    both = sorted(first & second)
    if both:
        few = ", ".join(" ".join(key) for key in both[:MAX_LISTED])
        return StoreError(
            f"{said}. {counted(len(both), 'record')} of the same key stand in both ({few}"
            f"{', ...' if both[MAX_LISTED:] else ''}): remove them from one of the files, in an "
            "editor or with pandas; what to type then is said next"
        )
    newline = "" if target.read_bytes()[-1:] == b"\n" else f"echo >> {quote(str(target))} && "
    join = f"tail -n +2 {quote(str(source))} >> {quote(str(target))} && rm {quote(str(source))}"
    return StoreError(f"{said}. No record stands in both; join them", command=newline + join)


def _keys(path: Path) -> set[tuple[str, ...]]:
    """Return the keys of the records in a file."""
    table = table_named(path.stem, Namespace.results)
    names = table.key if table else None  # a table that describes records: the whole row
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            return {tuple(str(row.get(name)) for name in names or row) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"{path} cannot be read: {one_line(error)}") from error
    finally:
        csv.field_size_limit(limit)


def _opened(stack: ExitStack, listed: Listed) -> Files:
    files: Files = {}
    for key, (name, path, source) in listed.items():
        try:
            handle = os.open(source, os.O_RDONLY)
        except FileNotFoundError:
            handle = os.open(path, os.O_RDONLY)  # it was staged, and is in its place by now
        stack.callback(os.close, handle)
        files[key] = Opened(name, path, handle, os.fstat(handle))
    return files


@contextmanager
def _told(location: str, *, write: bool) -> Iterator[None]:
    """Turn errors of the operating system into ours."""
    try:
        yield
    except MDFactoryError:
        raise
    except OSError as error:
        doing = "written; nothing was changed" if write else "read"
        remedy = REMEDIES.get(error.errno or 0, "")
        raise StoreError(
            f"{error.filename or location}: the {location} cannot be {doing}: "
            f"{error.strerror or error}. {remedy}".rstrip(". ")
        ) from error
