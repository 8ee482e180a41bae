"""The command line: parse, one call, render."""

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
    """Run the program that ``mdfactory`` names.

    Parameters
    ----------
    platform
        The operating system, as ``sys.platform`` names it.
    """
    try:
        require_posix(platform)
    except UnsupportedPlatformError as error:
        sys.exit(f"error: {error}")
    gc.set_threshold(300_000, 50, 100)  # a push makes many objects, and hardly any cycles
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        from mdfactory.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the command itself
        code = 130
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End at once, without looking through and taking apart all that was imported.

    Whatever holds a lock, a file or a thread is closed by then: each is used in a ``with``.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
