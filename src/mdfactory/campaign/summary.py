"""What a notebook shows of a simulation folder: what it is, how far it is, what results it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mdfactory.campaign.registry import read_registry
from mdfactory.errors import RegistryError, counted
from mdfactory.markup import html_table
from mdfactory.records.fields import composition


def count_results(directory: Path) -> str:
    """Return text such as ``5 analyses, 2 artifacts``, or why the registry cannot be read."""
    try:
        registry = read_registry(directory)
    except RegistryError as error:
        return str(error)
    analyses, artifacts = len(registry.analyses), counted(len(registry.artifacts), "artifact")
    text = f"{analyses:,} {'analysis' if analyses == 1 else 'analyses'}, {artifacts}"
    return f"{text}, {len(registry.problems):,} invalid" if registry.problems else text


def results_html(directory: Path) -> str:
    """Return the results of a simulation as a table in HTML."""
    title = f"{count_results(directory)} in {directory}"
    try:
        registry = read_registry(directory)
    except RegistryError:  # it is the title
        return html_table(title, ())
    rows = [
        *((name, "analysis", entry.row_count, "") for name, entry in registry.analyses.items()),
        *((name, "artifact", "", len(entry.files)) for name, entry in registry.artifacts.items()),
        *((problem.name, problem.result_type, "", problem.reason) for problem in registry.problems),
    ]
    return html_table(title, rows, ["", "", "rows", "files"] if rows else ())


def simulation_html(directory: str, values: Mapping[str, str], canonical_json: str) -> str:
    """Return a table in HTML.

    Parameters
    ----------
    directory
        Path of the simulation folder.
    values
        What to show first: name -> value.
    canonical_json
        The BuildInput; empty if it was not read.
    """
    build_input = json.loads(canonical_json) if canonical_json else {}
    rows = {
        **values,
        "composition": composition(build_input) or "",
        "results": count_results(Path(directory)),
        "directory": directory,
    }
    return html_table("Simulation", rows.items())
