"""The help lists commands in the order of use, and shows examples of its own command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import pytest
from cyclopts import App

from commands import LEAVES
from mdfactory.cli.app import app

Program = Callable[..., Any]

GROUPS = sorted({name.rpartition(" ")[0] for name in LEAVES})
"""Commands that have commands below them."""

EXAMPLE = re.compile(" (EDITOR=nano )?mdfactory ")

ORDER = {
    "mdfactory": "demo config check-csv prepare-build adopt sync",
    "mdfactory config": "init path show edit",
    "mdfactory sync": "init push status pull log undo verify relocate copy clear",
    "mdfactory sync init": "systems analysis artifacts all check",
    "mdfactory sync push": "systems analysis artifacts all",
}
"""Group -> its commands in the order of use."""


@pytest.fixture(autouse=True)
def _terminal_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def _help(mdfactory: Program, command: str) -> str:
    result = mdfactory(*command.split()[1:], "--help")
    assert (result.code, result.err) == (0, "")
    return str(result.out)


def _examples(text: str) -> Iterator[str]:
    _, _, examples = text.partition("Examples:")
    yield from re.findall(r"^ (?:EDITOR=\w+ )?(mdfactory .*?) *$", examples, re.MULTILINE)


@pytest.mark.parametrize("group", ORDER)
def test_the_commands_of_a_group_are_listed_in_the_order_of_use(
    mdfactory: Program, group: str
) -> None:
    listed = re.findall(r"^│ ([a-z][a-z-]*)  ", _help(mdfactory, group), re.MULTILINE)
    ours = ORDER[group].split()
    assert [name for name in listed if name in ours] == ours
    assert {*ours} <= {*listed}


@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_a_group_has_examples_of_this_group(mdfactory: Program, group: str) -> None:
    examples = list(_examples(_help(mdfactory, group)))
    assert len(examples) >= 2
    for example in examples:
        assert example.startswith(f"{group} ")
        _, tokens, _ = app.meta.parse_args(shlex.split(example)[1:])
        app.parse_args(tokens.args)


@pytest.mark.parametrize("command", [*LEAVES, *GROUPS])
def test_an_example_is_one_line_of_a_terminal_of_80_columns(
    mdfactory: Program, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = _help(mdfactory, command)
    _, _, rest = text.partition("Examples:")
    examples = list(takewhile(lambda line: not line.startswith("Options"), rest.splitlines()))
    assert [line for line in examples if line.strip() and not EXAMPLE.match(line)] == []


@pytest.mark.parametrize("command", [*LEAVES, *GROUPS])
def test_the_options_of_every_command_are_one_line_of_its_help(
    mdfactory: Program, command: str
) -> None:
    text = " ".join(_help(mdfactory, command).split())
    folded = (
        "Options of every command: --config, --wait, --json, --quiet/-q, --verbose/-v, --debug "
        "(see mdfactory --help)"
    )
    assert (folded in text) is (command != "mdfactory")
    assert ("Seconds to wait for another process" in text) is (command == "mdfactory")


def test_each_group_is_an_app_with_a_description() -> None:
    for group in GROUPS:
        _, apps, _ = app.parse_commands(group.split()[1:])
        assert isinstance(apps[-1], App)
        assert apps[-1].help


def test_the_help_on_a_dumb_terminal_is_as_wide_as_the_terminal(
    terminal: Callable[..., Any],
) -> None:
    narrow = {"TERM": "dumb", "COLUMNS": "60"}
    lines = terminal("sync", "pull", "systems", "--help", env=narrow).text.splitlines()
    assert max(map(len, lines)) <= 60
    assert any("lnp, proteinbox, protein_mixedbox" in line for line in lines)
    assert not any("CHOICE" in line for line in lines)


def test_the_help_on_a_dumb_terminal_is_plain_text(
    mdfactory: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    for command in ("mdfactory", "mdfactory sync push", "mdfactory sync pull systems"):
        text = _help(mdfactory, command)
        assert text.isascii()
        assert f"Usage: {command}" in text
        assert "Examples:" in text
