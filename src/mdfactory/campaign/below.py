"""Files below a folder of other people: opened without following a link that leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import IO, Final

LINK_ERRNOS: Final = frozenset({errno.ELOOP, errno.ENOTDIR})
"""Errors of opening a link where none may be."""

OUTSIDE: Final = "leads out of its folder"
"""Why a path is refused."""


def read_all(file: IO[bytes], max_bytes: int) -> bytes:
    """Return the content of a file, or one byte more than is allowed if it has grown."""
    content = b""
    while len(content) <= max_bytes and (chunk := file.read(max_bytes + 1 - len(content))):
        content += chunk
    return content


def open_below(folder: str, path: str) -> int:
    """Open a regular file below a folder for reading, and return its descriptor.

    Links may lead to another place below the folder. No name is followed that somebody turns into
    a link meanwhile: the names of the resolved path are opened one by one, none as a link.

    Parameters
    ----------
    folder
        The folder; a relative path leads nowhere.
    path
        Path relative to it, with forward slashes.

    Raises
    ------
    ValueError
        If the path is absolute or has ``..``, leads out of the folder, or to what is no regular
        file; the message is the reason.
    OSError
        If there is no such file, or it cannot be opened.
    """
    if not folder.startswith("/"):
        raise FileNotFoundError(folder)
    relative = PurePosixPath(path)
    if not relative.parts or "\0" in path or relative.is_absolute() or ".." in relative.parts:
        raise ValueError(OUTSIDE)
    try:
        file = _open_step_by_step(folder, relative.parts)
    except OSError as error:
        if error.errno not in LINK_ERRNOS:
            raise
        root = os.path.realpath(folder)
        resolved = os.path.realpath(f"{root}/{path}")
        if not resolved.startswith(f"{root}/"):
            raise ValueError(OUTSIDE) from error
        file = _open_step_by_step(root, resolved[len(root) + 1 :].split("/"))
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ValueError("no regular file")
    return file


def _open_step_by_step(root: str, names: Sequence[str]) -> int:
    """Open a file below a folder, and return its descriptor; none of the names may be a link."""
    *folders, name = names
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for step in folders:
            handle, before = _open_in(handle, step, os.O_DIRECTORY), handle
            os.close(before)
        return _open_in(handle, name, os.O_NONBLOCK)
    finally:
        os.close(handle)


def _open_in(folder: int, name: str, flags: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=folder)
