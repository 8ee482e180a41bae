"""Meaning: whether what a record says can be, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from hashlib import sha1
from typing import Any, Final

from mdfactory.campaign.build_input import BuildInput
from mdfactory.errors import BuildInputError, FrameCorruptError, one_line
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.records.vocabulary import (
    Engine,
    Parametrization,
    ResultStatus,
    ResultType,
    SimulationStatus,
    SimulationType,
)
from mdfactory.sync.frames import frame_of

__all__ = ["problems_of"]

Row = Mapping[str, Any]

CLOSED: Final = {
    SIMULATIONS.id: {
        "engine": Engine,
        "parametrization": Parametrization,
        "simulation_type": SimulationType,
        "status": SimulationStatus,
    },
    OVERVIEW.id: {
        "item_type": ResultType,
        "status": ResultStatus,
        "simulation_type": SimulationType,
    },
}
"""Table -> columns that hold one of some words."""


def problems_of(table: Table, row: Row, *, own: bool) -> Iterator[tuple[str, bool]]:
    """Yield what is wrong with a record.

    Parameters
    ----------
    table
        Its table.
    row
        The record, with what is kept beside it.
    own
        Whether this program wrote it.

    Yields
    ------
    tuple
        What is wrong, in one line; and whether it is grave, or left as it is.
    """
    for column, words in CLOSED.get(table.id, {"simulation_type": SimulationType}).items():
        if row[column] not in set(words):
            yield f"{column} is {row[column]!r:.40}", own
    if not _is_time(row[table.time]):
        yield f"{table.time} is no time: {row[table.time]!r:.40}", own
    check = _of_runs if table.id == SIMULATIONS.id else CHECKS.get(table.result_type, _of_nothing)
    yield from check(table, row, own)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _of_nothing(_table: Table, _row: Row, _own: bool) -> Iterator[tuple[str, bool]]:  # noqa: FBT001
    yield from ()


def _of_runs(_table: Table, row: Row, own: bool) -> Iterator[tuple[str, bool]]:  # noqa: FBT001
    """Check that a simulation is filed under the hash of its input."""
    text = row["input_data"]
    if sha1(text.encode()).hexdigest().upper() == row["hash"]:  # noqa: S324  # the identity's own
        return
    try:
        meant = BuildInput.parse(json.loads(text)).hash
    except (ValueError, RecursionError, BuildInputError) as error:
        yield f"input_data is no BuildInput: {one_line(error)}", True
        return
    if meant == row["hash"]:
        return
    if row["simulation_type"] == SimulationType.lnp and not own:
        yield f"another program filed this lnp under another hash than its input's, {meant}", False
        return
    yield f"it is not filed under the hash of its input_data, {meant}", True


def _of_analysis(table: Table, row: Row, _own: bool) -> Iterator[tuple[str, bool]]:  # noqa: FBT001
    """Check that the frame can be had, and is as large as the record says."""
    names = _json(row["columns"], list)
    if names is None or not all(isinstance(name, str) for name in names):
        yield "columns is no list of names", True
    try:
        frame = frame_of(table, row)
    except FrameCorruptError as error:
        yield one_line(str(error.__cause__ or error)), True
        return
    if frame.num_rows != row["row_count"]:
        yield f"row_count is {row['row_count']:,}, the frame has {frame.num_rows:,} rows", True
    if names is not None and frame.column_names != names:
        yield "columns are not those of the frame", True


def _of_artifact(_table: Table, row: Row, _own: bool) -> Iterator[tuple[str, bool]]:  # noqa: FBT001
    files, checksums = _json(row["files"], list), _json(row["checksums"], dict)
    if files is None or checksums is None:
        yield "files or checksums are not JSON", True
        return
    if len(files) != row["file_count"]:
        yield f"file_count is {row['file_count']:,}, there are {len(files):,} files", True
    if set(files) != set(checksums):
        yield "files and checksums are not of the same files", True


def _json(text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, kind) else None


Check = Callable[[Table, Row, bool], Iterator[tuple[str, bool]]]

CHECKS: Final[dict[ResultType | None, Check]] = {
    ResultType.analysis: _of_analysis,
    ResultType.artifact: _of_artifact,
}
"""Kind of a result -> what checks its records."""
