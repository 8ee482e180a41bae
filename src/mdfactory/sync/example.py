"""The example campaign that ships with the package, copied to where it can be played with."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from mdfactory.errors import OutputError

__all__ = ["Example", "unpack"]

NAME: Final = "water_methanol"

CONFIG: Final = """\
; The store of this tour, beside its campaign.
[database]
TYPE = sqlite

[sqlite]
RUN_DB_PATH = runs.db
ANALYSIS_DB_PATH = analysis.db
"""


@dataclass(frozen=True, slots=True)
class Example:
    """An unpacked example.

    Parameters
    ----------
    campaign
        The folder of its simulations.
    config
        A configuration with a store of its own.
    """

    campaign: Path
    config: Path


def unpack(directory: Path) -> Example:
    """Copy the example campaign into a folder, with a configuration for it.

    A folder where this was done before gets what is missing.

    Raises
    ------
    OutputError
        If the folder holds something else, or cannot be written.
    """
    example = Example(directory / NAME, directory / "mdfactory.ini")
    if example.config.exists() and example.campaign.exists():
        return example
    known = {example.config.name, example.campaign.name, "runs.db", "analysis.db"}
    if directory.is_dir() and {entry.name for entry in directory.iterdir()} - known:
        raise OutputError(f"{directory} is not empty; choose a new folder for the example")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with as_file(files("mdfactory") / "examples" / NAME) as source:
            shutil.copytree(source, example.campaign, dirs_exist_ok=True)
        example.config.write_text(CONFIG, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{directory} cannot be written: {error.strerror or error}") from error
    return example
