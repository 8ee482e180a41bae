"""Paths of a CSV store: the files of its tables and its hidden folders."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Final

from mdfactory.errors import MAX_LISTED, StoreError, counted, one_line
from mdfactory.records.tables import SIMULATIONS, Namespace, Table, table_named
from mdfactory.stores.csv.commit import Redirects
from mdfactory.stores.csv.commit_folder import CommitFolder

MAX_COMPARED_BYTES: Final = 2**26
"""Size up to which two files of one table are compared, for the advice how to join them."""

TableId = tuple[Namespace, str]
"""Namespace and lower-case name of a table."""


class Layout:
    """The paths of a store, with symlinks resolved.

    Parameters
    ----------
    paths
        ``Namespace.runs`` -> the file of the simulations; ``Namespace.results`` -> the folder of
        all other tables.
    """

    def __init__(self, paths: Mapping[Namespace, Path]) -> None:
        self.runs = Path(os.path.realpath(paths[Namespace.runs]))
        self.results = Path(os.path.realpath(paths[Namespace.results]))
        self.folders = {
            Namespace.runs: CommitFolder(self.runs.parent / f".{self.runs.name}.mdfactory"),
            Namespace.results: CommitFolder(self.results / ".mdfactory"),
        }

    def exists(self, namespace: Namespace) -> bool:
        """Whether a namespace exists."""
        if namespace is Namespace.results:
            return _exists(self.results)
        return _exists(self.runs) or _exists(self.folders[namespace].path)

    def path_of(self, table: Table) -> Path:
        """Return the path of the file of a new table."""
        if table.namespace is Namespace.results:
            return self.results / f"{table.name}.csv"
        if table.id == SIMULATIONS.id:
            return self.runs
        return self.folders[Namespace.runs].path / f"{table.name}.csv"

    def owns(self, path: Path) -> bool:
        """Whether a path belongs to a table, which need not exist, or is in a hidden folder."""
        real = Path(os.path.realpath(path))
        is_hidden = any(folder.path in real.parents for folder in self.folders.values())
        return is_hidden or self._identify(real) is not None

    def find_tables(self, redirects: Redirects) -> Iterator[tuple[Namespace, str, Path]]:
        """Yield the namespace, name and file of each table that exists.

        Parameters
        ----------
        redirects
            Files that a pending commit adds, replaces or drops.

        Raises
        ------
        StoreError
            If the names of two files differ only in case, so that both are files of one table.
        """
        paths: dict[TableId, Path] = {}
        listed = {*_list(self.folders[Namespace.runs].path), *_list(self.results)}
        if _exists(self.runs):
            listed.add(self.runs)
        for path in sorted((listed - redirects.dropped) | redirects.staged.keys()):
            if identity := self._identify(path):
                namespace, name = identity
                first = paths.setdefault((namespace, name.lower()), path)
                if first != path:
                    raise _duplicate_table_error(first, path)
                yield namespace, name, path

    def _identify(self, path: Path) -> tuple[Namespace, str] | None:
        """Return the namespace and the name of the table in a file; None if it holds no table."""
        names = ((namespace, folder.table_in(path)) for namespace, folder in self.folders.items())
        return next((identity for identity in names if identity[1]), None)


def _exists(path: Path) -> bool:
    """Whether a path exists; unlike `Path.exists`, this raises if access is denied."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _list(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except FileNotFoundError:
        return []


def _duplicate_table_error(first: Path, second: Path) -> StoreError:
    """Return the error for two files of one table, with advice on how to join them.

    The file with the name in upper case is kept: existing installations read only such names.
    """
    target, source = sorted((first, second), key=lambda path: not path.stem.isupper())
    problem = f"{first} and {second} differ only in case, but are one table"
    if max(path.stat().st_size for path in (first, second)) > MAX_COMPARED_BYTES:
        return StoreError(
            f"{problem}. They are too large to be compared: join them into {target}, with each key "
            f"once, and remove {source}"
        )
    shared = sorted(_read_keys(target) & _read_keys(source))
    if shared:
        examples = ", ".join(" ".join(key) for key in shared[:MAX_LISTED])
        more = ", ..." if shared[MAX_LISTED:] else ""
        return StoreError(
            f"{problem}. {counted(len(shared), 'record')} of the same key in both files "
            f"({examples}{more}): remove them from one file, in an editor or with pandas, and "
            "repeat this command; it then prints how to join the files"
        )
    newline = "" if target.read_bytes()[-1:] == b"\n" else f"echo >> {quote(str(target))} && "
    join = f"tail -n +2 {quote(str(source))} >> {quote(str(target))} && rm {quote(str(source))}"
    return StoreError(
        f"{problem}. They have no record in common; join them", command=newline + join
    )


def _read_keys(path: Path) -> set[tuple[str, ...]]:
    """Return the keys of the records in a file of the results."""
    table = table_named(path.stem, Namespace.results)
    key = table.key if table else None  # no record table: compare all columns
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            return {tuple(str(row.get(name)) for name in key or row) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"{path} cannot be read: {one_line(error)}") from error
    finally:
        csv.field_size_limit(limit)
