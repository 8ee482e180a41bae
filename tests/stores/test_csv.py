"""The CSV store: the contract suite, files of other programs, access rights, large files."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
import weakref
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from mdfactory.errors import (
    NotInitialisedError,
    StoreChangedError,
    StoreError,
    StoreLockedError,
)
from mdfactory.records.merge import Counts
from mdfactory.records.query import OneOf, Query, Sort
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Namespace, Table, analysis_table
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.csv.store import CsvStore
from mdfactory.stores.csv.text import MAX_RECORD_BYTES
from mdfactory.stores.keys import keys_of
from mdfactory.stores.store import Store
from mdfactory.stores.transaction import Batches
from mdfactory.sync.undo import undo
from mdfactory.testing import StoreTests
from mdfactory.testing.raw import Rows
from mdfactory.testing.records import AWKWARD_TEXTS, EARLY_TIME, analysis, overview, records, run
from planting import plant_csv
from tracing import NEEDS_STRACE, traced


class RawCsv:
    """Reads and writes the files with the csv module, without the store."""

    runs: Path
    results: Path

    def _file(self, table: Table) -> Path:
        if table.namespace is Namespace.results:
            return self.results / f"{table.name}.csv"
        if table.id == SIMULATIONS.id:
            return self.runs
        return self.runs.with_name(f".{self.runs.name}.mdfactory") / f"{table.name}.csv"

    def raw_rows(self, table: Table) -> Rows:
        csv.field_size_limit(2**30)
        with self._file(table).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert tuple(header) == table.columns
        is_integer = [str(kind) == "int64" for kind in table.schema.types]
        return [
            tuple(
                int(cell) if integer else cell
                for cell, integer in zip(row, is_integer, strict=True)
            )
            for row in rows
        ]

    def raw_put(self, table: Table, rows: Rows) -> None:
        plant_csv(self._file(table), table, rows)


def test_force_replaces_a_duplicate_key_and_undo_restores_both_records(tmp_path: Path) -> None:
    """Another program may append a record whose key exists."""
    store = CsvStore(tmp_path / "runs.csv", tmp_path / "analysis")
    store.create(SIMULATIONS)
    store.write([(SIMULATIONS, records(SIMULATIONS, run("A"), run("B")))], ConflictMode.refuse)
    text = (tmp_path / "runs.csv").read_text(encoding="utf-8")
    duplicated = f"{text}{text.splitlines()[-1].replace('build', 'completed')}\n"
    (tmp_path / "runs.csv").write_text(duplicated, encoding="utf-8")
    with store.operation("push") as transaction:
        transaction.write(
            [(SIMULATIONS, records(SIMULATIONS, run("B", status="production")))], ConflictMode.force
        )
    assert store.count(SIMULATIONS) == 2
    undo(store)
    restored = (tmp_path / "runs.csv").read_text(encoding="utf-8")
    assert sorted(restored.splitlines()) == sorted(duplicated.splitlines())


class TestCsv(RawCsv, StoreTests):
    @pytest.fixture(autouse=True)
    def _data(self, tmp_path: Path) -> None:
        self.runs, self.results = tmp_path / "runs.csv", tmp_path / "analysis"

    def opened(self, *, wait: float = 60.0) -> Store:
        return CsvStore(self.runs, self.results, wait=wait)


@pytest.mark.long
class TestCsvInOneFolder(TestCsv):
    @pytest.fixture(autouse=True)
    def _data(self, tmp_path: Path) -> None:
        self.runs, self.results = tmp_path / "runs.csv", tmp_path


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "runs.csv", tmp_path / "analysis"


@pytest.fixture
def existing(tmp_path: Path, data: Path) -> tuple[Path, Path]:
    """A store of 8 simulations that an existing installation has written."""
    folder = Path(shutil.copytree(data / "existing_stores" / "csv", tmp_path / "store"))
    return folder / "runs.csv", folder / "analysis"


def _create_store(paths: tuple[Path, Path], *hashes: str) -> CsvStore:
    store = CsvStore(*paths)
    store.create(SIMULATIONS)
    store.create(OVERVIEW)
    store.write([(SIMULATIONS, records(SIMULATIONS, *map(run, hashes)))], ConflictMode.refuse)
    return store


def _hashes(store: Store, table: Table = SIMULATIONS) -> list[str]:
    read = store.read(table, Query(columns=("hash",)))
    return [hash_ for rows in read for hash_ in rows["hash"].to_pylist()]


# Interchange


def test_a_new_file_is_plain_csv_with_the_columns_of_the_table(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths)
    awkward = run("0012", input_data='{"a": "b,c"}', directory="Grüße\n", status="")
    store.write([(SIMULATIONS, records(SIMULATIONS, awkward))], ConflictMode.refuse)
    assert paths[0].read_bytes().decode() == (
        "hash,engine,parametrization,simulation_type,input_data,input_data_type,directory,status,"
        'timestamp_utc\n0012,gromacs,smirnoff,mixedbox,"{""a"": ""b,c""}",BuildInput,"Grüße\n",,'
        f"{EARLY_TIME}\n"
    )


def test_pandas_reads_written_files(paths: tuple[Path, Path]) -> None:
    pandas = pytest.importorskip("pandas")
    store = _create_store(paths)
    rows = [run(f"{number:04}", input_data=text) for number, text in enumerate(TEXTS)]
    store.write([(SIMULATIONS, records(SIMULATIONS, *rows))], ConflictMode.refuse)
    frame = pandas.read_csv(paths[0], dtype=str, keep_default_na=False)
    assert list(frame.columns) == list(SIMULATIONS.columns)
    # pandas reads a carriage return in quotes as a newline.
    assert [_lines(text) for text in frame["input_data"]] == [_lines(text) for text in TEXTS]


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


TEXTS = (
    *AWKWARD_TEXTS,
    "lone\rreturn",
    "\r",
    "\n",
    '"',
    '""',
    ",",
    "'",
    "\ufeffmark",
    "#",
    "\x01\x7f",
)


@pytest.mark.parametrize("text", TEXTS)
def test_control_characters_are_stored_exactly(paths: tuple[Path, Path], text: str) -> None:
    store = _create_store(paths)
    row = run(text, input_data=text, timestamp_utc=text)
    store.write(
        [(SIMULATIONS, records(SIMULATIONS, run("first"), row, run("last")))], ConflictMode.refuse
    )
    store.write(
        [(SIMULATIONS, records(SIMULATIONS, run("last", status="completed")))], ConflictMode.force
    )
    (rows,) = store.read(SIMULATIONS, Query(where=(OneOf("hash", (text,)),)))
    assert rows.to_pylist() == [row]


def test_an_existing_store_is_read(existing: tuple[Path, Path]) -> None:
    store = CsvStore(*existing)
    (rows,) = store.read(SIMULATIONS, Query(columns=("status",)))
    assert Counter(rows["status"].to_pylist()) == {
        "completed": 4,
        "production": 1,
        "equilibrated": 1,
        "build": 2,
    }
    assert store.count(analysis_table("box_size_timeseries")) == 4


def test_extending_an_existing_store_keeps_its_files_and_columns(
    existing: tuple[Path, Path],
) -> None:
    pandas = pytest.importorskip("pandas")
    box = existing[1] / "ANALYSIS_BOX_SIZE_TIMESERIES.csv"
    before = {path: path.read_bytes() for path in (existing[0], box)}
    names = {path.name for path in existing[1].iterdir()}
    store = CsvStore(*existing)
    table = analysis_table("box_size_timeseries")
    store.create(table)
    written = [
        (SIMULATIONS, records(SIMULATIONS, run("NEW"))),
        (table, records(table, analysis("NEW"))),
    ]
    store.write(written, ConflictMode.refuse)
    for path, text in before.items():
        assert path.read_bytes().startswith(text)
        frame = pandas.read_csv(path)
        assert list(frame.columns) == text.decode().partition("\n")[0].split(",")
        frame.to_csv(path, index=False)
    assert {path.name for path in existing[1].glob("[!_.]*")} == names
    assert store.count(SIMULATIONS) == 9
    assert store.write(written, ConflictMode.update) == {
        SIMULATIONS.name: Counts(unchanged=1),
        table.name: Counts(unchanged=1),
    }


def test_replacing_a_record_keeps_all_others(existing: tuple[Path, Path]) -> None:
    store = CsvStore(*existing)
    before = {hash_: row for row in _raw_rows(existing[0]) for hash_ in row[:1]}
    replaced = next(iter(before))
    store.write([(SIMULATIONS, records(SIMULATIONS, run(replaced)))], ConflictMode.force)
    after = {row[0]: row for row in _raw_rows(existing[0])}
    assert after.pop(replaced) == list(run(replaced).values())
    assert after == {hash_: row for hash_, row in before.items() if hash_ != replaced}


def _raw_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def test_a_file_saved_by_excel_is_read_and_extended(paths: tuple[Path, Path]) -> None:
    """It has a byte order mark, other line ends, and the columns in another order."""
    store = _create_store(paths)
    columns = sorted(SIMULATIONS.columns)
    with paths[0].open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([columns, [run("A", directory="é")[name] for name in columns]])
    assert store.count(SIMULATIONS, (OneOf("hash", ("A",)),)) == 1
    store.write([(SIMULATIONS, records(SIMULATIONS, run("B")))], ConflictMode.refuse)
    store.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.force)
    assert sorted(_hashes(store)) == ["A", "B"]
    text = paths[0].read_bytes()
    assert text.startswith(b"\xef\xbb\xbfdirectory,")
    assert text.count(b"\n") == text.count(b"\r\n") == 3


def test_a_missing_final_newline_and_blank_lines_are_accepted(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths, "A", "B")
    text = paths[0].read_bytes().rstrip(b"\n")
    paths[0].write_bytes(text.replace(b"\nB", b"\n\nB"))
    store.write([(SIMULATIONS, records(SIMULATIONS, run("C")))], ConflictMode.refuse)
    assert _hashes(store) == ["A", "B", "C"]
    paths[0].write_bytes(paths[0].read_bytes().rstrip(b"\n"))
    store.write([(SIMULATIONS, records(SIMULATIONS, run("A"), run("D")))], ConflictMode.force)
    assert _hashes(store) == ["B", "C", "A", "D"]


def test_integers_that_pandas_wrote_as_floats_are_read(existing: tuple[Path, Path]) -> None:
    path = existing[1] / "ANALYSIS_OVERVIEW.csv"
    path.write_bytes(path.read_bytes().replace(b",2,0,", b",2.0,0.0,"))
    rows = next(CsvStore(*existing).read(OVERVIEW))
    assert 2 in rows["row_count"].to_pylist()


def test_other_files_in_the_folder_are_ignored(existing: tuple[Path, Path]) -> None:
    for name in ("notes.csv", "Notes.csv", "ANALYSIS_.csv", "ANALYSIS_a b.csv", "x.txt"):
        (existing[1] / name).write_text("anything", encoding="utf-8")
    store = CsvStore(*existing)
    before = {table.name for table in store.tables()}
    store.create(analysis_table("fresh"))
    assert {table.name for table in store.tables()} == before | {"ANALYSIS_fresh"}
    assert (existing[1] / "notes.csv").read_text(encoding="utf-8") == "anything"


# Names, files, rights


def test_files_that_differ_only_in_case_are_an_error_that_names_both(
    existing: tuple[Path, Path],
) -> None:
    upper = existing[1] / "ANALYSIS_LIPID_RG.csv"
    lower = existing[1] / "ANALYSIS_lipid_rg.csv"
    shutil.copy(upper, lower)
    with pytest.raises(StoreError, match="tail -n") as caught:
        CsvStore(*existing).tables()
    assert str(upper) in str(caught.value)
    assert str(lower) in str(caught.value)


def test_stores_with_one_results_folder_keep_their_simulations_apart(tmp_path: Path) -> None:
    stores = [CsvStore(tmp_path / name, tmp_path / "analysis") for name in ("a.csv", "b.csv")]
    for store in stores:
        store.create(SIMULATIONS)
        store.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
    stores[0].create(SIMULATIONS, replace=True)
    assert [store.count(SIMULATIONS) for store in stores] == [0, 1]
    row = records(SIMULATIONS, run("A"))
    assert stores[1].write([(SIMULATIONS, row)], ConflictMode.update) == {
        SIMULATIONS.name: Counts(unchanged=1)
    }


def test_a_symlink_and_its_target_are_one_store(tmp_path: Path, paths: tuple[Path, Path]) -> None:
    store = _create_store(paths, "A")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "link.csv").symlink_to(paths[0])
    linked = CsvStore(tmp_path / "home" / "link.csv", paths[1], wait=0.1)
    with store.transaction(write=True), pytest.raises(StoreLockedError):
        linked.delete(SIMULATIONS)
    linked.write([(SIMULATIONS, records(SIMULATIONS, run("B")))], ConflictMode.refuse)
    assert (tmp_path / "home" / "link.csv").is_symlink()
    assert _hashes(store) == ["A", "B"]


def test_a_symlinked_table_is_not_replaced(existing: tuple[Path, Path]) -> None:
    path = existing[1] / "ANALYSIS_OVERVIEW.csv"
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))
    store = CsvStore(*existing)
    assert store.count(OVERVIEW)
    with pytest.raises(StoreError, match="symlink.*nothing was changed"):
        store.delete(OVERVIEW)


def test_a_replaced_file_keeps_its_mode_and_group(existing: tuple[Path, Path]) -> None:
    existing[0].chmod(0o660)
    if os.geteuid() == 0:
        os.chown(existing[0], 0, 12345)
    before = existing[0].stat()
    CsvStore(*existing).write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
    after = existing[0].stat()
    assert (after.st_mode, after.st_gid) == (before.st_mode, before.st_gid)
    assert after.st_ino != before.st_ino


def test_reading_creates_no_files(paths: tuple[Path, Path]) -> None:
    with pytest.raises(NotInitialisedError):
        CsvStore(*paths).count(SIMULATIONS)
    assert not list(paths[0].parent.iterdir())


def test_creating_a_table_creates_only_its_namespace(paths: tuple[Path, Path]) -> None:
    CsvStore(*paths).create(SIMULATIONS)
    assert [path.exists() for path in paths] == [True, False]


def test_missing_folders_are_created(tmp_path: Path) -> None:
    store = CsvStore(tmp_path / "a" / "100% a?b#c;d é.csv", tmp_path / "c" / "x y")
    store.create(SIMULATIONS)
    store.create(OVERVIEW)
    assert {table.name for table in store.tables()} == {SIMULATIONS.name, OVERVIEW.name}


def test_owns_recognises_tables_and_hidden_folders(
    paths: tuple[Path, Path], tmp_path: Path
) -> None:
    store = _create_store(paths)
    (tmp_path / "link").symlink_to(paths[0].name)
    owned = [paths[0], tmp_path / "link", paths[1] / "ANALYSIS_new.csv"]
    owned += [paths[1] / "_mdfactory_frame.csv", tmp_path / ".runs.csv.mdfactory" / "lock"]
    assert all(map(store.owns, owned))
    assert not any(map(store.owns, [tmp_path / "other.csv", paths[1] / "apl.csv", tmp_path]))


def test_a_write_without_changes_leaves_the_file_untouched(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths, "A")
    before = paths[0].stat()
    store.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.skip)
    store.delete(SIMULATIONS, (OneOf("hash", ("B",)),))
    after = paths[0].stat()  # the time of the last access may have changed
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


# Malformed files


def _malformed_file_error(paths: tuple[Path, Path], text: bytes) -> StoreError:
    store = _create_store(paths, "A", "B")
    paths[0].write_bytes(text.replace(b"HEADER", ",".join(SIMULATIONS.columns).encode()))
    before = paths[0].read_bytes()
    with pytest.raises(StoreError, match=re.escape(str(paths[0]))) as read:
        list(store.read(SIMULATIONS))
    with pytest.raises(StoreError, match="nothing was changed"):
        store.write([(SIMULATIONS, records(SIMULATIONS, run("A"), run("C")))], ConflictMode.force)
    assert paths[0].read_bytes() == before
    return read.value


GOOD = b'A,b,c,d,"two\nlines",f,g,h,i\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no header"),
        (b"\n" + GOOD, "no header"),
        (b"HEADER\n" + GOOD + b"B,b,c\n", "line 4 has 3 columns, not 9"),
        (b"HEADER\n" + GOOD + b"B,b,c,d,e,f,g,h,i,j\n", "line 4 has 10 columns, not 9"),
        (b"HEADER\n" + GOOD + b'B,b,c,d,"cut', "middle of a quoted cell"),
        (b"HEADER\n" + GOOD + b"\xff,b,c,d,e,f,g,h,i\n", "line 4 is not in UTF-8"),
        (b"\xff\xfeH\0", "no header"),
        (b"hash,status\nA,build\n", "missing engine, parametrization"),
        (b"Unnamed: 0,HEADER\n0," + GOOD, "unexpected Unnamed: 0"),
        (b",HEADER\n0," + GOOD, "unexpected (no name)"),
        (b"HEADER,hash\n", "duplicate hash"),
    ],
)
def test_a_malformed_file_is_an_error_that_names_the_line_or_column(
    paths: tuple[Path, Path], text: bytes, reason: str
) -> None:
    assert reason in str(_malformed_file_error(paths, text))


def test_a_cell_that_is_not_an_integer_is_an_error_that_names_the_column(
    existing: tuple[Path, Path],
) -> None:
    path = existing[1] / "ANALYSIS_OVERVIEW.csv"
    path.write_bytes(path.read_bytes().replace(b",2,0,", b",many,0,"))
    with pytest.raises(StoreError, match="ANALYSIS_OVERVIEW.csv.*row_count.*many"):
        list(CsvStore(*existing).read(OVERVIEW))


@pytest.mark.parametrize("wrong_type", ["runs", "results"])
def test_a_path_of_the_wrong_type_is_an_error_that_names_it(
    paths: tuple[Path, Path], wrong_type: str
) -> None:
    store = _create_store(paths)
    runs, results = paths
    if wrong_type == "runs":
        wrong = runs
        runs.unlink()
        runs.mkdir()
    else:
        wrong = results
        shutil.rmtree(results)
        results.touch()
    with pytest.raises(StoreError, match=re.escape(str(wrong))):
        store.count(SIMULATIONS)
    with pytest.raises(StoreError, match=re.escape(str(wrong))):
        store.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.force)


def test_a_file_changed_by_another_program_is_not_overwritten(
    existing: tuple[Path, Path],
) -> None:
    store = CsvStore(*existing)
    foreign = existing[0].read_bytes().replace(b"build\n", b"completed\n") + GOOD

    def write_meanwhile() -> None:
        with store.transaction(write=True) as transaction:
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)
            existing[0].write_bytes(foreign)

    with pytest.raises(StoreChangedError, match="nothing was changed"):
        write_meanwhile()
    assert existing[0].read_bytes() == foreign


def test_a_file_truncated_during_a_read_is_an_error(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths)
    rows = [run(f"{number:05}", input_data="x" * 2_000) for number in range(6_000)]
    store.write([(SIMULATIONS, records(SIMULATIONS, *rows))], ConflictMode.refuse)
    answer = store.read(SIMULATIONS)
    next(answer)
    with paths[0].open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) // 2)
    with pytest.raises(StoreChangedError, match="another program"):
        list(answer)


# Foreign files


TERABYTE = 2**40
TEXT_BYTES = 2**20


def _planted(paths: tuple[Path, Path], text: bytes) -> CsvStore:
    """Append a text and a hole of a terabyte to the file of the simulations."""
    store = _create_store(paths, "A", "B")
    with paths[0].open("ab") as file:
        file.write(text)
        file.truncate(TERABYTE)
    return store


@pytest.mark.parametrize(
    ("text", "line"), [(b"", 4), (b'C,"', 4), (b"C,d\n", 5), (b'"' + b"\n" * 2_000_000, 2_000_004)]
)
def test_a_hole_in_a_file_is_an_error_that_names_its_line(
    paths: tuple[Path, Path], text: bytes, line: int
) -> None:
    store = _planted(paths, text)
    with pytest.raises(StoreError, match=f"line {line} contains a NUL.*Repair the file"):
        list(store.read(SIMULATIONS))
    with pytest.raises(StoreError, match=f"line {line} contains a NUL.*nothing was changed"):
        store.write([(SIMULATIONS, records(SIMULATIONS, run("C")))], ConflictMode.force)
    assert not list(paths[0].parent.rglob("*.staged"))


def test_a_hole_in_any_file_of_a_store_is_an_error_that_names_it(
    paths: tuple[Path, Path], tmp_path: Path
) -> None:
    store, table = CsvStore(*paths), analysis_table("density")
    batches = [
        (SIMULATIONS, records(SIMULATIONS, run("A"))),
        (OVERVIEW, records(OVERVIEW, overview("A", "density"))),
        (table, records(table, analysis("A"))),
    ]
    with store.operation("push", create=set(Namespace)) as transaction:
        for each, _ in batches:
            transaction.create(each)
        transaction.write(batches, ConflictMode.force)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    for file in files:
        copy = Path(shutil.copytree(tmp_path, tmp_path.with_name("copy")))
        os.truncate(copy / file, TERABYTE)
        store = CsvStore(copy / "runs.csv", copy / "analysis")
        if file.name == "lock":
            undo(store)
        else:
            with pytest.raises(StoreError, match=re.escape(str(copy / file))):
                undo(store)
        shutil.rmtree(copy)


def test_a_file_of_holes_is_an_error(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths)
    paths[0].write_bytes(b"")
    os.truncate(paths[0], TERABYTE)
    with pytest.raises(StoreError, match="line 1 contains a NUL"):
        list(store.read(SIMULATIONS))


@pytest.mark.parametrize("start", [b"C", b'C,"\n'])
def test_a_record_that_does_not_end_is_refused_without_being_held(
    paths: tuple[Path, Path], start: bytes
) -> None:
    store = _create_store(paths, "A", "B")
    with paths[0].open("ab") as file:
        file.write(start)
        for _ in range(MAX_RECORD_BYTES // TEXT_BYTES + 1):
            file.write(b"x" * TEXT_BYTES)
    tracemalloc.start()
    try:
        with pytest.raises(StoreError, match="record in line 4 is longer than 256 MiB.*Repair"):
            list(store.read(SIMULATIONS))
        assert tracemalloc.get_traced_memory()[1] < 16 * TEXT_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", [b'C,"' + b"x" * 2_000_000, b"C," + b"x" * 2_000_000])
def test_a_long_record_that_is_cut_off_is_an_error_that_names_its_line(
    paths: tuple[Path, Path], text: bytes
) -> None:
    store = _create_store(paths, "A", "B")
    with paths[0].open("ab") as file:
        file.write(text)
    with pytest.raises(StoreError, match="in line 4"):
        list(store.read(SIMULATIONS))


def test_a_text_that_no_reader_accepts_is_not_written(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths, "A")
    before = paths[0].read_bytes()
    rows = records(SIMULATIONS, run("B"), run("C", input_data="nul\0nul"))
    with pytest.raises(StoreError, match="the record 'C' contains a NUL.*nothing was changed"):
        store.write([(SIMULATIONS, rows)], ConflictMode.refuse)
    assert paths[0].read_bytes() == before


def test_large_files_of_one_table_are_not_compared(existing: tuple[Path, Path]) -> None:
    upper = existing[1] / "ANALYSIS_LIPID_RG.csv"
    os.truncate(shutil.copy(upper, existing[1] / "ANALYSIS_lipid_rg.csv"), TERABYTE)
    with pytest.raises(StoreError, match=f"too large to be compared: join them into {upper}"):
        CsvStore(*existing).tables()


# Large files


WRITE = """
import sys
from pathlib import Path
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.csv.store import CsvStore
from mdfactory.testing.records import records, run

store = CsvStore(Path(sys.argv[1]), Path(sys.argv[2]))
store.write([(SIMULATIONS, records(SIMULATIONS, run(sys.argv[3])))], ConflictMode[sys.argv[4]])
"""


@NEEDS_STRACE
@pytest.mark.parametrize("fault", ["error=EXDEV", "retval=0"])
def test_files_are_copied_where_the_kernel_cannot_do_it(
    paths: tuple[Path, Path], tmp_path: Path, fault: str
) -> None:
    store = _create_store(paths)
    rows = [run(f"{number:05}", input_data="x" * 2_000) for number in range(1_000)]
    store.write([(SIMULATIONS, records(SIMULATIONS, *rows))], ConflictMode.refuse)
    before, log = paths[0].read_bytes(), tmp_path / "trace"

    def write(hash_: str, mode: ConflictMode) -> None:
        tampered = traced("copy_file_range", f"--inject=copy_file_range:{fault}", log=log)
        command = [*tampered, "-c", WRITE, *map(str, paths), hash_, mode.name]
        subprocess.run(command, check=True, timeout=120)
        assert "INJECTED" in log.read_text(encoding="utf-8")

    write("A", ConflictMode.refuse)
    assert paths[0].read_bytes().startswith(before)
    write("00999", ConflictMode.force)
    assert _hashes(store) == [*(f"{number:05}" for number in range(999)), "A", "00999"]


def test_a_file_truncated_before_it_is_copied_is_an_error(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths)
    rows = [run(f"{number:05}", input_data="x" * 2_000) for number in range(1_000)]
    store.write([(SIMULATIONS, records(SIMULATIONS, *rows))], ConflictMode.refuse)

    def truncate_meanwhile() -> None:
        with store.transaction(write=True) as transaction:
            assert not transaction.count(SIMULATIONS, (OneOf("hash", ("A",)),))
            os.truncate(paths[0], 1_000_000)
            transaction.write([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)

    with pytest.raises(StoreChangedError, match="nothing was changed"):
        truncate_meanwhile()
    assert paths[0].stat().st_size == 1_000_000
    assert not list(paths[0].parent.rglob("*.staged"))


def test_a_record_longer_than_a_part_is_read(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths)
    table = analysis_table("density")
    store.create(table)
    texts = {"A": "a", "B": 'x,"y"\n' * 300_000, "C": "\n" * 1_500_000, "D": '"' * 500_000}
    rows = [analysis(hash_, data_csv=text) for hash_, text in texts.items()]
    for row in rows:
        store.write([(table, records(table, row))], ConflictMode.refuse)
    store.write([(table, records(table, analysis("A", data_csv="new")))], ConflictMode.force)
    read = {row["hash"]: row["data_csv"] for rows in store.read(table) for row in rows.to_pylist()}
    assert read == texts | {"A": "new"}
    (batch,) = store.read(table, Query(where=(OneOf("hash", ("D",)),), columns=("data_csv",)))
    assert batch["data_csv"].to_pylist() == [texts["D"]]


def test_a_long_answer_is_sorted(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths)
    numbers = [number * 7919 % 6_007 for number in range(6_007)]
    rows = [overview(f"{number:05}", "rdf", row_count=number) for number in numbers]
    store.write([(OVERVIEW, records(OVERVIEW, *rows))], ConflictMode.refuse)
    answer = store.read(OVERVIEW, Query(columns=("hash",), sort=Sort("row_count", descending=True)))
    hashes = [hash_ for rows in answer for hash_ in rows["hash"].to_pylist()]
    assert hashes == [f"{number:05}" for number in range(6_006, -1, -1)]


def test_a_transaction_reads_its_own_writes(paths: tuple[Path, Path]) -> None:
    store = _create_store(paths, "00001", "00002", "x")
    with store.transaction(write=True) as transaction:
        for number in range(60):
            row = run(f"{number:05}", status="completed")
            transaction.write([(SIMULATIONS, records(SIMULATIONS, row))], ConflictMode.force)
            near = OneOf("hash", (f"{number - 1:05}", f"{number:05}", f"{number + 1:05}"))
            where = (near, OneOf("status", ("completed",)))
            assert transaction.count(SIMULATIONS, where) == min(number + 1, 2)
            read = transaction.read(SIMULATIONS, Query(where=(near,), columns=("hash", "status")))
            states = dict(pair for rows in read for pair in keys_of(rows, ("hash", "status")))
            assert states[f"{number:05}"] == "completed"
            assert states.get(f"{number + 1:05}", "build") == "build"
        transaction.write([(SIMULATIONS, records(SIMULATIONS, run("00059")))], ConflictMode.force)
        assert transaction.delete(SIMULATIONS, (OneOf("hash", ("00058", "x")),)) == 2
        assert transaction.count(SIMULATIONS) == 59
        assert transaction.count(SIMULATIONS, (OneOf("status", ("completed",)),)) == 58
    assert sorted(_hashes(store)) == [f"{number:05}" for number in (*range(58), 59)]


class _Buffer(bytearray):
    """Memory that a weak reference can refer to, unlike a bytearray."""


def test_written_batches_are_not_kept_in_memory(paths: tuple[Path, Path]) -> None:
    table = analysis_table("rg")
    store = CsvStore(*paths)
    store.create(table)
    buffers: list[weakref.ref[_Buffer]] = []

    def batches() -> Batches:
        for number in range(4):
            sink = pa.BufferOutputStream()
            rows = records(table, analysis(f"{number}", data_csv="x" * 10_000))
            with pa.ipc.new_stream(sink, rows.schema) as writer:
                writer.write_batch(rows)
            buffer = _Buffer(sink.getvalue())
            buffers.append(weakref.ref(buffer))
            yield table, pa.ipc.open_stream(pa.py_buffer(buffer)).read_next_batch()
            del buffer, rows
            assert [reference() for reference in buffers[:-1]] == [None] * number

    store.write(batches(), ConflictMode.refuse)
    assert len(buffers) == store.count(table) == 4


def test_pandas_is_not_imported(paths: tuple[Path, Path]) -> None:
    _create_store(paths, "A")
    script = """
import sys
from pathlib import Path
from mdfactory.records.query import Prefix, Query, Sort
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.csv.store import CsvStore
from mdfactory.testing.records import records, run
store = CsvStore(*map(Path, sys.argv[1:]))
rows = records(SIMULATIONS, run("A", status='"'), run("B"))
store.write([(SIMULATIONS, rows)], ConflictMode.force)
list(store.read(SIMULATIONS, Query(where=(Prefix("hash", "A"),), sort=Sort("hash"))))
assert store.delete(SIMULATIONS) == 2
sys.exit("pandas" in sys.modules)
"""
    completed = subprocess.run([sys.executable, "-c", script, *map(str, paths)], check=False)
    assert completed.returncode == 0
