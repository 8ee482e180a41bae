"""Records that have something beside them, apart from those that have not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mdfactory.records.arrow import array
from mdfactory.records.tables import Table

__all__ = ["parts"]

EMPTY: Final = array([""], pa.string())[0]
"""`pyarrow.scalar` would import pandas."""


def parts(table: Table, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Part records with nothing beside them, which others wrote, from those that have something.

    Parameters
    ----------
    table
        Their table.
    rows
        Records in ``table.schema_with_sidecar``.

    Yields
    ------
    pyarrow.RecordBatch
        Records to write: in ``table.schema_with_sidecar``, or in ``table.schema``.
    """
    if table.sidecar is None:
        yield rows
        return
    bare = pc.equal(rows[table.sidecar_columns[0]], EMPTY)
    for part in (rows.filter(pc.invert(bare)), rows.filter(bare).select(table.columns)):
        if part.num_rows:
            yield part
