"""Two users with a common group, and a folder that belongs to it.

Only root can become another user. Python and its libraries may lie where only root can read them,
so ``python members.py USER UMASK CALL SCRIPT FOLDER ARGUMENTS`` runs a script twice: as root in a
scratch folder, which imports all modules, and then as the user in the folder. If CALL is the rule
of an injection of strace, it is in force during the second run.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tracing import tamper

GROUP, ANN, BEN = 61000, 61001, 61002
"""Numeric ids of the group and its members; each member has a group of the same id, too."""

NEEDS_MEMBERS = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two users")


@contextmanager
def group_folder(mode: int) -> Iterator[Path]:
    """Create a folder that belongs to the group; everybody can pass through its parent."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent, "lab")
        folder.mkdir()
        os.chown(folder, ANN, GROUP)
        folder.chmod(mode)
        yield folder


def run_as(
    user: int, umask: int, script: str, folder: Path, *arguments: str, inject: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a script, whose first argument is a folder, as a member of the group.

    Parameters
    ----------
    user
        `ANN` or `BEN`.
    umask
        Umask of the user.
    script, folder, arguments
        Source of the script, and its arguments.
    inject
        Fault to inject with strace, such as ``unlink:signal=KILL:when=3``.
    """
    command = [sys.executable, __file__, str(user), str(umask), inject, script, str(folder)]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def _run(script: str, *arguments: str) -> None:
    sys.argv = ["script", *arguments]
    exec(script, {"__name__": "script"})  # noqa: S102


def main(user: int, umask: int, rule: str, script: str, folder: str, *arguments: str) -> None:
    """Run a script as root in a scratch folder, then as a user; see the module."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        _run(script, scratch, *arguments)
    if rule:
        tamper(rule)
    os.chdir("/")
    os.setgroups([GROUP])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    os.umask(umask)
    _run(script, folder, *arguments)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
