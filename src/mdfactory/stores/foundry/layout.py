"""Paths of the datasets of a Foundry store, and the order in which they are committed."""

from __future__ import annotations

from typing import Final

from mdfactory.config import FoundryPaths
from mdfactory.records.tables import (
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    digest_table,
    log_table,
    text_schema,
)
from mdfactory.records.vocabulary import ResultType

LOCK_NAME: Final = "_mdfactory_lock"
"""Name of an empty dataset whose open transaction is the lock of the store."""


STATE: Final = Table(
    name="_mdfactory_state",
    schema=text_schema("kind name value"),
    key=("kind", "name"),
    namespace=Namespace.runs,
)
"""What Foundry does not tell. Rows of kind ``table`` hold the names of the tables. A row of kind
``write`` announces a write of several datasets, so that it can be completed if it is
interrupted."""


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

    The state table is first: it announces the write. Sidecars and undo data precede the records,
    and the digests follow them: a digest that is older than its record is recognised as such. The
    overview lists records, and the log lists complete operations, so they are last.
    """
    if table.id == STATE.id:
        return 0
    if table.id == digest_table(table.namespace).id:
        return 3
    if table.id == log_table(table.namespace).id:
        return 5
    if not table.is_record:
        return 1
    return 4 if table.id == OVERVIEW.id else 2
