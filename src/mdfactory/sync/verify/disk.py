"""Disk: check that simulations and results are in the directories of their records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from mdfactory.campaign.registry import RESULTS_FOLDER, Analysis, Artifact, resolve_result_path
from mdfactory.campaign.result_files import file_sha256
from mdfactory.campaign.results import RECORD_ANALYSIS, Results
from mdfactory.campaign.simulation import NO_BUILD_INPUT, Simulation
from mdfactory.errors import (
    RegistryError,
    ResultError,
    SourceError,
    UnknownSimulationError,
    one_line,
)
from mdfactory.files import list_folder
from mdfactory.records.tables import SIMULATIONS, Table
from mdfactory.records.vocabulary import ResultType
from mdfactory.sync.lost_inputs import write_back_command
from mdfactory.sync.verify.content import is_known_input, parse_json
from mdfactory.sync.verify.finding import PUSH_UPDATE, Finding, Row, for_folder
from mdfactory.sync.verify.moved import PUSH_MOVED, missing_folder


class Problem(NamedTuple):
    """A difference between a record and the disk.

    Parameters
    ----------
    text
        What is wrong, in one line.
    remedy
        The command or step that solves the problem.
    is_error
        False if this version cannot check the record.
    """

    text: str
    remedy: str = ""
    is_error: bool = True


RECORD_AGAIN: Final = f"Record it again, then {PUSH_UPDATE}"

EDITED: Final = (
    "\n  If its BuildInput was edited, to go back, move that file away, and {}"
    "\n  To keep the edit, rename the folder to {}, and mdfactory sync clear all --hash {}"
)

PULL_TABLE: Final = (
    "\n  The store has the table; this writes it, with a column hash: mdfactory sync pull analysis "
    "--analysis-name {} --hash {} --data --output FILE"
)


def find_on_disk(
    records: Iterable[tuple[Table, Row]], *, quick: bool
) -> Iterator[tuple[Finding, bool]]:
    """Compare records with the files on disk.

    Parameters
    ----------
    records
        Table and record; of the long columns only ``input_data``.
    quick
        Check only that files exist, and the number of rows of Parquet files.

    Yields
    ------
    finding : Finding
        A difference. A missing folder is reported once, for the first of its records.
    is_error : bool
        False if this version cannot check the record; the finding is then a note.
    """
    missing: set[str] = set()
    for table, row in records:
        directory = row["directory"]
        if directory in missing:
            continue
        problems: Iterable[Problem] = ()
        if not os.path.isdir(directory):
            missing.add(directory)
            yield missing_folder(table.name, row["hash"], directory), True
        elif table.id == SIMULATIONS.id:
            problems = _check_simulation(row)
        elif table.result_type:
            problems = _check_result(table, row, table.result_type, quick=quick)
        for text, remedy, is_error in problems:
            step = for_folder(remedy, directory)
            yield Finding(table.name, row["hash"], text, step), is_error


def _check_simulation(row: Row) -> Iterator[Problem]:
    try:
        hash_ = Simulation.open(row["directory"]).hash
    except UnknownSimulationError as error:
        yield Problem(one_line(error), is_error=False)
    except SourceError as error:
        # A record that this version cannot read has a folder that it cannot read.
        is_lost, is_known = error.reason == NO_BUILD_INPUT, is_known_input(row["input_data"])
        write_back = write_back_command(row["hash"], row["directory"])
        remedies = {
            (True, True): write_back,
            (True, False): "Restore its YAML file from a backup",
            (False, True): f"Mend the file; or move it away, then {write_back}",
        }
        remedy = remedies.get((is_lost, is_known), "")
        if not os.access(row["directory"], os.R_OK | os.X_OK):
            remedy = "Get the permission to read it"
        yield Problem(one_line(error), remedy, is_lost or is_known)
    else:
        if hash_ != row["hash"]:
            problem = f"{row['directory']} holds another simulation, {hash_}"
            # A relocation of the folder would also change the record of what it holds now.
            remedy = f"if it was moved to NEW, {PUSH_MOVED}"
            if os.path.basename(row["directory"]).upper() == row["hash"]:
                write_back = write_back_command(row["hash"], row["directory"])
                remedy += EDITED.format(write_back, hash_, row["hash"])
            yield Problem(problem, remedy)
            return
        yield from _check_registry(row["directory"])


def _check_registry(directory: str) -> Iterator[Problem]:
    """Yield an unreadable registry, or a note on each Parquet file that it should list.

    Such a file looks like an analysis, but no push reads it.
    """
    try:
        analyses = Results(directory).registry().analyses.values()
        files = list_folder(os.path.join(directory, RESULTS_FOLDER)).files
    except RegistryError as error:
        yield Problem(one_line(error))
        return
    except OSError:  # without results
        return
    known = {analysis.filename for analysis in analyses}
    for name in sorted(set(files) - known):
        if name.endswith(".parquet"):
            path = os.path.join(directory, RESULTS_FOLDER, name)
            text = f"{path} is not in the registry, so no push reads it"
            yield Problem(text, "Record it with record_analysis", is_error=False)


def _check_result(
    table: Table, row: Row, result_type: ResultType, *, quick: bool
) -> Iterable[Problem]:
    """Check the files of a result; the registry tells whether it was changed since its push."""
    if result_type is ResultType.analysis:
        problems = list(_check_analysis(table, row, quick=quick))
    else:
        problems = list(_check_artifact(row, quick=quick))
    if not problems:
        return ()
    directory, name = row["directory"], table.result_name
    try:
        registry = Results(directory).registry()
    except RegistryError:
        return problems
    entries = (entry for entry in registry.results if entry.result_type is result_type)
    entry = next((entry for entry in entries if entry.name.lower() == name.lower()), None)
    if entry is None:
        clear = f"mdfactory sync clear analysis --{result_type}-name {name} --hash {row['hash']}"
        remedy = f"{RECORD_AGAIN} - if it was removed: {clear}"
        return [problem._replace(remedy=remedy) for problem in problems]
    if _is_recorded(entry, row):
        return problems
    text = (
        f"{result_type} {entry.name} is not as pushed: it was recorded again, or the record changed"
    )
    return [Problem(f"{directory}: {text}", PUSH_UPDATE)]


def _is_recorded(entry: Analysis | Artifact, row: Row) -> bool:
    """Whether a record has the same files and number of rows as a registry entry."""
    if isinstance(entry, Artifact):
        return bool(parse_json(row["checksums"], dict) == entry.checksums)
    path = f"{RESULTS_FOLDER}/{entry.filename}"
    recorded: tuple[str, int] = row["data_path"], row["row_count"]
    return recorded == (path, entry.row_count)


def _check_analysis(table: Table, row: Row, *, quick: bool) -> Iterator[Problem]:
    filename = row["data_path"].removeprefix(f"{RESULTS_FOLDER}/")
    results = Results(row["directory"])
    try:
        check = results.check_rows if quick else results.read
        check(Analysis(table.result_name, filename, row["row_count"], {}))
    except ResultError as error:
        reason = str(error).removesuffix(RECORD_ANALYSIS)
        remedy = RECORD_AGAIN + PULL_TABLE.format(table.result_name, row["hash"])
        yield Problem(one_line(f"{row['directory']}: {reason}"), remedy)


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
            yield Problem(f"{row['directory']}: {problem}", RECORD_AGAIN)
