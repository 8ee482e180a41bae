"""The journal of one operation: its log entries, and the before-images that undo needs."""

from __future__ import annotations

import socket
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

import pyarrow as pa

from mdfactory.files import escape_undecoded
from mdfactory.platforms import user_name
from mdfactory.records.arrow import batch, pack
from mdfactory.records.digests import RecordDigests
from mdfactory.records.history import ABSENT, Entry, UndoPart, fingerprint, keys_with_fingerprints
from mdfactory.records.query import Query
from mdfactory.records.tables import Namespace, Table, log_table, undo_table
from mdfactory.records.vocabulary import Retention
from mdfactory.stores.comparison import sidecar_digests
from mdfactory.stores.history.before_images import before_images_of, read_before_images
from mdfactory.stores.history.entries import EntrySummary, read_entries, read_summaries
from mdfactory.stores.keys import Key, keys_of, take_rows
from mdfactory.stores.recorder import Logged
from mdfactory.stores.transaction import Transaction
from mdfactory.version import __version__


@dataclass(slots=True)
class NamespaceChanges:
    """The changes of an operation in one namespace so far.

    Parameters
    ----------
    counts
        Table name -> outcome -> number of records.
    created, dropped
        Names of tables that did not exist before, and of tables that no longer exist.
    parts
        Number of undo parts that were written.
    size
        Bytes of these parts: before-images and fingerprints.
    """

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    created: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    parts: int = 0
    size: int = 0


class Journal:
    """Journal of one operation, in its transaction; implements `stores.recorder.Recorder`.

    Before-images are written to undo tables while the operation runs. `close` writes the log
    entries, and drops the oldest before-images beyond the retention.

    The log is read when it is first needed. An operation that fails early does not read it.

    Parameters
    ----------
    transaction
        The transaction of the operation.
    command
        The command line, for the log.
    retention
        How many operations, and how many bytes of before-images, are kept, including this
        operation. The oldest are dropped first. If the before-images of this operation alone are
        too large, it stores none.
    undoes
        Number of the operation that this one undoes; 0 if it is no undo.

    Attributes
    ----------
    logged : Logged or None
        The operation, once `close` has written its log entries.
    """

    logged: Logged | None = None

    def __init__(
        self, transaction: Transaction, command: str, retention: Retention, *, undoes: int = 0
    ) -> None:
        self.keeps_before_images = retention.is_enabled
        self._transaction = transaction
        self._backend = transaction.backend
        self._command = command
        self._retention = retention
        self._undoes = undoes
        self._changes: dict[Namespace, NamespaceChanges] = defaultdict(NamespaceChanges)

    @cached_property
    def _earlier(self) -> list[EntrySummary]:
        """Summaries of the log entries of earlier operations."""
        return read_summaries(self._transaction)

    @cached_property
    def _operation(self) -> int:
        """Number of this operation."""
        return 1 + max((entry.operation for entry in self._earlier), default=0)

    @cached_property
    def _slot(self) -> int:
        """Lowest number of an undo table that no earlier operation uses."""
        used = {entry.slot for entry in self._earlier}
        return next(slot for slot in range(len(used) + 1) if slot not in used)

    def count(self, table: Table, numbers: Mapping[str, int]) -> None:
        """Add to the counts of a table."""
        counts = self._changes[table.namespace].counts[table.name]
        counts.update({outcome: number for outcome, number in numbers.items() if number})

    def table_created(self, table: Table) -> None:
        """Record that a table was created."""
        self._changes[table.namespace].created.append(table.name)

    def table_dropped(self, table: Table) -> None:
        """Record that a table was dropped, unless this operation created it."""
        changes = self._changes[table.namespace]
        if table.name in changes.created:
            changes.created.remove(table.name)
        else:
            changes.dropped.append(table.name)

    def before_write(
        self,
        table: Table,
        rows: pa.RecordBatch,
        digests: Sequence[RecordDigests],
        replaced: Sequence[Key],
    ) -> None:
        """Record the before-images of a write."""
        fingerprints = {
            row.key: fingerprint(row.digest, sidecar_digest)
            for row, sidecar_digest in zip(digests, sidecar_digests(rows), strict=True)
        }
        stored: set[Key] = set()
        for images in read_before_images(self._transaction, table, replaced):
            keys = keys_of(images, table.key)  # a key may occur twice, by another program
            stored.update(keys)
            self.keep_before_images(table, images, [fingerprints[key] for key in keys], images)
        inserted = {
            position: after
            for position, (key, after) in enumerate(fingerprints.items())
            if key not in stored
        }
        new_rows = take_rows(rows, list(inserted))
        self.keep_before_images(table, new_rows, list(inserted.values()))

    def before_removal(self, table: Table, rows: pa.RecordBatch) -> None:
        """Record the before-images of a removal."""
        images = before_images_of(self._transaction, table, rows)
        self.keep_before_images(table, rows, [ABSENT] * rows.num_rows, images)

    def keep_before_images(
        self,
        table: Table,
        rows: pa.RecordBatch,
        fingerprints: Sequence[bytes],
        before: pa.RecordBatch | None = None,
    ) -> None:
        """Store before-images, or none any more once their size exceeds the retention."""
        if not (self.keeps_before_images and rows.num_rows):
            return
        changes = self._changes[table.namespace]
        columns = [rows[name] for name in table.key]
        part = UndoPart(
            changes.parts,
            self._operation,
            table.name,
            fingerprints=pack(keys_with_fingerprints(columns, table, fingerprints)),
            before_images=pack(before) if before else "",
        )
        if sum(each.size for each in self._changes.values()) + part.size > self._retention.size:
            self.keeps_before_images = False  # `close` drops the parts that were written
            return
        undo = undo_table(table.namespace, self._slot)
        if not changes.parts:
            self._prepare_undo_table(undo)
        changes.parts += 1
        changes.size += part.size
        self._backend.put(undo, batch([part.to_row()], undo.schema))

    def _prepare_undo_table(self, undo: Table) -> None:
        """Create an undo table, or empty an existing one."""
        if self._backend.has(undo):
            # The table is not dropped: a drop would disturb the streams that are being read in
            # the same transaction.
            keys = list(self._backend.values(undo, Query(columns=undo.key)))
            self._backend.remove(undo, keys)
            return
        self._transaction.initialise_namespace(undo.namespace)
        self._backend.make(undo)

    def purge(self) -> None:
        """Store no before-images of this operation, and drop those of all earlier ones.

        All undo tables that the store lists are dropped, including those that no log entry refers
        to. Foundry lists none: there, `close` empties those that log entries refer to.
        """
        self.keeps_before_images = False
        self._retention = Retention(0)
        for namespace in Namespace:
            prefix = undo_table(namespace, 0).id.rstrip("0")
            for name in list(self._backend.names(namespace)):
                slot = name.lower().removeprefix(prefix)
                if slot.isdecimal():
                    self._backend.drop(undo_table(namespace, int(slot)))

    def close(self) -> None:
        """Write the log entries, and drop before-images beyond the retention.

        An operation that changed nothing gets no entry.
        """
        if not self.keeps_before_images:
            self._drop_written_parts()
        entries = self._new_entries()
        if not any(entry.has_changes for entry in entries):
            entries = []
        if entries:
            self.logged = Logged(self._operation, self.keeps_before_images)
        for entry in [*self._expire_operations(entries), *entries]:
            table = log_table(Namespace(entry.namespace))
            if not self._backend.has(table):
                self._transaction.initialise_namespace(table.namespace)
                self._backend.make(table)
            self._backend.put(table, batch([entry.to_row()], table.schema))

    def _drop_written_parts(self) -> None:
        """Drop the undo tables of this operation.

        This is done only at its end: a drop would disturb the streams that are being read in the
        same transaction.
        """
        for namespace, changes in self._changes.items():
            if changes.parts:
                self._backend.drop(undo_table(namespace, self._slot))
            changes.parts = changes.size = 0

    def _new_entries(self) -> list[Entry]:
        """Return the log entries of this operation: one for each namespace that it changed."""
        now, host = datetime.now(UTC).isoformat(), socket.gethostname()
        return [
            Entry(
                operation=self._operation,
                namespace=namespace,
                namespaces=tuple(self._changes),
                time=now,
                who=_storable(user_name()),
                host=host,
                version=__version__,
                command=_storable(self._command),
                changes={name: dict(counts) for name, counts in changes.counts.items()},
                made=tuple(changes.created),
                dropped=tuple(changes.dropped),
                undoes=self._undoes,
                slot=self._slot if changes.parts else -1,
                size=changes.size,
            )
            for namespace, changes in self._changes.items()
        ]

    def _expire_operations(self, new_entries: Sequence[Entry]) -> list[Entry]:
        """Drop the before-images of the oldest operations beyond the retention.

        Returns
        -------
        list of Entry
            New log entries of these operations, which refer to no undo table.
        """
        earlier = [entry for entry in self._earlier if entry.slot >= 0]
        entries: list[EntrySummary | Entry] = [*earlier, *new_entries]
        entries = [entry for entry in entries if entry.slot >= 0]
        size = sum(entry.size for entry in entries)
        operations = sorted({entry.operation for entry in entries})
        expired: set[int] = set()
        while operations and (
            len(operations) > self._retention.operations or size > self._retention.size
        ):
            expired.add(operations.pop(0))
            size = sum(entry.size for entry in entries if entry.operation not in expired)
        for entry in entries:
            undo = undo_table(Namespace(entry.namespace), entry.slot)
            if entry.operation in expired and self._backend.has(undo):
                self._backend.drop(undo)
        summaries = [entry for entry in earlier if entry.operation in expired]
        expired_entries = read_entries(self._transaction, summaries) if summaries else []
        return [replace(entry, slot=-1, size=0) for entry in expired_entries]


def _storable(text: str) -> str:
    """Return a text with those characters escaped that some stores refuse.

    They are the null character, and the surrogates by which Python represents bytes of a path
    that are not UTF-8.
    """
    return escape_undecoded(text).replace("\0", "\\0")
