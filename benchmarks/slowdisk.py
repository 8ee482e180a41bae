"""The program on a slow disk: its calls below a folder are counted, and each waits first.

``python -m benchmarks.slowdisk DELAY_MS ROOT -- sync push systems ROOT``: the last line on
standard error says how many calls there were.

Seen are calls by path from Python: the listing of a folder, ``stat``, ``lstat``, ``readlink`` and
opening. Not seen is what is asked of an open file or of an entry of a listing, and what a library
opens itself, as pyarrow does when it is given a path; nor what is done by other processes.
"""

from __future__ import annotations

import argparse
import builtins
import io
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

CALLS = (
    (os, "scandir"),
    (os, "listdir"),
    (os, "stat"),
    (os, "lstat"),
    (os, "readlink"),
    (os, "open"),
    (io, "open"),
    (builtins, "open"),
)
"""Where the calls are looked up; all that opens counts as ``open``."""


@contextmanager
def slow(root: str | os.PathLike[str], seconds: float) -> Iterator[Counter[str]]:
    """Count the calls of this process on a folder and all below it; each sleeps before it is made.

    Sleepers let other threads run, as those do that wait for a disk.

    Parameters
    ----------
    root
        The folder.
    seconds
        How long each call sleeps.

    Yields
    ------
    collections.Counter
        Name -> calls until now.
    """
    counted: Counter[str] = Counter()
    top, lock = os.path.abspath(root), Lock()

    def waiting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            if _is_below(arguments[0] if arguments else named.get("path", named.get("file")), top):
                with lock:
                    counted[name] += 1
                time.sleep(seconds)
            return call(*arguments, **named)

        return wrapped

    plain = [(module, name, getattr(module, name)) for module, name in CALLS]
    try:
        for module, name, call in plain:
            setattr(module, name, waiting(name, call))
        yield counted
    finally:
        for module, name, call in plain:
            setattr(module, name, call)


def _is_below(path: Any, top: str) -> bool:
    if isinstance(path, int):  # an open file
        return False
    absolute = os.path.abspath(os.fsdecode("." if path is None else path))
    return absolute == top or absolute.startswith(top.rstrip(os.sep) + os.sep)


def main() -> None:
    """Run the program, and say how many calls it made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slowdisk", description=__doc__)
    parser.add_argument("delay", type=float, metavar="DELAY_MS", help="milliseconds of each call")
    parser.add_argument("root", metavar="ROOT", help="the folder")
    parser.add_argument("arguments", nargs="+", help="those of the program, after --")
    given = parser.parse_args()
    sys.argv = ["mdfactory", *given.arguments]
    with slow(given.root, given.delay / 1000) as counted:
        # Imported only now: what a module takes from another by name is then taken wrapped.
        from mdfactory.cli import main as program

        try:
            program()
        finally:
            each = ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))
            print(f"{counted.total()} calls: {each}", file=sys.stderr)


if __name__ == "__main__":
    main()
