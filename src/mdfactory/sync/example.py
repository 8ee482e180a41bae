"""Example: copy the campaign that the package contains into a folder of the user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from mdfactory.errors import OutputError
from mdfactory.files import (
    UNSTORABLE,
    absolute_path,
    create_file,
    create_folder,
    is_storable,
    replacing,
)

CAMPAIGN_NAME: Final = "water_methanol"

CONFIG_TEXT: Final = """\
; The store of the example campaign.
[database]
TYPE = sqlite

[sqlite]
RUN_DB_PATH = runs.db
ANALYSIS_DB_PATH = analysis.db
"""


@dataclass(frozen=True, slots=True)
class Example:
    """An unpacked example campaign.

    Parameters
    ----------
    campaign
        The folder of its simulations.
    config
        The configuration file; its store contains only this example.
    """

    campaign: Path
    config: Path


def unpack(directory: Path) -> Example:
    """Copy the example campaign into a folder, and write a configuration file for it.

    An incomplete copy in the folder is completed.

    Raises
    ------
    OutputError
        If the folder contains other files, or cannot be written.
    """
    example = Example(directory / CAMPAIGN_NAME, directory / "mdfactory.ini")
    if example.config.exists() and example.campaign.exists():
        return example
    if not is_storable(absolute_path(directory)):
        raise OutputError(f"{directory} {UNSTORABLE}")
    own_names = {example.config.name, example.campaign.name, "runs.db", "analysis.db"}
    if directory.is_dir() and {entry.name for entry in directory.iterdir()} - own_names:
        raise OutputError(f"{directory} is not empty; choose a new folder for the example")
    try:
        create_folder(directory)
        with as_file(files("mdfactory") / "examples" / CAMPAIGN_NAME) as source:
            _copy(source, example.campaign)
        with replacing(example.config) as file:
            file.write(CONFIG_TEXT.encode())
    except OSError as error:
        raise OutputError(f"{directory} cannot be written: {error.strerror or error}") from error
    return example


def _copy(source: Path, target: Path) -> None:
    """Copy a folder; a group that can write the parent of the copy can write all of it."""
    create_folder(target)
    for original in source.iterdir():
        copy = target / original.name
        if original.is_dir():
            _copy(original, copy)
            continue
        copy.unlink(missing_ok=True)
        with os.fdopen(create_file(copy), "wb") as file:
            file.write(original.read_bytes())
