"""Store files again and again, in a process of its own each time, so that it can be killed.

``python putting.py URL ENDPOINT`` reads numbers, and stores the files of each seed; see
`mdfactory.testing.harm.serve`.
"""

from __future__ import annotations

import sys
from functools import cache

from mdfactory.filestore import open_file_store
from mdfactory.filestore.file_store import FileStore
from mdfactory.testing.file_stores import LARGE, SMALL, content_of, put
from mdfactory.testing.harm import serve

SIZES = (SMALL, LARGE, 0)


@cache
def contents_of(seed: int) -> list[bytes]:
    """Return the contents of the files of a seed."""
    return [content_of(size, seed) for size in SIZES]


def put_all(files: FileStore, seed: int) -> None:
    """Store the files of a seed, and mark the file store."""
    files.settle([put(files, content) for content in contents_of(seed)])
    files.mark(f"{seed:04}", f"sqlite:///{seed:04}")


def main(url: str, endpoint: str) -> None:
    """Serve; see the module."""
    if endpoint:
        import s3fs  # noqa: F401  # once, not in each child
    serve(lambda seed: put_all(open_file_store(url, endpoint), int(seed)))


if __name__ == "__main__":
    main(*sys.argv[1:])
