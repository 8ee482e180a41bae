"""Writers of a group that are killed at each system call: a colleague goes on, whatever is left."""

from __future__ import annotations

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
import sys
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


@pytest.mark.parametrize(
    ("mode", "every"),
    [(0o770, 13), *(pytest.param(mode, 1, marks=pytest.mark.long) for mode in (0o770, 0o2770))],
)
@pytest.mark.parametrize(
    ("before", "write", "states"),
    [("", "fill b", {"--", "bb"}), ("a", "fill b", {"aa", "bb"}), ("a", "change b", {"aa", "ba"})],
    ids=["create", "write", "write one file"],
)
def test_a_member_goes_on_after_each_kill_of_another(
    writers: tuple[str, Turn],
    mode: int,
    before: str,
    write: str,
    states: set[str],
    every: int,
    record_property: Any,
) -> None:
    kind, take = writers
    kills = 0
    for step in count(1, every):
        with group_folder(mode) as lab:
            if before:
                take(ANN, 0o077, lab, kind, f"fill {before}")
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
    record_property("figure", f"kills of a writer in a group folder ({write}), {kind}: {kills}")


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
