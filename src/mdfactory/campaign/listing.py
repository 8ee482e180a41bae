"""Lists folders with as few system calls as possible."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple


class Listing(NamedTuple):
    """Names in one folder.

    Parameters
    ----------
    files
        Files, and symlinks to files.
    others
        Everything else: folders, pipes, symlinks to folders, dangling symlinks.
    folders
        Folders, sorted; without symlinks.
    links
        Symlinks to folders, sorted.
    """

    files: Collection[str] = ()
    others: Collection[str] = ()
    folders: Sequence[str] = ()
    links: Sequence[str] = ()


def list_folder(directory: str | os.PathLike[str]) -> Listing:
    """List a folder in one go; only symlinks cost a system call each.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    with os.scandir(directory) as scan:
        entries = list(scan)
    files = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
    if len(files) == len(entries):  # most folders of a campaign are simulations without results
        return Listing(files)
    others: set[str] = set()
    folders: list[str] = []
    links: list[str] = []
    for entry in entries:
        with suppress(OSError):  # a loop of symlinks
            if entry.is_file():
                files.add(entry.name)
            elif entry.is_dir():
                (links if entry.is_symlink() else folders).append(entry.name)
        if entry.name not in files:
            others.add(entry.name)
    return Listing(files, others, sorted(folders), sorted(links))
