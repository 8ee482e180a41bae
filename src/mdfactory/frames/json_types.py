"""Rows in types that JSON has, or as the text of ``data_csv``, for terminals and exports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.frames.text import NULL_TEXT, TEXT_TYPE, TextArray, to_text
from mdfactory.records.arrow import array, if_else


def to_json_types(rows: pa.RecordBatch, *, as_text: bool = False) -> pa.RecordBatch:
    """Return rows in types that JSON has, or all columns as text.

    Integers and booleans don't change. Categories become their values. Floats become 64-bit floats
    with the same text (0.1 stays 0.1), or null if they are not finite. Other types become text.

    Parameters
    ----------
    rows
        Rows of any types.
    as_text
        Whether all columns become the text that ``data_csv`` has.
    """
    if not rows.num_columns:
        return rows
    names = rows.schema.names if as_text else unique_names(rows.schema.names)
    convert = _stored_text if as_text else _to_json_type
    return pa.RecordBatch.from_arrays(list(map(convert, rows.columns)), names=names)


def unique_names(names: Sequence[str]) -> list[str]:
    """Return unique names; a JSON object would hold only the last of several equal names."""
    taken, seen = {*names}, set[str]()
    numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))
    unique: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in numbers[name])
        own = next(free for free in numbered if free not in taken) if name in seen else name
        seen.add(name)
        taken.add(own)
        unique.append(own)
    return unique


def _to_json_type(column: pa.Array[Any]) -> pa.Array[Any]:
    data_type = column.type
    if pa.types.is_integer(data_type) or data_type in {pa.bool_(), pa.null()}:
        return column
    if isinstance(column, pa.DictionaryArray):
        return _to_json_type(column.dictionary).take(column.indices)
    if pa.types.is_floating(data_type):
        wide = column if data_type == pa.float64() else to_text(column).cast(pa.float64())
        return if_else(pc.is_finite(wide), wide, pa.nulls(1, pa.float64())[0])
    return valid_text(column)


def _stored_text(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return a column as the text that ``data_csv`` has, in which U+FFFD replaces NUL."""
    return pc.replace_substring(valid_text(column), "\0", "\ufffd")


def valid_text(column: pa.Array[Any]) -> TextArray:
    """Return a column as text in which U+FFFD replaces bytes that are not UTF-8."""
    text = to_text(column)
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        cells = text.cast(pa.large_binary()).to_pylist()
        decoded = array([(cell or b"").decode(errors="replace") for cell in cells], TEXT_TYPE)
        return if_else(text.is_valid(), decoded, NULL_TEXT)
    return text
