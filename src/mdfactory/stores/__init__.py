"""Stores: where records live. They know nothing of campaigns or of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mdfactory.errors import ConfigError

if TYPE_CHECKING:
    from mdfactory.config import Settings
    from mdfactory.stores.base import Store

__all__ = ["open_store"]


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


def _sqlite(settings: Settings, wait: float) -> Store:
    from mdfactory.stores.sqlite import SqliteStore

    return SqliteStore(settings.sqlite.runs, settings.sqlite.results, wait=wait)


KINDS: Final[dict[str, Callable[[Settings, float], Store]]] = {"sqlite": _sqlite}
"""Kind of store, as the configuration names it -> what opens it."""
