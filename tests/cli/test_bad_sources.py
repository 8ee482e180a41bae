"""An invalid SOURCE is an error that names it, on one line, in bounded time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from corpus.sources import SOURCES, Source

Program = Callable[..., Any]

RIGHTLESS = Path(__file__).parent.parent / "rightless.py"


def _arguments(source: Source, folder: Path) -> list[str]:
    path = folder / ("source.csv" if source.csv else "source.yaml")
    source.make(path)
    given = ["--csv", str(path), "--csv-root", str(folder)] if source.csv else [str(path)]
    return ["sync", "push", "systems", *given]


def _assert_named(source: Source, folder: Path, code: int, err: str) -> None:
    assert code == source.code, err
    assert re.search(source.reason, err), err
    assert str(folder) in err
    assert "Traceback" not in err
    assert all(line.startswith(("error: ", "skipped: ")) for line in err.splitlines()), err


@pytest.mark.parametrize(
    "source", [source for source in SOURCES if not source.rights], ids=attrgetter("name")
)
def test_a_bad_source_is_named(store: Program, tmp_path: Path, source: Source) -> None:
    (tmp_path / "empty").mkdir()
    result = store(*_arguments(source, tmp_path))
    _assert_named(source, tmp_path, result.code, result.err)
    assert "0 inserted" in result.out or not result.out


@pytest.mark.parametrize(
    "source", [source for source in SOURCES if source.rights], ids=attrgetter("name")
)
def test_an_unreadable_source_is_named(store: Program, tmp_path: Path, source: Source) -> None:
    command = [sys.executable, RIGHTLESS, "-m", "mdfactory", *_arguments(source, tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    _assert_named(source, tmp_path, result.returncode, result.stderr)
