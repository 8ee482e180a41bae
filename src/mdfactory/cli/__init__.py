"""The command line: a command parses its options, calls one use-case and renders the result."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from mdfactory.errors import UnsupportedPlatformError
from mdfactory.platforms import require_posix

__all__ = ["main"]


def main(platform: str = sys.platform) -> None:
    """Run the program ``mdfactory``, and exit.

    Parameters
    ----------
    platform
        The operating system, as in ``sys.platform``.
    """
    try:
        require_posix(platform)
    except UnsupportedPlatformError as error:
        sys.exit(f"error: {error}")
    # A push creates many objects and hardly any cycles: fewer collections save time.
    gc.set_threshold(300_000, 50, 100)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        from mdfactory.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the command itself
        code = 130
    _exit_without_teardown(code)


def _exit_without_teardown(code: int) -> NoReturn:
    """Exit without finalising the interpreter, which would traverse all imported modules.

    Locks, files and threads are already closed: each is used in a ``with`` block.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
