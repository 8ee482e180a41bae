"""What tests of all rooms use: the example campaign, folders to change, no one's own settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "water_methanol"


@pytest.fixture(autouse=True)
def _own_settings(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep the settings and stores of whoever runs the tests out of them."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("MDFACTORY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MDFACTORY_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("MDFACTORY_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("COLUMNS", "120")


@contextmanager
def _running(command: Sequence[object], **options: Any) -> Iterator[Popen[Any]]:
    with Popen([*map(str, command)], **options) as program:
        try:
            yield program
        finally:
            program.kill()


@pytest.fixture
def running() -> Callable[..., AbstractContextManager[Popen[Any]]]:
    """Run a program that has ended, killed if need be, when the test goes on or fails."""
    return _running


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A copy of the example campaign: 4 completed, 1 production, 1 equilibrated, 2 build."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "campaign"))


@pytest.fixture
def data() -> Path:
    """The folder of recorded inputs and stores."""
    return HERE / "data"


@pytest.fixture
def hashes(campaign: Path) -> list[str]:
    """The hashes of the example's simulations, sorted."""
    return sorted(path.name for path in campaign.iterdir() if path.is_dir())
