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
    path: Path, name: str, table: Table, columns: Sequence[str]
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

    Raises
    ------
    StoreError
        If the file cannot be read as Parquet.
    """
    with _parquet_errors(name):
        file = pq.ParquetFile(path, pre_buffer=False)
        # Placeholder rows are recognised by their hash, so it is always read.
        needed = list(dict.fromkeys(["hash", *columns] if "hash" in table.columns else columns))
        present = [column for column in needed if column in file.schema_arrow.names]
        batch_rows = _batch_rows(file.metadata)
        for rows in file.iter_batches(batch_rows, columns=present, use_threads=False):
            records = cast_records(rows, name, table, needed)
            if records.num_rows:
                yield records.select(list(columns))


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Return the number of rows in a batch of bounded size, from the average size of a row."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    row_bytes = sum(group.total_byte_size for group in groups) // max(1, metadata.num_rows)
    return min(BATCH_ROWS, max(1, MAX_BATCH_BYTES // max(1, row_bytes)))


def refuse_undeclared_columns(path: Path, name: str, table: Table) -> None:
    """Refuse to rewrite a Parquet file that has columns which the table lacks.

    The index of pandas is no such column.

    Raises
    ------
    StoreError
        If the file has such columns, or cannot be read as Parquet.
    """
    with _parquet_errors(name):
        columns = [name for name in pq.read_schema(path).names if not name.startswith("__index_")]
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
