"""Parquet files as Foundry reads them: under a schema, column by column, by name."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

READER = "com.palantir.foundry.spark.input.ParquetDataFrameReader"
TYPES: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "LONG": pa.int64(),
    "INTEGER": pa.int32(),
    "SHORT": pa.int16(),
    "BYTE": pa.int8(),
    "DOUBLE": pa.float64(),
    "FLOAT": pa.float32(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "BINARY": pa.binary(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}
"""Types of a schema (S7), and what comes of them in Arrow (Q5)."""


class UnreadableError(Exception):
    """Files or a schema that a query cannot read."""


def field_of(name: str, kind: str) -> dict[str, Any]:
    """Return one field of a schema (S7)."""
    return {"type": kind, "name": name, "nullable": True, "customMetadata": {}}


def foundry_schema(fields: dict[str, str]) -> dict[str, Any]:
    """Return the schema of a dataset of Parquet files from names and types of columns (S7)."""
    return {
        "fieldSchemaList": [field_of(name, kind) for name, kind in fields.items()],
        "dataFrameReaderClass": READER,
        "customMetadata": {"format": "parquet"},
    }


def kind_of(kind: pa.DataType) -> str | None:
    """Return the type that a column of a file has in a schema; none for a column of nulls."""
    if pa.types.is_null(kind):
        return None
    if pa.types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if pa.types.is_large_string(kind):
        return "STRING"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    found = [name for name, arrow in TYPES.items() if arrow == kind]
    if not found:
        raise UnreadableError(f"no type for {kind}")
    return found[0]


def schema_of(table: pa.Table) -> dict[str, Any]:
    """Return the schema that fits a table."""
    return foundry_schema({each.name: kind_of(each.type) or "STRING" for each in table.schema})


def dump(table: pa.Table, **options: object) -> bytes:
    """Return a table as a file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return bytes(sink.getvalue())


def arrow_schema(schema: dict[str, Any]) -> pa.Schema:
    """Return the types that a query over this schema gives."""
    fields = schema["fieldSchemaList"]
    unknown = {field["type"] for field in fields} - TYPES.keys()
    if unknown:
        raise UnreadableError(f"types that this server does not know: {sorted(unknown)}")
    return pa.schema([(field["name"], TYPES[field["type"]]) for field in fields])


def read(contents: dict[str, bytes], schema: dict[str, Any]) -> pa.Table:
    """Return all rows of the Parquet files (S8): one that cannot be read fails all."""
    wanted = arrow_schema(schema)
    parts = [wanted.empty_table()]
    for name, content in contents.items():
        if not hidden(name):
            parts.append(_conform(name, load(name, content), wanted))
    return pa.concat_tables(parts).combine_chunks()


def hidden(name: str) -> bool:
    """Whether Spark passes over a file."""
    return any(part[0] in "._" for part in name.split("/"))


def load(name: str, content: bytes) -> pa.Table:
    """Return the table in one file."""
    try:
        return pq.read_table(pa.BufferReader(content), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"{name} is not a Parquet file: {error}") from error


def _conform(name: str, table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Return the wanted columns: nulls for those that are missing, others left out (S8)."""
    columns = []
    for each in wanted:
        if each.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, each.type))
            continue
        column = table.column(each.name)
        if not _fits(column.type, each.type):
            raise UnreadableError(f"{name}: column {each.name} is {column.type}, not {each.type}")
        columns.append(column.cast(each.type))
    return pa.table(columns, schema=wanted)


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a column of a file can be read as a column of the schema: never by conversion."""
    kind = kind_of(found)
    if kind is None or TYPES[kind] == wanted:
        return True
    whole, decimal = pa.types.is_integer, pa.types.is_floating
    both = any(test(TYPES[kind]) and test(wanted) for test in (whole, decimal))
    return both and TYPES[kind].bit_width < wanted.bit_width


def infer(contents: dict[str, bytes], null_columns: str) -> dict[str, Any]:
    """Return the reply of an inference over committed files (S5, S6)."""
    try:
        fields = _fields(contents)
    except UnreadableError as error:
        return {"status": "FAIL", "message": str(error), "data": None}
    empty = [name for name, kind in fields.items() if kind is None]
    message = f"columns without a type: {', '.join(empty)}" if empty else None
    if not fields or (empty and null_columns == "FAIL"):
        return {"status": "FAIL", "message": message or "no files", "data": None}
    kept = {
        name: kind or "STRING" for name, kind in fields.items() if kind or null_columns == "STRING"
    }
    status = "WARN" if empty and null_columns == "WARN" else "SUCCESS"
    return {
        "status": status,
        "message": message,
        "data": {"foundrySchema": foundry_schema(kept)},
    }


def _fields(contents: dict[str, bytes]) -> dict[str, str | None]:
    """Return the columns of all files with their types."""
    fields: dict[str, str | None] = {}
    for name, content in contents.items():
        if hidden(name):
            continue
        for each in load(name, content).schema:
            fields[each.name] = fields.get(each.name) or kind_of(each.type)
    return fields
