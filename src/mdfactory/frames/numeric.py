"""Columns of a frame as arrays of numbers, as texts, or as codes of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa

Column: TypeAlias = "pa.ChunkedArray[Any]"
"""A column of a frame."""

if TYPE_CHECKING:
    import numpy as np

TICKS_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
INTEGERS: Final[dict[int, pa.DataType]] = {32: pa.int32(), 64: pa.int64()}
"""Bits of a type -> integers of the same width."""

SECONDS_PER_DAY: Final = 86_400
MISSING: Final = "no value"
"""Text of a value that is missing."""


def numbers(column: Column) -> np.ndarray:
    """Return the values of a column as float64; not a number where there is no finite value.

    Booleans are 0 and 1. Timestamps and dates are seconds since 1970, durations and times of day
    are seconds. A column of another type, such as text, has no finite value.

    Parameters
    ----------
    column
        A column of any type, of shape (rows,).

    Returns
    -------
    numpy.ndarray
        An array of shape (rows,), which may share the memory of the column: do not write to it.
    """
    return without_infinities(_floats(column))


def without_infinities(values: np.ndarray) -> np.ndarray:
    """Return values that are not a number where they were infinite."""
    import numpy as np

    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, np.nan)


def is_number(kind: pa.DataType) -> bool:
    """Return whether `numbers` reads a type."""
    types = pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return is_number(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return is_number(kind.storage_type)
    plain = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return plain or types.is_decimal(kind) or types.is_null(kind) or _ticks_per_second(kind) > 0


def texts(column: Column) -> list[str]:
    """Return the values of a column as texts."""
    codes, labels = coded(column)
    return [labels[code] for code in codes.tolist()]


def coded(column: Column) -> tuple[np.ndarray, list[str]]:
    """Return for each row the number of its value, and the different values as texts.

    Parameters
    ----------
    column
        A column of any type, of shape (rows,).

    Returns
    -------
    codes : numpy.ndarray
        Integers of shape (rows,), which count the values in the order in which they occur.
    labels : list of str
        The text of each value. No two are equal.
    """
    import numpy as np

    array = _dictionary(column)
    labels = _labels(array.dictionary)
    codes = np.asarray(array.indices.fill_null(len(labels)))
    if array.null_count:
        labels.append(MISSING)
    return _distinct(codes, labels)


def in_order(codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return codes that count values in the order in which they occur.

    Parameters
    ----------
    codes
        Integers from 0 to `count` - 1, of shape (rows,).
    count
        Number of codes, of which some may not occur.

    Returns
    -------
    codes, present : numpy.ndarray
        The new codes, of shape (rows,), and for each of them the old one.
    """
    import numpy as np

    if count > 2 * len(codes) + 1000:  # mostly codes that do not occur: no table of all
        different, codes = np.unique(codes, return_inverse=True)
        codes, present = in_order(codes, len(different))
        return codes, different[present]
    first = np.full(count, len(codes))
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    present = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(codes))]
    new = np.zeros(count, np.int64)
    new[present] = np.arange(len(present))
    return new[codes], present


def _floats(column: Column) -> np.ndarray:
    import numpy as np

    column = _plain(column)
    kind: Any = column.type
    types = pa.types
    if types.is_floating(kind):
        return column.to_numpy().astype(np.float64, copy=False)
    if types.is_integer(kind):
        return _masked(column)
    if types.is_boolean(kind) or types.is_decimal(kind) or types.is_null(kind):
        return column.cast(pa.float64()).to_numpy()
    if ticks := _ticks_per_second(kind):
        return _masked(column.cast(INTEGERS[kind.bit_width])) / ticks
    return np.full(len(column), np.nan)


def _plain(column: Column) -> Column:
    """Return a column without a dictionary, runs, or an extension type."""
    kind: Any = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(column.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return pa.chunked_array(map(_without_runs, column.chunks), kind.value_type)
    return column


def _without_runs(chunk: Any) -> Any:
    import pyarrow.compute as pc

    return pc.call_function("run_end_decode", [chunk])


def _masked(column: Any) -> np.ndarray:
    """Return integers, some of which may be missing, as float64."""
    import numpy as np

    if not column.null_count:
        return np.asarray(column.to_numpy(), np.float64)
    values = np.asarray(column.fill_null(0).to_numpy(), np.float64)
    return np.where(column.is_null().to_numpy(), np.nan, values)


def _ticks_per_second(kind: Any) -> float:
    """Return the number of ticks of a type in a second; 0 if it is no time."""
    types = pa.types
    if types.is_timestamp(kind) or types.is_duration(kind) or types.is_time(kind):
        return TICKS_PER_SECOND[kind.unit]
    if types.is_date32(kind):
        return 1 / SECONDS_PER_DAY
    return TICKS_PER_SECOND["ms"] if types.is_date64(kind) else 0


def _dictionary(column: Column) -> Any:
    """Return a column as one array with a dictionary."""
    if pa.types.is_dictionary(column.type) and column.num_chunks == 1:
        return column.chunk(0)
    plain = _plain(column).combine_chunks()
    try:
        return plain.dictionary_encode()
    except pa.ArrowNotImplementedError:  # nested
        return pa.array(map(str, plain), pa.string()).dictionary_encode()


def _labels(values: Any) -> list[str]:
    import numpy as np

    kind = values.type
    if pa.types.is_floating(kind):
        return [str(value) for value in values.to_numpy(zero_copy_only=False)]
    try:
        plain: list[str | None] = values.cast(pa.string()).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError):
        plain = list(map(str, np.arange(len(values)).tolist()))
    return [MISSING if text is None else text for text in plain]


def _distinct(codes: np.ndarray, labels: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return codes and labels in the order of the rows, with one code for equal labels."""
    import numpy as np

    numbers_: dict[str, int] = {}
    same = np.array([numbers_.setdefault(label, len(numbers_)) for label in labels], np.int64)
    codes, present = in_order(same[codes] if len(labels) else codes, max(len(numbers_), 1))
    different = list(numbers_)
    return codes, [different[number] for number in present.tolist()]
