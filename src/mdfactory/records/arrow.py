"""Compute functions that take arrays and scalars together; Arrow's stubs accept one of both."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["coalesce", "if_else", "join"]

Operand: TypeAlias = "pa.Array[Any] | pa.Scalar[Any]"
"""An array, or a scalar that is used for each of its rows."""


def if_else(condition: pa.Array[pa.BooleanScalar], one: Operand, other: Operand) -> pa.Array[Any]:
    """Return the values of `one` where the condition is true, and of `other` where it is false."""
    chosen: pa.Array[Any] = pc.if_else(condition, one, other)
    return chosen


def coalesce(column: pa.Array[Any], value: pa.Scalar[Any]) -> pa.Array[Any]:
    """Return a column with its nulls replaced by a value."""
    return pc.coalesce(column, value)  # type: ignore[arg-type]  # the stubs: arrays only


def join(
    *texts: Operand,
    separator: pa.Scalar[Any],
    null_handling: Literal["emit_null", "skip", "replace"] = "emit_null",
    null_replacement: str = "",
) -> pa.Array[Any]:
    """Return the texts of several columns, joined row by row."""
    return pc.binary_join_element_wise(  # type: ignore[type-var,return-value]  # the stubs: likewise
        *texts, separator, null_handling=null_handling, null_replacement=null_replacement
    )
