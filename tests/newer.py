"""Records of a newer installation: values, fields and tables that this version does not know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from mdfactory import BuildInput
from mdfactory.campaign.results import Results
from mdfactory.records.tables import (
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    analysis_table,
    artifact_table,
    text_schema,
)
from mdfactory.testing.raw import Rows

TIME: Final = "2031-01-02T03:04:05.678901+00:00"
UNKNOWN: Final = {
    "simulation_type": "membrane_protein",
    "parametrization": "amber",
    "engine": "openmm",
    "status": "paused",
}
"""Column of a simulation -> value that this version does not know."""

CONTACTS, MOVIE = analysis_table("contacts"), artifact_table("movie")
TRAJECTORIES = Table("TRAJECTORY_whole", text_schema("hash path"), ("hash",), Namespace.results)
INTERNAL = Table("_mdfactory_frobnicate", text_schema("hash x"), ("hash",), Namespace.results)
OTHER_TABLES: Final = (TRAJECTORIES, INTERNAL)
"""Tables that are none of the record tables."""

MEMBRANE_INPUT: Final[dict[str, Any]] = {
    "simulation_type": UNKNOWN["simulation_type"],
    "system": {
        "protein": {"pdb_path": "1aki.pdb", "tags": {"a": 1}},
        "species": [{"resname": "POP", "count": 64, "fraction": 1e-07}],
        "note": 'Grüße, "tags":{}',
    },
    "parametrization": UNKNOWN["parametrization"],
    "parametrization_config": {"type": UNKNOWN["parametrization"], "forcefield": "ff19SB"},
    "engine": UNKNOWN["engine"],
}
WATER: Final = {"smiles": "O", "resname": "SOL", "count": 450}
BOX_INPUT: Final[dict[str, Any]] = {"simulation_type": "mixedbox", "system": {"species": [WATER]}}
"""BuildInput of a type that this version knows."""


def compact(values: object) -> str:
    """Return JSON without blanks."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def with_tags(text: str, tags: object) -> str:
    """Append tags to the canonical JSON of a BuildInput, as its last key."""
    return f'{text[:-1]},"tags":{compact(tags)}}}'


def hash_of(text: str) -> str:
    """Return the hash of a BuildInput, given its canonical JSON."""
    return sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


MEMBRANE: Final = hash_of(compact(MEMBRANE_INPUT))


@dataclass(frozen=True)
class Newer:
    """Records that a newer installation has pushed, and their folders.

    Parameters
    ----------
    root
        The folder of the campaign.
    inputs
        Hash -> ``input_data``.
    rows
        Table -> its rows.
    """

    root: Path
    inputs: dict[str, str]
    rows: dict[Table, Rows]

    @property
    def membrane(self) -> Path:
        """Folder of the simulation of an unknown type."""
        return self.root / "membrane"


def make_newer(root: Path) -> Newer:
    """Make the folders of a newer installation, and the records that it pushes of them."""
    more = {"species": [WATER], "temperature": 310.0}  # a field that this version does not have
    plain = BuildInput.parse(BOX_INPUT).canonical_json
    seeded = BuildInput.parse(_box(system={"species": [WATER], "ionization": {"seed": 7}}))
    folders = {
        "membrane": (MEMBRANE_INPUT, compact(MEMBRANE_INPUT), {"b": "2", "a": "1"}),
        "untagged": (BOX_INPUT, plain, None),
        "unsorted": (
            _box(system=seeded.system.model_dump()),
            seeded.canonical_json,
            {"z": "", "a": "1"},
        ),
        "more": (_box(system=more), compact(_box(system=more)), {}),
    }
    inputs = {}
    rows: Rows = []
    for name, (values, text, tags) in folders.items():
        folder = root / name
        folder.mkdir(parents=True)
        tagged = values | {"tags": tags}
        (folder / "build.yaml").write_text(json.dumps(tagged), encoding="utf-8")
        inputs[hash_of(text)] = with_tags(text, tags)
        known = {"simulation_type": "mixedbox", "parametrization": "cgenff", "engine": "gromacs"}
        columns = UNKNOWN if name == "membrane" else known | {"status": "build"}
        record = columns | {
            "hash": hash_of(text),
            "input_data": inputs[hash_of(text)],
            "input_data_type": "BuildInput",
            "directory": str(folder),
            "timestamp_utc": TIME,
        }
        rows.append(tuple(record[column] for column in SIMULATIONS.columns))
    return Newer(root, inputs, {SIMULATIONS: rows, **_results(root / "membrane")})


def _box(**values: object) -> dict[str, Any]:
    return BOX_INPUT | values


def _results(folder: Path) -> dict[Table, Rows]:
    """Record an analysis and an artifact in a folder, and return the rows of their tables."""
    (folder / ".analysis").mkdir()
    results = Results(str(folder))
    results.record_analysis("contacts", pa.table({"frame": [1, 2], "contacts": [0.5, 1.5]}))
    (folder / "movie.mp4").write_bytes(b"movie")
    results.record_artifact("movie", folder / "movie.mp4")
    registry = json.loads((folder / ".analysis" / "metadata.json").read_bytes())
    movie = registry["artifacts"]["movie"]
    kind, directory = UNKNOWN["simulation_type"], str(folder)
    csv = "frame,contacts\n1,0.5\n2,1.5\n"
    columns, path = '["frame", "contacts"]', ".analysis/contacts.parquet"
    files, checksums = json.dumps(movie["files"]), json.dumps(movie["checksums"])
    items = [
        ("analysis", "contacts", "completed", 2, 0),
        ("artifact", "movie", "completed", 0, 1),
        ("analysis", "system_chemistry", "queued", 0, 0),
        ("trajectory", "whole", "streaming", 7, 7),
    ]
    return {
        CONTACTS: [(MEMBRANE, directory, kind, 2, columns, csv, path, TIME)],
        MOVIE: [(MEMBRANE, directory, kind, 1, files, checksums, TIME)],
        OVERVIEW: [(MEMBRANE, kind, directory, *item, TIME) for item in items],
        **{table: [(MEMBRANE, "x")] for table in OTHER_TABLES},
    }
