"""A program whose system calls are traced or tampered with by ``strace``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEEDS_STRACE = pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace")


def traced(calls: str, *options: str, log: str | Path = "/dev/null") -> list[str]:
    """Return the command that runs Python and traces some of its system calls.

    Python writes no bytecode, which would be among them.

    Parameters
    ----------
    calls
        Names of the system calls, separated by commas.
    options
        Options of strace, such as ``--inject=unlink:signal=KILL:when=3``.
    log
        File for the trace; file descriptors have their paths in it.
    """
    return [
        "strace",
        "-f",
        "-y",
        "-o",
        str(log),
        f"--trace={calls}",
        *options,
        sys.executable,
        "-B",
    ]


def tamper(rule: str) -> None:
    """Inject a fault into the system calls of this process from now on.

    Parameters
    ----------
    rule
        The fault, such as ``unlink:signal=KILL:when=3``.
    """
    command = ["strace", "-f", "-o", os.devnull, f"--inject={rule}", "-p", str(os.getpid())]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = tracer.stderr.readline() if tracer.stderr else ""
    assert "attached" in line, line
