"""Stores on file systems that lack something: locks, or permissions of files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripted import run_here
from tracing import NEEDS_STRACE

pytestmark = NEEDS_STRACE

SCRIPT = """
import sys
if sys.argv[2] not in sys.path:
    sys.path.append(sys.argv[2])
from mdfactory.errors import StoreError
from mdfactory.stores import store_at
from mdfactory.testing.harm import Workload
from tracing import tamper

workload = Workload(store_at(sys.argv[1], wait=300), 20)
if sys.argv[3]:
    tamper(sys.argv[3])
for step in sys.argv[4:]:
    name, *letters = step.split()
    try:
        print(getattr(workload, name)(*letters))
    except StoreError as error:
        print(error)
"""

TESTS = str(Path(__file__).parent.parent)

CHANGE_ACCESS = "chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat"


@pytest.fixture(params=["sqlite", "csv"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}:///{tmp_path}/store"


def _do(url: str, *steps: str, fault: str = "") -> list[str]:
    """Take steps in a `Workload` while system calls fail; return the line of each step."""
    if not fault:
        return run_here(SCRIPT, url, TESTS, fault, *steps).splitlines()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url, TESTS, fault, *steps],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_a_file_system_without_locks_is_named_at_once(url: str, error: str) -> None:
    assert _do(url, "fill a") == ["None"]
    lines = _do(url, "fill b", "undo", "clear", fault=f"fcntl,flock:error={error}")
    for line in lines:
        assert "does not support locks" in line
        assert "another disk" in line
        assert "another program" not in line
    assert _do(url, "state") == ["a"]


def test_sqlite_names_a_file_system_without_locks_to_readers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store"
    _do(url, "fill a")
    (line,) = _do(url, "state", fault="fcntl,flock:error=ENOLCK")
    assert "does not support locks" in line


def test_csv_needs_no_locks_to_read(tmp_path: Path) -> None:
    url = f"csv:///{tmp_path}/store"
    _do(url, "fill a")
    assert _do(url, "state", fault="fcntl,flock:error=ENOLCK") == ["a"]


@pytest.mark.parametrize("error", ["EPERM", "EOPNOTSUPP", "ENOSYS"])
def test_a_file_system_without_permissions_holds_a_store(
    url: str, tmp_path: Path, error: str
) -> None:
    tmp_path.chmod(0o2770)  # which every new file would follow
    steps = ["fill a", "fill b", "undo", "state", "renew", "undo", "state"]
    lines = _do(url, *steps, fault=f"{CHANGE_ACCESS}:error={error}")
    assert [line for line in lines if line != "None"] == ["a", "a"]
