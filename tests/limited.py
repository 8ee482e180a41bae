"""Run the program with little memory and a bound on its time.

``python limited.py MEGABYTES SECONDS ARGUMENTS`` runs ``mdfactory ARGUMENTS``. It dies of what
takes more; how much memory it took stands in the last line of standard error.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from mdfactory.cli.app import run


def peak() -> int:
    """Return the most memory that this process had, in MB; its parent's does not count."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    megabytes, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    code = run(sys.argv[3:])
    sys.stdout.flush()
    sys.stderr.write(f"peak: {peak()} MB\n")
    sys.exit(code)
