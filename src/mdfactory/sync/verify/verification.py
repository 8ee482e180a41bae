"""Verification: check that records are as they were written, and that they agree with the disk.

Simulations are checked in batches, in the order of their hashes. A verification can therefore be
stopped and continued, and no transaction is open while the disk is read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import pyarrow as pa

from mdfactory.campaign.discover import Source, roots
from mdfactory.errors import QueryError, SourceError, StoreError, UsageError, counted, one_line
from mdfactory.records.digests import RecordDigests, content_digests
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import (
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    digest_table,
)
from mdfactory.stores.keys import Key, Values, hash_condition, keys_of
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.find import Note, matching_hashes, no_note
from mdfactory.sync.folders import hashes_in_csv, is_inside, records_inside
from mdfactory.sync.lost import lost_tables
from mdfactory.sync.overview import wrong_rows
from mdfactory.sync.progress import ProgressCallback
from mdfactory.sync.pull import parse_hash_prefix
from mdfactory.sync.results import require_tables
from mdfactory.sync.search import EVERYTHING, Search
from mdfactory.sync.verify.content import damage_of, problems_of, unknown_values
from mdfactory.sync.verify.disk import find_on_disk
from mdfactory.sync.verify.finding import PUSH_FORCE, PUSH_UPDATE, Finding, Row, for_folder
from mdfactory.sync.verify.stored_files import StoredFileCheck

BATCH_SIMULATIONS: Final = 200
"""Number of simulations that are checked together."""

LONG_COLUMNS: Final = frozenset({"data_csv"})
"""Columns that the check of the disk does not need."""


@dataclass(slots=True)
class Verified:
    """The result of a verification, filled while the verification runs.

    Parameters
    ----------
    checked
        Table name -> number of its records that were checked.
    unverifiable
        Number of records that other programs wrote. They have no valid digests, so only their
        values and files are checked.
    findings
        The problems.
    notes
        Known peculiarities of single records that other programs wrote; they need no action.
    unknown
        Name of a table, and a text about a value that this version does not know -> number of
        records with this value.
    reached
        The hash to continue at; empty at the end.
    """

    checked: Counter[str] = field(default_factory=Counter)
    unverifiable: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    reached: str = ""

    @property
    def total(self) -> int:
        """The number of records that were checked."""
        return self.checked.total()

    @property
    def all_notes(self) -> list[Finding]:
        """The notes on single records, then one on each value that this version does not know."""
        return [
            *self.notes,
            *(
                Finding(table, "", f"{counted(number, 'record')}: {text}", "")
                for (table, text), number in self.unknown.items()
            ),
        ]


def verify(
    store: Store,
    source: Source | None = None,
    *,
    quick: bool = False,
    files: StoredFileCheck | None = None,
    since: str | None = None,
    search: Search = EVERYTHING,
    note: Note = no_note,
    into: Verified | None = None,
    watch: ProgressCallback = lambda *_: None,
) -> Verified:
    """Check the records of a store against their digests, their values and the disk.

    Parameters
    ----------
    store
        The store.
    source
        Check only records whose directory is inside this source, of a campaign CSV only those of
        its rows; all records if None.
    quick
        Do not read the contents of results on disk: check only that the files exist, and the
        number of rows of Parquet files.
    files
        Checks the files of artifacts in a file store, in place of the folders on disk.
    since
        The hash to begin at, or its first digits; see `Verified.reached`. Default: the first one.
    search
        How to narrow the simulations.
    note
        Function that is called with each note about the search.
    into
        The object to fill and return; it keeps the findings if the verification is interrupted.
        Default: a new object.
    watch
        Called with the current step and the number of simulations done.

    Raises
    ------
    NotInitialisedError
        If the store has no tables.
    SourceError
        If the store has no records of simulations in the source, or it is a campaign CSV that
        cannot be read.
    QueryError
        If `since` is not hexadecimal, or if it is empty.
    UsageError
        If the last hash comes before `since`.
    FileStoreError
        If the file store cannot be reached or read.
    """
    first = "" if since is None else parse_hash_prefix(since, "--since")
    verified = into or Verified()
    given = [] if source is None else roots(source)
    # Records have the path of their push: a link to the folder, or the folder itself.
    folders = None if source is None else frozenset([*given, *map(os.path.realpath, given)])
    rows = hashes_in_csv(source)
    verification = _Verification(store, verified, folders, files, quick=quick)
    if rows is not None:
        verification.hashes &= rows
    if folders is not None and not verification.hashes:
        # The path is probably misspelt, or another one than that of the push.
        missing = "" if any(map(os.path.exists, given)) else "no such folder, and "
        raise SourceError(
            ", ".join(given[:3]) or "the pattern",
            f"{missing}the store has no records of simulations in it. Records are found by the "
            "path that they were pushed with, which mdfactory sync pull systems shows",
        )
    if search.narrows:
        verification.narrow(search, note)
    hashes = sorted(hash_ for hash_ in verification.hashes if hash_ >= first)
    if first and not hashes:
        raise UsageError(f"--since: no hash to check is {first} or comes after it")
    for start in range(0, len(hashes), BATCH_SIMULATIONS):
        verified.reached = hashes[start]
        verification.check_simulations(hashes[start : start + BATCH_SIMULATIONS])
        watch("checking simulations", min(start + BATCH_SIMULATIONS, len(hashes)))
    verified.reached = ""
    return verified


class _Verification:
    """One verification of a store.

    Parameters
    ----------
    store
        The store.
    verified
        The object to which findings are added.
    folders
        Check only records whose directory is one of these folders or inside one; all if None.
    files, quick
        See `verify`.

    Attributes
    ----------
    hashes : set of str
        The hashes of these records and, if all are checked, of all stored digests.
    """

    def __init__(
        self,
        store: Store,
        verified: Verified,
        folders: frozenset[str] | None,
        files: StoredFileCheck | None,
        *,
        quick: bool,
    ) -> None:
        self._store = store
        self._verified = verified
        self._folders = folders
        self._files = files
        self._quick = quick
        self.hashes: set[str] = set()
        with store.transaction() as transaction:
            self._tables = require_tables(transaction)
            digest_tables = list(filter(transaction.has, map(digest_table, Namespace)))
            for table, reason in lost_tables(transaction, self._tables, self._report_unreadable):
                remedy = f"restore it from a backup, or {table.command} && {PUSH_UPDATE}"
                self._report(table, (), f"the table is missing, although {reason}", remedy)
            for table in self._tables if folders is not None else (*self._tables, *digest_tables):
                with self._report_unreadable(table):
                    rows: Iterable[Values] = (
                        transaction.values(table, Query(columns=("hash",)))
                        if folders is None
                        else records_inside(transaction, table, folders)
                    )
                    self.hashes.update(hash_ for hash_, *_ in rows)

    def narrow(self, search: Search, note: Note) -> None:
        """Keep only the simulations that meet a search.

        Raises
        ------
        QueryError
            If none does: a verification of nothing would be a false assurance.
        """
        with self._store.transaction() as transaction:
            matching = set(matching_hashes(transaction, search, note=note))
            simulations = set[str]()
            if transaction.has(SIMULATIONS):
                query = Query(columns=("hash",))
                simulations = {hash_ for (hash_,) in transaction.values(SIMULATIONS, query)}
        if lone := len(self.hashes - simulations):
            number = counted(lone, "simulation")
            note(f"results of {number} left out, whose own record is not in the store")
        if simulations and not self.hashes & matching:
            raise QueryError("no simulation meets the conditions, so nothing was checked")
        self.hashes &= matching

    def check_simulations(self, hashes: Sequence[str]) -> None:
        """Check the records of the given simulations in the store, then their files."""
        records: list[tuple[Table, Row]] = []
        with self._store.transaction() as transaction:
            for table in self._tables:
                hash_keys = [(hash_,) for hash_ in hashes]
                stored = {row.key: row for row in transaction.digests(table, hash_keys)}
                missing = set(stored)
                for rows in self._read(transaction, table, hashes):
                    missing.difference_update(keys_of(rows, table.key))
                    checked = self._check_rows(transaction, table, rows, stored)
                    records += ((table, row) for row in checked)
                if missing and self._folders is None:
                    self._report_missing_records(transaction, table, missing)
            self._report_lone_results(transaction, hashes, records)
            if transaction.has(OVERVIEW):
                with self._report_unreadable(OVERVIEW):
                    wrong = chain.from_iterable(wrong_rows(transaction, hashes))
                    for row in filter(self._is_selected, wrong):
                        key = [row[name] for name in OVERVIEW.key]
                        problem = "this row of the overview does not match the records"
                        self._report(OVERVIEW, key, problem, PUSH_UPDATE, row["directory"])
        found = (
            self._files.find(records) if self._files else find_on_disk(records, quick=self._quick)
        )
        for finding, is_error in found:
            self._add(finding, is_error=is_error)

    def _read(
        self, transaction: Transaction, table: Table, hashes: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records of the given simulations, and report those that cannot be read."""
        query = Query((OneOf("hash", tuple(hashes)),))
        try:
            yield from transaction.read_with_sidecars(table, query)
        except StoreError as error:
            if len(hashes) == 1:
                self._report(table, hashes, f"cannot be read: {one_line(error)}", PUSH_FORCE)
                return
            # One unreadable record makes the whole query fail: read the records one by one.
            for hash_ in hashes:
                yield from self._read(transaction, table, [hash_])

    def _check_rows(
        self,
        transaction: Transaction,
        table: Table,
        rows: pa.RecordBatch,
        stored: Mapping[Key, RecordDigests],
    ) -> Iterator[Row]:
        """Check the values of records and their stored digests; yield those to check on disk.

        They have no long columns. Rows of the overview are not yielded: they have no files.
        """
        keys = keys_of(rows, table.key)
        contents = content_digests(table, rows)
        for key, content, row in zip(keys, contents, rows.to_pylist(), strict=True):
            if not self._is_selected(row):
                continue
            self._verified.checked[table.name] += 1
            damage = damage_of(content, row[table.time], stored.get(key))
            self._verified.unverifiable += damage is None
            for text, is_error in problems_of(table, row, damage):
                remedy = _remedy(PUSH_FORCE, row["directory"]) if is_error else ""
                self._add(Finding(table.name, " ".join(key), text, remedy), is_error=is_error)
            self._verified.unknown.update((table.name, text) for text in unknown_values(table, row))
            # `Transaction.read_with_sidecars` leaves out a sidecar with another time. mdfactory
            # writes both with the same time, so one of the times was changed.
            has_none = table.sidecar and not row[table.sidecar_columns[0]]
            if has_none and damage is not None and transaction.sidecars(table, [key], ("digest",)):
                problem = "its types, units and extras have another time than the record"
                self._report(table, key, problem, PUSH_FORCE, row["directory"])
            if table.id != OVERVIEW.id:
                yield {name: row[name] for name in table.columns if name not in LONG_COLUMNS}

    def _report_lone_results(
        self,
        transaction: Transaction,
        hashes: Sequence[str],
        records: Iterable[tuple[Table, Row]],
    ) -> None:
        """Report results whose simulation is not in the store; a missing table is reported."""
        if not transaction.has(SIMULATIONS):
            return
        with self._report_unreadable(SIMULATIONS):
            query = Query((OneOf("hash", tuple(hashes)),), ("hash",))
            simulations = {hash_ for (hash_,) in transaction.values(SIMULATIONS, query)}
            for table, row in records:
                if row["hash"] not in simulations:
                    problem = "its simulation is not in the store"
                    self._report(table, [row["hash"]], problem, PUSH_UPDATE, row["directory"])

    def _report_missing_records(
        self, transaction: Transaction, table: Table, keys: Collection[Key]
    ) -> None:
        """Report stored digests without a record, of those whose record was not read.

        Nobody knows the directory of a missing record. So none is reported if only the records of
        some folders are checked.
        """
        with self._report_unreadable(table):
            # A record that cannot be read is no missing record.
            stored = set(transaction.values(table, Query((hash_condition(keys),), table.key)))
            for key in sorted(set(keys) - stored):
                problem = "it is missing: another program has removed it, or has changed its key"
                self._report(table, key, problem, PUSH_UPDATE)

    def _is_selected(self, row: Row) -> bool:
        return self._folders is None or is_inside(row["directory"], self._folders)

    @contextmanager
    def _report_unreadable(self, table: Table) -> Iterator[None]:
        """Report a StoreError of the block as an unreadable table, once, and continue after it."""
        try:
            yield
        except StoreError as error:
            finding = Finding(table.name, "", f"cannot be read: {one_line(error)}", error.command)
            if finding not in self._verified.findings:
                self._verified.findings.append(finding)

    def _add(self, finding: Finding, *, is_error: bool) -> None:
        (self._verified.findings if is_error else self._verified.notes).append(finding)

    def _report(
        self, table: Table, key: Iterable[str], problem: str, remedy: str, directory: str = ""
    ) -> None:
        step = _remedy(remedy, directory)
        self._verified.findings.append(Finding(table.name, " ".join(key), problem, step))


def _remedy(command: str, directory: str) -> str:
    """Return a command for the folder of a record; a damaged record may have a wrong one."""
    return for_folder(command, directory) if os.path.isdir(directory) else command
