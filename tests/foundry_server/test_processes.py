"""The server between several programs, and as a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
import requests
from foundry_dev_tools import FoundryContext
from foundry_dev_tools.errors.dataset import DatasetHasOpenTransactionError

from foundry_server import ALICE, BOB, FoundryServer

TESTS = Path(__file__).parent.parent
WRITER = """
import sys
from foundry_dev_tools import FoundryContext
client = FoundryContext()
rid, name = sys.argv[1:]
opened = client.catalog.api_start_transaction(rid, name).json()["rid"]
client.data_proxy.api_put_file(rid, opened, name, b"1")
client.catalog.api_commit_transaction(rid, opened)
"""


def test_programs_find_it_by_their_environment(
    foundry: FoundryServer, client: FoundryContext, rid: str, tmp_path: Path
) -> None:
    started = []
    for name, token in (("one", ALICE), ("two", BOB)):
        client.catalog.api_create_branch(rid, name)
        home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        environment = os.environ | foundry.environment(token) | home
        command = [sys.executable, "-c", WRITER, rid, name]
        started.append(Popen(command, env=environment, cwd=tmp_path))
    assert [each.wait() for each in started] == [0, 0]
    for name, user in (("one", "alice"), ("two", "bob")):
        assert foundry.dump(rid, name).files == {name: b"1"}
        assert foundry.dump(rid, name).transactions[0].user == user


def test_of_many_that_start_at_once_one_holds_the_transaction(
    foundry: FoundryServer, connect: Callable[[str], FoundryContext], rid: str
) -> None:
    def start(_: int) -> None:
        with suppress(DatasetHasOpenTransactionError):
            connect(BOB).catalog.api_start_transaction(rid, "master")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(16)))
    told = sorted(entry.status or 0 for entry in foundry.requests("/transactions"))
    assert told == [200, *[400] * 15]


@pytest.mark.parametrize("token", [None, "another"])
def test_it_starts_as_a_program_and_prints_its_url(
    running: Callable[..., AbstractContextManager[Popen[str]]], token: str | None
) -> None:
    command = [sys.executable, "-m", "foundry_server", *(["--token", token] if token else [])]
    environment = os.environ | {"PYTHONPATH": str(TESTS), "NO_PROXY": "127.0.0.1"}
    with running(command, stdout=PIPE, text=True, env=environment) as program:
        url = program.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {token or ALICE}"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NO_PROXY", "127.0.0.1")
            told = requests.get(f"{url}/multipass/api/me", headers=headers, timeout=5)
        assert told.json()["username"] == (token or "alice")


def test_its_program_tells_how_to_start_it() -> None:
    command = [sys.executable, "-m", "foundry_server", "--help"]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "--port" in told.stdout
