"""The overview: which results of which simulations are in the store; derived, never pushed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.records.arrow import batch
from mdfactory.records.query import Condition, OneOf, Query
from mdfactory.records.tables import OVERVIEW, Table
from mdfactory.records.vocabulary import (
    ConflictMode,
    ResultId,
    ResultStatus,
    ResultType,
    SimulationType,
)
from mdfactory.stores.keys import Values
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.results import result_tables

__all__ = ["Visited", "derive", "disagreeing", "reset", "settle"]

CHUNK: Final = 500
"""Simulations that are looked at together."""

NOTHING: Final = {"status": ResultStatus.not_yet_run.value, "row_count": 0, "file_count": 0}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visited:
    """A simulation that a push came by."""

    hash: str
    simulation_type: SimulationType
    directory: str


def derive(
    transaction: Transaction,
    visited: Iterable[Visited],
    catalogue: Catalogue,
    pushed: Mapping[ResultId, Collection[SimulationType]],
    time: str,
) -> None:
    """Bring the overview of some simulations in line with the records that the store has.

    Of each simulation it has a row for every name that is in the catalogue for its type, for
    every name that no type has in the catalogue and that is known to the store or the push,
    and for what the store holds of it or the push found for its type.

    Parameters
    ----------
    transaction
        The transaction of the push; nothing happens if the store has no overview.
    visited
        The simulations.
    catalogue
        What is expected of each type.
    pushed
        What the push found, and for which types of simulation.
    time
        When this is.
    """
    if not transaction.has(OVERVIEW):
        return
    rest = iter(visited)
    overview = _Overview(transaction, catalogue, pushed)
    while some := list(islice(rest, CHUNK)):
        _write(transaction, overview.changed(some), time)


def reset(
    transaction: Transaction,
    where: tuple[Condition, ...],
    cleared: Collection[Table],
    time: str,
) -> None:
    """Say of results that were cleared that they are not in the store, however they are spelt."""
    if not transaction.has(OVERVIEW):
        return
    done = OneOf("status", (ResultStatus.completed.value,))
    gone = {(table.result_type, table.result_name.lower()) for table in cleared}
    # The answer is read to its end before anything is written to the table that it comes from.
    for rows in list(transaction.read(OVERVIEW, Query((*where, done)))):
        changed = [
            row | NOTHING
            for row in rows.to_pylist()
            if (row["item_type"], row["item_name"].lower()) in gone
        ]
        _write(transaction, changed, time)


def settle(transaction: Transaction, hashes: Iterable[str], time: str) -> None:
    """Bring the rows that there are of some simulations in line with the records."""
    overview = _Overview(transaction, Catalogue(), {})
    rest = iter(hashes)
    while some := tuple(islice(rest, CHUNK)):
        _write(transaction, overview.settled(OneOf("hash", some)), time)


def disagreeing(transaction: Transaction, hashes: Iterable[str]) -> list[Row]:
    """Return the rows of some simulations that do not say what the records say, as they should."""
    overview = _Overview(transaction, Catalogue(), {})
    return overview.settled(OneOf("hash", tuple(hashes)))


def _write(transaction: Transaction, changed: list[Row], time: str) -> None:
    if changed:
        values = ([row[name] for name in OVERVIEW.columns] for row in changed)
        rows = batch([(*value[:-1], time) for value in values], OVERVIEW.schema)
        transaction.write([(OVERVIEW, rows)], ConflictMode.force)


class _Overview:
    """What the rows of any simulation depend on."""

    def __init__(
        self,
        transaction: Transaction,
        catalogue: Catalogue,
        pushed: Mapping[ResultId, Collection[SimulationType]],
    ) -> None:
        self._transaction = transaction
        tables = result_tables(transaction)
        known = {(kind, name.lower()): name for kind, name in (*tables, *pushed)}
        known |= {(kind, name.lower()): name for kind, name in catalogue.all_results()}
        self._spelling = known
        self._tables = {
            (kind, name.lower()): table
            for (kind, name), table in tables.items()
            if transaction.count(table, limit=1)
        }
        listed = {(kind, name.lower()) for kind, name in catalogue.all_results()}
        self._expected = {
            one: {
                *((kind, name.lower()) for kind, name in catalogue.results(one)),
                *(item for item in known if item not in listed),
                *((kind, name.lower()) for (kind, name), types in pushed.items() if one in types),
            }
            for one in SimulationType
        }
        self._blank = {
            one: {item: self._said(item, None) for item in items}
            for one, items in self._expected.items()
        }

    def changed(self, visited: list[Visited]) -> list[Row]:
        """Return the rows of some simulations that are not yet as they must be."""
        hashes = OneOf("hash", tuple(one.hash for one in visited))
        counts = self._counts(hashes)
        found = self._read(hashes)
        differ = {hash_ for hash_, *_ in found ^ self._usual(visited, counts)}
        if not differ:
            return []
        visited = [one for one in visited if one.hash in differ]
        stored = self._stored(OneOf("hash", tuple(differ)))
        rows = (
            self._row(one, item, counts.get((one.hash, item)), stored[one.hash])
            for one in visited
            for item in sorted(
                self._expected[one.simulation_type]
                | stored[one.hash].keys()
                | {item for item in self._tables if (one.hash, item) in counts}
            )
        )
        return [row for row in rows if row]

    def _read(self, hashes: OneOf) -> set[Values]:
        """Return what rows say, but for their time."""
        return set(self._transaction.values(OVERVIEW, Query((hashes,), OVERVIEW.columns[:-1])))

    def _usual(
        self, visited: list[Visited], counts: Mapping[tuple[str, ResultId], int]
    ) -> set[Values]:
        """Return what rows say, but for their time, as long as nothing is out of the ordinary."""
        results: dict[str, list[tuple[ResultId, int]]] = defaultdict(list)
        for (hash_, item), count in counts.items():
            results[hash_].append((item, count))
        usual: set[Values] = set()
        for one in visited:
            kind = one.simulation_type
            own = (one.hash, kind.value, one.directory)
            said = self._blank[kind]
            if one.hash in results:
                said = said | {item: self._said(item, count) for item, count in results[one.hash]}
            usual |= {own + values for values in said.values()}
        return usual

    def _said(self, item: ResultId, count: int | None) -> Values:
        """Return what a row says of a result, from ``item_type`` to ``file_count``."""
        row = NOTHING | _found(item, count)
        return item[0].value, self._spelling[item], *(row[name] for name in NOTHING)

    def settled(self, hashes: OneOf) -> list[Row]:
        """Return the rows that are there and disagree with the records."""
        counts = self._counts(hashes)
        rows = (
            (row, row | NOTHING | _found(item, counts.get((hash_, item))))
            for hash_, stored in self._stored(hashes).items()
            for item, row in stored.items()
        )
        return [renewed for row, renewed in rows if renewed != row]

    def _row(
        self, one: Visited, item: ResultId, count: int | None, stored: Mapping[ResultId, Row]
    ) -> Row | None:
        """Return what must be written for one result, or None if it is there already."""
        there = stored.get(item)
        row: Row = {
            "hash": one.hash,
            "simulation_type": one.simulation_type.value,
            "directory": one.directory,
            "item_type": item[0].value,
            "item_name": there["item_name"] if there else self._spelling[item],
            **NOTHING,
            "updated_at": there["updated_at"] if there else "",
        }
        row |= _found(item, count)
        return None if row == there else row

    def _stored(self, hashes: OneOf) -> dict[str, dict[ResultId, Row]]:
        stored: dict[str, dict[ResultId, Row]] = defaultdict(dict)
        for rows in self._transaction.read(OVERVIEW, Query((hashes,))):
            for row in rows.to_pylist():
                if row["item_type"] in COUNTS:  # not of a kind that only others know
                    item = ResultType(row["item_type"]), row["item_name"].lower()
                    stored[row["hash"]][item] = row
        return stored

    def _counts(self, hashes: OneOf) -> dict[tuple[str, ResultId], int]:
        """Return the number of rows or files of each result that is in the store."""
        counts: dict[tuple[str, ResultId], int] = {}
        for item, table in self._tables.items():
            columns = ("hash", COUNTS[item[0]])
            found = self._transaction.values(table, Query((hashes,), columns))
            counts |= {(hash_, item): count for hash_, count in found}
        return counts


def _found(item: ResultId, count: int | None) -> Row:
    """Return what a row says of a result that is in the store."""
    if count is None:
        return {}
    return {"status": ResultStatus.completed.value, COUNTS[item[0]]: count}


COUNTS: Final = {ResultType.analysis: "row_count", ResultType.artifact: "file_count"}
"""Kind of a result -> the column that tells how much there is of it."""
