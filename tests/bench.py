"""A campaign that was pushed, for tests that begin after a push."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from documents import ROOT
from mdfactory.cli.app import run
from own_settings import own_settings


class Bench:
    """A campaign and its SQLite store in one folder, which each test finds as a push left them.

    The push is done once: its records name the folder, so all tests of a worker use the same.

    Parameters
    ----------
    folder
        Where the campaign, the store and what tests change are.
    kept
        See `own_settings`.
    scope
        Argument of ``sync init`` and ``sync push``.
    """

    def __init__(self, folder: Path, kept: Path, scope: str) -> None:
        self.used, self.kept = folder / "used", folder / "kept"
        shutil.copytree(ROOT / "examples" / "water_methanol", self.used / "campaign")
        with pytest.MonkeyPatch.context() as patch, own_settings(patch, folder, kept):
            patch.setenv("MDFACTORY_DATA_DIR", str(self.used / "data"))
            assert run(["sync", "init", scope, "--quiet"]) == 0
            assert run(["sync", "push", scope, str(self.used / "campaign"), "--quiet"]) == 0
        shutil.copytree(self.used, self.kept)

    def renew(self) -> Path:
        """Undo what a test has changed, and return the folder."""
        shutil.rmtree(self.used)
        return Path(shutil.copytree(self.kept, self.used))
