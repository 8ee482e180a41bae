"""Copy: write all records of a store into another store, then compare the tables of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from itertools import product
from operator import add

from mdfactory.errors import ConflictError, NotInitialisedError, StoreError, UsageError
from mdfactory.records.arrow import texts
from mdfactory.records.digests import content_digests, digest
from mdfactory.records.merge import Counts
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, Namespace, Table, is_internal
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Batches, Transaction
from mdfactory.sync.files.copying import FileCopier
from mdfactory.sync.files.store_id import leave_marker
from mdfactory.sync.lost import lost_tables
from mdfactory.sync.overview import write_rows, wrong_rows
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_tables


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
        Name of a table -> its digest in the source, and its digest in the target after the copy:
        all tables of the source, and those with records that only the target has. Empty for a dry
        run.
    left_out
        Names of the tables of the source that are no record tables: those of other programs.
    """

    tables: dict[str, Counts]
    proof: dict[str, tuple[TableDigest, TableDigest]]
    left_out: tuple[str, ...] = ()

    @property
    def counts(self) -> Counts:
        """Number of all records by outcome."""
        return reduce(add, self.tables.values(), Counts())

    @property
    def identical(self) -> bool:
        """Whether all tables have equal digests in source and target; true for a dry run."""
        return all(source == target for source, target in self.proof.values())


def copy(
    source: Store,
    target: Store,
    mode: ConflictMode = ConflictMode.refuse,
    *,
    files: FileCopier | None = None,
    dry_run: bool = False,
    command: str = "copy",
    watch: ProgressCallback = lambda *_: None,
) -> Copied:
    """Copy all record tables of a store into another one, in one transaction.

    Parameters
    ----------
    source
        The store to copy.
    target
        The store to copy to; tables that it lacks are created.
    mode
        What to do with records whose key is already in the target.
    files
        Copies the files of artifacts, too. Default: they are not copied.
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
    StoreError
        If a table of the source is missing to which its digests, log or results refer.
    UsageError
        If both are one store, or have a file in common.
    ConflictError
        In mode ``refuse``, if the key of a record is already in the target. Nothing was written.
    FileStoreError
        If one of the file stores cannot be reached, read or written. No record was written.
    """
    _check_distinct(source, target)
    if files:
        _copy_files(source, target, mode, files, dry_run=dry_run, watch=watch)
    now = datetime.now(UTC).isoformat()
    opened = target.transaction() if dry_run else target.operation(command, create=set(Namespace))
    with ExitStack() as stack:
        stack.enter_context(_explaining_conflicts(source, target, watch))
        reader = stack.enter_context(source.transaction())
        tables = _tables_to_copy(source, reader)
        writer = stack.enter_context(opened)  # makes the files of the target
        if files and not dry_run:
            files.require_copied(reader)
        merge = writer.plan if dry_run else writer.write
        for table in () if dry_run else tables:
            writer.create(table)
        counts = merge(_read_records(reader, tables, watch), mode)
        # The records of the target may differ from those of the source, and its overview must match
        # its own. So only the rows that it lacks are inserted; then all rows are corrected.
        if reader.has(OVERVIEW):
            rows_of_overview = ((OVERVIEW, rows) for rows in reader.read(OVERVIEW))
            counts |= merge(rows_of_overview, ConflictMode.skip)
            hashes = (hash_ for (hash_,) in reader.values(OVERVIEW, Query(columns=("hash",))))
            for rows in () if dry_run else wrong_rows(writer, dict.fromkeys(hashes)):
                write_rows(writer, rows, now)
        left_out = tuple(_other_tables(reader))
    return Copied(counts, {} if dry_run else _compare(source, target, watch), left_out)


def _copy_files(
    source: Store,
    target: Store,
    mode: ConflictMode,
    files: FileCopier,
    *,
    dry_run: bool,
    watch: ProgressCallback,
) -> None:
    """Copy the files of all artifacts, after a search for conflicts; a dry run only counts them."""
    with (
        _explaining_conflicts(source, target, watch),
        source.transaction() as reader,
        target.transaction() as target_reader,
    ):
        tables = _tables_to_copy(source, reader)
        target_reader.plan(_read_records(reader, tables, watch), mode)
        files.read(reader)
    if not dry_run:
        leave_marker(target, files.target)
    files.copy(dry_run=dry_run, watch=watch)


@contextmanager
def _explaining_conflicts(source: Store, target: Store, watch: ProgressCallback) -> Iterator[None]:
    """Say in a conflict of the block if the target has all records, unchanged."""
    try:
        yield
    except ConflictError as error:
        with source.transaction() as reader, target.transaction() as target_reader:
            batches = _read_records(reader, _tables_to_copy(source, reader), watch)
            planned = target_reader.plan(batches, ConflictMode.update).values()
        if any(counts.inserted or counts.updated for counts in planned):
            raise
        raise ConflictError(error.conflicts, nothing_new=True) from error


def _tables_to_copy(source: Store, reader: Transaction) -> list[Table]:
    """Return the record tables of the source.

    Raises
    ------
    NotInitialisedError
        If it has none; no command is named, since nobody wants to copy an empty store.
    StoreError
        If one was lost: the copy would lack its records.
    """
    try:
        tables = require_tables(reader)
    except NotInitialisedError as error:
        error.command = ""
        if source.paths and not any(path.exists() for path in source.paths):
            error.args = (f"{source.location} does not exist",)
        raise
    for table, reason in lost_tables(reader, tables):
        raise StoreError(
            f"{reader.location}: table {table.name} is missing, although {reason}. Restore it "
            f"from a backup, or push its records again, after {table.command}"
        )
    return tables


def _other_tables(reader: Transaction) -> list[str]:
    """Return the names of the tables of other programs, as far as the store can list them."""
    names = {name for namespace in Namespace for name in reader.backend.names(namespace)}
    # Both namespaces may be in one file or schema.
    record_tables = {table.name for table in reader.tables()}
    return sorted(name for name in names - record_tables if not is_internal(name))


def _check_distinct(source: Store, target: Store) -> None:
    """Raise an error if two stores have a file in common, also by another path or name."""
    for path, other in product(source.paths, target.paths):
        if path.exists() and other.exists() and path.samefile(other):
            raise UsageError(
                f"{source.location} and {target.location} are the same store: {path} and {other} "
                f"are one {'folder' if path.is_dir() else 'file'}"
            )


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


def _compare(
    source: Store, target: Store, watch: ProgressCallback
) -> dict[str, tuple[TableDigest, TableDigest]]:
    """Return the digests of the tables of the source, and of others with records in the target."""
    with source.transaction() as reader, target.transaction() as target_reader:
        tables = {table.id: table for table in reader.tables()}
        for table in target_reader.tables():
            if table.id not in tables and target_reader.count(table, limit=1):
                tables[table.id] = table
        return {
            table.name: (
                _table_digest(reader, table, watch),
                _table_digest(target_reader, table, watch),
            )
            for table in tables.values()
        }


def _table_digest(transaction: Transaction, table: Table, watch: ProgressCallback) -> TableDigest:
    """Return the digest of a table; that of a missing table is the digest of an empty one."""
    count, total = 0, 0
    for rows in transaction.read_with_sidecars(table) if transaction.has(table) else ():
        count += rows.num_rows
        watch(f"comparing {table.name}", count)
        contents = content_digests(table, rows)
        columns = [texts(rows[name]) for name in (table.time, *table.sidecar_columns)]
        for values in zip(contents, *columns, strict=True):
            total += int(digest(values), 16)  # a sum, so that the order does not matter
    return TableDigest(count, f"{total % 2**256:064x}")
