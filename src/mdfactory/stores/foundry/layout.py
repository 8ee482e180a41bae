"""Paths of the datasets of a Foundry store, and the order in which they are committed."""

from __future__ import annotations

from typing import Final

from mdfactory.config import FoundryPaths
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, STATE, Namespace, Table, log_table
from mdfactory.records.vocabulary import ResultType

LOCK_NAME: Final = "_mdfactory_lock"
"""Name of an empty dataset whose open transaction is the lock of the store."""


def path_of(table: Table, paths: FoundryPaths) -> str:
    """Return the path of the dataset of a table."""
    if table.id == SIMULATIONS.id:
        return paths.runs
    if table.id == OVERVIEW.id:
        return f"{paths.analyses}/overview"
    if table.result_type is not None:
        folder = paths.analyses if table.result_type is ResultType.analysis else paths.artifacts
        return f"{folder}/{table.id.partition('_')[2]}"
    folder = _home_folder(paths) if table.namespace is Namespace.runs else paths.analyses
    return f"{folder}/{table.name}"


def lock_path(paths: FoundryPaths) -> str:
    """Return the path of the dataset that locks the store."""
    return f"{_home_folder(paths)}/{LOCK_NAME}"


def _home_folder(paths: FoundryPaths) -> str:
    """Return the folder that holds the dataset of the simulations."""
    return paths.runs.rpartition("/")[0]


def commit_position(table: Table) -> int:
    """Return the position of a table in the order of the commits.

    The state table is first, so that an interrupted write can be detected. The other
    ``_mdfactory_*`` tables, such as digests and sidecars, precede the records. The overview, which
    lists records, follows them. The log is last, so that it has no entry of an interrupted
    operation.
    """
    if table.id == STATE.id:
        return 0
    if table.id == log_table(table.namespace).id:
        return 4
    if not table.is_record:
        return 1
    return 3 if table.id == OVERVIEW.id else 2
