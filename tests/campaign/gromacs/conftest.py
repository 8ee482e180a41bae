"""Folders that GROMACS wrote, and what is true of each."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "data" / "adopt"
EXPECTED: dict[str, dict[str, Any]] = json.loads((DATA / "expected.json").read_text())


@pytest.fixture(params=EXPECTED)
def expected(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What is true of one of the folders, and its name."""
    return {"name": request.param, **EXPECTED[request.param]}


@pytest.fixture(scope="session")
def gromacs_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of them; tests must not change it."""
    root = tmp_path_factory.mktemp("gromacs")
    for archive in DATA.glob("*.tar.gz"):
        with tarfile.open(archive) as tar:
            tar.extractall(root, filter="data")
    return root
