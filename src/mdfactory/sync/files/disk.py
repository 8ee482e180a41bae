"""Files of artifacts in the directories of their records."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from mdfactory.campaign.below import open_below
from mdfactory.campaign.registry import RESULTS_FOLDER
from mdfactory.errors import ResultError
from mdfactory.sync.files.listed_files import ListedFile

READ_BYTES: Final = 2**18
"""Bytes that are read of a file at a time."""


def size_on_disk(file: ListedFile) -> int | None:
    """Return the size of a file in bytes; None if there is no such file."""
    with suppress(OSError, ValueError):
        status = os.stat(f"{file.directory}/{RESULTS_FOLDER}/{file.path}")
        if stat.S_ISREG(status.st_mode):
            return status.st_size
    return None


def read_on_disk(file: ListedFile) -> Iterator[bytes]:
    """Yield the content of a file, whatever it is.

    Raises
    ------
    ResultError
        If it cannot be read. The message does not name the file.
    """
    try:
        handle = open_below(f"{file.directory}/{RESULTS_FOLDER}", file.path)
        with os.fdopen(handle, "rb", buffering=0) as content:
            while chunk := content.read(READ_BYTES):
                yield chunk
    except FileNotFoundError as error:
        raise ResultError("is missing") from error
    except OSError as error:
        raise ResultError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ResultError(str(error)) from error
