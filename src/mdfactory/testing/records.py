"""Records for tests of stores, and texts that stores may fail to keep unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa

from mdfactory.records.arrow import batch
from mdfactory.records.digests import content_digests
from mdfactory.records.tables import DIGEST_ROW_SCHEMA, OVERVIEW, SIMULATIONS, Table, analysis_table

EARLY_TIME: Final = "2026-01-02T03:04:05.678901+00:00"
LATE_TIME: Final = "2026-02-03T04:05:06.789012+00:00"

AWKWARD_TEXTS: Final = (
    "",
    " ",
    "0012",
    "12E45678",
    "1.0",
    "-0",
    "NA",
    "NaN",
    "null",
    "None",
    "TRUE",
    "a,b;c\td",
    'say "hi"',
    "it's",
    "two\nlines",
    "two\r\nlines",
    "ends in a newline\n",
    " spaces at both ends ",
    "back\\slash",
    "%s {} $HOME",
    "=1+1",
    "Grüße, Δ, 水, 🧪",
    "'; DROP TABLE RUN_DATABASE; --",
)
"""Texts that a store may change by mistake."""

Record = dict[str, Any]
"""Column -> value."""


def run(hash_: str, **values: str) -> Record:
    """Return a record of ``RUN_DATABASE``; `values` override the defaults."""
    return {
        "hash": hash_,
        "engine": "gromacs",
        "parametrization": "smirnoff",
        "simulation_type": "mixedbox",
        "input_data": '{"simulation_type":"mixedbox"}',
        "input_data_type": "BuildInput",
        "directory": f"/campaign/{hash_}",
        "status": "build",
        "timestamp_utc": EARLY_TIME,
    } | values


def overview(hash_: str, name: str, **values: str | int) -> Record:
    """Return a record of ``ANALYSIS_OVERVIEW`` for an analysis; `values` override the defaults."""
    return {
        "hash": hash_,
        "simulation_type": "mixedbox",
        "directory": f"/campaign/{hash_}",
        "item_type": "analysis",
        "item_name": name,
        "status": "not_yet_run",
        "row_count": 0,
        "file_count": 0,
        "updated_at": EARLY_TIME,
    } | values


def analysis(hash_: str, **values: str | int) -> Record:
    """Return a record of an ``ANALYSIS_<name>`` table; `values` override the defaults."""
    return {
        "hash": hash_,
        "directory": f"/campaign/{hash_}",
        "simulation_type": "mixedbox",
        "row_count": 1,
        "columns": '["x"]',
        "data_csv": "x\n1\n",
        "data_path": ".analysis/density.parquet",
        "timestamp_utc": EARLY_TIME,
    } | values


def records(table: Table, *rows: Record) -> pa.RecordBatch:
    """Return records as a batch in the schema of their table, with sidecars if all have one."""
    schema = table.schema_with_sidecar if all("digest" in row for row in rows) else table.schema
    return batch([[row[name] for name in schema.names] for row in rows], schema)


def digest_rows(table: Table, *rows: Record) -> pa.RecordBatch:
    """Return the digest rows of records, in ``DIGEST_ROW_SCHEMA``."""
    contents = content_digests(table, records(table, *rows))
    columns = ("hash", "directory", "simulation_type")
    return batch(
        [
            (*(row[name] for name in columns), content, row.get("digest", ""))
            for row, content in zip(rows, contents, strict=True)
        ],
        DIGEST_ROW_SCHEMA,
    )


def analysis_with_sidecar(hash_: str, **values: str | int) -> Record:
    """Return a record of an ``ANALYSIS_<name>`` table with its sidecar."""
    sidecar = {
        "arrow_schema": "schema",
        "entry": '{"extras": {"units": "nm"}}',
        "csv_sha256": "0",
        "arrow_ipc": "",
        "digest": "1",
    }
    return analysis(hash_) | sidecar | values


DENSITY: Final = analysis_table("density")

EXAMPLE_TABLES: Final[dict[str, tuple[Table, Callable[[str], Record]]]] = {
    SIMULATIONS.name: (SIMULATIONS, run),
    OVERVIEW.name: (OVERVIEW, lambda hash_: overview(hash_, "density")),
    DENSITY.name: (DENSITY, analysis),
}
"""Table name -> the table, and a function that returns a record with a given hash."""
