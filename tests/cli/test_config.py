"""The commands that show and edit the configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from mdfactory.cli.wizard import ADVICE

Program = Callable[..., Any]


def test_path_prints_the_file_that_overrides_all_others(mdfactory: Program, tmp_path: Path) -> None:
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
    result = mdfactory("config", "edit")
    file = Path(os.environ["MDFACTORY_CONFIG_DIR"]) / "config.ini"
    assert (result.code, result.out) == (0, f"{file} is valid\n")
    assert "\nTYPE = sqlite\n" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("editor", "message"),
    [
        ("", "config.ini: EDITOR is not set, and there is no terminal for one\n"),
        ("/no/such/editor", "the editor /no/such/editor cannot be started: No such file"),
        ("false", "the editor false ended with exit code 1"),
        ("sed -i '1i broken'", "line 1 is neither"),
        ("sed -i 's/^; TYPE.*/TYPE = oracle/'", "'oracle', expected one of: sqlite"),
        ("sed -i 's/^; RUN_DB_PATH.*/RUN_DB_PATH = $NOWHERE/'", "$NOWHERE is not set"),
    ],
)
def test_an_error_of_the_editor_is_reported(
    mdfactory: Program, monkeypatch: pytest.MonkeyPatch, editor: str, message: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    result = mdfactory("config", "edit")
    assert (result.code, result.out) == (1, "")
    assert message in result.err


@pytest.mark.parametrize("installed", [("vi",), ("vim", "vi"), ()])
def test_without_a_chosen_editor_one_that_is_installed_is_used(
    terminal: Callable[..., Any], tmp_path: Path, installed: tuple[str, ...]
) -> None:
    for name in installed:
        editor = tmp_path / name
        editor.write_text(f"#!/bin/sh\necho {name} opens $1\n", encoding="utf-8")
        editor.chmod(0o755)
    environment = {"PATH": str(tmp_path), "EDITOR": "", "VISUAL": ""}
    screen = terminal("config", "edit", env=environment)
    assert screen.code == (0 if installed else 1)
    if installed:
        assert f"{installed[0]} opens " in screen.text
    else:
        assert "EDITOR is not set, and none of nano, vim and vi is installed" in screen.text


def test_init_asks_and_writes_and_creates_the_store(
    terminal: Callable[..., Any], mdfactory: Program, tmp_path: Path
) -> None:
    file = tmp_path / "lab.ini"
    file.write_text("; ours\n[slurm]\nACCOUNT = x\n", encoding="utf-8")
    screen = terminal(
        "config",
        "init",
        "--config",
        file,
        typed=[
            ("Which store?", "\x1b[B\r"),
            ("File of the simulations", "\r"),
            ("Folder of the analyses and artifacts", f"\x15{tmp_path}/results\r"),
            ("to keep the files of artifacts", "\r"),
            ("Create the missing tables now?", "y"),
        ],
        env={"PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    assert screen.code == 0
    assert f"written to {file}" in screen.text
    assert "18 tables created in the CSV store" in screen.text
    assert file.read_text(encoding="utf-8") == (
        "; ours\n[slurm]\nACCOUNT = x\n\n[database]\nTYPE = csv\n\n"
        f"[csv]\nANALYSIS_DB_PATH = {tmp_path}/results\n"
    )
    assert mdfactory("sync", "init", "check", "--config", file).code == 0


def test_init_says_when_to_take_which_store_and_lets_the_second_path_follow_the_first(
    terminal: Callable[..., Any], mdfactory: Program, tmp_path: Path
) -> None:
    file = tmp_path / "lab.ini"
    screen = terminal(
        *("config", "init", "--config", file),
        typed=[
            ("Which store?", "\r"),
            ("File of the simulations", f"\x15{tmp_path}/lab/runs.db\r"),
            ("File of the analyses and artifacts", "\r"),
            ("to keep the files of artifacts", f"{tmp_path}/kept\r"),
            ("Create the missing tables now?", "\r"),
        ],
        env={"PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    assert screen.code == 0, screen.text
    for kind, advice in ADVICE.items():
        assert f"{kind:8}  {advice}" in screen.text
        assert len(f" » {kind:8}  {advice}") <= 60
    settings = mdfactory("config", "show", "--config", file, "--json").json["settings"]
    values = {f"{row['section']}.{row['key']}": row["value"] for row in settings}
    assert values["sqlite.RUN_DB_PATH"] == f"{tmp_path}/lab/runs.db"
    assert values["sqlite.ANALYSIS_DB_PATH"] == f"{tmp_path}/lab/analysis.db"
    assert screen.text.endswith(
        f"written to {file}\n"
        f"File of the simulations: {tmp_path}/lab/runs.db\n"
        f"File of the analyses and artifacts: {tmp_path}/lab/analysis.db\n"
        f"Folder or URL to keep the files of artifacts in (blank: none): {tmp_path}/kept\n"
        f"18 tables created in the SQLite store {tmp_path}/lab/runs.db. "
        f"Run: mdfactory --config {file} sync push all SOURCE\n"
    )
    assert mdfactory("sync", "init", "check", "--config", file).code == 0


def test_init_ends_with_the_next_command(mdfactory: Program) -> None:
    init = ("config", "init", "--type", "csv", "--yes")
    assert mdfactory(*init, "--no-initialise").out.endswith(
        "Run: mdfactory sync init check && mdfactory sync init all\n"
    )
    assert mdfactory(*init).out.startswith("18 tables created in the CSV store ")
    again = mdfactory(*init).out
    assert again.startswith("All tables exist in the CSV store ")
    assert again.endswith("Run: mdfactory sync push all SOURCE\n")


@pytest.mark.parametrize(("kind", "results"), [("sqlite", "analysis.db"), ("csv", "analysis")])
def test_init_without_questions_puts_results_beside_the_simulations(
    mdfactory: Program, tmp_path: Path, kind: str, results: str
) -> None:
    """They would share the files of the user's own store; a path of the file itself is kept."""
    mdfactory("config", "init", "--type", kind, "--analysis-db-path", tmp_path / "main", "--yes")
    file = tmp_path / "lab.ini"
    init = ("config", "init", "--config", file, "--type", kind, "--yes")
    for name in ("one", "other"):
        assert mdfactory(*init, "--run-db-path", tmp_path / name / "runs").code == 0
        text = file.read_text(encoding="utf-8")
        assert f"\nANALYSIS_DB_PATH = {tmp_path / 'one' / results}\n" in text
    assert not (tmp_path / "other" / results).exists()


def test_init_says_how_to_clear_a_default_and_refuses_what_was_appended_to_it(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "lab.ini"
    screen = terminal(
        *("config", "init", "--config", file, "--type", "sqlite"),
        typed=[
            ("File of the simulations", f"~/runs.db\r\x15{tmp_path}/runs.db\r"),
            ("File of the analyses and artifacts", "\r"),
            ("to keep the files of artifacts", "\r"),
            ("Create the missing tables now?", "y"),
        ],
        env={"PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    assert screen.code == 0, screen.text
    assert "File of the simulations  (Ctrl-U clears it) /" in screen.text
    text = file.read_text(encoding="utf-8")
    assert f"\nRUN_DB_PATH = {tmp_path}/runs.db\n" in text
    assert f"\nANALYSIS_DB_PATH = {tmp_path}/analysis.db\n" in text


def test_init_names_a_store_that_others_use_already(
    mdfactory: Program, campaign: Path, tmp_path: Path
) -> None:
    mdfactory("sync", "init", "all")
    mdfactory("sync", "push", "all", campaign)
    result = mdfactory("config", "init", "--config", tmp_path / "lab.ini", "--yes")
    assert "All tables exist in the SQLite store " in result.out
    assert ", an existing store with 8 simulations. Run: mdfactory --config" in result.out


def test_init_does_not_show_a_password(
    terminal: Callable[..., Any], tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = conninfo_to_dict(database)
    url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={quote(str(parts['host']))}"
    file = tmp_path / "lab.ini"
    screen = terminal(
        *("config", "init", "--config", file, "--type", "postgres"),
        typed=[
            ("URL of the database", f"postgresql://me:oops@host/lab\r\x15{url}\r"),
            ("Password", "s3cret pass\r"),
            ("to keep the files of artifacts", "\r"),
            ("Create the missing tables", "\r"),
        ],
        env={"PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    assert screen.code == 0, screen.text
    assert "s3cret" not in screen.text
    assert "18 tables created in the PostgreSQL store" in screen.text
    assert "password=s3cret%20pass" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600


def test_init_asks_for_the_paths_on_foundry_and_creates_nothing_by_default(
    terminal: Callable[..., Any], mdfactory: Program, foundry: Any, tmp_path: Path
) -> None:
    file = tmp_path / "lab.ini"
    screen = terminal(
        *("config", "init", "--config", file),
        typed=[
            ("Which store?", "\x1b[A\r"),
            ("Folder of the project", "\x15Group/mdf\r\x15/Group/mdf\r"),
            ("Name of the folder of the analyses", "\x15a/b\r\x15results\r"),
            ("Dataset of the simulations", "\r"),
            ("Folder of the analyses", "\r"),
            ("Folder of the artifacts", "\r"),
            ("to keep the files of artifacts", "\r"),
            ("Create the missing tables now?", "\r"),
        ],
        env={"PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    assert screen.code == 0, screen.text
    text = file.read_text(encoding="utf-8")
    assert "\nBASE_PATH = /Group/mdf\n" in text
    assert "\nANALYSIS_NAME = results\n" in text
    assert "\nRUN_DB_PATH" not in text
    assert not foundry.log
    shown = mdfactory("config", "show", "--config", file).out
    assert "/Group/mdf/results" in shown
    assert "/Group/mdf/runs" in shown


def test_init_takes_the_paths_of_foundry_as_options(
    mdfactory: Program, foundry: Any, tmp_path: Path
) -> None:
    file = tmp_path / "lab.ini"
    init = ("config", "init", "--config", file, "--type", "foundry")
    result = mdfactory(*init, "--base-path", "mdf")
    assert result.code == 2
    assert "--base-path: BASE_PATH is 'mdf'; it must be absolute" in result.err
    assert "--analysis-name" in mdfactory(*init, "--analysis-name", "a/b").err
    given = ("--base-path", "/Group/mdf", "--artifact-db-path", "files", "--json")
    result = mdfactory(*init, *given, "--initialise")
    assert len(result.json["made"]) == 18
    result = mdfactory("sync", "init", "check", "--config", file)
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[1] == f"  ok  connection to {foundry.url} as alice"
    assert lines[2] == "  ok  BASE_PATH /Group/mdf"
    assert lines[3] == "  ok  RUN_DB_PATH /Group/mdf/runs"
    assert lines[4] == "  ok  ANALYSIS_DB_PATH /Group/mdf/analysis"
    assert lines[5] == "  ok  ARTIFACT_DB_PATH /Group/mdf/files"


def test_init_that_is_interrupted_writes_nothing(
    terminal: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "lab.ini"
    typed = [("Which store?", "\r"), ("File of the simulations", "\x03")]
    env = {"PROMPT_TOOLKIT_NO_CPR": "1"}
    screen = terminal("config", "init", "--config", file, typed=typed, env=env)
    assert screen.code == 130
    assert "nothing was written in part" in screen.text
    assert not file.exists()


def test_init_is_driven_by_options_alone(mdfactory: Program, tmp_path: Path) -> None:
    file = tmp_path / "lab.ini"
    init = ("config", "init", "--config", file)
    runs = tmp_path / "r.db"
    result = mdfactory(*init, "--type", "sqlite", "--run-db-path", runs, "--json")
    assert result.code == 0
    assert result.json["path"] == str(file)
    assert len(result.json["made"]) == 18
    assert runs.exists()
    result = mdfactory(*init, "--run-db-path", tmp_path / "s.db", "--no-initialise")
    assert result.code == 0
    assert result.out.startswith(
        f"No tables were created in the SQLite store {tmp_path}/s.db. Run: "
    )
    assert not (tmp_path / "s.db").exists()
    assert file.read_text(encoding="utf-8").count("\nRUN_DB_PATH") == 1
    assert mdfactory(*init, "--yes", "--json").json["made"] == ["RUN_DATABASE"]


def test_a_relative_answer_is_relative_to_the_working_folder(
    mdfactory: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / "elsewhere" / "lab.ini"
    init = ("config", "init", "--config", file, "--no-initialise")
    mdfactory(*init, "--run-db-path", "here/r.db", "--analysis-db-path", "~/a.db")
    shown = mdfactory("config", "show", "--config", file).out
    assert str(tmp_path / "here" / "r.db") in shown
    assert str(tmp_path / "home" / "a.db") in shown
    assert "ANALYSIS_DB_PATH = ~/a.db" in file.read_text(encoding="utf-8")


COMMANDS_WITH_PATH = """
config show --config {path}
config init --type sqlite --run-db-path {path} --yes
check-csv {path}
prepare-build {csv} {path}
demo {path}
sync push all {path}
sync push all --csv {path}
sync push all --csv {csv} --csv-root {path}
sync status {path}
sync verify {path}
sync relocate {path} /x
sync relocate /x {path}
sync pull systems --output {path}
sync copy --from sqlite --to sqlite:///{path}
"""


@pytest.mark.parametrize("path", ["~/x", "~no_one/x"])
def test_no_command_makes_a_folder_of_a_home_that_is_not_known(
    mdfactory: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "")
    mdfactory("sync", "init", "all")
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count"
    (tmp_path / "a.csv").write_text(f"{header}\nmixedbox,O,5\n", encoding="utf-8")
    for line in COMMANDS_WITH_PATH.strip().splitlines():
        result = mdfactory(*line.format(path=path, csv="a.csv").split())
        assert result.code in {1, 2}, line
        assert "set HOME" in result.err or "there is no user no_one" in result.err, line
    assert os.listdir() == ["a.csv"]


def test_an_answer_is_checked_where_it_leads_to(
    mdfactory: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of this name is in the working folder, or next to the configuration file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "sub" / "there").mkdir(parents=True)
    init = ("config", "init", "--config", "sub/lab.ini", "--no-initialise", "--run-db-path")
    refused = mdfactory(*init, "here")
    assert (refused.code, refused.out) == (2, "")
    assert f"--run-db-path: {tmp_path / 'here'} is not a file" in refused.err
    assert mdfactory(*init, "there").code == 0
    shown = mdfactory("config", "show", "--config", "sub/lab.ini").out
    assert f"sqlite.RUN_DB_PATH  {tmp_path / 'there'}  " in re.sub("  +", "  ", shown)


def test_an_answer_may_lead_through_a_link(
    mdfactory: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    file = tmp_path / "elsewhere" / "lab.ini"
    init = ("config", "init", "--config", file, "--no-initialise")
    mdfactory(*init, "--run-db-path", "link/../r.db")
    assert f"RUN_DB_PATH = {tmp_path / 'real' / 'r.db'}\n" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["pipe", "/dev/zero"])
def test_a_password_file_that_is_no_file_is_refused(
    mdfactory: Program, tmp_path: Path, file: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    init = ("config", "init", "--config", tmp_path / "lab.ini", "--type", "postgres")
    url = ("--url", "postgresql://me@host/lab", "--no-initialise")
    result = mdfactory(*init, *url, "--password-file", tmp_path / file)
    assert result.code == 1
    assert f"{tmp_path / file} is not a file; give a file, or - for standard input" in result.err
    assert not (tmp_path / "lab.ini").exists()


@pytest.mark.parametrize(
    "command", ["config show", "config init --yes", "config edit", "sync pull systems"]
)
@pytest.mark.parametrize("file", ["pipe", "/dev/zero"])
def test_a_configuration_that_is_no_file_is_refused(
    mdfactory: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, file: str
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    os.mkfifo(tmp_path / "pipe")
    result = mdfactory(*command.split(), "--config", tmp_path / file)
    assert result.code == 1
    assert f"the configuration {tmp_path / file} is not a file" in result.err


@pytest.mark.parametrize(
    "command",
    ["config init --yes", "sync init all", "sync init check", "sync copy --from sqlite --to csv"],
)
def test_a_warning_about_the_configuration_is_printed_once(
    mdfactory: Program, tmp_path: Path, command: str
) -> None:
    mdfactory("sync", "init", "all")
    file = tmp_path / "lab.ini"
    file.write_text("[sqlite]\nNO_SUCH_KEY = 1\n", encoding="utf-8")
    result = mdfactory(*command.split(), "--config", file)
    assert result.code == 0
    assert result.err.count("NO_SUCH_KEY") == 1


def test_init_reads_a_password_from_a_file(mdfactory: Program, tmp_path: Path) -> None:
    secret, file = tmp_path / "secret", tmp_path / "lab.ini"
    secret.write_text("s3cret\n", encoding="utf-8")
    init = ("config", "init", "--config", file, "--type", "postgres", "--no-initialise")
    url = ("--url", "postgresql://me@host/lab")
    result = mdfactory(*init, *url, "--password-file", secret, "--debug")
    assert result.code == 0
    assert "s3cret" not in result.out + result.err
    text = file.read_text(encoding="utf-8")
    assert "URL = postgresql://me@host/lab?password=s3cret\n" in text
    assert mdfactory(*init, "--url", "postgresql://me@host/lab?password=").code == 0
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 1, "no terminal to ask"),
        (["--type", "oracle"], 2, "--type"),
        (["--type", "csv", "--url", "postgresql://h/d"], 2, "--url does not go with --type csv"),
        (["--type", "csv", "--analysis-db-path", "{file}"], 2, "is not a folder"),
        (["--type", "sqlite", "--run-db-path", "{folder}"], 2, "is not a file"),
        (["--run-db-path", "$NOWHERE/r.db"], 2, "$NOWHERE is not set"),
        (["--type", "postgres"], 2, "--url: expected a URL such as postgresql://user@host"),
        (
            ["--type", "postgres", "--url", "postgresql://a:b@c/d"],
            2,
            "the URL must not contain the password",
        ),
        (
            ["--type", "postgres", "--url", "postgresql://c/d", "--password-file", "{folder}"],
            1,
            "is a directory; give a file, or - for standard input",
        ),
        (
            ["--type", "foundry", "--analysis-name", "'analysis'"],
            2,
            "--analysis-name: the answer: [foundry] ANALYSIS_NAME is in quotes",
        ),
        (
            ["--type", "sqlite", "--run-db-path", "{folder}/runs.db ; shared"],
            2,
            "--run-db-path: the answer: [sqlite] RUN_DB_PATH is followed by a comment",
        ),
    ],
)
def test_an_invalid_answer_is_reported_and_nothing_is_written(
    mdfactory: Program, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    places = {"file": tmp_path / "file", "folder": tmp_path}
    places["file"].write_text("", encoding="utf-8")
    config = tmp_path / "lab.ini"
    given = [argument.format(**places) for argument in arguments]
    result = mdfactory("config", "init", "--config", config, *given)
    assert result.code == code
    assert message in result.err
    assert not config.exists()
