"""How long a store waits for another writer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["Patience"]


@dataclass(slots=True)
class Patience:
    """How long to wait for another writer, from now on.

    Parameters
    ----------
    wait
        In seconds.
    """

    wait: float
    deadline: float = field(init=False)
    """When that is over, on the monotonic clock."""

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.wait
