"""Cache of a report: what was made of frames, by digests, so that it is not made again.

An entry is a file in the cache folder. Its first line is the digest of the rest, so that damage is
found. Its name has the digest of all that determines its content, so that an entry is never out of
date. A cache that cannot be read or written is none: the report is the same without it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, Final

from mdfactory.config.settings import cache_folder
from mdfactory.files import UnreadableError, create_folder, read_file, replacing
from mdfactory.version import __version__

FORMAT_VERSION: Final = 4
"""Raised when the same frame is drawn or summarised in another way."""

FOLDER: Final = "report"
"""Name of the folder of the entries, in the cache folder."""

MAX_ENTRY_BYTES: Final = 2**28
"""Maximum size of an entry; a larger one is not kept."""

MAX_BYTES: Final = 2**29
"""Maximum size of all entries; those that were not used for the longest time are removed."""

DIGEST_BYTES: Final = 65
"""Size of the first line of an entry."""

NAME: Final = "{kind}-{key}.bin"
PATTERN: Final = "*-*.bin"


@dataclass(frozen=True, slots=True)
class Cache:
    """Entries in a folder.

    Parameters
    ----------
    folder
        The folder, which need not exist. None: there is no cache.
    max_entry_bytes, max_bytes
        Maximum size of an entry, and of all entries.
    """

    folder: Path | None
    max_entry_bytes: int = MAX_ENTRY_BYTES
    max_bytes: int = MAX_BYTES

    def get(self, kind: str, key: str) -> bytes | None:
        """Return an entry; None if there is none, or it is damaged."""
        if self.folder is None:
            return None
        path = self.folder / NAME.format(kind=kind, key=key)
        try:
            content, _ = read_file(path, self.max_entry_bytes)
        except (UnreadableError, ValueError):
            return None
        digest, _, data = content.partition(b"\n")
        if digest != _digest(data):
            return None
        with suppress(OSError):
            os.utime(path)
        return data

    def put(self, kind: str, key: str, data: bytes) -> None:
        """Keep an entry, and remove old ones beyond the maximum size."""
        if self.folder is None or len(data) + DIGEST_BYTES > self.max_entry_bytes:
            return
        with suppress(OSError, ValueError):
            create_folder(self.folder)
            with replacing(self.folder / NAME.format(kind=kind, key=key)) as file:
                file.writelines((_digest(data), b"\n", data))
            _remove_old(self.folder, self.max_bytes)


def user_cache() -> Cache:
    """Return the cache in the user's cache folder."""
    folder = cache_folder()
    return Cache(folder / FOLDER if folder else None)


def key_of(*parts: Any) -> str:
    """Return the key of what parts determine, together with the versions of the software.

    Parameters
    ----------
    parts
        Values of JSON.
    """
    versions = [FORMAT_VERSION, __version__, package_version("numpy")]
    text = json.dumps([versions, *parts], sort_keys=True, default=str)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _remove_old(folder: Path, max_bytes: int) -> None:
    """Remove the entries that were not used for the longest time, down to a maximum size."""
    entries = []
    for path in folder.glob(PATTERN):
        with suppress(OSError):  # another report may have removed it
            status = path.lstat()
            entries.append((status.st_mtime_ns, path.name, status.st_size, path))
    total = sum(size for *_, size, _ in entries)
    for _, _, size, path in sorted(entries):
        if total <= max_bytes:
            return
        with suppress(OSError):
            path.unlink()
        total -= size


def _digest(data: bytes) -> bytes:
    return sha256(data).hexdigest().encode()


def combined(digests: Sequence[str]) -> str:
    """Return the digest of digests."""
    return sha256("\n".join(digests).encode()).hexdigest()
