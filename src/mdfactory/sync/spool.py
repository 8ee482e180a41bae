"""Spool: a buffer of records, in memory up to a limit, then in temporary files.

A campaign is read into spools before the store is locked, so that no other writer waits for a slow
file system.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Self

import pyarrow as pa

from mdfactory.errors import OutputError
from mdfactory.records.tables import Table

MAX_MEMORY_BYTES: Final = 32 * 2**20


class Spool:
    """Batches of records that can be read several times. Use it in a ``with`` statement.

    Parameters
    ----------
    max_memory_bytes
        Maximum number of bytes to hold in memory.
    """

    def __init__(self, *, max_memory_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._max_bytes = max_memory_bytes
        self._file = tempfile.SpooledTemporaryFile(prefix="mdfactory-")  # noqa: SIM115  # on exit
        self._batches: list[tuple[Table, int]] = []  # with the position of their stream in the file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # closing fails on a full disk; the file is removed in any case
            self._file.close()

    def add(self, table: Table, rows: pa.RecordBatch) -> None:
        """Add a batch of records."""
        try:
            position = self._file.seek(0, os.SEEK_END)
            if position + rows.nbytes > self._max_bytes:
                self._file.rollover()
            with pa.ipc.new_stream(self._file, rows.schema) as stream:
                stream.write_batch(rows)
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"the temporary folder {tempfile.gettempdir()} cannot be written: "
                f"{error.strerror or error}. Set TMPDIR to a folder with more space"
            ) from error
        self._batches.append((table, position))

    def __iter__(self) -> Iterator[tuple[Table, pa.RecordBatch]]:
        for table, position in self._batches:
            self._file.seek(position)
            yield table, pa.ipc.open_stream(self._file).read_next_batch()

    def tables(self) -> list[Table]:
        """Return the tables of all batches, each once."""
        return list(dict.fromkeys(table for table, _ in self._batches))
