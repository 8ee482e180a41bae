"""Status: compare the records of a campaign on disk with those in a store.

Nothing is written. New and changed records are exactly those that ``push --update`` would write.
Stored records are compared by their digests. A record that another program has edited without a
change of its time has the digest of the earlier content; only simulations are checked for that,
because their records are small. `sync.verify` checks all records.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import chain
from typing import Any, Final

import pyarrow as pa

from mdfactory.campaign.collect import Scope
from mdfactory.campaign.discover import Folders, Source, roots
from mdfactory.campaign.gromacs.runs import Progress
from mdfactory.campaign.progress import read_progress
from mdfactory.campaign.scan_index import DEFAULT_READING, Reading
from mdfactory.campaign.simulation import Skipped
from mdfactory.errors import one_line
from mdfactory.records.arrow import texts
from mdfactory.records.digests import content_digests
from mdfactory.records.merge import Resolution
from mdfactory.records.query import Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Table
from mdfactory.records.tags import INPUT_COLUMN, split_tags
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.keys import hash_condition, keys_of, take_rows
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Note, matching_hashes, no_note, without_simulation
from mdfactory.sync.folders import hashes_in_csv, records_inside
from mdfactory.sync.lost_inputs import LOST_INPUT, is_lost
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.results import PLURALS, require_tables
from mdfactory.sync.search import EVERYTHING, Search
from mdfactory.sync.snapshot import CampaignSnapshot, planned_transaction, take_snapshot

FULL_SCOPE: Final = Scope(simulations=True, results=tuple(ResultType))

SHORT_COLUMNS: Final = frozenset(
    {"status", "directory", "row_count", "file_count", "simulation_type"}
)
"""Columns whose old and new values are shown in a difference."""

DIGEST_COLUMNS: Final = ("csv_sha256", "digest")
"""Columns of a sidecar that are compared."""

UNREPORTED_COLUMNS: Final = frozenset({"timestamp_utc", *DIGEST_COLUMNS})
"""Columns whose name is not shown in a difference; a changed digest is shown as changed data."""


EDITED_TEXT: Final = "another program changed it in the store, and kept its time"


class State(StrEnum):
    """The state of a record on disk, compared with the store."""

    new = "new"
    changed = "changed"
    unchanged = "unchanged"
    gone = "gone_from_disk"
    extra = "only_in_store"
    edited = "edited_in_store"


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
    progress
        Folder -> progress of its production run, of each simulation that has a log of it.
    without_log
        Number of the other simulations, if progress was read.
    """

    counts: dict[str, Counter[State]] = field(
        default_factory=lambda: {group: Counter() for group in PLURALS.values()}
    )
    differences: list[Difference] = field(default_factory=list)
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    progress: dict[str, Progress] = field(default_factory=dict)
    without_log: int = 0

    @property
    def in_step(self) -> bool:
        """Whether disk and store hold the same records."""
        return not self.differences

    def add(self, table: Table, differences: Iterable[Difference], unchanged: int = 0) -> None:
        """Count records of a table, and list those that differ."""
        counts = self.counts[PLURALS[table.result_type]]
        counts[State.unchanged] += unchanged
        for difference in differences:
            counts[difference.state] += 1
            self.differences.append(difference)


def status(
    store: Store,
    source: Source | None,
    *,
    progress: bool = False,
    reading: Reading = DEFAULT_READING,
    search: Search = EVERYTHING,
    note: Note = no_note,
    watch: ProgressCallback = lambda *_: None,
) -> CampaignStatus:
    """Compare a campaign with a store.

    Parameters
    ----------
    store
        The store.
    source
        The campaign. Default: the directories of all records in the store.
    progress
        Whether to read the progress of production runs from their logs.
    reading
        How folders are read.
    search
        How to narrow the simulations. Those that are not in the store are judged by their
        BuildInputs on disk.
    note
        Function that is called with each note about the search.
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
        # The overview is never pushed.
        tables = [table for table in require_tables(transaction) if table.id != OVERVIEW.id]
        if source is None:
            records = (records_inside(transaction, table, None) for table in tables)
            source = Folders(tuple({directory for _, directory in chain.from_iterable(records)}))
    mode = ConflictMode.update
    with take_snapshot(store, source, FULL_SCOPE, mode, reading=reading, watch=watch) as snapshot:
        watch("comparing", 0)
        compared = CampaignStatus()
        with planned_transaction(store, snapshot, mode) as (transaction, all_known):
            known = all_known
            if search.narrows:
                snapshot.selected = _matching(transaction, snapshot, search, note)
                known, _ = snapshot.plan(transaction, mode)
            for table, counts in known.items():
                compared.add(table, (), counts.unchanged)
            for table, rows in snapshot.record_batches():
                resolution = transaction.classify(table, rows, mode)
                differences = _differences(transaction, table, rows, resolution)
                compared.add(table, differences, len(resolution.unchanged))
            for table, difference in _store_only(transaction, tables, snapshot, source):
                compared.add(table, [difference])
            changed = {row.hash for row in compared.differences if row.table == SIMULATIONS.name}
            for difference in _edited_simulations(transaction, snapshot, changed):
                compared.add(SIMULATIONS, [difference], unchanged=-1)
    if progress:
        compared.progress = dict(_read_progress(snapshot, watch))
        visited = sum(1 for _ in snapshot.inventory.visited())
        compared.without_log = visited - len(compared.progress)
    compared.skipped = tuple(snapshot.inventory.skipped)
    compared.warnings = tuple(snapshot.inventory.warnings)
    if isinstance(source, Folders) and not source.paths:
        compared.warnings = ("the store has no records, so nothing was compared; give a SOURCE",)
    return compared


def _read_progress(
    snapshot: CampaignSnapshot, watch: ProgressCallback
) -> Iterator[tuple[str, Progress]]:
    """Yield folder and progress of each simulation that has a log of its production run."""
    index, stems = snapshot.reading.index, snapshot.reading.stems
    for number, simulation in enumerate(snapshot.inventory.visited(), start=1):
        watch("reading logs", number)
        with suppress(OSError):  # the folder was removed meanwhile
            progress = read_progress(
                simulation.directory, simulation.simulation_type, stems=stems, index=index
            )
            if progress:
                yield simulation.directory, progress


def _matching(
    transaction: Transaction, snapshot: CampaignSnapshot, search: Search, note: Note
) -> set[str]:
    """Return the hashes of the simulations that meet a search, in the store and on disk."""
    stored = set[str]()
    if transaction.has(SIMULATIONS):
        query = Query(columns=("hash",))
        stored = {hash_ for (hash_,) in transaction.values(SIMULATIONS, query)}
    # Records that the store lacks were read as a whole.
    new = [
        row
        for table, rows in snapshot.record_batches()
        if table.id == SIMULATIONS.id
        for row in rows.to_pylist()
        if row["hash"] not in stored
    ]
    known = stored | snapshot.inventory.folders.keys()
    tables = [table for table in transaction.tables() if table.result_type]
    lone = sum(
        hash_ not in known
        for table in tables
        for (hash_,) in transaction.values(table, Query(columns=("hash",)))
    )
    if lone:
        note(without_simulation(lone))
    return {*matching_hashes(transaction, search, note=note, others=new)}


def _differences(
    transaction: Transaction, table: Table, rows: pa.RecordBatch, resolution: Resolution
) -> Iterator[Difference]:
    """Yield the records on disk that are new, then those that differ from the stored ones."""
    names = ("hash", "directory")
    for hash_, directory in keys_of(take_rows(rows.select(names), resolution.insert), names):
        yield Difference(State.new, table.name, hash_, directory)
    if not resolution.replace:
        return
    # Of long columns, only the digests are compared.
    columns = tuple(name for name in table.columns if name not in table.large)
    short = rows.select([*columns, *(DIGEST_COLUMNS if table.sidecar else ())])
    changed = take_rows(short, resolution.replace)
    keys = keys_of(changed, table.key)
    query = Query((hash_condition(keys),), columns)
    stored = {
        row["hash"]: row for batch in transaction.read(table, query) for row in batch.to_pylist()
    }
    sidecars = transaction.sidecars(table, keys, DIGEST_COLUMNS)
    for row in changed.to_pylist():
        old = stored.get(row["hash"], {})
        # A sidecar with another time is obsolete: another program rewrote the record.
        digests = sidecars.get((row["hash"], old.get(table.time, "")), ())
        old |= dict(zip(DIGEST_COLUMNS, digests, strict=False))
        changes = tuple(_describe_changes(old, row))
        yield Difference(State.changed, table.name, row["hash"], row["directory"], changes)


def _describe_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield a text for each change from the stored record to that on disk."""
    for name in old:
        if name not in new or old[name] == new[name] or name in UNREPORTED_COLUMNS:
            continue
        if name == INPUT_COLUMN:
            yield from _describe_input_changes(old[name], new[name])
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


def _describe_input_changes(old: str, new: str) -> Iterator[str]:
    """Yield whether the BuildInput was written otherwise, and whether the tags have changed."""
    for name, before, after in zip(
        ("input_data", "tags"), split_tags(old), split_tags(new), strict=True
    ):
        if before != after:
            yield name


def _edited_simulations(
    transaction: Transaction, snapshot: CampaignSnapshot, changed: Collection[str]
) -> Iterator[Difference]:
    """Yield the stored simulations whose content has changed since their digests were written.

    Parameters
    ----------
    transaction
        A transaction of the store.
    snapshot
        The campaign.
    changed
        Hashes of simulations to leave out: ``push --update`` would overwrite them.
    """
    for table, rows in chain(snapshot.record_batches(), snapshot.digest_batches()):
        if table.id != SIMULATIONS.id:
            continue
        keys = [key for key in keys_of(rows, table.key) if key[0] not in changed]
        digests = {row.key: row for row in transaction.digests(table, keys)}
        for records in transaction.read(table, Query((hash_condition(keys),))) if digests else ():
            stored = zip(
                keys_of(records, (*table.key, "directory", table.time)),
                content_digests(table, records),
                strict=True,
            )
            for (hash_, directory, time), content in stored:
                written = digests.get((hash_,))
                if written and written.is_valid(time) and written.content != content:
                    yield Difference(State.edited, table.name, hash_, directory, (EDITED_TEXT,))


def _store_only(
    transaction: Transaction, tables: Iterable[Table], snapshot: CampaignSnapshot, source: Source
) -> Iterator[tuple[Table, Difference]]:
    """Yield the stored records that belong to a source, but are not on disk.

    The records of a folder whose simulation this version does not know cannot be compared. Another
    version may have pushed them, so they are left out.
    """
    hashes_on_disk: dict[str, set[str]] = defaultdict(set)
    for table, rows in chain(snapshot.record_batches(), snapshot.digest_batches()):
        hashes_on_disk[table.id].update(texts(rows["hash"]))
    folders = None if isinstance(source, Folders) else frozenset(roots(source, snapshot.reading))
    listed = hashes_in_csv(source)
    is_folder, unknown = cache(os.path.isdir), snapshot.inventory.unknown_folders
    for table in tables:
        for hash_, directory in records_inside(transaction, table, folders):
            if directory.rstrip("/") in unknown:
                continue
            belongs = listed is None or hash_ in listed
            belongs &= snapshot.selected is None or hash_ in snapshot.selected
            if belongs and hash_ not in hashes_on_disk[table.id]:
                state = State.extra if is_folder(directory) else State.gone
                is_simulation = table.id == SIMULATIONS.id
                what = (LOST_INPUT,) if is_simulation and is_lost(directory) else ()
                yield table, Difference(state, table.name, hash_, directory, what)
