"""Stacks: the frames of several simulations as one table, with a column ``hash`` first.

This module also decides the pandas metadata of a stack. It does not import pandas, not even
through Arrow, because that takes half a second; see `frames.codec`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from mdfactory.errors import FrameCorruptError, SchemasDifferError, counted
from mdfactory.frames.differences import (
    describe_dropped,
    describe_promotions,
    duplicate_columns,
    schema_differences,
    types_of_columns,
)
from mdfactory.frames.groups import (
    SchemaGroup,
    common_metadata,
    displayed,
    distinct_types,
    fields_by_name,
    group_by_schema,
    merge_fields,
    without_hash,
)
from mdfactory.frames.pandas_metadata import (
    HASH_COLUMN,
    PANDAS_KEY,
    PandasMetadata,
)
from mdfactory.records.arrow import Column, array, nulls

SHARED_HASH_ROWS: Final = 1 << 16
"""Length of the array that the chunks of a hash column share."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The schema of a stack of frames, and the rule by which frames get this schema.

    Parameters
    ----------
    schema
        The column ``hash``, then the columns of the frames.
    changes
        Sentences that describe how the stack differs from the frames, such as promoted types.
    names
        Names of the columns in the frames.
    by_name
        Whether the columns of a frame are matched by their names; else by their positions.
    """

    schema: pa.Schema
    changes: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    by_name: bool = False

    def conform(self, hash_: str, frame: pa.Table) -> pa.Table:
        """Return the rows of a frame in the schema of the stack.

        Parameters
        ----------
        hash_
            Hash of the simulation.
        frame
            The frame: one of those whose schemas were given to `stack`.

        Raises
        ------
        SchemasDifferError
            If a value cannot be converted to the type that its column has in the stack.
        FrameCorruptError
            If the frame does not have the schema that was given for it.
        """
        names = without_hash(frame.schema.names, self.names)
        columns: Sequence[Column] = frame.columns
        if not self._accepts(names, frame.schema.types):
            raise FrameCorruptError(f"record {hash_}: the frame does not match its stored schema")
        if self.by_name:
            own = dict(zip(names, frame.columns, strict=True))
            columns = [
                self._converted(field, own.get(field.name), hash_, frame.num_rows)
                for field in list(self.schema)[1:]
            ]
        hashes = _hash_column(hash_, frame.num_rows)
        return pa.Table.from_arrays([hashes, *columns], schema=self.schema)

    def _accepts(self, names: list[str], types: list[pa.DataType]) -> bool:
        if self.by_name:
            return len(names) == len({*names}) and {*names} <= {*self.schema.names}
        return [names, types] == [self.schema.names[1:], self.schema.types[1:]]

    def _converted(
        self,
        field: pa.Field[pa.DataType],
        column: pa.ChunkedArray[Any] | None,
        hash_: str,
        rows: int,
    ) -> Column:
        """Return a column in the type of the stack; nulls if the frame does not have it."""
        if column is None:
            return nulls(rows, field.type)
        try:
            return _cast(column, field.type)
        except pa.ArrowException as error:
            conversion = f"{displayed(field.name)} {column.type}, converted to {field.type}"
            raise SchemasDifferError([([hash_], conversion)], str(error)) from error


def stack(frames: Iterable[tuple[str, pa.Schema | pa.Table]], *, union: bool = False) -> Stack:
    """Decide the schema of a stack of frames.

    The schemas of frames are the same if their columns have the same names and types in the same
    order, and pandas reads them alike. Ordered categories must have the same order.

    Parameters
    ----------
    frames
        Hash of each simulation, and a table with the schema of its frame, with or without rows;
        or the schema itself, which does not contain the order of categories.
    union
        Whether the columns of frames may differ. If so, types are promoted by Arrow's rules, and
        columns that a frame lacks are null in its rows.

    Raises
    ------
    SchemasDifferError
        If the schemas differ and `union` is false, or Arrow cannot promote the types of a column.
    """
    groups = group_by_schema(frames)
    if not groups:
        return Stack(_stacked_schema(pa.schema([]), {}, {}))
    if len(groups) > 1 and not union:
        raise SchemasDifferError(schema_differences(groups))
    names = frozenset(name for group in groups for name in group.schema.names)
    for group in groups:
        group.rename_hash(names)
    if len(groups) > 1:
        return _union(groups, names)
    (group,) = groups
    schema = _stacked_schema(group.schema, group.metadata, group.stacked_pandas())
    return Stack(schema, describe_dropped(groups, group.dropped), names)


def _stacked_schema(
    schema: pa.Schema, metadata: Mapping[bytes, bytes], pandas: PandasMetadata
) -> pa.Schema:
    """Return the schema of a stack from its columns without ``hash``, and its metadata."""
    hash_field = pa.field(HASH_COLUMN, pa.string(), nullable=False)
    all_metadata: dict[bytes | str, bytes | str] = dict(metadata.items())
    if pandas:
        all_metadata[PANDAS_KEY] = json.dumps(pandas).encode()
    return pa.schema([hash_field, *schema], metadata=all_metadata or None)


def _hash_column(hash_: str, rows: int) -> pa.ChunkedArray[Any]:
    """Return a column that repeats one hash.

    Its chunks share one array, so the column takes little memory. A single array of many rows
    could exceed the 2 GiB of text that an Arrow string array can hold.
    """
    chunk = pa.repeat(array([hash_], pa.string())[0], min(rows, SHARED_HASH_ROWS))
    full_chunks, remaining_rows = divmod(rows, SHARED_HASH_ROWS)
    return pa.chunked_array([*[chunk] * full_chunks, chunk.slice(0, remaining_rows)], pa.string())


def _cast(column: Column, data_type: pa.DataType) -> Column:
    if column.type == data_type:
        return column
    if pa.types.is_null(column.type):
        return nulls(len(column), data_type)
    return column.cast(data_type)


def _union(groups: Sequence[SchemaGroup], names: frozenset[str]) -> Stack:
    """Decide the schema of a stack of frames whose columns differ."""
    if duplicates := duplicate_columns(groups):  # a union matches columns by their names
        raise SchemasDifferError(duplicates, "several columns have the same name")
    dropped = {name for group in groups for name in group.dropped}
    schema = _union_schema(groups, dropped)
    metadata = groups[0].metadata
    for group in groups[1:]:
        metadata = common_metadata(metadata, group.metadata, dropped)
    changes = [*describe_promotions(groups, schema), *describe_dropped(groups, dropped)]
    if not all(group.layout.is_default for group in groups):
        changes.append(
            "the index, dtypes and column names of pandas: dropped, because the frames differ"
        )
    return Stack(_stacked_schema(schema, metadata, {}), tuple(changes), names, by_name=True)


def _union_schema(groups: Sequence[SchemaGroup], dropped: set[str]) -> pa.Schema:
    """Return the columns of all groups, each in the type that Arrow promotes its types to."""
    columns: list[pa.Field[pa.DataType]] = []
    errors: dict[str, pa.ArrowException] = {}
    for name, fields in fields_by_name(groups).items():
        try:
            data_type = _promoted(distinct_types(fields))
        except pa.ArrowException as error:
            errors[name] = error
            continue
        column = merge_fields([field.with_type(data_type) for field in fields], dropped)
        is_missing = len(fields) < len(groups)
        columns.append(column.with_nullable(column.nullable or is_missing))
    _require_no_errors(groups, errors)
    return pa.schema(columns)


def _require_no_errors(
    groups: Sequence[SchemaGroup], errors: Mapping[str, pa.ArrowException]
) -> None:
    """Raise one error for all columns whose types Arrow cannot promote.

    Parameters
    ----------
    groups
        The groups.
    errors
        Names of the columns -> errors of Arrow.
    """
    if not errors:
        return
    name, cause = next(iter(errors.items()))
    others = f" and {counted(len(errors) - 1, 'other column')}" if len(errors) > 1 else ""
    reason = f"Arrow has no common type for {displayed(name)}{others}: {cause}"
    raise SchemasDifferError(types_of_columns(groups, errors), reason) from cause


def _promoted(types: Sequence[pa.DataType]) -> pa.DataType:
    """Return the type that Arrow promotes these types to.

    Raises
    ------
    pyarrow.ArrowException
        If there is no such type, or Arrow cannot cast to it.
    """
    schemas = [pa.schema([("", data_type)]) for data_type in types]
    (promoted,) = pa.unify_schemas(schemas, promote_options="permissive").types
    for data_type in types:
        _cast(nulls(1, data_type), promoted)
    return promoted
