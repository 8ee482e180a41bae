"""A report of 100,000 simulations: all are found, in bounded memory and bytes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.campaigns import builds

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.records.tables import SIMULATIONS
from mdfactory.report.campaign.snapshot import read_snapshot
from mdfactory.report.payload import decode, encode, to_json
from mdfactory.sync.initialise import initialise
from mdfactory.testing.memory import MemoryStore
from mdfactory.testing.raw import write_records
from mdfactory.testing.records import run
from planting import plant_sqlite

SOLUTES = {"MEO": "CO", "ETH": "CCO", "ACN": "CC#N", "DMS": "CS(C)=O"}

SCRIPT = """
import json, sys
from mdfactory.cli.app import run
code = run(["report", sys.argv[1]])
with open("/proc/self/status") as status:
    [peak] = [int(line.split()[1]) >> 10 for line in status if line.startswith("VmHWM")]
print(json.dumps([code, peak]))
"""
"""Prints the exit code and the peak memory in MB; other figures count the parent process, too."""


def _rows(number: int) -> list[tuple[str | int, ...]]:
    """Return records of mixtures of water with a solute."""
    numbers = random.Random(1)  # noqa: S311  # no secrets
    rows = []
    for index in range(number):
        solute = numbers.choice(sorted(SOLUTES))
        count = numbers.randrange(1, 200)
        amounts = {"SOL": 450 - count, solute: count}
        species = [
            {
                "fraction": amount / 450,
                "count": amount,
                "resname": name,
                "smiles": SOLUTES.get(name, "O"),
            }
            for name, amount in amounts.items()
        ]
        system = {"species": species, "total_count": 450, "ionization": {"seed": index}}
        document: dict[str, Any] = {"simulation_type": "mixedbox", "system": system}
        text = json.dumps(document)
        hash_ = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()
        status = numbers.choice(["build", "production", "completed"])
        directory = f"/campaign/set{index % 50}/{hash_}"
        record = run(hash_, input_data=text, directory=directory, status=status)
        rows.append(tuple(record[name] for name in SIMULATIONS.columns))
    return rows


def test_a_simulation_of_many_species_takes_90_bytes() -> None:
    count = 4_000
    store = MemoryStore()
    initialise(store, simulations=True, results=())
    records = [run(one.hash, input_data=one.canonical_json) for one in builds(count)]
    write_records(store, SIMULATIONS, *records)
    with store.transaction() as transaction:
        snapshot = read_snapshot(transaction, Catalogue())
    assert len(snapshot.molecules.present) > 100
    assert len(encode(to_json(snapshot.simulations()))) < 90 * count


@pytest.mark.long
def test_each_of_100_000_simulations_is_in_a_page_of_10_mb(tmp_path: Path) -> None:
    rows = _rows(100_000)
    plant_sqlite(tmp_path / "runs.db", SIMULATIONS, rows)
    page = tmp_path / "report.html"
    environment = os.environ | {"MDFACTORY_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", SCRIPT, str(page)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    code, megabytes = json.loads(result.stdout.splitlines()[-1])
    assert code == 0
    assert megabytes < 800
    assert page.stat().st_size <= 10_000_000
    _, _, blob = page.read_text(encoding="utf-8").partition('id="data-core">')
    core = json.loads(decode(blob.partition("<")[0]))
    assert {*core["simulations"]["columns"]["hash"]} == {str(row[0]) for row in rows}
