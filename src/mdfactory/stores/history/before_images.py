"""Before-images: read records with their digests and sidecars, and write them to undo tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mdfactory.records.arrow import array, batch, pack
from mdfactory.records.history import UndoPart, before_image_schema, keys_with_fingerprints
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
        # `stored_sidecars` maps key and time to the other columns. In a before-image, the time is
        # the first of the columns from the sidecar.
        stored_sidecars = transaction.sidecars(table, keys, table.sidecar_columns)
        sidecars = {
            identity[:width]: (*identity[width:], *values)
            for identity, values in stored_sidecars.items()
        }
        additions = [
            (*values, *sidecars.get(key, blank))
            for values, key in zip(additions, keys, strict=True)
        ]
    schema = before_image_schema(table)
    columns = list(zip(*additions, strict=True)) or [()] * (len(schema) - len(table.schema))
    arrays = [array(column, pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays([*rows.columns, *arrays], schema=schema)


@dataclass(slots=True)
class UndoWriter:
    """Writes the undo table of one operation in one namespace.

    Parameters
    ----------
    transaction
        The transaction of the operation.
    table
        The undo table.
    operation
        Number of the operation.
    next_part
        Number of the next part to be written.
    size
        Bytes of all parts.
    """

    transaction: Transaction
    table: Table
    operation: int
    next_part: int = 0
    size: int = 0

    def prepare_table(self) -> None:
        """Create the undo table, or empty an existing one."""
        backend = self.transaction.backend
        if not backend.has(self.table):
            self.transaction.initialise_namespace(self.table.namespace)
            backend.make(self.table)
            return
        # The table is emptied and not dropped: a drop would disturb the streams that are being
        # read in the same transaction.
        query = Query(columns=self.table.key)
        backend.remove(self.table, list(backend.values(self.table, query)))

    def build_part(
        self,
        table: Table,
        rows: pa.RecordBatch,
        fingerprints: Sequence[bytes],
        before: pa.RecordBatch | None,
    ) -> UndoPart:
        """Return the next part, and add its size to `size`; `write_part` writes the part.

        Parameters
        ----------
        table
            The table of the records.
        rows
            The records; only their key columns are used.
        fingerprints
            Fingerprint of each record after the operation.
        before
            Before-image of each record; None if none of the records is stored yet.
        """
        keys = pack(
            keys_with_fingerprints([rows[name] for name in table.key], table.key, fingerprints)
        )
        images = pack(before) if before else ""
        part = UndoPart(self.next_part, self.operation, table.name, keys, images)
        self.next_part += 1
        self.size += part.size
        return part

    def write_part(self, part: UndoPart) -> None:
        """Write a part to the undo table."""
        self.transaction.backend.put(self.table, batch([part.to_row()], self.table.schema))
