"""Read the log of a store: one entry for each namespace that an operation changed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from mdfactory.records.history import Entry, is_entry
from mdfactory.records.query import Query
from mdfactory.records.tables import Namespace, Table, log_table
from mdfactory.stores.transaction import Transaction

log = logging.getLogger(__name__)

SUMMARY_COLUMNS: Final = ("operation", "place", "places", "slot", "size")
"""Columns of the log table, in the order of the fields of `EntrySummary`."""


class EntrySummary(NamedTuple):
    """The columns of a log entry that every operation reads; see `records.history.Entry`."""

    operation: int
    namespace: str
    namespaces: str
    slot: int
    size: int


def read_summaries(transaction: Transaction) -> list[EntrySummary]:
    """Return the summaries of all log entries.

    Only `SUMMARY_COLUMNS` are read: a log may have many entries with long commands.
    """
    # A dictionary, because both namespaces may be in one schema and share one log table.
    summaries: dict[tuple[int, str], EntrySummary] = {}
    for _, row in _read_rows(transaction, Query(columns=SUMMARY_COLUMNS)):
        summary = EntrySummary(*row.values())
        if is_entry(summary.operation, summary.namespace):
            summaries[summary.operation, summary.namespace] = summary
    return list(summaries.values())


def read_entries(
    transaction: Transaction, summaries: Collection[EntrySummary] | None = None
) -> list[Entry]:
    """Return log entries in the order of their operations.

    A damaged entry is left out, and a warning is logged.

    Parameters
    ----------
    transaction
        A transaction of the store.
    summaries
        Summaries of the entries to return; all entries if None.
    """
    keys = {(summary.operation, summary.namespace) for summary in summaries or ()}
    entries: dict[tuple[int, str], Entry] = {}
    for table, row in _read_rows(transaction, Query()):
        if summaries is not None and (row["operation"], row["place"]) not in keys:
            continue
        try:
            entry = Entry.from_row(row)
        except ValueError as error:
            location = transaction.location
            log.warning("%s: a damaged entry of %s is ignored: %s", location, table.name, error)
        else:
            entries[entry.operation, entry.namespace] = entry
    return sorted(
        entries.values(), key=lambda entry: (entry.operation, entry.namespace != Namespace.runs)
    )


def lost_namespaces(transaction: Transaction) -> dict[Namespace, int]:
    """Return the namespaces that an operation has changed, but that are not in the store now.

    Returns
    -------
    dict
        Namespace whose file, folder or schema is missing -> number of the last such operation.
    """
    lost = [namespace for namespace in Namespace if not transaction.has(log_table(namespace))]
    return {
        namespace: entry.operation
        for entry in (read_entries(transaction) if lost else ())
        for namespace in lost
        if namespace in entry.namespaces
    }


def _read_rows(transaction: Transaction, query: Query) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Yield the rows of both log tables, each with its table."""
    for table in map(log_table, Namespace):
        for rows in transaction.backend.scan(table, query) if transaction.has(table) else ():
            for row in rows.to_pylist():
                yield table, row
