"""Writes of whose half would show, to kill a writer in.

``python -m mdfactory.testing.harm URL SIMULATIONS`` reads lines such as ``fill b`` or ``clear``,
and does each in a process of its own, whose number it prints first; then how that ended.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Final

from mdfactory.records.arrow import texts
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Namespace
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores import store_at
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Batches
from mdfactory.sync.undo import undo
from mdfactory.testing.records import overview, records, run

__all__ = ["EMPTY", "Workload"]

EMPTY: Final = "-"


@dataclass(frozen=True, slots=True)
class Workload:
    """Records of two tables, all of which say one letter.

    Parameters
    ----------
    store
        Where they are.
    simulations
        Number of records of each table.
    """

    store: Store
    simulations: int = 1500

    def fill(self, letter: str, mode: ConflictMode = ConflictMode.force) -> None:
        """Overwrite all records; all of them say the letter."""
        with self.store.operation("fill", create=set(Namespace)) as transaction:
            transaction.create(SIMULATIONS)
            transaction.create(OVERVIEW)
            transaction.write(self._batches(letter), mode)

    def add(self, letter: str) -> None:
        """Put records where there are none; all of them say the letter."""
        self.fill(letter, ConflictMode.refuse)

    def clear(self) -> None:
        """Delete all records of both tables."""
        with self.store.operation("clear") as transaction:
            transaction.delete(SIMULATIONS)
            transaction.delete(OVERVIEW)

    def renew(self) -> None:
        """Make both tables anew."""
        with self.store.operation("renew") as transaction:
            transaction.create(SIMULATIONS, replace=True)
            transaction.create(OVERVIEW, replace=True)

    def undo(self) -> None:
        """Undo the latest operation: a second time, what that did is undone."""
        undo(self.store)

    def state(self) -> str:
        """Return the letter that all records of both tables say, or `EMPTY` if there are none.

        Raises
        ------
        AssertionError
            If the records are those of no single write.
        """
        runs, rows = self.states()
        assert runs == rows, "the tables differ"
        return runs

    def states(self) -> tuple[str, str]:
        """Return the same of each table by itself.

        Raises
        ------
        AssertionError
            If the records of one table are those of no single write.
        """
        with self.store.transaction() as transaction:
            runs, rows = (
                [text[0] for some in transaction.read(table, query) for text in texts(some[0])]
                for table, query in (
                    (SIMULATIONS, Query(columns=("input_data",))),
                    (OVERVIEW, Query(columns=("status",))),
                )
            )
        for letters in (runs, rows):
            assert len(letters) in {0, self.simulations}, "some of the records are there"
            assert len(set(letters)) < 2, "there are records of two writes"
        return "".join(runs[:1]) or EMPTY, "".join(rows[:1]) or EMPTY

    def _batches(self, letter: str) -> Batches:
        hashes = [f"{number:05}" for number in range(self.simulations)]
        yield (
            SIMULATIONS,
            records(SIMULATIONS, *(run(one, input_data=letter * 200) for one in hashes)),
        )
        yield OVERVIEW, records(OVERVIEW, *(overview(one, "rdf", status=letter) for one in hashes))


def _serve(workload: Workload) -> None:
    workload.states()  # all that must be loaded is, before any child begins; others write already
    for line in sys.stdin:
        name, *letters = line.split()
        child = os.fork()
        if not child:
            _tell(os.getpid())
            getattr(workload, name)(*letters)
            os._exit(0)
        _tell(os.waitpid(child, 0)[1])


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(Workload(store_at(sys.argv[1], wait=30), int(sys.argv[2])))
