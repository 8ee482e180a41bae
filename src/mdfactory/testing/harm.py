"""Writes of whose half would show, to kill a writer in: ``python -m mdfactory.testing.harm URL``.

The program reads lines such as ``fill b`` or ``clear``, and does each in a process of its own,
whose number it prints first; then how that ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, RUNS, Place
from mdfactory.records.terms import Mode
from mdfactory.stores import store_at
from mdfactory.stores.base import Batches, Store
from mdfactory.testing.records import overview, records, run

__all__ = ["EMPTY", "clear", "fill", "renew", "state"]

SIMULATIONS: Final = 1500
EMPTY: Final = "-"


def fill(store: Store, letter: str) -> None:
    """Overwrite all records of two tables; all of them say the letter."""
    with store.transaction(write=True, create=set(Place)) as transaction:
        transaction.create(RUNS)
        transaction.create(OVERVIEW)
        transaction.write(_batches(letter), Mode.force)


def clear(store: Store) -> None:
    """Delete all records of both tables."""
    with store.transaction(write=True) as transaction:
        transaction.delete(RUNS)
        transaction.delete(OVERVIEW)


def renew(store: Store) -> None:
    """Make both tables anew."""
    with store.transaction(write=True) as transaction:
        transaction.create(RUNS, replace=True)
        transaction.create(OVERVIEW, replace=True)


def state(store: Store) -> str:
    """Return the letter that all records say, or `EMPTY` if there are none.

    Raises
    ------
    AssertionError
        If the records are those of no single write.
    """
    with store.transaction() as transaction:
        runs, rows = (
            [text[0] for some in transaction.read(table, query) for text in some[0].to_pylist()]
            for table, query in (
                (RUNS, Query(columns=("input_data",))),
                (OVERVIEW, Query(columns=("status",))),
            )
        )
    assert runs == rows, "the tables differ"
    assert len(runs) in {0, SIMULATIONS}, "some of the records are there"
    assert len(set(runs)) < 2, "there are records of two writes"
    return runs[0] if runs else EMPTY


def _batches(letter: str) -> Batches:
    hashes = [f"{number:05}" for number in range(SIMULATIONS)]
    yield RUNS, records(RUNS, *(run(one, input_data=letter * 200) for one in hashes))
    yield OVERVIEW, records(OVERVIEW, *(overview(one, "rdf", status=letter) for one in hashes))


OPERATIONS: Final[dict[str, Callable[..., None]]] = {"fill": fill, "clear": clear, "renew": renew}


def _serve(store: Store) -> None:
    state(store)  # all that must be loaded is, before any child begins
    for line in sys.stdin:
        name, *letters = line.split()
        child = os.fork()
        if not child:
            _tell(os.getpid())
            OPERATIONS[name](store, *letters)
            os._exit(0)
        _tell(os.waitpid(child, 0)[1])


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(store_at(sys.argv[1], wait=30))
