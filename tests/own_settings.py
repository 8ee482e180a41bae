"""Keeps the settings and stores of whoever runs the tests out of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s3_server import CREDENTIALS


def use_own_settings(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Let the program find its configuration, stores and cache below a folder."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MDFACTORY_"))]:
        patch.delenv(name)
    for name, value in CREDENTIALS.items():
        patch.setenv(name, value)
    patch.setenv("MDFACTORY_CONFIG_DIR", str(home / "config"))
    patch.setenv("MDFACTORY_DATA_DIR", str(home / "data"))
    patch.setenv("MDFACTORY_CACHE_DIR", str(home / "cache"))
    patch.setenv("COLUMNS", "120")
