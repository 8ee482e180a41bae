"""Stores with a history that an earlier release made: read, verified, undone and extended.

``tests/data/stores_with_history/make.sh`` made them. ``states.json`` has the digests of their
tables after each operation, as that release read them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import Program
from .test_history import state

SAMPLE = "CC4D89E0997487E23A5CA417BC302361B5440904"
OPERATIONS = 9


def digests(tables: dict[str, list[tuple[object, ...]]]) -> dict[str, str]:
    """Return a SHA-256 of the rows of each table."""
    return {
        name: hashlib.sha256(json.dumps(rows).encode()).hexdigest() for name, rows in tables.items()
    }


@pytest.fixture(params=["sqlite", "csv"])
def states(request: pytest.FixtureRequest, data: Path) -> dict[str, dict[str, str]]:
    """Operation -> digests of the tables after it; the store is the store of the configuration."""
    kind: str = request.param
    folder = data / "stores_with_history"
    shutil.copytree(folder / kind, os.environ["MDFACTORY_DATA_DIR"], copy_function=shutil.copyfile)
    settings = Path(os.environ["MDFACTORY_CONFIG_DIR"])
    settings.mkdir(parents=True)
    (settings / "config.ini").write_text(
        f"[database]\nTYPE = {kind}\n[history]\nOPERATIONS = 99\n", encoding="utf-8"
    )
    known: dict[str, dict[str, dict[str, str]]] = json.loads((folder / "states.json").read_bytes())
    return known[kind]


def test_it_is_read_and_verified(
    states: dict[str, dict[str, str]], mdfactory: Program, tmp_path: Path
) -> None:
    assert digests(state()) == states[str(OPERATIONS)]
    verified = mdfactory("sync", "verify", "--json").json
    assert verified["unverifiable"] == 0
    assert sum(verified["checked"].values()) == 89
    assert len(verified["rows"]) == 8  # the folders, and nothing else
    assert all(row["problem"].startswith("there is no folder") for row in verified["rows"])
    operations = mdfactory("sync", "log", "--json").json["operations"]
    assert [entry["operation"] for entry in operations] == list(range(OPERATIONS, 0, -1))
    assert {(entry["who"], entry["host"]) for entry in operations} == {("chemist", "login")}
    output = tmp_path / "frames.parquet"
    named = ("--analysis-name", "density_timeseries", "--data", "--output", output)
    pulled = mdfactory("sync", "pull", "analysis", "--hash", SAMPLE, *named)
    assert pulled.code == 0, pulled.err
    frames = pq.read_table(output)
    assert pa.types.is_dictionary(frames.schema.field("phase").type)
    assert set(frames["phase"].to_pylist()) == {"liquid", "vapour"}


def test_each_operation_is_undone(states: dict[str, dict[str, str]], mdfactory: Program) -> None:
    for operation in range(OPERATIONS, 1, -1):
        undone = mdfactory("sync", "undo", operation)
        assert undone.code == 0, undone.err
        assert digests(state()) == states[str(operation - 1)], operation


def test_it_is_extended_and_the_extension_is_undone(
    states: dict[str, dict[str, str]], mdfactory: Program, campaign: Path
) -> None:
    pushed = mdfactory("sync", "push", "all", campaign, "--update", "--json").json
    assert pushed["counts"]["updated"] > 8  # other directories
    assert mdfactory("sync", "verify").code == 0
    assert mdfactory("sync", "undo").code == 0
    assert digests(state()) == states[str(OPERATIONS)]
