"""Columns of a frame as plots see them: kinds of values, names, and levels of the index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import pyarrow as pa

from mdfactory.frames.pandas_metadata import (
    GENERATED_NAME,
    PANDAS_KEY,
    PandasMetadata,
    arrow_name,
    is_default_index,
    is_range,
    level_name,
    range_values,
    read_pandas_metadata,
)
from mdfactory.frames.planning.plan import ColumnKind
from mdfactory.frames.planning.units import split_name

KINDS_BY_TEST: Final = (
    (pa.types.is_integer, ColumnKind.number),
    (pa.types.is_floating, ColumnKind.number),
    (pa.types.is_decimal, ColumnKind.number),
    (pa.types.is_boolean, ColumnKind.boolean),
    (pa.types.is_string, ColumnKind.text),
    (pa.types.is_large_string, ColumnKind.text),
    (pa.types.is_string_view, ColumnKind.text),
    (pa.types.is_timestamp, ColumnKind.timestamp),
    (pa.types.is_date, ColumnKind.timestamp),
    (pa.types.is_duration, ColumnKind.duration),
    (pa.types.is_null, ColumnKind.nothing),
)


NUMERIC_KINDS: Final = frozenset({ColumnKind.number, ColumnKind.duration})


@lru_cache(maxsize=1024)
def kind_of(data_type: pa.DataType) -> ColumnKind:
    """Return the kind of the values of a type; categories are texts, whatever they hold."""
    if isinstance(data_type, pa.DictionaryType):
        value = kind_of(data_type.value_type)
        plain = value not in {ColumnKind.nothing, ColumnKind.other}
        return ColumnKind.text if plain else value
    return next((kind for test, kind in KINDS_BY_TEST if test(data_type)), ColumnKind.other)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the frames of an analysis.

    Parameters
    ----------
    name
        Arrow name.
    label
        Name of the index level in pandas, else the Arrow name; empty if a level has none.
    kind
        Kind of the values.
    is_integer
        Whether the values are integers.
    is_level
        Whether it is a level of the index.
    """

    name: str
    label: str
    kind: ColumnKind
    is_integer: bool = False
    is_level: bool = False

    @property
    def base(self) -> str:
        """The label in lower case without its unit."""
        return split_name(self.label)[0]

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.kind in NUMERIC_KINDS


@lru_cache(maxsize=256)
def _metadata_of(text: bytes) -> PandasMetadata:
    return read_pandas_metadata(pa.schema([], {PANDAS_KEY: text}))


def pandas_metadata_of(schema: pa.Schema) -> PandasMetadata:
    """Return the pandas metadata of a schema; equal metadata is read once."""
    text = (schema.metadata or {}).get(PANDAS_KEY)
    return _metadata_of(text) if text else {}


def with_levels(frame: pa.Table) -> pa.Table:
    """Return a frame in which levels of the index that are named ranges of numbers are columns.

    pandas stores a range as three numbers in its metadata, and not as a column.
    """
    index = pandas_metadata_of(frame.schema).get("index_columns", ())
    if is_default_index(index):
        return frame
    for level in filter(is_range, index):
        label = level.get("name")
        if isinstance(label, str) and label and label not in frame.schema.names:
            numbers = range_values(level, frame.num_rows)
            frame = frame.append_column(label, pa.array(numbers, pa.int64()))
    return frame


def columns_of(frame: pa.Table) -> list[Column]:
    """Return the columns of a frame that has its levels, those of the index first.

    Columns whose name is empty or occurs twice are left out, since a plan cannot name them.
    """
    schema = frame.schema
    levels = level_labels(schema)
    often = Counter(schema.names)
    columns = [
        Column(
            field.name,
            levels.get(field.name, field.name),
            kind_of(field.type),
            is_integer=pa.types.is_integer(field.type),
            is_level=field.name in levels,
        )
        for field in schema
        if field.name and often[field.name] == 1
    ]
    return sorted(columns, key=lambda column: not column.is_level)


def level_labels(schema: pa.Schema) -> Mapping[str, str]:
    """Return the label of each index level by its Arrow name; empty if it has none."""
    text = (schema.metadata or {}).get(PANDAS_KEY)
    return _labels_of(text) if text else {}


@lru_cache(maxsize=256)
def _labels_of(text: bytes) -> Mapping[str, str]:
    metadata = _metadata_of(text)
    entries = {arrow_name(entry) for entry in metadata.get("columns", ())}
    labels: dict[str, str] = {}
    for level in metadata.get("index_columns", ()):
        if is_range(level):
            labels[str(level.get("name"))] = str(level.get("name"))
        elif level in entries:
            label = level_name(metadata, level)
            labels[level] = "" if label is None or isinstance(label, dict | list) else str(label)
    return labels


def is_unnamed(column: Column) -> bool:
    """Whether a column is a level of the index without a name: a number of the row."""
    return column.is_level and not column.label


def is_generated(column: Column) -> bool:
    """Whether pandas made the Arrow name of a level, since another column has its name."""
    return bool(GENERATED_NAME.fullmatch(column.name))
