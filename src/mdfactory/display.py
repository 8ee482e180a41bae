"""What a notebook shows of a store: how many simulations, of what type, how far, what results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape
from typing import Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.entry import argument_names
from mdfactory.errors import MDFactoryError, counted
from mdfactory.markup import html_table
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.records.vocabulary import SimulationStatus
from mdfactory.stores.store import Store
from mdfactory.sync.completeness import count_results, read_completeness

MAX_SIMULATIONS: Final = 20_000
"""Largest number of simulations whose results are counted: for more it would take many seconds."""


def records_html(
    store: Store, catalogue: Catalogue, *, max_simulations: int = MAX_SIMULATIONS
) -> str:
    """Return a summary of a store in HTML; what cannot be read is replaced by the error.

    Parameters
    ----------
    store
        The store to read.
    catalogue
        The results that are expected of each type of simulation.
    max_simulations
        Largest number of simulations whose results are counted.
    """
    try:
        with argument_names(store.command_options):
            return "".join(_tables(store, catalogue, max_simulations))
    except MDFactoryError as error:
        return f"<p><b>{escape(store.location)}</b></p><p>{escape(str(error))}</p>"


def _tables(store: Store, catalogue: Catalogue, max_simulations: int) -> Iterator[str]:
    with store.transaction() as transaction:
        transaction.require(SIMULATIONS)
        query = Query(columns=("simulation_type", "status"))
        numbers = Counter(transaction.values(SIMULATIONS, query))
        has_overview = transaction.has(OVERVIEW)
    types = sorted({type_ for type_, _ in numbers})
    others = {status for _, status in numbers} - set(SimulationStatus)
    statuses = [*SimulationStatus, *sorted(others)]
    rows = [[type_, *(numbers[type_, status] for status in statuses)] for type_ in types]
    title = f"{counted(numbers.total(), 'simulation')} in the {store.location}"
    yield html_table(title, rows, ["", *statuses])
    if not has_overview:
        return
    if numbers.total() > max_simulations:
        yield "<p>analyses() and artifacts() count their results.</p>"
        return
    counts = count_results(read_completeness(store, catalogue))
    yield html_table(
        "Results" if counts else "No results are stored or expected",
        (
            (name, str(item_type), count.completed, count.missing)
            for (item_type, name), count in counts.items()
        ),
        ["", "", "completed", "missing"] if counts else (),
    )
