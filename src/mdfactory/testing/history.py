"""The part of the contract suite about the log of operations and about undo."""

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
    digest_table,
    log_table,
    undo_table,
)
from mdfactory.records.vocabulary import ConflictMode, Retention
from mdfactory.stores.backend import Backend
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Transaction
from mdfactory.sync.log import history
from mdfactory.sync.undo import undo
from mdfactory.testing.operations import FRESH, OPERATIONS, clear, force, operate, recreate_tables
from mdfactory.testing.raw import Rows, StoreUnderTest, write_records
from mdfactory.testing.records import (
    DENSITY,
    LATE_TIME,
    analysis,
    analysis_with_sidecar,
    overview,
    records,
    run,
)

RESTORED_TABLES: Final = (
    SIMULATIONS,
    OVERVIEW,
    DENSITY,
    FRAME_SIDECARS,
    *map(digest_table, Namespace),
)
"""The tables that an undo must restore exactly."""

DAMAGED_LOG_CELLS: Final[tuple[dict[str, Any], ...]] = (
    {"changes": "{broken"},
    {"changes": '{"RUN_DATABASE": 3}'},
    {"changes": "[1]"},
    {"changes": "[" * 100_000},
    {"made": "null"},
    {"dropped": "[1]"},
    {"place": "elsewhere"},
    {"operation": 2**63 - 1},
)
"""For each damaged row of the log: column -> damaged value."""


class HistoryTests(StoreUnderTest):
    """Tests of what every store guarantees for the log and for undo."""

    def _raw_tables(self) -> dict[str, Rows]:
        """Return all rows of the restored tables, read without the store."""
        return {
            f"{table.namespace}/{table.name}": sorted(self.raw_rows(table))
            for table in RESTORED_TABLES
        }

    @pytest.fixture
    def filled(self, store: Store) -> Store:
        """Return a store with records in all tables, some of them written by another program."""
        batches = [
            (SIMULATIONS, records(SIMULATIONS, run("A"), run("B"))),
            (OVERVIEW, records(OVERVIEW, overview("A", "density"), overview("A", "rdf"))),
            (
                DENSITY,
                records(
                    DENSITY,
                    analysis_with_sidecar("A"),
                    analysis_with_sidecar("B", arrow_ipc="b" * 1_000),
                ),
            ),
        ]
        store.write(batches, ConflictMode.refuse)
        self.raw_put(DENSITY, [tuple(analysis("E").values())])
        self.raw_put(SIMULATIONS, [tuple(run("E").values())])
        return store

    def test_undo_restores_all_tables_exactly_and_can_itself_be_undone(self, filled: Store) -> None:
        before = self._raw_tables()
        for name in OPERATIONS:
            operate(filled, name)
            after = self._raw_tables()
            assert after != before, name
            for expected in (before, after, before):
                undo(self.opened())
                assert self._raw_tables() == expected, name

    def test_operations_are_undone_one_after_the_other(self, filled: Store) -> None:
        states = [self._raw_tables()]
        for name in (
            "force",
            "change sidecar",
            "clear selected",
            "change repeatedly",
            "recreate tables",
        ):
            operate(filled, name)
            states.append(self._raw_tables())
        for number in range(len(states) - 1, 0, -1):
            assert undo(filled, number).changed
            assert self._raw_tables() == states[number - 1]

    def test_undo_restores_records_of_another_program_without_digests(self, filled: Store) -> None:
        before = self._raw_tables()
        with filled.operation("force") as transaction:
            transaction.write(
                [(SIMULATIONS, records(SIMULATIONS, run("E", status="completed")))],
                ConflictMode.force,
            )
            transaction.write(
                [(DENSITY, records(DENSITY, analysis_with_sidecar("E")))], ConflictMode.force
            )
        undo(filled)
        assert self._raw_tables() == before

    def test_an_operation_that_is_undone_blocks_no_undo(self, filled: Store) -> None:
        """Nor does its undo: to undo that would only change the records once more."""
        _push_changes(filled, 3)
        for undone, blocking in ((3, 2), (4, 3), (5, 2), (6, 3), (3, 2)):
            undo(filled, undone)
            with pytest.raises(ChangedSinceError, match=f"Operation {blocking} changed") as caught:
                undo(filled, 1)
            assert caught.value.command == f"mdfactory sync undo {blocking}"
        undo(filled, 2)
        assert undo(filled, 1).changed

    def test_an_undo_of_an_earlier_operation_blocks_the_undo_of_a_later_one(
        self, filled: Store
    ) -> None:
        _push_changes(filled, 2)
        undo(filled, 2)
        undo(filled, 1)
        with pytest.raises(ChangedSinceError, match="Operation 4 changed"):
            undo(filled, 3)

    def test_a_second_undo_is_none_although_the_records_have_changed_since(
        self, filled: Store
    ) -> None:
        _push_changes(filled, 2)  # operations 1 and 2
        undo(filled)  # 3, which 4 undoes
        undo(filled)
        for undone, by in ((3, 4), (2, 7)):
            if undone == 2:
                undo(filled)  # 6 undoes 5
                undo(filled, 2)
            with filled.operation("push") as transaction:
                changed = records(SIMULATIONS, run("A", status=f"after {by}"))
                transaction.write([(SIMULATIONS, changed)], ConflictMode.force)
            before = self._raw_tables()
            for dry_run in (True, False):
                again = undo(filled, undone, dry_run=dry_run)
                assert not again.changed
                assert again.operation.is_undone
                assert again.operation.latest == by
            assert self._raw_tables() == before

    @pytest.mark.parametrize("name", ["force", "change repeatedly"])
    def test_a_second_undo_of_an_operation_changes_nothing(self, filled: Store, name: str) -> None:
        operate(filled, name)
        undo(filled, 1)
        before = self._raw_tables()
        planned = undo(filled, 1, dry_run=True)
        assert planned.changes == undo(filled, 1).changes
        assert planned.changed == (
            name == "change repeatedly"
        )  # it inserted a record and removed it again
        assert self._raw_tables() == before

    def test_undo_of_init_force_in_an_empty_store_removes_the_tables(self, empty: Store) -> None:
        with empty.operation("init --force", create=set(Namespace)) as transaction:
            recreate_tables(transaction)
        undo(empty)
        # Foundry cannot delete a table, PostgreSQL keeps the rights that others have on it.
        tables = self.opened().tables()
        assert tables == [] or empty.location.startswith(("Foundry", "PostgreSQL"))
        undo(empty)  # undoes the undo, in a store without tables
        assert {table.id for table in self.opened().tables()} == {
            table.id for table in (SIMULATIONS, OVERVIEW, DENSITY)
        }

    def test_undo_fails_if_another_operation_was_done_meanwhile(self, filled: Store) -> None:
        operate(filled, "force")
        overtaken = _OvertakenStore(self.opened(), lambda: operate(filled, "insert new"))
        with pytest.raises(StoreChangedError, match="operation 2 was done meanwhile"):
            undo(overtaken)
        assert len(history(filled)) == 2

    def test_a_dry_run_of_undo_needs_no_lock(self, filled: Store) -> None:
        operate(filled, "change repeatedly")
        with filled.transaction(write=True):
            planned = undo(self.opened(wait=0.1), dry_run=True)
        assert planned.changes == undo(filled).changes

    def test_a_dry_run_of_undo_returns_the_changes_and_makes_none(self, filled: Store) -> None:
        operate(filled, "force")
        after = self._raw_tables()
        planned = undo(filled, dry_run=True)
        assert self._raw_tables() == after
        assert len(history(filled)) == 1
        assert planned.changes == undo(filled).changes

    def test_the_log_lists_operations_with_their_changes(self, filled: Store) -> None:
        with filled.operation("push this") as transaction:
            force(transaction)
        with filled.operation("push nothing") as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.skip)
        undo(filled, command="undo it")
        undone, push = history(self.opened())  # an operation that changed nothing has no entry
        assert [operation.number for operation in (undone, push)] == [2, 1]
        assert [operation.entries[0].command for operation in (undone, push)] == [
            "undo it",
            "push this",
        ]
        assert push.changes == {
            SIMULATIONS.name: {"inserted": 1, "updated": 1},
            OVERVIEW.name: {"updated": 1},
            DENSITY.name: {"updated": 2},
        }
        assert push.undone_by == 2
        assert undone.entries[0].undoes == 1
        assert undone.changes[SIMULATIONS.name] == {"updated": 1, "removed": 1}
        assert all(entry.who and entry.host and entry.version for entry in push.entries)
        assert push.entries[0].time.endswith("+00:00")

    def test_a_failed_operation_leaves_no_log_entry(self, filled: Store) -> None:
        before = self._raw_tables()
        with pytest.raises(ConflictError):
            _push_and_fail(filled)
        assert history(filled) == []
        assert self._raw_tables() == before

    def test_undo_removes_a_created_table_and_a_second_undo_restores_it(
        self, filled: Store
    ) -> None:
        with filled.operation("push") as transaction:
            transaction.create(FRESH)
            transaction.write(
                [(FRESH, records(FRESH, analysis_with_sidecar("A")))], ConflictMode.refuse
            )
        undo(filled)
        assert FRESH.id not in {table.id for table in filled.tables() if filled.count(table)}
        undo(filled)
        assert filled.count(FRESH) == 1

    def test_undo_keeps_a_created_table_with_records_of_another_program(
        self, filled: Store
    ) -> None:
        with filled.operation("push") as transaction:
            transaction.create(FRESH)
            transaction.write(
                [(FRESH, records(FRESH, analysis_with_sidecar("A")))], ConflictMode.refuse
            )
        self.raw_put(FRESH, [tuple(analysis("X").values())])
        undo(filled)
        assert filled.count(FRESH) == 1

    # Other programs

    @pytest.mark.parametrize(
        "foreign",
        [
            lambda store: write_records(
                store, SIMULATIONS, run("A", directory="/else"), mode=ConflictMode.force
            ),
            lambda store: store.delete(SIMULATIONS, (OneOf("hash", ("A",)),)),
            lambda store: write_records(
                store, SIMULATIONS, run("A", timestamp_utc="now"), mode=ConflictMode.force
            ),
        ],
        ids=["changed", "removed", "written again"],
    )
    def test_a_record_changed_since_is_named_and_nothing_is_undone(
        self, filled: Store, foreign: Callable[[Store], None]
    ) -> None:
        operate(filled, "force")
        foreign(filled)
        state = self._raw_tables()
        with pytest.raises(ChangedSinceError, match="RUN_DATABASE: 1 record: A") as caught:
            undo(filled)
        assert caught.value.changed == {SIMULATIONS.name: ("A",)}
        assert self._raw_tables() == state
        assert len(history(filled)) == 1

    def test_a_record_written_again_after_a_clear_is_named(self, filled: Store) -> None:
        operate(filled, "clear")
        self.raw_put(SIMULATIONS, [tuple(run("B", status="completed").values())])
        self.raw_put(DENSITY, [tuple(analysis("A", timestamp_utc=LATE_TIME).values())])
        with pytest.raises(ChangedSinceError) as caught:
            undo(filled)
        assert caught.value.changed == {SIMULATIONS.name: ("B",), DENSITY.name: ("A",)}

    def test_a_record_whose_sidecar_changed_since_is_named(self, filled: Store) -> None:
        operate(filled, "insert")
        write_records(
            filled, DENSITY, analysis_with_sidecar("C", digest="other"), mode=ConflictMode.force
        )
        with pytest.raises(ChangedSinceError, match="ANALYSIS_density: 1 record: C"):
            undo(filled)

    def test_undo_keeps_records_that_another_program_added_since(self, filled: Store) -> None:
        operate(filled, "recreate tables")
        self.raw_put(SIMULATIONS, [tuple(run("F").values())])
        undo(filled)
        assert sorted(row[0] for row in self.raw_rows(SIMULATIONS)) == ["A", "B", "E", "F"]

    def test_undo_accepts_a_record_that_is_already_as_before(self, filled: Store) -> None:
        before = self._raw_tables()
        operate(filled, "force")
        write_records(filled, SIMULATIONS, run("A"), mode=ConflictMode.force)
        undo(filled)
        assert self._raw_tables() == before

    # Damage

    def test_damaged_before_images_are_not_restored(self, filled: Store) -> None:
        operate(filled, "force")
        state = self._raw_tables()
        undos = undo_table(Namespace.runs, 0)
        with filled.transaction() as transaction:
            (rows,) = transaction.backend.scan(undos, Query(limit=1))
        (row,) = rows.to_pylist()
        for column in ("left", "before", "record_table", "operation"):
            value = row[column]
            damage = 7 if column == "operation" else f"{value[:9]}A{value[10:]}A"
            with filled.transaction(write=True) as transaction:
                transaction.backend.put(undos, records(undos, row | {column: damage}))
            for dry_run in (True, False):
                with pytest.raises(StoreError, match="damaged; nothing was undone"):
                    undo(filled, dry_run=dry_run)
        assert self._raw_tables() == state

    def test_damaged_log_entries_do_not_block_operations(
        self, filled: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        operate(filled, "force")
        table = log_table(Namespace.runs)
        with filled.transaction(write=True) as transaction:
            (rows,) = transaction.backend.scan(table, Query(limit=1))
            row = rows.to_pylist()[0]
            for number, damage in enumerate(DAMAGED_LOG_CELLS, start=9):
                transaction.backend.put(table, records(table, row | {"operation": number} | damage))
        operate(filled, "insert new")
        latest, first = history(filled)
        assert (latest.entries[0].command, first.number) == ("insert new", 1)
        assert caplog.text.count("damaged") >= len(DAMAGED_LOG_CELLS)
        assert undo(filled, latest.number).changed

    def test_an_operation_does_not_read_the_whole_log(
        self, filled: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A log may have many thousand entries.

        Each entry is damaged at another position. The position in a warning shows which entry
        was read.
        """
        filled.retention = Retention(operations=3)
        for _ in range(4):
            operate(filled, "force")
        with filled.transaction(write=True) as transaction:
            for table in filter(transaction.has, map(log_table, Namespace)):
                for row in _scan_rows(transaction, table):
                    damage = {"changes": " " * row["operation"] + "{broken"}
                    transaction.backend.put(table, records(table, row | damage))
        with filled.operation("nothing"):
            pass
        assert "(char" not in caplog.text
        operate(filled, "force")
        read = set(re.findall(r"\(char (\d+)\)", caplog.text))
        assert read == {"3"}  # operation 2, whose before-images are removed now
        history(filled)
        read = set(re.findall(r"\(char (\d+)\)", caplog.text))
        assert read == {"2", "3", "4", "5"}

    def test_two_operations_with_one_number_are_an_error(self, filled: Store) -> None:
        """One of two files of a store was restored from a backup, and operations went on."""
        operate(filled, "force")
        table = log_table(Namespace.runs)
        with filled.transaction(write=True) as transaction:
            (row,) = [row for row in _scan_rows(transaction, table) if row["place"] == "runs"]
            transaction.backend.put(
                table, records(table, row | {"time": "2020-01-01T00:00:00+00:00"})
            )
        with pytest.raises(UndoError, match="also changed another file"):
            undo(filled)

    def test_a_command_that_is_not_utf_8_is_logged_with_escapes(self, filled: Store) -> None:
        with filled.operation("push s\udcff\0") as transaction:
            force(transaction)
        assert history(filled)[0].entries[0].command == "push s\\xff\\0"

    # Retention

    def test_only_the_latest_operations_can_be_undone(self, filled: Store) -> None:
        filled.retention = Retention(2)
        _push_changes(filled, 4)
        assert _can_be_undone(filled) == [True, True, False, False]
        with pytest.raises(
            UndoError, match=r"operation 1 .*what its records were before was not kept"
        ):
            undo(filled, 1)
        undo(filled, 4)
        assert _can_be_undone(filled) == [True, True, False, False, False]
        slots = {entry.slot for operation in history(filled) for entry in operation.entries} - {-1}
        assert slots <= {0, 1, 2}

    def test_an_operation_beyond_the_size_limit_cannot_be_undone(self, filled: Store) -> None:
        filled.retention = Retention(10, 40_000)
        operate(filled, "force")
        with filled.operation("push") as transaction:
            rows = [run(f"{number}", input_data=os.urandom(4_000).hex()) for number in range(9)]
            transaction.write([(SIMULATIONS, records(SIMULATIONS, *rows))], ConflictMode.refuse)
            transaction.delete(SIMULATIONS)
        large, small = history(filled)
        assert filled.count(SIMULATIONS) == 0
        assert not large.can_be_undone
        assert large.size == 0
        assert sum(operation.size for operation in history(filled)) <= 40_000
        assert small.can_be_undone
        with pytest.raises(UndoError, match="operation 2"):
            undo(filled)

    def test_a_retention_of_0_keeps_no_before_images(self, filled: Store) -> None:
        operate(filled, "force")
        filled.retention = Retention(0)
        operate(filled, "clear")
        assert _can_be_undone(filled) == [False, False]
        assert len(history(filled)) == 2

    def test_a_purge_removes_all_before_images(self, filled: Store) -> None:
        operate(filled, "force")
        with filled.operation("clear --purge", purge=True) as transaction:
            clear(transaction)
        assert _can_be_undone(filled) == [False, False]
        with filled.transaction() as transaction:
            undos = [undo_table(namespace, slot) for namespace in Namespace for slot in range(3)]
            existing = [
                table for table in undos if transaction.has(table)
            ]  # Foundry keeps the tables
            assert [rows for table in existing for rows in self.raw_rows(table)] == []

    def test_undo_without_an_operation_is_an_error(self, filled: Store) -> None:
        with pytest.raises(UndoError, match="nothing to undo"):
            undo(filled)
        with pytest.raises(UndoError, match="no operation 7"):
            undo(filled, 7)

    def test_undo_restores_thousands_of_records(self, filled: Store) -> None:
        rows = [run(f"{number:05}") for number in range(3_000)]
        write_records(filled, SIMULATIONS, *rows)
        before = self._raw_tables()
        renewed = [row | {"status": "completed"} for row in rows]
        with filled.operation("push") as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, *renewed))], ConflictMode.force)
            transaction.delete(SIMULATIONS)
        undo(filled)
        assert self._raw_tables() == before


class _OvertakenStore(Store):
    """A store that another program writes to just before each write."""

    def __init__(self, store: Store, write_first: Callable[[], None]) -> None:
        self.location = store.location
        self._store = store
        self._write_first = write_first

    def _open(
        self, *, write: bool, create: Collection[Namespace]
    ) -> AbstractContextManager[Backend]:
        if write:
            self._write_first()
        return self._store._open(write=write, create=create)  # noqa: SLF001


def _push_changes(store: Store, number: int) -> None:
    """Change the same record in each of some operations."""
    for status in map(str, range(number)):
        with store.operation("push") as transaction:
            changed = records(SIMULATIONS, run("A", status=status))
            transaction.write([(SIMULATIONS, changed)], ConflictMode.force)


def _push_and_fail(store: Store) -> None:
    with store.operation("push") as transaction:
        transaction.delete(DENSITY)
        transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
        transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)


def _can_be_undone(store: Store) -> list[bool]:
    """Return whether each operation in the log can be undone, the latest first."""
    return [operation.can_be_undone for operation in history(store)]


def _scan_rows(transaction: Transaction, table: Table) -> list[dict[str, Any]]:
    return [row for rows in transaction.backend.scan(table, Query()) for row in rows.to_pylist()]
