"""Arrow helpers: columns of plain Python values, packed batches, typed compute functions."""

from __future__ import annotations

from array import array as numbers
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Literal, TypeAlias, overload

import pyarrow as pa

__all__ = [
    "Column",
    "array",
    "base64",
    "batch",
    "coalesce",
    "if_else",
    "join",
    "nulls",
    "pack",
    "stream",
    "texts",
    "unpack",
]

Column: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"
"""A column of a batch or of a table."""


def batch(rows: Iterable[Sequence[object]], schema: pa.Schema) -> pa.RecordBatch:
    """Turn row tuples into one batch of this schema.

    Raises
    ------
    TypeError
        If a value is not of the type of its column.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@overload
def array(values: Sequence[str], kind: pa.lib.StringType) -> pa.StringArray: ...


@overload
def array(values: Sequence[int], kind: pa.lib.Int64Type) -> pa.Int64Array: ...


@overload
def array(values: Sequence[Any], kind: pa.DataType) -> pa.Array[Any]: ...


def array(values: Sequence[Any], kind: pa.DataType) -> pa.Array[Any]:
    """Return an Arrow array of strings or of 64-bit integers, none of them null.

    `pyarrow.array` does the same, but asks first whether the values come from pandas, and
    imports it for that: half a second.
    """
    if kind == pa.int64():
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(numbers("q", values))])
    texts = [str.encode(value) for value in values]
    offsets = numbers("i", accumulate(map(len, texts), initial=0))
    data = texts[0] if len(texts) == 1 else b"".join(texts)  # one text may be very long
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(values), buffers)


def texts(column: Column) -> list[str]:
    """Return the values of a string column of a record table; none of them is null."""
    values: list[Any] = column.to_pylist()
    return values


def nulls(length: int, kind: pa.DataType) -> pa.Array[Any]:
    """Return an array of nulls of any type."""
    column: pa.Array[Any] = pa.nulls(length, kind)  # type: ignore[call-overload]  # the stubs: subclasses only
    return column


def stream(
    rows: pa.Table | pa.RecordBatch, compression: Literal["lz4", "zstd"] | None = None
) -> pa.Buffer:
    """Return rows as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write(rows)
    return sink.getvalue()


def base64(data: pa.Buffer) -> str:
    """Return bytes as text."""
    return b64encode(data).decode()


def pack(rows: pa.Table | pa.RecordBatch) -> str:
    """Return rows as a compressed Arrow IPC stream in base64."""
    return base64(stream(rows, "zstd"))


def unpack(text: str) -> pa.RecordBatchReader:
    """Return the rows of a text, packed or not compressed.

    Raises
    ------
    ValueError
        If the text is no base64.
    pyarrow.ArrowException
        If it is no stream.
    """
    return pa.ipc.open_stream(b64decode(text, validate=True))


Operand: TypeAlias = "pa.Array[Any] | pa.Scalar[Any]"
"""An array, or a scalar that is used for each of its rows."""


def if_else(condition: pa.Array[pa.BooleanScalar], one: Operand, other: Operand) -> pa.Array[Any]:
    """Return the values of `one` where the condition is true, and of `other` where it is false."""
    import pyarrow.compute as pc

    chosen: pa.Array[Any] = pc.if_else(condition, one, other)
    return chosen


def coalesce(column: pa.Array[Any], value: pa.Scalar[Any]) -> pa.Array[Any]:
    """Return a column with its nulls replaced by a value."""
    import pyarrow.compute as pc

    return pc.coalesce(column, value)  # type: ignore[arg-type]  # the stubs: arrays only


def join(
    *texts: Operand,
    separator: pa.Scalar[Any],
    null_handling: Literal["emit_null", "skip", "replace"] = "emit_null",
    null_replacement: str = "",
) -> pa.Array[Any]:
    """Return the texts of several columns, joined row by row."""
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(  # type: ignore[type-var,return-value]  # the stubs: likewise
        *texts, separator, null_handling=null_handling, null_replacement=null_replacement
    )
