"""Streams the records of simulations as batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from mdfactory.campaign.prefetch import Prefetcher
from mdfactory.campaign.registry import (
    REGISTRY_FILE,
    RESULTS_FOLDER,
    Analysis,
    Artifact,
    Registry,
    RegistryProblem,
)
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

MAX_READS: Final = 10
"""How often a result is read, if it is recorded again during each read."""

CELL_CHARACTERS: Final = 12
"""Estimated number of characters of one value of a frame."""

Row = tuple[str | int, ...]
"""Values of a record in its table's ``schema_with_digests``, or of a digest row."""

_Result = tuple[Simulation, Analysis | Artifact, str]
"""A result: its simulation, its entry in the registry, and the key of the registry's state."""

_Buffers = dict[tuple[str, bool], tuple[Table, list[Row]]]
"""Id of a table, and whether these are digest rows -> the table, and rows for its next batch."""


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
        folders = self.folders_by_table
        return folders is None or simulation.path in folders.get(table.id, ())


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
    return _to_batches(_Collector(scope, time, report, reading).rows(simulations))


def _to_batches(rows: Iterable[tuple[Table, Row]]) -> Iterator[tuple[Table, pa.RecordBatch]]:
    """Gather rows into batches; whenever one is full, or all take much memory, yield all."""
    buffers: _Buffers = {}
    characters = 0
    for table, row in rows:
        is_digest_row = len(row) == len(DIGEST_ROW_SCHEMA)  # no record has as few columns
        _, buffer = buffers.setdefault((table.id, is_digest_row), (table, []))
        buffer.append(row)
        if not is_digest_row:
            characters += sum([len(value) for value in row if isinstance(value, str)])
        del row  # it may be large, and is not needed while the next one is read
        if len(buffer) == BATCH_ROWS or characters > MAX_BUFFERED_CHARACTERS:
            yield from (_take_batch(buffers, key) for key in list(buffers))
            characters = 0
    yield from (_take_batch(buffers, key) for key in list(buffers))


def _take_batch(buffers: _Buffers, key: tuple[str, bool]) -> tuple[Table, pa.RecordBatch]:
    _, is_digest_row = key
    table, rows = buffers.pop(key)
    return table, batch(rows, DIGEST_ROW_SCHEMA if is_digest_row else table.schema_with_digests)


def _estimate_bytes(result: _Result) -> int:
    """Return the approximate size of the record of a result."""
    _, entry, _ = result
    if isinstance(entry, Artifact):
        return 0
    columns = entry.entry.get("columns")
    column_count = len(columns) if isinstance(columns, list) else 1
    return entry.row_count * column_count * CELL_CHARACTERS


@dataclass(frozen=True, slots=True)
class _Collector:
    """Reads simulations and results as rows; the parameters are those of `collect`."""

    scope: Scope
    time: str
    report: Callable[[Skipped], object]
    reading: Reading

    def rows(self, simulations: Iterable[Simulation]) -> Iterator[tuple[Table, Row]]:
        """Yield a row for each record of the scope; registries and frames are prefetched."""
        remaining, jobs = iter(simulations), self.reading.jobs
        with (
            Prefetcher(self._read_registry, jobs) as registries,
            Prefetcher(self._read_row, jobs, _estimate_bytes) as rows,
        ):
            while group := list(islice(remaining, GROUP_SIMULATIONS)):
                for simulation in group if self.scope.simulations else ():
                    if self.scope.includes_record(SIMULATIONS, simulation):
                        yield SIMULATIONS, self._simulation_row(simulation)
                if self.scope.results:
                    candidates = (simulation for simulation in group if not simulation.bare)
                    for row in rows.map(self._list_results(registries.map(candidates))):
                        if isinstance(row, Skipped):
                            self.report(row)
                        elif row:
                            yield row
                        del row  # it may be large, and is not needed while the next one is read

    def _list_results(
        self, registries: Iterable[tuple[Simulation, Registry | Skipped]]
    ) -> Iterator[_Result]:
        """Yield the results of the scope; report registries and entries that are invalid."""
        for simulation, registry in registries:
            if isinstance(registry, Skipped):
                self.report(registry)
                continue
            for problem in registry.problems:
                if self.scope.includes_result(problem.result_type, problem.name):
                    self.report(Skipped(simulation.path, one_line(problem)))
            for entry in registry.results:
                if self.scope.includes_result(entry.result_type, entry.name):
                    table = result_table(entry.result_type, entry.name)
                    if self.scope.includes_record(table, simulation):
                        yield simulation, entry, registry.state_key

    def _read_registry(self, simulation: Simulation) -> tuple[Simulation, Registry | Skipped]:
        path = simulation.path
        try:
            return simulation, simulation.results.registry(self.reading.index)
        except RegistryError as error:
            return simulation, Skipped(path, one_line(error).removeprefix(f"{path}/"))
        except MemoryError:
            return simulation, Skipped(path, f"{RESULTS_FOLDER}/{REGISTRY_FILE}: {OUT_OF_MEMORY}")

    def _read_row(self, result: _Result) -> tuple[Table, Row] | Skipped | None:
        """Read a result; None if it was removed meanwhile.

        A result that is wrong may have been recorded again after its registry was read.
        """
        simulation, entry, state_key = result
        for _ in range(MAX_READS):
            row = self._read_entry(simulation, entry, state_key)
            if not isinstance(row, Skipped):
                break
            _, registry = self._read_registry(simulation)
            if isinstance(registry, Skipped):
                return registry
            current = registry.find(entry.result_type, entry.name)
            if isinstance(current, RegistryProblem):
                return Skipped(simulation.path, one_line(current))
            if current is None:
                return None
            if current == entry:
                break
            entry, state_key = current, registry.state_key
        return row

    def _read_entry(
        self, simulation: Simulation, entry: Analysis | Artifact, state_key: str
    ) -> tuple[Table, Row] | Skipped:
        table = result_table(entry.result_type, entry.name)
        try:
            if isinstance(entry, Artifact):
                return table, self._artifact_row(table, simulation, entry)
            return table, self._analysis_row(table, simulation, entry, state_key)
        except ResultError as error:
            reason = str(error)
        except MemoryError:
            reason = OUT_OF_MEMORY
        return Skipped(simulation.path, one_line(f"{entry.result_type} {entry.name}: {reason}"))

    def _simulation_row(self, simulation: Simulation) -> Row:
        """Return the record of a simulation, or its digest row if only its digest was read."""
        if simulation.digest:
            return _digest_row(simulation, simulation.digest)
        return *simulation.content, self.time, digest(simulation.content)

    def _analysis_row(
        self, table: Table, simulation: Simulation, analysis: Analysis, state_key: str
    ) -> Row:
        """Return the record of an analysis, or its digest row if its file has not changed.

        An index entry of a Parquet file has three texts: a digest of all inputs of the record
        except the file itself, the content digest of the record, and the digest of its sidecar.
        """
        index = self.reading.index
        registry_entry = json.dumps(analysis.entry)
        simulation_type = simulation.identity.simulation_type.value
        inputs_digest = digest([simulation.hash, simulation_type, registry_entry])
        path = f"{simulation.path}/{RESULTS_FOLDER}/{analysis.filename}"
        indexed = index.find(path) if index and self.reading.digests_only else None
        if indexed and indexed.texts[0] == inputs_digest:
            return _digest_row(simulation, *indexed.texts[1:])
        state = file_state_at(path) if index else None  # before the file is read
        values = _frame_values(simulation, analysis, registry_entry)
        self._require_current(simulation, analysis, state_key)
        row = self._row(table, simulation, values)
        if index and state:
            index.add(path, state, [inputs_digest, str(row[-1]), str(values["digest"])])
        return row

    def _require_current(self, simulation: Simulation, analysis: Analysis, state_key: str) -> None:
        """Raise a `ResultError` unless the frame that was read is that of the registry entry.

        An entry is removed before its file is replaced. So if the registry still has the entry,
        the file was that of the entry, too.
        """
        state = file_state_at(f"{simulation.path}/{RESULTS_FOLDER}/{REGISTRY_FILE}")
        if state and state.key == state_key:
            return
        _, registry = self._read_registry(simulation)
        if (
            isinstance(registry, Skipped)
            or registry.find(analysis.result_type, analysis.name) != analysis
        ):
            raise ResultError("was recorded again each time that it was read")

    def _artifact_row(self, table: Table, simulation: Simulation, artifact: Artifact) -> Row:
        simulation.results.require(artifact)
        values = {
            "file_count": len(artifact.files),
            "files": json.dumps(artifact.files),
            "checksums": json.dumps(artifact.checksums),
        }
        return self._row(table, simulation, values)

    def _row(self, table: Table, simulation: Simulation, values: dict[str, Any]) -> Row:
        """Return the row of a result; its content digest is the last value."""
        values |= {
            "hash": simulation.hash,
            "directory": simulation.path,
            "simulation_type": simulation.identity.simulation_type.value,
            "timestamp_utc": self.time,
        }
        content = digest([values[name] for name in table.columns if name != table.time])
        return *(values[name] for name in table.schema_with_sidecar.names), content


def _digest_row(simulation: Simulation, content_digest: str, sidecar_digest: str = "") -> Row:
    """Return a row in `DIGEST_ROW_SCHEMA`."""
    identity = simulation.identity
    key = (identity.hash, simulation.path, identity.simulation_type)
    return *key, content_digest, sidecar_digest


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
        "data_path": f"{RESULTS_FOLDER}/{analysis.filename}",
        "entry": registry_entry,
        **asdict(encoded),
        "digest": sidecar_digest(encoded.arrow_schema, encoded.arrow_ipc, analysis.entry),
    }
