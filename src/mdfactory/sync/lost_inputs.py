"""Lost BuildInputs: folders whose simulation is in the store, without the BuildInput of it.

The BuildInput was deleted, or it was edited, which made it that of another simulation.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from shlex import quote
from typing import Final

from mdfactory.campaign.simulation import NO_BUILD_INPUT, Simulation
from mdfactory.errors import SourceError
from mdfactory.records.query import OneOf, Query
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
    if not folders:
        return {}
    with store.transaction() as transaction:
        if not transaction.has(SIMULATIONS):
            return {}
        records = records_inside(transaction, SIMULATIONS, frozenset(folders))
        return {directory.rstrip("/"): hash_ for hash_, directory in records}


def write_back_command(hash_: str, directory: str) -> str:
    """Return the command that writes the BuildInput of a record into its folder."""
    return f"mdfactory prepare-build --from-store {hash_} {quote(directory)}"


def edited_warnings(store: Store, simulations: Collection[Simulation]) -> Iterator[str]:
    """Yield a warning for each simulation whose folder is named after the hash of another one.

    It says how to go back to that one if the store has it in this folder, and how to keep the edit.
    """
    earlier = _records(store, {simulation.named_hash for simulation in simulations})
    for simulation in simulations:
        path, name = simulation.path, simulation.named_hash
        if (name, path) in earlier:
            file = f"{path}/{os.path.basename(path)}.yaml"
            remedy = (
                "The store has the earlier one. To go back to it, move "
                f"{file if os.path.lexists(file) else 'the edited file'} away, and run:\n  "
                f"{write_back_command(name, path)}\n"
                f"If the edit was meant, rename the folder to {simulation.hash}, and run:\n  "
                f"mdfactory sync clear all --hash {name}"
            )
        else:
            remedy = (
                f"If the edit was meant, rename the folder to {simulation.hash}; if not, restore "
                "the file from a backup"
            )
        yield (
            f"{path}: the folder is named after another hash; its BuildInput has "
            f"{simulation.hash}: an edited BuildInput is another simulation. {remedy}"
        )


def _records(store: Store, hashes: Collection[str]) -> set[tuple[str, str]]:
    """Return hash and directory of the stored simulations with some hashes."""
    if not hashes:
        return set()
    with store.transaction() as transaction:
        if not transaction.has(SIMULATIONS):
            return set()
        query = Query((OneOf("hash", tuple(hashes)),), ("hash", "directory"))
        found = transaction.values(SIMULATIONS, query)
        return {(hash_, directory.rstrip("/")) for hash_, directory in found}
