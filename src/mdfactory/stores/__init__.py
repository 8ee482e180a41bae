"""Stores of records: SQLite, CSV files, PostgreSQL and Foundry.

These modules depend on the record tables, and not on campaigns or the command line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mdfactory.config import FoundryPaths
from mdfactory.errors import ConfigError
from mdfactory.stores.urls import is_sqlite_file, parse_store_url

if TYPE_CHECKING:
    from mdfactory.config import Settings
    from mdfactory.stores.store import Store

__all__ = ["OPENER_BY_KIND", "open_store", "store_at"]


def open_store(settings: Settings, *, wait: float = 60.0) -> Store:
    """Return the configured store; nothing is opened or created yet.

    Parameters
    ----------
    settings
        The settings in effect.
    wait
        Seconds to wait for another writer.

    Raises
    ------
    ConfigError
        If a section or setting is misspelt, the settings name an unknown kind of store, the URL of
        a PostgreSQL store is missing or invalid, or a library that the store needs is not
        installed.
    """
    if settings.misspelt:  # the store may be another one than was meant
        raise ConfigError("\n".join(settings.misspelt), command="mdfactory config edit")
    if settings.kind not in OPENER_BY_KIND:
        raise ConfigError(
            f"[database] TYPE is {settings.kind!r}, expected one of: {', '.join(OPENER_BY_KIND)}",
            command="mdfactory config edit",
        )
    store = OPENER_BY_KIND[settings.kind](settings, wait)
    store.retention = settings.retention
    return store


def store_at(url: str | os.PathLike[str], *, wait: float = 60.0) -> Store:
    """Return the store at a URL or path; nothing is opened or created yet.

    Parameters
    ----------
    url
        One of:

        - a path of a folder or file: the store that is in it, else a new SQLite store
        - ``sqlite:///folder``, which contains the files ``runs.db`` and ``analysis.db``
        - ``sqlite:///file.db``, a file with all tables
        - ``csv:///folder``, which contains ``runs.csv`` and the folder ``analysis``
        - ``postgresql://user@host/database``
        - ``foundry:///Project/folder``, which contains datasets with their default names

        The path of a folder or file is relative to the working directory. A URL with an absolute
        path has four slashes: ``sqlite:////data/lab``.
    wait
        Seconds to wait for another writer.

    Raises
    ------
    ConfigError
        If the URL is not one of these, if its path is probably meant to be absolute, if a path
        holds two stores or something else, or if a library that the store needs is not installed.
    """
    text = os.fspath(url)
    if text.startswith(("postgresql://", "postgres://")):
        return _postgres(text, wait)
    kind, path = parse_store_url(text, OPENER_BY_KIND)
    if kind == "foundry":
        return _foundry(FoundryPaths.below(path), wait)
    if kind == "csv":
        return _csv(Path(path, "runs.csv"), Path(path, "analysis"), wait)
    if is_sqlite_file(path):
        return _sqlite(Path(path), Path(path), wait)
    return _sqlite(Path(path, "runs.db"), Path(path, "analysis.db"), wait)


def _sqlite(runs: Path, results: Path, wait: float) -> Store:
    from mdfactory.stores.sql.sqlite import SqliteStore

    return SqliteStore(runs, results, wait=wait)


def _csv(runs: Path, results: Path, wait: float) -> Store:
    from mdfactory.stores.csv.store import CsvStore

    return CsvStore(runs, results, wait=wait)


def _foundry(paths: FoundryPaths, wait: float) -> Store:
    with _require_extra("foundry", "foundry-dev-tools"):
        from mdfactory.stores.foundry.store import FoundryStore
    return FoundryStore(paths, wait=wait)


def _postgres(url: str, wait: float) -> Store:
    if not url:
        raise ConfigError(
            "[postgres] URL is not set, and neither is MDFACTORY_POSTGRES_URL; expected a URL such "
            "as postgresql://user@host/database",
            command="mdfactory config edit",
        )
    with _require_extra("postgres", "psycopg"):
        from mdfactory.stores.sql.postgres import PostgresStore
    return PostgresStore(url, wait=wait)


@contextmanager
def _require_extra(extra: str, library: str) -> Iterator[None]:
    """Raise an error that names the extra to install if the import of a library fails."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"a {extra} store needs {library}, which cannot be imported: {error}",
            command=f"pip install 'mdfactory[{extra}]'",
        ) from error


OPENER_BY_KIND: Final[dict[str, Callable[[Settings, float], Store]]] = {
    "sqlite": lambda settings, wait: _sqlite(settings.sqlite.runs, settings.sqlite.results, wait),
    "csv": lambda settings, wait: _csv(settings.csv.runs, settings.csv.results, wait),
    "postgres": lambda settings, wait: _postgres(settings.postgres, wait),
    "foundry": lambda settings, wait: _foundry(settings.foundry, wait),
}
"""Kind of store, as in the configuration -> function that returns the store.

Its arguments are the settings and the seconds to wait for another writer.
"""
