"""History: what operations did to a store, and what must be known to take one back.

A record *as a whole* is an image: all its columns, the digests that are kept of it, and what
is kept beside it. Its *stamp* is a digest of that, of its content and its time, which tells
whether anybody has changed it since.
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

__all__ = [
    "ABSENT",
    "SIDECAR_PREFIX",
    "Entry",
    "UndoPart",
    "before_image_schema",
    "fingerprint",
    "fingerprints",
    "is_between",
    "is_entry",
    "keyed",
]

LAST: Final = 2**53
"""No operation has a number as large as this."""

HALF: Final = 16
WIDTH: Final = 2 * HALF
"""Bytes of a stamp: one half tells of the record itself, the other of what is kept beside it."""

ABSENT: Final = bytes(WIDTH)
"""The stamp of a record that is not there."""

SIDECAR_PREFIX: Final = "beside_"
"""What names of columns begin with that are kept beside a record."""

Changes = dict[str, dict[str, int]]
"""Table -> what became of records -> how many."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one operation did in one place of a store.

    Parameters
    ----------
    operation
        Its number: they count from 1, in the order in which they were done.
    namespace
        Where this was.
    namespaces
        All places in which the same operation did anything.
    time
        When: ISO 8601, in UTC.
    who, host
        Who did it, and on which machine.
    version
        Version of the program.
    command
        What was typed.
    changes
        What became of the records of each table.
    made, dropped
        Tables that were not there before, and that were not there afterwards.
    undoes
        Number of the operation that this one took back; 0 if it is none of those.
    slot
        Which table keeps what it changed; -1 if none does.
    size
        Bytes that are kept of it.
    """

    operation: int
    namespace: str
    namespaces: tuple[str, ...]
    time: str
    who: str
    host: str
    version: str
    command: str
    changes: Changes = field(default_factory=dict)
    made: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    undoes: int = 0
    slot: int = -1
    size: int = 0

    @classmethod
    def read(cls, row: dict[str, Any]) -> Entry:
        """Return the entry of a row of ``_mdfactory_log``.

        Raises
        ------
        ValueError
            If it is none.
        """
        if not is_entry(row["operation"], row["place"]):
            raise ValueError("there is no such operation")
        told = {name: json.loads(row[name]) for name in ("changes", "made", "dropped")}
        if not _is_said(told):
            raise ValueError("it says nothing that can be understood")
        told |= {name: tuple(told[name]) for name in ("made", "dropped")}
        namespaces = tuple(row["places"].split())
        values = row | told | {"namespace": row["place"], "namespaces": namespaces}
        return cls(**{one.name: values[one.name] for one in fields(cls)})

    def row(self) -> list[Any]:
        """Return the entry as a row of ``_mdfactory_log``."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values |= {name: json.dumps(values[name]) for name in ("changes", "made", "dropped")}
        values["namespaces"] = " ".join(self.namespaces)
        return list(values.values())


def is_entry(operation: int, namespace: str) -> bool:
    """Whether there can be an entry of this number, for this place."""
    return 0 < operation < LAST and namespace in NAMESPACES


NAMESPACES: Final = frozenset(map(str, Namespace))


def _is_said(told: dict[str, Any]) -> bool:
    """Whether what a row says in JSON is what an entry says."""
    names = [told["made"], told["dropped"]]
    counts = list(told["changes"].values()) if isinstance(told["changes"], dict) else [None]
    return all(
        isinstance(some, list) and all(isinstance(name, str) for name in some) for some in names
    ) and all(
        isinstance(some, dict) and all(isinstance(count, int) for count in some.values())
        for some in counts
    )


@dataclass(frozen=True, slots=True)
class UndoPart:
    """A part of what an operation did.

    Parameters
    ----------
    number
        Parts count from 0, in the order in which they were done.
    operation
        The number of the operation.
    table
        Name of the table.
    left
        Packed: keys of records, and the stamps that they were left with.
    before
        Packed: those that were there before, as a whole; empty if none was.
    """

    number: int
    operation: int
    table: str
    left: str
    before: str

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.left) + len(self.before)

    @staticmethod
    def key(number: int) -> str:
        """Return the key of a part: its number, behind a digit that all are divided by."""
        return f"{number % 16:x}{number:08}"

    def row(self) -> tuple[str | int, ...]:
        """Return it as a row of ``_mdfactory_undo_*``."""
        values = (self.key(self.number), self.operation, self.table, self.left, self.before)
        return (*values, digest(values))

    @classmethod
    def read(cls, row: dict[str, Any]) -> UndoPart:
        """Return the part of a row.

        Raises
        ------
        ValueError
            If anything of it has been changed.
        """
        *values, told = row.values()
        if digest(values) != told:
            raise ValueError("a part of what was kept has been changed")
        key, *rest = values
        return cls(int(key[1:]), *rest)


def before_image_schema(table: Table) -> pa.Schema:
    """Return the columns of a record as a whole: its own, its digests, and those beside it."""
    extra = [pa.field(name, pa.string(), nullable=False) for name in ("content", "digest")]
    if table.sidecar:
        kept = (table.sidecar.schema.field(name) for name in (table.time, *table.sidecar_columns))
        extra += [one.with_name(f"{SIDECAR_PREFIX}{one.name}") for one in kept]
    return pa.schema([*table.schema, *extra])


def fingerprint(digest: str, beside: str = "") -> bytes:
    """Return the stamp of a record.

    Parameters
    ----------
    digest
        Its record digest.
    beside
        The digest of what is kept beside it, empty if nothing is.
    """
    kept = sha256(beside.encode()).digest()[:HALF] if beside else bytes(HALF)
    return bytes.fromhex(digest[: 2 * HALF]) + kept


def is_between(one: bytes, first: bytes, second: bytes) -> bool:
    """Whether a record is as one stamp says, or as another.

    A write that is cut short may store what is beside a record, and not the record: so each is
    asked by itself.
    """
    return one[:HALF] in {first[:HALF], second[:HALF]} and one[HALF:] in {
        first[HALF:],
        second[HALF:],
    }


def fingerprints(table: Table, read_before_images: pa.RecordBatch) -> list[bytes]:
    """Return the stamps of records as they are, whatever digests are kept of them."""
    contents = content_digests(table, read_before_images)
    times = texts(read_before_images[table.time])
    beside = (
        texts(read_before_images[f"{SIDECAR_PREFIX}digest"])
        if table.sidecar
        else [""] * read_before_images.num_rows
    )
    digests = map(record_digest, contents, times)
    return list(map(fingerprint, digests, beside))


def keyed(
    keys: Iterable[pa.Array[Any]], names: Sequence[str], left: Sequence[bytes]
) -> pa.RecordBatch:
    """Return the keys of records with the stamps that they were left with, as ``left``."""
    data = pa.py_buffer(b"".join(left))
    column = pa.Array.from_buffers(pa.binary(WIDTH), len(left), [None, data])
    return pa.RecordBatch.from_arrays([*keys, column], names=[*names, "left"])
