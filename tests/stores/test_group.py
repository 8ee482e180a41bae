"""Stores in files that several users write: access rights, and recovery after a kill."""

from __future__ import annotations

import signal
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from members import ANN, BEN, GROUP, NEEDS_MEMBERS, Turn, group_folder, taking_turns
from tracing import NEEDS_STRACE

pytestmark = NEEDS_MEMBERS

LEFTOVERS = {".db-journal", ".staged"}

SCRIPT = """
import os, sys
from mdfactory.stores import store_at
from mdfactory.testing.harm import Workload

folder, kind, *steps = sys.argv[1:]
workload = Workload(store_at(f"{kind}:///{folder}/store", wait=5), 200)
if not os.listdir(folder):  # twice, so that steps may begin with an undo
    workload.fill("b")
    workload.fill("a")
for step in steps:
    name, *letters = step.split()
    if answer := getattr(workload, name)(*letters):
        print(answer)
"""


@pytest.fixture(params=["sqlite", "csv"], scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def take(kind: str) -> Iterator[Turn]:
    """Run the script as a member; folder and kind of store are the first arguments."""
    with taking_turns(SCRIPT, kind, "state", "undo", "fill c", "clear", "renew") as take:
        yield take


def _do(take: Turn, user: int, umask: int, kind: str, lab: Path, *steps: str) -> str:
    """Let a user take steps in a `Workload`, which is filled at first; return what they print."""
    done = take(user, umask, lab, kind, *steps)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("mode", "umasks"), [(0o2775, (0o077, 0o002)), (0o770, (0o002, 0o077))], ids=str
)
def test_members_of_a_group_write_one_store(
    take: Turn, kind: str, mode: int, umasks: tuple[int, int]
) -> None:
    with group_folder(mode) as lab:
        ann, ben = (partial(_do, take, *who) for who in zip((ANN, BEN), umasks, strict=True))
        ann(kind, lab)
        assert ben(kind, lab, "state", "fill b", "state") == "a\nb"
        assert ann(kind, lab, "undo", "state", "clear") == "a"
        assert ben(kind, lab, "state", "undo", "renew", "undo", "state") == "-\na"
        assert ann(kind, lab, "renew", "undo", "fill c", "state") == "c"
        _check_access(lab)


def _check_access(lab: Path) -> None:
    """Check that the group has all access to all files, and others have none to change them."""
    for path in lab.rglob("*"):
        status, rights = path.stat(), stat.S_IRWXG if path.is_dir() else 0o060
        assert status.st_gid == GROUP, path
        assert status.st_mode & rights == rights, path
        assert not status.st_mode & 0o002, path
        if path.is_dir():
            assert status.st_mode & stat.S_ISGID == lab.stat().st_mode & stat.S_ISGID


@NEEDS_STRACE
@pytest.mark.parametrize(
    ("kind", "mode", "call", "after"),
    [
        ("sqlite", 0o770, "fdatasync:when=1", "a"),
        ("sqlite", 0o770, "unlink:when=3", "a"),  # of the super-journal
        ("sqlite", 0o2775, "unlink:when=3", "a"),
        ("csv", 0o770, "fsync:when=1", "a"),
        ("csv", 0o770, "rename:when=3", "b"),  # after both commit records
    ],
    indirect=["kind"],
)
def test_a_member_recovers_the_killed_write_of_another(
    take: Turn, kind: str, mode: int, call: str, after: str
) -> None:
    with group_folder(mode) as lab:
        _do(take, ANN, 0o077, kind, lab)
        kill = call.replace(":", ":signal=KILL:")
        killed = take(ANN, 0o077, lab, kind, "fill b", inject=kill)
        assert killed.returncode == -signal.SIGKILL
        assert _do(take, BEN, 0o022, kind, lab, "state", "fill c", "state") == f"{after}\nc"
        assert not [path for path in lab.rglob("*") if path.suffix in LEFTOVERS]


def test_a_folder_of_one_user_is_private_by_umask(take: Turn, kind: str) -> None:
    with group_folder(0o755) as lab:
        _do(take, ANN, 0o077, kind, lab)
        assert not [path for path in lab.rglob("*") if path.stat().st_mode & 0o077]
