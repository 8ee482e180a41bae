"""Fetch the files of artifacts into the cache folder, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mdfactory.config.settings import cache_folder
from mdfactory.errors import ConfigError
from mdfactory.filestore.file_store import FileStore
from mdfactory.stores.store import Store
from mdfactory.sync.files.fetching import artifact_query, fetch, opened_files
from mdfactory.sync.files.output import OutputFolder
from mdfactory.sync.find import Note, no_note
from mdfactory.sync.search import EVERYTHING, Search


def fetch_to_cache(
    store: Store,
    files: FileStore | None,
    name: str | None = None,
    *,
    hash_prefix: str | None = None,
    equal: Mapping[str, str | None] | None = None,
    search: Search = EVERYTHING,
    note: Note = no_note,
) -> Iterator[Path]:
    """Yield the paths of files in the cache folder, each when it is there and right.

    Parameters
    ----------
    store, files, name, hash_prefix, equal, search
        As for `sync.files.fetching.pull_files`.
    note
        Function that is called with each note, such as on a file that cannot be had.

    Raises
    ------
    ConfigError
        If there is no cache folder.
    UnknownNameError, NotInitialisedError, QueryError, FileStoreError, OutputError
        As for `sync.files.fetching.pull_files`.
    """
    cache = cache_folder()
    if cache is None:
        raise ConfigError("there is no cache folder: set MDFACTORY_CACHE_DIR to the path of one")
    folder = OutputFolder(cache / "files")
    query = artifact_query(hash_prefix, equal or {})
    with opened_files(store, name, query, equal or {}, search, note) as listed:
        for fetched in fetch(listed, folder, files):
            if fetched.problem:
                file = fetched.file
                note(f"{file.hash}: artifact {file.artifact}: {file.path} {fetched.problem}")
                continue
            yield folder.path / fetched.path
