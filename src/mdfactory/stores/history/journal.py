"""The journal of one operation: an entry in the log, and what must be known to take it back."""

from __future__ import annotations

import getpass
import logging
import socket
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, NamedTuple

import pyarrow as pa

from mdfactory.records.arrow import batch, pack, texts
from mdfactory.records.history import (
    ABSENT,
    Entry,
    UndoPart,
    fingerprint,
    is_entry,
    keys_with_fingerprints,
)
from mdfactory.records.query import Query
from mdfactory.records.tables import Namespace, Table, log_table, undo_table
from mdfactory.records.vocabulary import Retention
from mdfactory.stores.history.restore import before_images_of, read_before_images
from mdfactory.stores.keys import Key, keys_of, taken
from mdfactory.stores.transaction import Transaction
from mdfactory.version import __version__

__all__ = ["Journal", "entries"]

log = logging.getLogger(__name__)


BRIEF_COLUMNS: Final = ("operation", "place", "places", "slot", "size")
"""Columns of the log that every operation reads, in the order of the fields of `Brief`."""


class Brief(NamedTuple):
    """What every operation must know of the entries before it; as in `records.history.Entry`."""

    operation: int
    namespace: str
    namespaces: str
    slot: int
    size: int


def briefs(transaction: Transaction) -> list[Brief]:
    """Return what must be known of all entries of the log, which may be many.

    An operation that was cut short while its entries were stored is not among them.
    """
    found: dict[tuple[int, str], Brief] = {}
    for table in map(log_table, Namespace):
        query = Query(columns=BRIEF_COLUMNS)
        for values in transaction.values(table, query) if transaction.has(table) else ():
            brief = Brief(*values)
            if is_entry(brief.operation, brief.namespace):
                found[brief.operation, brief.namespace] = brief  # both places may be one schema
    last = max((operation for operation, _ in found), default=0)
    latest = [one for one in found.values() if one.operation == last]
    if latest and len(latest) < len(latest[0].namespaces.split()) and transaction.was_interrupted:
        return [one for one in found.values() if one.operation != last]
    return list(found.values())


def entries(transaction: Transaction, wanted: Collection[Brief] | None = None) -> list[Entry]:
    """Return entries of the log, in order: one for each place that an operation changed.

    Parameters
    ----------
    transaction
        A transaction of the store.
    wanted
        Which; all if None, but those of an operation that was cut short.
    """
    some = briefs(transaction) if wanted is None else wanted
    there = {(one.operation, one.namespace) for one in some}
    found: dict[tuple[int, str], Entry] = {}
    for table in map(log_table, Namespace):
        for rows in transaction.scan(table, Query()) if transaction.has(table) else ():
            for row in rows.to_pylist():
                if wanted is not None and (row["operation"], row["place"]) not in there:
                    continue
                try:
                    entry = Entry.from_row(row)
                except ValueError as error:
                    log.warning(
                        "%s: an entry of %s is damaged, and passed over: %s",
                        transaction.location,
                        table.name,
                        error,
                    )
                    continue
                if (entry.operation, entry.namespace) in there:
                    found[entry.operation, entry.namespace] = entry
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1] != Namespace.runs))]


@dataclass(slots=True)
class NamespaceChanges:
    """What an operation did in one place of a store.

    Parameters
    ----------
    changes
        Table -> what became of records -> how many.
    made, dropped
        Tables that were not there before, and that are not there any more.
    part
        Number of the next part to be kept; None before the first.
    size
        Bytes that are kept.
    """

    changes: dict[str, Counter[str]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    part: int | None = None
    size: int = 0


class Journal:
    """Takes note of an operation, in the store, while it is done.

    Parameters
    ----------
    transaction
        The transaction of the operation.
    command
        What was typed.
    retention
        How much is kept of the latest operations, this one included. What goes beyond that is
        forgotten, the oldest first; one that is too large by itself is not kept.
    undoes
        Number of the operation that this one takes back; 0 if it is no undo.
    """

    def __init__(
        self, transaction: Transaction, command: str, retention: Retention, *, undoes: int = 0
    ) -> None:
        self.keeps_before_images = retention.is_enabled
        self._transaction = transaction
        self._command = command
        self._keep = retention
        self._undoes = undoes
        self._sides: dict[Namespace, NamespaceChanges] = {}

    @cached_property
    def _earlier(self) -> list[Brief]:
        return briefs(self._transaction)

    @cached_property
    def _operation(self) -> int:
        return 1 + max((one.operation for one in self._earlier), default=0)

    @cached_property
    def _slot(self) -> int:
        taken = {one.slot for one in self._earlier}
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)

    def count(self, table: Table, numbers: Mapping[str, int]) -> None:
        """Count what becomes of records."""
        changes = self._side(table).changes.setdefault(table.name, Counter())
        changes.update({what: number for what, number in numbers.items() if number})

    def table_created(self, table: Table) -> None:
        """Note that a table was not there before."""
        self._side(table).made.append(table.name)

    def table_dropped(self, table: Table) -> None:
        """Note that a table is not there any more."""
        side = self._side(table)
        if table.name in side.made:
            side.made.remove(table.name)
        else:
            side.dropped.append(table.name)

    def keep_before_images(
        self,
        table: Table,
        rows: pa.RecordBatch,
        left: Sequence[bytes],
        before: pa.RecordBatch | None = None,
    ) -> None:
        """Note what becomes of records, before it happens.

        Parameters
        ----------
        table
            Their table.
        rows
            The records: their keys are what counts.
        left
            The stamp that each is left with.
        before
            The same records as they are now, as a whole; None if they are not there.
        """
        if not (self.keeps_before_images and rows.num_rows):
            return
        side = self._side(table)
        undo = undo_table(table.namespace, self._slot)
        if side.part is None:
            self._begin(undo, side)
        keys = keys_with_fingerprints([rows[name] for name in table.key], table.key, left)
        read_before_images = pack(before) if before else ""
        part = UndoPart(side.part or 0, self._operation, table.name, pack(keys), read_before_images)
        side.part = part.number + 1
        side.size += part.size
        if sum(one.size for one in self._sides.values()) > self._keep.size:
            self.forget()
        else:
            self._transaction.put(undo, batch([part.to_row()], undo.schema))

    def before_write(
        self, table: Table, rows: pa.RecordBatch, digests: Mapping[Key, str], old: Sequence[Key]
    ) -> None:
        """Note what a write is about to replace; see `stores.transaction.Recorder`."""
        is_kept = table.sidecar is not None and table.sidecar_columns[0] in rows.schema.names
        beside = texts(rows["digest"]) if is_kept else [""] * rows.num_rows
        left = list(map(fingerprint, digests.values(), beside))
        positions = {key: position for position, key in enumerate(digests)}
        there: set[Key] = set()
        for found in read_before_images(self._transaction, table, old):
            known = keys_of(found, table.key)  # another program may have one of them twice
            there.update(known)
            self.keep_before_images(table, found, [left[positions[key]] for key in known], found)
        fresh = [position for key, position in positions.items() if key not in there]
        self.keep_before_images(table, taken(rows, fresh), [left[position] for position in fresh])

    def before_removal(self, table: Table, rows: pa.RecordBatch) -> None:
        """Note records that are about to be removed."""
        self.keep_before_images(
            table, rows, [ABSENT] * rows.num_rows, before_images_of(self._transaction, table, rows)
        )

    def forget(self) -> None:
        """Keep nothing of this operation."""
        self.keeps_before_images = False

    def purge(self) -> None:
        """Keep nothing of this operation, nor of any earlier one, in the log or not."""
        self.forget()
        self._keep = Retention(0)
        for namespace in Namespace:
            prefix = undo_table(namespace, 0).id.rstrip("0")
            for name in list(self._transaction.names(namespace)):
                number = name.lower().removeprefix(prefix)
                if number.isdecimal():
                    self._transaction.drop(undo_table(namespace, int(number)))

    def close(self) -> None:
        """Put the entry into the log, and forget what goes beyond the bound."""
        if self.keeps_before_images and self._transaction.was_interrupted:
            self._complete()
        tables = self._transaction.tables()
        if not self._sides and tables:
            self._side(tables[0])
        if not self.keeps_before_images:
            self._drop()
        now = datetime.now(UTC).isoformat()
        fresh = [
            Entry(
                self._operation,
                namespace,
                tuple(self._sides),
                now,
                _user(),
                socket.gethostname(),
                __version__,
                _storable(self._command),
                {name: dict(counts) for name, counts in side.changes.items()},
                tuple(side.made),
                tuple(side.dropped),
                self._undoes,
                -1 if side.part is None else self._slot,
                side.size,
            )
            for namespace, side in self._sides.items()
        ]
        changed = [*self._forgotten(fresh), *fresh]
        for entry in changed:
            table = log_table(Namespace(entry.namespace))
            if not self._transaction.has(table):
                self._transaction.describe(table.namespace)
                self._transaction.make(table)
            self._transaction.put(table, batch([entry.to_row()], table.schema))

    def _drop(self) -> None:
        """Remove what was kept of this operation; only now, since tables may be read till here."""
        for namespace, side in self._sides.items():
            if side.part is not None:
                self._transaction.drop(undo_table(namespace, self._slot))
            side.part, side.size = None, 0

    def _forgotten(self, fresh: Sequence[Entry]) -> list[Entry]:
        """Drop what is kept of operations beyond the bound; return their entries, renewed."""
        known: list[Brief | Entry] = [*self._earlier, *fresh]
        kept = [one for one in known if one.slot >= 0]
        size = sum(one.size for one in kept)
        operations = sorted({one.operation for one in kept})
        gone: set[int] = set()
        while operations and (len(operations) > self._keep.operations or size > self._keep.size):
            oldest = operations.pop(0)
            for one in (one for one in kept if one.operation == oldest):
                undo = undo_table(Namespace(one.namespace), one.slot)
                if self._transaction.has(undo):
                    self._transaction.drop(undo)
                size -= one.size
            gone.add(oldest)
        wanted = [one for one in self._earlier if one.slot >= 0 and one.operation in gone]
        renewed = entries(self._transaction, wanted) if wanted else []
        return [replace(one, slot=-1, size=0) for one in renewed]

    def _side(self, table: Table) -> NamespaceChanges:
        return self._sides.setdefault(table.namespace, NamespaceChanges())

    def _begin(self, undo: Table, side: NamespaceChanges) -> None:
        """Make the table for this operation anew, unless there is something in it to complete."""
        if self._transaction.has(undo):
            if self._transaction.was_interrupted:
                self._adopt(undo, side)
            if side.part is None:
                self._empty(undo)
        else:
            self._transaction.describe(undo.namespace)
            self._transaction.make(undo)
        side.part = side.part or 0

    def _empty(self, undo: Table) -> None:
        """Remove what is left of others; to drop the table would disturb what is being read."""
        self._transaction.remove(
            undo, list(self._transaction.values(undo, Query(columns=undo.key)))
        )

    def _complete(self) -> None:
        """Take over what a write that was cut short has left, where this one changed nothing."""
        for namespace in Namespace:
            side, undo = (
                self._sides.get(namespace, NamespaceChanges()),
                undo_table(namespace, self._slot),
            )
            unused = side.part is None and self._transaction.has(undo)
            if unused and self._adopt(undo, side):
                self._sides[namespace] = side

    def _adopt(self, undo: Table, side: NamespaceChanges) -> bool:
        """Count the parts of a write that never came to its entry in the log, if there are any.

        They must be undone with this operation, so that all becomes as the latest entry left it.
        """
        for rows in self._transaction.scan(undo, Query()):
            for row in rows.to_pylist():
                if row["operation"] == self._operation:
                    part = UndoPart.from_row(row)
                    side.part = max(side.part or 0, part.number + 1)
                    side.size += part.size
        return side.part is not None


def _storable(text: str) -> str:
    """Return a text without what stores do not take, such as bytes of a path that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _user() -> str:
    try:
        return _storable(getpass.getuser())
    except (KeyError, OSError):  # a user without a name, as in some containers
        return ""
