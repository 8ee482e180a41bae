"""Export: records into a file that is replaced only when the new one is complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Final

import pyarrow as pa

from mdfactory.errors import MDFactoryError, OutputError
from mdfactory.files import replacing
from mdfactory.frames.json_types import to_json_types
from mdfactory.frames.text import to_csv

__all__ = ["export"]

Batches = Iterable[pa.RecordBatch]


def export(rows: Batches, schema: pa.Schema, path: Path) -> int:
    """Write records to a file.

    Parameters
    ----------
    rows
        The records.
    schema
        Their schema; an empty file has its header.
    path
        The file: ``.json`` and ``.jsonl`` are JSON lines, ``.parquet`` is Parquet, all else
        is CSV.

    Returns
    -------
    int
        The number of records written.

    Raises
    ------
    OutputError
        If the file cannot be written. A file that was there is left as it was.
    """
    write = FORMATS.get(path.suffix.lower(), _write_csv)
    try:
        with replacing(path) as file:
            return write(rows, schema, file)
    except MDFactoryError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _write_csv(rows: Batches, schema: pa.Schema, file: IO[bytes]) -> int:
    from pyarrow.csv import CSVWriter

    if not set(schema.types) <= {pa.string(), pa.int64()}:  # no records, whose writer is faster
        file.write(to_csv(schema.empty_table(), header=True))
        return _count(rows, lambda batch: file.write(_lines(batch)))
    with CSVWriter(file, schema) as writer:
        return _count(rows, writer.write_batch)


def _lines(batch: pa.RecordBatch) -> bytes:
    return to_csv(pa.Table.from_batches([batch]), header=False)


def _write_parquet(rows: Batches, schema: pa.Schema, file: IO[bytes]) -> int:
    from pyarrow.parquet import ParquetWriter

    with ParquetWriter(file, schema) as writer:
        return _count(rows, writer.write_batch)


def _write_json(rows: Batches, schema: pa.Schema, file: IO[bytes]) -> int:  # noqa: ARG001
    def write(batch: pa.RecordBatch) -> None:
        for row in to_json_types(batch).to_pylist():
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    return _count(rows, write)


def _count(rows: Batches, write: Callable[[pa.RecordBatch], object]) -> int:
    total = 0
    for batch in rows:
        write(batch)
        total += batch.num_rows
    return total


FORMATS: Final = {".json": _write_json, ".jsonl": _write_json, ".parquet": _write_parquet}
