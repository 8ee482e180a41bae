"""The command line: parse, one call, render."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program that ``mdfactory`` names."""
    from mdfactory.cli.app import run

    sys.exit(run(sys.argv[1:]))
