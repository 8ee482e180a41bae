"""Differences between the registry of a simulation and the files of its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mdfactory.campaign.registry import (
    REGISTRY_FILE,
    RESULTS_FOLDER,
    Analysis,
    Artifact,
    Registry,
    listed_locations,
    resolve_result_path,
)
from mdfactory.campaign.result_files import file_sha256
from mdfactory.errors import ResultError, one_line
from mdfactory.records.vocabulary import ResultType


@dataclass(frozen=True, slots=True)
class ResultProblem:
    """A difference between the registry and the files of a simulation.

    Parameters
    ----------
    item
        Name of the analysis or artifact, or path of a file that no entry lists. If a whole
        section of the registry is invalid: ``metadata.json``.
    problem
        Description of the problem, in one line.
    """

    item: str
    problem: str


def find_problems(
    directory: Path, registry: Registry, check_rows: Callable[[Analysis], None]
) -> Iterator[ResultProblem]:
    """Compare a registry with the files of a simulation.

    Parameters
    ----------
    directory
        Folder of the simulation.
    registry
        Its registry.
    check_rows
        Function that raises a `ResultError` if the file of an analysis is not as recorded.
    """
    for problem in registry.problems:
        yield ResultProblem(problem.name or REGISTRY_FILE, problem.reason)
    for analysis in registry.analyses.values():
        try:
            check_rows(analysis)
        except ResultError as error:
            yield ResultProblem(analysis.name, str(error))
    for artifact in registry.artifacts.values():
        yield from _changed_files(directory, artifact)
    folder = (directory / RESULTS_FOLDER).resolve()
    listed = listed_locations(directory, registry)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and str(path) not in listed:
            yield ResultProblem(str(path.relative_to(folder)), "is not in the registry")


def _changed_files(directory: Path, artifact: Artifact) -> Iterator[ResultProblem]:
    for file, recorded in artifact.checksums.items():
        try:
            checksum = file_sha256(resolve_result_path(directory, file, ResultType.artifact))
        except FileNotFoundError:
            problem = "is missing"
        except (OSError, ValueError) as error:
            problem = f"cannot be read: {one_line(error)}"
        else:
            if checksum == recorded.lower():
                continue
            problem = "has changed: its checksum differs from the registry"
        yield ResultProblem(artifact.name, f"{file} {problem}")
