"""From simulations to batches of records, streamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from mdfactory.campaign.registry import FOLDER, Analysis, Artifact
from mdfactory.campaign.results import LARGEST_CELL
from mdfactory.campaign.scan import ScanIndex, Stamp, stamp
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import FrameTooLargeError, RegistryError, ResultError, one_line
from mdfactory.records.digests import digest
from mdfactory.records.tables import KNOWN, RUNS, Table, batch, item_table
from mdfactory.records.terms import ItemType

__all__ = ["Before", "Scope", "collect"]

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
    only
        Table, by its id -> the folders whose records are meant; all if not given.
    """

    systems: bool = False
    items: Collection[ItemType] = ()
    names: frozenset[str] = frozenset()
    only: Mapping[str, Collection[str]] | None = None

    def takes(self, kind: ItemType, name: str) -> bool:
        """Whether an analysis or artifact is meant."""
        return kind in self.items and (not self.names or name.lower() in {"", *self.names})

    def wants(self, table: Table, simulation: Simulation) -> bool:
        """Whether the record of a simulation in a table is meant."""
        return self.only is None or simulation.path in self.only.get(table.id, ())


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier reading is good for.

    Parameters
    ----------
    index
        What was read before.
    suffices
        Whether of a record that was read before, and whose files have not changed, only what
        `records.tables.KNOWN` says is of interest.
    """

    index: ScanIndex | None = None
    suffices: bool = False


def collect(
    simulations: Iterable[Simulation],
    scope: Scope,
    time: str,
    report: Callable[[Skipped], object],
    before: Before = Before(),  # frozen
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
    before
        What was read earlier.

    Yields
    ------
    (Table, pyarrow.RecordBatch)
        Up to 1,000 records of one table, in its ``digested`` schema, or in ``KNOWN`` if what was
        read earlier suffices.
    """
    buffer = _Buffer()
    for simulation in simulations:
        if scope.systems and scope.wants(RUNS, simulation):
            row, known = _run(simulation, time, before)
            yield from buffer.add(RUNS, row, known=known)
        if scope.items and not simulation.bare:
            for table, row, known in _results(simulation, scope, time, report, before):
                yield from buffer.add(table, row, known=known)
                del row  # it may be long, and is not held while the next one is made
    yield from buffer.rest()


@dataclass(slots=True)
class _Waiting:
    """Rows that wait to become a batch, and the number of their characters."""

    table: Table
    schema: pa.Schema
    rows: list[Row] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class _Buffer:
    """Rows that wait to become a batch of their table."""

    tables: dict[tuple[str, bool], _Waiting] = field(default_factory=dict)
    size: int = 0

    def add(self, table: Table, row: Row, *, known: bool) -> Iterator[tuple[Table, pa.RecordBatch]]:
        """Take a row, and give batches where enough have come together."""
        waiting = self.tables.get((table.id, known))
        if waiting is None:
            waiting = _Waiting(table, KNOWN if known else table.digested)
            self.tables[table.id, known] = waiting
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
        made = batch(waiting.rows, waiting.schema)
        waiting.rows.clear()
        self.size -= waiting.size
        waiting.size = 0
        return waiting.table, made


def _run(simulation: Simulation, time: str, before: Before) -> tuple[Row, bool]:
    """Return the row of a simulation, and whether it only says what is known of it."""
    if before.suffices and simulation.digest:
        return _known(simulation, simulation.digest, ""), True
    return (*simulation.content, time, digest(simulation.content)), False


def _known(simulation: Simulation, content: str, beside: str) -> Row:
    """Return what is known of a record, in the order of ``KNOWN``."""
    kind = simulation.identity.simulation_type.value
    return simulation.hash, simulation.path, kind, content, beside


def _results(
    simulation: Simulation,
    scope: Scope,
    time: str,
    report: Callable[[Skipped], object],
    before: Before,
) -> Iterator[tuple[Table, Row, bool]]:
    """Yield a row for each result; what cannot be recorded is reported and passed over."""
    directory = simulation.path
    try:
        registry = simulation.results.registry(before.index)
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
        if not scope.wants(table, simulation):
            continue
        try:
            yield table, *ROWS[kind](table, simulation, result, time, before)
        except ResultError as error:
            report(Skipped(directory, one_line(f"{kind} {result.name}: {error}")))


def _row(table: Table, simulation: Simulation, values: dict[str, Any], time: str) -> Row:
    """Return a whole row, with its content digest at the end."""
    values |= {
        "hash": simulation.hash,
        "directory": simulation.path,
        "simulation_type": simulation.identity.simulation_type.value,
        "timestamp_utc": time,
    }
    content = digest([values[name] for name in table.columns if name != table.time])
    return *(values[name] for name in table.whole.names), content


def _analysis(
    table: Table, simulation: Simulation, analysis: Analysis, time: str, before: Before
) -> tuple[Row, bool]:
    from mdfactory.records.frames import beside_digest, encode

    entry = json.dumps(analysis.entry)
    kind = simulation.identity.simulation_type.value
    said = digest([simulation.hash, kind, entry])  # and the file says the rest
    path = f"{simulation.path}/{FOLDER}/{analysis.filename}"
    if before.index and before.suffices:
        known = before.index.find(path)
        if known and known[1][0] == said:
            return _known(simulation, *known[1][1:]), True
    read = _stamp(path) if before.index else None
    frame = simulation.results.read(analysis)
    try:
        encoded = encode(frame, limit=LARGEST_CELL)
    except FrameTooLargeError as error:
        raise ResultError(f"{analysis.filename} {error}") from error
    beside = beside_digest(encoded.arrow_schema, encoded.arrow_ipc, analysis.entry)
    values = {
        "row_count": frame.num_rows,
        "columns": json.dumps(frame.column_names),
        "data_csv": encoded.data_csv,
        "data_path": f"{FOLDER}/{analysis.filename}",
        "arrow_schema": encoded.arrow_schema,
        "entry": entry,
        "csv_sha256": encoded.csv_sha256,
        "arrow_ipc": encoded.arrow_ipc,
        "digest": beside,
    }
    row = _row(table, simulation, values, time)
    if before.index and read:
        before.index.note(path, read, [said, str(row[-1]), beside])
    return row, False


def _stamp(path: str) -> Stamp | None:
    """Return what a file is like; None if that cannot be known."""
    try:
        return stamp(os.stat(path))
    except (OSError, ValueError):
        return None


def _artifact(
    table: Table,
    simulation: Simulation,
    artifact: Artifact,
    time: str,
    before: Before,  # noqa: ARG001  # its files are not read
) -> tuple[Row, bool]:
    simulation.results.require(artifact)
    values = {
        "file_count": len(artifact.files),
        "files": json.dumps(artifact.files),
        "checksums": json.dumps(artifact.checksums),
    }
    return _row(table, simulation, values, time), False


KINDS: Final[dict[type, ItemType]] = {Analysis: ItemType.analysis, Artifact: ItemType.artifact}

ROWS: Final[dict[ItemType, Callable[..., tuple[Row, bool]]]] = {
    ItemType.analysis: _analysis,
    ItemType.artifact: _artifact,
}
"""What makes the row of a result of each kind."""
