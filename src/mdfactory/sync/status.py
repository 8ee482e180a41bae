"""Status: compare the records of a campaign on disk with those in a store.

Nothing is written. New and changed records are exactly those that ``push --update`` would write.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from itertools import chain
from typing import Any, Final

import pyarrow as pa

from mdfactory.campaign.collect import Scope
from mdfactory.campaign.discover import CsvSource, Folders, Source, roots
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import one_line
from mdfactory.records.arrow import texts
from mdfactory.records.merge import Counts
from mdfactory.records.query import OneOf, Prefix, Query
from mdfactory.records.tables import OVERVIEW, Table
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.keys import take_rows
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import require_tables
from mdfactory.sync.snapshot import CampaignSnapshot, planned_transaction, take_snapshot

FULL_SCOPE: Final = Scope(simulations=True, results=tuple(ResultType))

GROUP_NAMES: Final = {
    None: "systems",
    ResultType.analysis: "analyses",
    ResultType.artifact: "artifacts",
}
"""Result type of a table (None for simulations) -> its group in `CampaignStatus.counts`."""

SHORT_COLUMNS: Final = frozenset(
    {"status", "directory", "row_count", "file_count", "simulation_type"}
)
"""Columns whose old and new values are shown in a difference."""

LONG_SIDECAR_COLUMNS: Final = frozenset({"arrow_schema", "entry", "arrow_ipc"})

UNREPORTED_COLUMNS: Final = frozenset({"timestamp_utc", "csv_sha256", "digest"})
"""Columns whose name is not shown in a difference; a changed digest is shown as changed data."""


class State(StrEnum):
    """The state of a record on disk, compared with the store."""

    new = "new"
    changed = "changed"
    unchanged = "unchanged"
    gone = "gone_from_disk"
    extra = "only_in_store"


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that differs between disk and store.

    Parameters
    ----------
    state
        How it differs.
    table, hash
        Name of its table, and hash of its simulation.
    directory
        Its folder on disk. If the record is only in the store: the directory in the record.
    what
        The changes, such as ``status: build -> completed``.
    """

    state: State
    table: str
    hash: str
    directory: str
    what: tuple[str, ...] = ()


@dataclass(slots=True)
class CampaignStatus:
    """The comparison of a campaign with a store.

    Parameters
    ----------
    counts
        ``systems``, ``analyses`` or ``artifacts`` -> number of records in each state.
    differences
        All records that differ, in any state but ``unchanged``.
    skipped
        Folders and results on disk that are invalid or missing.
    warnings
        Warnings for the user, one line each.
    """

    counts: dict[str, Counter[State]] = field(
        default_factory=lambda: {group: Counter() for group in GROUP_NAMES.values()}
    )
    differences: list[Difference] = field(default_factory=list)
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def in_step(self) -> bool:
        """Whether disk and store hold the same records."""
        return not self.differences

    def add_unchanged(self, table: Table, number: int) -> None:
        """Count records of a table that are unchanged."""
        self.counts[GROUP_NAMES[table.result_type]][State.unchanged] += number

    def add_difference(self, table: Table, difference: Difference) -> None:
        """Count and list a record of a table that differs."""
        self.counts[GROUP_NAMES[table.result_type]][difference.state] += 1
        self.differences.append(difference)


def status(
    store: Store,
    source: Source | None,
    *,
    reading: Reading = DEFAULT_READING,
    watch: ProgressCallback = lambda *_: None,
) -> CampaignStatus:
    """Compare a campaign with a store.

    Parameters
    ----------
    store
        The store.
    source
        The campaign. Default: the directories of all records in the store.
    reading
        How folders are read.
    watch
        Called with the current step and the number of items done.

    Raises
    ------
    NotInitialisedError
        If the store has no tables.
    SourceError
        If the source does not exist, or has neither a simulation nor an invalid folder.
    """
    with store.transaction() as transaction:
        tables = _pushed_tables(transaction)
        if source is None:
            source = Folders(tuple(dict.fromkeys(_directories(transaction, tables))))
    now = datetime.now(UTC).isoformat()
    with take_snapshot(
        source, FULL_SCOPE, ConflictMode.update, now, watch, reading=reading
    ) as snapshot:
        watch("comparing", 0)
        with planned_transaction(store, snapshot, ConflictMode.update) as (transaction, known):
            campaign_status = _compare(transaction, tables, snapshot, known, source)
    campaign_status.skipped = tuple(snapshot.inventory.skipped)
    campaign_status.warnings = tuple(snapshot.inventory.warnings)
    return campaign_status


def _pushed_tables(transaction: Transaction) -> list[Table]:
    """Return all tables of the store except the overview, which is never pushed."""
    return [table for table in require_tables(transaction) if table.id != OVERVIEW.id]


def _directories(transaction: Transaction, tables: Sequence[Table]) -> Iterator[str]:
    for table in tables:
        yield from (path for (path,) in transaction.values(table, Query(columns=("directory",))))


def _compare(
    transaction: Transaction,
    tables: Sequence[Table],
    snapshot: CampaignSnapshot,
    known: Mapping[Table, Counts],
    source: Source,
) -> CampaignStatus:
    """Compare the records on disk with those of a store; `known` counts the unread ones."""
    campaign_status = CampaignStatus()
    for table, counts in known.items():
        campaign_status.add_unchanged(table, counts.unchanged)
    for table, rows in snapshot.record_batches():
        _compare_rows(transaction, table, rows, campaign_status)
    hashes_on_disk: dict[str, set[str]] = defaultdict(set)
    for table, rows in chain(snapshot.record_batches(), snapshot.digest_batches()):
        hashes_on_disk[table.id].update(texts(rows["hash"]))
    store_only = _StoreOnlyRecords(source, snapshot.reading)
    for table in tables:
        for difference in store_only.find(transaction, table, hashes_on_disk[table.id]):
            campaign_status.add_difference(table, difference)
    return campaign_status


def _compare_rows(
    transaction: Transaction, table: Table, rows: pa.RecordBatch, campaign_status: CampaignStatus
) -> None:
    """Add records on disk to the status as new, changed or unchanged."""
    resolution = transaction.classify(table, rows, ConflictMode.update)
    campaign_status.add_unchanged(table, len(resolution.unchanged))
    for difference in (
        *_new_rows(table, rows, resolution.insert),
        *_changed_rows(transaction, table, take_rows(rows, resolution.replace)),
    ):
        campaign_status.add_difference(table, difference)


def _new_rows(table: Table, rows: pa.RecordBatch, positions: Iterable[int]) -> Iterator[Difference]:
    hashes, directories = texts(rows["hash"]), texts(rows["directory"])
    for position in positions:
        yield Difference(State.new, table.name, hashes[position], directories[position])


def _changed_rows(
    transaction: Transaction, table: Table, rows: pa.RecordBatch
) -> Iterator[Difference]:
    """Yield the differences between records on disk and stored records with the same keys."""
    if not rows.num_rows:
        return
    stored = _read_stored(transaction, table, texts(rows["hash"]))
    for row in _without_long_columns(table, rows):
        changes = tuple(_describe_changes(stored.get(row["hash"], {}), row))
        yield Difference(State.changed, table.name, row["hash"], row["directory"], changes)


def _without_long_columns(table: Table, rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return rows without their long columns, but with the digests of these columns."""
    long_columns = {*table.large, *LONG_SIDECAR_COLUMNS}
    return rows.select([name for name in rows.schema.names if name not in long_columns]).to_pylist()


def _read_stored(
    transaction: Transaction, table: Table, hashes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return hash -> stored record, without long columns, with the digests of its sidecar."""
    columns = tuple(name for name in table.columns if name not in table.large)
    query = Query((OneOf("hash", tuple(hashes)),), columns)
    stored = {
        row["hash"]: row for rows in transaction.read(table, query) for row in rows.to_pylist()
    }
    if table.sidecar:
        names = ("csv_sha256", "digest")
        sidecars = transaction.sidecars(table, [(hash_,) for hash_ in hashes], names)
        for (hash_, time), digests in sidecars.items():
            # If the times differ, the sidecar is obsolete: another program rewrote the record.
            if hash_ in stored and stored[hash_][table.time] == time:
                stored[hash_] |= dict(zip(names, digests, strict=True))
    return stored


def _describe_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield a text for each change from the stored record to that on disk."""
    for name in old:
        if name not in new or old[name] == new[name] or name in UNREPORTED_COLUMNS:
            continue
        yield one_line(f"{name}: {old[name]} -> {new[name]}") if name in SHORT_COLUMNS else name
    if "digest" not in new:  # records of this table have no sidecar
        return
    if "digest" not in old:
        yield "exact types not stored yet: another program wrote it"
    elif old["csv_sha256"] != new["csv_sha256"]:
        yield "data"
    elif old["digest"] != new["digest"]:
        yield "types or extras"


class _StoreOnlyRecords:
    """Finds stored records that belong to a source but are not on disk."""

    def __init__(self, source: Source, reading: Reading) -> None:
        self._folders = None if isinstance(source, Folders) else frozenset(roots(source, reading))
        self._csv_hashes: set[str] | None = None
        if isinstance(source, CsvSource):
            from mdfactory.campaign.campaign_csv import read_rows

            self._csv_hashes = {row.build_input.hash for row in read_rows(source.file).rows}
        self._is_folder = cache(os.path.isdir)

    def find(
        self, transaction: Transaction, table: Table, hashes_on_disk: Collection[str]
    ) -> Iterator[Difference]:
        """Yield the stored records of a table whose hash is not in `hashes_on_disk`."""
        for hash_, directory in transaction.values(table, self._query()):
            if hash_ in hashes_on_disk or not self._belongs(hash_, directory):
                continue
            state = State.extra if self._is_folder(directory) else State.gone
            yield Difference(state, table.name, hash_, directory)

    def _query(self) -> Query:
        """Return the query for the records, filtered by the source if that is one folder."""
        columns = ("hash", "directory")
        if self._folders is None or len(self._folders) != 1:
            return Query(columns=columns)
        return Query((Prefix("directory", *self._folders),), columns)

    def _belongs(self, hash_: str, directory: str) -> bool:
        if self._csv_hashes is not None and hash_ not in self._csv_hashes:
            return False
        return self._folders is None or is_inside(directory, self._folders)


def is_inside(directory: str, folders: Collection[str]) -> bool:
    """Whether a directory is one of the given folders, or inside one of them at any depth."""
    path = directory.rstrip("/")
    while path:
        if path in folders:
            return True
        path = path.rpartition("/")[0]
    return "/" in folders
