"""Operations of different kinds on a small store, for the tests of the log and of undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mdfactory.records.query import OneOf
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, analysis_table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.testing.records import (
    DENSITY,
    LATE_TIME,
    analysis,
    analysis_with_sidecar,
    overview,
    records,
    run,
)

FRESH: Final = analysis_table("fresh")
"""A table that a store does not have at the beginning of a test."""


def insert(transaction: Transaction) -> None:
    """Insert records of all tables, with and without a sidecar."""
    transaction.write(
        [
            (SIMULATIONS, records(SIMULATIONS, run("C"), run("D"))),
            (OVERVIEW, records(OVERVIEW, overview("C", "density"))),
            (DENSITY, records(DENSITY, analysis_with_sidecar("C"))),
            (DENSITY, records(DENSITY, analysis("D"))),
        ],
        ConflictMode.refuse,
    )


def force(transaction: Transaction) -> None:
    """Insert and overwrite records of all tables, and remove a sidecar."""
    completed = run("A", status="completed", timestamp_utc=LATE_TIME)
    changed = analysis_with_sidecar("B", data_csv="x\n2\n", timestamp_utc=LATE_TIME)
    transaction.write(
        [
            (SIMULATIONS, records(SIMULATIONS, completed, run("C"))),
            (OVERVIEW, records(OVERVIEW, overview("A", "rdf", row_count=7))),
            (DENSITY, records(DENSITY, changed)),
            (DENSITY, records(DENSITY, analysis("A", timestamp_utc=LATE_TIME))),
        ],
        ConflictMode.force,
    )


def change_sidecar(transaction: Transaction) -> None:
    """Change the sidecar of a record, and not the record."""
    changed = analysis_with_sidecar("A", digest="2", entry="{}")
    transaction.write([(DENSITY, records(DENSITY, changed))], ConflictMode.update)


def clear(transaction: Transaction) -> None:
    """Delete all records."""
    for table in (SIMULATIONS, OVERVIEW, DENSITY):
        transaction.delete(table)


def clear_selected(transaction: Transaction) -> None:
    """Delete the records that conditions select."""
    transaction.delete(DENSITY, (OneOf("hash", ("A",)),))
    transaction.delete(OVERVIEW, (OneOf("item_name", ("rdf",)),))


def recreate_tables(transaction: Transaction) -> None:
    """Replace all tables by empty ones."""
    for table in (SIMULATIONS, OVERVIEW, DENSITY):
        transaction.create(table, replace=True)


def change_repeatedly(transaction: Transaction) -> None:
    """Change the same records several times."""
    clear(transaction)
    force(transaction)
    change_sidecar(transaction)
    transaction.delete(SIMULATIONS, (OneOf("hash", ("C",)),))


def insert_new(transaction: Transaction) -> None:
    """Insert a record whose key no other operation uses."""
    transaction.write([(SIMULATIONS, records(SIMULATIONS, run("Y")))], ConflictMode.refuse)


OPERATIONS: Final[dict[str, Callable[[Transaction], None]]] = {
    "insert": insert,
    "force": force,
    "change sidecar": change_sidecar,
    "clear": clear,
    "clear selected": clear_selected,
    "recreate tables": recreate_tables,
    "change repeatedly": change_repeatedly,
    "insert new": insert_new,
}
"""Name of an operation -> function that makes its changes in a transaction."""


def operate(store: Store, name: str) -> None:
    """Do one of the `OPERATIONS`, with its name as the command in the log."""
    with store.operation(name) as transaction:
        OPERATIONS[name](transaction)
