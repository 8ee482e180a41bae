"""Completion: what a shell offers for the options of a command."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mdfactory.cli.app import app
from members import taking_turns

from .conftest import on

Program = Callable[..., Any]


def _offered(*words: str) -> list[str]:
    """Return what a shell offers for the last word; nothing may be on the screen."""
    command = [sys.executable, "-m", "mdfactory", "__complete", *words]
    return _words(subprocess.run(command, capture_output=True, text=True, check=False))


def _words(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, "")
    begin, _, records = done.stdout.removeprefix("\n").partition("\n")
    assert begin == "\x1fbegin"
    return [line.partition("\t")[0] for line in records.splitlines()]


COMPLETE = """
import sys
import mdfactory.stores.sql.sqlite, mdfactory.sync.results
from mdfactory.cli.app import run
if sys.argv[2:]:
    sys.exit(run(["__complete", *sys.argv[2:]]))
"""
"""Completes the words after a folder; without words, it imports what it will need."""


@pytest.fixture
def offered(tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """The same as `_offered` for many words: processes that need not import the program."""
    with taking_turns(COMPLETE) as take:
        yield lambda *words: _words(take(os.geteuid(), 0o022, tmp_path, *words))


@pytest.mark.usefixtures("kind")
@on("sqlite")
def test_the_completion_offers_the_fields_and_tags_of_the_store(
    store: Program, offered: Callable[..., list[str]], tmp_path: Path
) -> None:
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count,tags.project\n"
    (tmp_path / "water.csv").write_text(f"{header}mixedbox,O,9,rafts\n", encoding="utf-8")
    assert store("prepare-build", tmp_path / "water.csv", tmp_path / "new").code == 0
    assert store("sync", "push", "systems", tmp_path / "new").code == 0
    for words in (
        ["sync", "pull", "systems", "--field"],
        ["sync", "verify", "--where"],
        ["report", "--colour"],
    ):
        names = offered(*words, "")
        assert {"composition", "species.SOL.count", "system.ionization.seed"} <= {*names}
        assert "system.monolayer" not in names
    assert offered("sync", "pull", "systems", "--tag", "") == ["project"]


@pytest.mark.usefixtures("kind", "pushed_all")
@on("sqlite")
def test_the_completion_offers_the_names_and_hashes_of_the_store(
    offered: Callable[..., list[str]], hashes: list[str]
) -> None:
    for verb in ("pull", "push", "clear"):
        assert "rdf_oxygen" in offered("sync", verb, "analysis", "--analysis-name", "")
    assert "density_plot" in offered("sync", "pull", "artifacts", "--artifact-name", "")
    assert "rdf_oxygen" not in offered("sync", "clear", "analysis", "--artifact-name", "")
    short = [hash_[:12] for hash_ in hashes]
    for words in (
        ["sync", "pull", "systems", "--hash"],
        ["sync", "clear", "all", "--hash"],
        ["sync", "verify", "--since"],
        ["prepare-build", "--from-store"],
    ):
        assert offered(*words, "") == short
        assert offered(*words, "0b") == ["0bdc04cc155d"]
        assert offered(*words, f"{short[0]}8") == [hashes[0]]


def test_the_completion_reads_the_store_of_the_configuration_that_is_given(
    mdfactory: Program, campaign: Path, tmp_path: Path
) -> None:
    file = tmp_path / "lab.ini"
    file.write_text("[sqlite]\nRUN_DB_PATH = r.db\nANALYSIS_DB_PATH = a.db\n", encoding="utf-8")
    mdfactory("sync", "init", "all", "--config", file)
    mdfactory("sync", "push", "systems", campaign, "--config", file)
    words = ["sync", "pull", "systems", "--hash", "0"]
    assert _offered(*words) == []
    assert _offered("--config", str(file), *words) == ["0BDC04CC155D"]
    assert _offered(*words[:3], "--config", str(file), *words[3:]) == ["0BDC04CC155D"]


def test_the_completion_offers_fifty_hashes_at_most(store: Program, tmp_path: Path) -> None:
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count\n"
    rows = "".join(f"mixedbox,O,{count}\n" for count in range(1, 61))
    (tmp_path / "water.csv").write_text(header + rows, encoding="utf-8")
    assert store("prepare-build", tmp_path / "water.csv", tmp_path / "new").code == 0
    assert store("sync", "push", "systems", tmp_path / "new").code == 0
    assert len(_offered("sync", "pull", "systems", "--hash", "")) == 50


@pytest.mark.parametrize("text", ["[database]\nTYPE = oracle\n", "no section\n", "[sqlite]\nX = 1"])
def test_the_completion_is_silent_if_there_is_no_store(text: str) -> None:
    folder = Path(os.environ["MDFACTORY_CONFIG_DIR"])
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text(text, encoding="utf-8")
    assert _offered("sync", "pull", "analysis", "--analysis-name", "") == []


def test_the_completion_waits_for_no_writer(mdfactory: Program, pushed_all: Path) -> None:
    assert pushed_all.exists()
    database = Path(os.environ["MDFACTORY_DATA_DIR"]) / "runs.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        begin = time.monotonic()
        assert _offered("sync", "pull", "systems", "--hash", "") == []
        assert time.monotonic() - begin < 10  # a command would wait for 60 s


def test_the_completion_does_not_wait_for_a_server_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(os.environ["MDFACTORY_CONFIG_DIR"])
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text("[database]\nTYPE = postgres\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"postgresql://me@127.0.0.1:{port}/lab?connect_timeout=100"
        monkeypatch.setenv("MDFACTORY_POSTGRES_URL", url)
        begin = time.monotonic()
        assert _offered("sync", "pull", "analysis", "--analysis-name", "") == []
        assert time.monotonic() - begin < 10


def test_bash_offers_the_names_of_the_store(pushed_all: Path, tmp_path: Path) -> None:
    assert pushed_all.exists()
    (tmp_path / "complete.bash").write_text(app.generate_completion(shell="bash"))
    program = tmp_path / "mdfactory"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mdfactory "$@"\n')
    program.chmod(0o755)
    script = """
source complete.bash
COMP_WORDS=(mdfactory sync pull analysis --analysis-name rdf) COMP_CWORD=5
COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
$(complete -p mdfactory | sed 's/.*-F \\([^ ]*\\).*/\\1/') mdfactory rdf --analysis-name
echo "${COMPREPLY[@]}"
"""
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("rdf_oxygen\n", "")
