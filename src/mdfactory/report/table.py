"""Table: the statistics behind a report, one row for each simulation, quantity and group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from mdfactory.records.arrow import nullable_array

NAMES: Final = ("analysis", "quantity", "group", "hash")
"""Columns that say whose statistics a row has."""

FIGURES: Final = (
    *("mean", "deviation", "error", "levelled", "last", "minimum", "maximum", "drift"),
    *("maximum_at", "first_minimum", "first_minimum_at", "integral"),
)
"""Columns of figures; see `frames.statistics.Statistic`."""

SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in NAMES),
        *((name, pa.bool_() if name == "levelled" else pa.float64()) for name in FIGURES),
    ]
)


def statistics_table(entries: Sequence[Mapping[str, Any]], hashes: Sequence[str]) -> pa.Table:
    """Return the statistics of all analyses.

    Parameters
    ----------
    entries
        The member ``analyses`` of the page's data.
    hashes
        The simulations.

    Returns
    -------
    pyarrow.Table
        Rows in the order of the analyses; with `SCHEMA`.
    """
    parts = [_part(entry, hashes) for entry in entries if entry.get("statistics")]
    return pa.Table.from_batches(list(parts), SCHEMA)


def _part(entry: Mapping[str, Any], hashes: Sequence[str]) -> pa.RecordBatch:
    """Return the statistics of one analysis."""
    statistics = entry["statistics"]
    count = len(statistics["simulation"])
    quantities = [quantity["name"] for quantity in entry["quantities"]]
    groups = [", ".join(values) for values in entry["group_values"]] or [""]
    columns: dict[str, list[Any]] = {
        "analysis": [entry["name"]] * count,
        "quantity": list(_named(quantities, statistics, "quantity", count)),
        "group": list(_named(groups, statistics, "group", count)),
        "hash": [hashes[number] for number in statistics["simulation"]],
        **{name: statistics.get(name, [None] * count) for name in FIGURES},
    }
    arrays = [nullable_array(columns[field.name], field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _named(
    names: Sequence[str], statistics: Mapping[str, Any], column: str, count: int
) -> Iterator[str]:
    """Yield the names that the numbers in a column stand for; the first if it is left out."""
    yield from (names[number or 0] for number in statistics.get(column, [0] * count))
