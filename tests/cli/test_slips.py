"""Slips of the first hour: the message says what is there, and what to type."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mdfactory.campaign.campaign_columns import SAVE_COMMAS

Program = Callable[..., Any]

RIGHTLESS = Path(__file__).parent.parent / "rightless.py"
DONE = "CC4D89E0997487E23A5CA417BC302361B5440904"


@pytest.fixture(autouse=True)
def _lab(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the folder of the campaign."""
    monkeypatch.chdir(campaign.parent)


def _as_a_user(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the program as somebody whom permissions bind."""
    command = [sys.executable, RIGHTLESS, "-m", "mdfactory", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


SLIPS = {
    "help": "there is no command 'help' (did you mean 'mdfactory --help'?)",
    "sync push help": "(did you mean 'mdfactory sync push --help'?)",
    "version": "(did you mean 'mdfactory --version'?)",
    "--hlp": "error: there is no option --hlp (did you mean '--help'?). Run: mdfactory --help",
    "sync pull systems campaign": "select them by --where 'directory ~ campaign'. Run: ",
    "sync push all campaign campaign": "'campaign'; give one SOURCE: write a glob pattern in",
    "sync undo --all": "error: 'sync undo' has no option --all. Run: ",
    "sync verify --hash 0BDC": "no option --hash (did you mean --where 'hash ~ PREFIX'?). Run: ",
    "adopt campaign/campaign.csv": "campaign/campaign.csv: is a file, not a folder",
    "sync push all campaign/README.txt": "no YAML file. Give a folder, such as campaign\n",
    "sync push all README.txt": "build summary or pattern in ",
    "sync push all campaing": "build summary or pattern (did you mean 'campaign'?)\n",
    f"sync push all campaign/{DONE[:-1]}": f"pattern (did you mean 'campaign/{DONE}'?)\n",
    "sync push all --csv campaign/campaign.csv --csv-root ./cmpaign/": "mean 'campaign'?)\n",
    "adopt ./campaing/": "no such folder (did you mean 'campaign'?)\n",
    f"sync relocate ./campaign/{DONE[:-1]} x": f"(did you mean './campaign/{DONE}'?)\n",
    "sync relocate moved campaign": "/campaign. OLD comes first, then NEW\n",
    "sync pull simulations": "(did you mean 'mdfactory sync pull systems'?)",
    "sync push runs": "(did you mean 'mdfactory sync push systems'?)",
    "sync pull systems --having x": "error: 'sync pull systems' has no option --having. Run: ",
    "sync pull systems --wher x": "has no option --wher (did you mean '--where'?). Run: ",
    "sync push all": "SOURCE (a folder such as /path/to/simulations, a glob pattern or a build ",
    "sync log --config none.ini": "Run: mdfactory --config none.ini config init\n",
}


@pytest.mark.parametrize("words", SLIPS)
def test_a_slip_is_answered_with_what_to_type(mdfactory: Program, words: str) -> None:
    mdfactory("sync", "init", "all")
    mdfactory("sync", "push", "systems", "campaign")
    result = mdfactory(*words.split())
    assert result.code in {1, 2}
    assert SLIPS[words] in result.err


def test_the_name_of_the_current_folder_is_told(
    mdfactory: Program, campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mdfactory("sync", "init", "all")
    monkeypatch.chdir(campaign)
    result = mdfactory("sync", "push", "all", "campaign/")
    assert result.err.endswith("pattern (did you mean '.', the current folder?)\n")


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("a.csv", "simulation-type,x\n", " (did you mean 'simulation-type'?)"),
        (
            "a.csv",
            "simulation_type;x\n",
            f"; its values are separated by semicolons, {SAVE_COMMAS}",
        ),
        (
            "a.csv",
            "simulation_type\tx\n",
            f"; its values are separated by tabs, {SAVE_COMMAS}",
        ),
        ("a.xlsx", "PK\n", "; it is a spreadsheet, save it as CSV"),
    ],
)
def test_a_table_without_its_first_column_is_told(
    mdfactory: Program, name: str, content: str, hint: str
) -> None:
    Path(name).write_text(content, encoding="utf-8")
    result = mdfactory("prepare-build", name)
    message = f"error: {name}: no column 'simulation_type' in the header{hint}\n"
    assert (result.code, result.err) == (1, message)


def test_an_empty_answer_says_why_it_is_empty(mdfactory: Program, tmp_path: Path) -> None:
    mdfactory("sync", "init", "all")
    empty = mdfactory("sync", "pull", "systems")
    assert empty.err == "no records. To push simulations: mdfactory sync push all SOURCE\n"
    mdfactory("sync", "push", "systems", "campaign")
    for words in (["--where", "status = build"], ["--status", "build"]):
        filters = [*words, "--simulation-type", "lnp"]
        for output in ([], ["--output", tmp_path / "x.csv"]):
            result = mdfactory("sync", "pull", "systems", *filters, *output)
            assert (result.code, result.err) == (0, "no records match the filters\n")


def test_an_empty_store_is_told_also_with_filters(mdfactory: Program) -> None:
    mdfactory("sync", "init", "all")
    for words in (["--where", "species.MEO.fraction > 0.3"], ["--hash", "FFFF"]):
        empty = mdfactory("sync", "pull", "systems", *words)
        assert empty.err == "no records. To push simulations: mdfactory sync push all SOURCE\n"


def test_a_hash_that_nothing_has_is_told(mdfactory: Program) -> None:
    mdfactory("sync", "init", "all")
    mdfactory("sync", "push", "all", "campaign")
    note = "no hash begins with FFFF\n"
    for words in ("systems", "analysis", "analysis --analysis-name rdf_oxygen"):
        result = mdfactory("sync", "pull", *words.split(), "--hash", "ffff")
        assert (result.code, result.err) == (0, f"no records match the filters: {note}")
    frames = ("--analysis-name", "rdf_oxygen", "--data", "--hash", "ffff")
    assert note in mdfactory("sync", "pull", "analysis", *frames).err
    assert note in mdfactory("sync", "clear", "all", "--hash", "ffff", "--yes").err
    known = mdfactory("sync", "pull", "systems", "--hash", "2071", "--status", "completed")
    assert known.err == "no records match the filters\n"


def test_a_value_that_no_column_has_is_told_with_what_was_meant(mdfactory: Program) -> None:
    mdfactory("sync", "init", "all")
    mdfactory("sync", "push", "all", "campaign")
    note = "--where 'status = complete': no status is called that (did you mean 'completed'?)"
    for words in ("pull systems", "pull analysis", "status", "clear systems --yes"):
        result = mdfactory("sync", *words.split(), "--where", "status = complete")
        assert (result.code, note in result.err) == (2, True)
    for condition in ("status = build", "status != complete", "status ~ compl", "status > c"):
        assert "called" not in mdfactory("sync", "pull", "systems", "--where", condition).err


def test_a_store_in_a_read_only_place_names_the_file(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o555)
    config = tmp_path / "own.ini"
    config.write_text(
        f"[sqlite]\nRUN_DB_PATH = {place}/a.db\nANALYSIS_DB_PATH = {place}/a.db\n", encoding="utf-8"
    )
    result = _as_a_user("sync", "init", "all", "--config", config)
    outcome = "the SQLite store cannot be written; nothing was changed"
    message = f"error: {place}/a.db: {outcome}: {place}/a.db: Permission denied\n"
    assert (result.returncode, result.stderr) == (1, message)


def test_a_folder_that_may_not_be_read_needs_no_other_build_input(
    mdfactory: Program, campaign: Path
) -> None:
    mdfactory("sync", "init", "all")
    mdfactory("sync", "push", "all", "campaign")
    (campaign / DONE).chmod(0)
    result = _as_a_user("sync", "verify", "--quick")
    (campaign / DONE).chmod(0o755)
    assert result.returncode == 4
    assert "Remedy: Get the permission to read it\n" in result.stdout
    assert "prepare-build" not in result.stdout
