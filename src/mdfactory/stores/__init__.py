"""Stores: where records live. They know nothing of campaigns or of the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mdfactory.errors import ConfigError

if TYPE_CHECKING:
    from mdfactory.config import Settings
    from mdfactory.stores.base import Store

__all__ = ["open_store", "store_at"]


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
    return KINDS[settings.kind](settings, wait)


def store_at(url: str, *, wait: float = 60.0) -> Store:
    """Return the store at a URL; nothing is opened or made yet.

    Parameters
    ----------
    url
        ``sqlite:///folder`` with ``runs.db`` and ``analysis.db`` in it, or ``sqlite:///file`` for
        one that holds both; an absolute path makes it four slashes.
    wait
        Seconds to wait for another writer.

    Raises
    ------
    ConfigError
        If the URL names no store.
    """
    kind, _, place = url.partition(":///")
    if kind not in PLACES or not place:
        raise ConfigError(f"{url!r} is not the URL of a store; {' or '.join(PLACES.values())} is")
    from mdfactory.stores.sqlite import SqliteStore

    path = Path(os.path.expanduser(place)).absolute()
    if path.is_file():
        return SqliteStore(path, path, wait=wait)
    return SqliteStore(path / "runs.db", path / "analysis.db", wait=wait)


def _sqlite(settings: Settings, wait: float) -> Store:
    from mdfactory.stores.sqlite import SqliteStore

    return SqliteStore(settings.sqlite.runs, settings.sqlite.results, wait=wait)


PLACES: Final = {"sqlite": "sqlite:///folder"}
"""Kind of store -> an example of its URL."""

KINDS: Final[dict[str, Callable[[Settings, float], Store]]] = {"sqlite": _sqlite}
"""Kind of store, as the configuration names it -> what opens it."""
