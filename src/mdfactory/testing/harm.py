"""A workload for tests that kill writers, which detects a write that was stored in part.

``python -m mdfactory.testing.harm URL SIMULATIONS`` takes the URL of a store and the number of
records of each table. It reads lines such as ``fill b`` or ``clear`` from standard input. Each line
is a call of a method of `Workload`, which a child process executes. The program prints the process
id of the child, and, after the child has ended, its wait status as `os.waitpid` returns it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
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

EMPTY_STATE: Final = "-"
"""State of a workload without records."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Records of two tables; all records contain the same letter.

    Parameters
    ----------
    store
        The store that holds them.
    simulations
        Number of records of each table.
    """

    store: Store
    simulations: int = 1500

    def fill(self, letter: str, mode: ConflictMode = ConflictMode.force) -> None:
        """Write all records with a letter; existing records are overwritten."""
        with self.store.operation("fill", create=set(Namespace)) as transaction:
            transaction.create(SIMULATIONS)
            transaction.create(OVERVIEW)
            transaction.write(self._batches(letter), mode)

    def add(self, letter: str) -> None:
        """Write all records with a letter; raise an error if any of them exists."""
        self.fill(letter, ConflictMode.refuse)

    def clear(self) -> None:
        """Delete all records of both tables."""
        with self.store.operation("clear") as transaction:
            transaction.delete(SIMULATIONS)
            transaction.delete(OVERVIEW)

    def renew(self) -> None:
        """Replace both tables by empty ones."""
        with self.store.operation("renew") as transaction:
            transaction.create(SIMULATIONS, replace=True)
            transaction.create(OVERVIEW, replace=True)

    def undo(self) -> None:
        """Undo the latest operation; a second call undoes the undo."""
        undo(self.store)

    def state(self) -> str:
        """Return the letter of all records of both tables, or `EMPTY_STATE` without records.

        Raises
        ------
        AssertionError
            If the records are not those of a single write.
        """
        runs, overviews = self.states()
        assert runs == overviews, "the tables differ"
        return runs

    def states(self) -> tuple[str, str]:
        """Return the letter of each table, or `EMPTY_STATE` if it has no records.

        Raises
        ------
        AssertionError
            If the records of a table are not those of a single write.
        """
        with self.store.transaction() as transaction:
            runs, overviews = (
                [cell[0] for rows in transaction.read(table, query) for cell in texts(rows[0])]
                for table, query in (
                    (SIMULATIONS, Query(columns=("input_data",))),
                    (OVERVIEW, Query(columns=("status",))),
                )
            )
        for letters in (runs, overviews):
            assert len(letters) in {0, self.simulations}, "some records are missing"
            assert len(set(letters)) < 2, "the records are of two writes"
        return "".join(runs[:1]) or EMPTY_STATE, "".join(overviews[:1]) or EMPTY_STATE

    def _batches(self, letter: str) -> Batches:
        hashes = [f"{number:05}" for number in range(self.simulations)]
        runs = (run(hash_, input_data=letter * 200) for hash_ in hashes)
        yield SIMULATIONS, records(SIMULATIONS, *runs)
        overviews = (overview(hash_, "rdf", status=letter) for hash_ in hashes)
        yield OVERVIEW, records(OVERVIEW, *overviews)


def serve(act: Callable[..., object]) -> None:
    """Read lines from standard input, and act on each in a child process.

    The process id of the child is printed and, after the child has ended, its wait status as
    `os.waitpid` returns it.

    Parameters
    ----------
    act
        Called with the words of a line.
    """
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _print_number(os.getpid())
            act(*line.split())
            os._exit(0)
        _print_number(os.waitpid(child, 0)[1])


def _serve(workload: Workload) -> None:
    # This call imports all modules before the first fork. `state` is not called, since it would
    # compare the two tables, which other processes may already be writing.
    workload.states()
    serve(lambda name, *letters: getattr(workload, name)(*letters))


def _print_number(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(Workload(store_at(sys.argv[1], wait=30), int(sys.argv[2])))
