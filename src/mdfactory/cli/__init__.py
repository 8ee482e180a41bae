"""The command line: parse, one call, render."""

from __future__ import annotations

import gc
import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the program that ``mdfactory`` names."""
    gc.set_threshold(300_000, 50, 100)  # a push makes many objects, and hardly any cycles
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        from mdfactory.cli.app import run

        code = run(sys.argv[1:])
        gc.freeze()  # else all that was imported is looked through on the way out
        sys.exit(code)
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(130)
