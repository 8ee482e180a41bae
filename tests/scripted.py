"""The text of a script that this process runs, where a process of its own would prove no more."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO

import pytest


def run_here(script: str, *arguments: object) -> str:
    """Run a script with arguments in this process, and return what it prints."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as output:
        patch.setattr(sys, "argv", ["-c", *map(str, arguments)])
        exec(script, {})  # noqa: S102  # the text stands in a test
    return output.getvalue()
