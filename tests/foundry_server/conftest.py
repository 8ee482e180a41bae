"""The real client, for tests of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from foundry_dev_tools import Config, FoundryContext, Host, JWTTokenProvider

from foundry_server import FoundryServer


@pytest.fixture
def connect(foundry: FoundryServer, tmp_path: Path) -> Iterator[Callable[..., FoundryContext]]:
    """Return the client of who holds a token, without its own retries unless they are wanted."""
    opened = ExitStack()

    def context(token: str, *, retries: bool = False) -> FoundryContext:
        session = None if retries else requests.Session()
        config = Config(cache_dir=tmp_path, requests_session=session)
        host = Host(foundry.domain, foundry.scheme)
        made = FoundryContext(config, JWTTokenProvider(host, token))
        opened.enter_context(made.client)
        return made

    with opened:
        yield context


@pytest.fixture
def client(foundry: FoundryServer, connect: Callable[..., FoundryContext]) -> FoundryContext:
    """The client of someone who may write."""
    return connect(foundry.token)


@pytest.fixture
def rid(client: FoundryContext) -> str:
    """A dataset at ``/lab/runs`` with an empty branch ``master``."""
    made = client.catalog.api_create_dataset("/lab/runs").json()["rid"]
    client.catalog.api_create_branch(made, "master")
    return made
