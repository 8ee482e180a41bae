"""Lost BuildInputs: folders whose simulation is in the store, but whose BuildInput was deleted."""

from __future__ import annotations

from collections.abc import Collection
from shlex import quote
from typing import Final

from mdfactory.campaign.simulation import NO_BUILD_INPUT, Simulation
from mdfactory.errors import SourceError
from mdfactory.records.tables import SIMULATIONS
from mdfactory.stores.store import Store
from mdfactory.sync.folders import records_inside

LOST_INPUT: Final = "its folder has lost the BuildInput"
"""Text of a difference between disk and store."""


def is_lost(directory: str) -> bool:
    """Whether a folder exists and has no BuildInput, not even an invalid one."""
    try:
        Simulation.open(directory)
    except SourceError as error:
        return error.reason == NO_BUILD_INPUT
    return False


def stored_hashes(store: Store, folders: Collection[str]) -> dict[str, str]:
    """Return directory and hash of each stored simulation that is in or below some folders."""
    with store.transaction() as transaction:
        if not (folders and transaction.has(SIMULATIONS)):
            return {}
        records = records_inside(transaction, SIMULATIONS, frozenset(folders))
        return {directory.rstrip("/"): hash_ for hash_, directory in records}


def write_back_command(hash_: str, directory: str) -> str:
    """Return the command that writes the BuildInput of a record into its folder."""
    return f"mdfactory prepare-build --from-store {hash_} {quote(directory)}"
