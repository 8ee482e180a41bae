"""Copy: write all records of a store into another store, then compare the tables of both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mdfactory.records.arrow import texts
from mdfactory.records.digests import content_digests, digest
from mdfactory.records.merge import Counts
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, Namespace, Table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Batches, Transaction
from mdfactory.sync.overview import correct_rows
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_tables

SHA256_VALUES: Final = 2**256


@dataclass(frozen=True, slots=True)
class TableDigest:
    """The number of records and the digest of a table in one store.

    Parameters
    ----------
    rows
        Number of records.
    digest
        Sum of the SHA-256 of all records with their sidecars, modulo 2**256, as 64 hex digits.
        It does not depend on the order of the records.
    """

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did, or would do.

    Parameters
    ----------
    tables
        Table name -> number of its records by outcome.
    proof
        Name of a table of the source -> its digest in the source, and its digest in the target
        after the copy. Empty for a dry run.
    """

    tables: dict[str, Counts]
    proof: dict[str, tuple[TableDigest, TableDigest]]

    @property
    def identical(self) -> bool:
        """Whether all tables of the source have equal digests in the target; true for a dry run."""
        return all(source == target for source, target in self.proof.values())


def copy(
    source: Store,
    target: Store,
    mode: ConflictMode = ConflictMode.refuse,
    *,
    dry_run: bool = False,
    command: str = "copy",
    watch: ProgressCallback = lambda *_: None,
) -> Copied:
    """Copy all tables of a store into another one, in one transaction.

    Parameters
    ----------
    source
        The store to copy.
    target
        The store to copy to; tables that it lacks are created.
    mode
        What to do with records whose key is already in the target.
    dry_run
        Write nothing, and return what would be written.
    command
        The command as the user typed it, for the log of the target.
    watch
        Called with the current step and the number of records done.

    Raises
    ------
    NotInitialisedError
        If the source has no tables.
    ConflictError
        In mode ``refuse``, if the key of a record is already in the target. Nothing was written.
    """
    now = datetime.now(UTC).isoformat()
    with (
        source.transaction() as reader,
        target.transaction()
        if dry_run
        else target.operation(command, create=set(Namespace)) as writer,
    ):
        tables = require_tables(reader)
        batches = _read_records(reader, tables, watch)
        if dry_run:
            return Copied(writer.plan(batches, mode, create=True), {})
        for table in tables:
            writer.create(table)
        counts = writer.write(batches, mode)
        counts |= _copy_overview(reader, writer, now)
    return Copied(counts, _compare(source, target, tables, watch))


def _read_records(reader: Transaction, tables: Iterable[Table], watch: ProgressCallback) -> Batches:
    """Stream the records of all tables but the overview, with their sidecars."""
    copied = 0
    for table in tables:
        if table.id == OVERVIEW.id:
            continue
        for rows in reader.read_with_sidecars(table):
            copied += rows.num_rows
            watch("copying", copied)
            yield table, rows


def _copy_overview(reader: Transaction, writer: Transaction, now: str) -> dict[str, Counts]:
    """Insert the overview rows that the target lacks, then correct all rows of their simulations.

    The records of the target may differ from those of the source. Its overview must match its own.
    """
    if not reader.has(OVERVIEW):
        return {}
    counts = writer.write(((OVERVIEW, rows) for rows in reader.read(OVERVIEW)), ConflictMode.skip)
    hashes = (
        hash_
        for rows in reader.read(OVERVIEW, Query(columns=("hash",)))
        for hash_ in texts(rows["hash"])
    )
    correct_rows(writer, dict.fromkeys(hashes), now)
    return counts


def _compare(
    source: Store, target: Store, tables: Iterable[Table], watch: ProgressCallback
) -> dict[str, tuple[TableDigest, TableDigest]]:
    with source.transaction() as source_reader, target.transaction() as target_reader:
        return {
            table.name: (
                _table_digest(source_reader, table, watch),
                _table_digest(target_reader, table, watch),
            )
            for table in tables
        }


def _table_digest(transaction: Transaction, table: Table, watch: ProgressCallback) -> TableDigest:
    count, total = 0, 0
    for rows in transaction.read_with_sidecars(table):
        count += rows.num_rows
        watch(f"comparing {table.name}", count)
        contents = content_digests(table, rows)
        columns = [rows[name].to_pylist() for name in (table.time, *table.sidecar_columns)]
        for values in zip(contents, *columns, strict=True):
            total += int(digest(values), 16)  # a sum, so that the order does not matter
    return TableDigest(count, f"{total % SHA256_VALUES:064x}")
