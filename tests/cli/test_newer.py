"""Records of a newer installation in each store: no command fails on them, and none changes them.

Each command of ``sync``, and each method of the notebook's records, is in one of the tables below.
"""

from __future__ import annotations

import csv
import inspect
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from commands import LEAVES
from mdfactory import Records, Simulation, open_store
from mdfactory.config import load
from mdfactory.errors import QueryError, StoreVersionError
from mdfactory.records.query import Query
from mdfactory.records.tables import FORMAT_VERSION, Namespace, format_table
from newer import INTERNAL, MEMBRANE, OTHER_TABLES, UNKNOWN, Newer, make_newer

from .conftest import Program, Result, Screen, on, on_each
from .test_history import state

BOX = "24BD07"
"""First digits of the hash of a simulation of the campaign."""


@pytest.fixture
def newer(mdfactory: Program, campaign: Path, plant: Callable[..., None]) -> Newer:
    """A store with a campaign and the records of a newer installation."""
    assert mdfactory("sync", "init", "all").code == 0
    assert mdfactory("sync", "push", "all", campaign).code == 0
    planted = make_newer(campaign.parent / "newer")
    for table, rows in planted.rows.items():
        plant(table, rows)
    return planted


def missing(newer: Newer, url: str | None = None) -> list[str]:
    """Return the tables of which a store lacks a row of the newer installation."""
    lost = []
    with open_store(url).store.transaction() as transaction:
        for table, rows in newer.rows.items():
            file = load().csv.results / f"{table.name}.csv"
            found: Iterable[tuple[str | int, ...]] = ()
            if transaction.has(table):
                found = transaction.values(table, Query())
            elif table in OTHER_TABLES and not url and file.is_file():  # no table of a CSV store
                found = map(tuple, csv.reader(file.read_text("utf-8").splitlines()))
            lost += [table.name] if set(rows) - set(found) else []
    return lost


def _done(result: Result, code: int = 0) -> Result:
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    return result


# Commands that read


def _export(run: Program, file: Path, *pull: object) -> list[dict[str, Any]]:
    """Write records to a file of each format; return them, of equal content in all files."""
    written = []
    for ending in ("csv", "csv.gz", "json", "jsonl", "parquet"):
        path = file.with_suffix(f".{ending}")
        _done(run(*pull, "--output", path))
        if ending == "parquet":
            written.append(pq.read_table(path).to_pylist())
        elif ending.startswith("csv"):
            rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
            written.append(rows)
        else:
            written.append([json.loads(line) for line in path.read_text("utf-8").splitlines()])
    texts = [[{name: str(row[name]) for name in row} for row in rows] for rows in written]
    assert all(rows == texts[0] for rows in texts)
    return written[-1]


def _filter(run: Program, pull: tuple[str, ...], column: str, value: str, rows: int) -> None:
    """Filter by a value that only the store knows, alone and with a hash, and misspell it."""
    option = f"--{column.replace('_', '-')}"
    assert len(_done(run(*pull, option, value)).rows) == rows + 1
    assert len(_done(run(*pull, option, value, "--hash", MEMBRANE[:7].lower())).rows) == rows + 1
    assert _done(run(*pull, option, value, "--hash", BOX)).rows[1:] == []
    assert f"and in the store {value}" in _done(run(*pull, option, f"{value}x"), 2).err


def _pull_systems(run: Program, newer: Newer, folder: Path) -> None:
    pull = ("sync", "pull", "systems")
    for column, value in UNKNOWN.items():
        _filter(run, pull, column, value, 1)
    rows = _export(run, folder / "systems", *pull)
    assert {row["hash"]: row["input_data"] for row in rows}.items() >= newer.inputs.items()
    full = _done(run(*pull, "--full", "--json", "--sort", "-timestamp_utc", "--limit", "4"))
    assert {row["hash"]: row["input_data"] for row in full.json["rows"]} == newer.inputs


def _pull_analysis(run: Program, newer: Newer, folder: Path) -> None:
    pull = ("sync", "pull", "analysis")
    _filter(run, pull, "simulation_type", UNKNOWN["simulation_type"], 2)
    _filter(run, pull, "status", "queued", 1)
    for data, rows in (((), 1), (("--data",), 2)):
        one = (*pull, "--analysis-name", "contacts", *data)
        _filter(run, one, "simulation_type", UNKNOWN["simulation_type"], rows)
        assert len(_export(run, folder / f"contacts{rows}", *one)) == rows


def _pull_artifacts(run: Program, newer: Newer, folder: Path) -> None:
    pull = ("sync", "pull", "artifacts")
    _filter(run, pull, "simulation_type", UNKNOWN["simulation_type"], 1)
    movie = (*pull, "--artifact-name", "movie")
    _filter(run, movie, "simulation_type", UNKNOWN["simulation_type"], 1)
    [row] = _export(run, folder / "movie", *movie)
    assert row["directory"] == str(newer.membrane)


def _status(run: Program, newer: Newer, _: Path) -> None:
    """A folder of an unknown type is named, and none of its records is only in the store."""
    for source in ([], [newer.root], [newer.membrane]):
        result = _done(run("sync", "status", *source, "--json"), 3)
        skipped = {entry["path"]: entry["reason"] for entry in result.json["skipped"]}
        assert "a newer version of mdfactory may know it" in skipped[str(newer.membrane)]
        assert [row for row in result.json["rows"] if row["hash"] == MEMBRANE] == []


def _verify(run: Program, newer: Newer, _: Path) -> None:
    for source in ([], [newer.root], [newer.membrane]):
        result = _done(run("sync", "verify", *source))
        assert "0 problems" in result.out
        assert "1 record: this version does not know the engine 'openmm'" in result.out
        assert f"{newer.membrane}: " in result.out
        assert f"{MEMBRANE}: its hash" not in result.out


def _log(run: Program, _: Newer, __: Path) -> None:
    assert _done(run("sync", "log")).out.count("mdfactory sync push") == 1


def _init_check(run: Program, _: Newer, __: Path) -> None:
    _done(run("sync", "init", "check"))


READ: dict[str, Callable[[Program, Newer, Path], None]] = {
    "init check": _init_check,
    "pull systems": _pull_systems,
    "pull analysis": _pull_analysis,
    "pull artifacts": _pull_artifacts,
    "status": _status,
    "verify": _verify,
    "log": _log,
}
"""Command -> function that checks what it shows."""


def _systems(records: Records, newer: Newer) -> None:
    for column, value in UNKNOWN.items():
        frame = records.systems(**{column: value}, fields=["system.species", "engine"])  # type: ignore[arg-type]
        assert list(frame["hash"]) == [MEMBRANE]
        assert list(frame["system.species.POP.count"]) == [64]
        with pytest.raises(QueryError, match=f"in the store {value}"):
            records.systems(**{column: "x"})  # type: ignore[arg-type]
    frame = records.systems().set_index("hash")
    assert frame["input_data"].to_dict().items() >= newer.inputs.items()


def _overview(records: Records, _: Newer) -> None:
    assert list(records.overview(item_type="trajectory")["row_count"]) == [7]
    assert len(records.overview(simulation_type=UNKNOWN["simulation_type"])) == 4
    assert list(records.overview(status="queued")["item_name"]) == ["system_chemistry"]
    with pytest.raises(QueryError, match=r"analysis, artifact, and in the store trajectory"):
        records.overview(item_type="trajectories")


def _analysis(records: Records, _: Newer) -> None:
    with pytest.warns(UserWarning, match="the types of 1 frame are inferred from text"):
        frame = records.analysis(
            "contacts", simulation_type=UNKNOWN["simulation_type"], fields=["engine"]
        )
    assert list(frame["contacts"]) == [0.5, 1.5]
    assert set(frame["engine"]) == {UNKNOWN["engine"]}


def _artifact(records: Records, _: Newer) -> None:
    frame = records.artifact("movie", simulation_type=UNKNOWN["simulation_type"])
    assert list(frame["files"]) == [["artifacts/movie/movie.mp4"]]


def _analyses(records: Records, _: Newer) -> None:
    counts = records.analyses(simulation_type=UNKNOWN["simulation_type"]).set_index("name")
    assert counts["completed"]["contacts"] == 1


def _artifacts(records: Records, _: Newer) -> None:
    counts = records.artifacts(simulation_type=UNKNOWN["simulation_type"], hash=MEMBRANE[:9])
    assert list(counts["name"]) == ["movie"]
    assert list(counts["completed"]) == [1]


def _plot(records: Records, _: Newer) -> None:
    made = records.plot("contacts", simulation_type=UNKNOWN["simulation_type"])
    assert made.specification["usermeta"]["mdfactory"]["y"] == ["contacts"]


def _files(records: Records, _: Newer) -> None:
    [path] = records.files("movie", simulation_type=UNKNOWN["simulation_type"])
    assert path.read_bytes() == b"movie"


METHODS: dict[str, Callable[[Records, Newer], None]] = {
    "analyses": _analyses,
    "artifacts": _artifacts,
    "systems": _systems,
    "overview": _overview,
    "analysis": _analysis,
    "artifact": _artifact,
    "files": _files,
    "plot": _plot,
}
"""Method of the notebook's records -> function that checks what it returns."""


@on("sqlite")
@pytest.mark.usefixtures("newer")
def test_a_terminal_shows_it(kind: str, terminal: Callable[..., Screen]) -> None:
    for name in ("analysis", "artifacts"):
        screen = terminal("sync", "pull", name)
        assert screen.code == 0, kind
        [line] = [line for line in screen.text.splitlines() if UNKNOWN["simulation_type"] in line]
        hash_, _, *marks = line.split()
        assert MEMBRANE.startswith(hash_)
        assert marks.count("✓") == 1
    assert UNKNOWN["status"] in terminal("sync", "pull", "systems").text


@on("csv", "postgres")
def test_each_command_reads_what_a_newer_installation_wrote(
    mdfactory: Program, newer: Newer, tmp_path: Path
) -> None:
    before = state()
    for check in READ.values():
        check(mdfactory, newer, tmp_path)
    report = mdfactory("report", tmp_path / "report.html", "--hash", MEMBRANE, "--json")
    assert _done(report).json["counts"]["simulations"] == 1
    for method in METHODS.values():
        method(open_store(), newer)
    assert state() == before
    assert missing(newer) == []


# Commands that write


def _push(*names: str) -> Callable[[Program, Newer], list[str]]:
    def push(run: Program, newer: Newer) -> list[str]:
        for mode in ("--diff", "--update", "--force"):
            _done(run("sync", "push", *names, newer.root.parent / "campaign", mode))
        result = _done(run("sync", "push", *names, newer.root, "--diff", "--json"), 3)
        skipped = {entry["path"]: entry["reason"] for entry in result.json["skipped"]}
        assert "a newer version of mdfactory may know it" in skipped[str(newer.membrane)]
        return []

    return push


def _init(*names: str, loses: str = "") -> Callable[[Program, Newer], list[str]]:
    def init(run: Program, newer: Newer) -> list[str]:
        _done(run("sync", "init", *names))
        assert missing(newer) == []
        _done(run("sync", "init", *names, "--force"))
        return loses.split()

    return init


def _clear(*options: str, loses: str) -> Callable[[Program, Newer], list[str]]:
    def clear(run: Program, _: Newer) -> list[str]:
        _done(run("sync", "clear", *options, "--hash", MEMBRANE[:9], "--yes"))
        return loses.split()

    return clear


def _relocate(run: Program, newer: Newer) -> list[str]:
    _done(run("sync", "relocate", newer.root, "/archive", "--dry-run"))
    assert missing(newer) == []
    _done(run("sync", "relocate", newer.root, "/archive"))
    frame = open_store().systems().set_index("hash")
    assert frame["input_data"].to_dict().items() >= newer.inputs.items()
    assert frame["directory"][MEMBRANE] == "/archive/membrane"
    _done(run("sync", "relocate", "/archive", newer.root))
    result = _done(run("sync", "verify"))  # it has digests of this version now
    assert "0 problems" in result.out
    return []


def _undo(run: Program, newer: Newer) -> list[str]:
    _done(run("sync", "clear", "all", "--yes"))
    _done(run("sync", "undo", "--dry-run"))
    _done(run("sync", "undo"))
    return []


def _configure_files(folder: Path) -> None:
    file = Path(os.environ["MDFACTORY_CONFIG_DIR"], "config.ini")
    with file.open("a", encoding="utf-8") as opened:
        opened.write(f"[files]\nURL = {folder}\n")


def _prune(run: Program, newer: Newer) -> list[str]:
    campaign = newer.root.parent / "campaign"
    _configure_files(newer.root.parent / "kept")
    _done(run("sync", "init", "artifacts"))
    _done(run("sync", "push", "artifacts", campaign, "--update", "--files"))
    _done(run("sync", "prune", "--yes"))
    return []


RUNS, RESULTS = "RUN_DATABASE", "ANALYSIS_OVERVIEW ANALYSIS_contacts ARTIFACT_movie"

WRITE: dict[str, Callable[[Program, Newer], list[str]]] = {
    "push systems": _push("systems"),
    "push analysis": _push("analysis"),
    "push artifacts": _push("artifacts"),
    "push all": _push("all"),
    "init systems": _init("systems", loses=RUNS),
    "init analysis": _init("analysis", loses="ANALYSIS_OVERVIEW ANALYSIS_contacts"),
    "init artifacts": _init("artifacts", loses="ANALYSIS_OVERVIEW ARTIFACT_movie"),
    "init all": _init("all", loses=f"{RUNS} {RESULTS}"),
    "clear systems": _clear("systems", loses=RUNS),
    "clear analysis": _clear("analysis", "--all", loses=RESULTS),
    "clear all": _clear("all", loses=f"{RUNS} {RESULTS}"),
    "prune": _prune,
    "relocate": _relocate,
    "undo": _undo,
}
"""Command -> function that runs it, and returns the tables whose records it removes."""


@on("sqlite")
def test_each_command_that_writes_keeps_or_restores_it(
    mdfactory: Program, newer: Newer, kind: str
) -> None:
    before = state()
    for write in WRITE.values():
        known = mdfactory("sync", "log", "--json").json["operations"]
        assert sorted(missing(newer)) == []
        assert set(write(mdfactory, newer)) == set(missing(newer))
        operations = mdfactory("sync", "log", "--json").json["operations"]
        for operation in operations[: len(operations) - len(known)]:
            if not (operation["undone_by"] or operation["undoes"]):
                _done(mdfactory("sync", "undo", operation["operation"]))
        assert state() == before, kind


@on("csv", "foundry")
def test_a_copy_has_all_of_it(mdfactory: Program, newer: Newer, kind: str, tmp_path: Path) -> None:
    other = {"csv": "sqlite"}.get(kind, "csv")
    target = f"{other}:///{tmp_path}/copy"
    (tmp_path / "copy").mkdir()
    copied = _done(mdfactory("sync", "copy", "--from", kind, "--to", target))
    assert "both stores are identical" in copied.out
    if kind != "foundry":  # its folders are not listed
        assert "of other programs: " in copied.err
        assert INTERNAL.name in copied.err
    assert sorted(missing(newer, target)) == sorted(table.name for table in OTHER_TABLES)
    config = tmp_path / "copy.ini"
    config.write_text(
        f"[database]\nTYPE = {other}\n[sqlite]\nRUN_DB_PATH = copy/runs.db\nANALYSIS_DB_PATH = "
        "copy/analysis.db\n[csv]\nRUN_DB_PATH = copy/runs.csv\nANALYSIS_DB_PATH = copy/analysis\n",
        encoding="utf-8",
    )
    result = _done(mdfactory("sync", "verify", "--config", config))
    assert "0 problems" in result.out


ARGUMENTS: dict[str, list[str]] = {
    "clear all": ["--yes"],
    "clear analysis": ["--all", "--yes"],
    "clear systems": ["--yes"],
    "prune": ["--yes"],
    "relocate": ["/old", "/new"],
}
"""Command -> the arguments that it needs."""

FORMATS = {("sqlite", "runs"), ("csv", "results")}
"""Stores and namespaces that each run tests."""


@on_each("namespace", Namespace, FORMATS)
def test_a_newer_format_is_refused_by_each_command_in_one_line(
    mdfactory: Program,
    plant: Callable[..., None],
    kind: str,
    namespace: str,
    campaign: Path,
    tmp_path: Path,
) -> None:
    _configure_files(tmp_path / "kept")
    assert mdfactory("sync", "init", "all").code == 0
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert mdfactory("sync", "copy", "--from", kind, "--to", other).code == 0
    plant(format_table(Namespace(namespace)), [(FORMAT_VERSION + 1,)])
    commands = [
        (*name.split(), *ARGUMENTS.get(name, ()), *([campaign] if "push" in name else ()))
        for name in READ.keys() | WRITE.keys()
    ]
    commands += [("copy", "--from", kind, "--to", other), ("copy", "--from", other, "--to", kind)]
    for command in commands:
        result = mdfactory("sync", *command)
        assert result.code == 1, command
        text = result.out if command == ("init", "check") else result.err
        [line] = [line for line in text.splitlines() if "format version" in line]
        assert f"has format version {FORMAT_VERSION + 1}" in line
        assert "Run: pip install --upgrade mdfactory" in line
        assert result.err.count("\n") <= 1
    for name in METHODS:
        with pytest.raises(StoreVersionError):
            [
                *getattr(open_store(), name)(
                    *["contacts"] * (name in {"analysis", "artifact", "plot"})
                )
            ]


def test_newer_registries_and_summaries_are_pushed(
    mdfactory: Program, campaign: Path, hashes: list[str]
) -> None:
    folder = next(campaign / name for name in hashes if (campaign / name / ".analysis").is_dir())
    registry = folder / ".analysis" / "metadata.json"
    values = json.loads(registry.read_bytes())
    for entry in values["analyses"].values():
        entry["stored_as"] = {"format": "parquet"}
    newer_keys = {"schema_version": "2.0", "trajectories": {"whole": {"files": ["a.xtc"]}}}
    registry.write_text(json.dumps(values | newer_keys), encoding="utf-8")
    summary = campaign / "summary.yaml"
    known = {"system_directory": [str(folder)], "simulation_type": ["membrane"]}
    summary.write_text(json.dumps(known | {"system": {}, "format": 2}), encoding="utf-8")
    mdfactory("sync", "init", "all")
    pushed = _done(mdfactory("sync", "push", "all", summary, "--json")).json
    assert pushed["counts"]["inserted"] == 1 + len(values["analyses"]) + len(values["artifacts"])
    _done(mdfactory("sync", "verify", summary))
    Simulation.open(folder).results.record_analysis("own", pd.DataFrame({"x": [1]}))
    assert json.loads(registry.read_bytes()).items() >= newer_keys.items()


def test_all_commands_and_methods_are_in_the_tables() -> None:
    sync = {name.removeprefix("mdfactory sync ") for name in LEAVES if " sync " in name}
    assert READ.keys() | WRITE.keys() | {"copy"} == sync
    methods = {name for name, _ in inspect.getmembers(Records, inspect.isfunction)}
    assert {name for name in methods if name[0] != "_"} == METHODS.keys()
