"""Export: write records to a file, which is replaced only when the new one is complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from mdfactory.errors import MDFactoryError, OutputError
from mdfactory.files import replacing
from mdfactory.frames.json_types import to_json_types
from mdfactory.frames.text import to_csv


def export(rows: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> int:
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
    total = 0
    try:
        with (
            replacing(path, follow_link=True) as file,
            _writer(path.suffix.lower(), schema, file) as write,
        ):
            for batch in rows:
                write(batch)
                total += batch.num_rows
    except MDFactoryError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    return total


@contextmanager
def _writer(
    suffix: str, schema: pa.Schema, file: IO[bytes]
) -> Iterator[Callable[[pa.RecordBatch], object]]:
    """Yield a function that writes a batch to the file, in the format of the suffix."""
    if suffix in {".json", ".jsonl"}:
        yield lambda batch: file.write(_json_lines(batch))
    elif suffix == ".parquet":
        from pyarrow.parquet import ParquetWriter

        with ParquetWriter(file, schema) as parquet:
            yield parquet.write_batch
    elif {*schema.types} <= {pa.string(), pa.int64()}:
        from pyarrow.csv import CSVWriter

        # Arrow's CSV writer is faster, and exact for texts and integers, the types of all records.
        # Frames may have other types.
        with CSVWriter(file, schema) as csv:
            yield csv.write_batch
    else:
        file.write(to_csv(schema.empty_table(), header=True))
        yield lambda batch: file.write(to_csv(pa.Table.from_batches([batch]), header=False))


def _json_lines(batch: pa.RecordBatch) -> bytes:
    rows = to_json_types(batch).to_pylist()
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
