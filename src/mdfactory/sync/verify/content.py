"""Content: check that the values of a record are valid and consistent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from hashlib import sha1
from typing import Any, Final, NamedTuple

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
from mdfactory.sync.verify.finding import Row

ENUM_COLUMNS: Final = {
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
"""Table id -> column -> enumeration of its valid values."""

RESULT_ENUM_COLUMNS: Final = {"simulation_type": SimulationType}
"""The same for tables of results."""


class Problem(NamedTuple):
    """An invalid or inconsistent value of a record.

    Parameters
    ----------
    text
        What is wrong, in one line.
    is_error
        False for a known peculiarity of other programs, which needs no action.
    """

    text: str
    is_error: bool = True


def problems_of(table: Table, row: Row, *, own: bool) -> Iterator[Problem]:
    """Yield the problems of a record.

    Parameters
    ----------
    table
        The table of the record.
    row
        The record, with its sidecar if the table has sidecars.
    own
        Whether mdfactory wrote the record, and no other program.
    """
    for column, enumeration in ENUM_COLUMNS.get(table.id, RESULT_ENUM_COLUMNS).items():
        if row[column] not in set(enumeration):
            yield Problem(f"{column} has the unknown value {row[column]!r:.40}", own)
    if not _is_time(row[table.time]):
        yield Problem(f"{table.time} is not a time with an offset: {row[table.time]!r:.40}", own)
    if table.id == SIMULATIONS.id:
        yield from _check_simulation(row, own=own)
    elif table.result_type is not None:
        yield from RESULT_CHECKS[table.result_type](table, row)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _check_simulation(row: Row, *, own: bool) -> Iterator[Problem]:
    """Check that the hash of a simulation is the hash of its input."""
    text = row["input_data"]
    if sha1(text.encode()).hexdigest().upper() == row["hash"]:  # noqa: S324  # defines the hash
        return
    # Another program may have written the same BuildInput as another JSON text.
    try:
        input_hash = BuildInput.parse(json.loads(text)).hash
    except (ValueError, RecursionError, BuildInputError) as error:
        yield Problem(f"input_data is not a valid BuildInput: {one_line(error)}")
        return
    if input_hash != row["hash"]:
        is_known = row["simulation_type"] == SimulationType.lnp and not own
        reason = ": another program recorded this lnp" if is_known else ""
        yield Problem(f"its hash is not that of its input_data, {input_hash}{reason}", not is_known)


def _check_analysis(table: Table, row: Row) -> Iterator[Problem]:
    """Check that the frame can be decoded, and has the rows and columns that the record lists."""
    names = _parse_json(row["columns"], list)
    if names is None or not all(isinstance(name, str) for name in names):
        yield Problem("columns is not a list of names")
    try:
        frame = frame_of(table, row)
    except FrameCorruptError as error:
        yield Problem(one_line(str(error.__cause__ or error)))
        return
    if frame.num_rows != row["row_count"]:
        yield Problem(f"row_count is {row['row_count']:,}, the frame has {frame.num_rows:,} rows")
    if names is not None and frame.column_names != names:
        yield Problem("columns does not list the columns of the frame")


def _check_artifact(_table: Table, row: Row) -> Iterator[Problem]:
    """Check that the lists of files and checksums are valid and consistent."""
    files, checksums = _parse_json(row["files"], list), _parse_json(row["checksums"], dict)
    if files is None or checksums is None:
        yield Problem("files is not a JSON list, or checksums is not a JSON object")
        return
    if len(files) != row["file_count"]:
        yield Problem(f"file_count is {row['file_count']:,}, files lists {len(files):,}")
    if set(files) != set(checksums):
        yield Problem("files and checksums do not list the same files")


def _parse_json(text: str, expected: type) -> Any:
    """Parse a JSON value; return None if it is invalid or not of the expected type."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, expected) else None


RESULT_CHECKS: Final[Mapping[ResultType, Callable[[Table, Row], Iterator[Problem]]]] = {
    ResultType.analysis: _check_analysis,
    ResultType.artifact: _check_artifact,
}
