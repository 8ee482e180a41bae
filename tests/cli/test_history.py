"""The log of a store and undo, after each command, on each kind of store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mdfactory import __version__
from mdfactory.cli.render import Terminal
from mdfactory.cli.session import Session
from mdfactory.config import load
from mdfactory.records.arrow import batch
from mdfactory.records.history import Entry
from mdfactory.records.query import Query
from mdfactory.records.tables import (
    FRAME_SIDECARS,
    SIMULATIONS,
    Namespace,
    analysis_table,
    digest_table,
    log_table,
)
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores import open_store, store_at
from mdfactory.testing.records import analysis, records

from .conftest import Program, Screen, on, on_each

State = dict[str, list[tuple[Any, ...]]]


def state(url: str | None = None) -> State:
    """Return all rows of all tables, sidecars and digests included; empty tables are left out."""
    store = store_at(url) if url else open_store(load())
    with store.transaction() as transaction:
        internal = [
            table
            for table in (FRAME_SIDECARS, *map(digest_table, Namespace))
            if transaction.has(table)
        ]
        tables = [*transaction.tables(), *internal]
        whole = {
            f"{table.namespace}/{table.name}": sorted(
                tuple(row.values())
                for rows in transaction.backend.scan(table, Query())
                for row in rows.to_pylist()
            )
            for table in tables
        }
    return {name: rows for name, rows in whole.items() if rows}


def _push(mdfactory: Program, campaign: Path) -> None:
    moved = campaign.parent / "moved"
    shutil.copytree(campaign, moved)
    mdfactory("sync", "clear", "all", "--hash", "24BD", "--yes")
    assert mdfactory("sync", "push", "all", moved, "--update").code == 0


def _push_own(mdfactory: Program, campaign: Path) -> None:
    """Push a result whose table the store does not have."""
    mdfactory("sync", "clear", "all", "--yes")
    assert mdfactory("sync", "push", "all", campaign).code == 0


COMMANDS: dict[str, Callable[[Program, Path], Any]] = {
    "push": _push_own,
    "push --update": _push,
    "push --force": lambda run, campaign: run("sync", "push", "all", campaign, "--force"),
    "clear": lambda run, _: run("sync", "clear", "all", "--yes"),
    "clear analysis": lambda run, _: run(
        "sync", "clear", "analysis", "--analyses", "--hash", "CC4D", "--yes"
    ),
    "init --force": lambda run, _: run("sync", "init", "all", "--force"),
    "relocate": lambda run, campaign: run("sync", "relocate", campaign, "/archive"),
}


SAMPLE = {
    ("sqlite", "push"),
    ("sqlite", "clear"),
    ("csv", "push --force"),
    ("csv", "init --force"),
    ("postgres", "clear analysis"),
    ("postgres", "relocate"),
    ("foundry", "push --update"),
}
"""Stores and commands that each run tests: each command once, each store at least once."""


@on_each("name", COMMANDS, SAMPLE)
def test_a_command_is_undone_and_redone_bit_for_bit(
    name: str, kind: str, mdfactory: Program, pushed_all: Path
) -> None:
    states = [state()]
    COMMANDS[name](mdfactory, pushed_all)
    operations = mdfactory("sync", "log", "--json").json["operations"]
    assert operations[0]["command"].startswith(f"mdfactory sync {name.split(maxsplit=1)[0]}")
    assert operations[0]["can_be_undone"]
    last = state()
    assert last != states[0]
    while len(operations) > 1:  # back to the state before, one by one
        undone = mdfactory("sync", "undo", operations.pop(0)["operation"])
        assert undone.code == 0, undone.err
    assert state() == states[0], kind
    assert mdfactory("sync", "undo").code == 0
    if name not in {"push", "push --update"}:
        assert state() == last
        assert mdfactory("sync", "undo").code == 0
        assert state() == states[0]


@on("csv", "postgres")
def test_a_copy_is_undone(kind: str, mdfactory: Program, pushed_all: Path, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path}/target" if kind != "sqlite" else f"csv:///{tmp_path}/target"
    (tmp_path / "target").mkdir()
    copied = mdfactory("sync", "copy", "--from", kind, "--to", target)
    once = "once the target is the configured store: mdfactory sync undo 1"
    assert (copied.code, copied.err) == (0, f"operation 1; to undo it, {once}\n")
    copied_state = state(target)
    assert len(copied_state) > 5
    assert mdfactory("sync", "clear", "all", "--yes").code == 0
    before = state()
    copied = mdfactory("sync", "copy", "--from", target, "--to", kind)
    assert copied.code == 0
    assert re.fullmatch(r"operation (\d+); to undo it: mdfactory sync undo \1\n", copied.err)
    after = state()
    assert after.keys() == copied_state.keys()
    mdfactory("sync", "undo")
    assert state() == before
    mdfactory("sync", "undo")
    assert state() == after
    assert str(pushed_all) in str(after)


def test_a_copy_names_both_stores(
    mdfactory: Program, pushed_all: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for target in ("relative", f"{tmp_path}/absolute"):
        command = ("sync", "copy", "--from", "sqlite", "--to", f"csv:///{target}")
        for arguments in (("--dry-run",), ()):
            copied = mdfactory(*command, *arguments)
            assert f"runs.db to CSV store {tmp_path / target}/runs.csv:\n" in copied.out
        assert mdfactory(*command, "--diff", "--json").json["to"].endswith(f"{target}/runs.csv")


def test_a_copy_into_an_empty_store_is_undone_and_redone(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    target = f"csv:///{tmp_path}/target"
    (tmp_path / "target").mkdir()
    mdfactory("sync", "copy", "--from", "sqlite", "--to", target)
    copied = state(target)
    config = tmp_path / "other.ini"
    paths = (
        f"RUN_DB_PATH = {tmp_path}/target/runs.csv\nANALYSIS_DB_PATH = {tmp_path}/target/analysis"
    )
    config.write_text(f"[database]\nTYPE = csv\n[csv]\n{paths}\n", encoding="utf-8")
    assert mdfactory("sync", "undo", "--config", config).code == 0
    assert state(target) == {}
    assert mdfactory("sync", "log", "--config", config).code == 0
    assert mdfactory("sync", "undo", "--config", config).code == 0
    assert state(target) == copied
    assert pushed_all.is_dir()


def test_the_log_lists_user_and_command_of_each_operation(
    mdfactory: Program, pushed_all: Path
) -> None:
    mdfactory("sync", "push", "systems", pushed_all, "--update")
    mdfactory("sync", "undo")
    undone, push = mdfactory("sync", "log", "--json").json["operations"]
    assert push["command"] == f"mdfactory sync push all {pushed_all}"
    assert push["changes"]["RUN_DATABASE"] == {"inserted": 8}
    assert push["version"] == __version__
    assert push["who"]
    assert push["host"]
    assert push["time"].endswith("+00:00")
    assert push["undone_by"] == 2
    assert (undone["operation"], undone["undoes"]) == (2, 1)
    header, *rows = mdfactory("sync", "log", "--limit", 2).rows
    assert header[:2] == ["operation", "time"]
    assert [row[0] for row in rows] == ["2", "1"]


def test_the_log_on_a_terminal(pushed_all: Path, terminal: Callable[..., Screen]) -> None:
    assert terminal("sync", "undo").code == 0
    shown = terminal("sync", "log")
    assert shown.code == 0
    assert f"mdfactory sync push all {pushed_all}" in shown.text
    assert "RUN_DATABASE: 8 inserted" in shown.text
    assert "undone by 2" in shown.text


def test_the_undo_of_an_undo_is_called_redo(
    mdfactory: Program, pushed_all: Path, terminal: Callable[..., Screen]
) -> None:
    assert pushed_all
    first, second, third = (mdfactory("sync", "undo") for _ in range(3))
    assert first.err == "operation 2; to redo operation 1: mdfactory sync undo 2\n"
    redone = "operation 1 redone: operation 2, which had undone it, is undone\n"
    assert second.out.startswith(redone)
    assert second.err == "operation 3; to undo operation 1 again: mdfactory sync undo 3\n"
    undone = "operation 1 undone again: operation 3, which had redone it, is undone\n"
    assert third.out.startswith(undone)
    blocks = terminal("sync", "log").text.strip().split("\n\n")
    ends = [block.splitlines()[-1].strip() for block in blocks]
    assert ends == ["undo of 1", "redo of 1, undone by 4", "undo of 1, undone by 3", "undone by 4"]
    mdfactory("sync", "undo")
    state = "undone by 2, redone by 5"
    assert f"{state}\n" in terminal("sync", "log").text
    states = [row[-1] for row in mdfactory("sync", "log").rows]
    assert (states[1], states[-1]) == ("redo of 1", state)
    assert mdfactory("sync", "log", "--json").json["operations"][-1]["redone_by"] == 5


def test_the_log_on_a_terminal_leaves_out_what_changed_nothing(
    mdfactory: Program, pushed_all: Path, terminal: Callable[..., Screen]
) -> None:
    """An entry of a version that logged operations without changes."""
    assert pushed_all
    table = log_table(Namespace.runs)
    entry = Entry(2, "runs", ("runs",), "2020-01-01T00:00:00+00:00", "me", "here", "0", "nothing")
    with open_store(load()).transaction(write=True) as transaction:
        transaction.backend.put(table, batch([entry.to_row()], table.schema))
    shown = terminal("sync", "log").text
    assert "nothing\n" not in shown
    assert shown.endswith("1 operation that changed nothing left out; --all shows all\n")
    assert "changed nothing\n" in terminal("sync", "log", "--all").text
    assert [row[0] for row in mdfactory("sync", "log").rows] == ["operation", "2", "1"]
    assert len(mdfactory("sync", "log", "--json").json["operations"]) == 2


@pytest.mark.parametrize("words", ["clear all --yes", "init all --force", "push all {} --force"])
def test_a_command_says_how_to_undo_it(mdfactory: Program, pushed_all: Path, words: str) -> None:
    done = mdfactory("sync", *words.format(pushed_all).split())
    assert "operation 2; to undo it: mdfactory sync undo 2\n" in done.out + done.err
    assert mdfactory("sync", "undo", 2).code == 0
    assert len(mdfactory("sync", "pull", "systems").rows) == 9


def test_a_command_that_cannot_be_undone_says_so(mdfactory: Program, pushed_all: Path) -> None:
    assert pushed_all
    done = mdfactory("sync", "clear", "all", "--yes", "--purge")
    assert done.err == "operation 2; it cannot be undone\n"
    assert mdfactory("sync", "clear", "all", "--yes").err == ""


@pytest.mark.parametrize("words", ["push all {} --force", "clear all --yes", "init all --force"])
def test_quiet_commands_print_nothing(mdfactory: Program, pushed_all: Path, words: str) -> None:
    done = mdfactory("sync", *words.format(pushed_all).split(), "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_passwords_are_masked_in_the_log() -> None:
    arguments = ("sync", "copy", "--from", "postgresql://me:hunter2@host/db", "--to", "sqlite")
    command_line = Session(Terminal(), arguments=arguments).command_line
    assert "hunter2" not in command_line
    assert "postgresql://me:***@host/db" in command_line


@on("sqlite")
def test_undo_names_and_keeps_later_changes_of_another_program(
    kind: str, mdfactory: Program, pushed_all: Path
) -> None:
    mdfactory("sync", "push", "all", pushed_all, "--force")
    store = open_store(load())
    (rows,) = store.read(SIMULATIONS, Query(limit=1))
    row = rows.to_pylist()[0] | {"status": "production"}
    table = next(table for table in store.tables() if table.name == "ANALYSIS_rdf_oxygen")
    store.write([(SIMULATIONS, records(SIMULATIONS, row))], ConflictMode.force)
    store.write([(table, records(table, analysis("0" * 40)))], ConflictMode.refuse)
    before = state()
    result = mdfactory("sync", "undo")
    assert result.code == 1
    assert "some records have changed since operation 2; nothing was undone" in result.err
    assert f"RUN_DATABASE: 1 record: {row['hash'][:12]}" in result.err
    assert "Traceback" not in result.err
    error = mdfactory("sync", "undo", "--json").json
    assert error["changed"] == {"RUN_DATABASE": [row["hash"]]}
    assert state() == before, kind


def test_undo_names_the_later_operation_that_is_to_be_undone_first(
    mdfactory: Program, pushed_all: Path
) -> None:
    for folder in [path for path in sorted(pushed_all.iterdir()) if path.is_dir()][:2]:
        mdfactory("sync", "push", "all", folder, "--force")
    first = mdfactory("sync", "undo", "1")
    assert first.code == 1
    assert "Operation 3 changed them: undo that one first. Run: mdfactory sync undo 3" in first.err
    assert mdfactory("sync", "undo", "3").code == 0
    assert "Run: mdfactory sync undo 2\n" in mdfactory("sync", "undo", "1").err
    assert mdfactory("sync", "undo", "2").code == 0
    assert mdfactory("sync", "undo", "1").code == 0


def test_a_clear_with_purge_cannot_be_undone(mdfactory: Program, pushed_all: Path) -> None:
    mdfactory("sync", "push", "all", pushed_all, "--force")
    assert mdfactory("sync", "clear", "all", "--purge", "--yes").code == 0
    result = mdfactory("sync", "undo")
    assert result.code == 1
    assert "cannot be undone" in result.err
    assert not any(entry["can_be_undone"] for entry in _log(mdfactory))
    assert not any(entry["bytes_kept"] for entry in _log(mdfactory))


def test_the_configuration_bounds_the_history(
    mdfactory: Program, pushed_all: Path, tmp_path: Path
) -> None:
    config = tmp_path / "few.ini"
    config.write_text("[history]\nOPERATIONS = 1\n", encoding="utf-8")
    mdfactory("sync", "push", "all", pushed_all, "--force", "--config", config)
    assert [entry["can_be_undone"] for entry in _log(mdfactory)] == [True, False]
    config.write_text("[history]\nSIZE = 0\n", encoding="utf-8")
    mdfactory("sync", "push", "all", pushed_all, "--force", "--config", config)
    assert [entry["can_be_undone"] for entry in _log(mdfactory)] == [False, False, False]
    assert mdfactory("sync", "undo").code == 1


@pytest.mark.parametrize("line", ["OPERATIONS = x", "OPERATIONS = -1", "SIZE = 1 XB", "SIZE = -"])
def test_an_invalid_bound_is_refused(line: str, mdfactory: Program, tmp_path: Path) -> None:
    config = tmp_path / "odd.ini"
    config.write_text(f"[history]\n{line}\n", encoding="utf-8")
    result = mdfactory("sync", "log", "--config", config)
    assert result.code == 1
    assert f"[history] {line}" in result.err


def test_nothing_to_undo(mdfactory: Program) -> None:
    assert "mdfactory sync init all" in mdfactory("sync", "undo").err
    mdfactory("sync", "init", "all")
    result = mdfactory("sync", "undo")
    assert (result.code, result.err) == (
        1,
        "error: there is nothing to undo: no operation in the log has changed anything\n",
    )
    assert "no operations yet" in mdfactory("sync", "log").err
    assert mdfactory("sync", "log", "--json").json["operations"] == []
    assert mdfactory("sync", "undo", "4").code == 1


@on("postgres")
def test_a_dry_run_leaves_no_trace(kind: str, mdfactory: Program, pushed_all: Path) -> None:
    before = state()
    result = mdfactory("sync", "undo", "--dry-run")
    assert "RUN_DATABASE: 8 removed" in result.out
    assert state() == before, kind
    assert len(_log(mdfactory)) == 1
    assert pushed_all.is_dir()


def test_a_dry_run_names_the_tables_that_an_undo_would_create_and_drop(
    mdfactory: Program, tmp_path: Path
) -> None:
    """The operation is a copy of empty tables: it changes no record."""
    mdfactory("sync", "init", "all")
    (tmp_path / "target").mkdir()
    mdfactory("sync", "copy", "--from", "sqlite", "--to", f"csv:///{tmp_path}/target")
    config = tmp_path / "other.ini"
    config.write_text(
        "[database]\nTYPE = csv\n"
        "[csv]\nRUN_DB_PATH = target/runs.csv\nANALYSIS_DB_PATH = target/analysis\n",
        encoding="utf-8",
    )
    undo = ("sync", "undo", "--config", config)
    for verb in ("dropped", "made"):  # an undo, and the undo of that
        planned = mdfactory(*undo, "--dry-run")
        assert "would be undone" in planned.out
        planned = mdfactory(*undo, "--dry-run", "--json").json
        done = mdfactory(*undo, "--json").json
        assert len(done[verb]) == 18
        assert planned == done | {"dry_run": True}


def test_a_dry_run_of_an_undo_names_the_tables_that_lose_all_their_records(
    mdfactory: Program, pushed_all: Path
) -> None:
    mdfactory("sync", "clear", "systems", "--hash", "24BD", "--yes")
    mdfactory("sync", "undo")
    planned = mdfactory("sync", "undo", 1, "--dry-run", "--json").json
    done = mdfactory("sync", "undo", 1, "--json").json
    assert analysis_table("rdf_oxygen").name in done["dropped"]
    assert planned == done | {"dry_run": True}
    assert pushed_all.is_dir()


def test_undoing_twice_is_reported(mdfactory: Program, pushed_all: Path) -> None:
    mdfactory("sync", "undo", 1)
    result = mdfactory("sync", "undo", 1)
    assert result.code == 0
    assert mdfactory("sync", "log", "--json").json["operations"][0]["made"] == []
    assert "is already undone (by operation 2): mdfactory sync push all" in result.out
    redo = "to redo operation 1: mdfactory sync undo 2"
    assert redo in result.err
    mdfactory("sync", "push", "all", pushed_all)
    for option in ([], ["--dry-run"]):
        result = mdfactory("sync", "undo", 1, *option)
        assert result.code == 0
        assert "is already undone (by operation 2): mdfactory sync push all" in result.out
        assert redo in result.err


def test_undo_drops_a_table_that_the_push_created(mdfactory: Program, pushed_all: Path) -> None:
    mdfactory("sync", "undo")
    assert analysis_table("rdf_oxygen").name not in {t.name for t in open_store(load()).tables()}
    assert pushed_all.is_dir()


def _log(mdfactory: Program) -> list[dict[str, Any]]:
    operations: list[dict[str, Any]] = mdfactory("sync", "log", "--json").json["operations"]
    return operations
