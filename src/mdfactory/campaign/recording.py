"""What a caller records: a table as Arrow data, and the extras of its registry entry.

What Parquet or pandas cannot restore exactly is refused here, with the name of the column, and with
what to type instead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from mdfactory.errors import ResultError, one_line
from mdfactory.frames.planning.recorded_plot import (
    checked_plot,
    column_named,
    listed_labels,
    plain_scalar,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

OWN_EXTRAS: Final = ("units", "length_unit", "plot")
"""Extras that `record_analysis` has parameters for."""

SCALARS: Final = str | int | float | None

CONTAINERS: Final = frozenset({"dict", "list", "numpy.ndarray", "tuple"})
"""Types that may stand in one column; Arrow says whether it can convert what is in them."""


def to_arrow(name: str, frame: Any) -> pa.Table:
    """Convert the frame of an analysis.

    Parameters
    ----------
    name
        Name of the analysis, for messages.
    frame
        A pandas DataFrame, an Arrow table, or a table of another library that speaks the Arrow
        interchange, such as polars.

    Raises
    ------
    ResultError
        If it is none of these, or cannot be restored exactly from Parquet.
    """
    import pyarrow as pa

    pandas = sys.modules.get("pandas")
    try:
        if isinstance(frame, pa.Table):
            return frame
        if pandas and isinstance(frame, pandas.DataFrame | pandas.Series):
            return _from_pandas(frame)
        return _from_interchange(frame)
    except ResultError as error:
        raise ResultError(f"analysis {name}: {error}") from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ResultError(f"analysis {name}: {one_line(error)}") from error


def _from_interchange(frame: Any) -> pa.Table:
    import pyarrow as pa

    if hasattr(frame, "__arrow_c_stream__"):
        rows: pa.Table = pa.RecordBatchReader.from_stream(frame).read_all()
        return rows
    if hasattr(frame, "__dataframe__"):
        from pyarrow.interchange.from_dataframe import from_dataframe

        converted: pa.Table = from_dataframe(frame)
        return converted
    kind = _kind(frame)
    raise ResultError(
        f"expected a pandas or polars DataFrame or an Arrow table, got {kind}. Type: "
        "pandas.DataFrame(data); or data.collect() (polars), data.to_arrow() or data.to_pandas(), "
        "if it has that method"
    )


def _from_pandas(frame: pd.DataFrame | pd.Series[Any]) -> pa.Table:
    """Return a DataFrame as a table from which `frames.labels` restores its labels."""
    import pandas as pd
    import pyarrow as pa

    from mdfactory.frames.pandas_metadata import OWN_KEY, PANDAS_KEY

    if isinstance(frame, pd.Series):
        raise ResultError("expected a table, got a pandas Series. Type: series.to_frame()")
    _check_labels(frame)
    _check_kinds(frame)
    plain = frame.copy(deep=False)
    attributes = {label_text(key): _attribute(key, value) for key, value in frame.attrs.items()}
    plain.attrs = {}  # older versions of pyarrow do not keep them
    plain.index = frame.index.set_names(_level_texts(frame.index.names))
    is_flat = _is_flat(frame.columns)
    if is_flat:
        tuples: Any = list(frame.columns)
        plain.columns = pd.MultiIndex.from_tuples(tuples)
    names = [plain_scalar(column_name) for column_name in frame.columns.names]
    plain.columns = plain.columns.set_names(
        [*names, *[None] * (plain.columns.nlevels - len(names))]
    )
    # Ranges are stored as columns: other simulations may have other numbers in the same index.
    is_kept = frame.index.nlevels > 1 or frame.index.name is not None or None
    try:
        table = pa.Table.from_pandas(plain, preserve_index=is_kept)
    except (OverflowError, pa.ArrowException, TypeError, ValueError) as error:
        raise _conversion_error(frame, error) from error
    metadata = json.loads(table.schema.metadata[PANDAS_KEY])
    if is_flat:
        metadata[OWN_KEY] = {"flat": True}
    metadata["attributes"] = attributes
    _name_levels(metadata, frame.index.names)
    table = table.replace_schema_metadata({PANDAS_KEY: json.dumps(metadata).encode()})
    _check_restored(table, frame)
    return table


def _name_levels(metadata: dict[str, Any], names: Iterable[Any]) -> None:
    """Put the names of index levels that are numbers into the metadata; Arrow has texts only."""
    entries = {entry["field_name"]: entry for entry in metadata["columns"]}
    for level, name in zip(metadata["index_columns"], names, strict=True):
        entry = entries[level] if isinstance(level, str) else level
        entry["name"] = plain_scalar(name)


def _is_flat(columns: pd.Index) -> bool:
    """Whether labels are tuples of the same length in an index of one level."""
    labels = list(columns) if columns.nlevels == 1 else []
    return bool(labels) and all(isinstance(label, tuple) and len(label) > 1 for label in labels)


def _level_texts(names: Iterable[Any]) -> list[str | None]:
    """Return the names of index levels as texts; None for a name that occurred before."""
    texts = [None if name is None else label_text(name) for name in names]
    return [text if texts.index(text) == n else None for n, text in enumerate(texts)]


def label_text(label: Any) -> str:
    """Return the Arrow name of a column or index level that has this label in pandas."""
    if isinstance(label, tuple):
        return str(tuple(map(label_text, label)))
    return label.decode() if isinstance(label, bytes) else str(label)


# What cannot be restored


def _check_labels(frame: pd.DataFrame) -> None:
    """Refuse labels that occur twice, or are of several types."""
    columns = frame.columns
    if not columns.is_unique:
        duplicates = list(dict.fromkeys(columns[columns.duplicated()]))
        raise ResultError(
            f"{listed_labels(duplicates)}: several columns have this label. Give each its own: "
            "frame.columns = [...]"
        )
    levels = [columns.get_level_values(number) for number in range(columns.nlevels)]
    if _is_flat(columns):
        levels = (
            [*map(_index_of, zip(*columns, strict=True))]
            if len({*map(len, columns)}) == 1
            else levels
        )
    for level in levels:
        if "mixed" in level.inferred_type or _has_other_missing(level):
            raise ResultError(
                f"the labels of columns are of several types: {listed_labels(level)}. "
                f"{_as_text(columns)}"
            )


def _index_of(labels: Sequence[Any]) -> pd.Index:
    import pandas as pd

    level: pd.Index = pd.Index(list(labels), tupleize_cols=False)
    return level


def _has_other_missing(level: pd.Index) -> bool:
    """Whether a label is missing in a level of texts or others: only NaN has a text of its own."""
    return level.hasnans and level.inferred_type != "floating"


def _as_text(columns: pd.Index) -> str:
    if columns.nlevels > 1 or _is_flat(columns):
        return 'Type: frame.columns = ["_".join(map(str, label)) for label in frame.columns]'
    return "Type: frame.columns = frame.columns.map(str)"


def _check_kinds(frame: pd.DataFrame) -> None:
    """Refuse columns and index levels with values that Parquet cannot store."""
    for what, expression, values in _parts(frame):
        kind, instead = _refused_kind(values.dtype)
        if not kind:
            kind, instead = _mixed_types(values), "{}.astype(str)"
        if kind:
            raise _refusal(what, kind, instead.format(expression))


def _refusal(what: str, kind: str, instead: str) -> ResultError:
    return ResultError(f"{what} has {kind}, which Parquet cannot store. Type instead: {instead}")


def _parts(frame: pd.DataFrame) -> Iterator[tuple[str, str, Any]]:
    """Yield for each column and index level its name, an expression for its values, its values."""
    for number, label in enumerate(frame.columns):
        name = listed_labels([label])
        yield f"column {name}", f"frame[{name}]", frame.iloc[:, number]
    for number, level in enumerate(frame.index.names):
        which = number if level is None else listed_labels([level])
        values = f"frame.index.get_level_values({which}).to_series()"
        yield f"index level {which}", values, frame.index.get_level_values(number)


def _mixed_types(values: Any) -> str:
    """Return the types of objects that Arrow refuses, or converts to one type; else empty."""
    from pandas.api.types import infer_dtype

    if values.dtype != object or infer_dtype(values) not in {"mixed", "mixed-integer"}:
        return ""
    kinds = _kinds(values)
    return (
        f"values of the types {', '.join(kinds)}" if len(kinds) > 1 and kinds - CONTAINERS else ""
    )


def _kinds(values: Any) -> KeysView[str]:
    """Return the types of the values that are not missing."""
    return dict.fromkeys(map(_kind, values.dropna())).keys()


def _refused_kind(dtype: Any) -> tuple[str, str]:
    """Return a description of values that are refused, and what to type; empty if they are not."""
    import pandas as pd

    categories: Any = getattr(dtype, "categories", None)
    if isinstance(dtype, pd.SparseDtype):
        return "sparse values", "{}.sparse.to_dense()"
    if isinstance(getattr(categories, "dtype", None), pd.IntervalDtype | pd.PeriodDtype):
        return f"categories that are {categories.inferred_type}s", "{}.astype(str)"
    if dtype.kind == "c":
        return "complex numbers", "two columns, {0}.to_numpy().real and {0}.to_numpy().imag"
    if dtype.kind == "f" and dtype.itemsize > 8:  # noqa: PLR2004
        return "floats of more than 64 bits", "{}.astype(float)"
    return "", ""


def _conversion_error(frame: pd.DataFrame, error: Exception) -> ResultError:
    """Return the error for values that Arrow cannot convert; it names their column."""
    import pyarrow as pa

    for what, expression, values in _parts(frame):
        kind = ""
        try:
            pa.array(values)
        except OverflowError:
            kind = "an integer of more than 64 bits"
        except (pa.ArrowException, TypeError, ValueError):
            kind = f"values of the types {', '.join(_kinds(values))}"
        if kind:
            return _refusal(what, kind, f"{expression}.astype(str)")
    return ResultError(one_line(error))


def _check_restored(table: pa.Table, frame: pd.DataFrame) -> None:
    """Refuse labels that pandas and `frames.labels` do not restore."""
    from mdfactory.frames.labels import FOREIGN_ERRORS, to_pandas

    if any(not isinstance(plain_scalar(name), SCALARS) for name in frame.index.names):
        names = listed_labels(frame.index.names)
        raise ResultError(
            f"the names of the index levels, {names}, cannot be restored. "
            "Type: frame = frame.rename_axis(index=[...]) with texts or numbers"
        )
    with suppress(*FOREIGN_ERRORS):
        read = to_pandas(table.slice(0, 0))
        if [*read.index.names] == [*frame.index.names] and _are_same(read.columns, frame.columns):
            return
    kinds = {frame.columns.get_level_values(n).inferred_type for n in range(frame.columns.nlevels)}
    raise ResultError(
        f"the labels of columns cannot be restored: they are {', '.join(sorted(kinds))}. "
        f"{_as_text(frame.columns)}"
    )


def _are_same(read: pd.Index, labels: pd.Index) -> bool:
    kinds = [
        [index.get_level_values(number).inferred_type for number in range(index.nlevels)]
        for index in (read, labels)
    ]
    return kinds[0] == kinds[1] and read.equals(labels) and [*read.names] == [*labels.names]


# Attributes and extras


def _attribute(key: Any, value: Any) -> Any:
    try:
        return plain(value)
    except (TypeError, RecursionError) as error:
        raise ResultError(
            f"frame.attrs[{key!r}] cannot be kept: {error}. Convert it to text, or remove it: "
            f"del frame.attrs[{key!r}]"
        ) from error


def plain(value: Any) -> Any:
    """Return a value in types that JSON has.

    Raises
    ------
    TypeError
        If the value, or one in it, is neither plain, a number or array of numpy, a path nor a time.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(value)
        case Mapping():
            return {label_text(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return list(map(plain, value))
    is_time = getattr(getattr(value, "dtype", None), "kind", "") in {*"mM"}
    if hasattr(value, "tolist"):
        return plain((value.astype(str) if is_time else value).tolist())
    if isinstance(value, PurePath) or hasattr(value, "isoformat") or hasattr(value, "days"):
        return str(value)
    raise TypeError(f"it contains {_kind(value)}")


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def check_extras(name: str, extras: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extras of a result as plain values.

    Raises
    ------
    ResultError
        If they cannot be written as JSON.
    """
    try:
        values: dict[str, Any] = plain(extras)
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"{name}: extras cannot be written as JSON: {error}") from error
    return values


def extras_of_analysis(
    name: str, frame: Any, table: pa.Table, extras: Mapping[str, Any], **own: Any
) -> dict[str, Any]:
    """Return the extras of an analysis.

    Parameters
    ----------
    name
        Name of the analysis, for messages.
    frame, table
        What the caller records, and the same as Arrow table.
    extras
        Extras that this package does not know.
    own
        The extras of `OWN_EXTRAS`; None if not given.

    Raises
    ------
    ResultError
        If one is given twice, is invalid, or names a column or index level that the frame lacks.
    """
    given = {key: value for key, value in own.items() if value is not None}
    _require_mapping(name, extras)
    if twice := given.keys() & extras.keys():
        raise ResultError(f"analysis {name}: {', '.join(sorted(twice))} is also in extras")
    values = {**given, **extras}
    attributes = getattr(frame, "attrs", None)
    if "units" not in values and isinstance(attributes, Mapping):
        units = attributes.get("units")
        values |= {"units": units} if isinstance(units, Mapping) and units else {}
    names = _names_by_label(frame, table)
    try:
        if "units" in values:
            values["units"] = _units(values["units"], names)
        if "plot" in values:
            values["plot"] = checked_plot(values["plot"], names)
        if "length_unit" in values:
            _require_text("length_unit", values["length_unit"])
    except ResultError as error:
        raise ResultError(f"analysis {name}: {error}") from error
    return check_extras(name, values)


def _require_mapping(name: str, extras: object) -> None:
    if not isinstance(extras, Mapping):
        raise ResultError(
            f"analysis {name}: extras is a {_kind(extras)}; expected a value by name, such as "
            'extras={"thermostat": "v-rescale"}'
        )


def _names_by_label(frame: Any, table: pa.Table) -> dict[Any, str]:
    """Return the Arrow name of each column and index level by its label and by its Arrow name."""
    names: dict[Any, str] = {column: column for column in table.schema.names}
    labels = getattr(frame, "columns", ()) if hasattr(frame, "index") else ()
    levels = frame.index.names if len(labels) or hasattr(frame, "index") else ()
    named = [level for level in levels if level is not None]
    return names | {label: label_text(label) for label in [*named, *labels]}


def _units(units: Any, names: Mapping[Any, str]) -> dict[str, str]:
    if not isinstance(units, Mapping):
        raise ResultError(
            f"units is a {type(units).__name__}; expected a unit by column, such as "
            'units={"time": "ps"}'
        )
    for label, unit in units.items():
        _require_text(f"the unit of {listed_labels([label])}", unit)
    return {column_named(label, names, "units"): str(unit) for label, unit in units.items()}


def _require_text(what: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ResultError(f"{what} is {value!r:.60}; expected a text")
