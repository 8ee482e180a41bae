"""Reading and editing of the JSON that pandas stores in the metadata of an Arrow schema.

Format: https://pandas.pydata.org/docs/development/developer.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

HASH_COLUMN: Final = "hash"
"""The first column of a stack."""

PANDAS_KEY: Final = b"pandas"
"""The key of the JSON in the metadata of a schema."""

TEXT_DTYPES: Final = {"pandas_type": "unicode", "numpy_type": "object"}

DTYPES_IMPLIED_BY_ARROW: Final = re.compile(
    r"(object|str|bool|float(16|32|64)|u?int(8|16|32|64)|(datetime|timedelta)64\[(s|ms|us|ns)\])?"
)
"""pandas dtypes that have no effect on reading, since pandas derives them from the Arrow type."""

PandasMetadata = dict[str, Any]
"""The JSON as a dictionary; empty if the schema has none."""


@dataclass(frozen=True, slots=True)
class PandasLayout:
    """The parts of the pandas metadata that change how pandas reads the columns.

    Parameters
    ----------
    index
        Columns that are levels of the index.
    columns
        For each column, its name in pandas as JSON if it differs from the Arrow name, and its
        pandas dtype if the Arrow type does not imply it; else empty strings.
    levels
        Names of the levels of the column index as JSON; empty if none has a name.
    """

    index: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    levels: str

    @property
    def is_default(self) -> bool:
        """Whether pandas reads the columns alike without the metadata."""
        return not (self.index or self.levels or any(map(any, self.columns)))


def with_common_attributes(
    first: PandasMetadata, second: PandasMetadata, dropped: set[str]
) -> PandasMetadata:
    """Return the metadata of the first frame, without attributes if those of the second differ.

    Parameters
    ----------
    first, second
        Metadata of two frames; if the first is empty, the second is used in its place.
    dropped
        Set to which a name for the dropped attributes is added.
    """
    if (first.get("attributes") or None) == (second.get("attributes") or None):
        return first or second
    dropped.add("attributes of pandas")
    return {**(first or second), "attributes": {}}


def read_pandas_metadata(schema: pa.Schema) -> PandasMetadata:
    """Return the pandas metadata of a schema; empty if pandas itself could not read it."""
    text = (schema.metadata or {}).get(PANDAS_KEY)
    if text is None:
        return {}
    try:
        metadata = {"column_indexes": [], **json.loads(text)}
        is_readable = (
            all(
                "name" in entry and isinstance(arrow_name(entry), str)
                for entry in metadata["columns"]
            )
            and all("name" in entry for entry in metadata["column_indexes"])
            and all(not is_range(level) or "kind" in level for level in metadata["index_columns"])
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return metadata if is_readable else {}


def arrow_name(entry: Mapping[str, Any]) -> Any:
    """Return the Arrow name of a column from its entry; old pandas versions store one name only."""
    name = entry.get("field_name")
    return entry["name"] if name is None else name


def pandas_layout(schema: pa.Schema, metadata: PandasMetadata) -> PandasLayout:
    """Return how pandas reads the columns of a schema that has this pandas metadata."""
    entries = {arrow_name(entry): entry for entry in metadata.get("columns", ())}
    names = {*schema.names}
    index = [level for level in metadata.get("index_columns", ()) if not is_range(level)]
    levels = [entry["name"] for entry in metadata.get("column_indexes", ())]
    return PandasLayout(
        tuple(name for name in index if name in names and name in entries),
        tuple(_column_layout(column, entries.get(column.name)) for column in schema),
        "" if levels in ([], [None]) else json.dumps(levels),
    )


def _column_layout(
    column: pa.Field[pa.DataType], entry: Mapping[str, Any] | None
) -> tuple[str, str]:
    if entry is None:
        return "", ""
    name = "" if entry["name"] == column.name else json.dumps(entry["name"])
    dtype = str(entry.get("numpy_type", ""))
    if entry.get("pandas_type") == "datetimetz" and pa.types.is_timestamp(column.type):
        zone = (entry.get("metadata") or {}).get("timezone")
        return name, "" if zone in {None, column.type.tz} else f"{dtype} in {zone}"
    return name, "" if DTYPES_IMPLIED_BY_ARROW.fullmatch(dtype) else dtype


def has_custom_range(index: Sequence[Any]) -> bool:
    """Whether an index has a range of numbers other than the default one, 0, 1, 2, ..."""
    ranges = filter(is_range, index)
    properties = [[level.get(key) for key in ("name", "start", "step")] for level in ranges]
    return bool(properties) and (len(index) > 1 or properties != [[None, 0, 1]])


def is_range(level: Any) -> bool:
    """Whether a level of the index is a range of numbers, and not a column."""
    return not isinstance(level, str)


def stacked_metadata(
    metadata: PandasMetadata, column: str, label: str, *, is_single: bool
) -> PandasMetadata:
    """Return the pandas metadata of a stack, with an entry of its first column, ``hash``.

    Column names that are numbers or times become text, as in pandas if any column name is text.

    Parameters
    ----------
    metadata
        The metadata of the frames; not empty.
    column
        The new name of an Arrow column of the frames that is called ``hash``.
    label
        The new name of what only pandas calls ``hash``.
    is_single
        Whether the stack has one frame. Otherwise ranges in the index are dropped: they number
        the rows of one frame.
    """

    def relabelled(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {**entry, "name": label} if entry.get("name") == HASH_COLUMN else {**entry}

    index = [
        relabelled(level) if is_range(level) else column if level == HASH_COLUMN else level
        for level in metadata["index_columns"]
        if is_single or not is_range(level)
    ]
    levels = [
        level if level.get("pandas_type") in {"unicode", "string"} else {**level, **TEXT_DTYPES}
        for level in metadata["column_indexes"]
    ]
    name = HASH_COLUMN
    if len(levels) > 1:  # pandas writes a name of several levels as the text of a tuple
        name = str((HASH_COLUMN, *[""] * (len(levels) - 1)))
    first = {"name": name, "field_name": HASH_COLUMN, **TEXT_DTYPES, "metadata": None}
    columns = [
        {**entry, "name": column, "field_name": column}
        if arrow_name(entry) == HASH_COLUMN
        else relabelled(entry)
        for entry in metadata["columns"]
    ]
    edited = {"columns": [first, *columns], "index_columns": index, "column_indexes": levels}
    return {**metadata, **edited}
