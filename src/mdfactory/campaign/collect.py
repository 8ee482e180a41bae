"""From simulations to batches of records, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import pyarrow as pa

from mdfactory.campaign.simulation import Simulation
from mdfactory.records.tables import RUNS, batch

__all__ = ["run_records"]

BATCH: Final = 1000


def run_records(simulations: Iterable[Simulation], time: str) -> Iterator[pa.RecordBatch]:
    """Stream the records of simulations for ``RUN_DATABASE``.

    Parameters
    ----------
    simulations
        The simulations.
    time
        When they are recorded: ISO 8601 in UTC, with offset.

    Yields
    ------
    pyarrow.RecordBatch
        Up to 1,000 records in the schema of the table.
    """
    rows = (_run(simulation, time) for simulation in simulations)
    while some := list(islice(rows, BATCH)):
        yield batch(some, RUNS.schema)


def _run(simulation: Simulation, time: str) -> tuple[str, ...]:
    built = simulation.build_input
    values = {
        "hash": built.hash,
        "engine": built.engine.value,
        "parametrization": built.parametrization.value,
        "simulation_type": built.simulation_type.value,
        "input_data": built.canonical_json,
        "input_data_type": "BuildInput",
        "directory": str(simulation.directory),
        "status": simulation.status.value,
        "timestamp_utc": time,
    }
    return tuple(values[name] for name in RUNS.columns)
