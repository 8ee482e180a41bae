"""The start imports few modules; the list of modules is tested, not the time."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

HEAVY = {"pandas", "numpy", "pyarrow", "rdkit", "sqlalchemy", "sqlite3", "pydantic", "yaml"}
HEAVY |= {"questionary", "prompt_toolkit", "psycopg"}

RICH = int(version("rich").split(".")[0])
"""Before version 15, the console that prints the version also imports the tables of rich."""

SCRIPT = """
import contextlib, io, json, sys
from mdfactory.cli.app import run
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    run(sys.argv[1:])
print(json.dumps(sorted(sys.modules)))
"""


def _loaded(*arguments: str) -> set[str]:
    """Return the modules that a command has imported when it ends."""
    command = [sys.executable, "-c", SCRIPT, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout))


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "config path",
        "config show",
        "sync --help",
        "sync push systems --help",
    ],
)
def test_a_command_without_a_store_loads_no_heavy_library(arguments: str) -> None:
    loaded = _loaded(*arguments.split())
    assert "mdfactory.cli.app" in loaded
    assert not loaded & HEAVY
    if "--help" not in arguments and (arguments != "--version" or RICH >= 15):
        assert "rich.table" not in loaded


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_command_on_records_does_not_load_pandas(campaign: Path, verb: str) -> None:
    """PyArrow imports pandas to build an array from a list, unless the array is built otherwise."""
    subprocess.run([sys.executable, "-m", "mdfactory", "sync", "init", "systems"], check=True)
    source = [str(campaign)] if verb == "push" else []
    loaded = _loaded("sync", verb, "systems", *source)
    assert {"pyarrow", "sqlalchemy"} <= loaded
    assert not loaded & {"pandas", "rich.table"}


@pytest.mark.parametrize(
    "command",
    [
        "sync push all --update",
        pytest.param("sync push all --diff", marks=pytest.mark.long),
        pytest.param("sync status", marks=pytest.mark.long),
    ],
)
def test_an_unchanged_campaign_loads_no_library_for_reading(settled: Path, command: str) -> None:
    readers = {"yaml", "pydantic", "rdkit", "pyarrow.parquet", "pyarrow.compute"}
    subprocess.run([sys.executable, "-m", "mdfactory", "sync", "init", "all"], check=True)
    assert readers <= _loaded(*command.split(), str(settled))
    if command == "sync status":
        _loaded("sync", "push", "all", str(settled))
    assert not _loaded(*command.split(), str(settled)) & readers


def test_the_package_itself_loads_nothing() -> None:
    script = "import sys, mdfactory; print('\\n'.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not set(result.stdout.split()) & {*HEAVY, "cyclopts", "rich"}


def test_the_program_returns_freed_memory_at_once() -> None:
    script = "from mdfactory.cli import tune_process; tune_process(); import pyarrow; "
    script += "print(pyarrow.default_memory_pool().backend_name)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "system\n"
