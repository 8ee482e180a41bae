"""The command verify, on every store."""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pyarrow.parquet as pq
import pytest

from mdfactory.config import load
from mdfactory.records.arrow import batch
from mdfactory.records.query import OneOf, Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, analysis_table, artifact_table
from mdfactory.stores import open_store
from opened import opened

from .conftest import on

Program = Callable[..., Any]

DONE = "CC4D89E0997487E23A5CA417BC302361B5440904"
TABLES = [SIMULATIONS, OVERVIEW, analysis_table("rdf_oxygen"), artifact_table("density_plot")]


@pytest.mark.usefixtures("kind")
@on("csv")
def test_a_byte_that_was_flipped_is_found(mdfactory: Program, pushed_all: Path) -> None:
    """One byte in each table, in a random column."""
    result = mdfactory("sync", "verify", pushed_all)
    assert (result.code, result.out) == (0, "89 records checked, 0 problems\n")
    with open_store(load()).transaction(write=True) as transaction:
        for table in TABLES:
            query = Query((OneOf("hash", (DONE,)),))
            (row, *_) = next(iter(transaction.backend.scan(table, query))).to_pylist()
            names = [name for name in table.columns if isinstance(row[name], str)]
            column = random.choice(names)  # noqa: S311  # any will do
            place = random.randrange(len(row[column]))  # noqa: S311
            letter = chr(ord(row[column][place]) ^ 1)
            changed = row[column][:place] + letter + row[column][place + 1 :]
            transaction.backend.remove(table, [tuple(row[name] for name in table.key)])
            values = [[(row | {column: changed})[name] for name in table.columns]]
            transaction.backend.put(table, batch(values, table.schema))
    result = mdfactory("sync", "verify", "--json")
    assert result.code == 4
    assert not result.json["sound"]
    assert {row["table"] for row in result.json["rows"]} >= {table.name for table in TABLES}


def test_a_table_that_is_not_in_the_registry_is_a_note(
    mdfactory: Program, pushed_all: Path
) -> None:
    file = pushed_all / DONE / ".analysis" / "viscosity.parquet"
    file.write_bytes(b"PAR1")
    result = mdfactory("sync", "verify", "--quick")
    assert result.code == 0
    assert f"{file} is not in the registry, so no push reads it" in result.out
    assert result.out.splitlines()[-1] == "89 records checked, 0 problems, 1 note"


@pytest.mark.usefixtures("kind")
@on("postgres")
def test_findings_are_printed_with_their_remedy(mdfactory: Program, pushed_all: Path) -> None:
    (pushed_all / DONE / ".analysis" / "rdf_oxygen.parquet").unlink()
    result = mdfactory("sync", "verify", "--quick")
    assert result.code == 4
    assert (
        f"ANALYSIS_rdf_oxygen {DONE}: {pushed_all / DONE}: rdf_oxygen.parquet is missing"
        in result.out
    )
    command = f"mdfactory sync push all {pushed_all / DONE} --update"
    assert f"Remedy: Record it again, then {command}" in result.out
    pull = result.out.partition(
        "The store has the table; this writes it, with a column hash: mdfactory "
    )[2]
    pull = pull.splitlines()[0].replace("FILE", str(pushed_all / "rdf.parquet"))
    assert mdfactory(*pull.split()).code == 0
    assert pq.read_table(pushed_all / "rdf.parquet").num_rows == 105
    assert result.out.splitlines()[-1] == "89 records checked, 1 problem"


@pytest.mark.usefixtures("kind", "pushed_all")
@on("csv")
def test_a_table_that_is_missing_is_found(mdfactory: Program) -> None:
    """Another program has dropped tables; of a Foundry dataset, it has deleted the files."""
    dropped = [SIMULATIONS, analysis_table("rdf_oxygen"), artifact_table("density_plot")]
    with open_store(load()).transaction(write=True) as transaction:
        for table in dropped:
            transaction.backend.drop(table)
    result = mdfactory("sync", "verify", "--json")
    assert result.code == 4
    missing = {row["table"] for row in result.json["rows"] if "is missing" in row["problem"]}
    assert {name.lower() for name in missing} == {table.id for table in dropped}


@pytest.mark.usefixtures("kind", "pushed_all")
@on("sqlite")
def test_results_without_their_simulation_are_found(mdfactory: Program) -> None:
    assert mdfactory("sync", "clear", "systems", "--hash", DONE, "--yes").code == 0
    result = mdfactory("sync", "verify", "--json")
    assert result.code == 4
    lone = [row["table"] for row in result.json["rows"] if row["hash"] == DONE]
    assert {"ANALYSIS_rdf_oxygen", "ARTIFACT_density_plot"} <= {*lone}
    assert all("simulation is not in the store" in row["problem"] for row in result.json["rows"])


@pytest.mark.usefixtures("kind", "pushed_all")
@on("postgres")
def test_cleared_and_undone_tables_are_not_missing(mdfactory: Program) -> None:
    for words in ("clear all --yes", "undo", "init all --force", "undo"):
        assert mdfactory("sync", *words.split()).code == 0
        assert mdfactory("sync", "verify").code == 0
    for operation in (2, 1):  # the push, and the creation of the tables
        assert mdfactory("sync", "undo", operation).code in {0, 1}
    assert "is missing, although" not in mdfactory("sync", "verify").out


def test_since_continues_an_earlier_run(mdfactory: Program, pushed_all: Path) -> None:
    result = mdfactory("sync", "verify", pushed_all, "--since", "cc", "--json")
    assert result.code == 0
    assert result.json["checked"]["RUN_DATABASE"] == 4


def test_since_that_is_no_hash_is_a_usage_error(mdfactory: Program, pushed_all: Path) -> None:
    """It would check no record, and report no problem."""
    assert pushed_all
    result = mdfactory("sync", "verify", "--since", "zz")
    assert result.code == 2
    assert "--since 'zz' is not a hash prefix" in result.err


def _interrupt_verify(
    running: Callable[..., Any], campaign: Path, *given: object
) -> tuple[int, str, str]:
    """Interrupt a verification while it reads a large artifact; return its code and output."""
    program = [sys.executable, "-m", "mdfactory", "sync", "verify", campaign, *given]
    large = next((campaign / DONE / ".analysis" / "artifacts").rglob("*.png"))
    with large.open("wb") as file:
        file.truncate(2**36)  # a sparse file, which takes a minute to read
    with (
        opened(large.parent) as files,
        running(program, stdout=PIPE, stderr=PIPE, text=True) as started,
    ):
        files.wait()
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    return started.returncode, out, err


def test_a_campaign_csv_selects_the_simulations_of_its_rows(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    table = (pushed_all / "campaign.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "two.csv").write_text("\n".join(table[:3]) + "\n", encoding="utf-8")
    below = ("--csv-root", pushed_all, "--json")
    checked = mdfactory("sync", "verify", "--csv", tmp_path / "two.csv", *below).json["checked"]
    assert checked["RUN_DATABASE"] == 2
    result = mdfactory("sync", "verify", "--csv", tmp_path / "missing.csv", *below)
    assert (result.code, "checked" in result.json) == (1, False)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_prints_the_command_that_continues_it(
    pushed_all: Path, running: Callable[..., Any]
) -> None:
    code, out, err = _interrupt_verify(running, pushed_all)
    assert code == 130
    assert "records checked" in out
    assert f"To continue: mdfactory sync verify {pushed_all} --since 0BDC04" in err


@pytest.mark.usefixtures("interruptible")
def test_the_command_that_continues_is_complete(
    pushed_all: Path, running: Callable[..., Any], tmp_path: Path
) -> None:
    config = tmp_path / "my lab.ini"
    config.touch()
    _, _, err = _interrupt_verify(running, pushed_all, "--since", "0b", "--config", config)
    (hint,) = [line for line in err.splitlines() if line.startswith("To continue: ")]
    before, _, after = re.split(r"(0BDC04[0-9A-F]{34})", hint)
    assert before == f"To continue: mdfactory --config '{config}' sync verify {pushed_all} --since "
    assert not after


@pytest.mark.usefixtures("interruptible")
def test_a_run_that_is_interrupted_before_it_begins_prints_no_hash(
    mdfactory: Program, pushed_all: Path, running: Callable[..., Any]
) -> None:
    """Another program has the store locked."""
    (database,) = Path(os.environ["MDFACTORY_DATA_DIR"]).glob("runs.db")
    program = [sys.executable, "-m", "mdfactory", "sync", "verify", str(pushed_all)]
    with (
        closing(sqlite3.connect(database, isolation_level=None)) as locking,
        running(
            [*program, "--wait", "2", "--verbose"], stdout=PIPE, stderr=PIPE, text=True
        ) as started,
    ):
        locking.execute("BEGIN EXCLUSIVE")
        assert "opening" in started.stderr.readline()
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "0 records checked" in out
    assert "To continue" not in err


def test_a_store_without_tables_is_an_error(mdfactory: Program) -> None:
    result = mdfactory("sync", "verify")
    assert result.code == 1
    assert "mdfactory sync init all" in result.err
