"""A store of each kind, by its URL."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "csv", "postgres", "foundry"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store is, in each test one kind after the other."""
    if request.param == "foundry":
        request.getfixturevalue("foundry")
        return "foundry:///Group/mdfactory"
    if request.param == "postgres":
        return str(request.getfixturevalue("database_url"))
    return f"{request.param}:///{tmp_path}"
