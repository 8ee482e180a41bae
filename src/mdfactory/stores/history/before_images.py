"""Before-images: stored records with their digests and sidecars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from mdfactory.records.arrow import append_columns
from mdfactory.records.history import before_image_schema
from mdfactory.records.query import Query
from mdfactory.records.tables import Table
from mdfactory.stores.keys import Key, hash_condition, key_batches, keys_of, take_rows
from mdfactory.stores.transaction import Transaction


def read_before_images(
    transaction: Transaction, table: Table, keys: Sequence[Key]
) -> Iterator[pa.RecordBatch]:
    """Stream the before-images of records; keys that are not stored are ignored.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table of the records; it must exist.
    keys
        Keys of the records.

    Yields
    ------
    pyarrow.RecordBatch
        Before-images in ``before_image_schema(table)``.
    """
    wanted = set(keys)
    for keys_batch in key_batches(keys):
        for rows in transaction.backend.scan(table, Query(where=(hash_condition(keys_batch),))):
            row_keys = enumerate(keys_of(rows, table.key))
            records = take_rows(rows, [position for position, key in row_keys if key in wanted])
            if records.num_rows:
                yield before_images_of(transaction, table, records)


def before_images_of(
    transaction: Transaction, table: Table, rows: pa.RecordBatch
) -> pa.RecordBatch:
    """Return the before-images of stored records.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        The table of the records.
    rows
        The stored records, in ``table.schema``.

    Returns
    -------
    pyarrow.RecordBatch
        One row for each record, in ``before_image_schema(table)``. The columns of digests or of
        a sidecar are empty texts if the record has none.
    """
    keys = keys_of(rows, table.key)
    digests = {row.key: (row.content, row.digest) for row in transaction.digests(table, keys)}
    additions: list[tuple[str, ...]] = [digests.get(key, ("", "")) for key in keys]
    if table.sidecar:
        width, blank = len(table.key), ("",) * (1 + len(table.sidecar_columns))
        # `sidecars` maps key and time to the other columns. In a before-image, the time is the
        # first of the columns from the sidecar.
        sidecars = {
            identity[:width]: (*identity[width:], *values)
            for identity, values in transaction.sidecars(table, keys, table.sidecar_columns).items()
        }
        additions = [
            (*values, *sidecars.get(key, blank))
            for values, key in zip(additions, keys, strict=True)
        ]
    return append_columns(rows, additions, before_image_schema(table))
