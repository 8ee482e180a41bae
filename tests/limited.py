"""Run the program with bounds on its memory and its time.

``python limited.py MEGABYTES SECONDS ARGUMENTS`` runs ``mdfactory ARGUMENTS``. A program that
holds more memory, or computes longer, dies; how much it held stands in the last line of standard
error. What counts is memory in use (``VmHWM``), whatever addresses its libraries reserve.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from threading import Event, Thread

from mdfactory.cli import tune_process
from mdfactory.cli.app import run


def memory(what: str = "VmHWM") -> int:
    """Return what the kernel says of this process, in MB; its parent's memory does not count."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith(what))


def watch(most: int, done: Event) -> None:
    """End the process as soon as it holds more memory."""
    while not done.wait(0.05):
        check(most)


def check(most: int) -> None:
    if (held := memory()) > most:
        os.write(2, f"killed: it holds {held} MB of {most} MB\n".encode())
        os._exit(99)


if __name__ == "__main__":
    most, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    done = Event()
    Thread(target=watch, args=(most, done), daemon=True).start()
    tune_process()
    code = run(sys.argv[3:])
    done.set()
    check(most)
    sys.stdout.flush()
    sys.stderr.write(f"peak: {memory()} MB\n")
    sys.exit(code)
