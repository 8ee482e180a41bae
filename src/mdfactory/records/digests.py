"""Digests of records: what is compared to tell change, and what is checked to tell corruption.

The *content* of a record is all of its columns but its time. Its content digest is the
SHA-256 of those columns, in the order of the table, each as ``<length in bytes>:<UTF-8>``
(integers in decimal). The record digest is the SHA-256 of the content digest, in hex,
followed by the time; it so covers all columns, and shows whether a content digest that
was stored earlier still belongs to a record whose time is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import pyarrow as pa

from mdfactory.records.tables import Table

__all__ = ["content_digests", "digest", "record_digest"]

PART: Final = 2**20
"""Characters of a long text that are encoded at a time."""


def content_digests(table: Table, rows: pa.RecordBatch) -> list[str]:
    """Return the content digest of each row, 64 lower-case hex digits.

    Parameters
    ----------
    table
        The table of the rows.
    rows
        Rows with all columns of the table.
    """
    columns = [rows[name].to_pylist() for name in table.columns if name != table.time]
    return [digest(row) for row in zip(*columns, strict=True)]


def record_digest(content: str, time: str) -> str:
    """Return the digest of a whole record, 64 lower-case hex digits."""
    return sha256(f"{content}{time}".encode()).hexdigest()


def digest(values: Sequence[str | int]) -> str:
    """Return the digest of some values in their order, 64 lower-case hex digits."""
    whole = sha256()
    for value in values:
        text = str(value)
        if len(text) > PART and text.isascii():  # a frame of many megabytes mostly is
            whole.update(b"%d:" % len(text))
            for start in range(0, len(text), PART):
                whole.update(text[start : start + PART].encode())
            continue
        encoded = text.encode()
        whole.update(b"%d:" % len(encoded))
        whole.update(encoded)
    return whole.hexdigest()
