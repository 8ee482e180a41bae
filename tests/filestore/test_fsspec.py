"""The contract of all file stores, for a file system of fsspec that has folders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mdfactory.errors import FileStoreError
from mdfactory.filestore import open_file_store
from mdfactory.filestore.file_store import FileStore
from mdfactory.testing import FileStoreTests


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    """Empty the memory, which is one for all."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield
    MemoryFileSystem.store.clear()


class TestMemory(FileStoreTests):
    many = 1_001

    def opened(self) -> FileStore:
        return open_file_store("memory://host/files")

    def raw_files(self) -> dict[str, bytes]:
        files = MemoryFileSystem().find("/files")
        return {path.removeprefix("/files/"): MemoryFileSystem().cat_file(path) for path in files}

    def raw_put(self, path: str, content: bytes) -> None:
        MemoryFileSystem().pipe_file(f"/files/{path}", content)


def test_a_folder_that_was_not_made_is_an_error() -> None:
    files = open_file_store("memory://host/files")
    for verb in (
        lambda: files.sizes(["ab" * 32]),
        lambda: list(files.get("ab" * 32)),
        lambda: files.mark("0123", "here"),
        files.markers,
        files.check_writing,
    ):
        with pytest.raises(FileStoreError, match="does not exist. Run: mdfactory sync init"):
            verb()
