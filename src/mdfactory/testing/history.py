"""The part of the contract suite that is about the log of a store, and about undo."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Final

import pytest

from mdfactory.errors import (
    ChangedSinceError,
    ConflictError,
    StoreChangedError,
    StoreError,
    UndoError,
)
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import (
    FRAME_SIDECARS,
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    digest_table,
    log_table,
    undo_table,
)
from mdfactory.records.vocabulary import ConflictMode, Retention
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.log import history
from mdfactory.sync.undo import undo
from mdfactory.testing.raw import Raw, Rows
from mdfactory.testing.records import DENSITY, LATER, analysis, kept, overview, records, run

__all__ = ["HistoryTests"]

TABLES = (SIMULATIONS, OVERVIEW, DENSITY, FRAME_SIDECARS, *map(digest_table, Namespace))
"""All tables that an undo brings back."""

FRESH = analysis_table("fresh")


def _insert(one: Transaction) -> None:
    one.write(
        [
            (SIMULATIONS, records(SIMULATIONS, run("C"), run("D"))),
            (OVERVIEW, records(OVERVIEW, overview("C", "density"))),
            (DENSITY, records(DENSITY, kept("C"))),
            (DENSITY, records(DENSITY, analysis("D"))),
        ],
        ConflictMode.refuse,
    )


def _force(one: Transaction) -> None:
    one.write(
        [
            (
                SIMULATIONS,
                records(SIMULATIONS, run("A", status="completed", timestamp_utc=LATER), run("C")),
            ),
            (OVERVIEW, records(OVERVIEW, overview("A", "rdf", row_count=7))),
            (DENSITY, records(DENSITY, kept("B", data_csv="x\n2\n", timestamp_utc=LATER))),
            (DENSITY, records(DENSITY, analysis("A", timestamp_utc=LATER))),
        ],
        ConflictMode.force,
    )


def _beside(one: Transaction) -> None:
    one.write([(DENSITY, records(DENSITY, kept("A", digest="2", entry="{}")))], ConflictMode.update)


def _clear(one: Transaction) -> None:
    for table in (SIMULATIONS, OVERVIEW, DENSITY):
        one.delete(table)


def _clear_some(one: Transaction) -> None:
    one.delete(DENSITY, (OneOf("hash", ("A",)),))
    one.delete(OVERVIEW, (OneOf("item_name", ("rdf",)),))


def _anew(one: Transaction) -> None:
    for table in (SIMULATIONS, OVERVIEW, DENSITY):
        one.create(table, replace=True)


def _twice(one: Transaction) -> None:
    _clear(one)
    _force(one)
    _beside(one)
    one.delete(SIMULATIONS, (OneOf("hash", ("C",)),))


def _insert_fresh(one: Transaction) -> None:
    one.write([(SIMULATIONS, records(SIMULATIONS, run("Y")))], ConflictMode.refuse)


OPERATIONS: dict[str, Callable[[Transaction], None]] = {
    "insert": _insert,
    "force": _force,
    "beside": _beside,
    "clear": _clear,
    "clear some": _clear_some,
    "anew": _anew,
    "twice": _twice,
    "insert fresh": _insert_fresh,
}


DAMAGES: Final[tuple[dict[str, Any], ...]] = (
    {"changes": "{broken"},
    {"changes": '{"RUN_DATABASE": 3}'},
    {"changes": "[1]"},
    {"made": "null"},
    {"dropped": "[1]"},
    {"place": "elsewhere"},
    {"operation": 2**63 - 1},
)
"""What may have become of an entry of the log."""


class HistoryTests(Raw):
    """What every store promises of its log, and of undo, as tests."""

    def _raw(self) -> dict[str, Rows]:
        """Return all rows of all tables, read past the store."""
        return {f"{table.namespace}/{table.name}": sorted(self.raw_rows(table)) for table in TABLES}

    @pytest.fixture
    def filled(self, store: Store) -> Store:
        """Return a store with records of all kinds: ours, and some of another program."""
        batches = [
            (SIMULATIONS, records(SIMULATIONS, run("A"), run("B"))),
            (OVERVIEW, records(OVERVIEW, overview("A", "density"), overview("A", "rdf"))),
            (DENSITY, records(DENSITY, kept("A"), kept("B", arrow_ipc="b" * 1_000))),
        ]
        store.write(batches, ConflictMode.refuse)
        self.raw_put(DENSITY, [tuple(analysis("E").values())])
        self.raw_put(SIMULATIONS, [tuple(run("E").values())])
        return store

    def test_operations_can_be_undone_and_done_again_bit_for_bit(self, filled: Store) -> None:
        before = self._raw()
        for name in OPERATIONS:
            _operate(filled, name)
            after = self._raw()
            assert after != before, name
            for expected in (before, after, before):
                undo(self.opened())
                assert self._raw() == expected, name

    def test_operations_can_be_undone_one_after_the_other(self, filled: Store) -> None:
        states = [self._raw()]
        for name in ("force", "beside", "clear some", "twice", "anew"):
            _operate(filled, name)
            states.append(self._raw())
        for number in range(len(states) - 1, 0, -1):
            assert undo(filled, number).changed
            assert self._raw() == states[number - 1]

    def test_records_of_another_program_are_undone_and_stay_without_digests(
        self, filled: Store
    ) -> None:
        before = self._raw()
        with filled.operation("force") as one:
            one.write(
                [(SIMULATIONS, records(SIMULATIONS, run("E", status="completed")))],
                ConflictMode.force,
            )
            one.write([(DENSITY, records(DENSITY, kept("E")))], ConflictMode.force)
        undo(filled)
        assert self._raw() == before

    @pytest.mark.parametrize("name", ["force", "twice"])
    def test_an_undo_of_what_is_undone_changes_nothing(self, filled: Store, name: str) -> None:
        _operate(filled, name)
        undo(filled, 1)
        before = self._raw()
        planned = undo(filled, 1, dry_run=True)
        assert planned.changes == undo(filled, 1).changes
        assert planned.changed == (name == "twice")  # it made and removed a record on the way
        assert self._raw() == before

    def test_tables_that_an_operation_made_anew_and_first_go_with_it(self, empty: Store) -> None:
        with empty.operation("init --force", create=set(Namespace)) as one:
            _anew(one)
        undo(empty)  # Foundry alone cannot do without a table again
        tables = self.opened().tables()
        assert tables == [] or empty.location.startswith("Foundry")
        undo(empty)  # of the undo, in a store without tables
        assert {table.id for table in self.opened().tables()} == {
            table.id for table in (SIMULATIONS, OVERVIEW, DENSITY)
        }

    def test_an_undo_is_not_done_if_something_was_done_meanwhile(self, filled: Store) -> None:
        _operate(filled, "force")
        slow = _Overtaken(self.opened(), lambda: _operate(filled, "insert fresh"))
        with pytest.raises(StoreChangedError, match="operation 2 was done meanwhile"):
            undo(slow)
        assert len(history(filled)) == 2

    def test_a_dry_run_needs_no_lock(self, filled: Store) -> None:
        _operate(filled, "twice")
        with filled.transaction(write=True):
            planned = undo(self.opened(wait=0.1), dry_run=True)
        assert planned.changes == undo(filled).changes

    def test_a_dry_run_of_an_undo_tells_and_changes_nothing(self, filled: Store) -> None:
        _operate(filled, "force")
        after = self._raw()
        planned = undo(filled, dry_run=True)
        assert self._raw() == after
        assert len(history(filled)) == 1
        assert planned.changes == undo(filled).changes

    def test_the_log_tells_what_was_done(self, filled: Store) -> None:
        with filled.operation("push this") as one:
            _force(one)
        with filled.operation("push nothing") as one:
            one.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.skip)
        undo(filled, command="undo it")
        undone, nothing, push = history(self.opened())
        assert [one.number for one in (undone, nothing, push)] == [3, 2, 1]
        assert [one.entries[0].command for one in (undone, nothing, push)] == [
            "undo it",
            "push nothing",
            "push this",
        ]
        assert push.changes == {
            SIMULATIONS.name: {"inserted": 1, "updated": 1},
            OVERVIEW.name: {"updated": 1},
            DENSITY.name: {"updated": 2},
        }
        assert push.undone_by == 3
        assert undone.entries[0].undoes == 1
        assert undone.changes[SIMULATIONS.name] == {"updated": 1, "removed": 1}
        assert not nothing.changed
        assert nothing.changes == {SIMULATIONS.name: {"skipped": 1}}
        assert all(entry.who and entry.host and entry.version for entry in push.entries)
        assert push.entries[0].time.endswith("+00:00")

    def test_an_operation_that_fails_leaves_no_entry(self, filled: Store) -> None:
        before = self._raw()
        with pytest.raises(ConflictError):
            _fail(filled)
        assert history(filled) == []
        assert self._raw() == before

    def test_a_table_that_an_operation_made_goes_and_comes_with_it(self, filled: Store) -> None:
        with filled.operation("push") as one:
            one.create(FRESH)
            one.write([(FRESH, records(FRESH, kept("A")))], ConflictMode.refuse)
        undo(filled)
        assert FRESH.id not in {table.id for table in filled.tables() if filled.count(table)}
        undo(filled)
        assert filled.count(FRESH) == 1

    def test_a_table_with_records_of_another_program_stays(self, filled: Store) -> None:
        with filled.operation("push") as one:
            one.create(FRESH)
            one.write([(FRESH, records(FRESH, kept("A")))], ConflictMode.refuse)
        self.raw_put(FRESH, [tuple(analysis("X").values())])
        undo(filled)
        assert filled.count(FRESH) == 1

    # Other programs

    @pytest.mark.parametrize(
        "foreign",
        [
            lambda store: _write(
                store, SIMULATIONS, run("A", directory="/else"), mode=ConflictMode.force
            ),
            lambda store: store.delete(SIMULATIONS, (OneOf("hash", ("A",)),)),
            lambda store: _write(
                store, SIMULATIONS, run("A", timestamp_utc="now"), mode=ConflictMode.force
            ),
        ],
        ids=["changed", "removed", "written again"],
    )
    def test_a_record_that_was_changed_since_is_named_and_nothing_is_undone(
        self, filled: Store, foreign: Callable[[Store], None]
    ) -> None:
        _operate(filled, "force")
        foreign(filled)
        state = self._raw()
        with pytest.raises(ChangedSinceError, match="RUN_DATABASE: 1 record: A") as caught:
            undo(filled)
        assert caught.value.changed == {SIMULATIONS.name: ("A",)}
        assert self._raw() == state
        assert len(history(filled)) == 1

    def test_a_record_that_came_back_since_it_was_cleared_is_named(self, filled: Store) -> None:
        _operate(filled, "clear")
        self.raw_put(SIMULATIONS, [tuple(run("B", status="completed").values())])
        self.raw_put(DENSITY, [tuple(analysis("A", timestamp_utc=LATER).values())])
        with pytest.raises(ChangedSinceError) as caught:
            undo(filled)
        assert caught.value.changed == {SIMULATIONS.name: ("B",), DENSITY.name: ("A",)}

    def test_what_is_kept_beside_a_record_counts(self, filled: Store) -> None:
        _operate(filled, "insert")
        _write(filled, DENSITY, kept("C", digest="other"), mode=ConflictMode.force)
        with pytest.raises(ChangedSinceError, match="ANALYSIS_density: 1 record: C"):
            undo(filled)

    def test_records_of_another_program_that_came_since_stay(self, filled: Store) -> None:
        _operate(filled, "anew")
        self.raw_put(SIMULATIONS, [tuple(run("F").values())])
        undo(filled)
        assert sorted(row[0] for row in self.raw_rows(SIMULATIONS)) == ["A", "B", "E", "F"]

    def test_what_is_as_it_was_before_needs_no_undo(self, filled: Store) -> None:
        before = self._raw()
        _operate(filled, "force")
        _write(filled, SIMULATIONS, run("A"), mode=ConflictMode.force)
        undo(filled)
        assert self._raw() == before

    # Damage

    def test_what_was_kept_and_is_damaged_is_not_put_back(self, filled: Store) -> None:
        _operate(filled, "force")
        state = self._raw()
        undos = undo_table(Namespace.runs, 0)
        with filled.transaction() as now:
            (rows,) = now.scan(undos, Query(limit=1))
        (row,) = rows.to_pylist()
        for column in ("left", "before", "record_table", "operation"):
            value = row[column]
            damage = 7 if column == "operation" else f"{value[:9]}A{value[10:]}A"
            with filled.transaction(write=True) as one:
                one.put(undos, records(undos, row | {column: damage}))
            for dry_run in (True, False):
                with pytest.raises(StoreError, match="damaged; nothing was undone"):
                    undo(filled, dry_run=dry_run)
        assert self._raw() == state

    def test_damaged_entries_of_the_log_are_in_nobody_s_way(
        self, filled: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        _operate(filled, "force")
        table = log_table(Namespace.runs)
        with filled.transaction(write=True) as one:
            (rows,) = one.scan(table, Query(limit=1))
            row = rows.to_pylist()[0]
            for number, damage in enumerate(DAMAGES, start=9):
                one.put(table, records(table, row | {"operation": number} | damage))
        _operate(filled, "insert fresh")
        latest, first = history(filled)
        assert (latest.entries[0].command, first.number) == ("insert fresh", 1)
        assert caplog.text.count("damaged") >= len(DAMAGES)
        assert undo(filled, latest.number).changed

    def test_an_operation_does_not_read_what_all_others_did(
        self, filled: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log of a store that is pushed to every hour has many thousand entries.

        Each is damaged in another place, so that whatever reads it says which one it was.
        """
        filled.retention = Retention(operations=3)
        for _ in range(4):
            _operate(filled, "force")
        with filled.transaction(write=True) as one:
            for table in filter(one.has, map(log_table, Namespace)):
                for row in [row for some in one.scan(table, Query()) for row in some.to_pylist()]:
                    damage = {"changes": " " * row["operation"] + "{broken"}
                    one.put(table, records(table, row | damage))
        with filled.operation("nothing"):
            pass
        assert caplog.messages == []
        _operate(filled, "force")
        read = set(re.findall(r"\(char (\d+)\)", caplog.text))
        assert read == {"3"}  # the second, of which nothing is kept any more
        history(filled)
        read = set(re.findall(r"\(char (\d+)\)", caplog.text))
        assert read == {"2", "3", "4", "5"}

    def test_one_number_of_two_operations_is_told(self, filled: Store) -> None:
        """One of two files was put back from a backup, and work went on."""
        _operate(filled, "force")
        table = log_table(Namespace.runs)
        with filled.transaction(write=True) as one:
            rows = [row for some in one.scan(table, Query()) for row in some.to_pylist()]
            (row,) = [row for row in rows if row["place"] == "runs"]
            one.put(table, records(table, row | {"time": "2020-01-01T00:00:00+00:00"}))
        with pytest.raises(UndoError, match="also changed another file"):
            undo(filled)

    def test_a_command_that_is_not_utf_8_is_told_as_far_as_it_can_be(self, filled: Store) -> None:
        with filled.operation("push s\udcff\0") as one:
            _force(one)
        assert history(filled)[0].entries[0].command == "push s\\udcff\\0"

    # How much is kept

    def test_only_the_latest_operations_can_be_undone(self, filled: Store) -> None:
        filled.retention = Retention(2)
        for number in range(4):
            with filled.operation("push") as one:
                status = str(number)
                one.write(
                    [(SIMULATIONS, records(SIMULATIONS, run("A", status=status)))],
                    ConflictMode.force,
                )
        assert [one.can_be_undone for one in history(filled)] == [True, True, False, False]
        with pytest.raises(UndoError, match=r"operation 1 .*not kept"):
            undo(filled, 1)
        undo(filled, 4)
        assert [one.can_be_undone for one in history(filled)] == [True, True, False, False, False]
        kept_in = {entry.slot for one in history(filled) for entry in one.entries} - {-1}
        assert kept_in <= {0, 1, 2}

    def test_an_operation_that_is_too_large_is_done_and_not_kept(self, filled: Store) -> None:
        filled.retention = Retention(10, 40_000)
        _operate(filled, "force")
        with filled.operation("push") as one:
            many = [run(f"{number}", input_data=os.urandom(4_000).hex()) for number in range(9)]
            one.write([(SIMULATIONS, records(SIMULATIONS, *many))], ConflictMode.refuse)
            one.delete(SIMULATIONS)
        large, small = history(filled)
        assert filled.count(SIMULATIONS) == 0
        assert not large.can_be_undone
        assert large.size == 0
        assert sum(one.size for one in history(filled)) <= 40_000
        assert small.can_be_undone
        with pytest.raises(UndoError, match="operation 2"):
            undo(filled)

    def test_nothing_is_kept_if_so_configured(self, filled: Store) -> None:
        _operate(filled, "force")
        filled.retention = Retention(0)
        _operate(filled, "clear")
        assert [one.can_be_undone for one in history(filled)] == [False, False]
        assert len(history(filled)) == 2

    def test_a_purge_keeps_nothing_of_what_was_there(self, filled: Store) -> None:
        _operate(filled, "force")
        with filled.operation("clear --purge", purge=True) as one:
            _clear(one)
        assert [one.can_be_undone for one in history(filled)] == [False, False]
        with filled.transaction() as now:
            undos = [undo_table(namespace, slot) for namespace in Namespace for slot in range(3)]
            there = [undo for undo in undos if now.has(undo)]  # on Foundry tables stay
            assert [rows for undo in there for rows in self.raw_rows(undo)] == []

    def test_nothing_to_undo_is_said(self, filled: Store) -> None:
        with pytest.raises(UndoError, match="nothing to undo"):
            undo(filled)
        with pytest.raises(UndoError, match="no operation 7"):
            undo(filled, 7)

    def test_many_records_are_undone(self, filled: Store) -> None:
        many = [run(f"{number:05}") for number in range(3_000)]
        _write(filled, SIMULATIONS, *many)
        before = self._raw()
        renewed = [row | {"status": "completed"} for row in many]
        with filled.operation("push") as one:
            one.write([(SIMULATIONS, records(SIMULATIONS, *renewed))], ConflictMode.force)
            one.delete(SIMULATIONS)
        undo(filled)
        assert self._raw() == before


class _Overtaken(Store):
    """A store to which another program writes just before each write."""

    def __init__(self, store: Store, other: Callable[[], None]) -> None:
        self.location = store.location
        self._store = store
        self._other = other

    def _open(
        self, *, write: bool, create: Collection[Namespace]
    ) -> AbstractContextManager[Transaction]:
        if write:
            self._other()
        return self._store.transaction(write=write, create=create)


def _fail(store: Store) -> None:
    with store.operation("push") as one:
        one.delete(DENSITY)
        one.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
        one.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)


def _operate(store: Store, name: str) -> None:
    with store.operation(name) as one:
        OPERATIONS[name](one)


def _write(
    store: Store, table: Table, *rows: dict[str, Any], mode: ConflictMode = ConflictMode.refuse
) -> None:
    store.write([(table, records(table, *rows))], mode)
