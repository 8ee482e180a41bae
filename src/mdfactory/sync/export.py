"""Export: write records to a file, which is replaced only when the new one is complete."""

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

RecordBatches = Iterable[pa.RecordBatch]


def export(rows: RecordBatches, schema: pa.Schema, path: Path) -> int:
    """Write records to a file.

    Parameters
    ----------
    rows
        Batches of records.
    schema
        The schema of the records. If there are none, a CSV file has only its header line.
    path
        The file. Its suffix determines the format: JSON lines for ``.json`` and ``.jsonl``,
        Parquet for ``.parquet``, CSV for all others.

    Returns
    -------
    int
        The number of records written.

    Raises
    ------
    OutputError
        If the file cannot be written. An existing file is left unchanged.
    """
    write = WRITERS_BY_SUFFIX.get(path.suffix.lower(), _write_csv)
    try:
        with replacing(path) as file:
            return write(rows, schema, file)
    except MDFactoryError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _write_csv(rows: RecordBatches, schema: pa.Schema, file: IO[bytes]) -> int:
    from pyarrow.csv import CSVWriter

    # Arrow's CSV writer is faster, and exact for texts and integers, the types of all records.
    # Frames may have other types.
    if not set(schema.types) <= {pa.string(), pa.int64()}:
        file.write(to_csv(schema.empty_table(), header=True))
        return _write_each(rows, lambda batch: file.write(_csv_lines(batch)))
    with CSVWriter(file, schema) as writer:
        return _write_each(rows, writer.write_batch)


def _csv_lines(batch: pa.RecordBatch) -> bytes:
    return to_csv(pa.Table.from_batches([batch]), header=False)


def _write_parquet(rows: RecordBatches, schema: pa.Schema, file: IO[bytes]) -> int:
    from pyarrow.parquet import ParquetWriter

    with ParquetWriter(file, schema) as writer:
        return _write_each(rows, writer.write_batch)


def _write_json(rows: RecordBatches, schema: pa.Schema, file: IO[bytes]) -> int:  # noqa: ARG001
    def write(batch: pa.RecordBatch) -> None:
        for row in to_json_types(batch).to_pylist():
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    return _write_each(rows, write)


def _write_each(rows: RecordBatches, write: Callable[[pa.RecordBatch], object]) -> int:
    """Write all batches, and return the number of rows."""
    total = 0
    for batch in rows:
        write(batch)
        total += batch.num_rows
    return total


WRITERS_BY_SUFFIX: Final = {".json": _write_json, ".jsonl": _write_json, ".parquet": _write_parquet}
