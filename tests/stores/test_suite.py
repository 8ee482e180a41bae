"""The contract suite finds each way of breaking the contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mdfactory.records.query import OneOf, Prefix, Query, apply
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.keys import Key
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.testing.memory import BATCH, MemoryStore, MemoryTransaction

pytest_plugins = ["pytester"]


def _changed(rows: pa.RecordBatch, change: Callable[[str], str]) -> pa.RecordBatch:
    values = [
        {name: change(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows.to_pylist()
    ]
    return pa.RecordBatch.from_pylist(values, schema=rows.schema)


class Stripping(MemoryTransaction):
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        super().put(table, _changed(rows, str.strip))


class GuessingNumbers(MemoryTransaction):
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        super().put(table, _changed(rows, lambda text: text.lstrip("0") or text))


class TakingMissingForEmpty(MemoryTransaction):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        rows = (
            _changed(batch, lambda text: "" if text == "NA" else text)
            for batch in super().scan(table, query)
        )
        yield from rows


class CuttingLongCells(MemoryTransaction):
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        super().put(table, _changed(rows, lambda text: text[:65_535]))


class Appending(MemoryTransaction):
    """Leaves the replaced row beside the new one."""

    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        name, stored = self.rows[table.namespace, table.id]
        added = pa.Table.from_batches([rows], table.schema)
        self.rows[table.namespace, table.id] = (name, pa.concat_tables([stored, added]))


class IgnoringConditions(MemoryTransaction):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        where = tuple(one for one in query.where if not isinstance(one, Prefix))
        return super().scan(table, Query(where, query.columns, query.sort, query.limit))


class IgnoringCase(MemoryTransaction):
    """Compares prefixes the way LIKE does."""

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        exact = tuple(one for one in query.where if isinstance(one, OneOf))
        rows = pa.Table.from_batches(super().scan(table, Query(where=exact)), table.schema)
        for one in set(query.where) - set(exact):
            rows = rows.filter(pc.starts_with(rows[one.column], one.text, ignore_case=True))
        rest = Query(columns=query.columns, sort=query.sort, limit=query.limit)
        yield from apply(rest, rows).to_batches(max_chunksize=BATCH)


class IgnoringTheLimit(MemoryTransaction):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        return super().scan(table, Query(query.where, query.columns, query.sort))


class IgnoringTheOrder(MemoryTransaction):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        return super().scan(table, Query(query.where, query.columns, None, query.limit))


class EmptyWhereMissing(MemoryTransaction):
    def require(self, table: Table) -> None:
        if not self.has(table):
            self.make(table)


class MindingCase(MemoryTransaction):
    def has(self, table: Table) -> bool:
        return table.name in self.names(table.namespace)


class RemovingByTheFirstColumn(MemoryTransaction):
    def remove(self, table: Table, keys: Sequence[Key]) -> None:
        name, stored = self.rows[table.namespace, table.id]
        hashes = {key[0] for key in keys}
        kept = [value not in hashes for value in stored[table.key[0]].to_pylist()]
        self.rows[table.namespace, table.id] = (name, stored.filter(pa.array(kept, pa.bool_())))


class ForgettingDigests(MemoryTransaction):
    def put(self, table: Table, rows: pa.RecordBatch) -> None:
        if table.is_record:
            super().put(table, rows)


class LookingUpTooFew(MemoryTransaction):
    """Loses part of a long list of keys, as a limit on parameters would."""

    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        where = tuple(
            OneOf(one.column, one.values[:500]) if isinstance(one, OneOf) else one
            for one in query.where
        )
        return super().scan(table, Query(where, query.columns, query.sort, query.limit))


class AnsweringAtOnce(MemoryTransaction):
    def scan(self, table: Table, query: Query) -> Iterator[pa.RecordBatch]:
        rows = pa.Table.from_batches(super().scan(table, query), query.schema(table))
        yield from rows.combine_chunks().to_batches()


class CommittingFailures(MemoryStore):
    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:
        transaction = MemoryTransaction(dict(self.memory.tables))
        try:
            yield transaction
        finally:
            self.memory.tables = transaction.rows


class ShowingHalf(MemoryStore):
    """Writes in place: others see a transaction before it is whole."""

    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:
        yield MemoryTransaction(self.memory.tables)


class WithoutLock(MemoryStore):
    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:
        transaction = MemoryTransaction(dict(self.memory.tables))
        yield transaction
        if write:
            self.memory.tables = transaction.rows


class KeepingTheLock(MemoryStore):
    @contextmanager
    def _open(self, *, write: bool, create: Collection[Namespace]) -> Iterator[Transaction]:
        if write and not self.memory.lock.acquire(timeout=self.wait):
            raise TimeoutError
        transaction = MemoryTransaction(dict(self.memory.tables))
        yield transaction
        if write:
            self.memory.tables = transaction.rows
            self.memory.lock.release()


BROKEN = {
    Stripping: "test_awkward_texts_come_back_as_they_were",
    GuessingNumbers: "test_texts_that_look_like_the_same_number_are_different_keys",
    TakingMissingForEmpty: "test_awkward_texts_come_back_as_they_were",
    CuttingLongCells: "test_a_cell_of_a_megabyte_comes_back",
    Appending: "test_force_overwrites_what_is_there",
    IgnoringConditions: "test_deleting_removes_what_the_conditions_choose",
    IgnoringCase: "test_conditions_choose_records",
    IgnoringTheLimit: "test_answers_are_sorted_and_limited",
    IgnoringTheOrder: "test_texts_are_sorted_by_their_characters",
    EmptyWhereMissing: "test_a_missing_table_is_an_error_that_names_the_command",
    MindingCase: "test_names_are_unique_regardless_of_case",
    RemovingByTheFirstColumn: "test_deleting_by_part_of_a_key_leaves_the_other_part",
    ForgettingDigests: "test_every_record_has_its_digests",
    LookingUpTooFew: "test_update_of_many_records_leaves_them_all",
    AnsweringAtOnce: "test_ten_thousand_records_come_in_bounded_batches",
    CommittingFailures: "test_a_transaction_that_fails_leaves_all_as_it_was",
    ShowingHalf: "test_others_see_a_write_only_when_it_is_whole",
    WithoutLock: "test_a_second_writer_waits_and_then_says_so",
    KeepingTheLock: "test_a_failed_write_does_not_hold_the_store",
}
"""A defect -> the test of the suite that finds it."""


def _store(broken: type) -> type[Store]:
    if issubclass(broken, Store):
        return broken
    return type(broken.__name__, (MemoryStore,), {"transaction_type": broken})


def _outcomes(pytester: pytest.Pytester, store: type, *chosen: str) -> dict[str, int]:
    """Run tests of the contract suite on a store as on the one in memory; all by default."""
    pytester.makepyfile(
        test_store=f"""
        from runpy import run_path

        suite = run_path({__file__!r})
        memory = run_path({str(Path(__file__).with_name("test_memory.py"))!r})
        store = suite["_store"](suite[{store.__name__!r}])

        class TestStore(memory["TestMemory"]):
            def opened(self, *, wait=60.0):
                return store(self.memory, wait=min(wait, 1))
        """
    )
    run = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *chosen)
    return run.parseoutcomes()


def test_the_suite_passes_a_store_that_keeps_the_contract(pytester: pytest.Pytester) -> None:
    assert set(_outcomes(pytester, MemoryStore)) == {"passed"}


@pytest.mark.parametrize(("broken", "test"), BROKEN.items())
def test_the_suite_finds_a_broken_store(broken: type, test: str, pytester: pytest.Pytester) -> None:
    assert _outcomes(pytester, broken, "-k", test)["failed"] > 0
