"""Synthetic campaigns: the real format, with a realistic variety of molecules.

``python -m benchmarks.campaigns make|store FOLDER COUNT``: a process of its own, because the
memory of the one that measures counts as that of the processes it starts.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.collect import run_records
from mdfactory.campaign.simulation import Simulation
from mdfactory.records.tables import RUNS
from mdfactory.records.terms import Mode, Status
from mdfactory.stores.sqlite import SqliteStore

LIPIDS = Path(__file__).parent.parent / "tests" / "data" / "lipid_annotations.json"
SOLVENTS = {
    "SOL": "O",
    "MEO": "CO",
    "ETH": "CCO",
    "ACN": "CC#N",
    "DMS": "CS(C)=O",
    "BEN": "c1ccccc1",
    "THF": "C1CCOC1",
    "DCM": "ClCCl",
}
FILES = {
    Status.build: ("system.pdb", "topology.top", "em.mdp", "nvt.mdp", "npt.mdp", "md.mdp"),
    Status.equilibrated: ("min.gro", "nvt.gro", "npt.gro"),
    Status.production: ("prod.xtc",),
    Status.completed: ("prod.gro",),
}
TIME = "2026-01-02T03:04:05.678901+00:00"


@cache
def _lipids() -> list[dict[str, str]]:
    """Return forty lipids, as a lab has them."""
    samples = json.loads(LIPIDS.read_text(encoding="utf-8"))[:40]
    return [
        {"smiles": one["smiles"], "resname": f"L{number:02}"} for number, one in enumerate(samples)
    ]


def builds(count: int) -> Iterator[BuildInput]:
    """Yield different BuildInputs: mixed boxes, bilayers and nanoparticles, 5 to 3 to 2."""
    chance = random.Random(count)
    for number in range(count):
        make = (_mixedbox, _bilayer, _lnp)[chance.choices((0, 1, 2), (5, 3, 2))[0]]
        yield BuildInput.parse({"parametrization": "smirnoff", **make(chance, number)})


def _mixedbox(chance: random.Random, number: int) -> dict[str, Any]:
    names = chance.sample(list(SOLVENTS), chance.randint(2, 4))
    species = [
        {"smiles": SOLVENTS[name], "resname": name, "count": chance.randint(20, 900)}
        for name in names
    ]
    system = {"species": species, "target_density": 0.8 + number * 1e-7}
    return {"simulation_type": "mixedbox", "system": system}


def _bilayer(chance: random.Random, number: int) -> dict[str, Any]:
    species = [
        {**one, "count": 2 * chance.randint(4, 128)}
        for one in chance.sample(_lipids(), chance.randint(1, 4))
    ]
    return {
        "simulation_type": "bilayer",
        "system": {"species": species, "z_padding": 20 + number * 1e-6},
    }


def _lnp(chance: random.Random, number: int) -> dict[str, Any]:
    def part() -> dict[str, Any]:
        lipids = chance.sample(_lipids(), 4)
        return {"species": [{**one, "fraction": 0.25} for one in lipids]}

    system = {"radius": 60 + number * 1e-5, "core": part(), "shell": part()}
    return {"simulation_type": "lnp", "system": system}


def make(campaign: Path, count: int) -> None:
    """Make a campaign of `count` folders, the four statuses in turn."""
    for number, built in enumerate(builds(count)):
        folder = campaign / built.hash
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.dump(json.loads(built.canonical_json), Dumper=yaml.CSafeDumper)
        (folder / f"{built.hash}.yaml").write_text(text, encoding="utf-8")
        for status in list(Status)[: 1 + number % 4]:
            for name in FILES[status]:
                (folder / name).touch()


def store(folder: Path, count: int) -> None:
    """Make an SQLite store with `count` records in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = SqliteStore(folder / "runs.db", folder / "analysis.db")
    made.create(RUNS)
    simulations = (
        Simulation(Path("/campaign", built.hash), built, Status.build) for built in builds(count)
    )
    made.write(((RUNS, rows) for rows in run_records(simulations, TIME)), Mode.refuse)


if __name__ == "__main__":
    {"make": make, "store": store}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
