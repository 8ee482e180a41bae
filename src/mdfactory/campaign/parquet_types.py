"""Types that Parquet does not store: categories other than texts, and times in whole seconds.

They are stored as their values. The types, with the categories, are in the metadata of the file, as
a table without rows. `restored` applies them when the file is read.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.records.arrow import base64, stream, unpack

TYPES_KEY: Final = b"mdfactory.types"

Column: TypeAlias = Any
"""A chunked array; the stubs do not know types that are known only at run time."""


def storable(table: pa.Table) -> pa.Table:
    """Return a table in types that Parquet stores, with the other types in its metadata."""
    originals: dict[str, Any] = {}
    columns, fields = [], []
    column: Column
    for field, column in zip(table.schema, table.unify_dictionaries().columns, strict=True):
        stored = _storable(column)
        columns.append(stored)
        fields.append(field.with_type(stored.type))
        is_category = isinstance(column.type, pa.DictionaryType)
        if stored.type != column.type and not pa.types.is_dictionary(stored.type):
            originals[field.name] = (
                column.chunk(0)[:0]
                if is_category and column.num_chunks
                else pa.nulls(0, column.type)
            )
    if not originals and fields == list(table.schema):
        return table
    metadata: Any = {**(table.schema.metadata or {})}
    if originals:
        empty = pa.RecordBatch.from_arrays([*originals.values()], names=[*originals])
        metadata[TYPES_KEY] = base64(stream(empty)).encode()
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata or None))


def _storable(column: Column) -> Column:
    data_type = column.type
    if data_type == pa.timestamp("s", getattr(data_type, "tz", None)):
        return column.cast(pa.timestamp("ms", data_type.tz))
    if not isinstance(data_type, pa.DictionaryType):
        return column
    values = data_type.value_type
    if pa.types.is_string_view(values):  # as polars has them
        return _with_categories(column, lambda categories: categories.cast(pa.large_string()))
    is_text = pa.types.is_string(values) or pa.types.is_large_string(values)
    return column if is_text else column.cast(values)


def _with_categories(column: Column, convert: Callable[[Any], Any]) -> Column:
    chunks = [
        pa.DictionaryArray.from_arrays(
            chunk.indices, convert(chunk.dictionary), ordered=chunk.type.ordered
        )
        for chunk in column.chunks
    ]
    data_type = column.type
    converted: Any = pa.dictionary(data_type.index_type, pa.large_string(), data_type.ordered)
    return pa.chunked_array(chunks, converted)


def restored(table: pa.Table) -> pa.Table:
    """Return a table from a Parquet file in the types that its metadata name.

    The metadata are from any program. What does not fit the values is left out.
    """
    metadata = {**(table.schema.metadata or {})}
    if TYPES_KEY not in metadata:
        return table
    try:
        empty = unpack(metadata.pop(TYPES_KEY).decode())
    except ValueError:
        empty = pa.table({})
    table = table.replace_schema_metadata(metadata or None)
    for name, like in zip(empty.schema.names, empty.columns, strict=True):
        with suppress(KeyError, pa.ArrowException):
            column = _restored(table[name], like)
            position = table.schema.names.index(name)
            field = table.schema.field(position).with_type(column.type)
            table = table.set_column(position, field, column)
    return table


def _restored(column: Column, like: Column) -> Column:
    if not pa.types.is_dictionary(like.type):
        return column.cast(like.type)
    categories = next(
        (chunk.dictionary for chunk in like.chunks), pa.nulls(0, like.type.value_type)
    )
    indices = [
        pc.index_in(chunk, value_set=categories).cast(like.type.index_type)
        for chunk in column.chunks
    ]
    if sum(index.null_count for index in indices) != column.null_count:
        raise pa.ArrowInvalid("a value is in no category")
    ordered = like.type.ordered
    data_type: Any = like.type
    chunks = [
        pa.DictionaryArray.from_arrays(index, categories, ordered=ordered) for index in indices
    ]
    return pa.chunked_array(chunks, data_type)
