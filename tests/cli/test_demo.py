"""The demo shows the campaign, and can be repeated."""

from __future__ import annotations

import os
import shlex
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
    assert not Path(os.environ["MDFACTORY_DATA_DIR"]).exists()


def test_the_commands_to_try_next_work(
    mdfactory: Program, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = mdfactory("demo").err.splitlines()
    commands = [shlex.split(line)[1:] for line in lines[lines.index("Try next:") + 1 :]]
    assert len(commands) == 3
    assert [mdfactory(*command).code for command in commands] == [0, 0, 0]


def test_the_commands_to_try_next_are_those_of_a_module_that_was_run(tmp_path: Path) -> None:
    """The commands work without ``mdfactory`` on the path."""
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    demo = subprocess.run(
        [sys.executable, "-m", "mdfactory", "demo", tmp_path / "my tour"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    command = demo.stderr.splitlines()[-1].strip()
    assert subprocess.run(["sh", "-c", command], check=False, env=environment).returncode == 0


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
    assert text.count("✓") == 19 + 1  # and one in the legend
    assert "3 of 5" in text
    assert f"{tmp_path}/density.png" in text


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


def test_a_folder_with_other_files_is_not_changed(mdfactory: Program, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    result = mdfactory("demo", tmp_path)
    assert (result.code, result.out) == (1, "")
    assert str(tmp_path) in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
