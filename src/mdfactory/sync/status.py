"""Status: what is on disk beside what is in a store, by content; nothing is written.

It shares its judgement with ``push --update``: what is new or changed here is what that would
write.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from itertools import chain
from typing import Any, Final

import pyarrow as pa

from mdfactory.campaign.collect import Scope
from mdfactory.campaign.discover import CsvSource, Folders, Source, roots
from mdfactory.campaign.scan_index import PLAIN, Reading
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import one_line
from mdfactory.records.arrow import texts
from mdfactory.records.query import OneOf, Prefix, Query
from mdfactory.records.tables import OVERVIEW, Table
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.keys import take_rows
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.results import require_tables
from mdfactory.sync.snapshot import Campaign, Watch, take_snapshot

__all__ = ["CampaignStatus", "Difference", "State", "below", "status"]

EVERYTHING: Final = Scope(simulations=True, results=tuple(ResultType))

KINDS: Final = {None: "systems", ResultType.analysis: "analyses", ResultType.artifact: "artifacts"}
"""What the records of a table are about -> what they are called together."""

SAID: Final = frozenset({"status", "directory", "row_count", "file_count", "simulation_type"})
"""Columns whose change is told with both values; of others it is told that they changed."""


class State(StrEnum):
    """How a record in the store is to what is on disk."""

    new = "new"
    changed = "changed"
    unchanged = "unchanged"
    gone = "gone_from_disk"
    extra = "only_in_store"


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that is not the same on disk and in the store.

    Parameters
    ----------
    state
        In which way.
    table, hash, directory
        Which record; where it is on disk, or was when it was recorded.
    what
        What has changed, such as ``status: build -> completed``.
    """

    state: State
    table: str
    hash: str
    directory: str
    what: tuple[str, ...] = ()


@dataclass(slots=True)
class CampaignStatus:
    """What is in step, and what is not.

    Parameters
    ----------
    counts
        ``systems``, ``analyses`` and ``artifacts`` -> how many records are in which state.
    differences
        All that is not unchanged.
    skipped
        What claims to be a simulation or a result on disk, but is none.
    warnings
        What was odd, a line each.
    """

    counts: dict[str, Counter[State]] = field(
        default_factory=lambda: {kind: Counter() for kind in KINDS.values()}
    )
    differences: list[Difference] = field(default_factory=list)
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def in_step(self) -> bool:
        """Whether disk and store hold the same."""
        return not self.differences

    def note(self, table: Table, difference: Difference) -> None:
        """Take note of a difference."""
        self.counts[KINDS[table.result_type]][difference.state] += 1
        self.differences.append(difference)


def status(
    store: Store,
    source: Source | None,
    *,
    reading: Reading = PLAIN,
    watch: Watch = lambda *_: None,
) -> CampaignStatus:
    """Compare a campaign with a store.

    Parameters
    ----------
    store
        The store.
    source
        The campaign; all folders that the store's records name if None.
    reading
        How folders are read.
    watch
        Is told of the progress.

    Raises
    ------
    NotInitialisedError
        If the store has no tables.
    SourceError
        If there is no such SOURCE, or no simulation in it.
    """
    with store.transaction() as transaction:
        tables = _tables(transaction)
        if source is None:
            source = Folders(tuple(dict.fromkeys(_directories(transaction, tables))))
    now = datetime.now(UTC).isoformat()
    with take_snapshot(
        source, EVERYTHING, ConflictMode.update, now, watch, reading=reading
    ) as campaign:

        def compared() -> CampaignStatus:
            watch("comparing", 0)
            with store.transaction() as transaction:
                return _status(transaction, tables, campaign, source)

        found = campaign.attempt(compared)
    found.skipped = tuple(campaign.seen.skipped)
    found.warnings = tuple(campaign.seen.warnings)
    return found


def _status(
    transaction: Transaction, tables: Sequence[Table], campaign: Campaign, source: Source
) -> CampaignStatus:
    """Compare what was found on disk with what a store has."""
    found = CampaignStatus()
    for table, counts in campaign.left(transaction, ConflictMode.update):
        found.counts[KINDS[table.result_type]][State.unchanged] += counts.unchanged
    for table, rows in campaign.batches():
        for difference in _compared(transaction, table, rows, found):
            found.note(table, difference)
    seen: dict[str, set[str]] = defaultdict(set)
    for table, rows in chain(campaign.batches(), campaign.others()):
        seen[table.id].update(texts(rows["hash"]))
    rest = _Rest(source, campaign.reading)
    for table in tables:
        for difference in rest.of(transaction, table, seen[table.id]):
            found.note(table, difference)
    return found


def _tables(transaction: Transaction) -> list[Table]:
    """Return the tables of what is on disk; the overview is derived."""
    return [table for table in require_tables(transaction) if table.id != OVERVIEW.id]


def _directories(transaction: Transaction, tables: Sequence[Table]) -> Iterator[str]:
    for table in tables:
        yield from (path for (path,) in transaction.values(table, Query(columns=("directory",))))


def _compared(
    transaction: Transaction, table: Table, rows: pa.RecordBatch, found: CampaignStatus
) -> Iterator[Difference]:
    """Yield what is new or changed among records from disk; count the rest."""
    pairs = list(zip(texts(rows["hash"]), texts(rows["directory"]), strict=True))
    if not transaction.has(table):
        yield from (Difference(State.new, table.name, *pair) for pair in pairs)
        return
    judged = transaction.classify(table, rows, ConflictMode.update)
    found.counts[KINDS[table.result_type]][State.unchanged] += len(judged.unchanged)
    yield from (Difference(State.new, table.name, *pairs[position]) for position in judged.insert)
    changed = take_rows(rows, judged.replace)
    stored = _stored(transaction, table, texts(changed["hash"]))
    for row in _light(table, changed):
        what = tuple(_what(stored.get(row["hash"], {}), row))
        yield Difference(State.changed, table.name, row["hash"], row["directory"], what)


def _light(table: Table, rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return rows without what is long, but with the digests that tell whether that changed."""
    names = [name for name in rows.schema.names if name not in {*table.large, *BULKY}]
    return rows.select(names).to_pylist()


BULKY: Final = frozenset({"arrow_schema", "entry", "arrow_ipc"})


def _stored(
    transaction: Transaction, table: Table, hashes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    columns = tuple(name for name in table.columns if name not in table.large)
    query = Query((OneOf("hash", tuple(hashes)),), columns)
    found = {
        row["hash"]: row for rows in transaction.read(table, query) for row in rows.to_pylist()
    }
    if table.sidecar:
        names = ("csv_sha256", "digest")
        kept = transaction.sidecars(table, [(hash_,) for hash_ in hashes], names)
        for (hash_, time), values in kept.items():
            if hash_ in found and found[hash_][table.time] == time:
                found[hash_] |= dict(zip(names, values, strict=True))
    return found


def _what(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Say what has changed in a record."""
    differ = [name for name in old if name in new and old[name] != new[name]]
    for name in differ:
        if name in SAID:
            yield one_line(f"{name}: {old[name]} -> {new[name]}")
        elif name not in {"timestamp_utc", "csv_sha256", "digest"}:
            yield name
    if "digest" not in new:
        return
    if "digest" not in old:
        yield "not exact yet: another program wrote it"
    elif old["csv_sha256"] != new["csv_sha256"]:
        yield "data"
    elif old["digest"] != new["digest"]:
        yield "types or extras"


class _Rest:
    """Finds records that belong to a source and that no folder on disk has."""

    def __init__(self, source: Source, reading: Reading) -> None:
        self._folders = None if isinstance(source, Folders) else frozenset(roots(source, reading))
        self._those: set[str] | None = None
        if isinstance(source, CsvSource):
            from mdfactory.campaign.campaign_csv import read_rows

            self._those = {row.build_input.hash for row in read_rows(source.file).rows}
        self._is_there = cache(os.path.isdir)

    def of(self, transaction: Transaction, table: Table, seen: set[str]) -> Iterator[Difference]:
        query = Query(self._where(), ("hash", "directory"))
        for hash_, directory in transaction.values(table, query):
            if hash_ in seen or not self._belongs(hash_, directory):
                continue
            state = State.extra if self._is_there(directory) else State.gone
            yield Difference(state, table.name, hash_, directory)

    def _where(self) -> tuple[Prefix, ...]:
        if self._folders and len(self._folders) == 1:
            return (Prefix("directory", *self._folders),)
        return ()

    def _belongs(self, hash_: str, directory: str) -> bool:
        if self._those is not None and hash_ not in self._those:
            return False
        return self._folders is None or below(directory, self._folders)


def below(directory: str, folders: Collection[str]) -> bool:
    """Whether a directory is one of some folders, or in one of them."""
    path = directory.rstrip("/")
    while path:
        if path in folders:
            return True
        path = path.rpartition("/")[0]
    return "/" in folders
