"""Stacks: the frames of several simulations as one table, with a column ``hash`` first.

This module also decides the pandas metadata of a stack. It does not import pandas, not even
through Arrow, because that takes half a second; see `frames.codec`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any, Final

import pyarrow as pa

from mdfactory.errors import FrameCorruptError, SchemasDifferError, counted, displayed
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
    distinct_types,
    fields_by_name,
    group_by_schema,
    merge_fields,
    without_hash,
)
from mdfactory.frames.pandas_metadata import (
    HASH_COLUMN,
    PANDAS_KEY,
    range_values,
    ranges_of,
    read_pandas_metadata,
    stacked_metadata,
)
from mdfactory.records.arrow import Column, array, null_bytes, nulls
from mdfactory.records.ipc import max_bytes

HASH_FIELD: Final = pa.field(HASH_COLUMN, pa.string(), nullable=False)

PANDAS_NOTE: Final = (
    "the index, dtypes and column names of pandas: dropped, because the frames differ"
)

UNIT_KEY: Final = b"unit"
"""Key of the unit in the metadata of a field."""

MAX_HASH_CHARACTERS: Final = 64
"""Upper bound of the length of a hash; those of this package have 40 digits."""

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
    range_columns
        Names of the last columns, which have the numbers of index levels that are ranges. They are
        no columns of the frames, or not of all.
    """

    schema: pa.Schema
    changes: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    by_name: bool = False
    range_columns: tuple[str, ...] = ()

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
            If the frame does not have the schema that was given for it, or `hash_` is no hash.
        """
        frame = self._with_ranges(frame)
        names, types = without_hash(frame.schema.names, self.names), frame.schema.types
        columns: Sequence[Column] = frame.columns
        if self.by_name:
            matches = len(names) == len({*names}) and {*names} <= {*self.schema.names}
        else:
            matches = [names, types] == [self.schema.names[1:], self.schema.types[1:]]
        if not matches:
            raise FrameCorruptError(f"record {hash_}: the frame does not match its stored schema")
        if self.by_name:
            own, missing = dict(zip(names, frame.columns, strict=True)), pa.nulls(frame.num_rows)
            fields = list(self.schema)[1:]
            columns = [own.get(field.name, missing) for field in fields]
            _check_nulls(frame, columns, fields, hash_)
            columns = [_converted(*pair, hash_) for pair in zip(columns, fields, strict=True)]
        hashes = _hash_column(hash_, frame.num_rows)
        return pa.Table.from_arrays([hashes, *columns], schema=self.schema)

    def with_units(self, units: Mapping[str, str]) -> Stack:
        """Return the stack with units in the metadata of its fields.

        Parameters
        ----------
        units
            Name of a column in the stack -> its unit.
        """
        fields = [
            _with_unit(field, units[field.name]) if field.name in units else field
            for field in self.schema
        ]
        return replace(self, schema=pa.schema(fields, self.schema.metadata))  # type: ignore[arg-type]  # the stubs: bytes or text

    def _with_ranges(self, frame: pa.Table) -> pa.Table:
        """Return a frame with the numbers of those index levels that are ranges as columns."""
        if frame.num_columns + len(self.range_columns) >= len(self.schema):
            return frame
        levels = ranges_of(read_pandas_metadata(frame.schema)) or [{}]
        for name, level in zip(self.range_columns, levels, strict=False):
            frame = frame.append_column(
                name, array(range_values(level, frame.num_rows), pa.int64())
            )
        return frame


def stack(frames: Iterable[tuple[str, pa.Table]], *, union: bool = False) -> Stack:
    """Decide the schema of a stack of frames.

    The schemas of frames are the same if their columns have the same names and types in the same
    order. Ordered categories must have the same order. If pandas does not read them alike, the
    stack has no pandas metadata.

    Parameters
    ----------
    frames
        Hash of each simulation, and its frame, with or without rows.
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
        return Stack(pa.schema([HASH_FIELD]))
    if len(groups) > 1 and not union:
        raise SchemasDifferError(schema_differences(groups))
    names = frozenset(name for group in groups for name in group.schema.names)
    for group in groups:
        renamed = map(pa.Field.with_name, group.schema, without_hash(group.schema.names, names))
        group.schema = pa.schema(list(renamed)).with_metadata(group.schema.metadata)
    if len(groups) > 1:
        schema, changes = _union(groups)
        return Stack(schema, tuple(changes), names, by_name=True)
    (group,) = groups
    return _stack_of_group(group, names)


def _stack_of_group(group: SchemaGroup, names: frozenset[str]) -> Stack:
    """Return the stack of frames whose columns are the same; they have these names."""
    metadata: dict[bytes | str, bytes | str] = dict((group.schema.metadata or {}).items())
    changes, columns = describe_dropped(group.dropped), [*group.schema]
    range_columns = group.range_columns
    if not group.agrees:
        changes = (*changes, PANDAS_NOTE)
    elif group.pandas:
        taken = {*names, *group.schema.names}
        (column,), (label,) = without_hash([HASH_COLUMN], names), without_hash([HASH_COLUMN], taken)
        is_single = len(group.hashes) == 1
        if group.has_custom_range and not is_single:
            range_columns = _range_columns(group, taken)
            columns += [pa.field(name, pa.int64()) for name in range_columns]
        kept = None if is_single else range_columns
        pandas = stacked_metadata(group.pandas, column, label, kept)
        metadata[PANDAS_KEY] = json.dumps(pandas).encode()
    schema = pa.schema([HASH_FIELD, *columns], metadata or None)
    return Stack(schema, changes, names, range_columns=range_columns)


def _range_columns(group: SchemaGroup, names: Iterable[str]) -> tuple[str, ...]:
    """Return names of no other columns for the numbers of index levels that are ranges."""
    taken, columns = {*names, HASH_COLUMN, "None"}, []
    for level in ranges_of(group.pandas):
        numbered = (f"__index_level_{number}__" for number in count())
        names = chain([str(level.get("name"))], numbered)
        columns.append(next(name for name in names if name not in taken))
        taken.add(columns[-1])
    return tuple(columns)


def _with_unit(field: pa.Field[pa.DataType], unit: str) -> pa.Field[pa.DataType]:
    metadata: dict[bytes | str, bytes | str] = dict((field.metadata or {}).items())
    # JSON may have half a character, which has no UTF-8
    return field.with_metadata(metadata | {UNIT_KEY: unit.encode(errors="replace")})


def _hash_column(hash_: str, rows: int) -> pa.ChunkedArray[Any]:
    """Return a column that repeats one hash.

    Its chunks share one array, so the column takes little memory. A single array of many rows
    could exceed the 2 GiB of text that an Arrow string array can hold.

    Raises
    ------
    FrameCorruptError
        If the hash is much longer than any: another program has stored it.
    """
    if len(hash_) > MAX_HASH_CHARACTERS:
        raise FrameCorruptError(f"the hash of a record has {len(hash_):,} characters")
    chunk = pa.repeat(array([hash_], pa.string())[0], min(rows, SHARED_HASH_ROWS))
    full_chunks, remaining_rows = divmod(rows, SHARED_HASH_ROWS)
    return pa.chunked_array([*[chunk] * full_chunks, chunk.slice(0, remaining_rows)], pa.string())


def _check_nulls(
    frame: pa.Table,
    columns: Sequence[Column],
    fields: Sequence[pa.Field[pa.DataType]],
    hash_: str,
) -> None:
    """Check that the nulls which a frame gets do not take much more memory than the frame.

    A null of a fixed width takes as much memory as a value, and a type may have any width.
    """
    pairs = zip(columns, fields, strict=True)
    width = sum(null_bytes(field.type) for column, field in pairs if pa.types.is_null(column.type))
    if (size := width * frame.num_rows) > max_bytes(frame.get_total_buffer_size()):
        rows = counted(frame.num_rows, "row")
        reason = f"the columns that it lacks would take {size:,} bytes of nulls"
        raise SchemasDifferError([([hash_], f"{rows}, {width:,} bytes each")], reason)


def _converted(column: Column, field: pa.Field[pa.DataType], hash_: str) -> Column:
    """Return a column of the frame of a simulation in the type that a field of its stack has."""
    try:
        return _cast(column, field.type)
    except pa.ArrowException as error:
        conversion = f"{displayed(field.name)} {column.type}, converted to {field.type}"
        raise SchemasDifferError([([hash_], conversion)], str(error)) from error


def _cast(column: Column, data_type: pa.DataType) -> Column:
    if column.type == data_type:
        return column
    if pa.types.is_null(column.type):
        return nulls(len(column), data_type)
    return column.cast(data_type)


def _union(groups: Sequence[SchemaGroup]) -> tuple[pa.Schema, list[str]]:
    """Decide the schema of a stack of frames whose columns differ, and describe the changes."""
    if duplicates := duplicate_columns(groups):  # a union matches columns by their names
        raise SchemasDifferError(duplicates, "several columns have the same name")
    dropped = {name for group in groups for name in group.dropped}
    metadata = common_metadata([group.schema.metadata for group in groups], dropped)
    schema = pa.schema([HASH_FIELD, *_union_columns(groups, dropped)], metadata)
    changes = [*describe_promotions(groups, schema), *describe_dropped(dropped)]
    if not all(group.agrees and group.layout.is_default for group in groups):
        changes.append(PANDAS_NOTE)
    return schema, changes


def _union_columns(groups: Sequence[SchemaGroup], dropped: set[str]) -> list[pa.Field[pa.DataType]]:
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
    if errors:
        (name, cause), *others = errors.items()
        and_others = f" and {counted(len(others), 'other column')}" if others else ""
        reason = f"Arrow has no common type for {displayed(name)}{and_others}: {cause}"
        raise SchemasDifferError(types_of_columns(groups, errors), reason) from cause
    return columns


def _promoted(types: Sequence[pa.DataType]) -> pa.DataType:
    """Return the type that Arrow promotes these types to.

    Raises
    ------
    pyarrow.ArrowException
        If there is no such type, or Arrow cannot cast to it.
    """
    schemas = [pa.schema([("", data_type)]) for data_type in types]
    (promoted,) = pa.unify_schemas(schemas, promote_options="permissive").types
    if null_bytes(promoted) > max_bytes(0):
        raise pa.ArrowInvalid(f"a null of {promoted} takes {null_bytes(promoted):,} bytes")
    for data_type in types:
        _cast(nulls(1, data_type), promoted)
    return promoted
