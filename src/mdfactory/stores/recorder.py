"""The interface by which a transaction records its changes, so that they can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import pyarrow as pa

from mdfactory.records.digests import RecordDigests
from mdfactory.records.tables import Table
from mdfactory.stores.keys import Key


class Logged(NamedTuple):
    """An operation in the log: its number, and whether it can be undone."""

    operation: int
    can_be_undone: bool


class Recorder(Protocol):
    """Records the changes of one operation, each before it is made.

    `stores.history.journal.Journal` implements it; transactions know only this interface.
    """

    @property
    def keeps_before_images(self) -> bool:
        """Whether before-images are stored. If not, only counts and tables are recorded."""

    def count(self, table: Table, numbers: Mapping[str, int]) -> None:
        """Add to the counts of a table.

        Parameters
        ----------
        table
            The table.
        numbers
            Outcome (``inserted``, ``updated``, ``unchanged``, ``skipped``, ``removed``) -> number
            of records.
        """

    def table_created(self, table: Table) -> None:
        """Record that a table was created."""

    def table_dropped(self, table: Table) -> None:
        """Record that a table was dropped."""

    def before_write(
        self,
        table: Table,
        rows: pa.RecordBatch,
        digests: Sequence[RecordDigests],
        replaced: Sequence[Key],
    ) -> None:
        """Record the before-images of a write.

        Parameters
        ----------
        table
            The table.
        rows
            The records to be stored, with or without the columns of their sidecars.
        digests
            The digests of each row.
        replaced
            Keys of the rows that replace a stored record.
        """

    def before_removal(self, table: Table, rows: pa.RecordBatch) -> None:
        """Record the before-images of a removal.

        Parameters
        ----------
        table
            The table.
        rows
            The stored records to be removed, in ``table.schema``.
        """

    def keep_before_images(
        self,
        table: Table,
        rows: pa.RecordBatch,
        fingerprints: Sequence[bytes],
        before: pa.RecordBatch | None = None,
    ) -> None:
        """Store before-images together with the given fingerprints.

        Parameters
        ----------
        table
            The table.
        rows
            The records; only their key columns are used.
        fingerprints
            Fingerprint of each row after the operation; ``ABSENT`` if it will be removed.
        before
            Before-image of each row, in ``before_image_schema(table)``; None if none of the rows
            is stored yet.
        """
