"""Export: every format is exact, and a file is complete or unchanged."""

from __future__ import annotations

import csv
import gzip
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mdfactory.errors import OutputError, StoreError, UsageError
from mdfactory.records.tables import OVERVIEW, SIMULATIONS
from mdfactory.sync.export import export
from mdfactory.testing.records import AWKWARD_TEXTS, overview, records, run

ROWS = [run(f"{number:04}", directory=text) for number, text in enumerate(AWKWARD_TEXTS)]


def _read(path: Path) -> list[dict[str, object]]:
    match path.suffix:
        case ".parquet":
            return pq.read_table(path).to_pylist()
        case ".json" | ".jsonl":
            return [
                json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line
            ]
        case ".gz":
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        case _:
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.json", "a.jsonl", "a.parquet", "a.txt", "a", "a.PARQUET", "a.csv.gz", "a.CSV.GZ"],
)
def test_records_are_written_exactly(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    batches = [records(SIMULATIONS, *ROWS[:10]), records(SIMULATIONS, *ROWS[10:])]
    assert export(batches, SIMULATIONS.schema, path) == len(ROWS)
    assert _read(path.rename(path.with_name(name.lower()))) == ROWS


def test_a_csv_file_is_read_by_pandas(tmp_path: Path) -> None:
    export([records(SIMULATIONS, *ROWS)], SIMULATIONS.schema, tmp_path / "a.csv")
    frame = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    assert frame.to_dict("records") == ROWS


def test_numbers_are_numbers(tmp_path: Path) -> None:
    export(
        [records(OVERVIEW, overview("A", "rdf", row_count=5))], OVERVIEW.schema, tmp_path / "a.json"
    )
    assert _read(tmp_path / "a.json")[0]["row_count"] == 5


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.parquet"])
def test_an_export_without_records_writes_the_header(tmp_path: Path, name: str) -> None:
    assert export([], SIMULATIONS.schema, tmp_path / name) == 0
    assert _read(tmp_path / name) == []
    if name == "a.csv":
        assert len((tmp_path / name).read_text(encoding="utf-8").split(",")) == len(
            SIMULATIONS.columns
        )


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.parquet"])
def test_a_file_is_replaced_only_when_the_new_one_is_complete(tmp_path: Path, name: str) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield records(SIMULATIONS, *ROWS)
        raise StoreError("gone")

    path = tmp_path / name
    path.write_text("before", encoding="utf-8")
    with pytest.raises(StoreError, match="gone"):
        export(failing(), SIMULATIONS.schema, path)
    assert path.read_text(encoding="utf-8") == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_file_keeps_its_permissions_and_a_new_one_has_the_default(
    tmp_path: Path,
) -> None:
    (tmp_path / "old.csv").touch(mode=0o640)
    (tmp_path / "plain").touch()
    for name in ("old.csv", "new.csv"):
        export([], SIMULATIONS.schema, tmp_path / name)
    assert (tmp_path / "old.csv").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "new.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_symlink_stays_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("real.csv")
    export([], SIMULATIONS.schema, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").exists()


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    export([records(SIMULATIONS, *ROWS)], SIMULATIONS.schema, pipe)
    reader.join()
    assert read[0].count(b"mixedbox") == 2 * len(ROWS)
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["missing/a.csv", "."])
def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError) as caught:
        export([], SIMULATIONS.schema, tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["a.xlsx", "a.XLS", "a.gz", "a.json.gz", "a.csv.zip", "a.h5", "a.tsv", "a.pq", "a.ndjson"],
)
def test_the_ending_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.csv\.gz, \.json, \.jsonl or \.parquet"):
        export([records(SIMULATIONS, *ROWS)], SIMULATIONS.schema, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_type_that_parquet_lacks_is_an_error_and_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("old", encoding="utf-8")
    category = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["x", None]))
    for column in (category, pa.array([{}], pa.struct([]))):
        rows = pa.record_batch([column], names=["a"])
        with pytest.raises(OutputError, match=r"a\.parquet cannot be written: "):
            export([rows], rows.schema, path)
        assert path.read_text(encoding="utf-8") == "old"
