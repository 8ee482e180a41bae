"""Write back: write the BuildInput of a simulation into its folder again, from its record."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from mdfactory.campaign.build_input import BuildInput
from mdfactory.campaign.creation import (
    dump_yaml,
    output_errors,
    refuse_links,
    storable_path,
    write_yaml,
)
from mdfactory.campaign.simulation import Simulation, read_simulation
from mdfactory.errors import OutputError, QueryError, SourceError, StoreError, one_line
from mdfactory.files import create_folder, expand_home, list_folder
from mdfactory.records.query import Prefix, Query
from mdfactory.records.tables import SIMULATIONS
from mdfactory.records.vocabulary import SimulationType
from mdfactory.stores.store import Store
from mdfactory.sync.lost_inputs import write_back_command
from mdfactory.sync.pull import parse_hash_prefix
from mdfactory.sync.verify.moved import missing_top

MAX_MATCHES = 2
"""Number of records that are read: more than one shows that a prefix is not unique."""


@dataclass(frozen=True, slots=True)
class WrittenBack:
    """What `write_back` did.

    Parameters
    ----------
    hash
        Hash of the simulation.
    file
        Path of the file with its BuildInput.
    existed
        Whether the folder has this BuildInput already, so that nothing was written.
    """

    hash: str
    file: str
    existed: bool = False


def write_back(store: Store, hash_prefix: str, out: str | Path | None = None) -> WrittenBack:
    """Write the BuildInput of a simulation into a folder, from its record in a store.

    The file is named after the folder; that of an adopted simulation is ``build.yaml``.

    Parameters
    ----------
    store
        The store.
    hash_prefix
        First digits of the hash; they must select one simulation.
    out
        The folder, which is created if it does not exist. Default: the directory of the record,
        which must exist.

    Raises
    ------
    QueryError
        If the prefix is not hexadecimal, or selects no simulation, or several.
    StoreError
        If the hash of the record is not that of the BuildInput in it.
    OutputError
        If the folder has another BuildInput or a file of this name, or cannot be written.
    SourceError
        If `out` is not given, and the directory of the record does not exist.
    """
    hash_, directory, text = _find_record(store, hash_prefix)
    build = _parse(hash_, text)
    if out is None and not os.path.isdir(directory):
        above = os.path.dirname(missing_top(directory))
        can_be_made = os.access(above, os.W_OK)
        raise SourceError(
            directory,
            "there is no such folder; give OUT, the folder to write to",
            command=write_back_command(hash_, directory if can_be_made else hash_),
        )
    folder = storable_path(expand_home(out or directory))
    is_adopted = build.simulation_type is SimulationType.adopted
    file = folder / ("build.yaml" if is_adopted else f"{folder.name}.yaml")
    with output_errors(folder):
        if _has_build_input(folder, build):
            return WrittenBack(hash_, str(folder), existed=True)
        refuse_links([file])
        if os.path.lexists(file):
            raise OutputError(f"{file} exists with other content; move it away")
        create_folder(folder)
        write_yaml(file, json.loads(build.input_data))
    return WrittenBack(hash_, str(file))


def _find_record(store: Store, hash_prefix: str) -> tuple[str, ...]:
    """Return hash, directory and BuildInput of the only matching record."""
    where = (Prefix("hash", parse_hash_prefix(hash_prefix, "--from-store")),)
    with store.transaction() as transaction:
        transaction.require(SIMULATIONS)
        query = Query(where, ("hash", "directory", "input_data"), limit=MAX_MATCHES)
        records = list(transaction.values(SIMULATIONS, query))
    if len(records) != 1:
        found = "several simulations have" if records else "no simulation in the store has"
        raise QueryError(
            f"--from-store {hash_prefix}: {found} a hash that begins so",
            command="mdfactory sync pull systems",
        )
    return tuple(map(str, records[0]))


def _parse(hash_: str, text: str) -> BuildInput:
    """Return the BuildInput of a record, as it is read from the YAML file that is to be written.

    Raises
    ------
    StoreError
        If it is not valid for this version, or has another hash than the record.
    """
    from mdfactory.campaign.strict_yaml import load

    try:
        written = dump_yaml(json.loads(BuildInput.parse(json.loads(text)).input_data))
        build = BuildInput.parse(load(written))
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"the BuildInput of {hash_} is not valid for this version: {one_line(error)}"
        ) from error
    if build.hash != hash_:
        raise StoreError(
            f"the BuildInput in the record {hash_} has another hash, {build.hash}; nothing was "
            "written",
            command="mdfactory sync verify",
        )
    return build


def _has_build_input(folder: Path, build: BuildInput) -> bool:
    """Whether a folder has a BuildInput already; False if it has none.

    Raises
    ------
    OutputError
        If it has another one, or one that is invalid.
    """
    if not folder.exists():
        return False
    found = read_simulation(str(folder), list_folder(folder))
    if found is None:
        return False
    if not isinstance(found, Simulation):
        raise OutputError(f"{folder} has an invalid BuildInput; move it away ({found.reason})")
    if found.identity.input_data == build.input_data:
        return True
    if found.hash == build.hash:
        raise OutputError(f"{folder} has this BuildInput with other tags; move its file away")
    raise OutputError(f"{folder} has another BuildInput, {found.hash}; move its file away")
