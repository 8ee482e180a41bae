"""Keys of records: extraction from rows, batches of keys, conditions to look them up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from mdfactory.records.arrow import array
from mdfactory.records.query import OneOf

Key = tuple[str, ...]
"""The values of a record's key columns."""

Values = tuple[Any, ...]
"""Values of one row: texts and integers."""

LOOKUP_KEYS: Final = 1000
"""Largest number of keys that one statement looks up or removes."""


def keys_of(rows: pa.RecordBatch | pa.Table, columns: tuple[str, ...]) -> list[Key]:
    """Return the values of the given columns as one tuple for each row."""
    return list(zip(*(rows[name].to_pylist() for name in columns), strict=True))


def key_batches(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Divide keys into batches that one statement can look up."""
    for start in range(0, len(keys), LOOKUP_KEYS):
        yield keys[start : start + LOOKUP_KEYS]


def hash_condition(keys: Iterable[Key]) -> OneOf:
    """Return a condition that all records with these keys meet.

    The condition compares only the hash, the first column of each key. So it is also met by
    records with the same hash and another result name.
    """
    return OneOf("hash", tuple(dict.fromkeys(key[0] for key in keys)))


def take_rows(rows: pa.RecordBatch, positions: Sequence[int]) -> pa.RecordBatch:
    """Return the rows at the given positions; no position occurs twice."""
    # All rows and no rows need no Arrow kernel, and the kernels take time to load.
    if len(positions) in {0, rows.num_rows}:
        return rows.slice(0, len(positions))
    return rows.take(array(positions, pa.int64()))
