"""Groups of simulations whose frames have the same schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pyarrow as pa

from mdfactory.errors import displayed
from mdfactory.frames.json_types import valid_text
from mdfactory.frames.pandas_metadata import (
    HASH_COLUMN,
    PANDAS_KEY,
    PandasLayout,
    PandasMetadata,
    has_custom_range,
    level_name,
    pandas_layout,
    ranges_of,
    read_pandas_metadata,
)


@dataclass(slots=True)
class SchemaGroup:
    """Simulations whose frames have the same schema.

    Parameters
    ----------
    schema
        The columns, with the metadata that all frames share, but without that of pandas.
    pandas
        The pandas metadata of one frame, with the attributes that all frames share.
    layout
        How pandas reads the columns.
    ordered
        For each column, its categories as text if they are ordered, else empty.
    hashes
        Hashes of the simulations.
    dropped
        Names of metadata that the frames don't share.
    agrees
        Whether pandas reads the columns of all frames alike.
    has_custom_range
        Whether a frame has an index with a range of numbers other than 0, 1, 2, ...
    range_columns
        The index level that is a column of some frames, and a range of numbers in the others.
    """

    schema: pa.Schema
    pandas: PandasMetadata
    layout: PandasLayout
    ordered: tuple[str, ...]
    hashes: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    agrees: bool = True
    has_custom_range: bool = False
    range_columns: tuple[str, ...] = ()

    def add(
        self, hash_: str, schema: pa.Schema, pandas: PandasMetadata, layout: PandasLayout
    ) -> None:
        """Add a simulation, and drop the metadata that its frame does not share."""
        self.hashes.append(hash_)
        self.agrees &= layout == self.layout
        self.has_custom_range |= has_custom_range(pandas)
        self._keep_common(schema, pandas)

    def join(self, other: SchemaGroup) -> None:
        """Add the simulations of a group whose frames only lack the last column."""
        self.hashes += other.hashes
        self.dropped |= other.dropped
        self.range_columns = tuple(self.schema.names[-1:])
        self._keep_common(other.schema.append(self.schema.field(-1)), other.pandas)

    def _keep_common(self, schema: pa.Schema, pandas: PandasMetadata) -> None:
        """Drop the metadata that another frame does not share."""
        self._keep_common_attributes(pandas)
        if not schema.equals(self.schema, check_metadata=True):
            fields = zip(self.schema, schema, strict=True)
            metadata = common_metadata([self.schema.metadata, schema.metadata], self.dropped)
            self.schema = pa.schema([merge_fields(pair, self.dropped) for pair in fields], metadata)

    def _keep_common_attributes(self, pandas: PandasMetadata) -> None:
        """Keep the attributes that another frame has, too."""
        own, others = (part.get("attributes") or {} for part in (self.pandas, pandas))
        self.pandas = self.pandas or pandas
        if own != others:
            common = common_items(own, others)
            self.dropped |= {f"attribute {displayed(name)}" for name in {*own, *others} - {*common}}
            self.pandas = {**self.pandas, "attributes": common}


def group_by_schema(frames: Iterable[tuple[str, pa.Table]]) -> list[SchemaGroup]:
    """Return the groups of frames that have the same schema, in the order of their first frames.

    Parameters
    ----------
    frames
        As for `frames.stack.stack`.
    """
    groups: list[tuple[object, SchemaGroup]] = []
    for hash_, frame in frames:
        pandas = read_pandas_metadata(frame.schema)
        layout = pandas_layout(frame.schema, pandas)
        ordered = tuple(map(_categories_in_order, frame.columns))
        # a list, not a dictionary: equal types, such as list<item> and list<element>, may have
        # different Python hashes
        key = (frame.schema.names, ordered, frame.schema.types)
        metadata = {**(frame.schema.metadata or {})}
        metadata.pop(PANDAS_KEY, None)
        schema = frame.schema.with_metadata(metadata)
        group = next((group for own_key, group in groups if own_key == key), None)
        if group is None:
            group = SchemaGroup(schema, pandas, layout, ordered)
            groups.append((key, group))
        group.add(hash_, schema, pandas, layout)
    return _join_ranges([group for _, group in groups])


def _join_ranges(groups: list[SchemaGroup]) -> list[SchemaGroup]:
    """Join frames whose index is a range of numbers with those that store the same level.

    pandas stores the index as a column only after rows were removed, for example.
    """
    for group in groups if len(groups) > 1 else ():
        others = [other for other in groups if group.agrees and _is_range_of(other, group)]
        for other in others:
            group.join(other)
        groups = [own for own in groups if own not in others]
    return groups


def _is_range_of(group: SchemaGroup, stored: SchemaGroup) -> bool:
    """Whether frames differ from others only in that their index is a range of numbers."""
    index, names = group.pandas.get("index_columns", ()), stored.schema.names
    own, layout = group.layout, stored.layout
    return (
        group.agrees
        and len(index) == len(ranges_of(group.pandas)) == 1
        and layout.index == (*names[-1:],)
        and stored.schema.types[-1:] == [pa.int64()]
        and (names[:-1], stored.schema.types[:-1]) == (group.schema.names, group.schema.types)
        and (stored.ordered[:-1], layout.columns[:-1]) == (group.ordered, own.columns)
        and layout.labels == own.labels
        and level_name(stored.pandas, names[-1]) == index[0].get("name")
    )


def _categories_in_order(column: pa.ChunkedArray[Any]) -> str:
    """Return the categories of a column as text if they are ordered, else an empty text."""
    chunk = column.chunks[0] if column.num_chunks else None
    if isinstance(chunk, pa.DictionaryArray) and column.type.ordered:
        values = chunk.dictionary
        is_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
        return str((values if is_number else valid_text(values)).to_pylist())
    return ""


def without_hash(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Return column names in which ``hash_1``, ``hash_2``, ... replace ``hash``.

    Parameters
    ----------
    names
        The names of columns.
    taken
        Names that no column may get.
    """
    unavailable = {*taken}
    numbered = (f"{HASH_COLUMN}_{number}" for number in count(1))
    free = (name for name in numbered if name not in unavailable)
    return [next(free) if name == HASH_COLUMN else name for name in names]


def common_items(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items that two mappings share; values from JSON are compared as JSON."""
    return {
        key: value
        for key, value in first.items()
        if key in second and json.dumps(value) == json.dumps(second[key])
    }


def common_metadata(
    all_metadata: Iterable[Mapping[bytes, bytes] | None], dropped: set[str], of: str = ""
) -> dict[bytes | str, bytes | str] | None:
    """Return the metadata that several schemas or columns share; None if there is none.

    Parameters
    ----------
    all_metadata
        The metadata of each.
    dropped
        Set to which the keys of the other metadata are added.
    of
        Text to append to these keys, such as `` of x``.
    """
    first, *others = (metadata or {} for metadata in all_metadata)
    differing = {key for other in others for key, _ in first.items() ^ other.items()}
    dropped |= {displayed(key.decode(errors="replace")) + of for key in differing}
    return {key: value for key, value in first.items() if key not in differing} or None


def merge_fields(
    fields: Sequence[pa.Field[pa.DataType]], dropped: set[str]
) -> pa.Field[pa.DataType]:
    """Return one field for fields of the same name and type.

    It is nullable if one of them is, and has the metadata that all share.

    Parameters
    ----------
    fields
        The fields, at least one.
    dropped
        Set to which the names of metadata that they don't share are added.
    """
    of = f" of {displayed(fields[0].name)}"
    metadata = common_metadata([column.metadata for column in fields], dropped, of)
    merged = fields[0].with_nullable(any(column.nullable for column in fields))
    return merged.with_metadata(metadata) if metadata else merged.remove_metadata()


def fields_by_name(groups: Iterable[SchemaGroup]) -> dict[str, list[pa.Field[pa.DataType]]]:
    """Return the fields of all groups by their names, in the order of their first group."""
    fields: dict[str, list[pa.Field[pa.DataType]]] = {}
    for group in groups:
        for column in group.schema:
            fields.setdefault(column.name, []).append(column)
    return fields


def distinct_types(fields: Iterable[pa.Field[pa.DataType]]) -> list[pa.DataType]:
    """Return the types of fields without repetitions, in the order of the fields."""
    types: list[pa.DataType] = []
    for column in fields:
        types += [] if column.type in types else [column.type]
    return types
