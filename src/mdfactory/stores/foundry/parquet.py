"""Files of a Foundry dataset: buckets of records, Parquet, schemas, and SQL queries on them."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import hexdigits
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mdfactory.errors import StoreError, one_line
from mdfactory.records.arrow import array, coalesce, if_else, nulls, texts
from mdfactory.records.parquet import (
    DICTIONARY_ENCODINGS,
    PREFIX_ENCODING,
    TEXT_TYPE,
    column_chunks,
    page_bytes,
    read_footer,
)
from mdfactory.records.query import Condition, OneOf, Prefix, Query
from mdfactory.records.tables import Table
from mdfactory.stores.backend import BATCH_ROWS
from mdfactory.stores.keys import take_rows

BUCKET_COUNT: Final = 16
"""Number of buckets. A bucket is a file with the records whose hashes have the same first digit."""

BUCKET_NAMES: Final = tuple(f"bucket-{number}.parquet" for number in range(BUCKET_COUNT))
"""File name of each bucket."""

PLACEHOLDER_HASH: Final = "__PLACEHOLDER__"
"""Hash of a row that existing installations write to a dataset without records."""

MAX_BATCH_BYTES: Final = 8 * 2**20
"""Approximate limit to the size of a batch, and of a row group in a file."""

MAX_RECORD_BYTES: Final = 2**30
"""Memory of the longest record: the before-image of an analysis holds two cells of 256 MiB in
base64."""

MAX_RATIO: Final = 32
"""Memory of a row group in relation to its stored bytes. The compression of Spark and pandas,
snappy, stays below."""

BUFFER_BYTES: Final = 2**20
"""Bytes of a column chunk that are read from the disk at a time."""

ITEM_BYTES: Final = 16
"""Approximate size of an item of a list."""

FOUNDRY_TYPES: Final = {pa.string(): "STRING", pa.int64(): "LONG"}
"""Arrow type -> type in a schema of Foundry."""

READER_CLASS: Final = "com.palantir.foundry.spark.input.ParquetDataFrameReader"
"""Java class by which Foundry reads the files of a dataset."""

SAFE_LITERAL_PATTERN: Final = re.compile(r"[^'\"\\\x00-\x1f]*")
"""Matches texts that are the same string literal in every SQL dialect."""


# Buckets


def is_data_file(path: str) -> bool:
    """Whether a file can hold records; Spark ignores hidden files and folders."""
    return not any(part.startswith(("_", ".")) for part in path.split("/"))


def bucket_of(hash_: str) -> int:
    """Return the number of the bucket of a hash: its first hexadecimal digit.

    If the first character is no hexadecimal digit, its checksum decides.
    """
    first = hash_[:1]
    if first and first in hexdigits:
        return int(first, 16)
    return zlib.crc32(first.encode()) % BUCKET_COUNT


def buckets_of_query(query: Query) -> set[int]:
    """Return the numbers of the buckets that can hold records of a query."""
    numbers = set(range(BUCKET_COUNT))
    for condition in query.where:
        if condition.column != "hash":
            continue
        if isinstance(condition, OneOf):
            numbers &= set(map(bucket_of, condition.values))
        elif condition.text:
            numbers &= {bucket_of(condition.text)}
    return numbers


def split_by_bucket(table: Table, rows: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield bucket numbers with their records; tables without a hash have only bucket 0."""
    hashes = texts(rows["hash"]) if "hash" in table.columns else [""] * rows.num_rows
    positions_of_bucket: dict[int, list[int]] = {}
    for position, hash_ in enumerate(hashes):
        positions_of_bucket.setdefault(bucket_of(hash_), []).append(position)
    for number, positions in positions_of_bucket.items():
        yield number, take_rows(rows, positions)


# Writing


def foundry_schema(table: Table) -> dict[str, Any]:
    """Return the schema of a dataset, as the metadata service of Foundry expects it."""
    common = {"nullable": True, "customMetadata": {}}
    return {
        "fieldSchemaList": [
            {"type": FOUNDRY_TYPES[field.type], "name": field.name} | common
            for field in table.schema
        ],
        "dataFrameReaderClass": READER_CLASS,
        "customMetadata": {"format": "parquet"},
    }


def write_records(path: Path, table: Table, batches: Iterable[pa.RecordBatch]) -> None:
    """Write records to a Parquet file, in row groups of bounded size.

    All columns of the file are nullable, as in the files of other programs, with which readers
    merge it.
    """
    schema = pa.schema([field.with_nullable(True) for field in table.schema])  # noqa: FBT003
    group: list[pa.RecordBatch] = []
    group_bytes = 0
    # Columns of large texts have no dictionary and no statistics: both would repeat the texts.
    options: dict[str, Any] = {
        "use_dictionary": [name for name in table.columns if name not in table.large],
        "write_statistics": list(table.key),
    }
    with pq.ParquetWriter(str(path), schema, compression="snappy", **options) as writer:
        for rows in batches:
            group.append(rows)
            group_bytes += rows.nbytes
            if group_bytes > MAX_BATCH_BYTES:
                writer.write_table(pa.Table.from_batches(group, table.schema).cast(schema))
                group, group_bytes = [], 0
        writer.write_table(pa.Table.from_batches(group, table.schema).cast(schema))


# Reading


def read_records(
    path: Path,
    name: str,
    table: Table,
    columns: Sequence[str],
    *,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Stream the records of a Parquet file of any program.

    Parameters
    ----------
    path
        The file.
    name
        Name of the file, for messages.
    table
        The table of the records.
    columns
        Columns to read. A column that the file lacks is blank.
    max_record_bytes
        Memory that the longest record may take. A row group may take that, and `MAX_RATIO` times
        the bytes with which it is stored.

    Raises
    ------
    StoreError
        If the file cannot be read as Parquet, or announces more than that.
    """
    with _parquet_errors(name):
        footer = _read_footer(path)
        # Placeholder rows are recognised by their hash, so it is always read.
        needed = list(dict.fromkeys(["hash", *columns] if "hash" in table.columns else columns))
        names = footer.schema.to_arrow_schema().names
        present = [column for column in needed if column in names]
        for group_number in range(footer.num_row_groups):
            chunks = _chunks_of(footer, group_number, present)
            _check_group(chunks, path.stat().st_size, max_record_bytes)
        file = pq.ParquetFile(
            path,
            metadata=footer,
            pre_buffer=False,
            buffer_size=BUFFER_BYTES,
            # A dictionary does not repeat its texts.
            read_dictionary=_dictionary_columns(footer),
        )
        batch_rows = _batch_rows(footer)
        for batch in file.iter_batches(batch_rows, columns=present, use_threads=False):
            for rows in _divide(batch, max_record_bytes):
                records = cast_records(rows, name, table, needed)
                if records.num_rows:
                    yield records.select(list(columns))


def _read_footer(path: Path) -> pq.FileMetaData:
    with path.open("rb") as file:
        return read_footer(file)


def _chunks_of(
    footer: pq.FileMetaData, group_number: int, columns: Sequence[str]
) -> list[pq.ColumnChunkMetaData]:
    """Return the column chunks of some columns in a row group."""
    group = footer.row_group(group_number)
    chunks = map(group.column, range(group.num_columns))
    return [chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] in columns]


def _check_group(
    chunks: Sequence[pq.ColumnChunkMetaData], file_bytes: int, max_record_bytes: int
) -> None:
    """Check that a row group does not take much more memory than it takes in the file."""
    stored = min(file_bytes, sum(chunk.total_compressed_size for chunk in chunks))
    # An item of a list may take no byte in the file.
    announced = sum(
        page_bytes(chunk) + ("." in chunk.path_in_schema) * ITEM_BYTES * chunk.num_values
        for chunk in chunks
    )
    if announced > max_record_bytes + MAX_RATIO * stored:
        raise ValueError(f"{announced:,} bytes of values are announced in {stored:,} stored bytes")


def _dictionary_columns(footer: pq.FileMetaData) -> list[str]:
    """Return the paths of the columns of texts that are stored as dictionaries."""
    return sorted(
        {
            chunk.path_in_schema
            for chunk in column_chunks(footer)
            if chunk.physical_type == TEXT_TYPE
            and DICTIONARY_ENCODINGS.intersection(chunk.encodings)
            and PREFIX_ENCODING not in chunk.encodings
        }
    )


def _batch_rows(footer: pq.FileMetaData) -> int:
    """Return the number of rows in a batch of bounded size."""
    chunks = list(column_chunks(footer))
    mean_row_bytes = sum(map(page_bytes, chunks)) // max(1, footer.num_rows)
    columns = map(footer.schema.column, range(footer.num_columns))
    widths = [column.length or 0 for column in columns]
    # A text that leaves out the prefix of the previous one may be as long as the whole chunk.
    prefixed = [page_bytes(chunk) for chunk in chunks if PREFIX_ENCODING in chunk.encodings]
    return min(
        BATCH_ROWS,
        MAX_BATCH_BYTES // max(1, mean_row_bytes, *widths) or 1,
        MAX_RECORD_BYTES // max([1, *prefixed]) or 1,
    )


def _divide(rows: pa.RecordBatch, max_record_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yield rows in parts whose texts have at most `MAX_BATCH_BYTES`, or of a single row."""
    size = sum(map(_text_bytes, rows.columns))
    if size <= MAX_BATCH_BYTES:
        yield rows
    elif rows.num_rows > 1:
        half = rows.num_rows // 2
        yield from _divide(rows.slice(0, half), max_record_bytes)
        yield from _divide(rows.slice(half), max_record_bytes)
    elif size > max_record_bytes:
        raise ValueError(f"a record takes {size:,} bytes in memory")
    else:
        yield rows


def _text_bytes(column: pa.Array[Any]) -> int:
    """Return the bytes of the texts of a column that a dictionary does not repeat."""
    if isinstance(column, pa.StructArray):
        return sum(map(_text_bytes, column.flatten()))
    if isinstance(column, pa.lib.BaseListArray):
        return _text_bytes(column.flatten())
    if not isinstance(column, pa.DictionaryArray):
        return 0
    lengths: pa.Array[Any] = pc.binary_length(column.dictionary)  # type: ignore[call-overload]
    return int(pc.sum(lengths.cast(pa.int64()).take(column.indices)).as_py() or 0)


def refuse_undeclared_columns(path: Path, name: str, table: Table) -> None:
    """Refuse to rewrite a Parquet file that has columns which the table lacks.

    The index of pandas is no such column.

    Raises
    ------
    StoreError
        If the file has such columns, or cannot be read as Parquet.
    """
    with _parquet_errors(name):
        names = _read_footer(path).schema.to_arrow_schema().names
        columns = [name for name in names if not name.startswith("__index_")]
    undeclared = [column for column in columns if column not in table.columns]
    if undeclared:
        raise StoreError(
            f"{name} has columns that records do not have: {', '.join(undeclared)}. A write would "
            "lose them; nothing was changed. Move them to another dataset first"
        )


@contextmanager
def _parquet_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(f"{name} cannot be read as Parquet: {one_line(error)}") from error


def cast_records(
    rows: pa.RecordBatch, name: str, table: Table, columns: Sequence[str]
) -> pa.RecordBatch:
    """Cast rows to the declared types of their columns, and drop placeholder rows.

    Parameters
    ----------
    rows
        Rows with any columns and types.
    name
        Name of their file or dataset, for messages.
    table
        The table of the records.
    columns
        Columns of the result. A column that the rows lack is blank.

    Raises
    ------
    StoreError
        If a value cannot be cast.
    """
    schema = Query(columns=tuple(columns)).schema(table)
    arrays = []
    for field in schema:
        is_present = field.name in rows.schema.names
        column = rows[field.name] if is_present else nulls(rows.num_rows, field.type)
        try:
            arrays.append(_cast(column, field.type))
        except pa.ArrowException as error:
            raise StoreError(f"{name}: column {field.name}: {one_line(error)}") from error
    records = pa.RecordBatch.from_arrays(arrays, schema=schema)
    if "hash" not in columns:
        return records
    return records.filter(pc.not_equal(records["hash"], PLACEHOLDER_SCALAR))


def _cast(column: pa.Array[Any], data_type: pa.DataType) -> pa.Array[Any]:
    """Cast a column of any program to text or integer; missing values become blank."""
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if data_type == pa.int64():
        return coalesce(_without_blanks(column).cast(data_type), ZERO_SCALAR)
    if pa.types.is_timestamp(column.type):
        times = [value.isoformat() if value else "" for value in column.to_pylist()]
        return array(times, data_type)
    if pa.types.is_nested(column.type):
        return array([json.dumps(value) for value in column.to_pylist()], data_type)
    return coalesce(column.cast(data_type), EMPTY_SCALAR)


def _without_blanks(column: pa.Array[Any]) -> pa.Array[Any]:
    """Replace empty texts and NaN by zero, and remove ``.0`` from texts, before a cast to int64."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.replace_substring_regex(column, r"\.0*$", "")
        column = if_else(pc.equal(column, EMPTY_SCALAR), ZERO_SCALAR.cast(pa.string()), column)
    if pa.types.is_floating(column.type):
        column = if_else(pc.is_nan(column), ZERO_SCALAR.cast(column.type), column)
    return column


PLACEHOLDER_SCALAR, EMPTY_SCALAR = array([PLACEHOLDER_HASH, ""], pa.string())
ZERO_SCALAR = array([0], pa.int64())[0]


# Queries


def select_statement(
    view: str, table: Table, columns: Sequence[str], where: Sequence[Condition]
) -> tuple[str, list[str]]:
    """Return a query as SQL that has the same meaning in every dialect.

    A condition whose meaning depends on the dialect is left out. So the result may have too many
    rows, and must be filtered again.

    Parameters
    ----------
    view
        Name of the view in SQL.
    table
        The table of the records.
    columns, where
        Columns and conditions of the query.

    Returns
    -------
    tuple
        The SQL text, and the columns of its result.
    """
    needed = [*columns, *(condition.column for condition in where)]
    needed += ["hash"] if "hash" in table.columns else []
    needed = list(dict.fromkeys(needed))
    conditions = list(filter(None, map(_render_condition, where)))
    text = f"SELECT {', '.join(f'`{column}`' for column in needed)} FROM {view}"
    text += f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return text, needed


def _render_condition(condition: Condition) -> str:
    """Return a condition in SQL; empty if its meaning depends on the dialect."""
    if isinstance(condition, Prefix):
        # Other texts may have wildcards of ``LIKE``.
        is_safe = condition.text.isascii() and condition.text.isalnum()
        return f"`{condition.column}` LIKE '{condition.text}%'" if is_safe else ""
    if not all(map(SAFE_LITERAL_PATTERN.fullmatch, condition.values)):
        return ""
    values = ", ".join(f"'{value}'" for value in condition.values)
    return f"`{condition.column}` IN ({values})" if values else ""
