"""Digests of records, which show whether a record has changed or is corrupt.

The *content* of a record is all of its columns except its time. The order of a simulation's tags
is not part of it, nor is ``"tags":null`` (`records.tags`). The content digest is the
SHA-256 of those columns, in the order of the table, each as ``<length in bytes>:<UTF-8>``
(integers in decimal). The record digest is the SHA-256 of the content digest, in hex,
followed by the time, so it covers all columns. A stored content digest is valid for a record
if the record digest, computed from it and from the time of the record, equals the stored one.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import pyarrow as pa

from mdfactory.records.arrow import texts
from mdfactory.records.tables import Table, digest_table
from mdfactory.records.tags import INPUT_COLUMN, normalise_tags

PIECE_CHARACTERS: Final = 2**20
"""Number of characters of a long text that are encoded at a time."""


class RecordDigests(NamedTuple):
    """The stored digests of one record.

    Parameters
    ----------
    key
        Key of the record, which may no longer exist.
    content, digest
        Its content digest and its record digest.
    """

    key: tuple[str, ...]
    content: str
    digest: str

    @classmethod
    def of(cls, key: tuple[str, ...], content: str, time: str) -> RecordDigests:
        """Return the digests of a record, given its content digest and its time."""
        return cls(key, content, record_digest(content, time))

    def is_valid(self, time: str) -> bool:
        """Whether the digests belong to the version of the record that has this time.

        If not, another program has written the record again.
        """
        return record_digest(self.content, time) == self.digest

    def to_row(self, table: Table) -> tuple[str, ...]:
        """Return the values of the row in the digest table, for a record of a table."""
        return (*digest_key(table, self.key), self.content, self.digest)


def digest_key(table: Table, key: tuple[str, ...]) -> tuple[str, ...]:
    """Return the key of a record's row in the digest table."""
    blanks = ("",) * (len(digest_table(table.namespace).key) - 1 - len(key))
    return (table.id, *key, *blanks)


def content_digests(table: Table, rows: pa.RecordBatch) -> list[str]:
    """Return the content digest of each row, 64 lower-case hex digits.

    Parameters
    ----------
    table
        The table of the rows.
    rows
        Rows with all columns of the table.
    """
    columns = [_contents(name, rows) for name in table.columns if name != table.time]
    return [digest(row) for row in zip(*columns, strict=True)]


def _contents(name: str, rows: pa.RecordBatch) -> list[Any]:
    """Return the values of a column, with the tags of simulations in their order."""
    if name == INPUT_COLUMN:
        return list(map(normalise_tags, texts(rows[name])))
    return rows[name].to_pylist()


def record_digest(content: str, time: str) -> str:
    """Return the digest of all columns of a record, 64 lower-case hex digits.

    Parameters
    ----------
    content
        The content digest.
    time
        The time of the record.
    """
    return sha256(f"{content}{time}".encode()).hexdigest()


def digest(values: Sequence[str | int]) -> str:
    """Return the digest of values in their order, 64 lower-case hex digits."""
    hasher = sha256()
    for value in values:
        text = str(value)
        # The CSV of most long frames is ASCII, so its length in bytes is known before it is
        # encoded. It is hashed in pieces, without an encoded copy of many megabytes.
        if len(text) > PIECE_CHARACTERS and text.isascii():
            hasher.update(b"%d:" % len(text))
            for start in range(0, len(text), PIECE_CHARACTERS):
                hasher.update(text[start : start + PIECE_CHARACTERS].encode())
            continue
        encoded = text.encode()
        hasher.update(b"%d:" % len(encoded))
        hasher.update(encoded)
    return hasher.hexdigest()
