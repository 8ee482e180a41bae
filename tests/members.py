"""Two users with a common group, and a folder that belongs to it.

Only root can become another user. Python and its libraries may lie where only root can read them,
so ``python members.py SCRIPT ARGUMENTS`` first runs a script as root in a scratch folder, which
imports all modules. Then it reads turns from its standard input, one JSON list a line: user, umask,
rule of an injection of strace or nothing, arguments of the script. For each it runs the script as
the user, in a process of its own, and prints exit code, output and errors as a JSON list.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tracing import tamper

GROUP, ANN, BEN = 61000, 61001, 61002
"""Numeric ids of the group and its members; each member has a group of the same id, too."""

NEEDS_MEMBERS = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two users")

Turn = Callable[..., subprocess.CompletedProcess[str]]
"""A call with user, umask, arguments and ``inject`` runs the script of `taking_turns`."""


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


@contextmanager
def taking_turns(script: str, *arguments: str) -> Iterator[Turn]:
    """Yield a function that runs a script as a member of the group, many times in a short time.

    The user may also be the one who runs the tests.

    Parameters
    ----------
    script
        Source of the script, whose first argument is a folder.
    arguments
        Further arguments with which the script imports all that it needs later.
    """
    command = [sys.executable, __file__, script, *arguments]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as server:
        assert server.stdin
        assert server.stdout
        stdin, stdout = server.stdin, server.stdout

        def take(
            user: int, umask: int, *arguments: object, inject: str = ""
        ) -> subprocess.CompletedProcess[str]:
            turn = [user, umask, inject, *map(str, arguments)]
            stdin.write(json.dumps(turn) + "\n")
            stdin.flush()
            return subprocess.CompletedProcess(turn, *json.loads(stdout.readline()))

        yield take
        stdin.close()


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
    with taking_turns(script, *arguments) as take:
        return take(user, umask, folder, *arguments, inject=inject)


def _run(script: str, *arguments: str) -> None:
    sys.argv = ["script", *arguments]
    exec(script, {"__name__": "script"})  # noqa: S102


def _become(user: int, umask: int) -> None:
    os.chdir("/")
    os.umask(umask)
    if user != os.geteuid():
        os.setgroups([GROUP])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def _run_as(user: int, umask: int, rule: str, script: str, *arguments: str) -> int:
    """Run a script as a user in this process, and return its exit code."""
    if rule:
        tamper(rule)
    _become(user, umask)
    try:
        _run(script, *arguments)
    except SystemExit as error:  # as Python does at the end of a script
        return int(error.code or 0)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _take_turn(script: str, user: int, umask: int, rule: str, *arguments: str) -> list[object]:
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if not child:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            os._exit(_run_as(user, umask, rule, script, *arguments))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        errors.seek(0)
        return [code, output.read(), errors.read()]


def main(script: str, *arguments: str) -> None:
    """Run a script as root in a scratch folder, then as users; see the module."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        _run(script, scratch, *arguments)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_take_turn(script, *json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
