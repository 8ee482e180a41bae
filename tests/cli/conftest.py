"""Fixtures that run the program in this process, as in a script, or on a terminal of its own."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mdfactory.cli.app import run
from mdfactory.config import load
from mdfactory.records.tables import Namespace, Table
from mdfactory.stores.csv.layout import Layout
from mdfactory.stores.foundry.layout import path_of
from planting import plant_csv, plant_foundry, plant_postgres, plant_sqlite


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


Program = Callable[..., Result]


GLUED_COMMAND = re.compile(
    r"(?<![\"'`(])\bmdfactory (?:--config \S+ )?(?:sync|config|adopt|prepare-build) "
    r"[^\n\t]*?[^\s.][.,;)](?=\s|$)"
)
"""A command in a message that has punctuation at its end, which would be pasted with it."""


def check_messages(text: str, arguments: Sequence[object]) -> None:
    """Check that each command in the output of a command line can be pasted as it is."""
    if not {"--help", "--json"} & set(arguments):
        assert GLUED_COMMAND.findall(text) == []


@pytest.fixture
def mdfactory(capsys: pytest.CaptureFixture[str]) -> Program:
    """Run a command line without a terminal: no question can be answered."""

    def program(*arguments: object) -> Result:
        capsys.readouterr()
        try:
            code = run([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        check_messages(captured.out + captured.err, arguments)
        return Result(code, captured.out, captured.err)

    return program


@pytest.fixture
def store(mdfactory: Program) -> Program:
    """The program, with an initialised store."""
    assert mdfactory("sync", "init", "systems").code == 0
    return mdfactory


STORE_KINDS = ("sqlite", "csv", "postgres", "foundry")


def on(*kinds: str) -> pytest.MarkDecorator:
    """Run a test on these kinds of store in each run, and on the others in the long tests."""
    params = [pytest.param(kind, marks=_long(kind not in kinds)) for kind in STORE_KINDS]
    return pytest.mark.parametrize("kind", params, indirect=True)


def on_each(
    name: str, values: Iterable[str], sample: Collection[tuple[str, str]]
) -> pytest.MarkDecorator:
    """Run a test on each kind of store with each value: a sample of them in each run."""
    params = [
        pytest.param(kind, value, marks=_long((kind, value) not in sample))
        for kind in STORE_KINDS
        for value in values
    ]
    return pytest.mark.parametrize(("kind", name), params, indirect=["kind"])


def _long(is_long: bool) -> Any:  # noqa: FBT001  # its name says what it is
    return pytest.mark.long if is_long else ()


@pytest.fixture(params=STORE_KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each kind of store in turn, as the store of the configuration."""
    kind: str = request.param
    if kind == "foundry":
        request.getfixturevalue("foundry")
    if kind == "postgres":
        monkeypatch.setenv("MDFACTORY_POSTGRES_URL", request.getfixturevalue("database"))
    folder = Path(os.environ["MDFACTORY_CONFIG_DIR"])
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text(f"[database]\nTYPE = {kind}\n", encoding="utf-8")
    return kind


@pytest.fixture
def plant(
    kind: str, request: pytest.FixtureRequest
) -> Callable[[Table, list[tuple[str | int, ...]]], None]:
    """Add rows to a table of the store of the configuration, as another program does."""

    def add(table: Table, rows: list[tuple[str | int, ...]]) -> None:
        settings = load()
        if kind == "postgres":
            plant_postgres(settings.postgres, table, rows)
        elif kind == "foundry":
            server = request.getfixturevalue("foundry")
            plant_foundry(server, path_of(table, settings.foundry), table, rows)
        elif kind == "csv":
            paths = {Namespace.runs: settings.csv.runs, Namespace.results: settings.csv.results}
            plant_csv(Layout(paths).path_of(table), table, rows)
        else:
            files = settings.sqlite
            file = files.runs if table.namespace is Namespace.runs else files.results
            plant_sqlite(file, table, rows)

    return add


@dataclass(frozen=True)
class Screen:
    """Text on a terminal without colours, the exit code of the program, and the text as it came."""

    code: int
    text: str
    raw: str


def on_a_terminal(
    *arguments: object,
    typed: Sequence[tuple[str, str | Callable[[], str]]] = (),
    env: Mapping[str, str] | None = None,
) -> Screen:
    """Run the program on a terminal of 100 columns; type each answer when its prompt appears."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "mdfactory", *map(str, arguments)]
    defaults = {"COLUMNS": "100", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    environment = os.environ | defaults | dict(env or {})
    decoder = codecs.getincrementaldecoder("utf-8")()  # a reading may end within a character
    program = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    )
    os.close(terminal)
    try:
        shown, answers = "", list(typed)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready, _, _ = select.select([controller], [], [], 0.1)
            if ready:
                try:
                    data = os.read(controller, 65536)
                except OSError:  # the program closed the terminal
                    break
                shown += decoder.decode(data)
            if answers and answers[0][0] in shown:
                _, answer = answers.pop(0)
                os.write(controller, (answer() if callable(answer) else answer).encode())
        code = program.wait(timeout=10)
    finally:
        program.kill()
        program.wait()
        os.close(controller)
    # What a slow command drew of its progress, and erased.
    left = re.sub(r"[^\n]*(?:\n(?:\x1b\[\?25h)?\r?\x1b\[1A)?\r?\x1b\[2K", "", shown)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", left)
    text = plain.replace("\r\n", "\n")
    check_messages(text, arguments)
    return Screen(code, text, shown)


@pytest.fixture
def terminal() -> Callable[..., Screen]:
    return on_a_terminal


@pytest.fixture
def pushed_systems(pushed: Callable[[str], Path]) -> Path:
    """The campaign, after a push of its simulations."""
    return pushed("systems")


@pytest.fixture
def pushed_all(request: pytest.FixtureRequest, pushed: Callable[[str], Path]) -> Path:
    """The campaign, after a push of all its records into the store of the configuration."""
    if "kind" not in request.fixturenames or request.getfixturevalue("kind") == "sqlite":
        return pushed("all")
    program, campaign = map(request.getfixturevalue, ("mdfactory", "campaign"))
    program("sync", "init", "all")
    assert program("sync", "push", "all", campaign).code == 0
    return Path(campaign)
