"""From a campaign CSV to folders: one for each row, and the build summary that lists them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import yaml

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.campaign_csv import Rows, read_rows
from mdfactory.campaign.simulation import Simulation, read_simulation
from mdfactory.campaign.strict_yaml import load_summary
from mdfactory.errors import InvalidRowsError, OutputError
from mdfactory.files import UnreadableError, replacing

__all__ = ["Prepared", "check", "prepare"]

_Dumper: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a preparation did.

    Parameters
    ----------
    summary
        The build summary.
    made
        The folders that were made.
    kept
        The folders that were there already.
    backup
        What became of an earlier summary; None if there was none, or it said the same.
    warnings
        What is odd about the file, a line each.
    """

    summary: Path
    made: tuple[Path, ...]
    kept: tuple[Path, ...]
    backup: Path | None
    warnings: tuple[str, ...]


def check(file: Path) -> Rows:
    """Validate a campaign CSV.

    Raises
    ------
    InvalidRowsError
        If a row is invalid; it names all of them.
    SourceError
        If the file cannot be read as a campaign CSV.
    """
    rows = read_rows(file)
    if rows.problems:
        problems = [(one.number, one.line, one.reason) for one in rows.problems]
        raise InvalidRowsError(str(file), problems)
    return rows


def prepare(file: Path, out: Path) -> Prepared:
    """Make a folder with its BuildInput for each row, and the build summary.

    What is there already is left alone; an earlier summary that says something else is kept
    as a backup. Nothing is written if a row is invalid.

    Parameters
    ----------
    file
        The campaign CSV.
    out
        Where to make them.

    Raises
    ------
    InvalidRowsError, SourceError
        As `check`.
    OutputError
        If a folder holds something else, or cannot be written.
    """
    rows = check(file)
    out = Path(os.path.abspath(out))  # keeps symlinks
    builds = {out / row.build_input.hash: row.build_input for row in rows.rows}
    try:
        missing = [folder for folder, built in builds.items() if not _is_there(folder, built)]
        for folder in missing:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / f"{folder.name}.yaml", json.loads(builds[folder].canonical_json))
        summary = out / f"{file.stem}.yaml"
        backup = _write_summary(summary, _summary(file, out, builds))
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{error.filename or out} cannot be written: {error.strerror}") from error
    made = set(missing)
    kept = tuple(folder for folder in builds if folder not in made)
    return Prepared(summary, tuple(missing), kept, backup, rows.warnings)


def _is_there(folder: Path, built: BuildInput) -> bool:
    """Whether a folder holds this BuildInput already; an empty one may still get it."""
    if not folder.exists():
        return False
    names = {entry.name for entry in folder.iterdir()}
    if not names:
        return False
    found = read_simulation(str(folder), names)
    if isinstance(found, Simulation) and found.hash == built.hash:
        return True
    raise OutputError(f"{folder} holds something else than its BuildInput; move it away")


def _summary(file: Path, out: Path, builds: Mapping[Path, BuildInput]) -> dict[str, Any]:
    return {
        "n_systems": len(builds),
        "input": os.path.abspath(file),
        "output": str(out),
        "hash": [built.hash for built in builds.values()],
        "simulation_type": [built.simulation_type.value for built in builds.values()],
        "system_directory": [str(folder) for folder in builds],
        "date": datetime.now(UTC),
    }


def _write_summary(path: Path, values: dict[str, Any]) -> Path | None:
    """Write a summary, and return where an earlier one that said something else is kept."""
    if not path.exists():
        _write(path, values)
        return None
    try:
        earlier, _ = load_summary(path)
    except UnreadableError:
        earlier = None
    if isinstance(earlier, dict) and {**earlier, "date": None} == {**values, "date": None}:
        return None
    backup = _free_name(path)
    shutil.copy2(path, backup)
    _write(path, values)
    return backup


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.bak{number or ''}") for number in count())
    return next(name for name in names if not name.exists())


def _write(path: Path, values: dict[str, Any]) -> None:
    with replacing(path) as file:
        yaml.dump(values, file, Dumper=_Dumper, allow_unicode=True, encoding="utf-8")
