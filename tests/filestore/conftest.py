"""A bucket of a server that speaks S3, for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from s3_server import CREDENTIALS, connected, serving

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """URL of a server that speaks S3."""
    with serving() as url:
        yield url


@pytest.fixture(scope="session")
def client(s3: str) -> Any:
    """A client of that server that is not ours."""
    return connected(s3)


@pytest.fixture(autouse=True)
def _own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the credentials of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(client: Any) -> str:
    """Name of an empty bucket."""
    name = f"bucket-{os.getpid()}-{next(NUMBERS)}"
    client.create_bucket(Bucket=name)
    return name
