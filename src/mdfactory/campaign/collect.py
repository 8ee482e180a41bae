"""Streams the records of simulations as batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple, Self

import pyarrow as pa

from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.campaign.registry import REGISTRY_FILE, RESULTS_FOLDER, Analysis, Artifact, Registry
from mdfactory.campaign.results import MAX_CELL_BYTES
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading, file_state_at
from mdfactory.campaign.simulation import OUT_OF_MEMORY, Simulation, Skipped
from mdfactory.errors import FrameTooLargeError, RegistryError, ResultError, one_line
from mdfactory.records.arrow import batch
from mdfactory.records.digests import digest
from mdfactory.records.tables import DIGEST_ROW_SCHEMA, SIMULATIONS, Table, result_table
from mdfactory.records.vocabulary import ResultType

BATCH_ROWS: Final = 1000
"""Largest number of records in one batch."""

MAX_BUFFERED_CHARACTERS: Final = 8 * 2**20
"""Approximate limit for the characters of all rows in the buffer."""

GROUP_SIMULATIONS: Final = 64
"""Number of simulations whose results are read as one group, after their own records."""

CELL_CHARACTERS: Final = 12
"""Estimated number of characters of one value of a frame."""

ENTRY_RESULT_TYPES: Final[dict[type, ResultType]] = {
    Analysis: ResultType.analysis,
    Artifact: ResultType.artifact,
}
"""Class of a registry entry -> type of its result."""

Row = tuple[str | int, ...]
"""Values of a record in its table's ``schema_with_digests``, or of a digest row."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which records of a simulation to collect.

    Parameters
    ----------
    simulations
        Whether to collect the record of the simulation itself.
    results
        Types of results to collect.
    names
        Names of the results to collect, in lower case. Default: all.
    folders_by_table
        Id of a table -> folders. Only the records of these folders are collected for the table;
        none for a table without an entry. Default: all records of all tables.
    """

    simulations: bool = False
    results: Collection[ResultType] = ()
    names: frozenset[str] = frozenset()
    folders_by_table: Mapping[str, Collection[str]] | None = None

    def includes_result(self, result_type: ResultType, name: str) -> bool:
        """Whether to collect a result; an empty name stands for all results of a type."""
        is_named = not self.names or not name or name.lower() in self.names
        return result_type in self.results and is_named

    def includes_record(self, table: Table, simulation: Simulation) -> bool:
        """Whether to collect the record of a simulation in a table."""
        if self.folders_by_table is None:
            return True
        return simulation.path in self.folders_by_table.get(table.id, ())


def collect(
    simulations: Iterable[Simulation],
    scope: Scope,
    time: str,
    report: Callable[[Skipped], object],
    reading: Reading = DEFAULT_READING,
) -> Iterator[tuple[Table, pa.RecordBatch]]:
    """Stream the records of simulations.

    Parameters
    ----------
    simulations
        The simulations.
    scope
        Which records to collect.
    time
        Time of the records: ISO 8601 in UTC, with offset.
    report
        Called with each result that cannot be recorded, and the reason.
    reading
        Options for reading the results.

    Yields
    ------
    (Table, pyarrow.RecordBatch)
        Up to 1,000 records of one table, in its ``schema_with_digests``. With
        `Reading.digests_only`, simulations and analyses whose files have not changed are yielded
        as digest rows, in batches of their own.
    """
    buffer, remaining = _Buffer(), iter(simulations)
    with _ResultReader(scope, time, report, reading) as reader:
        while group := list(islice(remaining, GROUP_SIMULATIONS)):
            for simulation in group:
                if scope.simulations and scope.includes_record(SIMULATIONS, simulation):
                    yield from buffer.add(SIMULATIONS, _simulation_row(simulation, time))
            if scope.results:
                candidates = (simulation for simulation in group if not simulation.bare)
                for table, row in reader.rows(candidates):
                    yield from buffer.add(table, row)
                    del row  # it may be large, and is not needed while the next one is read
    yield from buffer.flush()


@dataclass(slots=True)
class _PendingBatch:
    """Rows of one table and schema that will become a batch.

    Parameters
    ----------
    characters
        Number of characters of the rows; 0 for digest rows, which are short.
    """

    table: Table
    schema: pa.Schema
    rows: list[Row] = field(default_factory=list)
    characters: int = 0


@dataclass(slots=True)
class _Buffer:
    """Rows of all tables that are not yet in a batch."""

    pending: dict[tuple[str, bool], _PendingBatch] = field(default_factory=dict)
    characters: int = 0

    def add(self, table: Table, row: Row) -> Iterable[tuple[Table, pa.RecordBatch]]:
        """Add a row, and return the batches that it completes."""
        is_digest_row = len(row) == len(DIGEST_ROW_SCHEMA)  # no record has as few columns
        pending = self.pending.get((table.id, is_digest_row))
        if pending is None:
            schema = DIGEST_ROW_SCHEMA if is_digest_row else table.schema_with_digests
            pending = self.pending[table.id, is_digest_row] = _PendingBatch(table, schema)
        pending.rows.append(row)
        if not is_digest_row:
            characters = sum([len(value) for value in row if isinstance(value, str)])
            pending.characters += characters
            self.characters += characters
            if self.characters > MAX_BUFFERED_CHARACTERS:
                return self.flush()
        return [self._take_batch(pending)] if len(pending.rows) == BATCH_ROWS else ()

    def flush(self) -> Iterator[tuple[Table, pa.RecordBatch]]:
        """Yield all rows that are buffered."""
        yield from (self._take_batch(pending) for pending in self.pending.values() if pending.rows)

    def _take_batch(self, pending: _PendingBatch) -> tuple[Table, pa.RecordBatch]:
        """Turn the rows into a batch, and remove them from the buffer."""
        rows = batch(pending.rows, pending.schema)
        pending.rows.clear()
        self.characters -= pending.characters
        pending.characters = 0
        return pending.table, rows


def _simulation_row(simulation: Simulation, time: str) -> Row:
    """Return the record of a simulation, or its digest row if it was read as a digest only."""
    if simulation.digest:
        return _digest_row(simulation, simulation.digest, "")
    return *simulation.content, time, digest(simulation.content)


def _digest_row(simulation: Simulation, content_digest: str, sidecar_digest: str) -> Row:
    """Return a row in `DIGEST_ROW_SCHEMA`."""
    identity = simulation.identity
    key = (identity.hash, simulation.path, identity.simulation_type)
    return *key, content_digest, sidecar_digest


class _Result(NamedTuple):
    """A result in a registry, and the table of its record."""

    table: Table
    simulation: Simulation
    entry: Analysis | Artifact

    @property
    def result_type(self) -> ResultType:
        """Whether it is an analysis or an artifact."""
        return ENTRY_RESULT_TYPES[type(self.entry)]

    def estimate_bytes(self) -> int:
        """Return the approximate size of its record."""
        if isinstance(self.entry, Artifact):
            return 0
        columns = self.entry.entry.get("columns")
        column_count = len(columns) if isinstance(columns, list) else 1
        return self.entry.row_count * column_count * CELL_CHARACTERS


class _ResultReader:
    """Reads results as rows; registries and frames are prefetched. Use it in ``with``."""

    def __init__(
        self, scope: Scope, time: str, report: Callable[[Skipped], object], reading: Reading
    ) -> None:
        self._scope = scope
        self._time = time
        self._report = report
        self._reading = reading
        self._registries = Prefetcher(self._read_registry, reading.jobs)
        self._rows = Prefetcher(self._read_row, reading.jobs, _Result.estimate_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._registries.close()
        self._rows.close()

    def rows(self, simulations: Iterable[Simulation]) -> Iterator[tuple[Table, Row]]:
        """Yield a row for each result of the scope; report those that cannot be recorded."""
        for row in self._rows.map(self._list_results(simulations)):
            if isinstance(row, Skipped):
                self._report(row)
            else:
                yield row
            del row  # it may be large, and is not needed while the next one is read

    def _list_results(self, simulations: Iterable[Simulation]) -> Iterator[_Result]:
        """Yield the results of the scope; report registries and entries that are invalid."""
        for simulation, registry in self._registries.map(simulations):
            if isinstance(registry, Skipped):
                self._report(registry)
                continue
            for problem in registry.problems:
                if self._scope.includes_result(problem.result_type, problem.name):
                    self._report(Skipped(simulation.path, one_line(problem)))
            entries: tuple[Analysis | Artifact, ...] = (
                *registry.analyses.values(),
                *registry.artifacts.values(),
            )
            for entry in entries:
                result_type = ENTRY_RESULT_TYPES[type(entry)]
                if self._scope.includes_result(result_type, entry.name):
                    table = result_table(result_type, entry.name)
                    if self._scope.includes_record(table, simulation):
                        yield _Result(table, simulation, entry)

    def _read_registry(self, simulation: Simulation) -> tuple[Simulation, Registry | Skipped]:
        path = simulation.path
        try:
            return simulation, simulation.results.registry(self._reading.index)
        except RegistryError as error:
            return simulation, Skipped(path, one_line(error).removeprefix(f"{path}/"))
        except MemoryError:
            return simulation, Skipped(path, f"{RESULTS_FOLDER}/{REGISTRY_FILE}: {OUT_OF_MEMORY}")

    def _read_row(self, result: _Result) -> tuple[Table, Row] | Skipped:
        table, simulation, entry = result
        try:
            if isinstance(entry, Artifact):
                return table, _artifact_row(table, simulation, entry, self._time)
            return table, _analysis_row(table, simulation, entry, self._time, self._reading)
        except ResultError as error:
            reason = str(error)
        except MemoryError:
            reason = OUT_OF_MEMORY
        return Skipped(simulation.path, one_line(f"{result.result_type} {entry.name}: {reason}"))


def _row(table: Table, simulation: Simulation, values: dict[str, Any], time: str) -> Row:
    """Return the row of a result; its content digest is the last value."""
    values |= {
        "hash": simulation.hash,
        "directory": simulation.path,
        "simulation_type": simulation.identity.simulation_type.value,
        "timestamp_utc": time,
    }
    content = digest([values[name] for name in table.columns if name != table.time])
    return *(values[name] for name in table.schema_with_sidecar.names), content


def _analysis_row(
    table: Table, simulation: Simulation, analysis: Analysis, time: str, reading: Reading
) -> Row:
    """Return the record of an analysis, or its digest row if its file has not changed.

    An index entry of a Parquet file has three texts: a digest of all inputs of the record except
    the file itself, the content digest of the record, and the digest of its sidecar.
    """
    index = reading.index
    registry_entry = json.dumps(analysis.entry)
    simulation_type = simulation.identity.simulation_type.value
    inputs_digest = digest([simulation.hash, simulation_type, registry_entry])
    path = f"{simulation.path}/{RESULTS_FOLDER}/{analysis.filename}"
    indexed = index.find(path) if index and reading.digests_only else None
    if indexed and indexed.texts[0] == inputs_digest:
        return _digest_row(simulation, *indexed.texts[1:])
    state = file_state_at(path) if index else None  # before the file is read
    values = _frame_values(simulation, analysis, registry_entry)
    row = _row(table, simulation, values, time)
    if index and state:
        index.add(path, state, [inputs_digest, str(row[-1]), str(values["digest"])])
    return row


def _frame_values(
    simulation: Simulation, analysis: Analysis, registry_entry: str
) -> dict[str, str | int]:
    """Read the frame of an analysis, and return its columns of the record and the sidecar."""
    from mdfactory.frames.codec import encode, sidecar_digest

    frame = simulation.results.read(analysis)
    try:
        encoded = encode(frame, limit=MAX_CELL_BYTES)
    except FrameTooLargeError as error:
        raise ResultError(f"{analysis.filename} {error}") from error
    return {
        "row_count": frame.num_rows,
        "columns": json.dumps(frame.column_names),
        "data_csv": encoded.data_csv,
        "data_path": f"{RESULTS_FOLDER}/{analysis.filename}",
        "arrow_schema": encoded.arrow_schema,
        "entry": registry_entry,
        "csv_sha256": encoded.csv_sha256,
        "arrow_ipc": encoded.arrow_ipc,
        "digest": sidecar_digest(encoded.arrow_schema, encoded.arrow_ipc, analysis.entry),
    }


def _artifact_row(table: Table, simulation: Simulation, artifact: Artifact, time: str) -> Row:
    simulation.results.require(artifact)
    values = {
        "file_count": len(artifact.files),
        "files": json.dumps(artifact.files),
        "checksums": json.dumps(artifact.checksums),
    }
    return _row(table, simulation, values, time)
