"""Verify: whether a store holds what was put there, and whether the disk still agrees.

Simulations are looked at in the order of their hashes, some hundreds at a time, so that a run can
be stopped and continued, and so that no store is held while the disk is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from mdfactory.campaign.discover import Source, roots
from mdfactory.errors import StoreError, one_line
from mdfactory.records.arrow import texts
from mdfactory.records.digests import content_digests
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Namespace, Table, digest_table
from mdfactory.stores.keys import Key
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.overview import wrong_rows
from mdfactory.sync.results import require_tables
from mdfactory.sync.snapshot import ProgressCallback
from mdfactory.sync.status import is_inside
from mdfactory.sync.verify.content import problems_of
from mdfactory.sync.verify.digests import Patterns, damage_of
from mdfactory.sync.verify.disk import problems_on_disk

__all__ = ["Finding", "Verified", "verify"]

CHUNK: Final = 200
"""Simulations that are looked at together."""

FORCE: Final = "mdfactory sync push all SOURCE --force"
UPDATE: Final = "mdfactory sync push all SOURCE --update"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Parameters
    ----------
    table, hash
        Which record; no hash if it is all of the table.
    problem
        What is wrong, in one line.
    remedy
        What to type, or to do.
    """

    table: str
    hash: str
    problem: str
    remedy: str


@dataclass(slots=True)
class Verified:
    """What was looked at, and what was found; filled as it goes.

    Parameters
    ----------
    checked
        Table -> number of its records.
    unverifiable
        Records that other programs wrote: of those, only what they say is checked.
    findings
        What is wrong.
    notes
        What is as other programs left it, and stays so.
    reached
        The hash from which to go on, if this was not the end.
    """

    checked: dict[str, int] = field(default_factory=dict)
    unverifiable: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    reached: str = ""

    @property
    def total(self) -> int:
        """The number of records that were checked."""
        return sum(self.checked.values())


def verify(
    store: Store,
    source: Source | None = None,
    *,
    quick: bool = False,
    since: str = "",
    into: Verified | None = None,
    watch: ProgressCallback = lambda *_: None,
) -> Verified:
    """Check a store against itself and against the disk.

    Parameters
    ----------
    store
        The store.
    source
        Check only records of folders below this.
    quick
        Do not read every byte of the results on disk, but only whether they are there, and how
        many rows a Parquet file has.
    since
        The hash to begin with; see `Verified.reached`.
    into
        Is filled, also if this is interrupted.
    watch
        Is told of the progress.

    Raises
    ------
    NotInitialisedError
        If the store has no tables.
    SourceError
        If there is no such SOURCE.
    """
    found = Verified() if into is None else into
    run = _Run(store, found, None if source is None else frozenset(roots(source)), quick=quick)
    hashes = [one for one in run.hashes() if one >= since.upper()]
    found.reached = hashes[0] if hashes else ""
    done = 0
    for start in range(0, len(hashes), CHUNK):
        some = hashes[start : start + CHUNK]
        run.check(some)
        done += len(some)
        watch("checking simulations", done)
        found.reached = hashes[done] if done < len(hashes) else ""
    run.find_orphans()
    return found


class _Run:
    """One run over a store."""

    def __init__(
        self, store: Store, found: Verified, folders: frozenset[str] | None, *, quick: bool
    ) -> None:
        self._store = store
        self._found = found
        self._folders = folders
        self._quick = quick
        self._orphans: dict[str, tuple[Table, list[tuple[Key, str]]]] = {}
        with store.transaction() as transaction:
            self._tables = require_tables(transaction)

    def hashes(self) -> list[str]:
        """Return the hashes of all records, and of all that a digest is kept of, sorted."""
        known: set[str] = set()
        with self._store.transaction() as transaction:
            kept = [one for one in map(digest_table, Namespace) if transaction.has(one)]
            for table in (*self._tables, *kept):
                with self._told(table):
                    for rows in transaction.read(table, Query(columns=("hash",))):
                        known.update(texts(rows["hash"]))
        return sorted(known)

    def check(self, hashes: Sequence[str]) -> None:
        """Check the records of some simulations, in the store and on disk."""
        places: list[tuple[Table, dict[str, str | int]]] = []
        with self._store.transaction() as transaction:
            for table in self._tables:
                for rows in self._records(transaction, table, hashes):
                    places += ((table, row) for row in self._check(transaction, table, rows))
                self._keep_orphans(transaction, table, hashes)
            if transaction.has(OVERVIEW):
                self._check_overview(transaction, hashes)
        for finding in problems_on_disk(places, quick=self._quick):
            self._find(*finding)

    def _records(
        self, transaction: Transaction, table: Table, hashes: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records of simulations; of those that cannot be read, say so."""
        read = transaction.read_with_sidecars if table.sidecar else transaction.read
        try:
            yield from read(table, Query((OneOf("hash", tuple(hashes)),)))
        except StoreError as error:
            if len(hashes) == 1:
                self._find(table, hashes[0], f"cannot be read: {one_line(error)}", FORCE)
                return
            for one in hashes:
                yield from self._records(transaction, table, [one])

    def _check(
        self, transaction: Transaction, table: Table, rows: pa.RecordBatch
    ) -> Iterator[dict[str, str | int]]:
        """Check records by their digests and by what they say; yield what to look for on disk."""
        keys = _keys(table, rows)
        kept = {key: both for key, *both in transaction.stored_digests(table, keys)}
        contents = content_digests(table, rows)
        times = texts(rows[table.time])
        for position, row in enumerate(rows.to_pylist()):
            if self._folders is not None and not is_inside(row["directory"], self._folders):
                continue
            self._found.checked[table.name] = self._found.checked.get(table.name, 0) + 1
            own = kept.get(keys[position])
            damage = damage_of(contents[position], times[position], own)
            if damage is None:
                self._found.unverifiable += 1
            elif damage:
                self._find(table, " ".join(keys[position]), damage, FORCE)
            for problem, grave in problems_of(table, row, own=damage is not None):
                where = self._find if grave else self._note
                where(table, " ".join(keys[position]), problem, FORCE if grave else "")
            if table.sidecar and damage is not None and not row[table.sidecar_columns[0]]:
                self._check_sidecar(transaction, table, keys[position])
            if table.id != OVERVIEW.id:
                yield {name: row[name] for name in table.columns if name not in LONG}

    def _check_sidecar(self, transaction: Transaction, table: Table, key: Key) -> None:
        """Find what is kept beside a record of ours and has another time: we write both at once."""
        if transaction.sidecars(table, [key], ("digest",)):
            problem = "what is kept beside it is of another time"
            self._find(table, " ".join(key), problem, FORCE)

    def _keep_orphans(self, transaction: Transaction, table: Table, hashes: Sequence[str]) -> None:
        """Remember the digests of records that are not there: cleared by others, or damaged."""
        kept = {
            key: content for key, content, _ in transaction.stored_digests(table, _as_keys(hashes))
        }
        if not kept:
            return
        with self._told(table):
            query = Query((OneOf("hash", tuple(hashes)),), table.key)
            for rows in transaction.read(table, query):
                for key in _keys(table, rows):
                    kept.pop(key, None)
        if kept:
            self._orphans.setdefault(table.id, (table, []))[1].extend(kept.items())

    def find_orphans(self) -> None:
        """Find records whose key differs in one character from one whose digest has no record."""
        for table, orphans in self._orphans.values():
            patterns = Patterns(orphans)
            with self._store.transaction() as transaction, self._told(table):
                for rows in transaction.read(table, Query(columns=table.key)):
                    for key in _keys(table, rows):
                        for meant, content in patterns.near(key):
                            self._check_key(transaction, table, key, meant, content)

    def _check_key(
        self, transaction: Transaction, table: Table, key: Key, meant: Key, content: str
    ) -> None:
        for rows in transaction.read(table, Query((OneOf("hash", key[:1]),))):
            for row in rows.to_pylist():
                if tuple(row[name] for name in table.key) != key:
                    continue
                renamed = row | dict(zip(table.key, meant, strict=True))
                if content_digests(table, pa.RecordBatch.from_pylist([renamed], rows.schema)) == [
                    content
                ]:
                    problem = f"its key was changed: it was {' '.join(meant)}"
                    self._find(table, " ".join(key), problem, _clear(table, key[0]))

    def _check_overview(self, transaction: Transaction, hashes: Sequence[str]) -> None:
        with self._told(OVERVIEW):
            for row in wrong_rows(transaction, hashes):
                if self._folders is not None and not is_inside(row["directory"], self._folders):
                    continue
                key = f"{row['hash']} {row['item_type']} {row['item_name']}"
                problem = "the overview says otherwise than the records"
                self._find(OVERVIEW, key, problem, UPDATE)

    @contextmanager
    def _told(self, table: Table) -> Iterator[None]:
        """Say of a table that cannot be read that it cannot, once."""
        try:
            yield
        except StoreError as error:
            finding = Finding(table.name, "", f"cannot be read: {one_line(error)}", error.command)
            if finding not in self._found.findings:
                self._found.findings.append(finding)

    def _find(self, table: Table, key: str, problem: str, remedy: str) -> None:
        self._found.findings.append(Finding(table.name, key, problem, remedy))

    def _note(self, table: Table, key: str, problem: str, remedy: str) -> None:
        self._found.notes.append(Finding(table.name, key, problem, remedy))


LONG: Final = frozenset({"input_data", "data_csv"})
"""Columns that are not needed to look for a record on disk."""


def _clear(table: Table, hash_: str) -> str:
    if table.id == SIMULATIONS.id:
        return f"mdfactory sync clear systems --hash {hash_[:12]}"
    if table.result_type is None:
        return f"mdfactory sync clear analysis --overview --hash {hash_[:12]}"
    name = f"--{table.result_type}-name {table.result_name}"
    return f"mdfactory sync clear analysis {name} --hash {hash_[:12]}"


def _keys(table: Table, rows: pa.RecordBatch) -> list[Key]:
    return list(zip(*(rows[name].to_pylist() for name in table.key), strict=True))


def _as_keys(hashes: Iterable[str]) -> list[Key]:
    return [(hash_,) for hash_ in hashes]
