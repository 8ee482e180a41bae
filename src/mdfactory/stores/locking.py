"""The time limit for waiting for other writers, which all locks of a transaction share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["Patience"]


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
