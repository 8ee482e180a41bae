"""The command line: parse, one call, render."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program that ``mdfactory`` names."""
    try:
        from mdfactory.cli.app import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(130)
