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

TEXT_KINDS: Final = {"unicode", "string", "empty", None}
"""``pandas_type`` of column labels that are text. Labels of mixed types are read as text, too."""

LABEL_KEYS: Final = ("pandas_type", "numpy_type", "metadata")
"""Keys of the type of a level of labels."""

OWN_KEY: Final = "mdfactory"
"""Key of what this package adds to the JSON, see `frames.labels`; other programs ignore it."""

INTEGER_DTYPES: Final = {"pandas_type": "int64", "numpy_type": "int64"}

MAX_INTEGER: Final = 2**63

DTYPES_IMPLIED_BY_ARROW: Final = re.compile(
    r"(object|str|bool|float(16|32|64)|u?int(8|16|32|64)|(datetime|timedelta)64\[(s|ms|us|ns)\])?"
)
"""pandas dtypes that have no effect on reading, since pandas derives them from the Arrow type."""

GENERATED_NAME: Final = re.compile(r"__index_level_\d+__")
"""Arrow name of an index level that has no name."""

PandasMetadata = dict[str, Any]
"""The JSON as a dictionary; empty if the schema has none."""


@dataclass(frozen=True, slots=True)
class PandasLayout:
    """The parts of the pandas metadata that change how pandas reads the columns.

    Parameters
    ----------
    index
        For each level of the index, its column, or the name of a range of numbers as JSON; empty
        if the rows are numbered from 0.
    columns
        For each column, its name in pandas as JSON if it differs from the Arrow name, and its
        pandas dtype if the Arrow type does not imply it; else empty strings.
    labels
        Names and types of the levels of the column labels, and names of index levels that are not
        text, as JSON; empty if the labels are text of one level without a name.
    """

    index: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    labels: str

    @property
    def is_default(self) -> bool:
        """Whether pandas reads the columns alike without the metadata."""
        return not (self.index or self.labels or any(map(any, self.columns)))


def read_pandas_metadata(schema: pa.Schema) -> PandasMetadata:
    """Return the pandas metadata of a schema; empty if pandas itself could not read it."""
    text = (schema.metadata or {}).get(PANDAS_KEY)
    if text is None:
        return {}
    try:
        metadata = {"column_indexes": [], **json.loads(text)}
        return metadata if _is_readable(metadata) else {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _is_readable(metadata: PandasMetadata) -> bool:
    columns, levels, index = (
        metadata[key] for key in ("columns", "column_indexes", "index_columns")
    )
    own, attributes = metadata.get(OWN_KEY, {}), metadata.get("attributes") or {}
    return (
        all(isinstance(part, dict) for part in (own, attributes))
        and all(isinstance(part, list) for part in (columns, levels, index))
        and all("name" in entry and isinstance(arrow_name(entry), str) for entry in columns)
        and all(isinstance(entry, dict) and "name" in entry for entry in levels)
        and all(isinstance(level, str) or "kind" in level.keys() for level in index)  # noqa: SIM118  # no list
    )


def arrow_name(entry: Mapping[str, Any]) -> Any:
    """Return the Arrow name of a column from its entry; old pandas versions store one name only."""
    name = entry.get("field_name")
    return entry["name"] if name is None else name


def level_name(metadata: PandasMetadata, column: str) -> Any:
    """Return the name of the index level that a column holds; None if it has none."""
    name = next(e["name"] for e in metadata["columns"] if arrow_name(e) == column)
    return None if name == column and GENERATED_NAME.fullmatch(column) else name


def pandas_layout(schema: pa.Schema, metadata: PandasMetadata) -> PandasLayout:
    """Return how pandas reads the columns of a schema that has this pandas metadata."""
    entries = {arrow_name(entry): entry for entry in metadata.get("columns", ())}
    names = {*schema.names}
    index = metadata.get("index_columns", ())
    levels = [
        json.dumps([level.get("name")]) if is_range(level) else level
        for level in index
        if is_range(level) or (level in names and level in entries)
    ]
    return PandasLayout(
        () if levels == [json.dumps([None])] else tuple(levels),
        tuple(_column_layout(column, entries.get(column.name)) for column in schema),
        _label_layout(metadata),
    )


def _label_layout(metadata: PandasMetadata) -> str:
    kinds = [
        [level["name"], *([] if _is_text(level) else map(level.get, LABEL_KEYS))]
        for level in _label_levels(metadata)
    ]
    own = metadata.get(OWN_KEY) or None
    return "" if kinds in ([], [[None]]) and own is None else json.dumps([kinds, own])


def _label_levels(metadata: PandasMetadata) -> list[dict[str, Any]]:
    """Return the levels of the column labels; none if all columns are levels of the index."""
    index = [level for level in metadata.get("index_columns", ()) if not is_range(level)]
    has_labels = len(metadata.get("columns", ())) > len(index)
    return metadata["column_indexes"] if has_labels else []


def has_text_labels(metadata: PandasMetadata) -> bool:
    """Whether all column labels are text of one level, so that a column of text may be added."""
    levels = _label_levels(metadata)
    return len(levels) < 2 and all(map(_is_text, levels))  # noqa: PLR2004


def _is_text(level: Mapping[str, Any]) -> bool:
    kind = level.get("pandas_type")
    return kind in TEXT_KINDS or "mixed" in str(kind)


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


def ranges_of(metadata: PandasMetadata) -> list[dict[str, Any]]:
    """Return the levels of the index that are ranges of numbers, and no columns."""
    return list(filter(is_range, metadata.get("index_columns", ())))


def has_custom_range(metadata: PandasMetadata) -> bool:
    """Whether the index has a range of numbers other than the default one, 0, 1, 2, ..."""
    return bool(ranges_of(metadata)) and not is_default_index(metadata["index_columns"])


def is_default_index(index: Sequence[Any]) -> bool:
    """Whether an index numbers the rows from 0, and has no name."""
    ranges = filter(is_range, index)
    properties = [[level.get(key) for key in ("name", "start", "step")] for level in ranges]
    return len(index) == len(properties) and properties in ([], [[None, 0, 1]])


def is_range(level: Any) -> bool:
    """Whether a level of the index is a range of numbers, and not a column."""
    return not isinstance(level, str)


def range_values(level: Mapping[str, Any], rows: int) -> Sequence[int]:
    """Return the numbers in a level of the index; 0, 1, 2, ... if they do not fit the rows."""
    start, step = level.get("start"), level.get("step")
    if type(start) is int and type(step) is int and step:
        stop = start + rows * step
        if max(abs(start), abs(stop)) < MAX_INTEGER:
            return range(start, stop, step)
    return range(rows)


def stacked_metadata(
    metadata: PandasMetadata, column: str, label: str, range_columns: Sequence[str] | None
) -> PandasMetadata:
    """Return the pandas metadata of a stack, with an entry of its first column, ``hash``.

    The hash is a column if all labels are text of one level; otherwise it is the first level of
    the index, since a column of that name would change the type of all labels.

    Parameters
    ----------
    metadata
        The metadata of the frames; not empty.
    column
        The new name of an Arrow column of the frames that is called ``hash``.
    label
        The new name of what only pandas calls ``hash``.
    range_columns
        Names of the columns with the numbers of index levels that are ranges of numbers. If there
        are none, such levels are dropped, and if it is None, they are kept, as of a single frame.
    """

    def relabelled(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {**entry, "name": label} if entry.get("name") == HASH_COLUMN else {**entry}

    columns = [
        {**entry, "name": column, "field_name": column}
        if arrow_name(entry) == HASH_COLUMN
        else relabelled(entry)
        for entry in metadata["columns"]
    ]
    index: list[Any] = []
    names = iter(range_columns or ())
    for level in metadata["index_columns"]:
        if not is_range(level):
            index.append(column if level == HASH_COLUMN else level)
        elif range_columns is None:
            index.append(relabelled(level))
        elif range_columns:
            index.append(next(names))
            name = relabelled(level).get("name")
            columns.append(_entry(index[-1], INTEGER_DTYPES) | {"name": name})
    first, levels = _entry(HASH_COLUMN, TEXT_DTYPES), metadata["column_indexes"]
    if has_text_labels(metadata):
        levels = [{**level, **TEXT_DTYPES} for level in levels]
        columns = [first, *columns]
    else:
        position = len(columns) - sum(not is_range(level) for level in index)
        columns = [*columns[:position], first, *columns[position:]]
        index = [HASH_COLUMN, *([] if is_default_index(index) else index)]
    edited = {"columns": columns, "index_columns": index, "column_indexes": levels}
    return {**metadata, **edited}


def _entry(name: str, dtypes: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "field_name": name, **dtypes, "metadata": None}
