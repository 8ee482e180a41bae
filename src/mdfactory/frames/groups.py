"""Groups of simulations whose frames have the same schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pyarrow as pa

from mdfactory.frames.pandas_metadata import (
    HASH_COLUMN,
    PANDAS_KEY,
    PandasLayout,
    PandasMetadata,
    has_custom_range,
    is_range,
    pandas_layout,
    read_pandas_metadata,
    rename_hash_entry,
    rename_hash_level,
    with_common_attributes,
    with_hash_column,
)


@dataclass(slots=True)
class SchemaGroup:
    """Simulations whose frames have the same schema.

    Parameters
    ----------
    schema
        The columns, with the column metadata that all frames share.
    pandas
        The pandas metadata of one frame, with the attributes that all frames share.
    layout
        How pandas reads the columns.
    metadata
        The other metadata of the schema that all frames share.
    ordered
        For each column, its categories as text if they are ordered, else empty.
    hashes
        Hashes of the simulations.
    dropped
        Names of metadata that the frames don't share.
    has_custom_range
        Whether a frame has an index with a range of numbers other than 0, 1, 2, ...
    """

    schema: pa.Schema
    pandas: PandasMetadata
    layout: PandasLayout
    metadata: dict[bytes, bytes]
    ordered: tuple[str, ...]
    hashes: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    has_custom_range: bool = False

    def add(self, hash_: str, schema: pa.Schema, pandas: PandasMetadata) -> None:
        """Add a simulation, and drop the metadata that its frame does not share."""
        self.hashes.append(hash_)
        self.metadata = common_metadata(self.metadata, _other_metadata(schema), self.dropped)
        self.pandas = with_common_attributes(self.pandas, pandas, self.dropped)
        self.has_custom_range |= has_custom_range(pandas.get("index_columns", ()))
        columns = schema.remove_metadata()
        if not columns.equals(self.schema, check_metadata=True):
            pairs = zip(self.schema, columns, strict=True)
            self.schema = pa.schema([merge_fields(pair, self.dropped) for pair in pairs])

    def rename_hash(self, names: frozenset[str]) -> None:
        """Rename columns that are called ``hash``, in the schema and in the pandas metadata.

        Parameters
        ----------
        names
            Column names of all groups; no column gets one of them as its new name.
        """
        *renamed, label = without_hash([*self.schema.names, HASH_COLUMN], names)
        pairs = list(zip(self.schema, renamed, strict=True))
        new_name = next((name for column, name in pairs if column.name == HASH_COLUMN), label)
        self.schema = pa.schema([column.with_name(name) for column, name in pairs])
        if self.pandas:
            entries, levels = self.pandas["columns"], self.pandas["index_columns"]
            columns = [rename_hash_entry(entry, new_name, label) for entry in entries]
            index = [rename_hash_level(level, new_name, label) for level in levels]
            self.pandas = {**self.pandas, "columns": columns, "index_columns": index}

    def stacked_pandas(self) -> PandasMetadata:
        """Return the pandas metadata of a stack of all frames of this group."""
        if not self.pandas:
            return {}
        is_single, index = len(self.hashes) == 1, self.pandas["index_columns"]
        # a range numbers the rows of one frame, not those of a stack of several
        index = [level for level in index if is_single or not is_range(level)]
        return with_hash_column({**self.pandas, "index_columns": index})

    def ordered_categories(self, name: str) -> str | None:
        """Return the ordered categories of a column; None if the frames have no such column."""
        position = self.schema.get_field_index(name)
        return None if position < 0 else self.ordered[position]


def group_by_schema(frames: Iterable[tuple[str, pa.Schema | pa.Table]]) -> list[SchemaGroup]:
    """Return the groups of frames that have the same schema, in the order of their first frames.

    Parameters
    ----------
    frames
        As for `frames.stack.stack`.
    """
    groups: list[SchemaGroup] = []
    # types are not part of the key: equal types, such as list<item> and list<element>, may have
    # different Python hashes
    candidates: dict[object, list[SchemaGroup]] = {}
    for hash_, frame in frames:
        schema = frame if isinstance(frame, pa.Schema) else frame.schema
        pandas, ordered = read_pandas_metadata(schema), _ordered_categories(frame)
        layout, types = pandas_layout(schema, pandas), schema.types
        similar = candidates.setdefault((tuple(schema.names), layout, ordered), [])
        group = next((group for group in similar if group.schema.types == types), None)
        if group is None:
            columns, metadata = schema.remove_metadata(), _other_metadata(schema)
            group = SchemaGroup(columns, pandas, layout, metadata, ordered)
            groups.append(group)
            similar.append(group)
        group.add(hash_, schema, pandas)
    return groups


def _ordered_categories(frame: pa.Schema | pa.Table) -> tuple[str, ...]:
    """Return for each column its categories as text if they are ordered, else an empty text."""
    if isinstance(frame, pa.Schema):
        return ("",) * len(frame)
    return tuple(map(_categories_in_order, frame.columns))


def _categories_in_order(column: pa.ChunkedArray[Any]) -> str:
    chunk = column.chunks[0] if column.num_chunks else None
    if isinstance(chunk, pa.DictionaryArray) and column.type.ordered:
        return str(chunk.dictionary.to_pylist())
    return ""


def _other_metadata(schema: pa.Schema) -> dict[bytes, bytes]:
    """Return the metadata of a schema without that of pandas."""
    return {key: value for key, value in (schema.metadata or {}).items() if key != PANDAS_KEY}


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


def common_metadata(
    first: dict[bytes, bytes], second: dict[bytes, bytes], dropped: set[str], of: str = ""
) -> dict[bytes, bytes]:
    """Return the metadata that two schemas or columns share.

    Parameters
    ----------
    first, second
        The metadata.
    dropped
        Set to which the keys of the other metadata are added.
    of
        Text to append to these keys, such as `` of x``.
    """
    if first == second:
        return first
    differing = {key for key, _ in first.items() ^ second.items()}
    dropped |= {displayed(key.decode(errors="replace")) + of for key in differing}
    return {key: value for key, value in first.items() if key not in differing}


def merge_fields(
    fields: Iterable[pa.Field[pa.DataType]], dropped: set[str]
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
    first, *others = fields
    metadata, nullable = dict(first.metadata or {}), first.nullable
    of = f" of {displayed(first.name)}"
    for other in others:
        metadata = common_metadata(metadata, dict(other.metadata or {}), dropped, of)
        nullable = nullable or other.nullable
    merged = first.with_nullable(nullable)
    return merged.with_metadata(dict(metadata.items())) if metadata else merged.remove_metadata()


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


def displayed(name: str) -> str:
    """Return a name as messages show it.

    The name is quoted if it is empty, begins with a character that is no letter, digit or
    underscore, or contains unprintable characters or unusual whitespace.
    """
    is_plain = re.fullmatch(r"[^\W](\S| \S)*", name) and name.isprintable()
    return name if is_plain else repr(name)
