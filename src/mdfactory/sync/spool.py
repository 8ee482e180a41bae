"""Records between disk and store: in memory up to a bound, then in a temporary file.

A campaign is read before the store is locked, so that nobody waits for a slow file system.
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

__all__ = ["Spool"]

BOUND: Final = 32 * 2**20


class Spool:
    """Batches of records, to be read as often as needed. Close it, or use it in ``with``.

    Parameters
    ----------
    bound
        Bytes to hold in memory.
    """

    def __init__(self, *, bound: int = BOUND) -> None:
        self._bound = bound
        self._held: list[tuple[Table, pa.RecordBatch]] = []
        self._bytes = 0
        self._files: dict[Table, _File] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, table: Table, rows: pa.RecordBatch) -> None:
        """Add records of a table."""
        self._held.append((table, rows))
        self._bytes += rows.nbytes
        if self._bytes > self._bound:
            self._spill()

    def __iter__(self) -> Iterator[tuple[Table, pa.RecordBatch]]:
        for table, file in self._files.items():
            yield from ((table, rows) for rows in file.read())
        yield from self._held

    def tables(self) -> list[Table]:
        """Return the tables that there are records of."""
        return list(dict.fromkeys([*self._files, *(table for table, _ in self._held)]))

    def _spill(self) -> None:
        try:
            for table, rows in self._held:
                if table not in self._files:
                    self._files[table] = self._stack.enter_context(_File(rows.schema))
                self._files[table].write(rows)
        except OSError as error:
            raise OutputError(
                f"the temporary folder {tempfile.gettempdir()} cannot be written: "
                f"{error.strerror or error}. Set TMPDIR to a folder with more room"
            ) from error
        self._held.clear()
        self._bytes = 0


class _File:
    """A temporary file of record batches of one schema, gone when it is closed."""

    def __init__(self, schema: pa.Schema) -> None:
        self._file = tempfile.TemporaryFile(prefix="mdfactory-")  # noqa: SIM115  # closed on exit
        self._writer = pa.ipc.new_stream(self._file, schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Where there is no room, closing fails too; the file is thrown away in any case.
        for end in (self._writer, self._file):
            with suppress(OSError):
                end.close()

    def write(self, rows: pa.RecordBatch) -> None:
        self._writer.write_batch(rows)

    def read(self) -> Iterator[pa.RecordBatch]:
        self._file.flush()
        end = self._file.tell()
        self._file.seek(0)
        reader = pa.ipc.open_stream(self._file)
        while self._file.tell() < end:
            yield reader.read_next_batch()
        self._file.seek(end)
