"""Export: write records to a file, which is replaced only when the new one is complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

import pyarrow as pa

from mdfactory.errors import MDFactoryError, OutputError, UsageError, one_line
from mdfactory.files import replacing
from mdfactory.frames.json_types import to_json_types
from mdfactory.frames.text import to_csv

OTHER_FORMATS: Final = (
    *(".xls", ".xlsx", ".xlsm", ".ods", ".feather", ".arrow", ".ipc", ".orc", ".avro", ".h5"),
    *(".hdf", ".hdf5", ".nc", ".npy", ".npz", ".pkl", ".pickle", ".db", ".sqlite", ".sqlite3"),
    *(".xml", ".html", ".yaml", ".yml", ".toml", ".pdf", ".gz", ".bz2", ".xz", ".zst", ".zip"),
    *(".tar", ".tgz", ".7z", ".lz4", ".tsv", ".tab", ".ndjson", ".pq", ".htm", ".md", ".tex"),
    *(".rds", ".rdata", ".mat", ".dta", ".duckdb", ".xlsb"),
)
"""Endings of formats that are not written; a CSV file of such a name would mislead."""


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
        Parquet for ``.parquet``, compressed CSV for ``.csv.gz``, CSV for all others.

    Returns
    -------
    int
        The number of records written.

    Raises
    ------
    UsageError
        If the suffix promises a format that is not written.
    OutputError
        If the file cannot be written. An existing file is left unchanged.
    """
    check_format(path)
    total = 0
    try:
        with (
            replacing(path, follow_link=True) as file,
            _compressed(path, file) as content,
            _writer(path.suffix.lower(), schema, content) as write,
        ):
            for batch in rows:
                write(batch)
                total += batch.num_rows
    except MDFactoryError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:  # Parquet has fewer types
        raise OutputError(f"{path} cannot be written: {one_line(error)}") from error
    return total


def check_format(path: Path) -> None:
    """Refuse a file name whose suffix promises a format that is not written."""
    name = path.name.lower()
    if name.endswith(OTHER_FORMATS) and not name.endswith(".csv.gz"):
        raise UsageError(
            f"{path} has the ending of another format; "
            "choose .csv, .csv.gz, .json, .jsonl or .parquet"
        )


@contextmanager
def _compressed(path: Path, file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield the file; if its name ends in ``.gz``, a file that is compressed into it."""
    if path.suffix.lower() != ".gz":
        yield file
        return
    import gzip

    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed:
        yield cast("IO[bytes]", compressed)  # it has no common base class


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
