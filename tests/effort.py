"""How much is tried: little in every run of the tests, much in the long ones.

Stores are harmed a few or many times. Hypothesis generates a few or many examples for each of its
tests: they are part of the long tests, too. `tests/conftest.py` chooses the number for the run, and
no test has one of its own. The examples are random, so that many runs try what a long one tries.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much a run tries.

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
    examples
        Examples that Hypothesis generates for a test.
    """

    name: str
    kills: int
    simulations: int
    changes: int
    transactions: int
    examples: int


FEW = Effort("few", kills=2, simulations=500, changes=3, transactions=3, examples=30)
"""In every run of the tests."""

MANY = Effort(
    "many",
    kills=int(os.environ.get("MDFACTORY_TEST_KILLS", "10")),
    simulations=1500,
    changes=20,
    transactions=10,
    examples=300,
)
"""In the long tests."""
