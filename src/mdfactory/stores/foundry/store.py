"""The Foundry store: each table is a dataset, and one lock admits one writer at a time.

Foundry commits one dataset at a time. So a write first makes all decisions and uploads all files.
Then it commits the datasets one by one. The state table is first: it lists the transactions that
the write is about to commit. If the write is interrupted between two commits, the next writer
commits the rest. The order of the other datasets is in `stores.foundry.layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from weakref import finalize

from mdfactory.config import FoundryPaths
from mdfactory.errors import StoreError
from mdfactory.locking import LockWait
from mdfactory.records.tables import Namespace
from mdfactory.stores.backend import Backend
from mdfactory.stores.foundry.backend import FoundryBackend
from mdfactory.stores.foundry.client import FoundryClient
from mdfactory.stores.foundry.layout import lock_path
from mdfactory.stores.foundry.lock import LONGEST_PAUSE_SECONDS, acquire_lock, release_lock
from mdfactory.stores.foundry.model import is_dataset
from mdfactory.stores.store import Store


class FoundryStore(Store):
    """Records in datasets of Palantir Foundry.

    Parameters
    ----------
    paths
        Paths of the datasets.
    wait
        Seconds to wait for another writer.
    """

    def __init__(self, paths: FoundryPaths, *, wait: float = 60.0) -> None:
        self.location = f"Foundry store {paths.runs}"
        self.wait = wait
        self._paths = paths

    @cached_property
    def _client(self) -> FoundryClient:
        client = FoundryClient()
        finalize(self, client.close)
        return client

    def probes(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Yield named health checks of the connection and of each configured path."""
        yield "connection", lambda: f"to {self._client.host} as {self._client.user_name()}"
        paths = self._paths
        for setting, path, command in (
            ("BASE_PATH", paths.base, ""),
            ("RUN_DB_PATH", paths.runs, "mdfactory sync init systems"),
            ("ANALYSIS_DB_PATH", paths.analyses, "mdfactory sync init analysis"),
            ("ARTIFACT_DB_PATH", paths.artifacts, "mdfactory sync init artifacts"),
        ):
            yield setting, partial(self._check_path, path, command)

    def _check_path(self, path: str, command: str) -> str:
        """Check that a path is a dataset or a folder, as its setting requires, and return it.

        Raises
        ------
        StoreError
            If the path does not exist (the error has the command that creates it), or is a folder
            instead of a dataset, or the reverse.
        """
        rid = self._client.find_usable_resource(path)
        if not rid:
            raise StoreError(f"{path} does not exist", command=command)
        if path == self._paths.runs and not is_dataset(rid):
            raise StoreError(f"{path} is not a dataset")
        if path != self._paths.runs and is_dataset(rid):
            raise StoreError(f"{path} is a dataset, not a folder")
        return path

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:  # noqa: ARG002  # datasets are created together with their folders
        wait = LockWait(self.location, self.wait, longest_pause=LONGEST_PAUSE_SECONDS)
        with ExitStack() as stack:
            if write:
                client, path = self._client, lock_path(self._paths)
                rid = client.find_usable_resource(path) or client.create_dataset(path)
                stack.callback(release_lock, client, rid, acquire_lock(client, rid, "APPEND", wait))
            backend = FoundryBackend(self._client, self._paths, self.location, wait, write=write)
            stack.callback(backend.close)
            if write:
                backend.complete_interrupted_write()
            yield backend
            if write:
                backend.commit()
