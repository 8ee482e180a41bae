"""The contract suite: what every store must do, whatever is behind it.

Subclass `StoreTests` in the tests of a store and supply `opened` and the two raw
operations, which reach the data as another program would, past the store: so that what is
read and what is written are tested apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa
import pytest
from hypothesis import given, settings

from mdfactory.errors import (
    ConflictError,
    NotInitialisedError,
    QueryError,
    StoreLockedError,
    StoreVersionError,
)
from mdfactory.frames.codec import Frame, decode, encode
from mdfactory.records.arrow import array, batch, texts
from mdfactory.records.digests import content_digests, record_digest
from mdfactory.records.merge import Counts
from mdfactory.records.query import Condition, OneOf, Prefix, Query, Sort
from mdfactory.records.tables import (
    FORMAT_VERSION,
    FRAME_SIDECARS,
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    digest_table,
    format_table,
)
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.store import Store
from mdfactory.testing.frames import MODERATE, assert_same, tables
from mdfactory.testing.history import FRESH, HistoryTests
from mdfactory.testing.raw import Raw, Rows
from mdfactory.testing.records import (
    AWKWARD,
    DENSITY,
    EXAMPLES,
    LATER,
    analysis,
    kept,
    known,
    overview,
    records,
    run,
)

__all__ = ["RecordTests", "StoreTests"]


FRAMES_PER_STORE: Final = 15
"""Frames that Hypothesis draws for a store; what can go wrong with them is rarely the store's."""

CHOSEN: Final[dict[tuple[Condition, ...], list[str]]] = {
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
"""Conditions -> the hashes of the records that meet them."""


class RecordTests(Raw):
    """What every store promises of tables, records and transactions, as tests."""

    def _digests(self, table: Table) -> Rows:
        """Return the raw digests of the records of one table."""
        return [row for row in self.raw_rows(digest_table(table.namespace)) if row[0] == table.id]

    # Tables

    @pytest.mark.parametrize("verb", ["read", "count", "delete", "write", "plan"])
    def test_a_missing_table_is_an_error_that_names_the_command(
        self, empty: Store, verb: str
    ) -> None:
        verbs: dict[str, Callable[[], object]] = {
            "read": lambda: list(empty.read(SIMULATIONS)),
            "count": lambda: empty.count(SIMULATIONS),
            "delete": lambda: empty.delete(SIMULATIONS),
            "write": lambda: _write(empty, SIMULATIONS, run("A")),
            "plan": lambda: empty.plan(
                [(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse
            ),
        }
        with pytest.raises(NotInitialisedError, match="mdfactory sync init systems"):
            verbs[verb]()

    def test_a_new_store_has_no_tables(self, empty: Store) -> None:
        assert empty.tables() == []

    def test_created_tables_are_listed_without_those_that_describe_them(self, store: Store) -> None:
        assert {table.name for table in store.tables()} == set(EXAMPLES)

    def test_created_tables_are_there_for_whoever_opens_the_store_next(self, store: Store) -> None:
        assert {table.id for table in self.opened().tables()} == {t.id for t in store.tables()}

    def test_tables_can_be_made_one_by_one(self, empty: Store) -> None:
        for table, _ in EXAMPLES.values():
            empty.create(table)
        assert {table.name for table in self.opened().tables()} == set(EXAMPLES)

    def test_a_new_table_is_empty(self, store: Store) -> None:
        assert all(_rows(store, table) == [] for table, _ in EXAMPLES.values())

    def test_creating_a_table_again_leaves_its_records(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("A"))
        assert store.create(SIMULATIONS) == 0
        assert _hashes(store) == ["A"]

    def test_replacing_a_table_removes_its_records_and_counts_them(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("A"), run("B"))
        _write(store, DENSITY, EXAMPLES[DENSITY.name][1]("A"))
        assert store.create(SIMULATIONS, replace=True) == 2
        assert _hashes(store) == []
        assert store.count(DENSITY) == 1
        assert self._digests(SIMULATIONS) == []
        assert len(self._digests(DENSITY)) == 1

    def test_names_are_unique_regardless_of_case(self, empty: Store) -> None:
        shouted, spoken = analysis_table("AREA_PER_LIPID"), analysis_table("area_per_lipid")
        empty.create(shouted)
        empty.create(spoken)
        _write(empty, spoken, EXAMPLES[DENSITY.name][1]("A"))
        assert [table.name for table in empty.tables()] == [shouted.name]
        assert _hashes(empty, shouted) == ["A"]

    def test_a_store_of_a_newer_program_is_refused(self, store: Store) -> None:
        self.raw_put(format_table(Namespace.runs), [(FORMAT_VERSION + 1,)])
        with pytest.raises(StoreVersionError, match="pip install --upgrade mdfactory"):
            store.count(SIMULATIONS)
        with pytest.raises(StoreVersionError):
            _write(store, SIMULATIONS, run("A"))

    # What is put comes back

    @pytest.mark.parametrize("name", list(EXAMPLES))
    def test_records_come_back_as_they_were_written(self, store: Store, name: str) -> None:
        table, example = EXAMPLES[name]
        written = [example(hash_) for hash_ in ("A", "B", "C")]
        _write(store, table, *written)
        assert sorted(_rows(store, table)) == sorted(tuple(row.values()) for row in written)
        assert sorted(self.raw_rows(table)) == sorted(tuple(row.values()) for row in written)

    def test_awkward_texts_come_back_as_they_were(self, store: Store) -> None:
        rows = {text: run(text, input_data=text, directory=text) for text in AWKWARD}
        _write(store, SIMULATIONS, *rows.values(), run("another"))
        for text, row in rows.items():
            where = (OneOf("hash", (text,)),)
            assert _rows(store, SIMULATIONS, Query(where=where)) == [tuple(row.values())]

    def test_texts_that_look_like_the_same_number_are_different_keys(self, store: Store) -> None:
        hashes = ["12", "0012", "12.0", "1.2e1", "12 "]
        _write(store, SIMULATIONS, *(run(hash_) for hash_ in hashes))
        assert sorted(_hashes(store)) == sorted(hashes)

    def test_a_cell_of_a_megabyte_comes_back(self, store: Store) -> None:
        text = "0,5.0,é\n" * 131_072
        _write(store, DENSITY, EXAMPLES[DENSITY.name][1]("A") | {"data_csv": text})
        assert _rows(store, DENSITY, Query(columns=("data_csv",))) == [(text,)]

    def test_integers_come_back_as_integers(self, store: Store) -> None:
        _write(store, OVERVIEW, overview("A", "density", row_count=2**53 + 1))
        assert _rows(store, OVERVIEW, Query(columns=("row_count",))) == [(2**53 + 1,)]

    def test_answers_have_the_declared_schema(self, store: Store) -> None:
        _write(store, OVERVIEW, overview("A", "density"))
        (whole,) = store.read(OVERVIEW)
        assert whole.schema == OVERVIEW.schema
        (part,) = store.read(OVERVIEW, Query(columns=("row_count", "hash")))
        assert part.schema.names == ["row_count", "hash"]

    def test_records_of_another_program_are_read(self, store: Store) -> None:
        foreign = tuple(run("A").values())
        self.raw_put(SIMULATIONS, [foreign])
        assert _rows(store, SIMULATIONS) == [foreign]

    def test_ten_thousand_records_come_in_bounded_batches(self, store: Store) -> None:
        hashes = [f"{number:05}" for number in range(10_000)]
        _write(store, SIMULATIONS, *(run(hash_) for hash_ in hashes))
        assert max(rows.num_rows for rows in store.read(SIMULATIONS)) <= 5_000
        assert sorted(_hashes(store)) == hashes

    # Conflict modes

    def test_refuse_writes_new_records(self, store: Store) -> None:
        assert _write(store, SIMULATIONS, run("A"), run("B")) == {
            SIMULATIONS.name: Counts(inserted=2)
        }

    def test_refuse_writes_nothing_at_all_on_a_conflict(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("B"))
        incoming = [
            (DENSITY, records(DENSITY, EXAMPLES[DENSITY.name][1]("A"))),
            (SIMULATIONS, records(SIMULATIONS, run("A"))),
            (SIMULATIONS, records(SIMULATIONS, run("B", status="completed"), run("C"))),
        ]
        with pytest.raises(ConflictError, match="--update") as caught:
            store.write(incoming, ConflictMode.refuse)
        assert caught.value.conflicts == {SIMULATIONS.name: ("B",)}
        assert _rows(store, SIMULATIONS) == [tuple(run("B").values())]
        assert store.count(DENSITY) == 0

    def test_skip_leaves_what_is_there(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("A"))
        counts = _write(
            store, SIMULATIONS, run("A", status="completed"), run("B"), mode=ConflictMode.skip
        )
        assert counts == {SIMULATIONS.name: Counts(inserted=1, skipped=1)}
        assert sorted(_rows(store, SIMULATIONS)) == [tuple(run(hash_).values()) for hash_ in "AB"]

    def test_force_overwrites_what_is_there(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("A"))
        renewed = [run("A", timestamp_utc=LATER), run("B", timestamp_utc=LATER)]
        counts = _write(store, SIMULATIONS, *renewed, mode=ConflictMode.force)
        assert counts == {SIMULATIONS.name: Counts(inserted=1, updated=1)}
        assert sorted(_rows(store, SIMULATIONS)) == [tuple(row.values()) for row in renewed]

    def test_update_overwrites_only_what_changed(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("A"), run("B"))
        changed = run("B", status="completed", timestamp_utc=LATER)
        counts = _write(
            store,
            SIMULATIONS,
            run("A", timestamp_utc=LATER),
            changed,
            run("C"),
            mode=ConflictMode.update,
        )
        assert counts == {SIMULATIONS.name: Counts(inserted=1, updated=1, unchanged=1)}
        rows = [run("A"), changed, run("C")]
        assert sorted(_rows(store, SIMULATIONS)) == [tuple(row.values()) for row in rows]

    def test_update_compares_records_of_another_program_too(self, store: Store) -> None:
        self.raw_put(SIMULATIONS, [tuple(run(hash_).values()) for hash_ in "AB"])
        changed = run("B", status="completed")
        counts = _write(
            store, SIMULATIONS, run("A", timestamp_utc=LATER), changed, mode=ConflictMode.update
        )
        assert counts == {SIMULATIONS.name: Counts(updated=1, unchanged=1)}

    def test_update_sees_that_another_program_wrote_our_record_again(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("A"))
        digests = self.raw_rows(digest_table(Namespace.runs))
        store.delete(SIMULATIONS)
        self.raw_put(
            SIMULATIONS, [tuple(run("A", status="completed", timestamp_utc=LATER).values())]
        )
        self.raw_put(digest_table(Namespace.runs), digests)
        assert _write(store, SIMULATIONS, run("A"), mode=ConflictMode.update) == {
            SIMULATIONS.name: Counts(updated=1)
        }
        assert _rows(store, SIMULATIONS) == [tuple(run("A").values())]

    def test_update_of_many_records_leaves_them_all(self, store: Store) -> None:
        rows = [run(f"{number:04}") for number in range(3_000)]
        _write(store, SIMULATIONS, *rows)
        counts = _write(store, SIMULATIONS, *rows, mode=ConflictMode.update)
        assert counts == {SIMULATIONS.name: Counts(unchanged=3_000)}

    def test_keys_of_several_columns_are_told_apart(self, store: Store) -> None:
        _write(store, OVERVIEW, overview("A", "density"), overview("A", "rdf"))
        changed = overview("A", "rdf", status="completed")
        fresh = overview("B", "rdf")
        counts = _write(
            store, OVERVIEW, overview("A", "density"), changed, fresh, mode=ConflictMode.update
        )
        assert counts == {OVERVIEW.name: Counts(inserted=1, updated=1, unchanged=1)}
        assert store.count(OVERVIEW) == 3

    def test_a_key_that_stands_twice_in_a_batch_is_refused(self, store: Store) -> None:
        with pytest.raises(ValueError, match="twice"):
            _write(store, SIMULATIONS, run("A"), run("A"), mode=ConflictMode.force)
        assert _hashes(store) == []

    @pytest.mark.parametrize("mode", list(ConflictMode))
    def test_a_plan_tells_what_a_write_does_and_writes_nothing(
        self, store: Store, mode: ConflictMode
    ) -> None:
        if mode is not ConflictMode.refuse:
            _write(store, SIMULATIONS, run("A"), run("B"))
        before = _rows(store, SIMULATIONS)
        incoming = [
            (SIMULATIONS, records(SIMULATIONS, run("A"), run("B", status="completed"), run("C")))
        ]
        planned = store.plan(incoming, mode)
        assert _rows(store, SIMULATIONS) == before
        assert planned == store.write(incoming, mode)

    def test_a_plan_refuses_what_a_write_refuses(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("A"))
        with pytest.raises(ConflictError):
            store.plan([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)

    # Records that were not read

    @pytest.mark.parametrize("table", [SIMULATIONS, DENSITY], ids=lambda table: table.name)
    def test_what_is_known_of_a_record_tells_whether_it_is_left(
        self, store: Store, table: Table
    ) -> None:
        expected = {
            ConflictMode.update: (Counts(unchanged=1), [1, 2]),
            ConflictMode.skip: (Counts(skipped=2), [2]),
            ConflictMode.force: (Counts(), [0, 1, 2]),
            ConflictMode.refuse: (Counts(), [0, 1, 2]),
        }
        example = kept if table is DENSITY else run
        _write(store, table, example("A"), example("B"))
        before = _rows(store, table)
        rows = known(table, example("A"), example("B", directory="/moved/B"), example("C"))
        with store.operation("push") as one:
            for mode, left in expected.items():
                counts, positions = one.classify_digest_rows(table, rows, mode)
                assert (counts, sorted(positions)) == left, mode
        assert _rows(store, table) == before

    def test_what_is_kept_beside_a_record_tells_too(self, store: Store) -> None:
        _write(store, DENSITY, kept("A", digest="1"), kept("B", digest="1"))
        rows = known(DENSITY, kept("A", digest="1"), kept("B", digest="2"))
        with store.transaction() as transaction:
            left = transaction.classify_digest_rows(DENSITY, rows, ConflictMode.update)
            assert left == (Counts(unchanged=1), [1])

    def test_nothing_is_left_in_a_table_that_is_not_there(self, store: Store) -> None:
        rows = known(FRESH, kept("A"), kept("B"))
        with store.transaction() as transaction:
            counts, positions = transaction.classify_digest_rows(FRESH, rows, ConflictMode.update)
            assert (counts, list(positions)) == (Counts(), [0, 1])

    @pytest.mark.parametrize("table", [SIMULATIONS, DENSITY], ids=lambda table: table.name)
    def test_records_that_come_with_their_digests_are_stored_alike(
        self, store: Store, table: Table
    ) -> None:
        row = kept("A") if table is DENSITY else run("A")
        rows = batch(
            [[row[name] for name in table.schema_with_sidecar.names]], table.schema_with_sidecar
        )
        contents = content_digests(table, rows)
        whole = pa.RecordBatch.from_arrays(
            [*rows.columns, array(contents, pa.string())], schema=table.schema_with_digests
        )
        store.write([(table, whole)], ConflictMode.refuse)
        with store.transaction() as transaction:
            found = list(transaction.stored_digests(table, [("A",)]))
        time = rows[table.time][0].as_py()
        assert found == [(("A",), contents[0], record_digest(contents[0], time))]

    # Digests

    @pytest.mark.parametrize("name", list(EXAMPLES))
    def test_every_record_has_its_digests(self, store: Store, name: str) -> None:
        table, example = EXAMPLES[name]
        _write(store, table, example("A"))
        _write(store, table, example("A"), example("B"), mode=ConflictMode.force)
        stored = records(table, *(example(hash_) for hash_ in "AB"))
        contents = content_digests(table, stored)
        times = texts(stored[table.time])
        expected = {
            (content, record_digest(content, time))
            for content, time in zip(contents, times, strict=True)
        }
        digests = self._digests(table)
        assert {row[-2:] for row in digests} == expected
        assert sorted(row[:2] for row in digests) == [(table.id, "A"), (table.id, "B")]

    def test_a_deleted_record_leaves_no_digest(self, store: Store) -> None:
        _write(store, OVERVIEW, overview("A", "density"), overview("A", "rdf"))
        store.delete(OVERVIEW, (OneOf("item_name", ("rdf",)),))
        (digest,) = self._digests(OVERVIEW)
        assert digest[:4] == (OVERVIEW.id, "A", "analysis", "density")

    # What is kept beside records

    def test_what_is_kept_beside_a_record_comes_with_it(self, store: Store) -> None:
        _write(store, DENSITY, kept("A"), kept("B", arrow_ipc="b" * 1_000))
        whole = self._whole(store)
        assert whole == {"A": kept("A"), "B": kept("B", arrow_ipc="b" * 1_000)}

    def test_what_is_kept_beside_goes_with_its_record(self, store: Store) -> None:
        _write(store, DENSITY, kept("A"), kept("B"))
        store.delete(DENSITY, (OneOf("hash", ("A",)),))
        assert [row[:2] for row in self.raw_rows(FRAME_SIDECARS)] == [(DENSITY.id, "B")]
        store.create(DENSITY, replace=True)
        assert self.raw_rows(FRAME_SIDECARS) == []

    def test_a_record_that_comes_without_has_nothing_beside_it(self, store: Store) -> None:
        _write(store, DENSITY, kept("A"), kept("B"))
        _write(store, DENSITY, analysis("A"), mode=ConflictMode.force)
        assert self._whole(store)["A"]["arrow_schema"] == ""
        assert self._whole(store)["B"]["arrow_schema"] == "schema"

    def test_what_belongs_to_another_time_is_not_taken_for_the_record_s(self, store: Store) -> None:
        """Another program has written the record again."""
        _write(store, DENSITY, kept("A"))
        beside = self.raw_rows(FRAME_SIDECARS)
        store.delete(DENSITY)
        self.raw_put(DENSITY, [tuple(analysis("A", timestamp_utc=LATER).values())])
        self.raw_put(FRAME_SIDECARS, beside)
        assert self._whole(store)["A"]["arrow_schema"] == ""

    def test_update_sees_a_change_of_what_is_kept_beside(self, store: Store) -> None:
        _write(store, DENSITY, kept("A"), kept("B"))
        changed = kept("A", entry="{}", digest="2", timestamp_utc=LATER)
        same = kept("B", timestamp_utc=LATER)
        counts = _write(store, DENSITY, changed, same, mode=ConflictMode.update)
        assert counts == {DENSITY.name: Counts(updated=1, unchanged=1)}
        assert self._whole(store) == {"A": changed, "B": kept("B")}

    def _whole(self, store: Store) -> dict[str, dict[str, Any]]:
        with store.transaction() as transaction:
            return {
                row["hash"]: row
                for rows in transaction.read_with_sidecars(DENSITY)
                for row in rows.to_pylist()
            }

    @settings(MODERATE, max_examples=FRAMES_PER_STORE)
    @given(table=tables())
    def test_a_frame_comes_back_exactly(self, table: pa.Table) -> None:
        store = self.opened()
        store.create(DENSITY)
        encoded = asdict(encode(table))
        _write(store, DENSITY, kept("A", **encoded), mode=ConflictMode.force)
        row = self._whole(store)["A"]
        assert_same(decode(Frame(**{name: row[name] for name in encoded})), table)

    def test_large_cells_come_in_batches_of_few(self, store: Store) -> None:
        text = "x" * 2**22
        _write(store, DENSITY, *(kept(hash_, data_csv=text) for hash_ in "ABCDEFGH"))
        sizes = [rows.num_rows for rows in store.read(DENSITY)]
        assert sum(sizes) == 8
        assert max(sizes) <= 4

    # Filters

    def test_conditions_choose_records(self, store: Store) -> None:
        statuses = {"AB1": "build", "AB2": "production", "AC1": "completed", "ab1": "it's"}
        _write(
            store, SIMULATIONS, *(run(hash_, status=status) for hash_, status in statuses.items())
        )
        for where, expected in CHOSEN.items():
            rows = _rows(store, SIMULATIONS, Query(where=where))
            assert sorted(row[0] for row in rows) == expected, where
            assert store.count(SIMULATIONS, where) == len(expected), where

    def test_answers_are_sorted_and_limited(self, store: Store) -> None:
        counts = {"B": 10, "A": 9, "C": 100}
        rows = [overview(hash_, "rdf", row_count=count) for hash_, count in counts.items()]
        _write(store, OVERVIEW, *rows)
        ascending = Query(columns=("hash",), sort=Sort("row_count"))
        assert _rows(store, OVERVIEW, ascending) == [("A",), ("B",), ("C",)]
        descending = Query(columns=("hash",), sort=Sort("row_count", descending=True), limit=2)
        assert _rows(store, OVERVIEW, descending) == [("C",), ("B",)]
        assert _rows(store, OVERVIEW, Query(limit=0)) == []

    def test_texts_are_sorted_by_their_characters(self, store: Store) -> None:
        hashes = ["a", "B", "_", "Z", "é", "10", "9"]
        _write(store, SIMULATIONS, *(run(hash_) for hash_ in hashes))
        answer = _rows(store, SIMULATIONS, Query(columns=("hash",), sort=Sort("hash")))
        assert [row[0] for row in answer] == sorted(hashes)

    @pytest.mark.parametrize(
        "query",
        [
            Query(where=(OneOf("colour", ("red",)),)),
            Query(columns=("colour",)),
            Query(sort=Sort("colour")),
        ],
    )
    def test_a_column_that_is_none_is_refused_by_name(self, store: Store, query: Query) -> None:
        with pytest.raises(QueryError, match="colour"):
            list(store.read(SIMULATIONS, query))

    def test_deleting_removes_what_the_conditions_choose(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("AB"), run("AC"), run("B"))
        assert store.delete(SIMULATIONS, (Prefix("hash", "A"),)) == 2
        assert _hashes(store) == ["B"]
        assert store.delete(SIMULATIONS, (Prefix("hash", "A"),)) == 0

    def test_deleting_by_part_of_a_key_leaves_the_other_part(self, store: Store) -> None:
        _write(store, OVERVIEW, overview("A", "density"), overview("A", "rdf"))
        assert store.delete(OVERVIEW, (OneOf("item_name", ("rdf",)),)) == 1
        assert _rows(store, OVERVIEW, Query(columns=("item_name",))) == [("density",)]

    def test_deleting_thousands_removes_them_all(self, store: Store) -> None:
        _write(store, SIMULATIONS, *(run(f"{number:04}") for number in range(2_500)))
        assert store.delete(SIMULATIONS) == 2_500
        assert self.raw_rows(SIMULATIONS) == []
        assert self._digests(SIMULATIONS) == []

    # Transactions

    @pytest.mark.parametrize("reason", [RuntimeError, KeyboardInterrupt])
    def test_a_transaction_that_fails_leaves_all_as_it_was(
        self, store: Store, reason: type[BaseException]
    ) -> None:
        _write(store, SIMULATIONS, run("A"))
        with pytest.raises(reason):
            _fail_in_the_middle(store, reason)
        assert _rows(store, SIMULATIONS) == [tuple(run("A").values())]
        assert store.count(DENSITY) == 0
        assert {table.name for table in store.tables()} == set(EXAMPLES)
        assert len(self._digests(SIMULATIONS)) == 1

    def test_a_transaction_sees_what_it_wrote(self, store: Store) -> None:
        with store.transaction(write=True) as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
            assert transaction.count(SIMULATIONS) == 1

    def test_others_see_a_write_only_when_it_is_whole(self, store: Store) -> None:
        other = self.opened()
        with store.transaction(write=True) as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
            assert other.count(SIMULATIONS) == 0
        assert other.count(SIMULATIONS) == 1

    def test_a_second_writer_waits_and_then_says_so(self, store: Store) -> None:
        impatient = self.opened(wait=0.2)
        with store.transaction(write=True) as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
            with pytest.raises(StoreLockedError, match=r"0\.2 s"):
                _write(impatient, SIMULATIONS, run("B"))
        _write(impatient, SIMULATIONS, run("B"))
        assert sorted(_hashes(store)) == ["A", "B"]

    def test_a_failed_write_does_not_hold_the_store(self, store: Store) -> None:
        _write(store, SIMULATIONS, run("A"))
        with pytest.raises(ConflictError):
            _write(store, SIMULATIONS, run("A"))
        _write(self.opened(wait=0.2), SIMULATIONS, run("B"))

    def test_an_answer_that_is_not_read_to_its_end_does_not_hold_the_store(
        self, store: Store
    ) -> None:
        _write(store, SIMULATIONS, *(run(f"{number:05}") for number in range(6_000)))
        answer = store.read(SIMULATIONS)
        next(answer)
        answer.close()  # type: ignore[attr-defined]  # a generator
        _write(self.opened(wait=0.2), SIMULATIONS, run("A"))


class StoreTests(RecordTests, HistoryTests):
    """The promises of `Store`, as tests. Every store passes all of them."""


def _fail_in_the_middle(store: Store, reason: type[BaseException]) -> None:
    with store.transaction(write=True, create=set(Namespace)) as both:
        both.write(
            [(SIMULATIONS, records(SIMULATIONS, run("A", status="completed")))], ConflictMode.force
        )
        both.write(
            [(DENSITY, records(DENSITY, EXAMPLES[DENSITY.name][1]("A")))], ConflictMode.refuse
        )
        both.delete(SIMULATIONS, (OneOf("hash", ("A",)),))
        both.create(analysis_table("fresh"))
        both.create(OVERVIEW, replace=True)
        raise reason


def _write(
    store: Store, table: Table, *rows: dict[str, Any], mode: ConflictMode = ConflictMode.refuse
) -> dict[str, Counts]:
    return store.write([(table, records(table, *rows))], mode)


def _rows(store: Store, table: Table, query: Query | None = None) -> Rows:
    query = query or Query()
    answer = pa.Table.from_batches(store.read(table, query), schema=query.schema(table))
    rows = _tuples(answer.columns)
    with store.transaction() as transaction:
        assert list(transaction.values(table, query)) == rows
    return rows


def _tuples(columns: Sequence[pa.ChunkedArray[Any]]) -> Rows:
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def _hashes(store: Store, table: Table = SIMULATIONS) -> list[str]:
    return [row[0] for row in _rows(store, table, Query(columns=("hash",)))]
