"""The contract suite finds stores that violate the contract, each in another way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mdfactory.records.query import OneOf, Prefix, Query, apply
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.backend import Backend
from mdfactory.stores.keys import Key
from mdfactory.stores.store import Store
from mdfactory.testing.memory import BATCH_ROWS, MemoryBackend, MemoryStore

pytest_plugins = ["pytester"]


def _changed(rows: pa.RecordBatch, change: Callable[[str], str]) -> pa.RecordBatch:
    values = [
        {name: change(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows.to_pylist()
    ]
    return pa.RecordBatch.from_pylist(values, schema=rows.schema)


class StrippingTexts(MemoryBackend):
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        super().put(table, _changed(rows, str.strip))


class GuessingNumbers(MemoryBackend):
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        super().put(table, _changed(rows, lambda text: text.lstrip("0") or text))


class ReadingNaAsEmpty(MemoryBackend):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        rows = (
            _changed(batch, lambda text: "" if text == "NA" else text)
            for batch in super().scan(table, query)
        )
        yield from rows


class TruncatingLongCells(MemoryBackend):
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        super().put(table, _changed(rows, lambda text: text[:65_535]))


class AppendingWithoutReplacing(MemoryBackend):
    """Keeps the replaced row in addition to the new one."""

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        name, stored = self.rows[table.namespace, table.id]
        added = pa.Table.from_batches([rows], table.schema)
        self.rows[table.namespace, table.id] = (name, pa.concat_tables([stored, added]))


class IgnoringPrefixes(MemoryBackend):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        where = tuple(part for part in query.where if not isinstance(part, Prefix))
        return super().scan(table, Query(where, query.columns, query.sort, query.limit))


class IgnoringCaseOfPrefixes(MemoryBackend):
    """Compares prefixes regardless of case, as SQL LIKE does."""

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        exact = tuple(part for part in query.where if isinstance(part, OneOf))
        rows = pa.Table.from_batches(super().scan(table, Query(where=exact)), table.schema)
        for prefix in set(query.where) - set(exact):
            rows = rows.filter(pc.starts_with(rows[prefix.column], prefix.text, ignore_case=True))
        rest = Query(columns=query.columns, sort=query.sort, limit=query.limit)
        yield from apply(rest, rows).to_batches(max_chunksize=BATCH_ROWS)


class IgnoringTheLimit(MemoryBackend):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        return super().scan(table, Query(query.where, query.columns, query.sort))


class IgnoringTheOrder(MemoryBackend):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        return super().scan(table, Query(query.where, query.columns, None, query.limit))


class SortingStatusesAsTexts(MemoryBackend):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        rows = pa.Table.from_batches(super().scan(table, Query(query.where)), table.schema)
        if query.sort:
            direction = "descending" if query.sort.descending else "ascending"
            rows = rows.sort_by([(query.sort.column, direction)])
        yield from apply(Query((), query.columns, None, query.limit), rows).to_batches()


class CreatingMissingTables(MemoryBackend):
    def has(self, table: Table) -> bool:
        if not super().has(table):
            self.make(table)
        return True


class DistinguishingCaseOfNames(MemoryBackend):
    def has(self, table: Table) -> bool:
        return table.name in self.names(table.namespace)


class RemovingByHashOnly(MemoryBackend):
    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        name, stored = self.rows[table.namespace, table.id]
        hashes = {key[0] for key in keys}
        stays = [value not in hashes for value in stored[table.key[0]].to_pylist()]
        self.rows[table.namespace, table.id] = (name, stored.filter(pa.array(stays, pa.bool_())))


class WithoutDigests(MemoryBackend):
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        if table.is_record:
            super().put(table, rows)


class TruncatingKeyLists(MemoryBackend):
    """Drops keys beyond a limit, as a database with a limit on parameters might."""

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        where = tuple(
            OneOf(part.column, part.values[:500]) if isinstance(part, OneOf) else part
            for part in query.where
        )
        return super().scan(table, Query(where, query.columns, query.sort, query.limit))


class AnsweringInOneBatch(MemoryBackend):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        rows = pa.Table.from_batches(super().scan(table, query), query.schema(table))
        yield from rows.combine_chunks().to_batches()


class CommittingFailures(MemoryStore):
    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:
        backend = MemoryBackend(dict(self.memory.tables))
        try:
            yield backend
        finally:
            self.memory.tables = backend.rows


class WritingInPlace(MemoryStore):
    """Readers see the writes of a transaction before its commit."""

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:
        yield MemoryBackend(self.memory.tables)


class WithoutWriterLock(MemoryStore):
    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:
        backend = MemoryBackend(dict(self.memory.tables))
        yield backend
        if write:
            self.memory.tables = backend.rows


class KeepingTheLockAfterFailure(MemoryStore):
    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Backend]:
        if write and not self.memory.lock.acquire(timeout=self.wait):
            raise TimeoutError
        backend = MemoryBackend(dict(self.memory.tables))
        yield backend
        if write:
            self.memory.tables = backend.rows
            self.memory.lock.release()


TEST_BY_BROKEN_STORE = {
    StrippingTexts: "test_awkward_texts_are_stored_exactly",
    GuessingNumbers: "test_texts_that_look_like_the_same_number_are_different_keys",
    ReadingNaAsEmpty: "test_awkward_texts_are_stored_exactly",
    TruncatingLongCells: "test_a_cell_of_a_megabyte_is_stored_exactly",
    AppendingWithoutReplacing: "test_force_overwrites_existing_records",
    IgnoringPrefixes: "test_delete_removes_the_selected_records",
    IgnoringCaseOfPrefixes: "test_conditions_select_records",
    IgnoringTheLimit: "test_queries_sort_and_limit",
    IgnoringTheOrder: "test_texts_are_sorted_by_code_point",
    SortingStatusesAsTexts: "test_statuses_are_sorted_by_progress",
    CreatingMissingTables: "test_a_missing_table_is_an_error_that_names_the_command",
    DistinguishingCaseOfNames: "test_names_are_unique_regardless_of_case",
    RemovingByHashOnly: "test_delete_by_part_of_a_key_keeps_records_with_another_part",
    WithoutDigests: "test_every_record_has_its_digests",
    TruncatingKeyLists: "test_update_of_many_unchanged_records_changes_none",
    AnsweringInOneBatch: "test_ten_thousand_records_are_read_in_bounded_batches",
    CommittingFailures: "test_a_failed_transaction_leaves_the_store_unchanged",
    WritingInPlace: "test_readers_see_a_write_only_after_its_commit",
    WithoutWriterLock: "test_a_second_writer_waits_and_then_fails",
    KeepingTheLockAfterFailure: "test_a_failed_write_releases_the_lock",
}
"""Store or backend with a defect -> the test of the suite that finds it."""


def _store_type(broken: type) -> type[Store]:
    if issubclass(broken, Store):
        return broken
    return type(broken.__name__, (MemoryStore,), {"backend_type": broken})


def _outcomes(pytester: pytest.Pytester, store: type, *chosen: str) -> dict[str, int]:
    """Run the contract suite, or chosen tests, on a store in memory; return the counts."""
    pytester.makepyfile(
        test_store=f"""
        from runpy import run_path

        suite = run_path({__file__!r})
        memory = run_path({str(Path(__file__).with_name("test_memory.py"))!r})
        store = suite["_store_type"](suite[{store.__name__!r}])

        class TestStore(memory["TestMemory"]):
            def opened(self, *, wait=60.0):
                return store(self.memory, wait=min(wait, 1))
        """
    )
    run = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *chosen)
    return run.parseoutcomes()


def test_the_store_in_memory_passes_the_suite(pytester: pytest.Pytester) -> None:
    assert set(_outcomes(pytester, MemoryStore)) == {"passed"}


@pytest.mark.parametrize(("broken", "test"), TEST_BY_BROKEN_STORE.items())
def test_the_suite_finds_a_defect(broken: type, test: str, pytester: pytest.Pytester) -> None:
    assert _outcomes(pytester, broken, "-k", test)["failed"] > 0
