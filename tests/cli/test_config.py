"""The commands that show and edit the configuration."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Program = Callable[..., Any]


def test_path_prints_the_file_that_has_the_last_word(mdfactory: Program, tmp_path: Path) -> None:
    user = Path(os.environ["MDFACTORY_CONFIG_DIR"]) / "config.ini"
    assert mdfactory("config", "path").out == f"{user}\n"
    named = tmp_path / "named.ini"
    assert mdfactory("config", "path", "--config", named, "--json").json == {
        "command": "config path",
        "path": str(named),
        "exists": False,
    }


def test_show_prints_each_setting_and_its_source(mdfactory: Program, tmp_path: Path) -> None:
    file = tmp_path / "c.ini"
    file.write_text("[sqlite]\nRUN_DB_PATH = x.db\n", encoding="utf-8")
    lines = mdfactory("config", "show", "--config", file).out.splitlines()
    assert lines[0].split() == ["database.TYPE", "sqlite", "(default)"]
    assert lines[1].split() == ["sqlite.RUN_DB_PATH", str(tmp_path / "x.db"), f"({file})"]
    settings = mdfactory("config", "show", "--config", file, "--json").json["settings"]
    assert settings[0] == {
        "section": "database",
        "key": "TYPE",
        "value": "sqlite",
        "source": "default",
    }


def test_edit_opens_the_editor_on_a_new_file(
    mdfactory: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i 's/^; TYPE/TYPE/'")
    done = mdfactory("config", "edit")
    file = Path(os.environ["MDFACTORY_CONFIG_DIR"]) / "config.ini"
    assert (done.code, done.out) == (0, f"{file} is valid\n")
    assert "\nTYPE = sqlite\n" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ("", "EDITOR=nano mdfactory config edit"),
        ("/no/such/editor", "the editor /no/such/editor cannot be started: No such file"),
        ("false", "the editor false ended with exit code 1"),
        ("sed -i '1i broken'", "no section headers"),
        ("sed -i 's/^; TYPE.*/TYPE = oracle/'", "'oracle'; it may be sqlite"),
        ("sed -i 's/^; RUN_DB_PATH.*/RUN_DB_PATH = $NOWHERE/'", "$NOWHERE is not set"),
    ],
)
def test_what_goes_wrong_with_the_editor_is_told(
    mdfactory: Program, monkeypatch: pytest.MonkeyPatch, editor: str, told: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    done = mdfactory("config", "edit")
    assert (done.code, done.out) == (1, "")
    assert told in done.err
