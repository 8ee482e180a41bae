"""Arrow helpers: arrays of Python values, packed batches and typed compute functions."""

from __future__ import annotations

import sys
from array import array as c_array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Final, Literal, TypeAlias

import pyarrow as pa

from mdfactory.records.ipc import check_stream, max_bytes, table_bytes

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


def nullable_array(values: Sequence[Any], data_type: pa.DataType) -> pa.Array[Any]:
    """Return an Arrow array of strings, 64-bit integers, doubles or booleans, None as null.

    Like `array`, it does not import pandas.
    """
    filler = "" if data_type == pa.string() else 0
    filled: list[Any] = [filler if value is None else value for value in values]
    if data_type == pa.float64():
        doubles = pa.py_buffer(c_array("d", filled))
        column: pa.Array[Any] = pa.Array.from_buffers(data_type, len(values), [None, doubles])
    elif data_type == pa.bool_():
        column = array(filled, pa.int64()).cast(data_type)
    else:
        column = array(filled, data_type)
    if None not in values:
        return column
    flags = [value is not None for value in values]
    is_valid: Any = array(flags, pa.int64()).cast(pa.bool_())  # the stubs have two types of it
    return if_else(is_valid, column, nulls(len(values), data_type))


def texts(column: Column) -> list[str]:
    """Return the values of a string column without nulls, such as a column of a record."""
    values: list[Any] = column.to_pylist()
    return values


def nulls(length: int, data_type: pa.DataType) -> pa.Array[Any]:
    """Return an array of nulls of any type."""
    column: pa.Array[Any] = pa.nulls(length, data_type)  # type: ignore[call-overload]  # the stubs: subclasses only
    return column


def null_bytes(data_type: pa.DataType) -> int:
    """Return about how many bytes a null of a type takes, its bit of validity excluded."""
    match data_type:
        case pa.BaseExtensionType():
            return null_bytes(data_type.storage_type)
        case pa.FixedSizeListType():
            return int(data_type.list_size) * null_bytes(data_type.value_type)
        case pa.StructType():
            fields = map(data_type.field, range(data_type.num_fields))
            return sum(null_bytes(field.type) for field in fields)
        case pa.FixedSizeBinaryType():
            return data_type.byte_width  # `bit_width` overflows
    try:
        return data_type.bit_width // 8
    except ValueError:  # no fixed width: an offset
        return OFFSET_BYTES


OFFSET_BYTES: Final = 8


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


def pack(rows: pa.Table | pa.RecordBatch, text_bytes: int = 0) -> str:
    """Return rows as an Arrow IPC stream in base64, compressed unless `unpack` would refuse it.

    Parameters
    ----------
    rows
        The rows.
    text_bytes
        Bytes of the text of the same rows that is stored with them.
    """
    packed = stream(rows, "zstd")
    data = memoryview(packed).cast("B")
    is_accepted = table_bytes(data) <= max_bytes(len(data) + text_bytes)
    return base64(packed if is_accepted else stream(rows))


def unpack(text: str, text_bytes: int = 0) -> pa.Table:
    """Return the rows of an Arrow IPC stream in base64, which any program may have written.

    Parameters
    ----------
    text
        The stream in base64, compressed or not.
    text_bytes
        Bytes of the text of the same rows that is stored with them.

    Raises
    ------
    ValueError
        If this is no valid stream, or the rows would take much more memory than their stored
        form, see `records.ipc`.
    """
    data = b64decode(text, validate=True)
    try:
        check_stream(memoryview(data), len(data) + text_bytes)
        reader = pa.ipc.open_stream(data)
        for data_type in reader.schema.types:
            _check_type(data_type)
        table = reader.read_all()
        table.validate()
        for column in table.columns:
            for chunk in column.chunks:
                _check_bounds(chunk)
    # the classes of extension types raise errors of many kinds
    except (KeyError, TypeError, OSError, RecursionError, pa.ArrowException) as error:
        raise ValueError(f"no valid Arrow IPC stream: {error}") from error
    return table


def _check_bounds(column: pa.Array[Any]) -> None:
    """Raise `ArrowInvalid` if an index or offset in a column is out of bounds.

    Values are not checked, as they are by ``validate(full=True)``: files of analyses contain texts
    that are not UTF-8, and times of more than a day, which Arrow reads and writes.
    """
    if len(column) > MAX_LENGTH:
        raise pa.ArrowInvalid(f"a column has {len(column):,} values")
    children = _children(column)
    if isinstance(column, pa.DictionaryArray):
        _check_indices(column)
    elif layout := LAYOUTS.get(column.type.id):
        buffers: list[Any] = column.buffers()
        if pa.types.is_list(layout) or pa.types.is_large_list(layout):
            _check_first_offset(buffers[1], layout, len(children[0]))
        # `nulls` would allocate memory for their bits
        hollow = [pa.Array.from_buffers(pa.null(), len(child), [None]) for child in children]
        if isinstance(column, pa.MapArray):
            hollow = hollow[:1]  # keys and items are as many
        # without the bits of nulls: kernels of Arrow read the lengths of nulls, too
        own = [None, *(buffers[1 : layout.num_buffers] if children else buffers[1:])]
        column = pa.Array.from_buffers(
            layout, len(column), own, offset=column.offset, children=hollow or None
        )
        column.validate(full=True)
        if isinstance(column, VIEWS_OF_LISTS):
            _check_views(column)
    for child in children:
        _check_bounds(child)


def _children(column: pa.Array[Any]) -> list[pa.Array[Any]]:
    """Return the columns to which the indices and offsets of a column refer."""
    match column:
        case pa.ExtensionArray():
            return [column.storage]
        case pa.DictionaryArray():
            return [column.dictionary]
        case pa.StructArray():
            return list(map(column.field, range(column.type.num_fields)))
        case pa.MapArray():
            return [column.keys, column.items]
        case pa.lib.BaseListArray():
            values: pa.Array[Any] = column.values  # type: ignore[attr-defined]  # the stubs: not all lists
            return [values]
    return []


def _check_indices(column: pa.DictionaryArray[Any, Any]) -> None:
    import pyarrow.compute as pc

    limits: Any = pc.min_max(column.indices).as_py()
    lowest, highest = limits.values()
    if lowest is not None and not 0 <= lowest <= highest < len(column.dictionary):
        raise pa.ArrowInvalid("an index of a dictionary is out of bounds")


def _check_views(column: pa.ListViewArray[Any] | pa.LargeListViewArray[Any]) -> None:
    """Check that lists do not share their items, which any function would write out."""
    import pyarrow.compute as pc

    items = pc.sum(pc.list_value_length(column).cast(pa.int64())).as_py() or 0
    if items > len(column.values):
        raise pa.ArrowInvalid("lists overlap")


def _check_first_offset(offsets: pa.Buffer | None, layout: pa.DataType, items: int) -> None:
    """Check what Arrow uses, but does not validate, in a column of lists without rows."""
    width = 4 if pa.types.is_list(layout) else 8
    if offsets is not None and offsets.address and offsets.size < width:
        raise pa.ArrowInvalid("the offsets are cut off")
    first = bytes(memoryview(offsets)[:width]) if offsets else b""
    if not 0 <= int.from_bytes(first, sys.byteorder, signed=True) <= items:
        raise pa.ArrowInvalid("an offset is out of bounds")


def _check_type(data_type: pa.DataType) -> None:
    """Raise `ArrowInvalid` for types that no Parquet file has, or with which Arrow cannot compute.

    Types of the first kind may repeat large values, and few functions support them.
    """
    if pa.types.is_decimal(data_type):
        digits = MAX_DIGITS[data_type.bit_width]
        if not -digits <= data_type.scale <= digits:
            raise pa.ArrowInvalid(f"decimals of scale {data_type.scale}")
    if any(is_kind(data_type) for is_kind in NOT_IN_PARQUET):
        raise pa.ArrowInvalid(f"no file has the type {data_type}")
    if isinstance(data_type, pa.BaseExtensionType):
        _check_type(data_type.storage_type)
    elif isinstance(data_type, pa.DictionaryType):
        _check_category_type(data_type.value_type)
    else:
        for number in range(data_type.num_fields):
            _check_type(data_type.field(number).type)


def _check_category_type(data_type: pa.DataType) -> None:
    refused = pa.DictionaryType, pa.BaseExtensionType
    if pa.types.is_nested(data_type) or isinstance(data_type, refused):
        raise pa.ArrowInvalid(f"categories of type {data_type}")
    _check_type(data_type)


NOT_IN_PARQUET = (pa.types.is_union, pa.types.is_run_end_encoded, pa.types.is_interval)

MAX_LENGTH: Final = 2**31 - 1
"""Length of the longest column that Arrow writes, that of a child included."""

MAX_DIGITS = {32: 9, 64: 18, 128: 38, 256: 76}
"""Bits of a decimal -> digits that it may have."""


LAYOUTS = {
    pa.lib.Type_STRING: pa.binary(),
    pa.lib.Type_BINARY: pa.binary(),
    pa.lib.Type_LARGE_STRING: pa.large_binary(),
    pa.lib.Type_LARGE_BINARY: pa.large_binary(),
    pa.lib.Type_STRING_VIEW: pa.binary_view(),
    pa.lib.Type_BINARY_VIEW: pa.binary_view(),
    pa.lib.Type_LIST: pa.list_(pa.null()),
    pa.lib.Type_MAP: pa.list_(pa.null()),
    pa.lib.Type_LARGE_LIST: pa.large_list(pa.null()),
    pa.lib.Type_LIST_VIEW: pa.list_view(pa.null()),
    pa.lib.Type_LARGE_LIST_VIEW: pa.large_list_view(pa.null()),
}
"""Number of a type -> type with the same offsets, and nulls or bytes for values."""

VIEWS_OF_LISTS = (pa.ListViewArray, pa.LargeListViewArray)


def unpack_batch(text: str, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch without nulls that `pack` has packed.

    Raises
    ------
    ValueError
        If the text is not such a batch, or its columns have other names or types than `schema`.
    """
    table = unpack(text)
    table.validate(full=True)
    batches = table.to_batches()
    is_expected = table.schema.names == schema.names and table.schema.types == schema.types
    if len(batches) != 1 or not is_expected or any(column.null_count for column in table.columns):
        raise ValueError("packed rows have other columns than expected, or nulls")
    return batches[0]


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
