"""The Foundry store: a dataset a table, each committed by itself, all under one lock.

Foundry commits one dataset at a time. So a write first decides and uploads everything, then
notes which transactions it is about to commit, and commits them one by one: what describes
records first, then the records, the overview, and the log last. Whoever comes after a write that
was cut short can tell from the note, and repeating it completes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Final
from weakref import finalize

from mdfactory.config import FoundryPaths
from mdfactory.errors import StoreError
from mdfactory.records.tables import Namespace
from mdfactory.stores.foundry.backend import (
    UNREAD,
    UNWRITTEN,
    FoundryTransaction,
    home_of,
    told,
    usable,
)
from mdfactory.stores.foundry.client import Port
from mdfactory.stores.foundry.lock import hold, release
from mdfactory.stores.locking import Patience
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction

__all__ = ["FoundryStore"]

LOCK: Final = "_mdfactory_lock"
"""Dataset whose one open transaction is the lock of all writers; nothing is ever in it."""


class FoundryStore(Store):
    """Records in datasets of Palantir Foundry.

    Parameters
    ----------
    paths
        Where they are.
    wait
        Seconds to wait for another writer.
    """

    def __init__(self, paths: FoundryPaths, *, wait: float = 60.0) -> None:
        self.location = f"Foundry store {paths.runs}"
        self.wait = wait
        self._paths = paths

    @cached_property
    def _port(self) -> Port:
        port = Port()
        finalize(self, port.close)
        return port

    def probes(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield the connection, and each path that the configuration names."""
        yield "connection", lambda: f"to {self._port.host} as {self._port.user()}"
        paths = self._paths
        for what, path, command in (
            ("BASE_PATH", paths.base, ""),
            ("RUN_DB_PATH", paths.runs, "mdfactory sync init systems"),
            ("ANALYSIS_DB_PATH", paths.analyses, "mdfactory sync init analysis"),
            ("ARTIFACT_DB_PATH", paths.artifacts, "mdfactory sync init artifacts"),
        ):
            yield what, partial(self._probe, path, command)

    def _probe(self, path: str, command: str) -> str:
        with told(self.location, UNREAD):
            found = usable(self._port.find(path), path)
        if found is None:
            raise StoreError(f"{path} does not exist", command=command)
        if found.is_dataset != (path == self._paths.runs):
            raise StoreError(f"{path} is {'a dataset' if found.is_dataset else 'no dataset'}")
        return path

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:  # noqa: ARG002  # datasets are made with their folders
        doing = UNWRITTEN if write else UNREAD
        patience = Patience(self.wait)
        lock = ("", "")
        transaction: FoundryTransaction | None = None
        try:
            with told(self.location, doing):
                if write:
                    lock = self._lock(patience)
            transaction = FoundryTransaction(
                self._port, self._paths, self.location, patience if write else None
            )
            yield transaction
            if write:
                with told(self.location, doing):
                    transaction.commit()
        finally:
            if transaction is not None:
                transaction.close()
            if lock[1]:
                release(self._port, *lock)

    def _lock(self, patience: Patience) -> tuple[str, str]:
        """Take the lock of all writers; return the dataset and the transaction that it is."""
        path = f"{home_of(self._paths)}/{LOCK}"
        found = usable(self._port.find(path), path)
        rid = found.rid if found else self._port.create_dataset(path)
        return rid, hold(self._port, rid, "APPEND", patience, self.location)
