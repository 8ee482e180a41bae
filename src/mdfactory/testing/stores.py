"""The contract suite: tests that every store must pass.

Subclass `StoreTests` in the tests of a store, and implement `opened`, `raw_rows` and `raw_put`.
The last two access the data as another program would, without the store, so that reads and writes
are tested separately.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import pytest

from mdfactory.errors import (
    ConflictError,
    NotInitialisedError,
    QueryError,
    StoreLockedError,
    StoreVersionError,
)
from mdfactory.records.query import Condition, OneOf, Prefix, Query, Sort
from mdfactory.records.tables import (
    FORMAT_VERSION,
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    format_table,
)
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.store import Store
from mdfactory.testing.find import FindTests
from mdfactory.testing.history import HistoryTests
from mdfactory.testing.raw import read_hashes, read_rows, write_records
from mdfactory.testing.records import (
    AWKWARD_TEXTS,
    DENSITY,
    EXAMPLE_TABLES,
    overview,
    records,
    run,
)
from mdfactory.testing.writes import WriteTests

SELECTED_HASHES: Final[dict[tuple[Condition, ...], list[str]]] = {
    (): ["AB1", "AB2", "AC1", "ab1"],
    (Prefix("hash", "AB"),): ["AB1", "AB2"],
    (Prefix("hash", "AB1"),): ["AB1"],
    (Prefix("hash", "AB10"),): [],
    (Prefix("hash", ""),): ["AB1", "AB2", "AC1", "ab1"],
    (Prefix("hash", "A_"),): [],
    (OneOf("status", ("build", "completed")),): ["AB1", "AC1"],
    (OneOf("status", ()),): [],
    (OneOf("hash", ("AB1", "AC1", "ZZ")),): ["AB1", "AC1"],
    (Prefix("hash", "A"), OneOf("status", ("completed",))): ["AC1"],
    (OneOf("status", ("it's",)),): ["ab1"],
}
"""Conditions -> hashes of the records that meet them."""


class RecordTests(WriteTests):
    """Tests of what every store guarantees for tables, records, queries and transactions."""

    # Tables

    @pytest.mark.parametrize("verb", ["read", "count", "delete", "write"])
    def test_a_missing_table_is_an_error_that_names_the_command(
        self, empty: Store, verb: str
    ) -> None:
        verbs: dict[str, Callable[[], object]] = {
            "read": lambda: list(empty.read(SIMULATIONS)),
            "count": lambda: empty.count(SIMULATIONS),
            "delete": lambda: empty.delete(SIMULATIONS),
            "write": lambda: write_records(empty, SIMULATIONS, run("A")),
        }
        with pytest.raises(NotInitialisedError, match=r"No store yet.* mdfactory sync init all"):
            verbs[verb]()

    def test_a_new_store_has_no_tables(self, empty: Store) -> None:
        assert empty.tables() == []

    def test_only_record_tables_are_listed(self, store: Store) -> None:
        assert {table.name for table in store.tables()} == set(EXAMPLE_TABLES)

    def test_created_tables_are_seen_by_another_store_object(self, store: Store) -> None:
        assert {table.id for table in self.opened().tables()} == {t.id for t in store.tables()}

    def test_tables_can_be_created_one_by_one(self, empty: Store) -> None:
        for table, _ in EXAMPLE_TABLES.values():
            empty.create(table)
        assert {table.name for table in self.opened().tables()} == set(EXAMPLE_TABLES)

    def test_a_new_table_is_empty(self, store: Store) -> None:
        assert all(read_rows(store, table) == [] for table, _ in EXAMPLE_TABLES.values())

    def test_creating_a_table_again_keeps_its_records(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("A"))
        assert store.create(SIMULATIONS) == 0
        assert read_hashes(store) == ["A"]

    def test_replacing_a_table_removes_its_records_and_counts_them(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("A"), run("B"))
        write_records(store, DENSITY, EXAMPLE_TABLES[DENSITY.name][1]("A"))
        assert store.create(SIMULATIONS, replace=True) == 2
        assert read_hashes(store) == []
        assert store.count(DENSITY) == 1
        assert self.raw_digests(SIMULATIONS) == []
        assert len(self.raw_digests(DENSITY)) == 1

    def test_names_are_unique_regardless_of_case(self, empty: Store) -> None:
        upper, lower = analysis_table("AREA_PER_LIPID"), analysis_table("area_per_lipid")
        empty.create(upper)
        empty.create(lower)
        write_records(empty, lower, EXAMPLE_TABLES[DENSITY.name][1]("A"))
        assert [table.name for table in empty.tables()] == [upper.name]
        assert read_hashes(empty, upper) == ["A"]

    def test_a_store_of_a_newer_program_is_refused(self, store: Store) -> None:
        self.raw_put(format_table(Namespace.runs), [(FORMAT_VERSION + 1,)])
        with pytest.raises(StoreVersionError, match="pip install --upgrade mdfactory"):
            store.count(SIMULATIONS)
        with pytest.raises(StoreVersionError):
            write_records(store, SIMULATIONS, run("A"))

    # Exact values

    @pytest.mark.parametrize("name", list(EXAMPLE_TABLES))
    def test_records_are_stored_exactly(self, store: Store, name: str) -> None:
        table, example = EXAMPLE_TABLES[name]
        written = [example(hash_) for hash_ in ("A", "B", "C")]
        write_records(store, table, *written)
        assert sorted(read_rows(store, table)) == sorted(tuple(row.values()) for row in written)
        assert sorted(self.raw_rows(table)) == sorted(tuple(row.values()) for row in written)

    def test_awkward_texts_are_stored_exactly(self, store: Store) -> None:
        rows = {text: run(text, input_data=text, directory=text) for text in AWKWARD_TEXTS}
        write_records(store, SIMULATIONS, *rows.values(), run("another"))
        for text, row in rows.items():
            where = (OneOf("hash", (text,)),)
            assert read_rows(store, SIMULATIONS, Query(where=where)) == [tuple(row.values())]

    def test_texts_that_look_like_the_same_number_are_different_keys(self, store: Store) -> None:
        hashes = ["12", "0012", "12.0", "1.2e1", "12 "]
        write_records(store, SIMULATIONS, *(run(hash_) for hash_ in hashes))
        assert sorted(read_hashes(store)) == sorted(hashes)

    def test_a_cell_of_a_megabyte_is_stored_exactly(self, store: Store) -> None:
        text = "0,5.0,é\n" * 131_072
        write_records(store, DENSITY, EXAMPLE_TABLES[DENSITY.name][1]("A") | {"data_csv": text})
        assert read_rows(store, DENSITY, Query(columns=("data_csv",))) == [(text,)]

    def test_integers_are_read_as_integers(self, store: Store) -> None:
        write_records(store, OVERVIEW, overview("A", "density", row_count=2**53 + 1))
        assert read_rows(store, OVERVIEW, Query(columns=("row_count",))) == [(2**53 + 1,)]

    def test_batches_have_the_declared_schema(self, store: Store) -> None:
        write_records(store, OVERVIEW, overview("A", "density"))
        (batch,) = store.read(OVERVIEW)
        assert batch.schema == OVERVIEW.schema
        (batch,) = store.read(OVERVIEW, Query(columns=("row_count", "hash")))
        assert batch.schema.names == ["row_count", "hash"]

    def test_records_of_another_program_are_read(self, store: Store) -> None:
        foreign = tuple(run("A").values())
        self.raw_put(SIMULATIONS, [foreign])
        assert read_rows(store, SIMULATIONS) == [foreign]

    def test_ten_thousand_records_are_read_in_bounded_batches(self, store: Store) -> None:
        hashes = [f"{number:05}" for number in range(10_000)]
        write_records(store, SIMULATIONS, *(run(hash_) for hash_ in hashes))
        assert max(rows.num_rows for rows in store.read(SIMULATIONS)) <= 5_000
        assert sorted(read_hashes(store)) == hashes

    # Queries

    def test_conditions_select_records(self, store: Store) -> None:
        statuses = {"AB1": "build", "AB2": "production", "AC1": "completed", "ab1": "it's"}
        write_records(
            store, SIMULATIONS, *(run(hash_, status=status) for hash_, status in statuses.items())
        )
        for where, expected in SELECTED_HASHES.items():
            rows = read_rows(store, SIMULATIONS, Query(where=where))
            assert sorted(row[0] for row in rows) == expected, where
            assert store.count(SIMULATIONS, where) == len(expected), where

    def test_queries_sort_and_limit(self, store: Store) -> None:
        counts = {"B": 10, "A": 9, "C": 100}
        rows = [overview(hash_, "rdf", row_count=count) for hash_, count in counts.items()]
        write_records(store, OVERVIEW, *rows)
        ascending = Query(columns=("hash",), sort=Sort("row_count"))
        assert read_rows(store, OVERVIEW, ascending) == [("A",), ("B",), ("C",)]
        descending = Query(columns=("hash",), sort=Sort("row_count", descending=True), limit=2)
        assert read_rows(store, OVERVIEW, descending) == [("C",), ("B",)]
        assert read_rows(store, OVERVIEW, Query(limit=0)) == []

    def test_texts_are_sorted_by_code_point(self, store: Store) -> None:
        hashes = ["a", "B", "_", "Z", "é", "10", "9"]
        write_records(store, SIMULATIONS, *(run(hash_) for hash_ in hashes))
        answer = read_rows(store, SIMULATIONS, Query(columns=("hash",), sort=Sort("hash")))
        assert [row[0] for row in answer] == sorted(hashes)

    @pytest.mark.parametrize(
        ("table", "statuses"),
        [
            (SIMULATIONS, ["build", "equilibrated", "production", "completed", "a new", "late"]),
            (OVERVIEW, ["not_yet_run", "completed", "a new"]),
        ],
    )
    def test_statuses_are_sorted_by_progress(
        self, store: Store, table: Table, statuses: list[str]
    ) -> None:
        record = run if table is SIMULATIONS else partial(overview, name="rdf")
        rows = [record(f"A{number}", status=status) for number, status in enumerate(statuses)]
        write_records(store, table, *reversed(rows))
        for descending in (False, True):
            expected = statuses[::-1] if descending else statuses
            for columns in (("status",), ("status", "hash"), ("hash",)):
                query = Query(columns=columns, sort=Sort("status", descending), limit=3)
                order = [f"A{statuses.index(status)}" for status in expected[:3]]
                found = read_rows(store, table, query)
                assert found == [
                    tuple({"status": status, "hash": hash_}[name] for name in columns)
                    for status, hash_ in zip(expected, order, strict=False)
                ]

    @pytest.mark.parametrize(
        "query",
        [
            Query(where=(OneOf("colour", ("red",)),)),
            Query(columns=("colour",)),
            Query(sort=Sort("colour")),
        ],
    )
    def test_an_unknown_column_is_an_error_that_names_it(self, store: Store, query: Query) -> None:
        with pytest.raises(QueryError, match="colour"):
            list(store.read(SIMULATIONS, query))

    def test_delete_removes_the_selected_records(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("AB"), run("AC"), run("B"))
        assert store.delete(SIMULATIONS, (Prefix("hash", "A"),)) == 2
        assert read_hashes(store) == ["B"]
        assert store.delete(SIMULATIONS, (Prefix("hash", "A"),)) == 0

    def test_delete_by_part_of_a_key_keeps_records_with_another_part(self, store: Store) -> None:
        write_records(store, OVERVIEW, overview("A", "density"), overview("A", "rdf"))
        assert store.delete(OVERVIEW, (OneOf("item_name", ("rdf",)),)) == 1
        assert read_rows(store, OVERVIEW, Query(columns=("item_name",))) == [("density",)]

    def test_delete_removes_thousands_of_records(self, store: Store) -> None:
        write_records(store, SIMULATIONS, *(run(f"{number:04}") for number in range(2_500)))
        assert store.delete(SIMULATIONS) == 2_500
        assert self.raw_rows(SIMULATIONS) == []
        assert self.raw_digests(SIMULATIONS) == []

    # Transactions

    @pytest.mark.parametrize("reason", [RuntimeError, KeyboardInterrupt])
    def test_a_failed_transaction_leaves_the_store_unchanged(
        self, store: Store, reason: type[BaseException]
    ) -> None:
        write_records(store, SIMULATIONS, run("A"))
        with pytest.raises(reason):
            _change_and_fail(store, reason)
        assert read_rows(store, SIMULATIONS) == [tuple(run("A").values())]
        assert store.count(DENSITY) == 0
        assert {table.name for table in store.tables()} == set(EXAMPLE_TABLES)
        assert len(self.raw_digests(SIMULATIONS)) == 1

    def test_a_transaction_reads_its_own_writes(self, store: Store) -> None:
        with store.transaction(write=True) as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
            assert transaction.count(SIMULATIONS) == 1

    def test_readers_see_a_write_only_after_its_commit(self, store: Store) -> None:
        reader = self.opened()
        with store.transaction(write=True) as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
            assert reader.count(SIMULATIONS) == 0
        assert reader.count(SIMULATIONS) == 1

    def test_a_second_writer_waits_and_then_fails(self, store: Store) -> None:
        impatient = self.opened(wait=0.2)
        with store.transaction(write=True) as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
            with pytest.raises(StoreLockedError, match=r"0\.2 s"):
                write_records(impatient, SIMULATIONS, run("B"))
        write_records(impatient, SIMULATIONS, run("B"))
        assert sorted(read_hashes(store)) == ["A", "B"]

    def test_a_failed_write_releases_the_lock(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("A"))
        with pytest.raises(ConflictError):
            write_records(store, SIMULATIONS, run("A"))
        write_records(self.opened(wait=0.2), SIMULATIONS, run("B"))

    def test_an_answer_closed_early_releases_the_store(self, store: Store) -> None:
        write_records(store, SIMULATIONS, *(run(f"{number:05}") for number in range(6_000)))
        answer = store.read(SIMULATIONS)
        next(answer)
        answer.close()  # type: ignore[attr-defined]  # a generator
        write_records(self.opened(wait=0.2), SIMULATIONS, run("A"))


class StoreTests(RecordTests, FindTests, HistoryTests):
    """The contract suite. Every store passes all of its tests."""


def _change_and_fail(store: Store, reason: type[BaseException]) -> None:
    with store.transaction(write=True, create=set(Namespace)) as transaction:
        transaction.write(
            [(SIMULATIONS, records(SIMULATIONS, run("A", status="completed")))], ConflictMode.force
        )
        transaction.write(
            [(DENSITY, records(DENSITY, EXAMPLE_TABLES[DENSITY.name][1]("A")))], ConflictMode.refuse
        )
        transaction.delete(SIMULATIONS, (OneOf("hash", ("A",)),))
        transaction.create(analysis_table("fresh"))
        transaction.create(OVERVIEW, replace=True)
        raise reason
