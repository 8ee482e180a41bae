"""Small tools for batches of records: their keys, parts of them, conditions that find them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from mdfactory.records.arrow import array
from mdfactory.records.query import OneOf
from mdfactory.records.tables import Table, digest_table

__all__ = ["Key", "Values", "chunks", "digest_key", "hashes", "keys_of", "taken"]

Key = tuple[str, ...]

Values = tuple[Any, ...]
"""Some columns of a row: texts and integers."""

LOOKUP: Final = 1000
"""Keys that are looked up or removed in one go."""


def keys_of(rows: pa.RecordBatch, columns: tuple[str, ...]) -> list[Key]:
    """Return the values of some columns, row by row."""
    return list(zip(*(rows[name].to_pylist() for name in columns), strict=True))


def chunks(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Divide keys into parts that are looked up in one go."""
    for start in range(0, len(keys), LOOKUP):
        yield keys[start : start + LOOKUP]


def hashes(keys: Iterable[Key]) -> OneOf:
    """Return the condition that all records with these keys meet, and few others."""
    return OneOf("hash", tuple(dict.fromkeys(key[0] for key in keys)))


def digest_key(table: Table, key: Key) -> Key:
    """Return the key of a record's digests."""
    blanks = ("",) * (len(digest_table(table.namespace).key) - 1 - len(key))
    return (table.id, *key, *blanks)


def taken(rows: pa.RecordBatch, positions: Sequence[int]) -> pa.RecordBatch:
    """Return the rows at some positions, each of which is given once."""
    if len(positions) in {0, rows.num_rows}:  # without Arrow's kernels, which take time to load
        return rows.slice(0, len(positions))
    return rows.take(array(positions, pa.int64()))
