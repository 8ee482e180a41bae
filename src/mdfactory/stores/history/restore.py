"""Restore records from the before-images of an operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mdfactory.records.arrow import texts
from mdfactory.records.digests import RecordDigests
from mdfactory.records.history import ABSENT, SIDECAR_PREFIX, fingerprints
from mdfactory.records.tables import Table
from mdfactory.stores.history.before_images import read_before_images
from mdfactory.stores.keys import Key, key_batches, keys_of, take_rows
from mdfactory.stores.transaction import Transaction

PlannedFingerprints = dict[tuple[str, Key], bytes]
"""Table id and key -> fingerprint that a record would have after the undo planned so far."""


@dataclass(frozen=True, slots=True)
class Restored:
    """Keys of records, grouped by what was done to restore them, or would be done.

    Parameters
    ----------
    inserted, updated, removed
        Keys of records that were inserted, updated or removed.
    unchanged
        Keys of records that were already as before the operation.
    conflicting
        Keys of records that have changed since the operation; they were not restored.
    """

    inserted: set[Key] = field(default_factory=set)
    updated: set[Key] = field(default_factory=set)
    removed: set[Key] = field(default_factory=set)
    unchanged: set[Key] = field(default_factory=set)
    conflicting: set[Key] = field(default_factory=set)

    @property
    def keys(self) -> set[Key]:
        """Keys of all records except the conflicting ones."""
        return self.inserted | self.updated | self.removed | self.unchanged

    @property
    def counts(self) -> dict[str, int]:
        """Outcome -> number of records, without the conflicting ones."""
        outcomes = ("inserted", "updated", "removed", "unchanged")
        return {outcome: len(getattr(self, outcome)) for outcome in outcomes}


@dataclass(frozen=True, slots=True)
class RecordStates:
    """Fingerprints of the same records at three times: before and after an operation, and now.

    Parameters
    ----------
    before
        Key -> fingerprint before the operation, of the records that existed.
    after
        Key -> fingerprint after the operation, of all records that it changed; ``ABSENT`` for a
        record that it removed.
    now
        Key -> fingerprint now, of the records that exist.
    """

    before: dict[Key, bytes]
    after: dict[Key, bytes]
    now: dict[Key, bytes] = field(default_factory=dict)

    def outcome(self, key: Key) -> str:
        """Return what must be done to restore a record: the name of a field of `Restored`."""
        before, now = self.before.get(key, ABSENT), self.now.get(key, ABSENT)
        if now == before:
            return "unchanged"
        if now != self.after[key]:
            return "conflicting"
        if now == ABSENT:
            return "inserted"
        return "removed" if before == ABSENT else "updated"

    def classify(self) -> Restored:
        """Group the records by what must be done to restore them."""
        restored = Restored()
        for key in self.after:
            getattr(restored, self.outcome(key)).add(key)
        return restored

    def select(self, table: Table, rows: pa.RecordBatch, *outcomes: str) -> pa.RecordBatch:
        """Return the rows of the records that have one of some outcomes."""
        keys = enumerate(keys_of(rows, table.key))
        return take_rows(rows, [row for row, key in keys if self.outcome(key) in outcomes])


def put_back(
    transaction: Transaction,
    table: Table,
    after: pa.RecordBatch,
    before: pa.RecordBatch,
    planned: PlannedFingerprints | None = None,
) -> Restored:
    """Restore records that have not changed since an operation.

    Parameters
    ----------
    transaction
        The transaction of the undo; it may write, unless `planned` is given.
    table
        The table of the records.
    after
        Records that the operation changed: their key columns, and the binary column ``left``
        with their fingerprints after it.
    before
        Before-images of those records that existed, in ``before_image_schema(table)``.
    planned
        If given, nothing is written. Its fingerprints are used in place of those of the stored
        records. The fingerprints that the records would then have are added to it. So several
        parts that changed the same record can be planned one after the other.
    """
    if planned is None:
        transaction.lock_table(table)
    fingerprints_after: list[Any] = after["left"].to_pylist()
    states = RecordStates(
        before=_fingerprints_by_key(table, before),
        after=dict(zip(keys_of(after, table.key), fingerprints_after, strict=True)),
    )
    _read_current_states(transaction, table, states)
    if planned is not None:
        keys = (key for key in states.after if (table.id, key) in planned)
        states.now.update({key: planned[table.id, key] for key in keys})
    restored = states.classify()
    if planned is not None:
        planned |= {(table.id, key): states.before.get(key, ABSENT) for key in restored.keys}
        return restored
    _record(transaction, table, states, states.select(table, after, "inserted"))
    for keys_batch in key_batches(list(restored.removed)):
        transaction.remove_records(table, keys_batch)
    _put_images(transaction, table, states.select(table, before, "inserted", "updated"))
    return restored


def _read_current_states(transaction: Transaction, table: Table, states: RecordStates) -> None:
    """Read the present fingerprints into `states`, and record the records that must change.

    All records are read before any is changed: they are streamed, and not every store can change
    a table that is being read.
    """
    if not transaction.has(table):
        return
    for images in read_before_images(transaction, table, list(states.after)):
        states.now.update(_fingerprints_by_key(table, images))
        changing = states.select(table, images, "updated", "removed")
        _record(transaction, table, states, changing, changing)


def _record(
    transaction: Transaction,
    table: Table,
    states: RecordStates,
    rows: pa.RecordBatch,
    images: pa.RecordBatch | None = None,
) -> None:
    """Record rows before they are restored, so that the undo can be undone.

    Parameters
    ----------
    rows
        Rows with the key columns.
    images
        The before-images of these rows; None if none of them is stored now.
    """
    if transaction.recorder:
        restored = [states.before.get(key, ABSENT) for key in keys_of(rows, table.key)]
        transaction.recorder.keep_before_images(table, rows, restored, images)


def _fingerprints_by_key(table: Table, images: pa.RecordBatch) -> dict[Key, bytes]:
    """Return key -> fingerprint of before-images."""
    return dict(zip(keys_of(images, table.key), fingerprints(table, images), strict=True))


def _put_images(transaction: Transaction, table: Table, images: pa.RecordBatch) -> None:
    """Store records from their before-images, with the digests and sidecars in them."""
    if not images.num_rows:
        return
    transaction.backend.put(table, images.select(table.columns))
    keys = keys_of(images, table.key)
    rows = list(map(RecordDigests, keys, texts(images["content"]), texts(images["digest"])))
    transaction.put_digests(table, [row for row in rows if row.digest])
    transaction.remove_digests(table, [row.key for row in rows if not row.digest])
    sidecar_columns = [name for name in images.schema.names if name.startswith(SIDECAR_PREFIX)]
    columns = [*table.key, *sidecar_columns]
    names = [name.removeprefix(SIDECAR_PREFIX) for name in columns]
    sidecars = pa.RecordBatch.from_arrays(images.select(columns).columns, names=names)
    transaction.put_sidecars(table, sidecars)
