"""Files of Foundry datasets: which record lies in which, Parquet from and to records, and SQL."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mdfactory.errors import StoreError, one_line
from mdfactory.records.arrow import array, coalesce, if_else, texts
from mdfactory.records.query import OneOf, Prefix, Query, apply
from mdfactory.records.tables import Table
from mdfactory.stores.keys import take_rows

__all__ = [
    "BUCKETS",
    "bucket_name",
    "bucket_of",
    "buckets_of",
    "divided",
    "extra_columns",
    "foundry_schema",
    "is_bucket",
    "is_seen",
    "matching",
    "read",
    "sql",
    "typed",
    "write",
]

BUCKETS: Final = 16
"""Files of a table."""

PLACEHOLDER: Final = "__PLACEHOLDER__"
"""Hash of a row that existing installations write into a table without records."""

BATCH: Final = 2048
"""Rows of one batch of an answer."""

LARGEST: Final = 8 * 2**20
"""Bytes of one batch, or of one group of rows in a file, beyond which no row is added."""

NAME: Final = re.compile(r"bucket-(\d+)\.parquet")

KINDS: Final = {pa.string(): "STRING", pa.int64(): "LONG"}
"""Types of columns, as Foundry calls them."""

READER: Final = "com.palantir.foundry.spark.input.ParquetDataFrameReader"

SAFE: Final = re.compile(r"[^'\"\\\x00-\x1f]*")
"""Texts that mean the same in a literal of every dialect."""

PLAIN: Final = re.compile(r"[A-Za-z0-9]+")
"""Texts without a character that LIKE or a file's number would take for something else."""


def bucket_name(number: int) -> str:
    """Return the name of a file."""
    return f"bucket-{number}.parquet"


def is_bucket(name: str) -> bool:
    """Whether a file is one of ours."""
    found = NAME.fullmatch(name)
    return found is not None and int(found[1]) < BUCKETS


def is_seen(path: str) -> bool:
    """Whether a file counts: hidden ones hold no records."""
    return not any(part.startswith(("_", ".")) for part in path.split("/"))


def bucket_of(hash_: str) -> int:
    """Return which file the records of a simulation are in: its first digit tells."""
    first = hash_[:1]
    if not first:
        return 0
    return int(first, 16) if first in "0123456789abcdefABCDEF" else zlib.crc32(first.encode()) % 16


def buckets_of(query: Query) -> set[int]:
    """Return the files that an answer can come from."""
    found = set(range(BUCKETS))
    for condition in query.where:
        if condition.column != "hash":
            continue
        if isinstance(condition, OneOf):
            found &= set(map(bucket_of, condition.values))
        elif condition.text:
            found &= {bucket_of(condition.text)}
    return found


def divided(table: Table, rows: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Divide rows by the file that they belong into."""
    if "hash" not in table.columns:
        yield 0, rows
        return
    positions: dict[int, list[int]] = {}
    for position, hash_ in enumerate(texts(rows["hash"])):
        positions.setdefault(bucket_of(hash_), []).append(position)
    for number, those in positions.items():
        yield number, take_rows(rows, those)


def foundry_schema(table: Table) -> dict[str, Any]:
    """Return the schema that Foundry reads the files of a table with."""
    fields = [
        {"type": KINDS[one.type], "name": one.name, "nullable": True, "customMetadata": {}}
        for one in table.schema
    ]
    return {
        "fieldSchemaList": fields,
        "dataFrameReaderClass": READER,
        "customMetadata": {"format": "parquet"},
    }


def write(file: IO[bytes], table: Table, rows: Iterable[pa.RecordBatch]) -> int:
    """Write records as Parquet, in groups of bounded size, and return their number.

    Columns are written without being marked as never null: readers merge files of several
    writers, who do not mark theirs.
    """
    schema = pa.schema([one.with_nullable(True) for one in table.schema])  # noqa: FBT003
    number, held, size = 0, [], 0
    short = [name for name in table.columns if name not in table.large]
    # neither dictionaries nor statistics of megabytes
    options: dict[str, Any] = {"use_dictionary": short, "write_statistics": list(table.key)}
    with pq.ParquetWriter(file, schema, compression="snappy", **options) as writer:
        for some in rows:
            held.append(some)
            number += some.num_rows
            size += some.nbytes
            if size > LARGEST:
                writer.write_table(_joined(held, schema))
                held, size = [], 0
        writer.write_table(_joined(held, schema))
    return number


def _joined(rows: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    columns = [pa.chunked_array([some[one.name] for some in rows], one.type) for one in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def read(source: Any, what: str, table: Table, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Stream the records of one Parquet file, whoever wrote it.

    Parameters
    ----------
    source
        The file, as pyarrow takes it.
    what
        What it is, for messages.
    table
        Whose records it holds.
    columns
        Which of them to read; those that the file lacks are blank.

    Raises
    ------
    StoreError
        If it is no such file.
    """
    try:
        file = pq.ParquetFile(source, pre_buffer=False)
        names = list(dict.fromkeys(["hash", *columns] if "hash" in table.columns else columns))
        there = [name for name in names if name in file.schema_arrow.names]
        total = sum(file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups))
        each = total // max(1, file.metadata.num_rows)
        size = min(BATCH, max(1, LARGEST // max(1, each)))
        for some in file.iter_batches(size, columns=there, use_threads=False):
            rows = typed(some, table, names, what)
            if rows.num_rows:
                yield rows.select(list(columns))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(f"{what} cannot be read as Parquet: {one_line(error)}") from error


def extra_columns(source: Any, what: str, table: Table) -> list[str]:
    """Return the columns of a Parquet file that records do not have; an index is none.

    Raises
    ------
    StoreError
        If it is no such file.
    """
    try:
        names = pq.read_schema(source).names
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(f"{what} cannot be read as Parquet: {one_line(error)}") from error
    return [one for one in names if one not in table.columns and not one.startswith("__index_")]


def typed(rows: pa.RecordBatch, table: Table, columns: Sequence[str], what: str) -> pa.RecordBatch:
    """Give rows the declared types, and leave out those that are no records."""
    schema = Query(columns=tuple(columns)).schema(table)
    arrays = [
        _cast(rows[one.name], one.type, f"{what}: column {one.name}")
        if one.name in rows.schema.names
        else _blank(rows.num_rows, one.type)
        for one in schema
    ]
    whole = pa.RecordBatch.from_arrays(arrays, schema=schema)
    if "hash" not in columns:
        return whole
    real = pc.not_equal(whole["hash"], PLACEHOLDER_SCALAR)
    return whole.filter(real)


def _blank(length: int, kind: pa.DataType) -> pa.Array[Any]:
    return array([0 if kind == pa.int64() else ""] * length, kind)


def _cast(column: pa.Array[Any], kind: pa.DataType, what: str) -> pa.Array[Any]:
    """Bring values of another program to the declared type; missing ones are blank."""
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    try:
        if kind == pa.int64():
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                column = pc.replace_substring_regex(column, r"\.0*$", "")
                column = if_else(pc.equal(column, NOTHING), ZERO.cast(pa.string()), column)
            if pa.types.is_floating(column.type):
                column = if_else(pc.is_nan(column), ZERO.cast(column.type), column)
            return coalesce(column.cast(kind), ZERO)
        if pa.types.is_timestamp(column.type):
            moments = (one and one.isoformat() for one in column.to_pylist())
            return array([moment or "" for moment in moments], kind)
        if pa.types.is_nested(column.type):
            return array([json.dumps(one) for one in column.to_pylist()], kind)
        return coalesce(column.cast(kind), NOTHING)
    except pa.ArrowException as error:
        raise StoreError(f"{what}: {one_line(error)}") from error


PLACEHOLDER_SCALAR, NOTHING = array([PLACEHOLDER, ""], pa.string())
ZERO = array([0], pa.int64())[0]


def sql(source: str, table: Table, query: Query) -> tuple[str, tuple[str, ...]]:
    """Return a query as SQL that every dialect reads the same, and the columns of its answer.

    What cannot be said so that it means the same everywhere is left out: the answer is filtered
    again.

    Parameters
    ----------
    source
        The view, as it stands in a query.
    table, query
        What is asked for.
    """
    schema = query.schema(table)
    needed = [*schema.names, *(one.column for one in query.where)]
    needed += [query.sort.column] if query.sort else []
    needed += ["hash"] if "hash" in table.columns else []
    columns = tuple(dict.fromkeys(needed))
    said = [_said(one) for one in query.where]
    where = " AND ".join(one for one in said if one)
    text = f"SELECT {', '.join(f'`{name}`' for name in columns)} FROM {source}"
    text += f" WHERE {where}" if where else ""
    return text, columns


def _said(condition: OneOf | Prefix) -> str:
    """Return a condition in SQL; nothing if it is not safe to say."""
    if isinstance(condition, Prefix):
        plain = PLAIN.fullmatch(condition.text)
        return f"`{condition.column}` LIKE '{condition.text}%'" if plain else ""
    if not all(map(SAFE.fullmatch, condition.values)):
        return ""
    values = ", ".join(f"'{value}'" for value in condition.values)
    return f"`{condition.column}` IN ({values})" if values else ""


def matching(
    rows: pa.RecordBatch, query: Query, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that meet the conditions, with these columns."""
    found = apply(Query(where=query.where), pa.Table.from_batches([rows]))
    yield from found.select(list(columns)).to_batches(max_chunksize=BATCH)
