"""Locks of all stores: the time limit for waiting, and what a holder says about itself."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Patience:
    """Time limit for waiting for other writers; it starts when the object is created.

    Parameters
    ----------
    wait
        Seconds to wait, for all locks together.
    """

    wait: float
    deadline: float = field(init=False)
    """End of the time limit, in seconds of `time.monotonic`."""

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.wait


def public_command() -> str:
    """Return the part of the command line of this process that other users may read.

    This is the program, and those of the first arguments that consist of letters: options and
    their values may be secret.
    """
    program, *arguments = sys.argv or [""]
    words = [argument for argument in arguments[:3] if argument.isalpha()]
    return " ".join([os.path.basename(program) or "python", *words])
