"""Writers of a group that are killed at each system call: a colleague goes on, whatever is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from stat import S_ISGID, S_IWGRP
from typing import Any

import pytest

from members import ANN, BEN, GROUP, NEEDS_MEMBERS, Turn, group_folder, taking_turns
from tracing import NEEDS_STRACE

pytestmark = [NEEDS_MEMBERS, NEEDS_STRACE]

CALLS = (
    "openat,?mkdir,mkdirat,fchmod,fchown,?link,linkat,?rename,renameat,?unlink,unlinkat,?rmdir,"
    "write,pwrite64,ftruncate,fdatasync,fsync"
)
"""System calls that change what other users find."""

SCRIPT = """
import sqlite3, sys
from mdfactory.errors import NotInitialisedError
from mdfactory.records.tables import SIMULATIONS
from mdfactory.stores import store_at
from mdfactory.testing.harm import Workload

class Writer(Workload):
    def read(self):
        try:
            print(*self.states(), sep="")
        except NotInitialisedError:
            print("--")

    def set_wal_mode(self):
        for path in self.store.paths:
            database = sqlite3.connect(path)
            database.execute("PRAGMA journal_mode = WAL")
            database.close()

    def change(self, letter):  # one of the two files
        with self.store.operation("change") as transaction:
            rows = (part for part in self._batches(letter) if part[0] is SIMULATIONS)
            transaction.write(rows, "force")

folder, kind, *steps = sys.argv[1:]
writer = Writer(store_at(f"{kind}:///{folder}/new/store", wait=5), 20)
for step in steps or ["fill a", "change b", "read"]:
    name, *letters = step.split()
    getattr(writer, name)(*letters)
"""


@pytest.fixture(params=["sqlite", "csv"], scope="module")
def writers(request: pytest.FixtureRequest) -> Iterator[tuple[str, Turn]]:
    with taking_turns(SCRIPT, request.param) as take:
        yield request.param, take


STEPS = pytest.mark.parametrize(
    ("mode", "every"),
    [
        (0o770, 13),
        pytest.param(0o770, 1, marks=pytest.mark.long),
        pytest.param(0o2770, 1, marks=pytest.mark.long),
    ],
)


@STEPS
@pytest.mark.parametrize(
    ("before", "write", "states"),
    [
        ([], "fill b", {"--", "bb"}),
        (["fill a"], "fill b", {"aa", "bb"}),
        (["fill a"], "change b", {"aa", "ba"}),
    ],
    ids=["create", "write", "write one file"],
)
def test_a_member_goes_on_after_each_kill_of_another(
    writers: tuple[str, Turn],
    mode: int,
    every: int,
    before: list[str],
    write: str,
    states: set[str],
    record_property: Any,
) -> None:
    kind, take = writers
    kills = _kill_and_go_on(take, (kind, mode, every), before, write, states)
    record_property("figure", f"kills of a writer in a group folder ({write}), {kind}: {kills}")


@STEPS
@pytest.mark.parametrize(("write", "states"), [("read", {"aa"}), ("fill b", {"aa", "bb"})])
@pytest.mark.parametrize("writers", ["sqlite"], indirect=True)
def test_a_member_goes_on_after_each_kill_of_another_in_wal_mode(
    writers: tuple[str, Turn], mode: int, every: int, write: str, states: set[str]
) -> None:
    kind, take = writers
    assert _kill_and_go_on(take, (kind, mode, every), ["fill a", "set_wal_mode"], write, states)


def _kill_and_go_on(
    take: Turn, where: tuple[str, int, int], before: list[str], write: str, states: set[str]
) -> int:
    """Kill a writer at system calls, let a colleague and the writer go on; return the kills."""
    kind, mode, every = where
    kills = 0
    for step in count(1, every):
        with group_folder(mode) as lab:
            if before:
                take(ANN, 0o077, lab, kind, *before)
            kill = f"{CALLS}:signal=KILL:when={step}"
            killed = take(ANN, 0o077, lab, kind, write, inject=kill)
            left = _list(lab)
            done = take(BEN, 0o022, lab, kind, "read", "fill c", "read")
            assert not done.returncode, f"kill {step}: {left}\n{done.stderr}"
            first, second = done.stdout.split()
            assert first in states
            assert second == "cc"
            done = take(ANN, 0o077, lab, kind, "read", "fill d", "read")
            assert (done.stdout.split(), done.stderr) == (["cc", "dd"], ""), left
            _check_access(lab)
        if killed.returncode != -signal.SIGKILL:
            break
        kills += 1
    assert not killed.returncode, killed.stderr
    assert kills
    return kills


def _stick(lab: Path, kind: str, take: Turn) -> None:
    """Let a member create a store in a folder in which each may remove only their own files."""
    for folder in (lab / "new", lab / "new" / "store"):
        folder.mkdir()
        os.chown(folder, 0, GROUP)
        folder.chmod(0o1770)
    take(ANN, 0o077, lab, kind, "fill a")


@pytest.mark.parametrize("writers", ["sqlite"], indirect=True)
def test_an_interrupted_write_to_a_sticky_folder_names_who_can_recover_it(
    writers: tuple[str, Turn],
) -> None:
    kind, take = writers
    with group_folder(0o770) as lab:
        _stick(lab, kind, take)
        assert take(BEN, 0o077, lab, kind, "fill b", "read").stdout == "bb\n"
        take(ANN, 0o077, lab, kind, "fill c", inject="fdatasync:signal=KILL:when=4")
        for step in ("read", "fill d"):
            error = take(BEN, 0o077, lab, kind, step).stderr
            assert f"db-journal can be removed by user {ANN} only" in error
            assert f"chmod -t {lab}/new/store" in error
        (lab / "new" / "store").chmod(0o770)
        assert take(BEN, 0o077, lab, kind, "read", "fill c", "read").stdout == "bb\ncc\n"


@pytest.mark.parametrize("writers", ["sqlite"], indirect=True)
def test_a_private_journal_names_who_can_give_access_to_it(writers: tuple[str, Turn]) -> None:
    """Another program of a colleague may leave one."""
    kind, take = writers
    with group_folder(0o770) as lab:
        take(ANN, 0o077, lab, kind, "fill a")
        journal = lab / "new" / "store" / "runs.db-journal"
        journal.touch(mode=0o600)
        os.chown(journal, ANN, ANN)
        for step in ("read", "fill b"):
            error = take(BEN, 0o077, lab, kind, step).stderr
            assert f"{journal} belongs to user {ANN}, who can give access to it: chgrp" in error


@pytest.mark.parametrize("writers", ["csv"], indirect=True)
def test_a_csv_file_that_a_sticky_folder_keeps_is_named_before_anything_is_changed(
    writers: tuple[str, Turn],
) -> None:
    kind, take = writers
    with group_folder(0o770) as lab:
        _stick(lab, kind, take)
        error = take(BEN, 0o077, lab, kind, "fill b").stderr
        assert f"runs.csv can be replaced by user {ANN} only" in error
        assert take(BEN, 0o077, lab, kind, "read").stdout == "aa\n"
        done = take(ANN, 0o077, lab, kind, "fill c", "read")
        assert (done.stdout, done.stderr) == ("cc\n", "")


def _list(lab: Path) -> str:
    return "".join(f"{path.lstat()} {path}\n" for path in lab.rglob("*"))


def _check_access(lab: Path) -> None:
    """Check that the group can use each file under its own name."""
    for path in lab.rglob("[!.]*"):
        if "-mj" in path.name:  # a super-journal that no journal names is never read again
            continue
        status = path.stat()
        assert status.st_gid == GROUP, _list(lab)
        assert status.st_mode & S_IWGRP, _list(lab)
        if path.is_dir():
            assert status.st_mode & S_ISGID == lab.stat().st_mode & S_ISGID
