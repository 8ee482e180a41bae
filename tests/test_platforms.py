"""The operating systems that the package runs on."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import mdfactory
from mdfactory.errors import UnsupportedPlatformError
from mdfactory.platforms import require_posix

SCRIPT = """
import atexit, json, sys
from mdfactory.cli import main
atexit.register(lambda: print(json.dumps(sorted(sys.modules))))
main("win32")
"""


@pytest.mark.parametrize("platform", [sys.platform, "linux", "darwin", "freebsd14", "cygwin"])
def test_require_posix_accepts_platforms_with_posix_file_locks(platform: str) -> None:
    require_posix(platform)


def test_require_posix_rejects_windows_and_names_alternatives() -> None:
    with pytest.raises(UnsupportedPlatformError, match=r"Windows.*Linux, macOS, or .*\(WSL\)$"):
        require_posix("win32")


def test_the_command_fails_on_windows_before_it_imports_the_app() -> None:
    command = [sys.executable, "-c", SCRIPT]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stderr.startswith("error: mdfactory does not run on Windows: ")
    assert process.stderr.count("\n") == 1
    assert not {"mdfactory.cli.app", "cyclopts"} & set(json.loads(process.stdout))


@pytest.mark.parametrize("name", sorted({*mdfactory.__all__} - {"__version__"}))
def test_public_names_cannot_be_imported_on_windows(name: str) -> None:
    with pytest.raises(ImportError, match="does not run on Windows"):
        mdfactory.__getattr__(name, "win32")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a name")
def test_a_user_may_have_no_name() -> None:
    """As in a container that runs with the number of a user whom it does not know."""
    names = {"LOGNAME", "USER", "LNAME", "USERNAME"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    script = """
import getpass, os  # before the rights to read the standard library are given up
from mdfactory.platforms import user_name
os.setuid(54321)
print(repr(user_name()))
"""
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (result.stdout, result.stderr) == ("'user 54321'\n", "")
