"""Look at many files of a file store at once: the files of each of its folders together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import TypeVar

from mdfactory.campaign.prefetch import Prefetcher

Found = TypeVar("Found")


def look_by_folder(
    look: Callable[[tuple[str, ...]], Found], digests: Iterable[str], jobs: int | None
) -> Iterator[Found]:
    """Yield what a function returns for the checksums of each folder, several at once.

    Parameters
    ----------
    look
        Called with the checksums of the files of one folder.
    digests
        The checksums, each once.
    jobs
        Number of folders at once; None if that is measured.
    """
    folders = (tuple(group) for _, group in groupby(sorted(digests), lambda digest: digest[:2]))
    with Prefetcher(look, jobs) as looked:
        yield from looked.map(folders)
