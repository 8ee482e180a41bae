"""From simulations to batches of records, streamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple, Self

import pyarrow as pa

from mdfactory.campaign.prefetch import Ahead
from mdfactory.campaign.registry import REGISTRY_FILE, RESULTS_FOLDER, Analysis, Artifact, Registry
from mdfactory.campaign.results import MAX_CELL_BYTES
from mdfactory.campaign.scan_index import PLAIN, Reading, stamp_at
from mdfactory.campaign.simulation import OUT_OF_MEMORY, Simulation, Skipped
from mdfactory.errors import FrameTooLargeError, RegistryError, ResultError, one_line
from mdfactory.records.arrow import batch
from mdfactory.records.digests import digest
from mdfactory.records.tables import DIGEST_ROW_SCHEMA, SIMULATIONS, Table, result_table
from mdfactory.records.vocabulary import ResultType

__all__ = ["Scope", "collect"]

BATCH: Final = 1000
"""Records of one batch, at most."""

LARGEST: Final = 8 * 2**20
"""Characters of the records that are held before they are passed on, about."""

PORTION: Final = 64
"""Simulations whose results are looked at together."""

CELL: Final = 12
"""Characters of a value of a frame, about."""

Row = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which records to make of a simulation.

    Parameters
    ----------
    simulations
        Whether of the simulation itself.
    results
        Whether of its analyses, its artifacts.
    names
        Of those with these names only, in lower case; of all if empty.
    only
        Table, by its id -> the folders whose records are meant; all if not given.
    """

    simulations: bool = False
    results: Collection[ResultType] = ()
    names: frozenset[str] = frozenset()
    only: Mapping[str, Collection[str]] | None = None

    def takes(self, kind: ResultType, name: str) -> bool:
        """Whether an analysis or artifact is meant."""
        return kind in self.results and (not self.names or name.lower() in {"", *self.names})

    def wants(self, table: Table, simulation: Simulation) -> bool:
        """Whether the record of a simulation in a table is meant."""
        return self.only is None or simulation.path in self.only.get(table.id, ())


def collect(
    simulations: Iterable[Simulation],
    scope: Scope,
    time: str,
    report: Callable[[Skipped], object],
    reading: Reading = PLAIN,
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
    reading
        How results are read.

    Yields
    ------
    (Table, pyarrow.RecordBatch)
        Up to 1,000 records of one table, in its ``schema_with_digests``, or digest rows if these
        suffice (`Reading.brief`).
    """
    buffer, rest = _Buffer(), iter(simulations)
    with _Results(scope, time, report, reading) as results:
        while some := list(islice(rest, PORTION)):
            for simulation in some:
                if scope.simulations and scope.wants(SIMULATIONS, simulation):
                    yield from buffer.add(SIMULATIONS, _run(simulation, time))
            if scope.results:
                for table, row in results.of(one for one in some if not one.bare):
                    yield from buffer.add(table, row)
                    del row  # it may be long, and is not held while the next one is made
    yield from buffer.rest()


@dataclass(slots=True)
class _Waiting:
    """Rows that wait to become a batch, and the number of their characters if they may be long."""

    table: Table
    schema: pa.Schema
    rows: list[Row] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class _Buffer:
    """Rows that wait to become a batch of their table."""

    tables: dict[tuple[str, bool], _Waiting] = field(default_factory=dict)
    size: int = 0

    def add(self, table: Table, row: Row) -> Iterable[tuple[Table, pa.RecordBatch]]:
        """Take a row, and give batches where enough have come together."""
        known = len(row) == len(DIGEST_ROW_SCHEMA)
        waiting = self.tables.get((table.id, known))
        if waiting is None:
            waiting = _Waiting(table, DIGEST_ROW_SCHEMA if known else table.schema_with_digests)
            self.tables[table.id, known] = waiting
        waiting.rows.append(row)
        if not known:
            size = sum([len(value) for value in row if isinstance(value, str)])
            waiting.size += size
            self.size += size
            if self.size > LARGEST:
                return self.rest()
        return [self._made(waiting)] if len(waiting.rows) == BATCH else ()

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


def _run(simulation: Simulation, time: str) -> Row:
    """Return the row of a simulation, or what is known of it if that suffices."""
    if simulation.digest:
        return _known(simulation, simulation.digest, "")
    return *simulation.content, time, digest(simulation.content)


def _known(simulation: Simulation, content: str, beside: str) -> Row:
    """Return the digest row of a record: no record is as short."""
    built = simulation.identity
    return built.hash, simulation.path, built.simulation_type, content, beside


class _Result(NamedTuple):
    """A result that is to be recorded."""

    table: Table
    simulation: Simulation
    entry: Analysis | Artifact


class _Results:
    """Makes the rows of results, some ahead of their turn if that pays. Use it in ``with``."""

    def __init__(
        self, scope: Scope, time: str, report: Callable[[Skipped], object], reading: Reading
    ) -> None:
        self._scope = scope
        self._time = time
        self._report = report
        self._reading = reading
        self._registries = Ahead(self._look, reading.jobs)
        self._rows = Ahead(self._make, reading.jobs, _length)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._registries.close()
        self._rows.close()

    def of(self, simulations: Iterable[Simulation]) -> Iterator[tuple[Table, Row]]:
        """Yield a row for each result; what cannot be recorded is reported and passed over."""
        for made in self._rows.each(self._found(simulations)):
            if isinstance(made, Skipped):
                self._report(made)
            else:
                yield made
            del made

    def _found(self, simulations: Iterable[Simulation]) -> Iterator[_Result]:
        for simulation, registry in self._registries.each(simulations):
            if isinstance(registry, Skipped):
                self._report(registry)
                continue
            for problem in registry.problems:
                if self._scope.takes(problem.result_type, problem.name):
                    self._report(Skipped(simulation.path, one_line(problem)))
            entries: tuple[Analysis | Artifact, ...] = (
                *registry.analyses.values(),
                *registry.artifacts.values(),
            )
            for entry in entries:
                kind = KINDS[type(entry)]
                if self._scope.takes(kind, entry.name):
                    table = result_table(kind, entry.name)
                    if self._scope.wants(table, simulation):
                        yield _Result(table, simulation, entry)

    def _look(self, simulation: Simulation) -> tuple[Simulation, Registry | Skipped]:
        path = simulation.path
        try:
            return simulation, simulation.results.registry(self._reading.index)
        except RegistryError as error:
            return simulation, Skipped(path, one_line(error).removeprefix(f"{path}/"))
        except MemoryError:
            return simulation, Skipped(path, f"{RESULTS_FOLDER}/{REGISTRY_FILE}: {OUT_OF_MEMORY}")

    def _make(self, result: _Result) -> tuple[Table, Row] | Skipped:
        table, simulation, entry = result
        try:
            if isinstance(entry, Artifact):
                return table, _artifact(table, simulation, entry, self._time)
            return table, _analysis(table, simulation, entry, self._time, self._reading)
        except ResultError as error:
            reason = str(error)
        except MemoryError:
            reason = OUT_OF_MEMORY
        return Skipped(simulation.path, one_line(f"{KINDS[type(entry)]} {entry.name}: {reason}"))


def _length(result: _Result) -> int:
    """Return how long the text of a result is, about."""
    entry = result.entry
    if isinstance(entry, Artifact):
        return 0
    columns = entry.entry.get("columns")
    return entry.row_count * CELL * (len(columns) if isinstance(columns, list) else 1)


def _row(table: Table, simulation: Simulation, values: dict[str, Any], time: str) -> Row:
    """Return a whole row, with its content digest at the end."""
    values |= {
        "hash": simulation.hash,
        "directory": simulation.path,
        "simulation_type": simulation.identity.simulation_type.value,
        "timestamp_utc": time,
    }
    content = digest([values[name] for name in table.columns if name != table.time])
    return *(values[name] for name in table.schema_with_sidecar.names), content


def _analysis(
    table: Table, simulation: Simulation, analysis: Analysis, time: str, reading: Reading
) -> Row:
    index = reading.index
    entry = json.dumps(analysis.entry)
    kind = simulation.identity.simulation_type.value
    said = digest([simulation.hash, kind, entry])  # and the file says the rest
    path = f"{simulation.path}/{RESULTS_FOLDER}/{analysis.filename}"
    known = index.find(path) if index and reading.brief else None
    if known and known.texts[0] == said:
        return _known(simulation, *known.texts[1:])
    from mdfactory.frames.codec import encode, sidecar_digest

    read = stamp_at(path) if index else None
    frame = simulation.results.read(analysis)
    try:
        encoded = encode(frame, limit=MAX_CELL_BYTES)
    except FrameTooLargeError as error:
        raise ResultError(f"{analysis.filename} {error}") from error
    beside = sidecar_digest(encoded.arrow_schema, encoded.arrow_ipc, analysis.entry)
    rows, columns = frame.num_rows, json.dumps(frame.column_names)
    del frame  # its text is as long, and is what is needed from here on
    values = {
        "row_count": rows,
        "columns": columns,
        "data_csv": encoded.data_csv,
        "data_path": f"{RESULTS_FOLDER}/{analysis.filename}",
        "arrow_schema": encoded.arrow_schema,
        "entry": entry,
        "csv_sha256": encoded.csv_sha256,
        "arrow_ipc": encoded.arrow_ipc,
        "digest": beside,
    }
    row = _row(table, simulation, values, time)
    if index and read:
        index.note(path, read, [said, str(row[-1]), beside])
    return row


def _artifact(table: Table, simulation: Simulation, artifact: Artifact, time: str) -> Row:
    simulation.results.require(artifact)
    values = {
        "file_count": len(artifact.files),
        "files": json.dumps(artifact.files),
        "checksums": json.dumps(artifact.checksums),
    }
    return _row(table, simulation, values, time)


KINDS: Final[dict[type, ResultType]] = {
    Analysis: ResultType.analysis,
    Artifact: ResultType.artifact,
}
