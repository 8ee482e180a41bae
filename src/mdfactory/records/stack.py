"""Frames of several simulations as one, with the hash of each in front."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.errors import SchemasDifferError, counted
from mdfactory.records.frames import text_of
from mdfactory.records.tables import array

__all__ = ["HASH", "Stack", "plain", "stack"]

HASH = "hash"
PANDAS = b"pandas"

Meaning = tuple[tuple[tuple[str, pa.DataType], ...], str]
"""What two schemas must share to be one: names and types in order, and what pandas reads."""


@dataclass(frozen=True, slots=True)
class Stack:
    """How frames become one.

    Parameters
    ----------
    schema
        The schema of the whole: ``hash``, then the columns of the frames.
    changes
        What joining frames with different columns changes, a line each.
    by_name
        Whether columns are found by their names; by their positions if not.
    """

    schema: pa.Schema
    changes: tuple[str, ...] = ()
    by_name: bool = False

    def put(self, hash_: str, frame: pa.Table) -> pa.Table:
        """Return a frame as its part of the whole.

        Raises
        ------
        SchemasDifferError
            If a value cannot be said in the type that joins those of several frames.
        """
        rows = frame.num_rows
        front = pa.repeat(array([hash_], pa.string())[0], rows)
        fields = list(self.schema)[1:]
        columns = frame.columns
        if self.by_name:
            own = dict(zip(_renamed(frame.schema.names), columns, strict=True))
            columns = [_cast(own.get(one.name), one, rows, hash_) for one in fields]
        return pa.Table.from_arrays([front, *columns], schema=self.schema)


@dataclass(slots=True)
class _Group:
    """Simulations whose frames have one schema."""

    schema: pa.Schema
    hashes: list[str] = field(default_factory=list)


def stack(schemas: Iterable[tuple[str, pa.Schema]], *, union: bool = False) -> Stack:
    """Decide how frames become one.

    Parameters
    ----------
    schemas
        Hash of each simulation, and the schema of its frame.
    union
        Whether frames may differ in their columns: types are then promoted by Arrow's rules,
        and columns that a frame does not have are null in its rows.

    Raises
    ------
    SchemasDifferError
        If they differ and `union` does not allow that, or Arrow has no type for both.
    """
    groups: dict[Meaning, _Group] = {}
    for hash_, schema in schemas:
        groups.setdefault(_meaning(schema), _Group(schema)).hashes.append(hash_)
    found = list(groups.values())
    if not found:
        return Stack(_whole(pa.schema([]), None))
    first = found[0].schema
    alone = len(found) == 1 and len(found[0].hashes) == 1
    if len(found) == 1:
        return Stack(_whole(first, _pandas(first, keep_range=alone)))
    if not union:
        raise SchemasDifferError([(group.hashes, _told(group.schema, first)) for group in found])
    return _united(found)


def _united(groups: Sequence[_Group]) -> Stack:
    for group in groups:
        names = group.schema.names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise SchemasDifferError([(group.hashes, f"two columns are called {twice!r}")])
    bare = [pa.schema([pa.field(one.name, one.type) for one in group.schema]) for group in groups]
    try:
        schema = pa.unify_schemas(bare, promote_options="permissive")
    except pa.ArrowException as error:
        told = [(group.hashes, _told(group.schema, groups[0].schema)) for group in groups]
        raise SchemasDifferError(told, str(error)) from error
    changes = tuple(change for one in schema if (change := _change(one, groups)))
    return Stack(_whole(schema, _shared(schema, groups)), changes, by_name=True)


def _change(one: pa.Field, groups: Sequence[_Group]) -> str:
    """Say what becomes of a column, if anything does."""
    total = sum(len(group.hashes) for group in groups)
    types = dict.fromkeys(
        str(group.schema.field(one.name).type) for group in groups if one.name in group.schema.names
    )
    missing = sum(len(group.hashes) for group in groups if one.name not in group.schema.names)
    parts = []
    if len(types) > 1:
        parts.append(f"{' and '.join(types)} became {one.type}")
    if missing:
        parts.append(f"missing in {missing:,} of {counted(total, 'simulation')}, null there")
    return f"{one.name}: {'; '.join(parts)}" if parts else ""


def _told(schema: pa.Schema, first: pa.Schema) -> str:
    """Say what a schema is, or how it differs from the first one."""
    own, other = ([(one.name, str(one.type)) for one in each] for each in (schema, first))
    if schema is first or sorted(own) == sorted(other):
        shown = [f"{name} {kind}" for name, kind in own[:SHOWN]]
        more = f" and {len(own) - SHOWN} more" if len(own) > SHOWN else ""
        return ", ".join(shown) + more
    differ = [f"{name} {kind}" for name, kind in own if (name, kind) not in other]
    lacks = [name for name, _ in other if name not in schema.names]
    parts = [", ".join(differ[:SHOWN]) + (", ..." if len(differ) > SHOWN else "")] if differ else []
    parts += [f"without {', '.join(lacks[:SHOWN])}"] if lacks else []
    return "; ".join(parts)


SHOWN = 6
"""Columns that a message names."""


def _cast(column: pa.ChunkedArray | None, one: pa.Field, rows: int, hash_: str) -> Any:
    if column is None:
        return pa.nulls(rows, one.type)
    if column.type == one.type:
        return column
    try:
        return column.cast(one.type)
    except pa.ArrowException as error:
        problem = f"{one.name}: {column.type} to {one.type}"
        raise SchemasDifferError([([hash_], problem)], str(error)) from error


def _whole(schema: pa.Schema, pandas: Mapping[str, Any] | None) -> pa.Schema:
    """Put ``hash`` in front of columns, and what pandas reads behind them."""
    names = _renamed(schema.names)
    fields = [one.with_name(name) for one, name in zip(schema, names, strict=True)]
    kept = {key: value for key, value in (schema.metadata or {}).items() if key != PANDAS}
    if pandas is not None:
        kept[PANDAS] = json.dumps(pandas).encode()
    front = pa.field(HASH, pa.string(), nullable=False)
    return pa.schema([front, *fields], metadata=kept or None)


def _renamed(names: Sequence[str]) -> list[str]:
    """Return the names of a frame's columns beside ours."""
    free = next(name for number in count(1) if (name := f"{HASH}_{number}") not in names)
    return [free if name == HASH else name for name in names]


def _metadata(schema: pa.Schema) -> dict[str, Any] | None:
    """Return what pandas has written of a frame, or None."""
    try:
        read = json.loads((schema.metadata or {})[PANDAS])
    except (KeyError, ValueError):
        return None
    return read if isinstance(read, dict) and isinstance(read.get("columns"), list) else None


def _meaning(schema: pa.Schema) -> Meaning:
    pandas = _metadata(schema) or {}
    columns = [_column_meaning(one) for one in pandas.get("columns", ())]
    index = [one for one in pandas.get("index_columns", ()) if isinstance(one, str)]
    return tuple((one.name, one.type) for one in schema), json.dumps([columns, index])


def _column_meaning(one: Mapping[str, Any]) -> list[Any]:
    """Return what pandas says of a column, without what depends on its values."""
    more = one.get("metadata")
    more = {key: value for key, value in more.items() if key != "num_categories"} if more else None
    return [one.get("field_name"), one.get("pandas_type"), one.get("numpy_type"), more]


def _pandas(schema: pa.Schema, *, keep_range: bool) -> dict[str, Any] | None:
    """Return what pandas is to read of one schema with ``hash`` in front."""
    pandas = _metadata(schema)
    if pandas is None:
        return None
    names = dict(zip(schema.names, _renamed(schema.names), strict=True))
    index = pandas.get("index_columns", [])
    return pandas | {
        "columns": [_column(one, names) for one in pandas["columns"]],
        "index_columns": [
            names.get(one, one) if isinstance(one, str) else one
            for one in index
            if keep_range or isinstance(one, str)
        ],
        "column_indexes": _headers(pandas),
    }


def _column(one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    at = one.get("field_name")
    renamed = names.get(at, at) if isinstance(at, str) else at
    same = {"name": renamed} if renamed != at else {}
    return {**one, "field_name": renamed, **same}


def _headers(pandas: Mapping[str, Any]) -> list[Any]:
    """Return what pandas says of the columns' names, if ``hash`` can be one of them."""
    headers = pandas.get("column_indexes", [])
    if len(headers) == 1 and headers[0].get("pandas_type") in {"unicode", "string", "empty"}:
        return list(headers)
    return []


def _shared(schema: pa.Schema, groups: Sequence[_Group]) -> dict[str, Any] | None:
    """Return what pandas is to read where schemas differ: what all of them say alike."""
    read = [_pandas(group.schema, keep_range=False) for group in groups]
    said = [one for one in read if one is not None]
    if len(said) < len(read):
        return None
    names = dict(zip(_renamed(schema.names), schema.types, strict=True))
    columns: dict[Any, list[Mapping[str, Any]]] = {}
    for one in said:
        for column in one["columns"]:
            columns.setdefault(column["field_name"], []).append(column)
    agreed = [
        those[0]
        for name, those in columns.items()
        if name in names and all(_column_meaning(one) == _column_meaning(those[0]) for one in those)
    ]
    index = said[0]["index_columns"]
    alike = all(one["index_columns"] == index for one in said)
    return said[0] | {"columns": agreed, "index_columns": index if alike else []}


def plain(rows: pa.RecordBatch, *, text: bool = False) -> pa.RecordBatch:
    """Return rows in types that JSON knows, or all as the text that ``data_csv`` has.

    Integers, booleans and strings stay what they are, floats become 64 bits wide (the number
    that their text says), and all else becomes text.

    Parameters
    ----------
    rows
        Rows of any types.
    text
        Whether to make all of it text.
    """
    columns = [text_of(column) if text else _plain(column) for column in rows.columns]
    return pa.RecordBatch.from_arrays(columns, names=rows.schema.names)


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column
    if pa.types.is_floating(kind):
        wide = column if kind == pa.float64() else text_of(column).cast(pa.float64())
        return pc.if_else(pc.is_finite(wide), wide, pa.nulls(1, pa.float64())[0])
    return text_of(column)
