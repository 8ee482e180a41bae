"""Tables as DataFrames, whose labels are as they were recorded.

Arrow has only texts for names of columns. pandas stores the types of labels in its metadata, but
reads some of them wrongly (booleans) or not at all (dates, durations, tuples in a flat index).

pandas is imported inside the functions: the command line does without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from mdfactory.frames.pandas_metadata import (
    HASH_COLUMN,
    OWN_KEY,
    PANDAS_KEY,
    TEXT_DTYPES,
    PandasMetadata,
    arrow_name,
    read_pandas_metadata,
)

if TYPE_CHECKING:
    import pandas as pd

FLAT_KEY: Final = "flat"
"""Key in the part of the metadata that is ours: labels are tuples in an index of one level."""

FOREIGN_ERRORS: Final = (
    *(ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError),
    *(SyntaxError, RecursionError, pa.ArrowException),
)
"""What pandas raises for metadata that other programs wrote."""


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a table as DataFrame, with the labels as they were recorded.

    Parameters
    ----------
    table
        The table, with or without pandas metadata, which any program may have written.

    Raises
    ------
    Exception
        One of `FOREIGN_ERRORS`, if pandas cannot read the metadata.
    """
    metadata = read_pandas_metadata(table.schema)
    frame = _with_labels(table, metadata)
    frame.attrs = metadata.get("attributes") or {}  # older versions of pyarrow leave them out
    stored: list[str] = [
        level for level in metadata.get("index_columns", ()) if level in table.schema.names
    ]
    dtypes = {arrow_name(entry): entry.get("numpy_type") for entry in metadata.get("columns", ())}
    if len(stored) == frame.index.nlevels and any(map(_is_extension, map(dtypes.get, stored))):
        frame.index = _index(table, frame.index, stored, dtypes)
    return frame


def _index(
    table: pa.Table, index: pd.Index, names: Sequence[str], dtypes: Mapping[str, Any]
) -> pd.Index:
    """Return an index whose levels have the dtypes that pandas does not restore."""
    import pandas as pd

    levels: list[pd.Index] = []
    for number, name in enumerate(names):
        dtype: Any = dtypes[name]
        if _is_extension(dtype):
            values: Any = pd.api.types.pandas_dtype(dtype)
            levels.append(pd.Index(values.__from_arrow__(table[name])))
        else:
            levels.append(index.get_level_values(number))
    if len(levels) > 1:
        return pd.MultiIndex.from_arrays(levels, names=index.names)
    return levels[0].rename(index.name)


def _is_extension(dtype: Any) -> bool:
    return bool(EXTENSION_DTYPES.fullmatch(str(dtype)))


def labels_by_name(table: pa.Table, frame: pd.DataFrame) -> dict[str, Any]:
    """Return the label of each column of a table, or name of an index level, in its DataFrame.

    Parameters
    ----------
    table
        The table.
    frame
        What `to_pandas` returns for it.
    """
    index = read_pandas_metadata(table.schema).get("index_columns", ())
    names = [name for name in table.schema.names if name not in index]
    levels = {str(level): level for level in frame.index.names if level is not None}
    return levels | dict(zip(names, frame.columns, strict=False))


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a stack whose index is the hash alone with a second level, 0, 1, 2, ... in each."""
    import pandas as pd

    if frame.index.names != [HASH_COLUMN]:
        return frame
    rows = frame.groupby(level=0, sort=False).cumcount()
    return frame.set_axis(pd.MultiIndex.from_arrays([frame.index, rows], names=[HASH_COLUMN, None]))


def _with_labels(table: pa.Table, metadata: PandasMetadata) -> pd.DataFrame:
    import pandas as pd

    levels: list[dict[str, Any]] = metadata.get("column_indexes", [])
    converters = {
        number: CONVERTERS[level.get("pandas_type")]
        for number, level in enumerate(levels)
        if level.get("pandas_type") in CONVERTERS
    }
    is_flat = bool(metadata.get(OWN_KEY, {}).get(FLAT_KEY))
    if not converters and not is_flat:
        return table.to_pandas()
    as_text = [level | TEXT_DTYPES if n in converters else level for n, level in enumerate(levels)]
    edited = json.dumps({**metadata, "column_indexes": as_text}).encode()
    frame = table.replace_schema_metadata({PANDAS_KEY: edited}).to_pandas()
    labels = [frame.columns.get_level_values(number) for number in range(frame.columns.nlevels)]
    for number, convert in converters.items():
        labels[number] = convert(labels[number].tolist(), levels[number])
    names = [*frame.columns.names]
    frame.columns = pd.MultiIndex.from_arrays(labels) if len(labels) > 1 else labels[0]
    if is_flat:
        frame.columns, names = frame.columns.to_flat_index(), names[:1]
    frame.columns.names = names
    return frame


def _to_booleans(texts: list[str], level: Mapping[str, Any]) -> pd.Index:
    import pandas as pd

    labels: pd.Index = pd.Index([BOOLEANS[text] for text in texts], dtype=level.get("numpy_type"))
    return labels


def _to_dates(texts: list[str], _: Mapping[str, Any]) -> pd.Index:
    import pandas as pd

    dates: Any = pd.to_datetime(texts, format="ISO8601").date
    labels: pd.Index = pd.Index(dates, dtype="object")
    return labels


def _to_durations(texts: list[str], level: Mapping[str, Any]) -> pd.Index:
    import pandas as pd

    durations: pd.Index = pd.Index(pd.to_timedelta(texts), dtype=level.get("numpy_type"))
    return durations


def _to_zoned_times(texts: list[str], level: Mapping[str, Any]) -> pd.Index:
    import pandas as pd

    times = pd.DatetimeIndex(pd.to_datetime(texts, utc=True, format="ISO8601"))
    unit: Any = str(level.get("numpy_type")).removeprefix("datetime64[").removesuffix("]")
    zone = (level.get("metadata") or {}).get("timezone")
    labels: pd.Index = times.tz_convert(zone).as_unit(unit)
    return labels


EXTENSION_DTYPES: Final = re.compile(
    r"U?Int(8|16|32|64)|Float(32|64)|boolean|string(\[\w+\])?|period\[[^\]]+\]|interval\[.+\]"
)
"""Dtypes that pandas restores in columns, but not in levels of an index."""

BOOLEANS: Final = {"True": True, "False": False}

CONVERTERS: Final[dict[Any, Callable[[list[str], Mapping[str, Any]], pd.Index]]] = {
    "bool": _to_booleans,
    "boolean": _to_booleans,
    "date": _to_dates,
    "timedelta64": _to_durations,
    "timedelta": _to_durations,
    "datetimetz": _to_zoned_times,
}
"""``pandas_type`` of labels that pandas does not read back -> conversion of their texts."""
