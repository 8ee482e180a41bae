"""Stores: where records live. They know nothing of campaigns or of the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mdfactory.config import FoundryPaths
from mdfactory.errors import ConfigError

if TYPE_CHECKING:
    from mdfactory.config import Settings
    from mdfactory.stores.store import Store

__all__ = ["KINDS", "open_store", "store_at"]


def open_store(settings: Settings, *, wait: float = 60.0) -> Store:
    """Return the store that the settings name; nothing is opened or made yet.

    Parameters
    ----------
    settings
        The settings in effect.
    wait
        Seconds to wait for another writer.

    Raises
    ------
    ConfigError
        If the settings name a kind of store that there is not.
    """
    if settings.kind not in KINDS:
        raise ConfigError(
            f"[database] TYPE is {settings.kind!r}; it may be {', '.join(KINDS)}",
            command="mdfactory config edit",
        )
    store = KINDS[settings.kind](settings, wait)
    store.retention = settings.retention
    return store


def store_at(url: str, *, wait: float = 60.0) -> Store:
    """Return the store at a URL; nothing is opened or made yet.

    Parameters
    ----------
    url
        ``sqlite:///folder`` with ``runs.db`` and ``analysis.db`` in it, or ``sqlite:///file`` for
        one that holds both; an absolute path makes it four slashes. ``csv:///folder`` with
        ``runs.csv`` and the folder ``analysis`` in it. ``foundry:///Project/folder`` with the
        usual datasets below it. Or ``postgresql://user@host/database``.
    wait
        Seconds to wait for another writer.

    Raises
    ------
    ConfigError
        If the URL names no store.
    """
    if url.startswith(("postgresql://", "postgres://")):
        return _postgres(url, wait)
    kind, _, place = url.partition(":///")
    if kind == "foundry" and place:
        return _foundry(FoundryPaths.below(f"/{place}"), wait)
    if kind not in {"sqlite", "csv"} or not place:
        kinds, places = ", ".join(KINDS), " or ".join(PLACES)
        raise ConfigError(f"{url!r} is neither a kind of store ({kinds}) nor a URL ({places})")
    from mdfactory.stores.sql.sqlite import SqliteStore

    path = Path(os.path.expanduser(place)).absolute()
    if kind == "csv":
        return _csv(path / "runs.csv", path / "analysis", wait)
    if path.is_file():
        return SqliteStore(path, path, wait=wait)
    return SqliteStore(path / "runs.db", path / "analysis.db", wait=wait)


def _sqlite(settings: Settings, wait: float) -> Store:
    from mdfactory.stores.sql.sqlite import SqliteStore

    return SqliteStore(settings.sqlite.runs, settings.sqlite.results, wait=wait)


def _csv(runs: Path, results: Path, wait: float) -> Store:
    from mdfactory.stores.csv.store import CsvStore

    return CsvStore(runs, results, wait=wait)


def _configured_postgres(settings: Settings, wait: float) -> Store:
    if not settings.postgres:
        raise ConfigError(
            "[postgres] URL is not set, nor MDFACTORY_POSTGRES_URL; it may be "
            "postgresql://user@host/database",
            command="mdfactory config edit",
        )
    return _postgres(settings.postgres, wait)


def _foundry(paths: FoundryPaths, wait: float) -> Store:
    with _needing("foundry", "foundry-dev-tools"):
        from mdfactory.stores.foundry.store import FoundryStore
    return FoundryStore(paths, wait=wait)


def _postgres(url: str, wait: float) -> Store:
    with _needing("postgres", "psycopg"):
        from mdfactory.stores.sql.postgres import PostgresStore
    return PostgresStore(url, wait=wait)


@contextmanager
def _needing(extra: str, library: str) -> Iterator[None]:
    """Say of a library that is missing how to get it."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"a store of kind {extra} needs {library}, which cannot be loaded: {error}",
            command=f"pip install 'mdfactory[{extra}]'",
        ) from error


PLACES: Final = (
    "sqlite:///folder",
    "csv:///folder",
    "postgresql://user@host/database",
    "foundry:///Project/folder",
)
"""Examples of URLs."""

KINDS: Final[dict[str, Callable[[Settings, float], Store]]] = {
    "sqlite": _sqlite,
    "csv": lambda settings, wait: _csv(settings.csv.runs, settings.csv.results, wait),
    "postgres": _configured_postgres,
    "foundry": lambda settings, wait: _foundry(settings.foundry, wait),
}
"""Kind of store, as the configuration names it -> what opens it."""
