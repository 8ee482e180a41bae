"""The demo shows the campaign, and can be repeated."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

Program = Callable[..., Any]


def test_the_demo_shows_the_campaign(mdfactory: Program, tmp_path: Path) -> None:
    result = mdfactory("demo", tmp_path / "tour")
    assert result.code == 0
    assert Counter(row[3] for row in result.rows[1:]) == {
        "completed": 4,
        "production": 1,
        "equilibrated": 1,
        "build": 2,
    }
    assert "33 inserted" in result.err
    assert (tmp_path / "tour" / "density.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "tour" / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "mdfactory --config FILE sync pull" in page
    assert not Path(os.environ["MDFACTORY_DATA_DIR"]).exists()


def test_the_hints_at_the_end_work_as_they_are(tmp_path: Path) -> None:
    """The shell selects the store once; the commands work without ``mdfactory`` on the path."""
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    demo = subprocess.run(
        [sys.executable, "-m", "mdfactory", "demo", tmp_path / "my tour"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    _, _, hints = demo.stderr.partition("Try next")
    tried, _, own = hints.partition("Then use your own")
    commands = [line.strip() for line in tried.splitlines() if line.startswith("  ")]
    assert len(commands) == 4
    assert commands[0].startswith("export MDFACTORY_CONFIG=")
    assert not any("--config" in command for command in commands)
    script = "set -e; cd /; " + "; ".join(commands)
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    names = [line.split(" -m mdfactory ")[-1].split("#")[0].split() for line in own.splitlines()]
    assert [" ".join(name) for name in names if name][-3:] == [
        "config init",
        "adopt FOLDER",
        "sync push all FOLDER",
    ]


def test_the_demo_explains_its_numbers(terminal: Callable[..., Any], tmp_path: Path) -> None:
    text = terminal("demo", tmp_path).text
    assert "33 inserted (8 simulations, 19 analyses, 6 artifacts)" in text
    assert "SOL 405 + MEO 45" in text
    assert "5 of the simulations have run" in text
    tables = re.split(r"^hash .*$", text, flags=re.MULTILINE)[1:]
    hashes = [re.findall(r"^([0-9A-F]{12})  ", table, re.MULTILINE) for table in tables]
    assert hashes == [sorted(hashes[0])] * 3
    assert len(hashes[0]) == 8


def test_the_demo_can_be_repeated(mdfactory: Program, tmp_path: Path) -> None:
    first, second = (mdfactory("demo", tmp_path) for _ in range(2))
    assert first.code == second.code == 0
    assert first.out == second.out
    assert "33 unchanged" in second.err


def test_the_demo_in_a_folder_of_a_group_belongs_to_the_group(
    mdfactory: Program, tmp_path: Path
) -> None:
    tmp_path.chmod(0o770)
    umask = os.umask(0o077)
    try:
        assert mdfactory("demo", tmp_path / "tour").code == 0
    finally:
        os.umask(umask)
    made = list((tmp_path / "tour").rglob("*"))
    assert len(made) > 50
    assert [path for path in made if not path.stat().st_mode & stat.S_IWGRP] == []


def test_a_terminal_shows_the_results_too(terminal: Callable[..., Any], tmp_path: Path) -> None:
    text = terminal("demo", tmp_path).text
    assert text.count("✓") == 19 + 6 + 2  # and one in each legend
    assert "3 of 5" in text
    assert f"{tmp_path}/density.png" in text
    assert f"{tmp_path}/report.html" in text


def test_without_the_libraries_the_demo_runs_and_draws_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['vl_convert'] = None\n"
        "from mdfactory.cli.app import run\n"
        f"sys.exit(run(['demo', {str(tmp_path)!r}]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0
    assert "pip install 'mdfactory[report]'" in result.stderr
    assert not (tmp_path / "density.png").exists()
    assert not (tmp_path / "report.html").exists()


def test_a_folder_with_other_files_is_not_changed(mdfactory: Program, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    result = mdfactory("demo", tmp_path)
    assert (result.code, result.out) == (1, "")
    assert str(tmp_path) in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
