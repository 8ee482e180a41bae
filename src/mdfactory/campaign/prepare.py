"""Preparation of a campaign: a folder for each row of a campaign CSV, and a build summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.campaign_csv import Row, Rows, read_rows
from mdfactory.campaign.creation import (
    create_simulation_folder,
    output_errors,
    refuse_links,
    storable_path,
    write_yaml,
)
from mdfactory.campaign.simulation import Simulation, find_prepared
from mdfactory.campaign.strict_yaml import load_summary
from mdfactory.errors import InvalidRowsError, OutputError, counted
from mdfactory.files import (
    UnreadableError,
    absolute_path,
    copy_file,
    escape_undecoded,
)


@dataclass(frozen=True, slots=True)
class PreparedFolders:
    """The folders and the build summary of a prepared campaign.

    Parameters
    ----------
    summary
        Path of the build summary.
    created
        The folders in which `prepare` wrote a BuildInput.
    existing
        The folders that had their BuildInput before.
    backup
        Path of the backup of an earlier build summary; None if there was no earlier one, or its
        content was the same.
    warnings
        One-line warnings about the campaign CSV, and about folders that have other tags than it.
    rows
        The rows of the campaign CSV; each has the hash that is the name of its folder.
    notes
        One-line notes on rows whose counts do not sum to their total count.
    """

    summary: Path
    created: tuple[Path, ...]
    existing: tuple[Path, ...]
    backup: Path | None
    warnings: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def read_valid_rows(file: Path, *, outcome: str = "") -> Rows:
    """Read a campaign CSV; an invalid row is an error.

    Parameters
    ----------
    file
        Campaign CSV.
    outcome
        What an invalid row means for the command, for the error; may be empty.

    Raises
    ------
    InvalidRowsError
        If rows are invalid; the error lists all of them.
    SourceError
        If the file cannot be read as a campaign CSV.
    """
    rows = read_rows(file)
    if rows.problems:
        raise InvalidRowsError(
            str(file),
            rows.problems,
            warnings=rows.warnings,
            hint=rows.hint,
            outcome=outcome,
        )
    return rows


def prepare(file: Path, out: Path) -> PreparedFolders:
    """Create a folder with a BuildInput for each row of a campaign CSV, and the build summary.

    Existing folders are not changed. An earlier build summary with other content is copied to a
    backup. If a row is invalid, nothing is written.

    Parameters
    ----------
    file
        Campaign CSV.
    out
        Folder in which the folders are created; it need not exist.

    Raises
    ------
    InvalidRowsError, SourceError
        As in `read_valid_rows`.
    OutputError
        If an existing folder has other content than the BuildInput of its row, the path `out` is
        not UTF-8, or something cannot be written.
    """
    rows = read_valid_rows(file, outcome="nothing was written")
    out = storable_path(out)
    builds = {out / row.build_input.hash: row.build_input for row in rows.rows}
    values = {
        "n_systems": len(builds),
        "input": escape_undecoded(absolute_path(file)),
        "output": str(out),
        "hash": [build.hash for build in builds.values()],
        "simulation_type": [build.simulation_type.value for build in builds.values()],
        "system_directory": [str(folder) for folder in builds],
        "date": datetime.now(UTC),
    }
    summary = out / f"{file.stem}.yaml"
    with output_errors(out):
        # Look at all folders before the first one is created.
        found = {folder: find_prepared(folder, build) for folder, build in builds.items()}
        missing = [folder for folder, simulation in found.items() if simulation is None]
        refuse_links([summary, *missing])
        for folder in missing:
            create_simulation_folder(folder, builds[folder])
        backup = _write_summary(summary, values)
    existing = {folder: simulation for folder, simulation in found.items() if simulation}
    warnings = (*rows.warnings, *_tag_warnings(existing, builds))
    return PreparedFolders(
        summary, tuple(missing), tuple(existing), backup, warnings, rows.rows, rows.notes
    )


def _tag_warnings(
    existing: Mapping[Path, Simulation], builds: Mapping[Path, BuildInput]
) -> Iterator[str]:
    """Yield a warning if folders have other tags than their rows."""
    others = [
        folder
        for folder, simulation in existing.items()
        if simulation.identity.input_data != builds[folder].input_data
    ]
    if others:
        yield (
            f"{counted(len(others), 'folder')} left with other tags than the row has, the first is "
            f"{others[0]}; to change the tags of a simulation, edit its YAML file"
        )


def _write_summary(path: Path, summary: dict[str, Any]) -> Path | None:
    """Write a build summary, unless the file has the same content apart from the date.

    Returns
    -------
    Path or None
        Backup of the earlier build summary; None if none was needed.
    """
    backup = None
    if path.exists():
        try:
            earlier, _ = load_summary(path)
        except UnreadableError:
            earlier = None
        if isinstance(earlier, dict) and {**earlier, "date": None} == {**summary, "date": None}:
            return None
        backup = _back_up(path)
    write_yaml(path, summary)
    return backup


def _back_up(path: Path) -> Path:
    """Copy a file to the first free name ``.bak``, ``.bak1``, ...; others may take names, too."""
    for number in count():
        backup = path.with_name(f"{path.name}.bak{number or ''}")
        with suppress(FileExistsError):
            try:
                copy_file(path, backup)
            except UnreadableError as error:
                raise OutputError(f"{path} {error}; remove it, or choose another folder") from error
            break
    return backup
