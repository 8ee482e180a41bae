"""Splitting of record batches by whether their records have a sidecar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.records.arrow import array
from mdfactory.records.tables import Table

EMPTY_TEXT: Final = array([""], pa.string())[0]
"""An Arrow scalar; `pyarrow.scalar` would import pandas."""


def split_by_sidecar(table: Table, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Split records into those with a sidecar and those without one.

    `Transaction.write` takes each kind in a batch of its own. Records that other programs wrote
    have no sidecar.

    Parameters
    ----------
    table
        The table of the records.
    rows
        Records in ``table.schema_with_sidecar``.

    Yields
    ------
    pyarrow.RecordBatch
        Records with a sidecar in ``table.schema_with_sidecar``, then those without one in
        ``table.schema``. Neither is yielded if it is empty. If the table has no sidecars, `rows`
        is yielded.
    """
    if table.sidecar is None:
        yield rows
        return
    has_none = pc.equal(rows[table.sidecar_columns[0]], EMPTY_TEXT)
    with_sidecar = rows.filter(pc.invert(has_none))
    without_sidecar = rows.filter(has_none).select(table.columns)
    for part in (with_sidecar, without_sidecar):
        if part.num_rows:
            yield part
