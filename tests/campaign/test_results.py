"""Results of a simulation: recording, loading, removing and checking them."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mdfactory.campaign.registry import RESTORE, lock_registry, read_registry
from mdfactory.campaign.result_problems import ResultProblem
from mdfactory.campaign.results import Results
from mdfactory.errors import InvalidNameError, RegistryError, ResultError
from members import ANN, BEN, GROUP, NEEDS_MEMBERS, group_folder, taking_turns
from tracing import NEEDS_STRACE, traced

RIGHTLESS = Path(__file__).parent.parent / "rightless.py"

FRAME = pd.DataFrame({"time_ns": [0.0, 0.1, 0.2], "apl": [63.5, 64.0, 62.25]})


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


@pytest.fixture
def completed(campaign: Path) -> Results:
    (folder,) = campaign.glob("CC4D*")
    return Results(folder)


def _read_document(results: Results) -> Any:
    return json.loads((results.folder / "metadata.json").read_text(encoding="utf-8"))


def _write_registry(results: Results, values: object) -> None:
    results.folder.mkdir(exist_ok=True)
    text = values if isinstance(values, str) else json.dumps(values)
    (results.folder / "metadata.json").write_text(text, encoding="utf-8")


def test_registry_reads_the_example(completed: Results) -> None:
    registry = completed.registry()
    assert list(registry.analyses) == [
        "system_chemistry",
        "density_timeseries",
        "rdf_oxygen",
        "box_size_timeseries",
        "hydrogen_bonds",
    ]
    assert list(registry.artifacts) == ["last_frame_pdb", "density_plot"]
    assert registry.problems == ()
    assert completed.check() == []
    assert completed.load_analysis("rdf_oxygen").num_rows == 105


def test_a_folder_without_a_registry_has_no_results(results: Results) -> None:
    registry = results.registry()
    assert (registry.analyses, registry.artifacts) == ({}, {})
    assert results.check() == []


@pytest.mark.parametrize("frame", [FRAME, pa.Table.from_pandas(FRAME)], ids=["pandas", "arrow"])
def test_load_analysis_returns_the_recorded_frame(results: Results, frame: Any) -> None:
    results.record_analysis("area_per_lipid", frame, units={"apl": "A^2"})
    pd.testing.assert_frame_equal(results.load_analysis("area_per_lipid").to_pandas(), FRAME)
    entry = _read_document(results)["analyses"]["area_per_lipid"]
    assert entry.pop("created_at") == entry.pop("updated_at")
    assert entry == {
        "filename": "area_per_lipid.parquet",
        "row_count": 3,
        "columns": ["time_ns", "apl"],
        "extras": {"units": {"apl": "A^2"}},
    }
    assert _read_document(results)["schema_version"] == "1.0"
    assert results.check() == []


def test_record_analysis_again_keeps_created_at(results: Results) -> None:
    results.record_analysis("a", FRAME)
    first = _read_document(results)["analyses"]["a"]
    results.record_analysis("a", FRAME.head(1), extras={"note": "shorter"})
    second = _read_document(results)["analyses"]["a"]
    assert results.load_analysis("a").num_rows == second["row_count"] == 1
    assert second["created_at"] == first["created_at"] < second["updated_at"]
    assert second["extras"] == {"note": "shorter"}


def test_remove_from_a_simulation_without_results_is_an_error(results: Results) -> None:
    for remove in (results.remove_analysis, results.remove_artifact):
        with pytest.raises(ResultError, match="has no results"):
            remove("a")
    assert not results.folder.exists()


def test_remove_analysis_removes_entry_and_file(results: Results) -> None:
    results.record_analysis("a", FRAME)
    results.record_analysis("b", FRAME)
    results.remove_analysis("a")
    assert list(results.registry().analyses) == ["b"]
    assert not (results.folder / "a.parquet").exists()
    with pytest.raises(ResultError, match="no analysis 'a'; it has b"):
        results.remove_analysis("a")
    with pytest.raises(ResultError, match="no analysis 'a'"):
        results.load_analysis("a")


def test_the_error_for_an_unknown_name_suggests_a_known_one(results: Results) -> None:
    results.record_analysis("density", FRAME)
    with pytest.raises(ResultError, match=r"'densty' \(did you mean 'density'\?\); it has density"):
        results.load_analysis("densty")


@pytest.mark.parametrize("move", [False, True])
def test_record_artifact_stores_files_and_checksums(
    results: Results, tmp_path: Path, *, move: bool
) -> None:
    sources = [tmp_path / "snap.png", tmp_path / "notes.txt"]
    for source in sources:
        source.write_bytes(source.name.encode())
    results.record_artifact("bilayer_snapshot", sources, move=move, frame=7)
    entry = _read_document(results)["artifacts"]["bilayer_snapshot"]
    files = ["artifacts/bilayer_snapshot/snap.png", "artifacts/bilayer_snapshot/notes.txt"]
    assert entry["files"] == files
    assert entry["checksums"] == {
        file: hashlib.sha256(Path(file).name.encode()).hexdigest() for file in files
    }
    assert entry["extras"] == {"frame": 7}
    assert [source.exists() for source in sources] == [not move] * 2
    assert results.check() == []


RECORD = """
import sys
import pyarrow as pa
from mdfactory.campaign.results import Results

results = Results(sys.argv[1])
results.record_analysis("a", pa.table({"x": [1.0]}))
results.record_artifact("b", sys.argv[2])
"""


@NEEDS_STRACE
def test_files_and_folders_are_on_the_disk_before_the_registry_lists_them(
    results: Results, tmp_path: Path
) -> None:
    file, log = tmp_path / "a.txt", tmp_path / "trace"
    file.write_bytes(b"x")
    command = [*traced("fsync", log=log), "-c", RECORD, str(results.directory), str(file)]
    subprocess.run(command, check=True, timeout=120)
    paths = re.findall(r"fsync\(\d+<([^>]*)>", log.read_text(encoding="utf-8"))
    files = ("a.parquet", "a.txt", "metadata.json")  # they have temporary names when flushed
    folders = (f"{tmp_path}$", ".analysis$", "artifacts$", "artifacts/b$")
    synced = [name for path in paths for name in (*files, *folders) if re.search(f"{name}", path)]
    record_analysis = [f"{tmp_path}$", "a.parquet", ".analysis$", "metadata.json", ".analysis$"]
    folders_of_artifact = [".analysis$", "artifacts$", "artifacts/b$"]
    record_artifact = ["a.txt", *folders_of_artifact, "metadata.json", ".analysis$"]
    assert synced == record_analysis + record_artifact


def test_artifact_files_are_replaced_and_removed_together(results: Results, tmp_path: Path) -> None:
    for name in ("old.png", "new.png"):
        (tmp_path / name).write_bytes(b"x")
        results.record_artifact("movie", [tmp_path / name])
    assert [path.name for path in (results.folder / "artifacts" / "movie").iterdir()] == ["new.png"]
    results.remove_artifact("movie")
    assert not (results.folder / "artifacts" / "movie").exists()
    assert results.registry().artifacts == {}


def test_an_artifact_may_be_recorded_from_its_own_folder(results: Results, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    results.record_artifact("movie", [tmp_path / "a.txt"])
    results.record_artifact("movie", [results.folder / "artifacts/movie/a.txt"], move=True)
    assert results.check() == []
    assert list(results.registry().artifacts) == ["movie"]


def test_unknown_parts_of_the_registry_are_preserved(results: Results) -> None:
    entry = {"filename": "a.parquet", "row_count": 1, "columns": [], "engine": "old", "extras": {}}
    _write_registry(results, {"schema_version": "1.7", "analyses": {"a": entry}, "lab": {"x": 1}})
    results.record_analysis("a", FRAME)
    results.record_analysis("b", FRAME)
    document = _read_document(results)
    assert (document["schema_version"], document["lab"]) == ("1.7", {"x": 1})
    assert document["analyses"]["a"]["engine"] == "old"
    assert document["analyses"]["a"]["row_count"] == 3


@pytest.mark.parametrize("name", ["", "a b", "../a", "overview", "9", "a" * 49])
def test_an_invalid_name_cannot_be_recorded(results: Results, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(InvalidNameError):
        results.record_analysis(name, FRAME)
    with pytest.raises(InvalidNameError):
        results.record_artifact(name, [tmp_path / "a.txt"])
    assert not results.folder.exists()


def test_a_failed_recording_changes_no_file(results: Results, tmp_path: Path) -> None:
    results.record_analysis("a", FRAME)
    before = {path: path.read_bytes() for path in results.folder.rglob("*") if path.is_file()}
    with pytest.raises(ResultError, match="JSON"):
        results.record_analysis("a", FRAME, extras={"by": object()})
    with pytest.raises(ResultError, match="JSON"):
        results.record_analysis("a", FRAME, extras={"factor": float("nan")})
    with pytest.raises(ResultError, match="analysis a"):
        results.record_analysis("a", pd.DataFrame({"x": [1, "a", object()]}))
    with pytest.raises(ResultError, match=r"missing\.png"):
        results.record_artifact("b", [tmp_path / "missing.png"])
    with pytest.raises(ResultError, match="no files given"):
        results.record_artifact("b", [])
    (tmp_path / "x").mkdir()
    for folder in (tmp_path, tmp_path / "x"):
        (folder / "same.txt").touch()
    with pytest.raises(ResultError, match=r"same\.txt"):
        results.record_artifact("b", [tmp_path / "same.txt", tmp_path / "x" / "same.txt"])
    after = {path: path.read_bytes() for path in results.folder.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("[]", "is not a JSON object"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_an_invalid_registry_is_an_error_and_is_not_overwritten(
    results: Results, text: str, problem: str
) -> None:
    _write_registry(results, text)
    for action in (results.registry, results.check, lambda: results.record_analysis("a", FRAME)):
        with pytest.raises(RegistryError, match=problem) as caught:
            action()
        assert str(results.folder / "metadata.json") in str(caught.value)
        assert str(caught.value).endswith(RESTORE)
    assert (results.folder / "metadata.json").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ([], "the entry is"),
        ({"row_count": 1}, "filename is None"),
        ({"filename": "a.parquet", "row_count": "1"}, "row_count is '1'"),
        ({"filename": "a.parquet", "row_count": True}, "row_count is True"),
    ],
)
def test_an_invalid_analysis_entry_is_a_problem_and_the_rest_is_read(
    results: Results, entry: object, problem: str
) -> None:
    good = {"filename": "good.parquet", "row_count": 1}
    _write_registry(results, {"analyses": {"good": good, "bad": entry, "a-b": good}})
    registry = results.registry()
    assert list(registry.analyses) == ["good"]
    assert problem in registry.problems[0].reason
    assert registry.problems[1].name == "a-b"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"files": "a", "checksums": {}}, "files is 'a'"),
        ({"files": [1], "checksums": {}}, "a file is 1"),
        ({"files": ["a"], "checksums": {}}, "the checksum of 'a' is None"),
        ({"files": ["a"]}, "checksums is None"),
        ({"files": ["a", "a"], "checksums": {"a": "x"}}, "duplicate"),
    ],
)
def test_an_invalid_artifact_entry_is_a_problem(
    results: Results, entry: object, reason: str
) -> None:
    _write_registry(results, {"artifacts": {"bad": entry}})
    (problem,) = results.registry().problems
    assert str(problem).startswith("artifact bad: ")
    assert reason in problem.reason


def test_registry_rejects_names_that_differ_only_in_case(results: Results) -> None:
    entry = {"filename": "a.parquet", "row_count": 1}
    _write_registry(results, {"analyses": {"rdf": entry, "RDF": entry}})
    registry = results.registry()
    assert list(registry.analyses) == ["rdf"]
    assert "differs from rdf only in case" in str(registry.problems[0])


def test_check_finds_every_difference(completed: Results) -> None:
    folder = completed.folder
    (folder / "hydrogen_bonds.parquet").unlink()
    (folder / "rdf_oxygen.parquet").write_bytes(b"PAR1 no more")
    pq.write_table(pa.table({"x": [1]}), folder / "system_chemistry.parquet")
    (folder / "artifacts/density_plot/density_plot.png").write_bytes(b"other")
    (folder / "artifacts/last_frame_pdb/last_frame.pdb").unlink()
    (folder / "orphan.parquet").touch()
    findings = {finding.item: finding.problem for finding in completed.check()}
    assert findings.pop("rdf_oxygen").startswith("rdf_oxygen.parquet cannot be read: ")
    assert findings == {
        "hydrogen_bonds": "hydrogen_bonds.parquet is missing. Record the analysis again",
        "system_chemistry": (
            "system_chemistry.parquet has 1 rows, but 2 are recorded. Record the analysis again"
        ),
        "density_plot": (
            "artifacts/density_plot/density_plot.png has changed: its "
            "checksum differs from the registry"
        ),
        "last_frame_pdb": "artifacts/last_frame_pdb/last_frame.pdb is missing",
        "orphan.parquet": "is not in the registry",
    }
    for name in ("hydrogen_bonds", "rdf_oxygen", "system_chemistry"):
        with pytest.raises(ResultError, match=name):
            completed.load_analysis(name)


def test_check_reports_an_invalid_entry_but_not_its_files(results: Results) -> None:
    artifact = {"files": ["b.txt", "c.txt", 1], "checksums": {}}
    analysis = {"filename": "a.parquet", "row_count": "1"}
    sections = {"analyses": {"a": analysis, "d": []}, "artifacts": {"b": artifact}}
    _write_registry(results, sections)
    for name in ("a.parquet", "b.txt", "c.txt", "d.parquet"):
        (results.folder / name).touch()
    assert [finding.item for finding in results.check()] == ["a", "d", "b", "d.parquet"]


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "link", "artifacts/../../x", "a\0b"])
def test_a_path_outside_the_results_folder_is_rejected(
    results: Results, tmp_path: Path, file: str
) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    _write_registry(results, {"artifacts": {"a": {"files": [file], "checksums": {file: "0" * 64}}}})
    (results.folder / "link").symlink_to(tmp_path / "secret")
    (finding, *_) = results.check()
    assert finding == ResultProblem("a", finding.problem)
    assert "outside" in finding.problem or "inside" in finding.problem
    remedy = f"Delete this entry from {results.folder / 'metadata.json'}"
    with pytest.raises(ResultError, match="artifact a: .*side") as caught:
        results.remove_artifact("a")
    assert repr(file) in str(caught.value)
    assert str(caught.value).endswith(remedy)
    assert (tmp_path / "secret").exists()


def test_an_analysis_outside_the_results_folder_is_not_removed(
    results: Results, tmp_path: Path
) -> None:
    (tmp_path / "secret").touch()
    entry = {"filename": "../secret", "row_count": 1}
    _write_registry(results, {"analyses": {"a": entry}})
    with pytest.raises(ResultError, match="analysis a: '../secret' is not a path inside .analysis"):
        results.remove_analysis("a")
    assert list(results.registry().analyses) == ["a"]
    assert (tmp_path / "secret").exists()


RECORD_FIVE = """
import sys, pyarrow as pa
from mdfactory.campaign.results import Results
for number in range(5):
    Results(sys.argv[1]).record_analysis(f"a_{sys.argv[2]}_{number}", pa.table({"x": [1]}))
"""


def test_scripts_that_record_at_once_lose_no_result(tmp_path: Path) -> None:
    commands = [
        [sys.executable, "-c", RECORD_FIVE, str(tmp_path), str(number)] for number in range(4)
    ]
    scripts = [subprocess.Popen(command) for command in commands]
    assert [script.wait() for script in scripts] == [0, 0, 0, 0]
    assert len(Results(tmp_path).registry().analyses) == 20
    assert Results(tmp_path).check() == []


def test_a_script_says_for_which_process_it_waits(
    results: Results, running: Callable[..., Any]
) -> None:
    results.record_analysis("keep", pa.table({"x": [1]}))
    command = [sys.executable, "-c", RECORD_FIVE, results.directory, "late"]
    holder = f"process {os.getpid()} ("
    with running(command, stderr=subprocess.PIPE, text=True) as script:
        with lock_registry(results.directory):
            warning = script.stderr.readline()
            with (
                pytest.raises(ResultError, match=rf"is held by {re.escape(holder)}.*; waited 0 s"),
                lock_registry(results.directory, wait=0),
            ):
                pass
        assert script.wait() == 0
        assert not script.stderr.read()
    assert warning.startswith(f"waiting for {holder}")
    assert warning.endswith(f"holds the registry in {results.folder}\n")
    assert len(results.registry().analyses) == 6


RECORD_UNTIL_KILLED = """
import sys, time, pyarrow as pa
from mdfactory.campaign.results import Results
results = Results(sys.argv[1])
for rows in range(1, 100_000):
    started = time.monotonic()
    results.record_analysis("a", pa.table({"x": range(rows % 50)}))
    print(time.monotonic() - started, flush=True)
"""


def test_a_killed_script_leaves_files_that_match_the_registry(
    tmp_path: Path, running: Callable[..., Any]
) -> None:
    for _ in range(5):
        command = [sys.executable, "-c", RECORD_UNTIL_KILLED, str(tmp_path)]
        with running(command, stdout=subprocess.PIPE) as script:
            seconds = [float(script.stdout.readline()) for _ in range(3)]
            time.sleep(random.uniform(0, 2 * min(seconds)))  # noqa: S311  # any instant
            os.kill(script.pid, signal.SIGKILL)
        problems = [finding.problem for finding in Results(tmp_path).check()]
        assert [text for text in problems if text != "is not in the registry"] == []
    shutil.rmtree(tmp_path / ".analysis")
    assert read_registry(tmp_path).analyses == {}


def test_a_frame_that_cannot_be_written_leaves_the_earlier_result(results: Results) -> None:
    results.record_analysis("keep", pa.table({"x": [1]}))
    results.record_analysis("keep", pa.table({"x": [1, 2]}), extras={"note": "half: \ud800"})
    assert results.registry().analyses["keep"].entry["extras"]["note"][-1] == "\ud800"
    with pytest.raises(ResultError, match="expected a pandas or polars DataFrame .*, got list"):
        results.record_analysis("keep", [1, 2])
    assert results.load_analysis("keep").num_rows == 2
    assert results.check() == []


def test_threads_that_record_at_once_lose_no_result(results: Results) -> None:
    with ThreadPoolExecutor(16) as threads:
        recordings = [
            threads.submit(results.record_analysis, f"n{number}", pa.table({"x": [number]}))
            for number in range(24)
        ]
    assert [recording.result() for recording in recordings] == [None] * 24
    assert len(results.registry().analyses) == 24
    assert results.check() == []


def test_record_analysis_rejects_a_name_that_differs_only_in_case(results: Results) -> None:
    results.record_analysis("Foo", pa.table({"x": [1]}))
    with pytest.raises(ResultError, match="'foo' differs from the existing result 'Foo' only"):
        results.record_analysis("foo", pa.table({"x": [2]}))
    assert results.load_analysis("Foo").to_pydict() == {"x": [1]}


def test_a_frame_without_columns_has_no_rows(results: Results) -> None:
    results.record_analysis("none", pd.DataFrame(index=range(4)))
    assert results.load_analysis("none").num_rows == 0


def test_record_artifact_accepts_a_single_path(results: Results, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    results.record_artifact("notes", str(tmp_path / "notes.txt"))
    assert results.registry().artifacts["notes"].files == ("artifacts/notes/notes.txt",)
    with pytest.raises(ResultError, match="missing.txt is not a file"):
        results.record_artifact("notes", tmp_path / "missing.txt")


def _artifact_of(*files: str) -> dict[str, Any]:
    return {"files": files, "checksums": dict.fromkeys(files, hashlib.sha256(b"x").hexdigest())}


def _files(results: Results) -> dict[str, bytes]:
    """Return the content of all files but the registry and its lock."""
    return {
        str(path.relative_to(results.folder)): path.read_bytes()
        for path in results.folder.rglob("*")
        if path.is_file() and not path.name.startswith(("metadata.json", ".metadata"))
    }


@pytest.mark.parametrize("result_type", ["analysis", "artifact"])
@pytest.mark.parametrize(
    "file", ["metadata.json", "./metadata.json", "x/../metadata.json", ".//.metadata.lock"]
)
def test_an_entry_that_lists_the_registry_or_its_lock_is_invalid(
    results: Results, result_type: str, file: str
) -> None:
    section = "analyses" if result_type == "analysis" else "artifacts"
    entry = {"filename": file, "row_count": 1, **_artifact_of(file)}
    _write_registry(results, {section: {"a": entry}})
    (problem,) = results.registry().problems
    assert f"{result_type} a: {file!r} is the " in str(problem)
    remove = results.remove_analysis if result_type == "analysis" else results.remove_artifact
    with pytest.raises(ResultError, match=r"Delete this entry from .*metadata\.json"):
        remove("a")
    assert section in _read_document(results)
    assert [finding.item for finding in results.check()] == ["a"]


@pytest.mark.parametrize("file", ["link", "here/metadata.json", "here/here/.metadata.lock"])
def test_an_entry_that_leads_to_the_registry_or_its_lock_is_refused(
    results: Results, file: str
) -> None:
    sections = {
        "analyses": {"a": {"filename": file, "row_count": 1}},
        "artifacts": {"b": _artifact_of(f"here/{file}")},
    }
    _write_registry(results, sections)
    (results.folder / ".metadata.lock").touch()
    (results.folder / "link").symlink_to("metadata.json")
    (results.folder / "here").symlink_to(".")
    for action in (
        lambda: results.load_analysis("a"),
        lambda: results.remove_analysis("a"),
        lambda: results.remove_artifact("b"),
        lambda: results.require(results.registry().artifacts["b"]),
    ):
        with pytest.raises(ResultError, match="leads to the"):
            action()
    assert _read_document(results) == json.loads(json.dumps(sections))
    results.record_analysis("a", FRAME)
    assert (results.folder / ".metadata.lock").exists()


@pytest.mark.parametrize("file", ["a.parquet", "./a.parquet", "link", "here/a.parquet"])
def test_an_artifact_of_the_file_of_an_analysis_is_refused(results: Results, file: str) -> None:
    results.record_analysis("a", FRAME)
    before = _files(results)
    (results.folder / "link").symlink_to("a.parquet")
    (results.folder / "here").symlink_to(".")
    _write_registry(results, _read_document(results) | {"artifacts": {"b": _artifact_of(file)}})
    (finding,) = [finding for finding in results.check() if finding.item == "b"]
    assert "file of analysis a" in finding.problem
    with pytest.raises(ResultError, match="file of analysis a"):
        results.remove_artifact("b")
    with pytest.raises(ResultError, match="is also listed by artifact b. Remove artifact b, or "):
        results.record_analysis("a", FRAME.head(1))
    (results.directory / "x.txt").write_bytes(b"x")
    results.record_artifact("b", results.directory / "x.txt")
    assert _files(results) | before == _files(results)
    assert results.load_analysis("a").num_rows == 3


def test_of_two_analyses_of_one_file_the_second_is_invalid(results: Results) -> None:
    results.record_analysis("a", FRAME)
    entry = _read_document(results)["analyses"]["a"]
    _write_registry(results, {"analyses": {"a": entry, "b": entry | {"filename": "./a.parquet"}}})
    assert list(results.registry().analyses) == ["a"]
    assert results.check() == [ResultProblem("b", "'./a.parquet' is the file of analysis a")]
    results.remove_analysis("a")
    assert (results.folder / "a.parquet").exists()
    with pytest.raises(ResultError, match="a.parquet is also listed by analysis b"):
        results.record_analysis("a", FRAME)


def test_artifacts_may_share_files(results: Results, tmp_path: Path) -> None:
    for name in ("shared.txt", "own.txt", "new.txt"):
        (tmp_path / name).write_bytes(b"x")
    shared, own = "artifacts/a/shared.txt", "artifacts/a/own.txt"
    results.record_artifact("a", [tmp_path / "shared.txt", tmp_path / "own.txt"])
    document = _read_document(results)
    document["artifacts"]["b"] = _artifact_of("artifacts/./a/shared.txt")
    document["artifacts"]["c"] = {"files": [own]}  # invalid
    _write_registry(results, document)
    assert [finding.item for finding in results.check()] == ["c"]

    results.record_artifact("a", tmp_path / "new.txt")
    assert set(_files(results)) == {shared, own, "artifacts/a/new.txt"}
    with pytest.raises(ResultError, match="is also listed by artifact b"):
        results.record_artifact("a", [tmp_path / "shared.txt"])
    assert results.registry().artifacts["a"].files == ("artifacts/a/new.txt",)
    results.remove_artifact("a")
    assert set(_files(results)) == {shared, own}
    results.remove_artifact("b")
    assert set(_files(results)) == {own}


def test_a_file_that_an_analysis_lists_is_no_file_of_an_artifact(
    results: Results, tmp_path: Path
) -> None:
    file = "artifacts/b/x.parquet"
    _write_registry(results, {"analyses": {"a": {"filename": file, "row_count": 1}}})
    (results.folder / "artifacts/b").mkdir(parents=True)
    pq.write_table(pa.table({"x": [1]}), results.folder / file)
    (tmp_path / "x.parquet").touch()
    (tmp_path / "y.txt").touch()
    with pytest.raises(ResultError, match="artifact b: .* is also listed by analysis a"):
        results.record_artifact("b", tmp_path / "x.parquet")
    results.record_artifact("b", tmp_path / "y.txt")
    results.remove_artifact("b")
    assert results.load_analysis("a").num_rows == 1


def test_files_of_other_results_are_copied_but_not_moved(results: Results, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"x")
    (tmp_path / "link.txt").symlink_to("x.txt")
    results.record_artifact("a", tmp_path / "x.txt")
    results.record_artifact("b", results.folder / "artifacts/a/x.txt", move=True)
    assert results.check() == []
    results.record_artifact("c", tmp_path / "link.txt", move=True)
    assert not (results.folder / "artifacts/c/link.txt").is_symlink()
    assert (tmp_path / "x.txt").exists()
    assert not (tmp_path / "link.txt").is_symlink()
    results.record_artifact("d", results.folder / "metadata.json", move=True)
    assert set(results.registry().artifacts) == {"a", "b", "c", "d"}


def test_an_entry_that_lists_a_folder_is_not_removed(results: Results) -> None:
    entries = {"b": _artifact_of("x.txt", "artifacts")}
    document = {"analyses": {"a": {"filename": "artifacts", "row_count": 1}}, "artifacts": entries}
    _write_registry(results, document)
    (results.folder / "artifacts").mkdir()
    (results.folder / "x.txt").touch()
    (results.folder / "artifacts/y.txt").touch()
    for section, remove in (
        ("artifacts", lambda: results.remove_artifact("b")),
        ("analyses", lambda: results.remove_analysis("a")),
    ):
        with pytest.raises(ResultError, match=r"Delete this entry from .*metadata\.json"):
            remove()
        assert section in _read_document(results)
    assert set(_files(results)) == {"x.txt", "artifacts/y.txt"}


CHANGE_ARTIFACT = """
import sys
from mdfactory import Results
from mdfactory.errors import ResultError

results = Results(sys.argv[1])
for change in (
    lambda: results.remove_artifact("a"),
    lambda: results.record_artifact("a", sys.argv[2]),
):
    try:
        change()
    except ResultError as error:
        print(error)
"""


def test_an_artifact_in_a_folder_without_permission_is_kept(
    results: Results, tmp_path: Path
) -> None:
    (tmp_path / "x.txt").write_bytes(b"x")
    results.record_artifact("a", tmp_path / "x.txt")
    folder = results.folder / "artifacts/a"
    folder.chmod(0o555)
    command = [sys.executable, str(RIGHTLESS), "-c", CHANGE_ARTIFACT]
    arguments = [str(results.directory), str(tmp_path / "x.txt")]
    run = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    folder.chmod(0o755)
    assert run.stdout.count(f"{folder} cannot be written. Change its permissions") == 2
    assert list(results.registry().artifacts) == ["a"]
    assert results.check() == []


CHANGE_RESULTS = """
import sys
import pyarrow as pa
from mdfactory import MDFactoryError, Results

results, file = Results(sys.argv[1]), sys.argv[2]
for change in (
    lambda: results.record_analysis("a", pa.table({"x": [2]})),
    lambda: results.record_analysis("new", pa.table({"x": [2]})),
    lambda: results.record_artifact("new", file),
    lambda: results.remove_analysis("a"),
):
    try:
        change()
    except MDFactoryError as error:
        print(error)
"""


def test_a_folder_of_results_that_is_read_only_is_named_with_what_to_do(
    results: Results, tmp_path: Path
) -> None:
    (tmp_path / "x.txt").write_bytes(b"x")
    results.record_analysis("a", FRAME)
    results.folder.chmod(0o555)
    command = [sys.executable, str(RIGHTLESS), "-c", CHANGE_RESULTS]
    arguments = [str(results.directory), str(tmp_path / "x.txt")]
    done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    results.folder.chmod(0o755)
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert line.startswith(f"{results.folder} cannot be written")
        assert "Change its permissions" in line
    assert [*results.registry().analyses] == ["a"]
    assert not results.check()


def test_a_source_that_cannot_be_moved_is_named(results: Results, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "x.txt").write_bytes(b"x")
    folder.chmod(0o555)
    script = RECORD_MOVED.format(results.directory, folder / "x.txt")
    command = [sys.executable, str(RIGHTLESS), "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    folder.chmod(0o755)
    reason = f"{folder / 'x.txt'} cannot be deleted: Permission denied"
    assert done.stdout == f"artifact a is recorded, but {reason}\n"
    assert [*results.registry().artifacts] == ["a"]


RECORD_MOVED = """
from mdfactory import MDFactoryError, Results
try:
    Results("{}").record_artifact("a", "{}", move=True)
except MDFactoryError as error:
    print(error)
"""


def test_results_of_a_missing_simulation_are_not_recorded(tmp_path: Path) -> None:
    results = Results(tmp_path / "missing")
    (tmp_path / "x.txt").touch()
    for record in (
        lambda: results.record_analysis("a", FRAME),
        lambda: results.record_artifact("a", tmp_path / "x.txt"),
    ):
        with pytest.raises(ResultError, match=r"missing does not exist"):
            record()
    assert not results.directory.exists()


def test_a_source_must_be_a_file(results: Results, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("pipe", "folder", "dangling"):
        with pytest.raises(ResultError, match=f"artifact a: .*{name} is not a file"):
            results.record_artifact("a", tmp_path / name)


@pytest.mark.parametrize("place", ["artifacts", "artifacts/a", "artifacts/a/x.txt", "a.parquet"])
@pytest.mark.parametrize("target", ["outside", "inside", "folder"])
def test_planted_links_and_folders_are_not_written_through(
    results: Results, tmp_path: Path, place: str, target: str
) -> None:
    outside = tmp_path / "other"
    inside = results.folder / "other"
    for folder in (outside, inside):
        (folder / "a").mkdir(parents=True)
        for name in ("x.txt", "metadata.json", "a/x.txt"):
            (folder / name).write_bytes(b"precious")
    (tmp_path / "x.txt").write_bytes(b"x")
    (results.folder / place).parent.mkdir(parents=True, exist_ok=True)
    if target == "folder":
        (results.folder / place).mkdir()
    else:
        (results.folder / place).symlink_to(outside if target == "outside" else inside)
    for record in (
        lambda: results.record_analysis("a", FRAME),
        lambda: results.record_artifact("a", tmp_path / "x.txt"),
        lambda: results.remove_artifact("a"),
    ):
        try:
            record()
        except ResultError as error:
            assert "elete" in str(error) or "no artifact" in str(error)  # noqa: PT017
    for folder in (outside, inside):
        contents = {path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert contents == {b"precious"}
        assert sum(path.is_file() for path in folder.rglob("*")) == 3


CHANGE_UNTIL_KILLED = """
import random, sys, pathlib, pyarrow as pa
from mdfactory.campaign.results import Results
from mdfactory.errors import ResultError

results = Results(sys.argv[1])
sources = [pathlib.Path(sys.argv[1], f"{number}.txt") for number in range(4)]
while True:
    name = random.choice("ab")
    change = random.randrange(4)
    try:
        if change == 0:
            results.record_artifact(name, random.sample(sources, random.randint(1, 4)))
        elif change == 1:
            results.record_analysis(name, pa.table({"x": range(random.randrange(50))}))
        elif change == 2:
            results.remove_artifact(name)
        else:
            results.remove_analysis(name)
    except ResultError as error:
        assert "has no" in str(error), error
    print(flush=True)
"""


def test_killed_scripts_that_record_and_remove_at_once_leave_a_true_registry(
    results: Results, running: Callable[..., Any]
) -> None:
    for number in range(4):
        (results.directory / f"{number}.txt").write_bytes(b"x" * number)
    command = [sys.executable, "-c", CHANGE_UNTIL_KILLED, str(results.directory)]
    for _ in range(4):
        with (
            running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first,
            running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as second,
        ):
            for script in (first, second):
                for _ in range(8):
                    assert script.stdout.readline(), script.stderr.read()
            time.sleep(random.uniform(0, 0.02))  # noqa: S311  # any instant
            for script in (first, second):
                os.kill(script.pid, signal.SIGKILL)
        problems = [finding.problem for finding in results.check()]
        assert [text for text in problems if text != "is not in the registry"] == []


RECORD_IN_GROUP = """
import os, sys
import pyarrow as pa
from pathlib import Path
from mdfactory import Results

folder, *verbs = sys.argv[1:]
results = Results(folder)
source = Path(folder, f"curve{os.getuid()}.txt")
for verb in ["record", *verbs]:
    if verb == "record":
        results.record_analysis("area", pa.table({"a": [os.getuid()]}))
        source.touch(mode=0o600)
        results.record_artifact("curve", source, move=True)
    else:
        results.remove_analysis("area")
        results.remove_artifact("curve")
"""


@NEEDS_MEMBERS
@pytest.mark.parametrize("umasks", [(0o077, 0o002), (0o002, 0o077)], ids=str)
def test_members_of_a_group_replace_and_remove_results_of_others(umasks: tuple[int, int]) -> None:
    with group_folder(0o770) as folder, taking_turns(RECORD_IN_GROUP, "remove") as take:
        for user, umask, verbs in (
            (ANN, umasks[0], []),
            (BEN, umasks[1], []),
            (ANN, umasks[0], ["remove", "record"]),
        ):
            done = take(user, umask, folder, *verbs)
            assert not done.returncode, done.stderr
            for path in folder.rglob("*"):
                rights = stat.S_IRWXG if path.is_dir() else 0o060
                assert path.stat().st_gid == GROUP
                assert path.stat().st_mode & rights == rights, path
        assert not Results(folder).check()
        assert Results(folder).load_analysis("area")["a"].to_pylist() == [ANN]


RECORD_WITH_FAULT = """
import sys
sys.path.append(sys.argv[2])
import pyarrow as pa
from mdfactory import MDFactoryError, Results
from tracing import tamper

results = Results(sys.argv[1])
frame = pa.table({"a": [1]})
results.record_analysis("area", frame)
tamper(sys.argv[3])
try:
    results.record_analysis("area", frame)
    results.record_artifact("script", sys.argv[4])
    results.remove_analysis("area")
except MDFactoryError as error:
    print(f"{type(error).__name__}: {error}")
"""


def _record_with_fault(results: Results, fault: str) -> str:
    tests = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", RECORD_WITH_FAULT, str(results.directory), tests, fault]
    done = subprocess.run([*command, __file__], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout


@NEEDS_STRACE
@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_a_file_system_without_locks_is_named(results: Results, error: str) -> None:
    output = _record_with_fault(results, f"flock:error={error}")
    assert output.startswith(f"ResultError: {results.folder / '.metadata.lock'} cannot be locked")
    assert "does not support locks" in output
    assert [*results.registry().analyses] == ["area"]


@NEEDS_STRACE
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_a_file_system_without_permissions_holds_results(results: Results, error: str) -> None:
    results.directory.chmod(0o2770)  # which new files would follow
    calls = "chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat"
    assert not _record_with_fault(results, f"{calls}:error={error}")
    assert [*results.registry().artifacts] == ["script"]
    assert not results.registry().analyses
    assert not results.check()


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 2**200])
def test_an_integer_of_more_than_64_bits_is_refused_by_its_column(
    results: Results, number: int
) -> None:
    frame = pd.DataFrame({"a": [1], "seed": [number]})
    with pytest.raises(ResultError, match="column 'seed' has an integer of more than 64 bits"):
        results.record_analysis("big", frame)
    assert not results.registry().analyses
    results.record_analysis("big", frame.astype({"seed": str}))
    assert results.load_analysis("big")["seed"].to_pylist() == [str(number)]
