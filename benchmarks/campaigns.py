"""Synthetic campaigns: the real format, with a realistic variety of molecules.

``python -m benchmarks.campaigns make|results|artifacts|bulk|plain FOLDER SIZE...`` and
``store URL SIZE``: a process of its own, because the memory of the one that measures counts as
that of the processes it starts.
"""

from __future__ import annotations

import json
import random
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pyarrow.parquet import write_table

from benchmarks.frames import ANALYSES, frame, large_frame
from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.collect import Scope, collect
from mdfactory.campaign.simulation import Simulation
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import ConflictMode, SimulationStatus
from mdfactory.stores import store_at

DATA = Path(__file__).parent.parent / "tests" / "data"
LIPIDS = DATA / "lipid_annotations.json"
STOPPED_RUN = DATA / "adopt" / "eth25_sigterm.tar.gz"
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
    SimulationStatus.build: (
        "system.pdb",
        "topology.top",
        "em.mdp",
        "nvt.mdp",
        "npt.mdp",
        "md.mdp",
    ),
    SimulationStatus.equilibrated: ("min.gro", "nvt.gro", "npt.gro"),
    SimulationStatus.production: ("prod.xtc",),
    SimulationStatus.completed: ("prod.gro",),
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


def make(campaign: str, count: int) -> None:
    """Make a campaign of `count` folders, the four statuses in turn."""
    for number, built in enumerate(builds(count)):
        folder = _simulation(campaign, built)
        for status in list(SimulationStatus)[: 1 + number % 4]:
            for name in FILES[status]:
                (folder / name).touch()


def results(campaign: str, count: int, analyses: int, rows: int) -> None:
    """Make a campaign of `count` folders, each with frames of `rows` rows."""
    for number, built in enumerate(builds(count)):
        names = list(ANALYSES)[:analyses]
        frames = {name: frame(name, rows, number) for name in names}
        record(_simulation(campaign, built), frames)


def artifacts(campaign: str, count: int, files: int, kilobytes: int) -> None:
    """Make a campaign of `count` folders, each with an artifact of some files."""
    chance = random.Random(count)
    for built in builds(count):
        folder = _simulation(campaign, built)
        below = folder / ".analysis" / "artifacts" / "frames"
        below.mkdir(parents=True)
        checksums = {}
        for number in range(files):
            content = chance.randbytes(kilobytes * 1000)
            (below / f"{number}.gro").write_bytes(content)
            checksums[f"artifacts/frames/{number}.gro"] = sha256(content).hexdigest()
        entry = {
            "files": list(checksums),
            "checksums": checksums,
            "created_at": TIME,
            "updated_at": TIME,
            "extras": {},
        }
        registry = {"schema_version": "1.0", "analyses": {}, "artifacts": {"frames": entry}}
        text = json.dumps(registry, indent=2)
        (folder / ".analysis" / "metadata.json").write_text(text, encoding="utf-8")


def bulk(campaign: str, megabytes: int) -> None:
    """Make a campaign with `megabytes` of frames, five analyses in each folder."""
    left = megabytes * 10**6
    for number, built in enumerate(builds(megabytes)):
        frames = {}
        for name in ANALYSES:
            frames[name] = large_frame(name, left, number)
            left -= frames[name].nbytes
        record(_simulation(campaign, built), frames)
        if left <= 0:
            return


def plain(lab: str, count: int) -> None:
    """Make `count` plain GROMACS folders: twenty compositions, five temperatures, replicas."""
    with tarfile.open(STOPPED_RUN) as archive:
        files = {member.name: _read(archive, member) for member in archive if member.isfile()}
    for number in range(count):
        composition, temperature, replica = (
            number % 20,
            280 + 10 * (number // 20 % 5),
            number // 100,
        )
        folder = Path(lab, f"c{composition:02}", f"T{temperature}", f"rep{replica}")
        folder.mkdir(parents=True)
        for name, content in files.items():
            text = content.replace(b"ETH   14", b"ETH   %d" % (10 + composition))
            text = text.replace(b"ref-t:      298.15", b"ref-t:      %d" % temperature)
            (folder / Path(name).name).write_bytes(text)


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def record(folder: Path, frames: Mapping[str, pa.Table]) -> None:
    """Record analyses in the folder of a simulation."""
    analyses = {}
    below = folder / ".analysis"
    below.mkdir()
    for name, table in frames.items():
        filename = f"{name}.parquet"
        write_table(table, below / filename)
        analyses[name] = {
            "filename": filename,
            "row_count": table.num_rows,
            "columns": table.column_names,
            "created_at": TIME,
            "updated_at": TIME,
            "extras": {"units": {"time_ns": "ns"}},
        }
    registry = {"schema_version": "1.0", "analyses": analyses, "artifacts": {}}
    (below / "metadata.json").write_text(json.dumps(registry, indent=2), encoding="utf-8")


def store(url: str, count: int) -> None:
    """Make a store with `count` records, the four statuses in turn."""
    made = store_at(url)
    made.create(SIMULATIONS)
    simulations = (
        Simulation(f"/campaign/{built.hash}", built, status)
        for built, status in zip(builds(count), cycle(SimulationStatus), strict=False)
    )
    made.write(collect(simulations, Scope(simulations=True), TIME, print), ConflictMode.refuse)


def _simulation(campaign: str, built: BuildInput) -> Path:
    folder = Path(campaign, built.hash)
    folder.mkdir(parents=True)
    text = yaml.dump(json.loads(built.canonical_json), Dumper=yaml.CSafeDumper)
    (folder / f"{built.hash}.yaml").write_text(text, encoding="utf-8")
    return folder


VERBS: dict[str, Callable[..., None]] = {
    "make": make,
    "results": results,
    "artifacts": artifacts,
    "bulk": bulk,
    "plain": plain,
    "store": store,
}

if __name__ == "__main__":
    VERBS[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))
