"""Disk: check that simulations and results are in the directories of their records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mdfactory.campaign.registry import RESULTS_FOLDER, Analysis, resolve_result_path
from mdfactory.campaign.result_files import file_sha256
from mdfactory.campaign.results import Results
from mdfactory.campaign.simulation import Simulation
from mdfactory.errors import ResultError, SourceError, one_line
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.sync.verify.content import parse_json
from mdfactory.sync.verify.finding import PUSH_UPDATE, Finding, Row

Problem = tuple[str, str]
"""What is wrong with a record, and the remedy."""

RELOCATE: Final = "mdfactory sync relocate OLD NEW, if it was moved"
RECORD_AGAIN: Final = f"Record it again, then {PUSH_UPDATE}"


def find_on_disk(records: Iterable[tuple[Table, Row]], *, quick: bool) -> Iterator[Finding]:
    """Compare records with the files on disk.

    Parameters
    ----------
    records
        Table and record, without long columns.
    quick
        Check only that files exist, and the number of rows of Parquet files.

    Yields
    ------
    Finding
        A difference. A missing folder is reported once, for the first of its records.
    """
    missing: set[str] = set()
    for table, row in records:
        directory = row["directory"]
        if directory in missing:
            continue
        problems: Iterable[Problem] = ()
        if not os.path.isdir(directory):
            missing.add(directory)
            problems = [(f"there is no folder {directory}", RELOCATE)]
        elif table.id == SIMULATIONS.id:
            problems = _check_simulation(row)
        elif table.result_type is ResultType.analysis:
            problems = _check_analysis(table, row, quick=quick)
        elif table.result_type is ResultType.artifact:
            problems = _check_artifact(row, quick=quick)
        for problem, remedy in problems:
            yield Finding(table.name, row["hash"], problem, remedy)


def _check_simulation(row: Row) -> Iterator[Problem]:
    try:
        hash_ = Simulation.open(row["directory"]).hash
    except SourceError as error:
        yield one_line(error), PUSH_UPDATE
    else:
        if hash_ != row["hash"]:
            yield f"{row['directory']} holds another simulation, {hash_}", RELOCATE


def _check_analysis(table: Table, row: Row, *, quick: bool) -> Iterator[Problem]:
    filename = row["data_path"].removeprefix(f"{RESULTS_FOLDER}/")
    results = Results(row["directory"])
    try:
        check = results.check_rows if quick else results.read
        check(Analysis(table.result_name, filename, row["row_count"], {}))
    except ResultError as error:
        yield one_line(f"{row['directory']}: {error}"), RECORD_AGAIN


def _check_artifact(row: Row, *, quick: bool) -> Iterator[Problem]:
    # An invalid value is reported by the check of the record's values.
    checksums = parse_json(row["checksums"], dict) or {}
    for file, checksum in checksums.items():
        try:
            path = resolve_result_path(Path(row["directory"]), file)
            problem = "" if path.is_file() else f"{file} is missing"
            if not (problem or quick) and file_sha256(path) != str(checksum).lower():
                problem = f"{file} has another checksum"
        except FileNotFoundError:
            problem = f"{file} is missing"
        except (OSError, ValueError) as error:
            problem = one_line(error)
        if problem:
            yield f"{row['directory']}: {problem}", RECORD_AGAIN
