"""Spool: a buffer of records, in memory up to a limit, then in temporary files.

A campaign is read into spools before the store is locked, so that no other writer waits for a slow
file system.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from types import TracebackType
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
        self._in_memory: list[tuple[Table, pa.RecordBatch]] = []
        self._bytes_in_memory = 0
        self._files: dict[Table, _BatchFile] = {}
        self._exit_stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit_stack.close()

    def add(self, table: Table, rows: pa.RecordBatch) -> None:
        """Add a batch of records; all batches of a table have one schema."""
        self._in_memory.append((table, rows))
        self._bytes_in_memory += rows.nbytes
        if self._bytes_in_memory > self._max_bytes:
            self._spill()

    def __iter__(self) -> Iterator[tuple[Table, pa.RecordBatch]]:
        for table, file in self._files.items():
            yield from ((table, rows) for rows in file.read())
        yield from self._in_memory

    def tables(self) -> list[Table]:
        """Return the tables of all batches, each once."""
        return list(dict.fromkeys([*self._files, *(table for table, _ in self._in_memory)]))

    def _spill(self) -> None:
        """Move all batches from memory to files."""
        try:
            for table, rows in self._in_memory:
                if table not in self._files:
                    self._files[table] = self._exit_stack.enter_context(_BatchFile(rows.schema))
                self._files[table].write(rows)
        except OSError as error:
            raise OutputError(
                f"the temporary folder {tempfile.gettempdir()} cannot be written: "
                f"{error.strerror or error}. Set TMPDIR to a folder with more space"
            ) from error
        self._in_memory.clear()
        self._bytes_in_memory = 0


class _BatchFile:
    """A temporary file of record batches of one schema, removed when it is closed."""

    def __init__(self, schema: pa.Schema) -> None:
        self._file = tempfile.TemporaryFile(prefix="mdfactory-")  # noqa: SIM115  # closed on exit
        self._writer = pa.ipc.new_stream(self._file, schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # On a full disk, closing fails too. The file is removed in any case.
        for stream in (self._writer, self._file):
            with suppress(OSError):
                stream.close()

    def write(self, rows: pa.RecordBatch) -> None:
        self._writer.write_batch(rows)

    def read(self) -> Iterator[pa.RecordBatch]:
        """Yield all batches from the start; the caller must read them to the end.

        The position in the file is then at its end again, for further batches. The stream has no
        end mark yet: the end of the file is taken instead.
        """
        self._file.flush()
        end = self._file.tell()
        self._file.seek(0)
        reader = pa.ipc.open_stream(self._file)
        while self._file.tell() < end:
            yield reader.read_next_batch()
        self._file.seek(end)
