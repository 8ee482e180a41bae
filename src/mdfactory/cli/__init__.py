"""The command line: a command parses its options, calls one use-case and renders the result."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Final

from mdfactory.errors import UnsupportedPlatformError
from mdfactory.platforms import require_posix

__all__ = ["exit_when_terminated", "main", "tune_process"]


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
    _require_utf8()
    tune_process()
    exit_when_terminated()
    code: object = 1

    def leave() -> None:
        """End the process when the interpreter has called all else that it calls at its end.

        Its last steps take a tenth of the time of ``--help``, and abort the process if a thread of
        Arrow still reads ahead for an output that was closed (before Python 3.14).
        """
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):  # closed
                stream.flush()
        if isinstance(code, int):
            os._exit(code)

    atexit.register(leave)  # the first to be registered is the last to be called
    try:
        from mdfactory.cli.app import run
        from mdfactory.cli.render import report_lost

        threading.excepthook = sys.unraisablehook = report_lost
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the command itself
        code = 130
    except SystemExit as ending:  # a signal
        code = ending.code
        raise
    except ImportError as error:
        sys.exit(f"error: the installation of mdfactory is incomplete: {error}")
    sys.exit(code)


def _require_utf8() -> None:
    """Start the program again in Python's UTF-8 mode, if paths are decoded in another encoding.

    Python decodes arguments and paths as the locale says. A store is read on other machines, so the
    text of a path must be the same in each locale.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return
    if sys.orig_argv[1:2] != [UTF8_MODE]:
        with suppress(OSError, ValueError):  # ValueError: the interpreter is unknown
            os.execv(sys.executable, [sys.executable, UTF8_MODE, *sys.orig_argv[1:]])  # noqa: S606
    sys.exit("error: this locale does not have UTF-8, which stores require. Set PYTHONUTF8=1")


UTF8_MODE: Final = "-Xutf8=1"
"""Option of Python. It overrides ``PYTHONUTF8``, and comes first: a later one has no effect."""


def exit_when_terminated() -> None:
    """Let the signal of ``kill`` end the program as Ctrl-C does: nothing is left behind."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def tune_process() -> None:
    """Return freed memory to the system at once, and collect garbage rarely.

    The pool of Arrow keeps freed memory. So does glibc below a threshold, which grows up to 32 MB
    when larger blocks are freed (mallopt(3), ``M_MMAP_THRESHOLD``). Imports and records are many
    objects and hardly any cycles: collections find nothing.
    Medians in turn, with and without:

    - peak memory of ``sync push analysis``, 300 frames of 20,000 rows: 265 MB, and 365 MB with
      Arrow's pool (273 MB with the threshold of glibc)
    - peak memory of a push of the 316 folders of ``tests/corpus``: 509 MB, and 709 MB with the
      threshold of glibc (one run each)
    - processor time of ``sync push systems --force``, 2,000 simulations, with fewer collections:
      1.21 and 1.38 s; of ``sync pull systems``: 0.79 and 0.88 s
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # read when pyarrow is imported
    with suppress(AttributeError, OSError):  # not glibc
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
    gc.set_threshold(300_000, 50, 100)


M_MMAP_THRESHOLD: Final = -3
"""Parameter of mallopt(3), from ``malloc.h``."""

MMAP_THRESHOLD_BYTES: Final = 2**20
