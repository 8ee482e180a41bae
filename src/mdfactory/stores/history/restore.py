"""Records as a whole: read with all that a store keeps of them, and put back as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mdfactory.records.arrow import array, batch
from mdfactory.records.history import (
    ABSENT,
    SIDECAR_PREFIX,
    before_image_schema,
    fingerprints,
    matches_either,
)
from mdfactory.records.query import Query
from mdfactory.records.tables import Table, digest_table
from mdfactory.stores.keys import Key, chunks, digest_key, hashes, keys_of, taken
from mdfactory.stores.transaction import Transaction

__all__ = ["Restored", "before_images_of", "put_back", "read_before_images"]


def read_before_images(
    transaction: Transaction, table: Table, keys: Sequence[Key]
) -> Iterator[pa.RecordBatch]:
    """Stream the records with some keys as a whole; those that are not there are passed over."""
    wanted = set(keys)
    for some in chunks(keys):
        for rows in transaction.scan(table, Query(where=(hashes(some),))):
            found = enumerate(keys_of(rows, table.key))
            those = taken(rows, [position for position, key in found if key in wanted])
            if those.num_rows:
                yield before_images_of(transaction, table, those)


def before_images_of(
    transaction: Transaction, table: Table, rows: pa.RecordBatch
) -> pa.RecordBatch:
    """Return records with all else that is kept of them; what is not kept is blank."""
    keys = keys_of(rows, table.key)
    digests = {key: values for key, *values in transaction.stored_digests(table, keys)}
    extra = [digests.get(key, ("", "")) for key in keys]
    if table.sidecar:
        width, blank = len(table.key), ("",) * (1 + len(table.sidecar_columns))
        kept = transaction.sidecars(table, keys, table.sidecar_columns)
        beside = {key[:width]: (*key[width:], *values) for key, values in kept.items()}
        extra = [(*one, *beside.get(key, blank)) for one, key in zip(extra, keys, strict=True)]
    schema = before_image_schema(table)
    texts = list(zip(*extra, strict=True)) or [()] * (len(schema) - len(table.schema))
    columns = [array(column, pa.string()) for column in texts]
    return pa.RecordBatch.from_arrays([*rows.columns, *columns], schema=schema)


@dataclass(slots=True)
class Restored:
    """What became, or would become, of records that were put back.

    Parameters
    ----------
    inserted, updated, removed, unchanged
        How many came back, became what they were, went, or were so already.
    ours
        Keys of these.
    changed
        Keys of records that someone has changed since; they were left alone.
    """

    inserted: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    ours: set[Key] = field(default_factory=set)
    changed: set[Key] = field(default_factory=set)

    @property
    def counts(self) -> dict[str, int]:
        """The numbers by their names."""
        names = ("inserted", "updated", "removed", "unchanged")
        return {name: getattr(self, name) for name in names}


def put_back(
    transaction: Transaction,
    table: Table,
    left: pa.RecordBatch,
    before: pa.RecordBatch,
    planned: dict[tuple[str, Key], bytes] | None = None,
) -> Restored:
    """Put records back as they were, if they still are as they were left.

    Parameters
    ----------
    transaction
        Where; it may write, unless this is only planned.
    table
        Their table.
    left
        Their keys, and the stamps that they were left with.
    before
        Those that were there before, as a whole.
    planned
        If given, nothing is changed: it takes the stamps that records would have, by table and
        key, and they count as those that they have.
    """
    if planned is None:
        transaction.lock_table(table)
    target = _stamped(table, before)
    were: list[Any] = left["left"].to_pylist()
    then: dict[Key, bytes] = dict(zip(keys_of(left, table.key), were, strict=True))
    now: dict[Key, bytes] = {}

    def differs(key: Key) -> bool:
        return now.get(key, ABSENT) != target.get(key, ABSENT)

    def is_ours(key: Key) -> bool:
        return matches_either(now.get(key, ABSENT), then[key], target.get(key, ABSENT))

    # All is read and noted before any of it is changed: the answer streams.
    for found in (
        read_before_images(transaction, table, list(then)) if transaction.has(table) else ()
    ):
        now |= _stamped(table, found)
        _note(transaction, table, found, target, lambda key: differs(key) and is_ours(key))
    if planned is not None:
        now |= {key: planned[table.id, key] for key in then if (table.id, key) in planned}
    ours = {key for key in then if is_ours(key)}
    renewed = {key for key in ours if differs(key)}
    _note(transaction, table, left, target, (renewed - now.keys()).__contains__, there=False)
    there = {key for key in renewed if now.get(key, ABSENT) != ABSENT}
    going = [key for key in there if key not in target]
    if planned is None:
        for some in chunks(going):
            transaction.forget(table, some)
        _put(transaction, table, _chosen(table, before, renewed.__contains__))
    else:
        planned |= {(table.id, key): target.get(key, ABSENT) for key in ours}
    return Restored(
        inserted=len(renewed) - len(there),
        updated=len(there) - len(going),
        removed=len(going),
        unchanged=len(ours) - len(renewed),
        ours=ours,
        changed=then.keys() - ours,
    )


def _stamped(table: Table, rows: pa.RecordBatch) -> dict[Key, bytes]:
    return dict(zip(keys_of(rows, table.key), fingerprints(table, rows), strict=True))


def _chosen(table: Table, rows: pa.RecordBatch, wanted: Callable[[Key], bool]) -> pa.RecordBatch:
    keys = enumerate(keys_of(rows, table.key))
    return taken(rows, [position for position, key in keys if wanted(key)])


def _note(
    transaction: Transaction,
    table: Table,
    rows: pa.RecordBatch,
    target: Mapping[Key, bytes],
    wanted: Callable[[Key], bool],
    *,
    there: bool = True,
) -> None:
    """Have noted what some records are, and what they are going to be."""
    if transaction.recorder:
        those = _chosen(table, rows, wanted)
        left = [target.get(key, ABSENT) for key in keys_of(those, table.key)]
        transaction.recorder.keep_before_images(table, those, left, those if there else None)


def _put(transaction: Transaction, table: Table, rows: pa.RecordBatch) -> None:
    """Put records, with what was kept of them, or see that nothing is kept."""
    if not rows.num_rows:
        return
    transaction.put(table, rows.select(table.columns))
    digests = digest_table(table.namespace)
    kept = _chosen_by(rows, "digest")
    values = zip(keys_of(kept, table.key), keys_of(kept, ("content", "digest")), strict=True)
    described = [(*digest_key(table, key), *both) for key, both in values]
    transaction.put(digests, batch(described, digests.schema))
    bare = _chosen_by(rows, "digest", blank=True)
    transaction.remove(digests, [digest_key(table, key) for key in keys_of(bare, table.key)])
    if table.sidecar:
        prefixed = [one for one in rows.schema.names if one.startswith(SIDECAR_PREFIX)]
        first = f"{SIDECAR_PREFIX}{table.sidecar_columns[0]}"
        bare = _chosen_by(rows, first, blank=True)
        transaction.remove_sidecars(table, keys_of(bare, table.key))
        kept = _chosen_by(rows, first).select([*table.key, *prefixed])
        names = [name.removeprefix(SIDECAR_PREFIX) for name in kept.schema.names]
        transaction.put_sidecars(table, pa.RecordBatch.from_arrays(kept.columns, names=names))


def _chosen_by(rows: pa.RecordBatch, column: str, *, blank: bool = False) -> pa.RecordBatch:
    """Return the rows that say something in a column, or those that do not."""
    values = enumerate(rows[column].to_pylist())
    return taken(rows, [position for position, value in values if (not value) is blank])
