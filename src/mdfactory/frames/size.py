"""Lower bounds of the text that tables take, which are known before the text is written.

Arrow may hold a value once that the text repeats in every row: a category, a run, a view. So
kilobytes of Arrow data may be gigabytes of text, or of Python objects. Nothing here writes such a
value out.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.frames.text import ZERO, child_columns
from mdfactory.records.arrow import array, if_else

TEXT_ARRAYS: Final = (pa.StringArray, pa.LargeStringArray, pa.BinaryArray, pa.LargeBinaryArray)

VIEW_ARRAYS: Final = (pa.StringViewArray, pa.BinaryViewArray)

VIEW_INTEGERS: Final = 4
"""A view is as large as this number of 32-bit integers; the first one is the length of the text."""


def min_characters(rows: pa.RecordBatch | pa.Table) -> int:
    """Return a lower bound of the characters that rows take as the text of `frames.codec`."""
    columns: list[Any] = rows.columns
    chunks = [
        chunk
        for column in columns
        for chunk in (column.chunks if isinstance(column, pa.ChunkedArray) else [column])
    ]
    separators = rows.num_rows * rows.num_columns
    return separators + sum(map(_min_characters, chunks))


def _min_characters(column: pa.Array[Any]) -> int:
    """Return a lower bound of the characters that the values of a column take."""
    present = len(column) - column.null_count
    match column:
        case pa.DictionaryArray():
            lengths = _lengths(column.dictionary)
            return _sum(lengths.take(column.indices)) if lengths else 0
        case pa.ExtensionArray():
            own = 0
        case pa.StructArray():  # {"":1,"":1}
            own = present * (2 + 3 * column.type.num_fields)
        case pa.lib.BaseListArray():  # [1,1]
            own = present + sum(map(len, child_columns(column)))
        case _:
            lengths = _lengths(column)
            return _sum(lengths) if lengths else _min_flat_characters(column, present)
    return own + sum(map(_min_characters, child_columns(column)))


def _min_flat_characters(column: pa.Array[Any], present: int) -> int:
    """Return a lower bound for a column whose values are neither texts nor nested."""
    data_type = column.type
    # The shortest texts are "0.0" and "inf", "True", and one digit. NaN is written as nothing.
    if pa.types.is_float32(data_type) or pa.types.is_float64(data_type):
        return 3 * (present - pc.is_nan(column).true_count)
    if pa.types.is_boolean(data_type):
        return 4 * present
    return present if pa.types.is_integer(data_type) or pa.types.is_temporal(data_type) else 0


def _lengths(column: pa.Array[Any]) -> pa.Array[Any] | None:
    """Return the bytes of each text; None if these are no texts."""
    if isinstance(column, TEXT_ARRAYS):
        return pc.binary_length(column)
    views = column.buffers()[1] if isinstance(column, VIEW_ARRAYS) else None
    if views is None:
        return None
    integers = memoryview(views).cast("B").cast("i")[VIEW_INTEGERS * column.offset :]
    lengths = array(integers[: VIEW_INTEGERS * len(column) : VIEW_INTEGERS], pa.int64())
    return if_else(column.is_valid(), lengths, ZERO[0])


def _sum(lengths: pa.Array[Any]) -> int:
    return int(pc.sum(lengths.cast(pa.int64())).as_py() or 0)
