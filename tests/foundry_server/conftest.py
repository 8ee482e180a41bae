"""The real client, for tests of the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from foundry_dev_tools import Config, FoundryContext, Host, JWTTokenProvider

from foundry_server import FoundryServer


@pytest.fixture
def connect(foundry: FoundryServer, tmp_path: Path) -> Callable[[str], FoundryContext]:
    """Return the client of who holds a token, without the client's own retries."""

    def context(token: str) -> FoundryContext:
        config = Config(cache_dir=tmp_path, requests_session=requests.Session())
        return FoundryContext(config, JWTTokenProvider(Host(foundry.domain, foundry.scheme), token))

    return context


@pytest.fixture
def client(foundry: FoundryServer, connect: Callable[[str], FoundryContext]) -> FoundryContext:
    """The client of someone who may write."""
    return connect(foundry.token)


@pytest.fixture
def rid(client: FoundryContext) -> str:
    """A dataset at ``/lab/runs`` with an empty branch ``master``."""
    made = client.catalog.api_create_dataset("/lab/runs").json()["rid"]
    client.catalog.api_create_branch(made, "master")
    return made
