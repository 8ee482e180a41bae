"""From simulations to batches of records, streamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from mdfactory.campaign.registry import FOLDER, Analysis, Artifact
from mdfactory.campaign.results import LARGEST_CELL
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import FrameTooLargeError, RegistryError, ResultError, one_line
from mdfactory.records.tables import RUNS, Table, batch, item_table
from mdfactory.records.terms import ItemType

__all__ = ["Scope", "collect"]

BATCH: Final = 1000
"""Records of one batch, at most."""

LARGEST: Final = 8 * 2**20
"""Characters of the records that are held before they are passed on, about."""

Row = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which records to make of a simulation.

    Parameters
    ----------
    systems
        Whether of the simulation itself.
    items
        Whether of its analyses, its artifacts.
    names
        Of those with these names only, in lower case; of all if empty.
    """

    systems: bool = False
    items: Collection[ItemType] = ()
    names: frozenset[str] = frozenset()

    def takes(self, kind: ItemType, name: str) -> bool:
        """Whether an analysis or artifact is meant."""
        return kind in self.items and (not self.names or name.lower() in {"", *self.names})


def collect(
    simulations: Iterable[Simulation],
    scope: Scope,
    time: str,
    report: Callable[[Skipped], object],
) -> Iterator[tuple[Table, pa.RecordBatch]]:
    """Stream the records of simulations.

    Parameters
    ----------
    simulations
        The simulations.
    scope
        Which records.
    time
        When they are recorded: ISO 8601 in UTC, with offset.
    report
        Is told of results that are passed over, with the reason.

    Yields
    ------
    (Table, pyarrow.RecordBatch)
        Up to 1,000 records of one table, in its ``whole`` schema.
    """
    buffer = _Buffer()
    for simulation in simulations:
        if scope.systems:
            yield from buffer.add(RUNS, (*simulation.content, time))
        if scope.items and not simulation.bare:
            for table, row in _results(simulation, scope, time, report):
                yield from buffer.add(table, row)
                del row  # it may be long, and is not held while the next one is made
    yield from buffer.rest()


@dataclass(slots=True)
class _Waiting:
    """Rows of one table that wait to become a batch, and the number of their characters."""

    table: Table
    rows: list[Row] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class _Buffer:
    """Rows that wait to become a batch of their table."""

    tables: dict[str, _Waiting] = field(default_factory=dict)
    size: int = 0

    def add(self, table: Table, row: Row) -> Iterator[tuple[Table, pa.RecordBatch]]:
        """Take a row, and give batches where enough have come together."""
        waiting = self.tables.get(table.id)
        if waiting is None:
            waiting = self.tables[table.id] = _Waiting(table)
        waiting.rows.append(row)
        size = sum([len(value) for value in row if isinstance(value, str)])
        waiting.size += size
        self.size += size
        del row
        if self.size > LARGEST:
            yield from self.rest()
        elif len(waiting.rows) == BATCH:
            yield self._made(waiting)

    def rest(self) -> Iterator[tuple[Table, pa.RecordBatch]]:
        """Give what is left."""
        yield from (self._made(waiting) for waiting in self.tables.values() if waiting.rows)

    def _made(self, waiting: _Waiting) -> tuple[Table, pa.RecordBatch]:
        """Turn rows into a batch, and forget them."""
        made = batch(waiting.rows, waiting.table.whole)
        waiting.rows.clear()
        self.size -= waiting.size
        waiting.size = 0
        return waiting.table, made


def _results(
    simulation: Simulation, scope: Scope, time: str, report: Callable[[Skipped], object]
) -> Iterator[tuple[Table, Row]]:
    """Yield a row for each result; what cannot be recorded is reported and passed over."""
    directory = simulation.path
    try:
        registry = simulation.results.registry()
    except RegistryError as error:
        report(Skipped(directory, one_line(error).removeprefix(f"{directory}/")))
        return
    for problem in registry.problems:
        if scope.takes(problem.kind, problem.name):
            report(Skipped(directory, one_line(problem)))
    results: list[Analysis | Artifact] = [*registry.analyses.values(), *registry.artifacts.values()]
    for result in results:
        kind = KINDS[type(result)]
        if not scope.takes(kind, result.name):
            continue
        table = item_table(kind, result.name)
        try:
            yield table, _row(table, simulation, result, time)
        except ResultError as error:
            report(Skipped(directory, one_line(f"{kind} {result.name}: {error}")))


def _row(table: Table, simulation: Simulation, result: Analysis | Artifact, time: str) -> Row:
    values = VALUES[KINDS[type(result)]](simulation, result)
    values |= {
        "hash": simulation.hash,
        "directory": simulation.path,
        "simulation_type": simulation.identity.simulation_type.value,
        "timestamp_utc": time,
    }
    return tuple(values[name] for name in table.whole.names)


def _analysis(simulation: Simulation, analysis: Analysis) -> dict[str, Any]:
    from mdfactory.records.frames import beside_digest, encode

    frame = simulation.results.read(analysis)
    try:
        encoded = encode(frame, limit=LARGEST_CELL)
    except FrameTooLargeError as error:
        raise ResultError(f"{analysis.filename} {error}") from error
    return {
        "row_count": frame.num_rows,
        "columns": json.dumps(frame.column_names),
        "data_csv": encoded.data_csv,
        "data_path": f"{FOLDER}/{analysis.filename}",
        "arrow_schema": encoded.arrow_schema,
        "entry": json.dumps(analysis.entry),
        "csv_sha256": encoded.csv_sha256,
        "arrow_ipc": encoded.arrow_ipc,
        "digest": beside_digest(encoded.arrow_schema, encoded.arrow_ipc, analysis.entry),
    }


def _artifact(simulation: Simulation, artifact: Artifact) -> dict[str, Any]:
    simulation.results.require(artifact)
    return {
        "file_count": len(artifact.files),
        "files": json.dumps(artifact.files),
        "checksums": json.dumps(artifact.checksums),
    }


KINDS: Final[dict[type, ItemType]] = {Analysis: ItemType.analysis, Artifact: ItemType.artifact}

VALUES: Final[dict[ItemType, Callable[[Simulation, Any], dict[str, Any]]]] = {
    ItemType.analysis: _analysis,
    ItemType.artifact: _artifact,
}
"""What the columns of a record hold that only its kind has."""
