"""The SQLite store: the contract suite, and tests of its files and locks."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from mdfactory.errors import NotInitialisedError, StoreError, StoreLockedError
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import (
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    artifact_table,
)
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.sql.sqlite import SqliteStore
from mdfactory.stores.store import Store
from mdfactory.testing import StoreTests
from mdfactory.testing.raw import Rows
from mdfactory.testing.records import Record, overview, records, run
from planting import plant_sqlite


class RawSqlite:
    """Reads and writes the files with the sqlite3 module alone."""

    files: dict[Namespace, Path]

    def raw_rows(self, table: Table) -> Rows:
        with closing(sqlite3.connect(self.files[table.namespace])) as database:
            return database.execute(f'SELECT * FROM "{table.name}"').fetchall()

    def raw_put(self, table: Table, rows: Rows) -> None:
        plant_sqlite(self.files[table.namespace], table, rows)


class TestSqlite(RawSqlite, StoreTests):
    @pytest.fixture(autouse=True)
    def _data(self, tmp_path: Path) -> None:
        self.files = {
            Namespace.runs: tmp_path / "runs.db",
            Namespace.results: tmp_path / "analysis.db",
        }

    def opened(self, *, wait: float = 60.0) -> Store:
        return SqliteStore(self.files[Namespace.runs], self.files[Namespace.results], wait=wait)


@pytest.mark.long
class TestSqliteInOneFile(TestSqlite):
    @pytest.fixture(autouse=True)
    def _data(self, tmp_path: Path) -> None:
        self.files = dict.fromkeys(Namespace, tmp_path / "all.db")


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "runs.db", tmp_path / "analysis.db"


@pytest.fixture
def existing(tmp_path: Path, data: Path) -> tuple[Path, Path]:
    """Return the files of an existing installation: 8 simulations, in WAL mode."""
    folder = Path(shutil.copytree(data / "existing_stores" / "sqlite", tmp_path / "store"))
    return folder / "runs.db", folder / "analysis.db"


def _query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(statement).fetchall()


def _read_table_definitions(path: Path) -> dict[str, str]:
    return dict(_query(path, "SELECT name, sql FROM sqlite_master WHERE type = 'table'"))


def _read_statuses(store: Store) -> dict[str, str]:
    batches = store.read(SIMULATIONS, Query(columns=("hash", "status")))
    return {
        hash_: status
        for rows in batches
        for hash_, status in zip(*rows.to_pydict().values(), strict=True)
    }


def test_create_creates_only_the_file_of_the_table(paths: tuple[Path, Path]) -> None:
    SqliteStore(*paths).create(SIMULATIONS)
    assert [path.exists() for path in paths] == [True, False]


def test_create_creates_missing_folders(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a" / "b" / "runs.db", tmp_path / "c" / "analysis.db")
    store.create(SIMULATIONS)
    store.create(OVERVIEW)
    assert {table.name for table in store.tables()} == {SIMULATIONS.name, OVERVIEW.name}


def test_count_creates_no_file(paths: tuple[Path, Path]) -> None:
    with pytest.raises(NotInitialisedError):
        SqliteStore(*paths).count(SIMULATIONS)
    assert not any(path.exists() for path in paths)


def test_paths_may_contain_any_character(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "100% a?b#c;d é" / "runs.db", tmp_path / "x y" / "analysis.db")
    for table in (SIMULATIONS, OVERVIEW):
        store.create(table)
    store.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
    assert store.count(SIMULATIONS) == 1


def test_new_tables_have_the_columns_and_keys_of_existing_installations(
    paths: tuple[Path, Path], existing: tuple[Path, Path]
) -> None:
    store = SqliteStore(*paths)
    for table in (
        SIMULATIONS,
        OVERVIEW,
        analysis_table("LIPID_RG"),
        artifact_table("LAST_FRAME_PDB"),
    ):
        store.create(table)
    for new, old in zip(paths, existing, strict=True):
        assert _query(new, "PRAGMA user_version") == _query(old, "PRAGMA user_version") == [(1,)]
        for name in _read_table_definitions(new):
            if not name.startswith("_mdfactory_"):
                columns = f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{name}')"
                unique = (
                    'SELECT i."unique", c.name '
                    f"FROM pragma_index_list('{name}') i, pragma_index_info(i.name) c"
                )
                assert _query(new, columns) == _query(old, columns) != []
                assert _query(new, unique) == _query(old, unique) != []


def test_read_reads_an_existing_store(existing: tuple[Path, Path]) -> None:
    statuses = _read_statuses(SqliteStore(*existing))
    assert Counter(statuses.values()) == {
        "completed": 4,
        "production": 1,
        "equilibrated": 1,
        "build": 2,
    }
    assert statuses["D7EB9914C5EFB7EA58652258908D5B7BF247699C"] == "equilibrated"


def test_write_to_an_existing_store_keeps_its_records_and_tables(
    existing: tuple[Path, Path],
) -> None:
    definitions = [_read_table_definitions(path) for path in existing]
    rows = _query(existing[0], "SELECT * FROM RUN_DATABASE ORDER BY hash")
    store = SqliteStore(*existing)
    counts = store.write([(SIMULATIONS, records(SIMULATIONS, run("NEW")))], ConflictMode.refuse)
    assert counts[SIMULATIONS.name].inserted == 1
    assert (
        _query(existing[0], "SELECT * FROM RUN_DATABASE WHERE hash <> 'NEW' ORDER BY hash") == rows
    )
    for path, definitions_before in zip(existing, definitions, strict=True):
        record_tables = {
            name: definition
            for name, definition in _read_table_definitions(path).items()
            if not name.startswith("_mdfactory_")
        }
        assert record_tables == definitions_before
        assert _query(path, "PRAGMA user_version") == [(1,)]
    types = "SELECT DISTINCT typeof(hash), typeof(timestamp_utc) FROM RUN_DATABASE"
    assert _query(existing[0], types) == [("text", "text")]
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        _query(existing[0], "INSERT INTO RUN_DATABASE SELECT * FROM RUN_DATABASE LIMIT 1")


def test_tables_spelt_in_upper_case_are_found_by_their_present_name(
    existing: tuple[Path, Path],
) -> None:
    store = SqliteStore(*existing)
    names = _read_table_definitions(existing[1]).keys()
    density = analysis_table("density_timeseries")
    assert store.count(density) == 4
    store.create(density)
    assert {
        name for name in _read_table_definitions(existing[1]) if not name.startswith("_mdfactory_")
    } == names


def test_delete_removes_records_of_an_existing_store(existing: tuple[Path, Path]) -> None:
    store = SqliteStore(*existing)
    assert store.delete(SIMULATIONS, (OneOf("status", ("build",)),)) == 2
    assert store.delete(SIMULATIONS) == 6
    assert _query(existing[0], "SELECT count(*) FROM RUN_DATABASE") == [(0,)]


def test_write_leaves_wal_mode_and_count_does_not(existing: tuple[Path, Path]) -> None:
    store = SqliteStore(*existing)
    assert store.count(SIMULATIONS) == 8
    assert _query(existing[0], "PRAGMA journal_mode") == [("wal",)]
    store.write([(SIMULATIONS, records(SIMULATIONS, run("NEW")))], ConflictMode.refuse)
    assert [_query(path, "PRAGMA journal_mode") for path in existing] == [[("delete",)]] * 2


def test_delete_fails_while_another_connection_is_open_in_wal_mode(
    existing: tuple[Path, Path],
) -> None:
    with closing(sqlite3.connect(existing[0])) as connection:
        connection.execute("SELECT * FROM RUN_DATABASE").fetchone()
        with pytest.raises(StoreLockedError, match=f"process {os.getpid()}|another program"):
            SqliteStore(*existing, wait=0.1).delete(SIMULATIONS)
    assert SqliteStore(*existing, wait=0.1).delete(SIMULATIONS) == 8


LOCK_SCRIPT = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux has /proc/locks")
def test_write_names_the_process_that_has_locked_the_store(
    paths: tuple[Path, Path], running: Callable[..., Any]
) -> None:
    store = SqliteStore(*paths, wait=0.1)
    store.create(SIMULATIONS)
    arguments = ["-c", LOCK_SCRIPT, paths[0], "--from", "postgresql://me:s3cret@host/lab"]
    with running([sys.executable, *arguments], stdin=PIPE, stdout=PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(StoreLockedError, match=f"process {holder.pid} ") as caught:
            store.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
        assert "s3cret" not in str(caught.value)
        assert store.count(SIMULATIONS) == 0


@pytest.mark.parametrize("locked", [0, 1])
@pytest.mark.parametrize("verb", ["read", "write", "create"])
def test_all_verbs_wait_for_a_file_that_is_locked_exclusively(
    existing: tuple[Path, Path], locked: int, verb: str
) -> None:
    """A program that commits locks out even readers."""

    def act(store: Store) -> object:
        if verb == "create":
            return store.create(analysis_table("fresh"))
        if verb == "write":
            return store.write(
                [(SIMULATIONS, records(SIMULATIONS, run("NEW")))], ConflictMode.update
            )
        return store.count(SIMULATIONS)

    with closing(sqlite3.connect(existing[locked], isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreLockedError, match="waited 0.1 s"):
            act(SqliteStore(*existing, wait=0.1))
        connection.execute("ROLLBACK")
    act(SqliteStore(*existing, wait=0.1))


def test_write_does_not_name_its_own_process_as_the_lock_holder(paths: tuple[Path, Path]) -> None:
    store = SqliteStore(*paths, wait=0.1)
    store.create(SIMULATIONS)
    store.write(
        [(SIMULATIONS, records(SIMULATIONS, *(run(str(n)) for n in range(5_000))))],
        ConflictMode.refuse,
    )
    with closing(store.read(SIMULATIONS)) as reading:
        next(reading)
        with pytest.raises(StoreLockedError) as caught:
            store.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
    assert f"process {os.getpid()}" not in str(caught.value)


def test_owns_is_true_for_the_files_and_links_to_them(
    paths: tuple[Path, Path], tmp_path: Path
) -> None:
    store = SqliteStore(*paths)
    (tmp_path / "link").symlink_to(paths[0].name)
    assert store.owns(paths[1])
    assert store.owns(tmp_path / "link")
    assert not store.owns(tmp_path / "other.db")


def test_values_of_another_type_are_read_with_the_declared_type(
    existing: tuple[Path, Path],
) -> None:
    with closing(sqlite3.connect(existing[1])) as database, database:
        database.execute("UPDATE ANALYSIS_OVERVIEW SET row_count = '7', directory = 12")
    query = Query(columns=("row_count", "directory"), limit=1)
    with SqliteStore(*existing).transaction() as transaction:
        (rows,) = transaction.read(OVERVIEW, query)
        assert rows.to_pylist() == [{"row_count": 7, "directory": "12"}]
        assert list(transaction.values(OVERVIEW, query)) == [(7, "12")]


def test_reading_a_value_that_is_no_number_is_an_error_that_names_the_table(
    existing: tuple[Path, Path],
) -> None:
    with closing(sqlite3.connect(existing[1])) as database, database:
        database.execute("UPDATE ANALYSIS_OVERVIEW SET row_count = 'many'")
    with SqliteStore(*existing).transaction() as transaction:
        for read in (transaction.read, transaction.values):
            with pytest.raises(StoreError, match="ANALYSIS_OVERVIEW.*many"):
                list(read(OVERVIEW, Query()))


def _write_text(path: Path) -> None:
    path.write_text("this is a text, and a rather long one for a header " * 50, encoding="utf-8")


def _make_folder(path: Path) -> None:
    path.mkdir()


def _create_table_with_other_columns(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE RUN_DATABASE (hash, name)")


@pytest.mark.parametrize("spoil", [_write_text, _make_folder, _create_table_with_other_columns])
def test_read_and_write_of_a_file_that_is_no_store_name_the_file(
    paths: tuple[Path, Path], spoil: Callable[[Path], None]
) -> None:
    spoil(paths[0])
    store = SqliteStore(*paths)
    with pytest.raises(StoreError, match=re.escape(str(paths[0]))):
        list(store.read(SIMULATIONS))
    with pytest.raises(StoreError, match=re.escape(str(paths[0]))):
        store.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.force)


def test_a_pipe_in_place_of_a_file_is_an_error(existing: tuple[Path, Path]) -> None:
    path = existing[0]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreError, match=f"{path} is not a file"):
        list(SqliteStore(*existing).read(SIMULATIONS))


def test_read_of_a_corrupt_file_is_an_error(existing: tuple[Path, Path]) -> None:
    raw = bytearray(existing[0].read_bytes())
    raw[4096:8192] = b"\xff" * 4096
    existing[0].write_bytes(raw)
    with pytest.raises(StoreError, match="a file is damaged"):
        list(SqliteStore(*existing).read(SIMULATIONS))


def test_create_below_a_file_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        SqliteStore(tmp_path / "file" / "runs.db", tmp_path / "file" / "a.db").create(SIMULATIONS)


def _store_of_another_program(path: Path, table: Table, row: Record) -> SqliteStore:
    """Return a store of one record, in a table whose columns have no types."""
    marks = ", ".join("?" * len(row))
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE {table.name} ({', '.join(table.columns)})")
        database.execute(f"INSERT INTO {table.name} VALUES ({marks})", tuple(row.values()))
        database.commit()
    return SqliteStore(path, path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"done", "done"),
        (None, ""),
        (1.5, "1.5"),
        (2**63 - 1, str(2**63 - 1)),
        (b"\xff", "status of the record 'A' is '\ufffd', not UTF-8"),
    ],
)
def test_a_text_that_another_program_stored_in_another_type(
    tmp_path: Path, value: object, expected: str
) -> None:
    store = _store_of_another_program(
        tmp_path / "runs.db", SIMULATIONS, run("A") | {"status": value}
    )
    try:
        (rows,) = store.read(SIMULATIONS)
        answer = rows["status"][0].as_py()
    except StoreError as error:
        answer = str(error)
        assert store.delete(SIMULATIONS) == 1
    assert expected in answer
    assert "b'" not in answer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"7", "7"),
        ("7.0", "7"),
        (1e300, "is '1e+300', not a number"),
        ("9" * 23, "too large for an integer of 64 bits"),
        ("9" * 5000, "not a number"),
        (b"\xff", "not UTF-8"),
        (None, "is '', not a number"),
    ],
)
def test_a_number_that_another_program_stored_in_another_type(
    tmp_path: Path, value: object, expected: str
) -> None:
    store = _store_of_another_program(
        tmp_path / "runs.db", OVERVIEW, overview("A", "rdf") | {"row_count": value}
    )
    try:
        (rows,) = store.read(OVERVIEW)
        answer = str(rows["row_count"][0].as_py())
    except StoreError as error:
        answer = str(error)
    assert expected in answer
    assert "b'" not in answer
