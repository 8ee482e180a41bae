"""Move files of artifacts again and again, in a process of its own each time, to be killed.

``python moving.py STORE CAMPAIGN FILES ENDPOINT`` reads lines such as ``push`` or ``pull OUT``; see
`mdfactory.testing.harm.serve`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import mdfactory.filestore.remote
from mdfactory.campaign.scan_index import Reading
from mdfactory.filestore import open_file_store
from mdfactory.filestore.file_store import FileStore
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores import store_at
from mdfactory.stores.store import Store
from mdfactory.sync.files.fetching import pull_files
from mdfactory.sync.files.output import OutputFolder
from mdfactory.sync.files.pruning import prune
from mdfactory.sync.push import push, scope_of
from mdfactory.testing.harm import serve

assert mdfactory.filestore.remote  # imported once, not in each child


@dataclass(frozen=True)
class Mover:
    """The operations that move files."""

    store: Store
    campaign: str
    files: FileStore

    def push(self) -> None:
        """Push the campaign with its files."""
        scope, reading = scope_of("all"), Reading()
        push(
            self.store, self.campaign, ConflictMode.update, scope, files=self.files, reading=reading
        )

    def pull(self, folder: str) -> None:
        """Fetch all files."""
        done = pull_files(self.store, self.files, OutputFolder(Path(folder)))
        assert not done.skipped

    def prune(self) -> None:
        """Remove what no record needs."""
        prune(self.store, self.files)


def main(url: str, campaign: str, files: str, endpoint: str) -> None:
    """Serve; see the module."""
    if endpoint:
        import s3fs  # noqa: F401  # once, not in each child

    def act(name: str, *arguments: str) -> None:
        mover = Mover(store_at(url, wait=30), campaign, open_file_store(files, endpoint))
        getattr(mover, name)(*arguments)

    serve(act)


if __name__ == "__main__":
    main(*sys.argv[1:])
