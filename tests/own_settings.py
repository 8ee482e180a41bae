"""Keeps the settings and stores of whoever runs the tests out of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from s3_server import CREDENTIALS

BUNDLES = "vega-*.txt"
"""Files of a cache folder that do not depend on a test, and take two seconds to make."""


@contextmanager
def own_settings(patch: pytest.MonkeyPatch, home: Path, kept: Path) -> Iterator[None]:
    """Let the program find its configuration, stores and cache below a folder.

    Parameters
    ----------
    patch
        Sets the environment, and restores it.
    home
        The folder.
    kept
        Folder for what all tests of a run may use: the first that makes it keeps it there.
    """
    for name in [name for name in os.environ if name.startswith(("AWS_", "MDFACTORY_"))]:
        patch.delenv(name)
    for name, value in CREDENTIALS.items():
        patch.setenv(name, value)
    patch.setenv("MDFACTORY_CONFIG_DIR", str(home / "config"))
    patch.setenv("MDFACTORY_DATA_DIR", str(home / "data"))
    patch.setenv("MDFACTORY_CACHE_DIR", str(home / "cache"))
    patch.setenv("COLUMNS", "120")
    _link(kept, home / "cache")
    yield
    _link(home / "cache", kept)


def _link(source: Path, target: Path) -> None:
    """Let a folder have the bundles of another, too."""
    for file in source.glob(BUNDLES):
        target.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileExistsError):
            os.link(file, target / file.name)
