"""A folder into which files are fetched: nothing is written outside it, whatever a record says."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Final
from uuid import uuid4

from mdfactory.errors import MDFactoryError, OutputError, ResultError
from mdfactory.files import create_folder

TEMPORARY: Final = re.compile(r"\.[0-9a-f]{32}\.part")
"""Name of a file that is being written: short, since that of the file may have any length."""

PATH_ERRNOS: Final = frozenset({
    errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ENOTEMPTY,
})  # fmt: skip
"""Errors of one path, such as a folder in the place of the file; others concern all files."""

MAX_PART_SECONDS: Final = 86_400.0
"""Age of a temporary file that a killed program has left."""


class RefusedPathError(ResultError):
    """One file cannot be written under its path, whatever its content is."""


class OutputFolder:
    """A folder for fetched files.

    Parameters
    ----------
    path
        Path of the folder; it is created if it is missing.

    Raises
    ------
    OutputError
        If it cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explained(str(path)):
            create_folder(path)

    def has(self, path: str, digest: str) -> bool:
        """Whether a regular file is there, with this SHA-256.

        Parameters
        ----------
        path
            Path relative to the folder, with forward slashes.
        digest
            SHA-256, 64 lower-case hexadecimal digits.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with (
            suppress(OSError, ValueError),
            self._opened_parent(path, create=False) as (folder, name),
            os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file,
        ):
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return hashlib.file_digest(file, "sha256").hexdigest() == digest
        return False

    def write(self, path: str, chunks: Iterable[bytes]) -> int:
        """Write a file, which appears when it is complete, and return its number of bytes.

        Parameters
        ----------
        path
            Path relative to the folder, with forward slashes; its missing folders are created.
        chunks
            The content. If it raises an error, nothing is written.

        Raises
        ------
        RefusedPathError
            If the path leads out of the folder, over a symlink or something that is no folder.
        OutputError
            If the file cannot be written.
        """
        size = 0
        content = iter(chunks)
        start = next(content, b"")  # before folders are created: nobody may have the file
        with self._explained(f"{self.path}/{path}"), self._opened_parent(path) as (folder, name):
            temporary = f".{uuid4().hex}.part"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            handle = os.open(temporary, flags, 0o666, dir_fd=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    for chunk in chain([start], content):
                        size += file.write(chunk)
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            _remove_old_parts(folder)
        return size

    @contextmanager
    def _opened_parent(self, path: str, *, create: bool = True) -> Iterator[tuple[int, str]]:
        """Open the folder of a file, step by step without a symlink; yield it and the name."""
        parts = path.split("/")
        if not all(map(_is_name, parts)):
            raise RefusedPathError("leads out of its folder")
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=handle)
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                handle, before = os.open(part, flags, dir_fd=handle), handle
                os.close(before)
            yield handle, parts[-1]
        finally:
            os.close(handle)

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        """Turn errors of the operating system into errors that name a path."""
        try:
            yield
        except MDFactoryError:
            raise
        except UnicodeError as error:
            raise RefusedPathError(f"is no name of a file: {error}") from error
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in PATH_ERRNOS:
                raise RefusedPathError(f"cannot be written to {path}: {reason}") from error
            raise OutputError(f"{path} cannot be written: {reason}") from error


def _is_name(part: str) -> bool:
    """Whether a part of a path is the name of a file or folder, and no way out."""
    return part not in {"", ".", ".."} and "\0" not in part


def _remove_old_parts(folder: int) -> None:
    """Remove the temporary files that killed programs have left in a folder."""
    before = time.time() - MAX_PART_SECONDS
    with suppress(OSError), os.scandir(folder) as scan:
        for entry in scan:
            if TEMPORARY.fullmatch(entry.name) and entry.stat().st_mtime < before:
                os.unlink(entry.name, dir_fd=folder)
