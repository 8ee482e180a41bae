"""A folder that needs more memory than available is named, and all others are pushed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.members import build, edited, make_sound

TESTS = Path(__file__).parent.parent

SCRIPT = """
import resource, sys
from limited import memory
from mdfactory.cli import tune_process
from mdfactory.cli.app import run
tune_process()
good, all_ = sys.argv[1:]
run(["sync", "init", "all", "--quiet"])
assert run(["sync", "push", "all", good]) == 0  # what a push loads and begins is there
most = (memory("VmData") + 24) << 20
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
sys.exit(run(["sync", "push", "all", all_, "--update", "--json"]))
"""


def test_a_folder_that_takes_too_much_memory_is_named(tmp_path: Path) -> None:
    for number, name in enumerate(("build input", "registry", "frame", "good"), start=1):
        make_sound(tmp_path / name, number)
    build(f"simulation_type: mixedbox\nsystem: {'x' * 4_000_000}\N{TEST TUBE}")(
        tmp_path / "build input"
    )
    edited(lambda values: values.update(more="x" * 60_000_000))(tmp_path / "registry")
    rows = 5_000_000
    edited(lambda values: values["analyses"]["own"].update(row_count=rows))(tmp_path / "frame")
    frame = pa.table({"x": pa.array([0.125] * rows)})
    pq.write_table(frame, tmp_path / "frame" / ".analysis" / "own.parquet")
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "good", tmp_path],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 3, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    reason = "there is not enough memory to read it"
    assert {(item["path"], item["reason"]) for item in report["skipped"]} == {
        (str(tmp_path / "build input"), reason),
        (str(tmp_path / "registry"), f".analysis/metadata.json: {reason}"),
        (str(tmp_path / "frame"), f"analysis own: {reason}"),
    }
    assert report["counts"]["unchanged"] == 4
    assert report["counts"]["inserted"] == 1 + 3
