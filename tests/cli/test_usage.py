"""Errors of the command line: plain words, what was meant, and all commands that there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mdfactory.cli.app import SYNC_COMMANDS

Program = Callable[..., Any]

MEANT = {
    "push": "mdfactory sync push",
    "pull": "mdfactory sync pull",
    "status": "mdfactory sync status",
    "pusj": "mdfactory sync push",
    "sync pusj": "mdfactory sync push",
    "sync demo": "mdfactory demo",
    "sync show": "mdfactory config show",
    "sync systems push": "mdfactory sync push systems",
    "sync pull system": "mdfactory sync pull systems",
    "sync push campaign": "mdfactory sync push all campaign",
    "sync init al": "mdfactory sync init all",
}


@pytest.mark.parametrize("words", MEANT)
def test_an_unknown_command_names_the_one_that_was_meant(
    mdfactory: Program, campaign: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(campaign.parent)
    result = mdfactory(*words.split())
    assert result.code == 2
    assert f" (did you mean '{MEANT[words]}'?); there are " in result.err


@pytest.mark.parametrize("words", ["systems", "all", "nowhere", "sync nowhere", "config set"])
def test_an_unknown_command_names_none_if_it_is_not_clear(mdfactory: Program, words: str) -> None:
    result = mdfactory(*words.split())
    assert result.code == 2
    assert "did you mean" not in result.err
    assert f"there is no command '{words}'; there are " in result.err


def test_a_command_of_two_groups_names_both(mdfactory: Program) -> None:
    expected = "(did you mean 'mdfactory config init' or 'mdfactory sync init'?)"
    assert expected in mdfactory("init").err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("nowhere", "adopt check-csv config demo prepare-build sync"),
        ("sync nowhere", SYNC_COMMANDS),
    ],
)
def test_an_unknown_command_lists_all_commands(mdfactory: Program, words: str, names: str) -> None:
    _, _, listed = mdfactory(*words.split()).err.partition("; there are ")
    listed, _, command = listed.partition(". Run: ")
    assert {*listed.split(", ")} >= {*names.split()}
    assert command.endswith("--help\n")


MESSAGES = {
    "pull analysis my_density": "'my_density' (did you mean --analysis-name my_density?)",
    "pull artifacts movie": "'movie' (did you mean --artifact-name movie?)",
    "push analysis campaign rdf": "'rdf' (did you mean --analysis-name rdf?)",
    "pull systems 24bd07": "'24bd07' (did you mean --hash 24bd07?)",
    "pull systems --where status = build": "write a condition in quotes: --where 'FIELD OP VALUE'",
    "push all a b c d e": "'b', 'c', 'd', and 1 more; give one SOURCE: write a glob pattern",
    "undo 1 2": "error: unexpected argument '2'. Run: mdfactory sync undo --help",
    "pull systems --limit abc": "error: --limit abc: expected a whole number. Run: ",
    "pull systems --limit 2.5": "error: --limit 2.5: expected a whole number. Run: ",
    "pull systems --limit": "error: --limit needs a value. Run: ",
    "undo abc": "error: OPERATION abc: expected a whole number. Run: ",
    "log --wait abc": "error: --wait abc: expected a number. Run: ",
    "log --wait -1": "error: --wait -1: must be >= 0. Run: ",
    "log --limit 1 --limit 2": "error: --limit is given more than once. Run: ",
    "log --all=maybe": "error: --all maybe: expected no value. Run: ",
    "copy": "error: --from is missing. Run: ",
    "relocate old": "error: NEW is missing. Run: ",
    "pull density": "(did you mean 'mdfactory sync pull analysis --analysis-name density'?)",
    "pull bilayer_movie": "'mdfactory sync pull artifacts --artifact-name bilayer_movie'?)",
    "clear density": "(did you mean 'mdfactory sync clear analysis --analysis-name density'?)",
    "pull analysis --name density": "no option --name (did you mean --analysis-name?)",
    "clear analysis --name x": "--name (did you mean --analysis-name or --artifact-name?)",
    "pull systems --type lnp": "no option --type (did you mean --simulation-type?)",
    "pull systems --statsu build": "has no option --statsu (did you mean '--status'?). Run: ",
    "push systems x --analysis-name y": "('mdfactory sync push analysis' has it). Run: ",
    "pull systems --zzz": "error: 'sync pull systems' has no option --zzz. Run: ",
    "push all x --diff --force": "error: give at most one of --diff, --update and --force. Run: ",
}


@pytest.mark.parametrize("words", MESSAGES)
def test_a_wrong_command_line_is_told_in_plain_words(mdfactory: Program, words: str) -> None:
    result = mdfactory("sync", *words.split())
    assert (result.code, result.out) == (2, "")
    assert MESSAGES[words] in result.err
    assert ".." not in result.err
    assert not result.err.count("?.")


def test_a_misspelt_kind_names_the_kinds(mdfactory: Program) -> None:
    result = mdfactory("config", "init", "--type", "sqlit")
    kinds = "sqlite, csv, postgres, foundry"
    message = f"error: --type sqlit: expected one of {kinds} (did you mean 'sqlite'?)"
    assert (result.code, result.err.partition(". Run: ")[0]) == (2, message)
