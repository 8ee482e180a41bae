"""Spool: a buffer of rows, in memory up to a limit, then in a temporary file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Self

import pyarrow as pa

from mdfactory.errors import OutputError

MAX_MEMORY_BYTES: Final = 32 * 2**20


class Spool:
    """Batches of rows that can be read several times. Use it in a ``with`` statement.

    Parameters
    ----------
    max_memory_bytes
        Maximum number of bytes to hold in memory.
    """

    def __init__(self, *, max_memory_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._max_bytes = max_memory_bytes
        self._file = tempfile.SpooledTemporaryFile(prefix="mdfactory-")  # noqa: SIM115  # on exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # closing fails on a full disk; the file is removed in any case
            self._file.close()

    def add(self, rows: pa.RecordBatch) -> int:
        """Add a batch, and return the position at which it can be read."""
        with temporary_file_errors():
            position = self._file.seek(0, os.SEEK_END)
            if position + rows.nbytes > self._max_bytes:
                self._file.rollover()
            with pa.ipc.new_stream(self._file, rows.schema) as stream:
                stream.write_batch(rows)
            self._file.flush()
        return position

    def read(self, position: int) -> pa.RecordBatch:
        """Return the batch that was added at a position."""
        self._file.seek(position)
        return pa.ipc.open_stream(self._file).read_next_batch()


@contextmanager
def temporary_file_errors() -> Iterator[None]:
    """Raise an error that names the temporary folder if it cannot be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the temporary folder {tempfile.gettempdir()} cannot be written: "
            f"{error.strerror or error}. Set TMPDIR to a folder with more space"
        ) from error
