"""How much harm is done to stores: little in every run of the tests, much in the long ones."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How long a store is harmed.

    Parameters
    ----------
    name
        How this is called.
    kills
        Kills of each operation.
    simulations
        Records of each of two tables that an operation changes.
    changes
        Writes of others that a reader sees come by.
    transactions
        Transactions of each of eight writers.
    """

    name: str
    kills: int
    simulations: int
    changes: int
    transactions: int


FEW = Effort("few", kills=2, simulations=500, changes=3, transactions=3)
"""In every run of the tests."""

MANY = Effort(
    "many",
    kills=int(os.environ.get("MDFACTORY_TEST_KILLS", "10")),
    simulations=1500,
    changes=20,
    transactions=10,
)
"""In the long tests."""
