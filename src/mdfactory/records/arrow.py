"""Arrow helpers: arrays of Python values, packed batches and typed compute functions."""

from __future__ import annotations

from array import array as c_array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Literal, TypeAlias

import pyarrow as pa

Column: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"
"""A column of a batch or of a table."""


def batch(rows: Iterable[Sequence[object]], schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of rows.

    Parameters
    ----------
    rows
        Tuples with one value for each column.
    schema
        The schema: columns of strings and of 64-bit integers, without nulls.

    Raises
    ------
    TypeError
        If a value does not have the type of its column.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def append_columns(
    rows: pa.RecordBatch, values: Iterable[Sequence[object]], schema: pa.Schema
) -> pa.RecordBatch:
    """Return rows with further columns.

    Parameters
    ----------
    rows
        The rows.
    values
        Values of the further columns, one tuple for each row.
    schema
        The schema of the result.
    """
    added = batch(values, pa.schema(list(schema)[rows.num_columns :]))
    return pa.RecordBatch.from_arrays([*rows.columns, *added.columns], schema=schema)


def array(values: Sequence[Any], data_type: pa.DataType) -> pa.Array[Any]:
    """Return an Arrow array of strings, of large strings or of 64-bit integers, without nulls.

    `pyarrow.array` returns the same array, but imports pandas to recognise values of pandas
    types. The import takes half a second.
    """
    if data_type == pa.int64():
        integers = pa.py_buffer(c_array("q", values))
        return pa.Array.from_buffers(data_type, len(values), [None, integers])
    encoded = [str.encode(value) for value in values]
    offset_code = "i" if data_type == pa.string() else "q"
    offsets = c_array(offset_code, accumulate(map(len, encoded), initial=0))
    # a single text may have many megabytes: don't copy it
    data = encoded[0] if len(encoded) == 1 else b"".join(encoded)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(data_type, len(values), buffers)


def texts(column: Column) -> list[str]:
    """Return the values of a string column without nulls, such as a column of a record."""
    values: list[Any] = column.to_pylist()
    return values


def nulls(length: int, data_type: pa.DataType) -> pa.Array[Any]:
    """Return an array of nulls of any type."""
    column: pa.Array[Any] = pa.nulls(length, data_type)  # type: ignore[call-overload]  # the stubs: subclasses only
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
    """Return the bytes of a buffer in base64."""
    return b64encode(data).decode()


def pack(rows: pa.Table | pa.RecordBatch) -> str:
    """Return rows as a compressed Arrow IPC stream in base64."""
    return base64(stream(rows, "zstd"))


def unpack(text: str) -> pa.RecordBatchReader:
    """Return a reader of an Arrow IPC stream in base64, compressed or not.

    Raises
    ------
    ValueError
        If the text is not base64.
    pyarrow.ArrowException
        If the bytes are not an Arrow IPC stream.
    """
    return pa.ipc.open_stream(b64decode(text, validate=True))


Operand: TypeAlias = "pa.Array[Any] | pa.Scalar[Any]"
"""An array, or a scalar that is used as an array of equal values."""


def if_else(
    condition: pa.Array[pa.BooleanScalar], if_true: Operand, if_false: Operand
) -> pa.Array[Any]:
    """Return the values of `if_true` where the condition is true, else those of `if_false`."""
    import pyarrow.compute as pc

    values: pa.Array[Any] = pc.if_else(condition, if_true, if_false)
    return values


def coalesce(column: pa.Array[Any], value: pa.Scalar[Any]) -> pa.Array[Any]:
    """Return a column whose nulls are replaced by a value."""
    import pyarrow.compute as pc

    return pc.coalesce(column, value)  # type: ignore[arg-type]  # the stubs: arrays only


def join(
    *texts: Operand,
    separator: pa.Scalar[Any],
    null_handling: Literal["emit_null", "skip", "replace"] = "emit_null",
    null_replacement: str = "",
) -> pa.Array[Any]:
    """Return the texts of several columns, joined row by row.

    Parameters
    ----------
    texts
        The columns.
    separator
        The text between two columns.
    null_handling
        ``emit_null``: a row with a null is null. ``skip``: nulls are left out. ``replace``:
        `null_replacement` replaces nulls.
    null_replacement
        See `null_handling`.
    """
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(  # type: ignore[type-var,return-value]  # the stubs: arrays only
        *texts, separator, null_handling=null_handling, null_replacement=null_replacement
    )
