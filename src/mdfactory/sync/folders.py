"""Folders: the records of a store whose directory is in or below some folders."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from mdfactory.campaign.discover import CsvSource, Source
from mdfactory.files import is_storable
from mdfactory.records.query import Prefix, Query
from mdfactory.records.tables import Table
from mdfactory.stores.transaction import Transaction


def records_inside(
    transaction: Transaction, table: Table, folders: Collection[str] | None
) -> Iterator[tuple[str, str]]:
    """Yield hash and directory of each record whose directory is in or below some folders.

    Parameters
    ----------
    transaction
        A transaction of the store.
    table
        A record table of the store.
    folders
        Absolute paths; the records of all directories if None.
    """
    if folders is not None:
        folders = frozenset(filter(is_storable, folders))  # of others there are no records
        if not folders:
            return
    common = os.path.commonprefix(list(folders or ()))  # noqa: RUF071  # of the texts
    where = (Prefix("directory", common),) if common else ()
    for hash_, directory in transaction.values(table, Query(where, ("hash", "directory"))):
        if folders is None or is_inside(directory, folders):
            yield hash_, directory


def hashes_in_csv(source: Source | None) -> set[str] | None:
    """Return the hashes of the rows of a campaign CSV; None if the source is not one.

    Raises
    ------
    SourceError
        If the file cannot be read as a campaign CSV.
    """
    if not isinstance(source, CsvSource):
        return None
    from mdfactory.campaign.campaign_csv import read_rows

    return {row.build_input.hash for row in read_rows(source.file).rows}


def is_inside(directory: str, folders: Collection[str]) -> bool:
    """Whether a directory is one of the given folders, or inside one of them at any depth."""
    path = directory.rstrip("/")
    while path:
        if path in folders:
            return True
        path = path.rpartition("/")[0]
    return "/" in folders
