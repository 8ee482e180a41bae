"""Transactions of the Foundry store: datasets as tables, and how they are committed together."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final
from uuid import uuid4

import pyarrow as pa
from foundry_dev_tools.errors.meta import FoundryAPIError

from mdfactory.config import FoundryPaths
from mdfactory.errors import (
    MDFactoryError,
    NotInitialisedError,
    StoreChangedError,
    StoreError,
    counted,
    one_line,
)
from mdfactory.records.arrow import batch, texts
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import (
    OVERVIEW,
    SIMULATIONS,
    STATE,
    Namespace,
    Table,
    log_table,
    table_named,
)
from mdfactory.records.vocabulary import ResultType
from mdfactory.stores.foundry.client import BRANCH, DoubtError, Port, QueryFailedError, Resource
from mdfactory.stores.foundry.dataset import DatasetTable
from mdfactory.stores.foundry.parquet import matching, sql, typed
from mdfactory.stores.keys import Key
from mdfactory.stores.locking import Patience
from mdfactory.stores.sorting import limit_rows, sort_rows
from mdfactory.stores.transaction import Transaction

__all__ = [
    "UNREAD",
    "UNWRITTEN",
    "FoundryTransaction",
    "home_of",
    "path_of",
    "told",
    "usable",
]

log = logging.getLogger(__name__)

BOUND: Final = 32 * 2**20
"""Bytes of new records that are held in memory."""

UNREAD: Final = "read"
UNWRITTEN: Final = "written; nothing was changed"
"""What cannot be done to a store, as `told` says it."""

FEW: Final = 200
"""Values in the conditions of a query, beyond which files are read and not SQL."""

NOTED: Final = 50
"""Writes that were cut short and are remembered, so that each is known when it is repeated."""

TIMES: Final = 1000
"""Times of records that are remembered of a write; beyond that, any time counts."""


@dataclass(slots=True)
class Note:
    """What a write said that it was about to commit.

    Parameters
    ----------
    name
        Its own: notes are in the order of their names.
    times
        Times of its records; None if they are too many to be told.
    transactions
        Dataset and transaction of each of its tables, in the order of their commits.
    cut
        Whether some of them were not committed; None until it is asked.
    """

    name: str
    times: Collection[str] | None
    transactions: list[tuple[str, str]]
    cut: bool | None = None


class FoundryTransaction(Transaction):
    """A transaction over datasets, each of them as it was when it was first looked at.

    Parameters
    ----------
    port
        The connection.
    paths
        Where the datasets are.
    location
        The store as a user would name it.
    patience
        How long to wait for other programs that write a dataset; None if this one only reads.
    """

    def __init__(
        self, port: Port, paths: FoundryPaths, location: str, patience: Patience | None
    ) -> None:
        self.location = location
        self._port = port
        self._paths = paths
        self._patience = patience
        self._sheets: dict[str, DatasetTable | None] = {}
        self._dropped: set[str] = set()
        self._written: set[str] = set()

    # Tables

    def names(self, place: Namespace) -> Collection[str]:
        """Return the names of the tables that this program or the overview knows.

        Foundry is not asked what lies in a folder.
        """
        with self._told(UNREAD):
            known = {name.lower(): name for name in self._noted(place)}
            if place is Namespace.results:
                known = {OVERVIEW.id: OVERVIEW.name} | self._in_overview() | known
            else:
                known = {SIMULATIONS.id: SIMULATIONS.name} | known
            tables = (table_named(name, place) for name in known.values())
            return [table.name for table in tables if table and self.has(table)]

    def _noted(self, place: Namespace) -> Iterator[str]:
        """Return the names of the tables that this program made, as they were spelt."""
        where = (OneOf("kind", ("table",)),)
        for name, spelt in self._state(where):
            if name.startswith(f"{place}/"):
                yield spelt

    def _in_overview(self) -> dict[str, str]:
        """Return the names of the tables of results that the overview tells of."""
        if not self.has(OVERVIEW):
            return {}
        sheet = self._sheet(OVERVIEW)
        found = {
            (kind, name)
            for rows in (sheet.scan(Query(), ("item_type", "item_name")) if sheet else ())
            for kind, name in zip(*(column.to_pylist() for column in rows.columns), strict=True)
        }
        tables = (table_named(f"{kind.upper()}_{name}", Namespace.results) for kind, name in found)
        return {table.id: table.name for table in tables if table}

    def _state(self, where: tuple[OneOf, ...]) -> Iterator[tuple[str, str]]:
        sheet = self._sheet(STATE)
        for rows in sheet.scan(Query(where=where), ("name", "value")) if sheet else ():
            yield from zip(*(column.to_pylist() for column in rows.columns), strict=True)

    def has(self, table: Table) -> bool:
        """Whether the dataset exists, and anything was ever committed to it."""
        path = path_of(table, self._paths)
        with self._told(UNREAD):
            sheet = self._sheet(table)
            return (
                sheet is not None
                and path not in self._dropped
                and (bool(sheet.base) or sheet.is_dirty)
            )

    def make(self, table: Table) -> None:
        """Make a dataset; it counts as one only when its first transaction is committed."""
        if self._patience is None:
            raise NotInitialisedError(table.name, self.location, table.command)
        with self._told(UNWRITTEN):
            path = path_of(table, self._paths)
            sheet = self._sheet(table)
            if sheet is None:
                rid = self._port.create_dataset(path)
                sheet = self._sheets[path] = DatasetTable(self._port, table, path, rid)
            elif not sheet.base:  # whoever made the dataset may have been cut short
                self._port.create_branch(sheet.rid)
            sheet.lock_table(self._patience, self.location)
            sheet.empty()
            self._dropped.discard(path)
        if table.is_record:
            self._note("table", f"{table.namespace}/{table.id}", table.name)

    def _note(self, kind: str, name: str, value: str) -> None:
        if not self.has(STATE):
            self.make(STATE)
        self.put(STATE, batch([(kind, name, value)], STATE.schema))

    def drop(self, table: Table) -> None:
        """Empty a dataset; it is there for as long as it is not made anew."""
        sheet = self._claimed(table)
        sheet.empty()
        self._dropped.add(sheet.path)

    def lock_table(self, table: Table) -> bool:
        """Open the one transaction of a dataset; tell whether another program has changed it."""
        with self._told(UNWRITTEN):
            sheet = self._sheet(table)
            if sheet is None or self._patience is None:
                raise NotInitialisedError(table.name, self.location, table.command)
            return sheet.lock_table(self._patience, self.location)

    def create(self, table: Table, *, replace: bool = False) -> int:
        """Make a record table if it is missing, or anew; mend one that SQL cannot read."""
        existed = self.has(table)
        removed = super().create(table, replace=replace)
        sheet = self._sheet(table)
        if existed and not replace and sheet and not sheet.is_dirty:
            self._describe_sheet(sheet)
        return removed

    def _describe_sheet(self, sheet: DatasetTable) -> None:
        try:
            with self._told("described"):
                described = sheet.describe()
        except MDFactoryError as error:
            described, reason = False, f": {one_line(error)}"
        else:
            reason = ""
        if not described:
            log.warning(
                "%s has no schema, so that SQL cannot read it%s. Run: mdfactory sync init all",
                sheet.path,
                reason,
            )

    def _claimed(self, table: Table) -> DatasetTable:
        """Return a dataset whose transaction is open, and which is as it was read."""
        if self.lock_table(table):
            raise StoreChangedError(
                f"{path_of(table, self._paths)} was written by another program; nothing was "
                "changed. Try again"
            )
        sheet = self._sheet(table)
        assert sheet is not None  # noqa: S101  # or claim had raised
        return sheet

    def _sheet(self, table: Table) -> DatasetTable | None:
        path = path_of(table, self._paths)
        if path not in self._sheets:
            found = usable(self._port.find(path), path)
            if found and not found.is_dataset:
                raise StoreError(f"{path} is no dataset: {table.name} would be there")
            self._sheets[path] = DatasetTable(self._port, table, path, found.rid) if found else None
        return self._sheets[path]

    # Records

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        """Stream the answer to a query: by SQL where that helps and works, or from the files."""
        schema = query.schema(table)
        names = list(schema.names)
        if query.sort and query.sort.column not in names:
            names.append(query.sort.column)
        with self._told(UNREAD):
            sheet = self._sheet(table)
            if sheet is None:
                raise NotInitialisedError(table.name, self.location, table.command)
            found = self._asked(sheet, table, query, names)
            if found is None:
                found = sheet.scan(query, names)
            if query.sort:
                wide = Query(columns=tuple(names)).schema(table)
                found = sort_rows(found, query.sort, wide)
            yield from limit_rows((rows.select(schema.names) for rows in found), query.limit)

    def _asked(
        self, sheet: DatasetTable, table: Table, query: Query, names: Sequence[str]
    ) -> Iterable[pa.RecordBatch] | None:
        """Return the answer of SQL; None if the files are the better source, or the only one.

        A writer never asks SQL: it may lag behind, and what it does not see would be lost.
        """
        values = sum(len(one.values) for one in query.where if isinstance(one, OneOf))
        if self._patience or not query.where or values > FEW or not (sheet.base and sheet.start):
            return None
        view = f"`{sheet.start}:{sheet.base}@{BRANCH}`.`{sheet.rid}`"
        text, columns = sql(view, table, Query(query.where, tuple(names)))
        try:
            answer = self._port.query(text)
        except QueryFailedError as error:
            log.info("reading the files of %s: SQL says %s", sheet.path, one_line(error))
            return None
        return (
            rows
            for some in answer
            for rows in matching(typed(some, table, columns, sheet.path), query, names)
        )

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        """Note records that are to be stored."""
        sheet = self._claimed(table)
        with self._told(UNWRITTEN):
            sheet.put(rows)
            self._make_room()
        if table.is_record and len(self._written) <= TIMES:
            self._written.update(texts(rows[table.time]))

    def _make_room(self) -> None:
        sheets = [sheet for sheet in self._sheets.values() if sheet and sheet.held]
        if sum(sheet.held for sheet in sheets) > BOUND:
            for sheet in sheets:
                sheet.spool()

    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        """Note that records are to go."""
        if keys:
            self._claimed(table).remove(keys)

    # Commit

    def interrupted_times(self, times: Collection[str]) -> Collection[str]:
        """Return the times of which a write has committed some datasets, and not all."""
        with self._told(UNREAD):
            return [
                time
                for time in times
                if any(
                    (note.times is None or time in note.times) and self._is_cut(note)
                    for note in self._notes
                )
            ]

    @property
    def was_interrupted(self) -> bool:
        """Whether the latest write did not come to the last of its commits."""
        with self._told(UNREAD):
            return bool(self._notes) and self._is_cut(self._notes[-1])

    @cached_property
    def _notes(self) -> list[Note]:
        """What earlier writes said that they were about to commit, the latest last."""
        notes = sorted(self._state((OneOf("kind", ("write",)),)))
        told = ((name, json.loads(value)) for name, value in notes)
        return [Note(name, note["times"], note["transactions"]) for name, note in told]

    def _is_cut(self, note: Note) -> bool:
        if note.cut is None:
            note.cut = not self._is_committed(note.transactions[-1])
        return note.cut

    def _is_committed(self, place: tuple[str, str]) -> bool:
        try:
            return self._port.transaction(*place).status == "COMMITTED"
        except FoundryAPIError:  # it has a name: there is no such dataset, or transaction, any more
            return False

    def commit(self) -> None:
        """Upload all that has changed, then commit one dataset after the other.

        Raises
        ------
        StoreError
            If it fails. It says whether nothing was changed, or a part of it is stored.
        """
        changed = [sheet for sheet in self._sheets.values() if sheet and sheet.is_dirty]
        if len(changed) > 1:
            self._announce(sorted(changed, key=_order))
        changed = [sheet for sheet in self._sheets.values() if sheet and sheet.is_dirty]
        changed.sort(key=_order)
        for sheet in changed:
            sheet.upload()
        self._commit(changed)
        for sheet in changed:
            self._describe_sheet(sheet)

    def _commit(self, changed: Sequence[DatasetTable]) -> None:
        """Commit one dataset after the other; what has begun is brought to its end."""
        interrupted: BaseException | None = None
        for sheet in changed:
            while sheet.lock:
                try:
                    sheet.commit()
                except (KeyboardInterrupt, SystemExit) as stop:
                    interrupted = stop
                except MDFactoryError as error:
                    raise self._half(changed, error) from error
        if interrupted:
            raise interrupted

    def _announce(self, changed: Sequence[DatasetTable]) -> None:
        """Note which transactions are about to be committed; forget old notes, and settled ones."""
        settled = [note.name for note in self._notes if not self._is_cut(note)]
        now = f"{datetime.now(UTC).isoformat()} {uuid4().hex[:8]}"
        transactions = [[sheet.rid, sheet.lock] for sheet in changed if sheet.table.id != STATE.id]
        times = sorted(self._written) if len(self._written) <= TIMES else None
        self._note("write", now, json.dumps({"times": times, "transactions": transactions}))
        names = sorted(name for name, _ in self._state((OneOf("kind", ("write",)),)))
        self.remove(STATE, [("write", name) for name in {*settled, *names[:-NOTED]}])

    def _half(self, changed: Sequence[DatasetTable], error: MDFactoryError) -> StoreError:
        """Say how much is stored, and that repeating the write stores the rest."""
        stored = [sheet for sheet in changed if sheet.committed and sheet.table.is_record]
        if not stored and not isinstance(error, DoubtError):
            return StoreError(f"{error}; nothing was changed")
        part = (
            f"A part is stored ({counted(len(stored), 'table')})" if stored else "It may be stored"
        )
        return StoreError(
            f"{error}. {part}, since Foundry commits one dataset at a time. "
            "Repeat the same command: it completes the rest"
        )

    def close(self) -> None:
        """Give all datasets back."""
        for sheet in self._sheets.values():
            if sheet:
                sheet.close()

    def _told(self, doing: str) -> AbstractContextManager[None]:
        return told(self.location, doing)


def path_of(table: Table, paths: FoundryPaths) -> str:
    """Return the dataset of a table."""
    if table.id == SIMULATIONS.id:
        return paths.runs
    if table.id == OVERVIEW.id:
        return f"{paths.analyses}/overview"
    if table.result_type is not None:
        folder = paths.analyses if table.result_type is ResultType.analysis else paths.artifacts
        return f"{folder}/{table.id.partition('_')[2]}"
    return f"{home_of(paths) if table.namespace is Namespace.runs else paths.analyses}/{table.name}"


def home_of(paths: FoundryPaths) -> str:
    """Return the folder that the dataset of the simulations is in."""
    return paths.runs.rpartition("/")[0]


def _order(sheet: DatasetTable) -> tuple[int, str]:
    """Tell when a dataset is committed: the note, what describes records, they, the overview."""
    table = sheet.table
    if table.id == STATE.id:
        return 0, ""
    if table.id == log_table(table.namespace).id:
        return 4, sheet.path
    if not table.is_record:
        return 1, sheet.path
    return (3 if table.id == OVERVIEW.id else 2), sheet.path


def usable(found: Resource | None, path: str) -> Resource | None:
    """Return what is at a path, unless it is in the trash.

    Raises
    ------
    StoreError
        If it is: to use it would surprise whoever put it there.
    """
    if found and found.trashed:
        raise StoreError(f"{path} is in the trash. Restore it there, or delete it for good")
    return found


@contextmanager
def told(location: str, doing: str) -> Iterator[None]:
    """Turn a refusal of the service into an error of ours, which shows nothing of the request."""
    try:
        yield
    except FoundryAPIError as error:
        name = error.kwargs.get("error_name") or type(error).__name__
        status = error.response.status_code if error.response is not None else "no answer"
        raise StoreError(
            f"the {location} cannot be {doing}: Foundry says {name} ({status})"
        ) from None
    except OSError as error:
        if isinstance(error, MDFactoryError):
            raise
        raise StoreError(f"the {location} cannot be {doing}: {one_line(error)}") from error
