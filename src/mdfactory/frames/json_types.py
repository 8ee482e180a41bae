"""Rows for people and programs: types that JSON knows, or the text of ``data_csv``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.frames.text import text_of
from mdfactory.records.arrow import array, if_else

__all__ = ["plain"]


def plain(rows: pa.RecordBatch, *, text: bool = False) -> pa.RecordBatch:
    """Return rows in types that JSON knows, or all as the text that ``data_csv`` has.

    Integers, booleans and strings stay what they are, categories become their values, floats
    are 64 bits wide (the number that their text says) and null where they are not finite, and
    all else becomes text.

    Parameters
    ----------
    rows
        Rows of any types.
    text
        Whether to make all of it text.
    """
    if not rows.num_columns:
        return rows
    columns = [_said(column) if text else _plain(column) for column in rows.columns]
    names = rows.schema.names if text else _distinct(rows.schema.names)
    return pa.RecordBatch.from_arrays(columns, names=names)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names of which none stands twice: in JSON only the last one would stay."""
    found: list[str] = []
    for name in names:
        taken = {*found, *names} if name in found else set(found)
        spelt = (name, *(f"{name}_{number}" for number in range(1, len(names) + 1)))
        found.append(next(one for one in spelt if one not in taken))
    return found


def _plain(column: pa.Array[Any]) -> pa.Array[Any]:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column
    if isinstance(column, pa.DictionaryArray):
        return _plain(column.dictionary).take(column.indices)
    if pa.types.is_floating(kind):
        wide = column if kind == pa.float64() else text_of(column).cast(pa.float64())
        return if_else(pc.is_finite(wide), wide, pa.nulls(1, pa.float64())[0])
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _decoded(column)
    return _decoded(text_of(column))


def _said(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return text without what stores do not take, as ``data_csv`` has it."""
    return pc.replace_substring(_decoded(text_of(column)), "\0", "\ufffd")


def _decoded(text: pa.Array[Any]) -> pa.Array[Any]:
    """Return text as it is, or what can be read of it if it is not UTF-8."""
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        cells = text.cast(pa.large_binary()).to_pylist()
        read = array([(cell or b"").decode(errors="replace") for cell in cells], pa.string())
        return if_else(text.is_valid(), read, pa.nulls(1, pa.string())[0]).cast(text.type)
    return text
