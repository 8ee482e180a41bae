"""What pandas keeps of a frame, as JSON in the metadata of its Arrow schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

__all__ = [
    "HASH",
    "PANDAS",
    "Meaning",
    "Pandas",
    "column_renamed",
    "common_attributes",
    "entries_of",
    "field_name",
    "is_numbered",
    "is_range",
    "level_renamed",
    "meaning_of",
    "pandas_of",
    "with_hash",
]

HASH: Final = "hash"

PANDAS: Final = b"pandas"

UNICODE: Final = {"pandas_type": "unicode", "numpy_type": "object"}

BY_ARROW: Final = {
    *("", "object", "str", "bool", "float16", "float32", "float64"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(
        f"{kind}64[{unit}]"
        for kind in ("datetime", "timedelta")
        for unit in ("s", "ms", "us", "ns")
    ),
}
"""pandas dtypes that make no difference: reading, pandas goes by the Arrow type."""

Pandas = dict[str, Any]
"""What pandas keeps in the metadata of a schema; empty if it keeps nothing there."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What pandas makes of columns, beyond their Arrow types.

    Parameters
    ----------
    index
        The columns that are levels of the index.
    columns
        Of each column its name, if pandas has another one, and its dtype, if the Arrow type
        does not say it.
    levels
        The names of the levels of the columns' own index.
    """

    index: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    levels: str


def common_attributes(one: Pandas, other: Pandas, lost: set[str]) -> Pandas:
    """Return what is kept of one frame, with the attributes that both have."""
    if (one.get("attributes") or None) == (other.get("attributes") or None):
        return one or other
    lost.add("attributes of pandas")
    return {**(one or other), "attributes": {}}


def pandas_of(schema: pa.Schema) -> Pandas:
    """Return what pandas keeps of a frame; nothing if it could not read that itself."""
    kept = (schema.metadata or {}).get(PANDAS)
    if kept is None:
        return {}
    try:
        read = {"column_indexes": [], **json.loads(kept)}
        sound = (
            all("name" in one and isinstance(field_name(one), str) for one in read["columns"])
            and all("name" in one for one in read["column_indexes"])
            and all(isinstance(one, str) or "kind" in one for one in read["index_columns"])
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
    return read if sound else {}


def field_name(entry: Mapping[str, Any]) -> Any:
    """Return the Arrow name of a column that pandas tells of; of old, both names were one."""
    name = entry.get("field_name")
    return entry["name"] if name is None else name


def entries_of(pandas: Pandas) -> dict[str, dict[str, Any]]:
    """Return the entry of each column by the name of its field."""
    return {field_name(one): one for one in pandas.get("columns", ())}


def meaning_of(schema: pa.Schema, pandas: Pandas) -> Meaning:
    """Return what pandas makes of the columns of a schema."""
    entries, names = entries_of(pandas), {*schema.names}
    index = [one for one in pandas.get("index_columns", ()) if not is_range(one)]
    levels = [one["name"] for one in pandas.get("column_indexes", ())]
    return Meaning(
        tuple(one for one in index if one in names and one in entries),
        tuple(_column_meaning(one, entries.get(one.name)) for one in schema),
        "" if levels in ([], [None]) else json.dumps(levels),
    )


def _column_meaning(
    column: pa.Field[pa.DataType], entry: Mapping[str, Any] | None
) -> tuple[str, str]:
    if entry is None:
        return "", ""
    name = "" if entry["name"] == column.name else json.dumps(entry["name"])
    dtype = str(entry.get("numpy_type", ""))
    if entry.get("pandas_type") == "datetimetz" and pa.types.is_timestamp(column.type):
        zone = (entry.get("metadata") or {}).get("timezone")
        return name, "" if zone in {None, column.type.tz} else f"{dtype} in {zone}"
    return name, "" if dtype in BY_ARROW else dtype


def is_numbered(index: Sequence[Any]) -> bool:
    """Tell whether a level of the index is a range of numbers that says more than the row."""
    ranges = [
        (one.get("name"), one.get("start"), one.get("step")) for one in index if is_range(one)
    ]
    return bool(ranges) and (len(index) > 1 or ranges != [(None, 0, 1)])


def is_range(level: Any) -> bool:
    """Whether a level of the index is a range of numbers, and not a column."""
    return not isinstance(level, str)


def column_renamed(entry: dict[str, Any], own: str, spare: str) -> dict[str, Any]:
    """Rename a column or a level of the index that is called ``hash``."""
    if field_name(entry) == HASH:
        return {**entry, "name": own, "field_name": own}
    return {**entry, "name": spare} if entry["name"] == HASH else entry


def level_renamed(level: Any, own: str, spare: str) -> Any:
    """Rename a level of the index that is called ``hash``."""
    if is_range(level):
        return {**level, "name": spare} if level.get("name") == HASH else level
    return own if level == HASH else level


def with_hash(pandas: Pandas) -> Pandas:
    """Put ``hash`` in front of the columns that pandas tells of.

    Names that are numbers or times become text, as pandas itself has to make them where some
    names are text.
    """
    levels = [
        one if one.get("pandas_type") in {"unicode", "string"} else {**one, **UNICODE}
        for one in pandas["column_indexes"]
    ]
    name = HASH if len(levels) < 2 else str((HASH, *[""] * (len(levels) - 1)))  # noqa: PLR2004
    front = {"name": name, "field_name": HASH, **UNICODE, "metadata": None}
    return {**pandas, "columns": [front, *pandas["columns"]], "column_indexes": levels}
