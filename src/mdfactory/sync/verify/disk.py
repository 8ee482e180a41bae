"""On disk: whether what records say is still where they say that it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mdfactory.campaign.registry import RESULTS_FOLDER, Analysis, resolve_result_path
from mdfactory.campaign.result_files import file_sha256
from mdfactory.campaign.results import Results
from mdfactory.campaign.simulation import Simulation
from mdfactory.errors import ResultError, SourceError, one_line
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType

__all__ = ["problems_on_disk"]

Row = Mapping[str, Any]
DiskProblem = tuple[Table, str, str, str]
"""Table, hash, what is wrong, and what to do."""

MOVED: Final = "mdfactory sync relocate OLD NEW, if it was moved"
UPDATE: Final = "mdfactory sync push all SOURCE --update"
AGAIN: Final = "Record it again, then mdfactory sync push all SOURCE --update"


def problems_on_disk(places: Iterable[tuple[Table, Row]], *, quick: bool) -> Iterator[DiskProblem]:
    """Yield what is no longer on disk as records say.

    Parameters
    ----------
    places
        Records, without their long columns.
    quick
        Whether to leave what is in the files unread.
    """
    gone: set[str] = set()
    for table, row in places:
        directory = row["directory"]
        if directory in gone:
            continue
        if not os.path.isdir(directory):
            gone.add(directory)
            yield table, row["hash"], f"there is no folder {directory}", MOVED
        elif table.id == SIMULATIONS.id:
            yield from _of_simulation(table, row)
        elif table.result_type is ResultType.analysis:
            yield from _of_analysis(table, row, quick=quick)
        elif table.result_type is ResultType.artifact:
            yield from _of_artifact(table, row, quick=quick)


def _of_simulation(table: Table, row: Row) -> Iterator[DiskProblem]:
    try:
        found = Simulation.open(row["directory"]).hash
    except SourceError as error:
        yield table, row["hash"], one_line(error), UPDATE
        return
    if found != row["hash"]:
        yield table, row["hash"], f"{row['directory']} holds another simulation, {found}", MOVED


def _of_analysis(table: Table, row: Row, *, quick: bool) -> Iterator[DiskProblem]:
    filename = row["data_path"].removeprefix(f"{RESULTS_FOLDER}/")
    results = Results(row["directory"])
    analysis = Analysis(table.result_name, filename, row["row_count"], {})
    try:
        if quick:
            results.check_rows(analysis)
        else:
            results.read(analysis)
    except ResultError as error:
        yield table, row["hash"], one_line(f"{row['directory']}: {error}"), AGAIN


def _of_artifact(table: Table, row: Row, *, quick: bool) -> Iterator[DiskProblem]:
    try:
        checksums = dict(json.loads(row["checksums"]))
    except (ValueError, TypeError):
        return  # said already
    for file, checksum in checksums.items():
        path = Path(row["directory"])
        try:
            there = resolve_result_path(path, file)
            same = there.is_file() and (quick or file_sha256(there) == str(checksum).lower())
        except FileNotFoundError:
            same = False
        except (OSError, ValueError) as error:
            yield table, row["hash"], one_line(f"{row['directory']}: {error}"), AGAIN
            continue
        if not same:
            what = "has another checksum" if there.is_file() else "is missing"
            yield table, row["hash"], f"{row['directory']}: {file} {what}", AGAIN
