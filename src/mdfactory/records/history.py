"""History: the log of the operations on a store, and the data that undoes them.

A *before-image* is a record as it was before an operation: its columns, its stored digests and
the columns of its sidecar. A *fingerprint* combines the record digest with the digest of the
sidecar. Undo compares fingerprints to detect records that were changed after the operation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any, Final

import pyarrow as pa

from mdfactory.records.arrow import texts
from mdfactory.records.digests import content_digests, digest, record_digest
from mdfactory.records.tables import Namespace, Table

OPERATION_LIMIT: Final = 2**53
"""Upper bound of operation numbers; a log entry whose number is not smaller is damaged."""

HALF_BYTES: Final = 16

FINGERPRINT_BYTES: Final = 2 * HALF_BYTES
"""The first half of a fingerprint is from the record, the second half from its sidecar."""

ABSENT: Final = bytes(FINGERPRINT_BYTES)
"""The fingerprint of a record that does not exist."""

SIDECAR_PREFIX: Final = "beside_"
"""Prefix of the columns of a before-image that come from the sidecar."""

NAMESPACES: Final = frozenset(map(str, Namespace))

JSON_FIELDS: Final = ("changes", "made", "dropped")
"""Fields of an entry that the log stores as JSON."""

CHANGING_OUTCOMES: Final = frozenset({"inserted", "updated", "removed"})
"""Outcomes that change a record in the store; a record with another outcome stays as it is."""

ChangeCounts = dict[str, dict[str, int]]
"""Table name -> kind of change, such as ``inserted`` -> number of records."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The changes of one operation in one namespace of a store.

    Parameters
    ----------
    operation
        Number of the operation: 1, 2, ... in the order of time.
    namespace
        The namespace; stored in the column ``place``.
    namespaces
        All namespaces that the operation changed; stored in the column ``places``.
    time
        Time of the operation: ISO 8601, in UTC.
    who, host
        User and machine that ran the operation.
    version
        Version of mdfactory.
    command
        The command line.
    changes
        Numbers of inserted, updated, ... records of each table.
    made, dropped
        Tables that the operation created, and tables that it dropped.
    undoes
        Number of the operation that this operation undid; 0 if it is not an undo.
    slot
        Number of the undo table that holds the before-images; -1 if there is none.
    size
        Bytes of the before-images and fingerprints.
    """

    operation: int
    namespace: str
    namespaces: tuple[str, ...]
    time: str
    who: str
    host: str
    version: str
    command: str
    changes: ChangeCounts = field(default_factory=dict)
    made: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    undoes: int = 0
    slot: int = -1
    size: int = 0

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Entry:
        """Return the entry that is stored in a row of ``_mdfactory_log``.

        Raises
        ------
        ValueError
            If the row is not a valid entry.
        """
        if not is_entry(row["operation"], row["place"]):
            raise ValueError("the number of the operation or the namespace is invalid")
        try:
            values = row | {name: json.loads(row[name]) for name in JSON_FIELDS}
        except RecursionError as error:
            raise ValueError("a column is nested too deeply") from error
        tables = [values["made"], values["dropped"]]
        if not (_are_counts(values["changes"]) and all(map(_are_names, tables))):
            raise ValueError(f"one of the columns {', '.join(JSON_FIELDS)} is malformed")
        values |= {name: tuple(values[name]) for name in ("made", "dropped")}
        values |= {"namespace": row["place"], "namespaces": tuple(row["places"].split())}
        return cls(**{column.name: values[column.name] for column in fields(cls)})

    @property
    def has_changes(self) -> bool:
        """Whether the operation changed any record or table in this namespace."""
        return bool(changes_records(self.changes) or self.slot >= 0 or self.made or self.dropped)

    def to_row(self) -> list[Any]:
        """Return the entry as a row of ``_mdfactory_log``."""
        values = {column.name: getattr(self, column.name) for column in fields(self)}
        values |= {name: json.dumps(values[name]) for name in JSON_FIELDS}
        values["namespaces"] = " ".join(self.namespaces)
        return list(values.values())


def changes_records(changes: ChangeCounts) -> bool:
    """Whether any record was inserted, updated or removed."""
    return any(counts.get(outcome) for counts in changes.values() for outcome in CHANGING_OUTCOMES)


def is_entry(operation: int, namespace: str) -> bool:
    """Whether an entry can have this number and namespace."""
    return 0 < operation < OPERATION_LIMIT and namespace in NAMESPACES


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_counts(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(counts, dict) and all(isinstance(count, int) for count in counts.values())
        for counts in value.values()
    )


@dataclass(frozen=True, slots=True)
class UndoPart:
    """Part of the changes of an operation: some of the records that it changed in one table.

    Parameters
    ----------
    number
        Number of the part: 0, 1, ... in the order of the changes.
    operation
        Number of the operation.
    table
        Name of the table.
    fingerprints
        Keys of the records and their fingerprints after the operation, packed by
        `records.arrow.pack`. Stored in the column ``left``.
    before_images
        The records as they were before the operation, packed; empty if none of them existed.
        Stored in the column ``before``.
    """

    number: int
    operation: int
    table: str
    fingerprints: str
    before_images: str

    @property
    def size(self) -> int:
        """Number of bytes that the packed data takes."""
        return len(self.fingerprints) + len(self.before_images)

    @staticmethod
    def key(number: int) -> str:
        """Return the key of a part: a digit that distributes parts over files, then the number."""
        return f"{number % 16:x}{number:08}"

    def to_row(self) -> tuple[str | int, ...]:
        """Return the part as a row of ``_mdfactory_undo_*``."""
        key = self.key(self.number)
        values = (key, self.operation, self.table, self.fingerprints, self.before_images)
        return (*values, digest(values))

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> UndoPart:
        """Return the part that is stored in a row of ``_mdfactory_undo_*``.

        Raises
        ------
        ValueError
            If the digest of the row does not match its other columns.
        """
        *values, stored_digest = row.values()
        if digest(values) != stored_digest:
            raise ValueError("the digest of an undo part does not match its columns")
        key, *columns = values
        return cls(int(key[1:]), *columns)


def before_image_schema(table: Table) -> pa.Schema:
    """Return the columns of a before-image: those of the record, its digests and its sidecar."""
    columns = [pa.field(name, pa.string(), nullable=False) for name in ("content", "digest")]
    if table.sidecar:
        sidecar = map(table.sidecar.schema.field, (table.time, *table.sidecar_columns))
        columns += [column.with_name(f"{SIDECAR_PREFIX}{column.name}") for column in sidecar]
    return pa.schema([*table.schema, *columns])


def fingerprint(digest: str, sidecar_digest: str = "") -> bytes:
    """Return the fingerprint of a record, 32 bytes.

    Parameters
    ----------
    digest
        The record digest, in hex.
    sidecar_digest
        The digest of the sidecar; empty if the record has none.
    """
    sidecar = sha256(sidecar_digest.encode()).digest() if sidecar_digest else bytes(HALF_BYTES)
    return bytes.fromhex(digest[: 2 * HALF_BYTES]) + sidecar[:HALF_BYTES]


def fingerprints(table: Table, images: pa.RecordBatch) -> list[bytes]:
    """Return the fingerprint of each record.

    The record digest is computed from the columns. The stored one is not used, because another
    program may have changed the record without it. The digest of the sidecar is the stored one.

    Parameters
    ----------
    table
        The table of the records.
    images
        The records, with the columns of `before_image_schema`.
    """
    contents = content_digests(table, images)
    digests = map(record_digest, contents, texts(images[table.time]))
    if not table.sidecar:
        return list(map(fingerprint, digests))
    return list(map(fingerprint, digests, texts(images[f"{SIDECAR_PREFIX}digest"])))


def fingerprint_schema(table: Table) -> pa.Schema:
    """Return the key columns of a table, and a column ``left`` for fingerprints."""
    keys = map(table.schema.field, table.key)
    return pa.schema([*keys, pa.field("left", pa.binary(FINGERPRINT_BYTES))])


def keys_with_fingerprints(
    keys: Iterable[pa.Array[Any]], table: Table, fingerprints: Sequence[bytes]
) -> pa.RecordBatch:
    """Return the keys of records with their fingerprints, in `fingerprint_schema`.

    Parameters
    ----------
    keys
        The key columns.
    table
        The table of the records.
    fingerprints
        The fingerprint of each record after an operation.
    """
    data = pa.py_buffer(b"".join(fingerprints))
    schema = fingerprint_schema(table)
    column = pa.Array.from_buffers(schema.types[-1], len(fingerprints), [None, data])
    return pa.RecordBatch.from_arrays([*keys, column], schema=schema)
