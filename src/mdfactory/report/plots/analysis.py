"""Plot an analysis of a store: from records to a specification with its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from mdfactory.frames.statistics import WHOLE, parse_start
from mdfactory.records.query import Query
from mdfactory.records.tables import Table, analysis_table
from mdfactory.report.plots.colour import read_colour
from mdfactory.report.plots.curve_rows import Limits, band_notes
from mdfactory.report.plots.fill import fill
from mdfactory.report.plots.plot import Plot
from mdfactory.report.plots.reading import read_analysis
from mdfactory.report.plots.render import require_libraries
from mdfactory.report.plots.specification import specification, with_data
from mdfactory.report.plots.view import hash_colour, view_of
from mdfactory.stores.keys import Key, keys_of
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Note, find, no_note
from mdfactory.sync.pull import check_values, conditions
from mdfactory.sync.results import require_result
from mdfactory.sync.search import EVERYTHING, Search


def plot_analysis(
    store: Store,
    name: str,
    *,
    hash_prefix: str | None = None,
    equal: Mapping[str, str | None] | None = None,
    search: Search = EVERYTHING,
    colour: str | None = None,
    y: str | Sequence[str] | None = None,
    start: str | None = None,
    note: Note = no_note,
) -> Plot:
    """Return a plot of an analysis.

    Parameters
    ----------
    store
        The store to read.
    name
        Name of the analysis.
    hash_prefix, equal, search
        Which simulations; see `sync.frames.pull_frames`.
    colour
        Field that colours the simulations. Default: see `report.plots.colour.read_colour`.
    y
        Quantities to show. Default: see `report.plots.view.shown_quantities`.
    start
        What statistics leave out; see `frames.statistics.parse_start`.
    note
        Function that is called with each note about the search.

    Raises
    ------
    ConfigError
        If the extra ``report`` is not installed.
    InvalidNameError, UnknownNameError, NotInitialisedError
        As for `sync.frames.pull_frames`.
    QueryError
        If an argument is invalid, or there is no such field or quantity.
    """
    require_libraries("a plot", "vl_convert", "numpy")
    table = analysis_table(name)
    first = WHOLE if start is None else parse_start(start)
    with store.transaction() as transaction:
        require_result(transaction, table)
        check_values(transaction, table, equal or {})
        query = Query(conditions(hash_prefix, equal or {}), (*table.key, table.time))
        keys = _keys(transaction, table, query, search, note)
        hashes = [key[0] for key in keys]
        field, compositions = read_colour(transaction, hashes, colour)
        reading = read_analysis(transaction, table, hashes, y, first)
    field = hash_colour(field, [member.hash for member in reading.members])
    view = view_of(
        name, reading.plan, reading.members, field, reading.quantities, is_date=reading.is_date
    )
    view = replace(view, notes=(*view.notes, *reading.notes))
    if not keys:
        view = replace(view, lines=("No simulation that is selected has this analysis.",), notes=())

    def make(limits: Limits) -> dict[str, Any]:
        rows = fill(view, reading.members, field, compositions, limits)
        notes = (*view.notes, *band_notes(rows, view))
        return with_data(specification(reading.plan, replace(view, notes=notes)), rows)

    return Plot(make)


def _keys(
    transaction: Transaction, table: Table, query: Query, search: Search, note: Note
) -> list[Key]:
    """Return the keys of the records that meet a search, by their hashes."""
    found = find(transaction, table, query, search, note)
    records = pa.Table.from_batches(found.batches, found.schema)
    return sorted(keys_of(records, (*table.key, table.time)))
