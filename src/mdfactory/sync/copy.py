"""Copy: all records of one store into another, with a proof that both hold the same."""

from __future__ import annotations

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
from mdfactory.sync.overview import settle
from mdfactory.sync.parts import parts
from mdfactory.sync.push import planned
from mdfactory.sync.results import require_tables
from mdfactory.sync.snapshot import Watch

__all__ = ["Copied", "CopyEnd", "copy"]

WHOLE: Final = 2**256


@dataclass(frozen=True, slots=True)
class CopyEnd:
    """What one store holds of a table.

    Parameters
    ----------
    rows
        Number of its records.
    digest
        Sum of the SHA-256 of all of them, with what is kept beside them, modulo 2**256, in 64
        hex digits: the same for the same records in any order.
    """

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did, or would do.

    Parameters
    ----------
    tables
        Table -> what became of its records.
    proof
        Table -> what the source holds and what the target holds afterwards; empty for a dry run.
    """

    tables: dict[str, Counts]
    proof: dict[str, tuple[CopyEnd, CopyEnd]]

    @property
    def identical(self) -> bool:
        """Whether both stores hold the same, to the last bit."""
        return all(source == target for source, target in self.proof.values())


def copy(
    source: Store,
    target: Store,
    mode: ConflictMode = ConflictMode.refuse,
    *,
    dry_run: bool = False,
    command: str = "copy",
    watch: Watch = lambda *_: None,
) -> Copied:
    """Copy all tables of a store into another one, in one transaction.

    Parameters
    ----------
    source, target
        From where, and where to; tables that the target lacks are made.
    mode
        What to do with records that the target has already.
    dry_run
        Only tell what would be written.
    command
        What was typed, for the log of the target.
    watch
        Is told of the progress.

    Raises
    ------
    NotInitialisedError
        If the source has no tables.
    ConflictError
        In mode ``refuse``, if the target has a record already. Nothing was written.
    """
    now = datetime.now(UTC).isoformat()
    with (
        source.transaction() as reader,
        target.transaction()
        if dry_run
        else target.operation(command, create=set(Namespace)) as writer,
    ):
        tables = require_tables(reader)
        batches = _records(reader, tables, watch)
        if dry_run:
            return Copied(planned(writer, batches, mode), {})
        for table in tables:
            writer.create(table)
        counts = writer.write(batches, mode)
        counts |= _overview(reader, writer, now)
    return Copied(counts, _proof(source, target, tables, watch))


def _records(reader: Transaction, tables: list[Table], watch: Watch) -> Batches:
    """Stream the records of all tables but the overview, each with what is kept beside it."""
    done = 0
    for table in tables:
        if table.id == OVERVIEW.id:
            continue
        for rows in reader.read_with_sidecars(table) if table.sidecar else reader.read(table):
            done += rows.num_rows
            watch("copying", done)
            yield from ((table, part) for part in parts(table, rows))


def _overview(reader: Transaction, writer: Transaction, now: str) -> dict[str, Counts]:
    """Copy the rows of the overview that are missing, and bring all in line with the records."""
    if not reader.has(OVERVIEW):
        return {}
    counts = writer.write(((OVERVIEW, rows) for rows in reader.read(OVERVIEW)), ConflictMode.skip)
    hashes = (
        hash_
        for rows in reader.read(OVERVIEW, Query(columns=("hash",)))
        for hash_ in texts(rows["hash"])
    )
    settle(writer, dict.fromkeys(hashes), now)
    return counts


def _proof(
    source: Store, target: Store, tables: list[Table], watch: Watch
) -> dict[str, tuple[CopyEnd, CopyEnd]]:
    with source.transaction() as first, target.transaction() as second:
        return {
            table.name: (_side(first, table, watch), _side(second, table, watch))
            for table in tables
        }


def _side(transaction: Transaction, table: Table, watch: Watch) -> CopyEnd:
    count, total = 0, 0
    for rows in transaction.read_with_sidecars(table) if table.sidecar else transaction.read(table):
        count += rows.num_rows
        watch(f"comparing {table.name}", count)
        contents = content_digests(table, rows)
        rest = [rows[name].to_pylist() for name in (table.time, *table.sidecar_columns)]
        for values in zip(contents, *rest, strict=True):
            total += int(digest(values), 16)
    return CopyEnd(count, f"{total % WHOLE:064x}")
